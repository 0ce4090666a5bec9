"""A picture from the patches that a field names: every pixel is the mean of the patches that cover it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from innersr.singan.pyramid import Size


def assemble_sharply(
    found: Tensor, size: Size, source: Tensor, side: int, *, wraps: tuple[bool, bool] = (False, False)
) -> Tensor:
    """As `assemble`, with two reweighted rounds: means blur, and oblique high frequencies most."""
    made = assemble(found, size, source, side, wraps=wraps)
    for _ in range(2):
        made = assemble(found, size, source, side, wraps=wraps, anchor=made)
    return made


def assemble(
    found: Tensor,
    size: Size,
    source: Tensor,
    side: int,
    *,
    wraps: tuple[bool, bool] = (False, False),
    anchor: Tensor | None = None,
) -> Tensor:
    """The picture, (1, C, H, W), whose patches at every place are those of the field, as far as they agree.

    Args:
        found: (h * w,) places in the source, see `innersr.singan.patches.search`.
        size: (h, w) of the grid of places of the picture.
        source: (1, C, H', W') that the patches are of.
        side: of a patch.
        wraps: axes along which the picture is periodic; it has as many pixels as places there, and
            side - 1 more otherwise.
        anchor: (1, C, H, W), a first mean. The weight of a vote is then the inverse of its squared distance to the
            anchor (iteratively reweighted, after Kwatra 2005, for a norm near 0): where patches disagree, one of the
            opinions is taken, and not their blur.
    """
    (height, width), (channels, columns) = size, (source.shape[1], source.shape[-1])
    places = columns - side + 1
    base = (found // places) * columns + found % places
    pixels = source[0].flatten(1)
    total = source.new_zeros(channels + 1, height + side - 1, width + side - 1)
    near = None if anchor is None else with_overlap(anchor, side, wraps)[0]
    for y in range(side):
        for x in range(side):
            votes = pixels[:, base + (y * columns + x)].view(channels, height, width)
            part = total[:, y : y + height, x : x + width]
            if near is None:
                part[:-1] += votes
                part[-1] += 1
            else:
                distance = (votes - near[:, y : y + height, x : x + width]).square().mean(dim=0)
                weight = 1 / (distance + 1e-4)  # within one level of 255 all votes count about the same
                part[:-1] += weight * votes
                part[-1] += weight
    for dim, joined in zip((1, 2), wraps, strict=True):
        if joined:
            total = _joined(total, dim, side - 1)
    return (total[:-1] / total[-1:])[None]


def with_overlap(picture: Tensor, side: int, wraps: tuple[bool, bool]) -> Tensor:
    """A picture, (1, C, H, W), with side - 1 pixels of its other side after the end of every axis that wraps."""
    for axis, joined in zip(((0, 0, 0, side - 1), (0, side - 1, 0, 0)), wraps, strict=True):
        picture = F.pad(picture, axis, mode="circular") if joined else picture
    return picture


def _joined(total: Tensor, dim: int, overhang: int) -> Tensor:
    """The votes beyond the end of an axis added to those at its beginning."""
    length = total.shape[dim] - overhang
    kept, beyond = total.split((length, overhang), dim=dim)
    kept = kept.clone()
    kept.narrow(dim, 0, overhang).add_(beyond)
    return kept
