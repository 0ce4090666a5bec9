"""The eight symmetries of the square; random crops. Knows nothing about learning.

Symmetry number k is a transposition (bit 4), then a flip of the rows (bit 2), then of the columns (bit 1), so
0 is the identity and 3 turns by 180 degrees.
"""

from __future__ import annotations

import torch
from torch import Tensor

from innersr.physics.resize import Window, cut

SYMMETRIES = tuple(range(8))


def apply_symmetry(x: Tensor, symmetry: int) -> Tensor:
    """Apply a symmetry to (..., H, W); transpositions swap H and W."""
    turned = x.mT if symmetry & 4 else x
    return turned.flip(flipped_axes(symmetry))


def undo_symmetry(x: Tensor, symmetry: int) -> Tensor:
    """Invert `apply_symmetry` with the same symmetry."""
    turned = x.flip(flipped_axes(symmetry))
    return turned.mT if symmetry & 4 else turned


def flipped_axes(symmetry: int) -> tuple[int, ...]:
    """The axes of (-2, -1) that the symmetry reverses, after any transposition."""
    return (-2,) * bool(symmetry & 2) + (-1,) * bool(symmetry & 1)


def central_crop(x: Tensor, side: int) -> Tensor:
    """Crop at most side x side pixels from the middle of (..., H, W): a view."""
    top, left = (max(0, (n - side) // 2) for n in x.shape[-2:])
    return x[..., top : top + side, left : left + side]


def random_crop(x: Tensor, size: int, generator: torch.Generator, wrap: tuple[bool, bool] = (False, False)) -> Tensor:
    """Crop at most size x size pixels of (..., H, W) at a random place; a view unless it crosses a seam.

    Along an axis that wraps, (vertical, horizontal), a crop begins anywhere and continues at the opposite side; one
    as long as the image begins with it.
    """
    height, width = min(size, x.shape[-2]), min(size, x.shape[-1])
    seams = [joined and n > size for joined, n in zip(wrap, x.shape[-2:], strict=True)]
    top = int(torch.randint(x.shape[-2] - (0 if seams[0] else height - 1), (), generator=generator))
    left = int(torch.randint(x.shape[-1] - (0 if seams[1] else width - 1), (), generator=generator))
    return cut(x, Window(top, left, top + height, left + width), wrap)
