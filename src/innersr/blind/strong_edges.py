"""Pictures that were not shrunk by smoothing: pixel art, dithering and checkerboards, even after lossy compression.

Shrinking with any filter smooths edges: between two areas lies a pixel of a shade between them, and details one pixel
wide are faint. Where strong steps have no such pixel, the small picture was not made from a larger one in that way.
Where many of them are the sides of a single pixel as well, priors do worse than interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class EdgeSettings:
    """Limits of `strong_edges`, for steps between neighbours along both axes; see docs/experiments.md."""

    strong: float = 60 / 255  # a step as high
    ramp: float = 0.3  # of the strong step, at least, that the next one in its direction has: a smoothed edge
    most_ramps: float = 0.1  # of the strong steps, where details are single pixels
    most_ramps_of_art: float = 0.05  # likewise, of larger pixels
    spike: float = 0.5  # of the strong step, at least, that the next one has in the other direction: a single pixel
    least_spikes: float = 0.2  # of the strong steps, where details are single pixels
    least: float = 0.2  # strong steps a pixel, likewise
    least_of_art: float = 0.08  # likewise, of larger pixels
    flat: float = 4 / 255  # a smaller step is none
    most_flat: float = 0.12  # of all steps, in noise
    most_twice: float = 0.6  # of the strong steps, in noise, are twice as high


SETTINGS = EdgeSettings()


class StrongEdges(NamedTuple):
    """The strong steps of a picture."""

    density: float  # strong steps a pixel, from 0 to 2
    ramps: float  # share of them that are smoothed
    spikes: float  # share of them that are sides of a single pixel
    twice: float  # share of them that are twice as high
    flat: float  # share of all steps that are none

    @property
    def are_of_single_pixels(self) -> bool:
        """Whether details are single pixels."""
        is_found = self.ramps <= SETTINGS.most_ramps and self.spikes >= SETTINGS.least_spikes
        return is_found and self.density >= SETTINGS.least

    @property
    def may_be_noise(self) -> bool:
        """Whether strong noise could have caused them: hardly any neighbours are equal, and few steps are very high."""
        return self.flat <= SETTINGS.most_flat and self.twice <= SETTINGS.most_twice

    @property
    def are_of_pixel_art(self) -> bool:
        """Whether the picture is drawn in larger pixels, with edges that nothing has smoothed."""
        is_found = self.ramps <= SETTINGS.most_ramps_of_art and self.spikes < SETTINGS.least_spikes
        return is_found and self.density >= SETTINGS.least_of_art


@torch.no_grad()
def strong_edges(x: Tensor) -> StrongEdges:
    """Count the strong steps of (1, C, H, W) in [0, 1]."""
    limits, grey = EdgeSettings, x[0].mean(0)
    strong = ramps = spikes = high = twice = flat = total = 0
    for axis in (0, 1):
        steps = grey.diff(dim=axis)
        heights, count = steps.abs(), steps.shape[axis] - 1
        high += int((heights > limits.strong).sum())
        twice += int((heights > 2 * limits.strong).sum())
        flat += int((heights < limits.flat).sum())
        total += heights.numel()
        (first, second), (one, other) = ((d.narrow(axis, 0, count), d.narrow(axis, 1, count)) for d in (steps, heights))
        higher, lower = torch.maximum(one, other), torch.minimum(one, other)
        is_strong, is_monotonic = higher > limits.strong, first * second > 0
        strong += int(is_strong.sum())
        ramps += int((is_strong & is_monotonic & (lower > limits.ramp * higher)).sum())
        spikes += int((is_strong & ~is_monotonic & (lower > limits.spike * higher)).sum())
    return StrongEdges(
        density=strong / grey.numel(),
        ramps=ramps / max(1, strong),
        spikes=spikes / max(1, strong),
        twice=twice / max(1, high),
        flat=flat / max(1, total),
    )
