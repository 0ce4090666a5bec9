"""A picture by the statistics of its patches alone: samples in seconds, with no network.

At every scale a picture's pixels are moved until its patches, projected onto random directions, are distributed as
those of the real picture are (GPDM: Elnekave and Weiss, CVPR 2022; the pyramid is SinGAN's).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.methods.singan.directions import colour_axes, directions_of
from innersr.methods.singan.model import PictureModel, wraps_of
from innersr.methods.singan.pyramid import Size, pictures_of, scale_count, sizes_of
from innersr.methods.singan.settings import SinGAN
from innersr.resize import resize
from innersr.run import Run, generator_of

MOMENTUM = 0.5
LAST_RATE = 0.1  # of the first, which is 1: a whole step to where the patches belong
LEAST_SHARE = 0.2  # of the most that a pixel is told: those of the border lie in few patches, and would leap
FAINT = 0.05  # noise on what is put in, in units of the picture's deviation: it tells places of one colour apart
NOISE, STEPS = 20, 21  # places in `generator_of`

Look = Callable[[Tensor, Tensor], Tensor]
"""From a picture, (1, C, H, W), and directions, (P, C, side, side), to the projected patches, (1, P, h, w)."""


@dataclass(frozen=True, kw_only=True)
class PatchMatching:
    """How patches are made alike.

    Args:
        patch: side in pixels.
        directions: that patches are projected onto in one step, drawn anew for each.
        first_steps: at the scale that a sample begins at.
        steps: at each scale after it.
        patches: compared in one step, about; larger pictures are thinned to every second to fourth row and column.
        layout: share of the picture's own contrast that a sample from the coarsest scale begins with; 0 forgets where
            things were.
        noise: standard deviation of what is added, in units of the picture's.
        grain: pixels of the scale that a sample begins at from one value of the noise to the next.

    Raises:
        InputError: a setting out of its range.
    """

    patch: int = 7
    directions: int = 64
    first_steps: int = 150
    steps: int = 60
    patches: int = 2048
    layout: float = 0.3
    noise: float = 0.6
    grain: int = 4

    def __post_init__(self) -> None:
        counts = (self.patch, self.directions, self.first_steps, self.steps, self.patches, self.grain)
        if min(counts) < 1:
            raise InputError("patch, directions, first_steps, steps, patches and grain must be 1 at least")
        if not (0 <= self.layout < math.inf and 0 <= self.noise < math.inf):
            raise InputError("layout and noise must be 0 or positive, and finite")


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchModel:
    """What `PictureModel` is, without anything learnt. Pictures in here are (N, C, H, W) in [-1, 1].

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
        return tuple(tuple(_size(picture) for picture in pyramid) for pyramid in self.pyramids)

    @property
    def channels(self) -> int:
        """Of the pictures."""
        return self.pyramids[0][0].shape[1]

    @property
    def size(self) -> Size:
        """Size of the (first) picture at the last scale."""
        return _size(self.pyramids[0][-1])

    @property
    def device(self) -> torch.device:
        """Where the pictures are."""
        return self.pyramids[0][0].device

    def sizes_for(self, size: Size | None) -> tuple[Size, ...]:
        """Return the sizes of all scales of a result, see `PictureModel.sizes_for`."""
        return PictureModel(settings=self.settings, sizes=self.sizes, channels=self.channels).sizes_for(size)

    @torch.no_grad()
    def sample(
        self, count: int = 1, *, size: Size | None = None, start: int = 0, wrap: str = "", run: Run | None = None
    ) -> Tensor:
        """Return random pictures of the subject, (count, C, H, W).

        Args:
            count: how many; sample i of a seed is the same whatever their number.
            size: (height, width) of the results; of any aspect.
            start: scale that chance begins at. What is coarser stays the picture's own, stretched to the size.
            wrap: "x", "y" or "xy" for results that continue on their opposite side.
            run: whose seed, and who is told the progress.

        Raises:
            InputError: no such scale, no such wrap, or a size below SinGAN's field of view.
        """
        run = run or Run()
        self.check_start(start)
        sizes, wraps = self.sizes_for(size), wraps_of(wrap)
        own = self.reconstruct(scales=start) if start else self.pyramids[0][0]
        below = resize(own, size=sizes[start], wrap=wraps).clamp(-1, 1)
        layout = 1.0 if start else self.matching.layout
        mean, deviation = below.mean(dim=(2, 3), keepdim=True), below.std()
        kept = mean + layout * _fading(sizes[start], wraps).to(below) * (below - mean)
        results = []
        for index in run.steps("sample", count, limited=False):
            noise = _grainy_noise(generator_of(run.seed, NOISE, index), sizes[start], self.matching.grain, wraps)
            mixed = kept + self.matching.noise * deviation * noise.to(below)
            results.append(self._matched(mixed.clamp(-1, 1), sizes, start, wraps, run, index))
        return torch.cat(results)

    @torch.no_grad()
    def inject(self, picture: Tensor, scale: int, *, run: Run | None = None, wrap: str = "", index: int = 0) -> Tensor:
        """Return a picture with the patches of the subject from a scale on.

        Args:
            picture: (1, C, H, W) in [-1, 1], of any size; the result has that size.
            scale: that it is put in at. The picture is shrunk to the scale below, so that it holds nothing finer.
            run: whose seed.
            wrap, index: axes that continue on their other side; which of the seed's results.
        """
        run = run or Run()
        self.check_start(scale)
        sizes, wraps = self.sizes_for(_size(picture)), wraps_of(wrap)
        coarse = resize(picture.to(self.device), size=sizes[max(0, scale - 1)], wrap=wraps)
        below = resize(coarse, size=sizes[scale], wrap=wraps).clamp(-1, 1)
        noise = torch.randn(below.shape, generator=generator_of(run.seed, NOISE, index)).to(below)
        mixed = below + FAINT * self.pyramids[0][scale].std() * noise
        return self._matched(mixed.clamp(-1, 1), sizes, scale, wraps, run, index)

    def reconstruct(self, *, picture: int = 0, scales: int | None = None) -> Tensor:
        """Return a picture of the subject as its first `scales` scales have it, all of them unless told.

        That of some of them has the size of the next scale, as the reconstruction of a learnt model has.
        """
        pyramid = self.pyramids[picture]
        count = len(pyramid) if scales is None else scales
        following = _size(pyramid[min(count, len(pyramid) - 1)])
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
            drawn = generator_of(run.seed, STEPS, index, scale)
            picture = match_patches(picture, reals, self.matching, steps=steps, wraps=wraps, generator=drawn, run=run)
        return picture


def patch_model(
    pictures: Sequence[Tensor], settings: SinGAN, matching: PatchMatching = PatchMatching(), run: Run | None = None
) -> PatchModel:
    """Return a model of pictures of one subject, (1, C, H, W) in [-1, 1], on the run's device.

    Raises:
        InputError: a picture is smaller than the coarsest scale.
    """
    device = (run or Run()).torch_device
    count = scale_count(_size(pictures[0]), settings)
    pyramids = tuple(pictures_of(p.to(device), sizes_of(_size(p), settings, count)) for p in pictures)
    return PatchModel(settings=settings, pyramids=pyramids, matching=matching)


def match_patches(
    picture: Tensor,
    reals: Sequence[Tensor],
    matching: PatchMatching,
    *,
    steps: int,
    wraps: tuple[bool, bool],
    generator: torch.Generator,
    run: Run,
) -> Tensor:
    """Return a picture whose patches are distributed as those of the reals together (Elnekave 2022, algorithm 1).

    Each step projects the patches of both sides onto random directions, sorts the projections, and moves the pixels
    so that those of the picture take the values of equal rank of the reals (Pitie 2007). Two sides with different
    numbers of patches are compared at equal quantiles.

    # Differs from the paper: no Adam on the mean absolute difference but whole steps on the squared one, each pixel
    # by the mean of what its patches ask for. Adam moves all pixels equally fast; in as many steps that speckled
    # pictures with colours that random directions hardly see.
    # Differs from the paper: half of the directions are local contrasts, see `directions_of`.

    Args:
        picture: (1, C, H, W) in [-1, 1].
        reals: (1, C, h, w) each, of any sizes.
        matching, steps: the settings, and how many steps.
        wraps: axes that the picture continues on its other side along, (vertical, horizontal).
        generator, run: of the directions; that may cancel.
    """
    side = min(matching.patch, *_size(picture), *(min(_size(real)) for real in reals))
    axes = colour_axes(reals)
    change = torch.zeros_like(picture)
    for step in range(steps):
        run.check_cancelled()
        kernels = directions_of(matching.directions, side, axes, generator).to(picture)
        looks = [_look(_size(real), side, matching.patches, generator) for real in reals]
        goals = [look(real, kernels)[0].flatten(1) for look, real in zip(looks, reals, strict=True)]
        look = _look(_size(picture), side, matching.patches, generator, wraps)
        maps, adjoint = _with_adjoint(look, picture, kernels)
        asked = adjoint(_to_quantiles(maps[0].flatten(1), torch.cat(goals, dim=1)).view_as(maps))
        maps, adjoint = _with_adjoint(look, picture, kernels.square().sum(dim=0, keepdim=True))
        heard = adjoint(torch.ones_like(maps))
        rate = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * step / steps)) / 2
        change = MOMENTUM * change + (1 - MOMENTUM) * asked / heard.clamp(min=LEAST_SHARE * float(heard.max()))
        picture = (picture + rate * change).clamp(-1, 1)
    return picture


def _look(
    size: Size, side: int, most: int, generator: torch.Generator, wraps: tuple[bool, bool] = (False, False)
) -> Look:
    """Return what projects a picture's patches, at every n-th row and column from a random one on.

    Args:
        size, side: of the picture; of a patch.
        most: patches, about.
        generator: of the first row and column.
        wraps: axes whose patches go on at the other side.
    """
    # Every pixel lies in a patch of nearly every step, however large the picture.
    stride = max(1, min(side // 2 + 1, math.ceil(math.sqrt(size[0] * size[1] / most))))
    first = torch.randint(stride, (2,), generator=generator).tolist()
    top, left = (min(n, length - side) for n, length in zip(first, size, strict=True))

    def look(picture: Tensor, kernels: Tensor) -> Tensor:
        for axis, joined in zip(((0, 0, 0, side - 1), (0, side - 1, 0, 0)), wraps, strict=True):
            picture = F.pad(picture, axis, mode="circular") if joined else picture
        return F.conv2d(picture[..., top:, left:], kernels, stride=stride)

    return look


def _with_adjoint(look: Look, picture: Tensor, kernels: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Return the projected patches, and what maps the like of them back to pixels: the transpose of `look`."""
    with torch.enable_grad():
        pixels = picture.detach().requires_grad_(True)
        maps = look(pixels, kernels)
    return maps.detach(), lambda wishes: torch.autograd.grad(maps, pixels, wishes)[0]


def _to_quantiles(line: Tensor, goal: Tensor) -> Tensor:
    """Return what is to be added to each of (P, n) for its rows to have the quantiles of those of (P, m)."""
    if line.device.type == "cpu":  # where numpy sorts several times as fast
        order = torch.from_numpy(np.argsort(line.numpy(), axis=1))
        ranked = torch.from_numpy(np.sort(goal.numpy(), axis=1))
    else:
        order, ranked = line.argsort(dim=1), goal.sort(dim=1).values
    if ranked.shape != line.shape:
        ranked = F.interpolate(ranked[None], line.shape[1], mode="linear", align_corners=False)[0]
    return torch.empty_like(line).scatter_(1, order, ranked) - line


def _grainy_noise(generator: torch.Generator, size: Size, grain: int, wraps: tuple[bool, bool]) -> Tensor:
    """Return (1, 1, H, W) of mean 0 and variance 1, the same for all channels, that is smooth over `grain` pixels."""
    coarse = (max(2, round(size[0] / grain)), max(2, round(size[1] / grain)))
    noise = resize(torch.randn(1, 1, *coarse, generator=generator), size=size, wrap=wraps)
    return (noise - noise.mean()) / noise.std()


def _fading(size: Size, wraps: tuple[bool, bool]) -> Tensor:
    """Return (1, 1, H, W): 1, but falling to 0 over the last quarter before a border that is to wrap."""
    shares = torch.ones(1, 1, *size)
    for dim, (length, joined) in enumerate(zip(size, wraps, strict=True)):
        if joined:
            place = (torch.arange(length) + 0.5) / length
            ramp = (4 * torch.minimum(place, 1 - place)).clamp(max=1)
            shares = shares * (ramp[:, None] if dim == 0 else ramp)
    return shares


def _size(x: Tensor) -> Size:
    return x.shape[-2], x.shape[-1]
