"""Continuation of images into places without values: holes in the data, and colours under full transparency."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.physics.resize import Window, cut, image_size


@torch.no_grad()
def fill_unknown(x: Tensor, known: Tensor, wraps: tuple[bool, bool] = (False, False)) -> Tensor:
    """Replace the unknown values of an image by smooth continuations of the known ones.

    Known values grow into the unknown pixel by pixel, each the mean of its known neighbours, as far as the filters of
    any method reach; beyond, a pyramid of means fills the rest.

    Args:
        x: (1, C, H, W); its unknown values may be anything, NaN included.
        known: bool, (1, C, H, W) or (1, 1, H, W) for all channels.
        wraps: whether the image continues on its opposite side, (vertical, horizontal).
    """
    known = known.expand_as(x)
    if bool(known.all()):
        return x
    reach = 24  # LR pixels, of growth; the widest filters reach less far
    filled, weight = torch.where(known, x, 0), known.to(x)
    for _ in range(reach):
        if bool(weight.all()):
            return filled
        means, near = (_means_of_nine(t, wraps) for t in (filled, weight))
        grown = torch.where(near > 0, means / near, 0)
        filled, weight = torch.where(weight > 0, filled, grown), (near > 0).to(x)
    return _filled_by_pyramid(filled, weight)


def largest_free(marks: Tensor) -> Window:
    """The largest rectangle of an image, to 1/64 of its longer side, without any mark; empty if there is none.

    Args:
        marks: bool, (H, W).
    """
    height, width = marks.shape
    cell = max(1, -(-max(height, width) // 64))
    free = F.max_pool2d(marks[None, None].float(), cell, ceil_mode=True)[0, 0] == 0
    columns, best, place = free.shape[1], 0, Window(0, 0, 0, 0)
    heights = [0] * columns  # of the free column that ends in this row
    for row, is_free in enumerate(free.tolist()):
        heights = [h + 1 if f else 0 for h, f in zip(heights, is_free, strict=True)]
        for left in range(columns):
            lowest = heights[left]
            for right in range(left, columns):
                lowest = min(lowest, heights[right])
                if lowest * (right + 1 - left) > best:
                    best = lowest * (right + 1 - left)
                    place = Window(row + 1 - lowest, left, row + 1, right + 1)
    top, left, bottom, right = (cell * end for end in place)
    return Window(top, left, min(bottom, height), min(right, width))


def _means_of_nine(x: Tensor, wraps: tuple[bool, bool]) -> Tensor:
    return F.avg_pool2d(cut(x, Window(-1, -1, x.shape[-2] + 1, x.shape[-1] + 1), wraps), 3, stride=1)


def _filled_by_pyramid(values: Tensor, weight: Tensor) -> Tensor:
    """Divide by the weight; where it is 0, take the means of ever larger places (`values` is 0 there)."""
    means = values / weight.clamp(min=torch.finfo(weight.dtype).tiny)
    if bool((weight > 0).all()) or max(image_size(values)) == 1:
        return means
    halves = [F.avg_pool2d(t, 2, ceil_mode=True, count_include_pad=False) for t in (values, weight)]
    around = F.interpolate(_filled_by_pyramid(*halves), image_size(values), mode="bilinear")
    return torch.where(weight > 0, means, around)
