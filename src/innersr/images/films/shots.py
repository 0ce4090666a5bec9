"""Shots of a film, found by abrupt changes of its thumbnails. Knows no file."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from innersr.images.films.film import FrameTime, Glimpse, Levels


@dataclass(frozen=True, kw_only=True)
class ShotSettings:
    """What a cut is."""

    bins: int = 8  # of each channel's histogram
    least: float = 0.12  # distance of two frames, from 0 to 1, below which there is no cut: fast motion stays below it
    ratio: float = 3.0  # of that distance to the median of those nearby: a flickering scene is one shot
    window: int = 8  # frames nearby, on each side
    flash: int = 2  # frames, at most, that differ from what is before and after them without a cut
    shortest: int = 5  # frames; what is shorter belongs to the shot before


@dataclass(frozen=True)
class Timeline:
    """Times of all frames, and where shots begin."""

    times: tuple[FrameTime, ...]
    shots: tuple[range, ...]
    """Numbers of the frames of each shot; together they are all frames."""


def timeline_of(glimpses: Iterable[Glimpse], usual: int) -> Timeline:
    """Find the shots of a film.

    Args:
        glimpses: all frames, in their order.
        usual: ticks that the last frame is shown for where the film does not say.
    """
    settings = ShotSettings()
    starts, stated = [], 0

    def thumbnails() -> Iterator[Levels]:
        nonlocal stated
        for glimpse in glimpses:
            starts.append(glimpse.start)
            stated = glimpse.duration
            yield glimpse.thumbnail

    distances = np.array(list(_distances(thumbnails(), settings)))
    durations = [*(after - start for start, after in zip(starts, starts[1:], strict=False)), stated or usual]
    times = tuple(FrameTime(start, max(duration, 0)) for start, duration in zip(starts, durations, strict=True))
    cuts = [0]
    for number in _cuts(distances, settings):
        if number - cuts[-1] >= settings.shortest and len(starts) - number >= settings.shortest:
            cuts.append(number)
    return Timeline(times, tuple(range(a, b) for a, b in zip(cuts, [*cuts[1:], len(starts)], strict=True)))


def _cuts(distances: Levels, settings: ShotSettings) -> list[int]:
    """Numbers of the frames that differ from the one before far more than others nearby do."""
    found = []
    for place, distance in enumerate(distances):
        nearby = distances[max(0, place - settings.window) : place + settings.window + 1]
        if distance > settings.least and distance > settings.ratio * float(np.median(nearby)):
            found.append(place + 1)
    return found


def _distances(thumbnails: Iterable[Levels], settings: ShotSettings) -> Iterator[float]:
    """Yield how far each frame but the first is from those before it: the least distance across the place of a cut.

    Pairs with one of the two frames at that place count, so that a flash is as near as what surrounds it.
    """
    span = settings.flash + 1
    window: deque[Levels | None] = deque([None] * (2 * span), maxlen=2 * span)
    for thumbnail in itertools.chain(thumbnails, [None] * (span - 1)):
        window.append(thumbnail)
        before, after = window[span - 1], window[span]
        if before is None or after is None:
            continue
        pairs: list[tuple[Levels | None, Levels | None]]
        pairs = [(before, other) for other in itertools.islice(window, span, None)]
        pairs += [(other, after) for other in itertools.islice(window, span - 1)]
        yield min(_distance(a, b, settings.bins) for a, b in pairs if a is not None and b is not None)


def _distance(a: Levels, b: Levels, bins: int) -> float:
    """Distance from 0 to 1: half of what pixels differ by and half of what histograms do."""
    pixels = float(np.abs(a.astype(np.float32) - b.astype(np.float32)).mean()) / 255
    counts = [
        np.stack([np.bincount(x[..., band].ravel() * bins // 256, minlength=bins) for band in range(3)])
        for x in (a.astype(np.int64), b.astype(np.int64))
    ]
    histograms = float(np.abs(counts[0] - counts[1]).sum()) / (2 * 3 * a.shape[0] * a.shape[1])
    return (pixels + histograms) / 2
