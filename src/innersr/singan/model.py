"""SinGAN's model of a picture: the generators of all scales, applied to noise or pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.physics.resize import image_size, resize
from innersr.run import Run, generator_of
from innersr.singan.draws import Draws
from innersr.singan.networks import FoldedLayers, padded, run_layers
from innersr.singan.patch_matching import PatchMatching, match_patches
from innersr.singan.pyramid import Size, low_passed_at, pictures_of
from innersr.singan.settings import FIELD, PAD, SinGAN

STRIP = 2**20  # pixels that a generator sees at a time; feature maps of more need gigabytes
MATCHED = 2  # the finest scale at whose size patches are matched; that of finer ones would show its traces
DrawNoise = Callable[[int, Size], Tensor]
"""From a scale and a size to its noise, (N, C, H, W), of variance 1."""

Change = Callable[[int, Tensor], Tensor]
"""From a scale and its output, (1, C, H, W), to the input of the next scale."""


class Scale(NamedTuple):
    """One trained scale."""

    layers: FoldedLayers
    """Of its generator."""
    amplitude: float
    """Standard deviation of its noise."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureModel:
    """The model of one subject. Pictures are (N, C, H, W) in [-1, 1], on the model's device.

    Args:
        settings: of its training.
        sizes: of all scales of every picture of the subject, trained or not.
        channels: of the pictures.
        seed: of the codes.
        scales: the trained ones, from the coarsest on.
        pictures: of the subject at the last scale, (1, C, h, w) each, for patch matching.
    """

    settings: SinGAN
    sizes: tuple[tuple[Size, ...], ...]
    channels: int
    seed: int = 0
    scales: tuple[Scale, ...] = field(default=(), repr=False)
    pictures: tuple[Tensor, ...] = field(default=(), repr=False)

    @property
    def is_complete(self) -> bool:
        """Whether all scales are trained."""
        return len(self.scales) == len(self.sizes[0])

    @property
    def size(self) -> Size:
        """Size of the (first) picture at the last scale."""
        return self.sizes[0][-1]

    @property
    def device(self) -> torch.device:
        """Where the generators are."""
        return self.scales[0].layers[0][0].device if self.scales else torch.device("cpu")

    def code(self, picture: int = 0) -> Tensor:
        """The fixed noise at scale 0 that reconstructs a picture of the subject, (1, C, h, w), drawn once.

        # Differs from the reference code: that draws it anew at every iteration, against the paper's eq. 7.
        """
        size = self.sizes[picture][0]
        return white_noise(generator_of(self.seed, Draws.CODE, picture), 0, self.channels, size)

    def sizes_for(self, size: Size | None) -> tuple[Size, ...]:
        """Sizes of all scales of a result of a size, the picture's own if None.

        Raises:
            InputError: a result smaller than the receptive field.
        """
        if size is None:
            return self.sizes[0]
        vertical, horizontal = (requested / own for requested, own in zip(size, self.size, strict=True))
        sizes = [(max(1, round(vertical * h)), max(1, round(horizontal * w))) for h, w in self.sizes[0][:-1]]
        if min(size) < FIELD:
            raise InputError(f"a sample must have at least {FIELD}x{FIELD} pixels, got {size[1]}x{size[0]}")
        return (*sizes, size)

    @isolated
    @torch.no_grad()
    def sample(
        self, count: int = 1, *, size: Size | None = None, start: int = 0, wrap: str = "", run: Run | None = None
    ) -> Tensor:
        """Random pictures of the subject, (count, C, H, W).

        Args:
            count: sample i of a seed is the same whatever the count.
            size: (height, width) of the results; of any aspect.
            start: scale at which randomness starts. Coarser scales are the picture's own, stretched to the size.
            wrap: "x", "y" or "xy" for results that continue on their opposite side.
            run: its seed and progress are used.

        Raises:
            InputError: no such scale, a size below the receptive field, or an unfinished model.
        """
        run = run or Run()
        self.check_start(start)
        sizes, wraps = self.sizes_for(size), wraps_of(wrap)
        coarse = resize(self.reconstruct(scales=start), size=sizes[start], wrap=wraps) if start else None
        results = []
        for index in run.steps("sample", count, limited=False):
            noise = self.random_noise(run.seed, index)
            matching = partial(self.matched, wraps=wraps, generator=generator_of(run.seed, Draws.MATCHES, index))
            results.append(self.generate(noise, sizes, coarse=coarse, start=start, wraps=wraps, change=matching))
        return torch.cat(results)

    @isolated
    @torch.no_grad()
    def reconstruct(self, *, picture: int = 0, scales: int | None = None) -> Tensor:
        """Reconstruct a picture from its own code, by the first `scales` scales or all of them.

        The result of only some scales has the size of the next one, as that sees it.
        """
        sizes = self.sizes[picture]
        count = len(self.scales) if scales is None else scales
        last = min(count, len(sizes) - 1)
        if count == 0:
            return torch.zeros(1, self.channels, *sizes[0], device=self.device)
        return self.generate(self.code_noise(picture), sizes, stop=count, last_size=sizes[last])

    def code_noise(self, picture: int = 0) -> DrawNoise:
        """The noise that reconstructs a picture: its code at scale 0, and none at finer scales."""
        code = self.code(picture).to(self.device)

        def noise(scale: int, size: Size) -> Tensor:
            return code if scale == 0 else code.new_zeros(1, self.channels, *size)

        return noise

    @isolated
    @torch.no_grad()
    def inject(self, picture: Tensor, scale: int, *, run: Run | None = None, wrap: str = "", index: int = 0) -> Tensor:
        """Refine a picture with the generators from a scale on (Shaham 2019, sec. 4).

        Args:
            picture: (1, C, H, W) in [-1, 1], of any size; the result has that size.
            scale: at which it enters. The picture is shrunk to the next coarser scale first.
            run: its seed is used.
            wrap: axes that are periodic.
            index: of the result among those of the seed.
        """
        run = run or Run()
        self.check_start(scale)
        sizes, wraps = self.sizes_for(image_size(picture)), wraps_of(wrap)
        coarse = low_passed_at(picture.to(self.device), sizes, scale, wraps)
        return self.generate(self.random_noise(run.seed, index), sizes, coarse=coarse, start=scale, wraps=wraps)

    def random_noise(self, seed: int, index: int) -> DrawNoise:
        """The noise of one sample."""

        def draw(scale: int, size: Size) -> Tensor:
            generator = generator_of(seed, Draws.SAMPLES, index, scale)
            return white_noise(generator, scale, self.channels, size).to(self.device)

        return draw

    def generate(  # noqa: PLR0913 (where a picture begins and ends, and how it goes on)
        self,
        noise: DrawNoise,
        sizes: tuple[Size, ...],
        *,
        coarse: Tensor | None = None,
        start: int = 0,
        stop: int | None = None,
        wraps: tuple[bool, bool] = (False, False),
        last_size: Size | None = None,
        change: Change | None = None,
    ) -> Tensor:
        """Run scales start to stop - 1 on noise and a coarse picture.

        Args:
            noise: of every scale.
            sizes: of every scale.
            coarse: (1, C, h, w) of scale `start`'s size; mid-grey if None.
            start, stop: range of scales; by default all that are trained.
            wraps: whether the axes are periodic, (vertical, horizontal).
            last_size: size that the result is enlarged to.
            change: applied to the output of each scale.
        """
        picture = coarse
        stop = len(self.scales) if stop is None else stop
        for index in range(start, stop):
            drawn = noise(index, sizes[index])
            picture = torch.zeros_like(drawn) if picture is None else picture
            picture = advance(self.scales[index], picture, drawn, wraps)
            picture = picture if change is None else change(index, picture.clamp(-1, 1))
            following = sizes[index + 1] if index + 1 < stop else last_size
            if following is not None:
                picture = resize(picture, size=following, wrap=wraps)
            picture = picture.clamp(-1, 1)
        if picture is None:
            raise InputError("the model has no trained scale yet; train it first")
        return picture

    def matched(self, scale: int, picture: Tensor, wraps: tuple[bool, bool], generator: torch.Generator) -> Tensor:
        """A scale's sample, moved until its patches are distributed as the subject's.

        Coarse scales fix the layout; finer scales drift from its patch distribution. The patches are matched at
        scale MATCHED, and the correction is added at full size.
        """
        if not self.settings.matching or not self.pictures:
            return picture
        level = min(scale, MATCHED)
        reals = [
            pictures_of(real.to(picture), (sizes[level],))[0]
            for real, sizes in zip(self.pictures, self.sizes, strict=True)
        ]
        steps, run = self.settings.matching, Run(device="cpu")
        size = image_size(picture)
        height, width = (
            max(1, round(n * coarse / own))
            for n, coarse, own in zip(size, self.sizes[0][level], self.sizes[0][scale], strict=True)
        )
        small = picture if level == scale else resize(picture, size=(height, width), wrap=wraps)
        better = match_patches(small, reals, PatchMatching(), steps=steps, wraps=wraps, generator=generator, run=run)
        return better if level == scale else picture + resize(better - small, size=size, wrap=wraps)

    def check_start(self, start: int) -> None:
        """Raise InputError unless the model is complete and has such a scale."""
        if not self.is_complete:
            raise InputError(
                f"{len(self.scales)} of {len(self.sizes[0])} scales are trained; finish the training first (--resume)"
            )
        if not 0 <= start < len(self.scales):
            raise InputError(f"the start scale must be from 0, the coarsest, to {len(self.scales) - 1}, got {start}")


def advance(
    scale: Scale,
    coarse: Tensor,
    noise: Tensor,
    wraps: tuple[bool, bool] = (False, False),
    *,
    border: Callable[[Tensor, tuple[bool, bool]], Tensor] = padded,
) -> Tensor:
    """Refine a coarse picture, (N, C, H, W), by one scale and its noise; strip by strip.

    Args:
        scale: whose generator is applied.
        coarse, noise: of one size.
        wraps: whether the axes are periodic, (vertical, horizontal).
        border: pads a picture for the generator: with grey as in training, or `continued`.
    """
    x = border(coarse + scale.amplitude * noise, wraps)
    height = max(1, STRIP // (x.shape[0] * x.shape[-1]))
    strips = [
        run_layers(scale.layers, x[..., top : top + height + 2 * PAD, :], part)
        for top, part in zip(range(0, coarse.shape[-2], height), coarse.split(height, dim=-2), strict=True)
    ]
    return strips[0] if len(strips) == 1 else torch.cat(strips, dim=-2)


def white_noise(generator: torch.Generator, scale: int, channels: int, size: Size) -> Tensor:
    """Noise (1, C, H, W) of variance 1, at scale 0 the same in all channels (Shaham 2019, sec. 3.2)."""
    drawn = torch.randn(1, 1 if scale == 0 else channels, *size, generator=generator)
    return drawn.expand(1, channels, *size)


def wraps_of(wrap: str) -> tuple[bool, bool]:
    """The axes that wrap, (vertical, horizontal).

    Raises:
        InputError: not "", "x", "y" or "xy".
    """
    if wrap not in ("", "x", "y", "xy", "yx"):
        raise InputError(f"wrap must be x, y, xy or yx, got {wrap!r}")
    return "y" in wrap, "x" in wrap


@torch.no_grad()
def reconstruction_at(model: PictureModel, picture: int, scale: int) -> Tensor:
    """Reconstruction of a picture of the subject up to a scale, at the size of that scale."""
    return model.generate(model.code_noise(picture), model.sizes[picture], stop=scale + 1)


@torch.no_grad()
def previews_of(model: PictureModel, seed: int) -> tuple[Tensor, Tensor]:
    """A sample and the reconstruction of the (first) picture, both at the size of the last trained scale."""
    sample = model.generate(model.random_noise(seed, 0), model.sizes[0])
    return sample, reconstruction_at(model, 0, len(model.scales) - 1)
