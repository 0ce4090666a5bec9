"""A method applied to an image whose degradation is uncertain: the restorations by several candidates, mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor, nn

from innersr.blind.estimate import Candidate, Estimate
from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.methods.baselines import Bicubic
from innersr.methods.protocols import Method, Upscaler
from innersr.methods.tailor import Tailor
from innersr.methods.upscalers.module import UpscalerModule, as_module, parts_of
from innersr.physics.degradation import MAX_NOISE, Degradation
from innersr.physics.noise.counting import CountingNoise
from innersr.physics.resize import image_size
from innersr.run import Run

Learn = Callable[[Method, Degradation, CountingNoise | None], Upscaler]
"""From a method, a degradation and the noise that it is stabilised for to the upscaler of a stabilised image."""

LEAST_SHARE = 0.5  # of the result that a candidate must have for further steps


@isolated
def adapt_to(method: Method, lr: Tensor, cause: Degradation | Estimate, run: Run) -> UpscalerModule:
    """Learn to undo a degradation, or the candidates of an estimate, mixed by their shares.

    Tailor adapts to the candidate with the largest share, and restores by the others, and other regions, with its
    unadapted prior. Other methods learn the first alone, which takes the shares of all. Counting noise is made Gaussian
    for the method, and the result transformed back, see `CountingNoise`.

    Args:
        method: with its settings.
        lr: (1, C, H, W) in [0, 1] on run's device.
        cause: fitted to the size of `lr`, see `Degradation.fitted`.
        run: device, seed, time limit.
    """

    def learn(chosen: Method, degradation: Degradation, noise: CountingNoise | None) -> Upscaler:
        return chosen.adapt(lr if noise is None else noise.stabilise(lr), degradation, run)

    return _composed(method, cause, run, learn)


def restored_upscaler(
    method: Method, networks: Iterable[Sequence[nn.Module]], cause: Degradation | Estimate, run: Run, channels: int
) -> UpscalerModule:
    """The upscaler that `adapt_to` returned, rebuilt from the networks that it learnt.

    Args:
        method: with its settings.
        networks: of each part that learnt, see `learnt_networks`.
        cause: as it was given to `adapt_to`.
        run: device, precision, tiles.
        channels: of the image that it was learnt from.

    Raises:
        InputError: the method cannot rebuild upscalers, or these are not the networks of that upscaler.
    """
    groups = iter(networks)

    def restore(chosen: Method, degradation: Degradation, _: CountingNoise | None) -> Upscaler:
        group = next(groups, None)
        make: Callable[..., Upscaler] | None = getattr(chosen, "upscaler", None)
        if make is None or group is None:
            raise InputError(f"there are no networks from which {type(chosen).__name__} could go on; learn anew")
        return make(group, degradation, run, channels)

    upscaler = _composed(method, cause, run, restore)
    if next(groups, None) is not None:
        raise InputError("there are more networks than the method learns; learn anew")
    return upscaler


def learnt_networks(upscaler: UpscalerModule) -> list[list[nn.Module]]:
    """The networks of each part of an upscaler that learnt, in the order of `restored_upscaler`."""
    parts = [part for part in parts_of(upscaler) if not isinstance(part, MixedUpscaler | Regions | Stabilised)]
    return [[*part.networks] for part in parts]


class MixedUpscaler(UpscalerModule):
    """The results of several upscalers, mixed by their shares; interpolation has the remaining share."""

    def __init__(
        self,
        run: Run,
        restorers: Sequence[UpscalerModule],
        shares: Sequence[float],
        cause: Estimate,
        interpolated: float,
    ) -> None:
        super().__init__(run)
        self.restorers, self.shares = nn.ModuleList(restorers), tuple(shares)
        self.given, self.interpolated = cause.given, interpolated

    @isolated
    def forward(self, x: Tensor) -> Tensor:
        """Upscale images."""
        result = self.interpolated * interpolate(x, self.given) if self.interpolated > 0 else 0.0
        for restore, share in zip(self.restorers, self.shares, strict=True):
            result = result + share * restore(x)
        assert isinstance(result, Tensor)  # the shares have a sum of 1
        return result.clamp(0, 1)


class Regions(UpscalerModule):
    """Upscalers of the two regions of an image, with weights that fall within a fraction of a cell.

    Args:
        run: its device.
        restorers: of the first region and of the other.
        cells: of the first, (rows, columns), bool.
    """

    def __init__(self, run: Run, restorers: tuple[UpscalerModule, UpscalerModule], cells: Tensor) -> None:
        super().__init__(run)
        self.restorers = nn.ModuleList(restorers)
        self.register_buffer("cells", cells)

    def forward(self, x: Tensor) -> Tensor:
        """Upscale the image that was learnt, (1, C, h, w): the cells of its regions fit no other."""
        inside, outside = (restore(x) for restore in self.restorers)
        steepness = 4.0  # of the transition, which then takes a quarter of a cell
        assert isinstance(self.cells, Tensor)
        first = F.interpolate(self.cells[None, None].to(x), image_size(inside), mode="bilinear")
        weight = ((first - 0.5) * steepness + 0.5).clamp(0, 1)
        return weight * inside + (1 - weight) * outside


class Stabilised(UpscalerModule):
    """The upscaler of images whose counting noise was made Gaussian, for the images themselves."""

    def __init__(self, run: Run, restorer: UpscalerModule, noise: CountingNoise) -> None:
        super().__init__(run)
        self.restorer, self.noise = restorer, noise

    def forward(self, x: Tensor) -> Tensor:
        """Upscale images."""
        return self.noise.destabilise(self.restorer(self.noise.stabilise(x))).clamp_(0, 1)


def _composed(method: Method, cause: Degradation | Estimate, run: Run, learn: Learn) -> UpscalerModule:
    """The upscaler for a degradation or an estimate, of parts that `learn` gives."""
    if isinstance(method, Bicubic):  # whatever the noise, and whichever the candidate
        given = cause.given if isinstance(cause, Estimate) else cause
        return as_module(learn(method, replace(given, counting=None), None), run)
    if isinstance(cause, Degradation):
        return _stabilised(method, cause, run, learn)
    if cause.regions and isinstance(method, Tailor):
        first, other = cause.regions
        inside = _composed(method, first.estimate, run, learn)
        outside = _composed(replace(method, steps=0), other.estimate, run, learn)
        return Regions(run, (inside, outside), first.cells)
    interpolated, candidates = cause.interpolated, cause.candidates
    others: Method = method
    if isinstance(method, Tailor):
        others = replace(method, steps=0)
        if candidates[0].share < LEAST_SHARE:
            method = replace(method, further_steps=0)
    else:
        candidates = (Candidate(cause.given, 1 - interpolated),)
    chosen = [candidate for candidate in candidates if candidate.share > 0]
    restorers = [
        _stabilised(others if number else method, degradation, run, learn)
        for number, (degradation, _) in enumerate(chosen)
    ]
    if interpolated == 0 and len(restorers) == 1:
        return restorers[0]
    return MixedUpscaler(run, restorers, [share for _, share in chosen], cause, interpolated)


def _stabilised(method: Method, degradation: Degradation, run: Run, learn: Learn) -> UpscalerModule:
    noise = degradation.counting
    if noise is None:
        return as_module(learn(method, degradation, None), run)
    gaussian = replace(degradation, counting=None, noise=min(noise.sigma, MAX_NOISE))
    if isinstance(method, Tailor):
        # It learns to tell noise from detail even where nothing recurs: +1.5 dB for fluorescence, no loss elsewhere.
        # Further steps cost fluorescence 0.1 dB.
        method = replace(method, by_recurrence=False, further_steps=0)
    return Stabilised(run, as_module(learn(method, gaussian, noise), run), noise)


def interpolate(x: Tensor, degradation: Degradation) -> Tensor:
    """Bicubic interpolation, clipped, on the grid of the bicubic degradation of the same scale and wrap."""
    plain = Degradation(scale=degradation.scale, wrap=degradation.wrap)
    return plain.upsample(x, degradation.hr_size(image_size(x))).clamp(0, 1)
