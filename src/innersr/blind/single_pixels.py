"""Pictures whose details are single pixels: pixel art, dithering and boards, even after lossy compression.

Shrinking with any filter smooths edges: between two areas lies a pixel of a shade between them, and details one pixel
wide are faint. Where strong steps have no such pixel, and many are the sides of a single one, the small picture was not
made from a larger one in that way, and priors, which assume it, do worse than interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class SinglePixelSettings:
    """Limits of `detail_of_single_pixels`, for steps between neighbours along both axes; see docs/experiments.md."""

    strong: float = 60 / 255  # a step as high
    ramp: float = 0.3  # of the strong step, at least, that the next one in its direction has: a smoothed edge
    most_ramps: float = 0.1  # of the strong steps
    spike: float = 0.5  # of the strong step, at least, that the next one has in the other direction: a single pixel
    least_spikes: float = 0.2  # of the strong steps
    least: float = 0.2  # strong steps a pixel


@torch.no_grad()
def detail_of_single_pixels(x: Tensor, settings: SinglePixelSettings | None = None) -> float:
    """Strong steps a pixel, from 0 to 2, of a picture whose details are single pixels; 0 for any other.

    Args:
        x: (1, C, H, W) in [0, 1].
        settings: limits.
    """
    limits, grey = settings or SinglePixelSettings(), x[0].mean(0)
    strong = ramps = spikes = 0
    for axis in (0, 1):
        steps = grey.diff(dim=axis)
        count = steps.shape[axis] - 1
        first, second = steps.narrow(axis, 0, count), steps.narrow(axis, 1, count)
        higher, lower = torch.maximum(first.abs(), second.abs()), torch.minimum(first.abs(), second.abs())
        is_strong, is_monotonic = higher > limits.strong, first * second > 0
        strong += int(is_strong.sum())
        ramps += int((is_strong & is_monotonic & (lower > limits.ramp * higher)).sum())
        spikes += int((is_strong & ~is_monotonic & (lower > limits.spike * higher)).sum())
    density = strong / grey.numel()
    is_found = ramps <= limits.most_ramps * strong and spikes >= limits.least_spikes * strong
    return density if is_found and density >= limits.least else 0.0
