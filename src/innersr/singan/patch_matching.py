"""Moving the pixels of a picture until its patches are distributed as those of another one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.physics.resize import image_size
from innersr.run import Run
from innersr.singan.pyramid import Size


def random_projections(count: int, side: int, axes: Tensor, generator: torch.Generator) -> Tensor:
    """Random directions of unit length in the space of patches, (count, C, side, side).

    Half are drawn as they are; they hardly see noise, as a patch varies more by its brightness. The others see it:
    they are local contrasts, of mean 0 in a square of 3 or 5 pixels, along one of the axes that colours vary on.
    """
    channels = len(axes)
    drawn = torch.randn(count, channels, side, side, generator=generator)
    sides = [n for n in (3, 5) if n <= side]
    contrasts = count // 2 if sides else 0
    lengths = torch.tensor(sides or [1])[torch.randint(max(1, len(sides)), (contrasts, 1), generator=generator)]
    first = (torch.rand(2, contrasts, 1, generator=generator) * (side - lengths + 1)).long()
    within = (torch.arange(side) >= first) & (torch.arange(side) < first + lengths)
    square = (within[0][:, :, None] & within[1][:, None, :]).float()
    pattern = square * drawn[:contrasts, 0]
    pattern = pattern - square * (pattern.sum(dim=(1, 2)) / square.sum(dim=(1, 2)))[:, None, None]
    colours = axes[torch.randint(channels, (contrasts,), generator=generator)]
    drawn[:contrasts] = colours[:, :, None, None] * pattern[:, None]
    return F.normalize(drawn.flatten(1)).view_as(drawn)


def colour_axes(reals: Sequence[Tensor]) -> Tensor:
    """The principal axes of the pictures' colours, (C, C), one a row."""
    colours = torch.cat([real[0].flatten(1) for real in reals], dim=1)
    covariance = torch.cov(colours).view(len(colours), len(colours))
    return torch.linalg.eigh(covariance.cpu())[1].mT.contiguous()


PatchProjector = Callable[[Tensor, Tensor], Tensor]
"""From a picture, (1, C, H, W), and directions, (P, C, side, side), to the projected patches, (1, P, h, w)."""


@dataclass(frozen=True, kw_only=True)
class PatchMatching:
    """How patches are made alike.

    Args:
        patch: side in pixels.
        projections: that patches are projected onto in one step, drawn anew for each.
        patches: compared in one step, about; larger pictures are thinned to every second to fourth row and column.
        momentum: share of the last step in the next one.
        last_rate: of the last step; that of the first is 1, a whole step to where the patches belong.
        least_coverage: share of the widest coverage that each pixel counts with at least: those of the border lie in
            few patches, and would leap.

    Raises:
        InputError: a setting out of its range.
    """

    patch: int = 7
    projections: int = 64
    patches: int = 2048
    momentum: float = 0.5
    last_rate: float = 0.1
    least_coverage: float = 0.2

    def __post_init__(self) -> None:
        if min(self.patch, self.projections, self.patches) < 1:
            raise InputError("patch, projections and patches must be 1 at least")
        if not (0 <= self.momentum < 1 and 0 < self.last_rate <= 1 and 0 < self.least_coverage <= 1):
            raise InputError(
                "momentum must be 0 or more and below 1, last_rate and least_coverage above 0 and at most 1"
            )


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
    """A picture whose patches are distributed as those of the reals together (Elnekave 2022, algorithm 1).

    Each step projects the patches of both sides onto random directions, sorts the projections, and moves the pixels
    so that those of the picture take the values of equal rank of the reals (Pitie 2007). Two sides with different
    numbers of patches are compared at equal quantiles.

    # Differs from the paper: no Adam on the mean absolute difference but whole steps on the squared one, each pixel
    # by the mean of what its patches ask for. Adam moves all pixels equally fast; in as many steps that speckled
    # pictures with colours that random directions hardly see.
    # Differs from the paper: half of the directions are local contrasts, see `random_projections`.

    Args:
        picture: (1, C, H, W) in [-1, 1].
        reals: (1, C, h, w) each, of any sizes.
        matching, steps: the settings, and how many steps.
        wraps: axes that the picture continues on its other side along, (vertical, horizontal).
        generator, run: of the directions; that may cancel.
    """
    side = min(matching.patch, *image_size(picture), *(min(image_size(real)) for real in reals))
    momentum, last_rate = matching.momentum, matching.last_rate
    axes = colour_axes(reals)
    change = torch.zeros_like(picture)
    for step in range(steps):
        run.check_cancelled()
        kernels = random_projections(matching.projections, side, axes, generator).to(picture)
        projectors = [_patch_projector(image_size(real), side, matching.patches, generator) for real in reals]
        goals = [projector(real, kernels)[0].flatten(1) for projector, real in zip(projectors, reals, strict=True)]
        projector = _patch_projector(image_size(picture), side, matching.patches, generator, wraps)
        maps, adjoint = _with_adjoint(projector, picture, kernels)
        correction = adjoint(_to_quantiles(maps[0].flatten(1), torch.cat(goals, dim=1)).view_as(maps))
        maps, adjoint = _with_adjoint(projector, picture, kernels.square().sum(dim=0, keepdim=True))
        coverage = adjoint(torch.ones_like(maps))
        rate = last_rate + (1 - last_rate) * (1 + math.cos(math.pi * step / steps)) / 2
        coverage = coverage.clamp(min=matching.least_coverage * float(coverage.max()))
        change = momentum * change + (1 - momentum) * correction / coverage
        picture = (picture + rate * change).clamp(-1, 1)
    return picture


def _patch_projector(
    size: Size, side: int, most: int, generator: torch.Generator, wraps: tuple[bool, bool] = (False, False)
) -> PatchProjector:
    """A function that projects a picture's patches, at every n-th row and column from a random one on.

    Args:
        size, side: of the picture; of a patch.
        most: patches, about.
        generator: of the first row and column.
        wraps: axes along which pictures are periodic.
    """
    # Every pixel lies in a patch of nearly every step, however large the picture.
    stride = max(1, min(side // 2 + 1, math.ceil(math.sqrt(size[0] * size[1] / most))))
    first = torch.randint(stride, (2,), generator=generator).tolist()
    top, left = (min(n, length - side) for n, length in zip(first, size, strict=True))

    def project(picture: Tensor, kernels: Tensor) -> Tensor:
        for axis, joined in zip(((0, 0, 0, side - 1), (0, side - 1, 0, 0)), wraps, strict=True):
            picture = F.pad(picture, axis, mode="circular") if joined else picture
        return F.conv2d(picture[..., top:, left:], kernels, stride=stride)

    return project


def _with_adjoint(
    projector: PatchProjector, picture: Tensor, kernels: Tensor
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The projected patches, and what maps the like of them back to pixels: the transpose of `projector`."""
    with torch.enable_grad():
        pixels = picture.detach().requires_grad_(True)
        maps = projector(pixels, kernels)
    return maps.detach(), lambda wishes: torch.autograd.grad(maps, pixels, wishes)[0]


def _to_quantiles(line: Tensor, goal: Tensor) -> Tensor:
    """The correction of (P, n) that gives its rows the quantiles of those of (P, m)."""
    if line.device.type == "cpu":  # where numpy sorts several times as fast
        order = torch.from_numpy(np.argsort(line.numpy(), axis=1))
        ranked = torch.from_numpy(np.sort(goal.numpy(), axis=1))
    else:
        order, ranked = line.argsort(dim=1), goal.sort(dim=1).values
    if ranked.shape != line.shape:
        ranked = F.interpolate(ranked[None], line.shape[1], mode="linear", align_corners=False)[0]
    return torch.empty_like(line).scatter_(1, order, ranked) - line
