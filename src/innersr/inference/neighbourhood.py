"""The least and greatest values around each pixel of a result."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from innersr.physics.resize import Window, cut


def range_around(
    lows: Tensor, highs: Tensor, sr: Tensor, wraps: tuple[bool, bool], *, reach: int
) -> tuple[Tensor, Tensor]:
    """Bounds of every pixel of `sr`, (N, C, H, W): the least and the greatest value within `reach` LR pixels.

    `lows` and `highs`, (N, C, h, w), may be one image. Axes that wrap continue on the opposite side.
    """
    window = Window(-reach, -reach, lows.shape[-2] + reach, lows.shape[-1] + reach)
    low = -F.max_pool2d(cut(-lows, window, wraps), 2 * reach + 1, stride=1)
    high = F.max_pool2d(cut(highs, window, wraps), 2 * reach + 1, stride=1)
    low, high = (F.interpolate(x, [*sr.shape[-2:]], mode="nearest-exact") for x in (low, high))
    return low, high
