"""A method applied to an image whose degradation is uncertain: the restorations by several candidates, mixed."""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from innersr.blind.estimate import Candidate, Estimate
from innersr.isolation import isolated
from innersr.methods.protocols import Method, Upscaler
from innersr.methods.tailor import Tailor
from innersr.physics.degradation import LOUDEST, Degradation
from innersr.physics.resize import image_size
from innersr.run import Run


@isolated
def adapt_to(method: Method, lr: Tensor, cause: Degradation | Estimate, run: Run) -> Upscaler:
    """Learn to undo a degradation or, by their shares, the candidates of an estimate.

    Tailor adapts to the candidate with the largest share, and restores by the others, and other regions, with its
    unadapted prior. Other methods learn the first alone, which takes the shares of all. Counting noise is made
    Gaussian for the method, and its result is taken back, see `CountingNoise`.

    Args:
        method: with its settings.
        lr: (1, C, H, W) in [0, 1] on run's device.
        cause: fitted to the size of `lr`, see `Degradation.fitted`.
        run: device, seed, time limit.
    """
    if isinstance(cause, Degradation):
        return _adapt_stabilised(method, lr, cause, run)
    if cause.regions and isinstance(method, Tailor):
        return _adapt_to_regions(method, lr, cause, run)
    interpolated, candidates = cause.interpolated, cause.candidates
    others: Method = method
    if isinstance(method, Tailor):
        others = replace(method, steps=0)
    else:
        candidates = (Candidate(cause.given, 1 - interpolated),)
    restorers = [
        (_adapt_stabilised(others if number else method, lr, degradation, run), share)
        for number, (degradation, share) in enumerate(candidates)
        if share > 0
    ]
    if interpolated == 0 and len(restorers) == 1:
        return restorers[0][0]

    @isolated
    def upscale(x: Tensor) -> Tensor:
        result = interpolated * interpolate(x, cause.given) if interpolated > 0 else 0.0
        for restore, share in restorers:
            result = result + share * restore(x)
        assert isinstance(result, Tensor)  # the shares have a sum of 1
        return result.clamp(0, 1)

    return upscale


def _adapt_to_regions(method: Tailor, lr: Tensor, cause: Estimate, run: Run) -> Upscaler:
    """Learn to undo the estimates of several regions, each with weights that fall within a fraction of a cell."""
    methods = (method, *(replace(method, steps=0) for _ in cause.regions[1:]))
    regions = cause.regions
    restorers = [adapt_to(m, lr, region.estimate, run) for m, region in zip(methods, regions, strict=True)]

    def upscale(x: Tensor) -> Tensor:
        results = [restore(x) for restore in restorers]
        steepness = 4.0  # of the transition, which then takes a quarter of a cell
        first = F.interpolate(regions[0].cells[None, None].to(x), image_size(results[0]), mode="bilinear")
        weight = ((first - 0.5) * steepness + 0.5).clamp(0, 1)
        return weight * results[0] + (1 - weight) * results[1]

    return upscale


def _adapt_stabilised(method: Method, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
    noise = degradation.counting
    if noise is None:
        return method.adapt(lr, degradation, run)
    gaussian = replace(degradation, counting=None, noise=min(noise.sigma, LOUDEST))
    if isinstance(method, Tailor):
        # It learns what is no noise even where nothing recurs: +1.5 dB for fluorescence, nothing lost elsewhere.
        method = replace(method, by_recurrence=False)
    restore = method.adapt(noise.stabilise(lr), gaussian, run)

    def upscale(x: Tensor) -> Tensor:
        return noise.destabilise(restore(noise.stabilise(x))).clamp_(0, 1)

    return upscale


def interpolate(x: Tensor, degradation: Degradation) -> Tensor:
    """Bicubic interpolation, clipped, on the grid of the bicubic degradation of the same scale and wrap."""
    plain = Degradation(scale=degradation.scale, wrap=degradation.wrap)
    return plain.upsample(x, degradation.hr_size(image_size(x))).clamp(0, 1)
