"""Layouts of samples: as varied as is wanted, and in the mean with as much fine detail as the picture has.

A field that rises a little shows much more detail than one that sinks by as much loses, so that random layouts have too
much of it, or too little. So some are drawn oftener than others: those by which the mean becomes the picture's, and
else as evenly as can be (a distribution of maximum entropy).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.physics.resize import image_size, resize
from innersr.singan.patches.guess import Frame, Perturbation, cells_of, displaced
from innersr.singan.patches.settings import PatchSettings
from innersr.singan.pyramid import Size


@dataclass(frozen=True, kw_only=True)
class DetailMap:
    """How much fine detail a picture has where.

    Args:
        energies: (1, 2, h, w), mean squares of the oblique high frequencies, and of the gradient.
        border: width of what counts as the border, as shares of (height, width).
    """

    energies: Tensor = field(repr=False)
    border: tuple[float, float]

    @classmethod
    def of(cls, picture: Tensor) -> DetailMap:
        """That of a picture, (1, C, H, W)."""
        channels, size = picture.shape[1], image_size(picture)
        second = picture.new_tensor([1.0, -2.0, 1.0]) / 4  # along both axes, it keeps what is oblique and high
        kernels = (second[:, None] * second).expand(channels, 1, 3, 3)
        oblique = F.conv2d(F.pad(picture, (1, 1, 1, 1), mode="replicate"), kernels, groups=channels).square()
        beside = F.pad(picture, (0, 1, 0, 1), mode="replicate")
        gradient = (beside[..., :-1, 1:] - picture).square() + (beside[..., 1:, :-1] - picture).square()
        energies = torch.cat([oblique.mean(dim=1, keepdim=True), gradient.mean(dim=1, keepdim=True)], dim=1)
        # What moves has no finer features than 64 pixels of the long side show. Borders have 8 pixels, as in `scores`.
        cell = max(1, round(max(size) / 64))
        return cls(energies=F.avg_pool2d(energies, cell, ceil_mode=True), border=(8 / size[0], 8 / size[1]))


class LayoutDetail:
    """How much fine detail the layouts of a frame show, relative to the picture.

    Args:
        details: of the picture.
        frame: of the layouts.
        finer: pixels of the picture for one of scale 0, along each axis.
    """

    def __init__(self, details: DetailMap, frame: Frame, finer: Sequence[float]) -> None:
        self._energies, self._finer = details.energies, finer
        factor = max(image_size(details.energies)) / max(frame.size)
        height, width = (max(4, round(factor * n)) for n in frame.size)
        self._frame = Frame(size=(height, width), margin=round(factor * frame.margin), wraps=frame.wraps)
        windows = [torch.hann_window(n + 2, periodic=False).square()[1:-1].to(self._energies) for n in (height, width)]
        down, right = (max(1, round(share * n)) for share, n in zip(details.border, (height, width), strict=True))
        border = torch.ones_like(self._energies[0, 0, :1, :1]).expand(height, width).clone()
        border[down : height - down, right : width - right] = 0
        # Of oblique frequencies those in the middle count most, as in `scores`.
        self._weights = torch.stack([windows[0][:, None] * windows[1], border])
        self._own = self._amounts(resize(self._energies, size=(height, width)).clamp(min=0))

    def of(self, bend: float, perturbation: Perturbation) -> Tensor:
        """Oblique energy of a layout, and energy of its border: (2,), 1 for the picture's and 4 at most; on the CPU."""
        moved = displaced(self._energies, self._frame, bend, self._finer, perturbation).picture
        amounts = self._amounts(self._frame.inside(moved))
        return torch.where(self._own > 0, amounts / self._own.clamp(min=1e-12), 1).clamp(max=4).cpu()

    def _amounts(self, energies: Tensor) -> Tensor:
        return (self._weights * energies[0]).sum(dim=(1, 2))


def tilt_of(details: DetailMap, frame: Frame, search: PatchSettings, bend: float, generator: torch.Generator) -> Tensor:
    """What layouts are to be weighted by: (2,), such that exp(-tilt * detail) makes their mean detail the picture's.

    Args:
        frame: of scale 0.
        bend: see `innersr.singan.patches.guess.bent`.
        generator: on the CPU.
    """
    finer, tilt = (1, 1), torch.zeros(2)
    cells, shown = cells_of(search, finer), LayoutDetail(details, frame, finer)
    excess = torch.stack([shown.of(bend, Perturbation.drawn(frame, cells, generator)) for _ in range(64)]) - 1
    for _ in range(20):  # Newton's; convex, and the ridge keeps it finite where no mean is the picture's
        weights = (-excess @ tilt).softmax(dim=0)
        mean = weights @ excess
        covariance = (weights[:, None] * (excess - mean)).T @ (excess - mean)
        step = torch.linalg.solve(covariance + 0.003 * torch.eye(2), mean - 0.003 * tilt)
        tilt = tilt + step.clamp(-2, 2)
    return tilt


def drawn_layout(
    shown: LayoutDetail, tilt: Tensor, candidates: Sequence[Perturbation], bend: float, generator: torch.Generator
) -> Perturbation:
    """One of several layouts, at random, those with less of what layouts have too much of oftener.

    Args:
        tilt: see `tilt_of`.
        generator: on the CPU.
    """
    details = torch.stack([shown.of(bend, one) for one in candidates])
    return candidates[int(torch.multinomial((-details @ tilt).softmax(dim=0), 1, generator=generator))]


def bend_of(picture: Tensor, search: PatchSettings, generator: torch.Generator) -> float:
    """The displacement that gives the layouts of a picture their wanted variety, see `PatchSettings`.

    It is three quarters of a pixel of the shorter side at least, or the largest if that is less: layouts of a fine
    texture vary at half a pixel already, but patches snap back to where they were, and samples become the same.

    Args:
        picture: (1, C, H, W), of scale 0.
        generator: on the CPU.
    """
    frame, finer = Frame(size=image_size(picture), margin=0, wraps=(False, False)), (1, 1)
    cells: Size = cells_of(search, finer)
    drawn = [Perturbation.drawn(frame, cells, generator) for _ in range(16)]
    deviation = search.variety * float(picture.std())
    low, high = 0.0, search.bend
    for _ in range(8):  # to less than a hundredth of the largest
        middle = (low + high) / 2
        layouts = torch.cat([displaced(picture, frame, middle, finer, one).picture for one in drawn])
        low, high = (middle, high) if float(layouts.std(dim=0).mean()) < deviation else (low, middle)
    return max((low + high) / 2, min(0.75 / min(frame.size), search.bend))
