"""Flicker of a film: what changes from frame to frame and is not motion. Knows nothing about files."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.metrics.grey_levels import PEAK, check_image, linear_luma


def flicker(frames: Iterable[Tensor], *, reach: int = 4, block: int = 16) -> float:
    """Mean absolute difference of each frame and the one before, compensated for motion, in 8-bit levels.

    Motion is searched for in blocks of the luma, by half pixels, interpolated cubically. A film that only moves has
    little flicker; noise and unsteady details have much. A border of `reach` pixels is left out. To compare two films
    of one scene, choose `reach` and `block` in proportion to their sizes.

    Args:
        frames: at least two, each (1, C, H, W) in [0, 1] with one or three channels, all of one size; taken one by one.
        reach: greatest motion from one frame to the next, in pixels.
        block: side of a block in pixels.

    Raises:
        InputError: less than two frames, frames of another shape, or smaller than a block and its border.
    """
    differences = [_unexplained(before, after, reach, block) for before, after in itertools.pairwise(frames)]
    if not differences:
        raise InputError("flicker is measured between frames; give two or more")
    return sum(differences) / len(differences)


@isolated
def _unexplained(before: Tensor, after: Tensor, reach: int, block: int) -> float:
    old, new = _checked_luma(before), _checked_luma(after)
    if old.shape != new.shape:
        raise InputError(f"all frames must have one size, got {tuple(before.shape)} and {tuple(after.shape)}")
    rows, columns = ((side - 2 * reach) // block * block for side in new.shape[-2:])
    if min(rows, columns) < block:
        least = 2 * reach + block
        raise InputError(f"a frame must have {least}x{least} pixels or more, got {new.shape[-1]}x{new.shape[-2]}")
    middle = new[..., reach : reach + rows, reach : reach + columns]
    best = torch.full((rows // block, columns // block), float("inf"))
    for half_down, half_across in itertools.product((0, 1), repeat=2):
        moved = _shifted_by_halves(old, half_down, half_across)
        for down in range(2 * reach + 1 - half_down):
            for across in range(2 * reach + 1 - half_across):
                there = moved[..., down : down + rows, across : across + columns]
                best = torch.minimum(best, F.avg_pool2d((there - middle).abs(), block)[0, 0])
    return PEAK * float(best.double().mean())


def _checked_luma(x: Tensor) -> Tensor:
    check_image(x)
    if x.shape[0] != 1 or x.shape[1] not in (1, 3):
        raise InputError(f"a frame must be (1, C, H, W) with 1 or 3 channels, got {tuple(x.shape)}")
    x = x.cpu()
    return x if x.shape[1] == 1 else linear_luma(x)


def _shifted_by_halves(x: Tensor, down: int, across: int) -> Tensor:
    """The image between its pixels: half a pixel further down, across, or both."""
    taps = x.new_tensor((-1, 9, 9, -1)) / 16  # cubic interpolation in the middle of two samples
    if down:
        x = F.conv2d(F.pad(x, (0, 0, 1, 2), "replicate"), taps.view(1, 1, 4, 1))
    if across:
        x = F.conv2d(F.pad(x, (1, 2, 0, 0), "replicate"), taps.view(1, 1, 1, 4))
    return x
