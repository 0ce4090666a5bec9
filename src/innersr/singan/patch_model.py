"""Samples of a picture from the statistics of its patches alone: in seconds, without a network.

At every scale a picture's pixels are moved until its patches, projected onto random directions, are distributed as
those of the real picture are (GPDM: Elnekave and Weiss, ECCV 2022; the pyramid is SinGAN's).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.physics.resize import image_size, resize
from innersr.run import Run, generator_of
from innersr.singan.draws import Draws
from innersr.singan.model import PictureModel, wraps_of
from innersr.singan.patch_matching import PatchMatching, match_patches
from innersr.singan.pyramid import Size, low_passed_at, pictures_of, scale_count, sizes_of
from innersr.singan.settings import SinGAN


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchModel:
    """A `PictureModel` without training, by patch statistics. Pictures are (N, C, H, W) in [-1, 1].

    Args:
        settings: of the pyramid.
        pyramids: every picture of the subject at all scales, (1, C, h, w), the coarsest first.
        matching: how samples are made.
    """

    settings: SinGAN
    pyramids: tuple[tuple[Tensor, ...], ...] = field(repr=False)
    matching: PatchMatching = PatchMatching()

    @property
    def is_complete(self) -> bool:
        """Whether samples can be made: always."""
        return True

    @property
    def sizes(self) -> tuple[tuple[Size, ...], ...]:
        """Sizes of the scales of every picture."""
        return tuple(tuple(image_size(picture) for picture in pyramid) for pyramid in self.pyramids)

    @property
    def channels(self) -> int:
        """Of the pictures."""
        return self.pyramids[0][0].shape[1]

    @property
    def size(self) -> Size:
        """Size of the (first) picture at the last scale."""
        return image_size(self.pyramids[0][-1])

    @property
    def device(self) -> torch.device:
        """Where the pictures are."""
        return self.pyramids[0][0].device

    def sizes_for(self, size: Size | None) -> tuple[Size, ...]:
        """Sizes of all scales of a result, see `PictureModel.sizes_for`."""
        return PictureModel(settings=self.settings, sizes=self.sizes, channels=self.channels).sizes_for(size)

    @torch.no_grad()
    def sample(
        self, count: int = 1, *, size: Size | None = None, start: int = 0, wrap: str = "", run: Run | None = None
    ) -> Tensor:
        """Random pictures of the subject, (count, C, H, W); see `PictureModel.sample`."""
        run = run or Run()
        self.check_start(start)
        sizes, wraps = self.sizes_for(size), wraps_of(wrap)
        own = self.reconstruct(scales=start) if start else self.pyramids[0][0]
        coarse = resize(own, size=sizes[start], wrap=wraps).clamp(-1, 1)
        layout = 1.0 if start else self.matching.layout
        mean, deviation = coarse.mean(dim=(2, 3), keepdim=True), coarse.std()
        kept = mean + layout * _fading(sizes[start], wraps).to(coarse) * (coarse - mean)
        results = []
        for index in run.steps("sample", count, limited=False):
            noise = _grainy_noise(
                generator_of(run.seed, Draws.PATCH_NOISE, index), sizes[start], self.matching.grain, wraps
            )
            mixed = kept + self.matching.noise * deviation * noise.to(coarse)
            results.append(self._matched(mixed.clamp(-1, 1), sizes, start, wraps, run, index))
        return torch.cat(results)

    @torch.no_grad()
    def inject(self, picture: Tensor, scale: int, *, run: Run | None = None, wrap: str = "", index: int = 0) -> Tensor:
        """Give a picture the patches of the subject from a scale on; see `PictureModel.inject`."""
        run = run or Run()
        self.check_start(scale)
        sizes, wraps = self.sizes_for(image_size(picture)), wraps_of(wrap)
        coarse = low_passed_at(picture.to(self.device), sizes, scale, wraps)
        noise = torch.randn(coarse.shape, generator=generator_of(run.seed, Draws.PATCH_NOISE, index)).to(coarse)
        # A little noise, in units of the picture's deviation, tells places of one colour apart.
        mixed = coarse + 0.05 * self.pyramids[0][scale].std() * noise
        return self._matched(mixed.clamp(-1, 1), sizes, scale, wraps, run, index)

    def reconstruct(self, *, picture: int = 0, scales: int | None = None) -> Tensor:
        """A picture of the subject by its first `scales` scales; see `PictureModel.reconstruct`."""
        pyramid = self.pyramids[picture]
        count = len(pyramid) if scales is None else scales
        following = image_size(pyramid[min(count, len(pyramid) - 1)])
        if count == 0:
            return torch.zeros_like(pyramid[0])
        return resize(pyramid[count - 1], size=following).clamp(-1, 1)

    def check_start(self, start: int) -> None:
        """Raise InputError unless there is such a scale."""
        last = len(self.pyramids[0]) - 1
        if not 0 <= start <= last:
            raise InputError(f"the start scale must be from 0, the coarsest, to {last}, got {start}")

    def _matched(
        self, picture: Tensor, sizes: tuple[Size, ...], start: int, wraps: tuple[bool, bool], run: Run, index: int
    ) -> Tensor:
        for scale in range(start, len(sizes)):
            if scale > start:
                picture = resize(picture, size=sizes[scale], wrap=wraps).clamp(-1, 1)
            steps = self.matching.first_steps if scale == start else self.matching.steps
            reals = [pyramid[scale] for pyramid in self.pyramids]
            drawn = generator_of(run.seed, Draws.PATCH_STEPS, index, scale)
            picture = match_patches(picture, reals, self.matching, steps=steps, wraps=wraps, generator=drawn, run=run)
        return picture


def patch_model(
    pictures: Sequence[Tensor], settings: SinGAN, matching: PatchMatching | None = None, run: Run | None = None
) -> PatchModel:
    """Patch model of pictures of one subject, (1, C, H, W) in [-1, 1], on the run's device.

    Raises:
        InputError: a picture is smaller than the coarsest scale.
    """
    device = (run or Run()).torch_device
    count = scale_count(image_size(pictures[0]), settings)
    pyramids = tuple(pictures_of(p.to(device), sizes_of(image_size(p), settings, count)) for p in pictures)
    return PatchModel(settings=settings, pyramids=pyramids, matching=matching or PatchMatching())


def _grainy_noise(generator: torch.Generator, size: Size, grain: int, wraps: tuple[bool, bool]) -> Tensor:
    """Noise (1, 1, H, W) of mean 0 and variance 1, smooth over `grain` pixels."""
    coarse = (max(2, round(size[0] / grain)), max(2, round(size[1] / grain)))
    noise = resize(torch.randn(1, 1, *coarse, generator=generator), size=size, wrap=wraps)
    return (noise - noise.mean()) / noise.std()


def _fading(size: Size, wraps: tuple[bool, bool]) -> Tensor:
    """Weights (1, 1, H, W): 1, falling to 0 over the last quarter before a border that wraps."""
    shares = torch.ones(1, 1, *size)
    for dim, (length, joined) in enumerate(zip(size, wraps, strict=True)):
        if joined:
            place = (torch.arange(length) + 0.5) / length
            ramp = (4 * torch.minimum(place, 1 - place)).clamp(max=1)
            shares = shares * (ramp[:, None] if dim == 0 else ramp)
    return shares
