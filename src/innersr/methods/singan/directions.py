"""Random directions in the space of patches, which their distributions are compared along."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

CONTRAST_SIDES = (3, 5)  # pixels of the squares that local contrasts are taken in


def directions_of(count: int, side: int, axes: Tensor, generator: torch.Generator) -> Tensor:
    """Return random directions of unit length in the space of patches, (count, C, side, side).

    Half are drawn as they are; they hardly see noise, as a patch varies more by its brightness. The others see it:
    they are local contrasts, of mean 0 in a square of 3 or 5 pixels, along one of the axes that colours vary on.
    """
    channels = len(axes)
    drawn = torch.randn(count, channels, side, side, generator=generator)
    sides = [n for n in CONTRAST_SIDES if n <= side]
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
    """Return the principal axes of the pictures' colours, (C, C), one a row."""
    colours = torch.cat([real[0].flatten(1) for real in reals], dim=1)
    covariance = torch.cov(colours).view(len(colours), len(colours))
    return torch.linalg.eigh(covariance.cpu())[1].mT.contiguous()
