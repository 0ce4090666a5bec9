"""Super-resolution by one image's patches: by copying them, or by SinGAN's last generator, applied repeatedly."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from innersr.errors import InputError
from innersr.inference.tailored import pad_for_filters, texture_mask
from innersr.isolation import isolated
from innersr.methods.protocols import Upscaler
from innersr.methods.upscalers.module import UpscalerModule
from innersr.physics.back_projection import back_project
from innersr.physics.degradation import Degradation
from innersr.physics.resize import Window, cut, image_size, resize
from innersr.run import Run, generator_of
from innersr.settings import check_choices
from innersr.singan.fit import inherits, untrained_model
from innersr.singan.model import PictureModel, Scale, advance
from innersr.singan.networks import continued
from innersr.singan.patches.enlarging import enlarged_by_patches
from innersr.singan.pyramid import for_upscaling, passes_for, pictures_of
from innersr.singan.settings import SINGAN_PRESETS, SinGAN
from innersr.singan.training.scale import ScaleLearner


@dataclass(frozen=True, kw_only=True)
class SinGANUpscaling:
    """The image enlarged k times by the k-th root of the factor, each time with patches of the image at that size.

    # Differs from the paper: by default the image's nearest patches take the place of the last generator: nearer to the
    # truth, about as natural by its statistics, and in a second (Glasner 2009).
    # Differs from the paper: the generator's pyramid is trained as by the preset "balanced", in fewer and cheaper
    # iterations.

    The result has the texture of the image, not its most likely details: lower PSNR, more natural to look at
    (Shaham 2019, sec. 4, "Super-Resolution"). Nothing is added where the image is flat within 3 pixels.

    Args:
        engine: "patches", or "network" for a pyramid that is trained; the settings up to `average` are the network's.
        steps: iterations of each scale.
        learning_rate: of Adam.
        width: features of the generators and critics.
        crop: side of the training crops at the finer scales, in pixels; 0 for the whole image.
        noise: factor on the estimated amplitude of the noise; 0 for a deterministic result.
        average: number of results averaged, each of other noise.
        back_projection: conjugate-gradient steps that make the result agree with the image; 0 for none.
    """

    engine: str = "patches"
    steps: int = 500
    learning_rate: float = 5e-4
    width: int = 32
    crop: int = 96
    noise: float = 1.0
    average: int = 1
    back_projection: int = 10

    def __post_init__(self) -> None:
        check_choices(self, engine=("patches", "network"))
        if min(self.average, self.steps) < 1 or self.back_projection < 0:
            raise InputError(
                "steps and average must be 1 at least, back_projection not negative, "
                f"got {self.steps}, {self.average} and {self.back_projection}"
            )
        if not 0 <= self.noise < math.inf:
            raise InputError(f"noise must be 0 or positive, and finite, got {self.noise}")
        self._settings(2.0)

    @isolated
    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """Take the patches of `lr`, (1, C, H, W) of any number of channels, or train its pyramid.

        The scales of a pyramid share a time limit by their pixels. It is shrunk as MATLAB does; the kernel counts only
        in back-projection.
        """
        run = run.start()
        if self.engine == "patches":
            return PatchUpscaler(run, self, lr, degradation)
        scale = math.sqrt(math.prod(degradation.scales))
        settings = self._settings(scale)
        height, width = (max(n, settings.min_size) for n in lr.shape[-2:])
        # Differs from the paper: nothing is too small; an image below the coarsest scale goes on as `resize` sees it.
        picture = cut(lr, Window(0, 0, height, width), degradation.wraps) * 2 - 1
        model, notes = _trained(picture, settings, run)
        last = model.scales[-1]
        upscaler = GeneratorUpscaler(run, self, Scale(last.layers, self.noise * last.amplitude), degradation)
        return upscaler.learnt_from("", notes)

    def _settings(self, scale: float) -> SinGAN:
        own = {"iterations": self.steps, "width": self.width, "learning_rate": self.learning_rate, "crop": self.crop}
        return for_upscaling(SinGAN(**{**SINGAN_PRESETS["balanced"], **own}), scale)


class GeneratorUpscaler(UpscalerModule):
    """The last generator of a pyramid, applied several times, then back-projected.

    Args:
        run: device, seed of the noise, progress.
        method: how the generator is applied.
        last: the generator and the standard deviation of its noise.
        degradation: of the images.
    """

    def __init__(self, run: Run, method: SinGANUpscaling, last: Scale, degradation: Degradation) -> None:
        super().__init__(run)
        self.method, self.degradation, self.amplitude = method, degradation, last.amplitude
        self.weights = nn.ParameterList(nn.Parameter(t, requires_grad=False) for pair in last.layers for t in pair)

    @isolated
    def forward(self, x: Tensor) -> Tensor:
        """Upscale images."""
        degradation, method = self.degradation, self.method
        size, passes = degradation.hr_size(image_size(x)), passes_for(math.sqrt(math.prod(degradation.scales)))
        layers = [*zip(self.weights[::2], self.weights[1::2], strict=True)]
        last, seed = Scale(layers, self.amplitude), self.run.seed
        results = [_enlarged(x, last, size, passes, degradation, (seed, n)) for n in range(method.average)]
        return _finished(torch.stack(results).mean(0), x, degradation, method, self.run)


class PatchUpscaler(UpscalerModule):
    """The nearest patches of an image, copied at each of several sizes, then back-projected.

    Args:
        run: device, seed of the search, progress.
        method: how results are finished.
        source: the image whose patches are copied, (1, C, H, W) in [0, 1].
        degradation: of the images.
    """

    source: Tensor

    def __init__(self, run: Run, method: SinGANUpscaling, source: Tensor, degradation: Degradation) -> None:
        super().__init__(run)
        self.method, self.degradation = method, degradation
        self.register_buffer("source", source * 2 - 1)

    @isolated
    def forward(self, x: Tensor) -> Tensor:
        """Upscale images."""
        degradation = self.degradation
        size, passes = degradation.hr_size(image_size(x)), passes_for(math.sqrt(math.prod(degradation.scales)))
        results = [
            enlarged_by_patches(one, self.source, size, passes, self.run, wraps=degradation.wraps)
            for one in (x * 2 - 1).split(1)
        ]
        return _finished(torch.cat(results) * 0.5 + 0.5, x, degradation, self.method, self.run)


def _finished(sr: Tensor, x: Tensor, degradation: Degradation, method: SinGANUpscaling, run: Run) -> Tensor:
    """A result, (N, C, H, W) in [0, 1] on MATLAB's grid, on that of the degradation; plain where the image is flat."""
    base = degradation.upsample(x)
    uneven = F.interpolate(texture_mask(pad_for_filters(x, degradation.wraps)), image_size(sr), mode="nearest-exact")
    sr = base + uneven * (_on_grid(sr, degradation) - base)
    return back_project(sr, x, degradation, steps=method.back_projection, run=run)


def _trained(picture: Tensor, settings: SinGAN, run: Run) -> tuple[PictureModel, tuple[str, ...]]:
    """Train a picture model as `singan.fit.fit` does, but within the time limit, and in one loop; with notes."""
    model = untrained_model([picture], settings, run.seed)
    pyramid = pictures_of(picture, model.sizes[0])
    ends = _ends([height * width for height, width in model.sizes[0]])
    steps = run.steps("learn", len(ends) * settings.iterations)
    turns = iter(steps)
    weights = None
    notes: dict[str, None] = {}
    for index, (real, end) in enumerate(zip(pyramid, ends, strict=True)):
        learner = ScaleLearner(model, [real], run, initial=weights if inherits(settings, index) else None)
        for _ in range(settings.iterations):
            if run.time_used() > end or learner.guard.is_over or next(turns, None) is None:
                break
            steps.note(learner.iterate().reconstruction)
        model = replace(model, scales=(*model.scales, learner.finished(is_late=run.time_used() > end)))
        weights = learner.weights()
        notes |= dict.fromkeys(learner.guard.settle())
    next(turns, None)  # so that the last step is reported
    return model, tuple(notes)


def _ends(costs: list[int]) -> list[float]:
    """Fractions of the time limit at which tasks of these costs end, one after the other."""
    return [end / sum(costs) for end in accumulate(costs)]


@torch.no_grad()
def _enlarged(
    x: Tensor, last: Scale, size: tuple[int, int], passes: int, degradation: Degradation, place: tuple[int, int]
) -> Tensor:
    """Result of all passes, (N, C, H, W) in [0, 1], on MATLAB's grid."""
    sr, lr_size, seed, number = x * 2 - 1, x.shape[-2:], *place
    for index in range(1, passes + 1):
        height, width = (round(n * (full / n) ** (index / passes)) for n, full in zip(lr_size, size, strict=True))
        sr = resize(sr, size=(height, width), wrap=degradation.wraps).clamp(-1, 1)
        generator = generator_of(seed, 30, number, index)  # 30: draws of no other part
        # The first pass's noise is grey in the reference code, as at scale 0; the generator was trained with colours.
        noise = torch.randn(1, sr.shape[1], height, width, generator=generator).to(sr).expand_as(sr)
        # Differs from the reference code: no grey border, which would leave a frame.
        sr = advance(last, sr, noise, degradation.wraps, border=continued)
    return sr.clamp(-1, 1) * 0.5 + 0.5


def _on_grid(sr: Tensor, degradation: Degradation) -> Tensor:
    """Move an image from MATLAB's grid to that of a degradation."""
    phase = tuple((s - 1) / 2 - o for s, o in zip(degradation.scales, degradation.offsets, strict=True))
    return resize(sr, 1.0, phase=(phase[0], phase[1]), wrap=degradation.wraps) if any(phase) else sr
