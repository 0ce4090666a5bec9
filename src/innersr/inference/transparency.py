"""Alpha of a result, and its colours near transparency: within what the image has around each pixel."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from innersr.inference.neighbourhood import range_around


def upscaled_alpha(
    opacity: Tensor, upscaler: Callable[[Tensor], Tensor], sr: Tensor, wraps: tuple[bool, bool]
) -> Tensor:
    """Upscale alpha as the colours are, so that both have the same edges, within the range of its 3x3 neighbourhood.

    Args:
        opacity: (1, 1, h, w) in [0, 1].
        upscaler: of the colours.
        sr: (1, C, H, W), the upscaled colours.
        wraps: whether the image continues on its opposite side, (vertical, horizontal).
    """
    if bool((opacity == 1).all()):
        return torch.ones_like(sr[:, :1])
    alpha = upscaler(opacity.expand(1, sr.shape[1], *opacity.shape[2:])).mean(dim=1, keepdim=True)
    return alpha.clamp(*range_around(opacity, opacity, alpha, wraps, reach=1))


def limited_near_transparency(sr: Tensor, straight: Tensor, opacity: Tensor, wraps: tuple[bool, bool]) -> Tensor:
    """Keep colours near transparency within the range of the visible ones in 5x5 pixels around them.

    Colours under full transparency continue the visible ones and need no limit.

    Args:
        sr: (1, C, H, W), the upscaled colours.
        straight: (1, C, h, w), the colours of the image.
        opacity: (1, 1, h, w) in [0, 1].
        wraps: whether the image continues on its opposite side, (vertical, horizontal).
    """
    reach = 2  # LR pixels; an edge that ends in transparency overshoots no farther
    visible = opacity > 0
    low, high = range_around(
        straight.where(visible, math.inf), straight.where(visible, -math.inf), sr, wraps, reach=reach
    )
    least, _ = range_around(opacity, opacity, sr, wraps, reach=reach)
    is_free = (least == 1) | (low > high)
    return torch.where(is_free, sr, sr.clamp(low, high))
