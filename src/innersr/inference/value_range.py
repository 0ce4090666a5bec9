"""The range of values that methods see as 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from innersr.inference.neighbourhood import range_around
from innersr.physics.degradation import Degradation


@dataclass(frozen=True, kw_only=True, eq=False)
class RangeSettings:
    """Settings of `robust_range`."""

    share: float = 0.001  # of the values at either end, that may be hot pixels or highlights
    slack: float = 0.25  # of the range between them: extremes nearer than that are no outliers
    headroom: float = 0.1  # of the range, at either end: results may go beyond the input's extremes
    unlike: float = 1 / 16  # a channel that uses less of the common range has another unit
    looked_at: int = 2**20  # values of a channel, evenly spaced, in which the shares are counted


SETTINGS = RangeSettings()


@dataclass(frozen=True, kw_only=True, eq=False)
class ValueRange:
    """A range of values that is scaled to [0, 1], by channel: value = low + spread * scaled; see `excess` for others.

    `low` and `spread` are (1, C, 1, 1), or (1, 1, 1, 1) for all channels.
    """

    low: Tensor
    spread: Tensor

    def to(self, device: torch.device) -> ValueRange:
        """The same range, for tensors on a device."""
        return ValueRange(low=self.low.to(device), spread=self.spread.to(device))

    def scaled(self, values: Tensor) -> Tensor:
        """Scale values, (1, C, H, W), to [0, 1], clipped."""
        return ((values - self.low) / self.spread).clamp_(0, 1)

    def unscaled(self, scaled: Tensor) -> Tensor:
        """Undo `scaled`, in place."""
        return scaled.mul_(self.spread).add_(self.low)

    def excess(self, values: Tensor) -> Tensor | None:
        """The values that `scaled` clips, (1, C, H, W): negative below the range, positive above; None if none are."""
        outside = values - values.clamp(self.low, self.low + self.spread)
        return outside if bool(outside.any()) else None


def robust_range(values: Tensor, known: Tensor | None = None) -> ValueRange:
    """The range of the known values of an image, without outliers and with headroom.

    One range for all channels, which keeps colours what they are, or one for each where their units differ.

    Args:
        values: (1, C, H, W).
        known: bool, (1, C, H, W) or (1, 1, H, W); all when None.
    """
    chosen = torch.ones_like(values, dtype=torch.bool) if known is None else known.expand_as(values)
    ends = [_ends(plane[mask]) for plane, mask in zip(values[0], chosen[0], strict=True)]
    return range_between(ends, values)


def range_between(ends: Sequence[tuple[float, float] | None], like: Tensor) -> ValueRange:
    """The range for channels whose values lie between these ends, see `ends_of`, as tensors like another one."""
    used = [end for end in ends if end is not None] or [(0.0, 1.0)]
    low, high = min(least for least, _ in used), max(most for _, most in used)
    spreads = [most - least for least, most in used if most > least]
    if spreads and min(spreads) < SETTINGS.unlike * (high - low):
        pairs = [end or (low, high) for end in ends]
    else:
        pairs = [(low, high)]
    stretched = like.new_tensor([_with_headroom(*pair) for pair in pairs])[None, ..., None, None]
    return ValueRange(low=stretched[:, :, 0], spread=stretched[:, :, 1])


def enlarged_excess(excess: Tensor, degradation: Degradation) -> Tensor:
    """Interpolate values outside the range, (1, C, h, w), to HR size without overshoots: no ring around a hot pixel."""
    large = degradation.upsample(excess)
    low, high = range_around(excess, excess, large, degradation.wraps, reach=1)
    return large.clamp_(low, high)


def extremes(values: Tensor) -> tuple[float, float]:
    """The least and the greatest of some values; (inf, -inf) of none."""
    if values.numel() == 0:
        return math.inf, -math.inf
    least, most = torch.aminmax(values)
    return float(least), float(most)


def _ends(values: Tensor) -> tuple[float, float] | None:
    """The least and greatest value of a channel, outliers left out; None without any value."""
    if values.numel() == 0:
        return None
    return ends_of(*extremes(values), values[:: max(1, values.numel() // SETTINGS.looked_at)])


def ends_of(least: float, most: float, sample: Tensor) -> tuple[float, float]:
    """The ends of the values of a channel, outliers left out.

    Args:
        least, most: of all values.
        sample: every n-th of them, for an n that leaves about `looked_at`.
    """
    sample = sample.sort().values
    last = len(sample) - 1
    low, high = (float(sample[i]) for i in (round(SETTINGS.share * last), round((1 - SETTINGS.share) * last)))
    slack = SETTINGS.slack * (high - low)
    if high == low:  # nearly all values are equal: whatever differs is the picture
        return least, most
    return (least if low - least <= slack else low), (most if most - high <= slack else high)


def _with_headroom(low: float, high: float) -> tuple[float, float]:
    """Lower end and spread. A constant image is scaled to 0."""
    if high == low:
        return low, 1.0
    room = SETTINGS.headroom * (high - low)
    return low - room, high - low + 2 * room
