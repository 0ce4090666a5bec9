"""What the whole of a large image decides for its parts, found while it passes by in rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.images.image import Image
from innersr.images.no_data import missing_values
from innersr.inference.normalisation import WholeImage, hides_colours, is_grey
from innersr.inference.value_range import SETTINGS, ends_of, range_between


def survey(rows: Callable[[], Iterable[Image]], alpha: str, *, nodata: float | None, is_exact: bool) -> WholeImage:
    """What `normalise` would find out from the whole of an image.

    Args:
        rows: gives the image from top to bottom, in parts of whole rows; it is called twice.
        alpha: see `normalise`.
        nodata: the value that means no data, see `missing_values`.
        is_exact: see `normalise`.

    Raises:
        InputError: the image holds values without data.
    """
    alpha = "same" if is_exact and alpha == "auto" else alpha
    found = _Findings(masks=alpha == "auto")
    for part in rows():
        found.note(part, nodata)
    is_hidden = alpha == "auto" and found.is_seen
    one = found.is_grey_where_seen if is_hidden else found.is_grey
    values = None
    if not is_exact and found.depth != "uint8":
        planes = [*_samples(rows(), found.colours, found.counts, masks=found.masks)]
        ends = [
            None if sample is None else ends_of(least, most, sample)
            for least, most, sample in zip(found.lows, found.highs, planes, strict=True)
        ]
        values = range_between(ends[:1] if one else ends, torch.empty(0))
    return WholeImage(is_grey=one, is_hidden=is_hidden, values=values, extremes=found.extremes)


@dataclass
class _Findings:
    """Of the rows that have passed by."""

    masks: bool
    """Whether the values under full transparency are left out."""
    is_grey: bool = True
    is_grey_where_seen: bool = True
    is_seen: bool = False
    depth: str = ""
    colours: int = 0
    extremes: tuple[float, float] = (math.inf, -math.inf)
    lows: list[float] = field(default_factory=list)
    highs: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    """Of the values of each channel that are seen."""

    def note(self, part: Image, nodata: float | None) -> None:
        """Add the next rows."""
        colour = part.colour
        if missing_values(part, nodata) is not None:
            remedy = "fill them first, or upscale it at once (--strips never) on a machine with more memory"
            raise InputError(f"has values without data, which are not upscaled in strips; {remedy}")
        if not self.lows:
            self.depth, self.colours = part.depth, colour.shape[1]
            self.lows, self.highs = [math.inf] * self.colours, [-math.inf] * self.colours
            self.counts = [0] * self.colours
        self.is_grey &= is_grey(part)
        self.is_grey_where_seen &= is_grey(part, part.alpha)
        self.is_seen |= hides_colours(part)
        least, most = (float(v) for v in torch.aminmax(colour))
        self.extremes = min(self.extremes[0], least), max(self.extremes[1], most)
        for channel, plane in enumerate(colour[0]):
            seen = plane if part.alpha is None or not self.masks else plane[part.alpha[0, 0] > 0]
            self.counts[channel] += seen.numel()
            if seen.numel():
                low, high = (float(v) for v in torch.aminmax(seen))
                self.lows[channel], self.highs[channel] = min(self.lows[channel], low), max(self.highs[channel], high)


def _samples(rows: Iterable[Image], colours: int, counts: list[int], *, masks: bool) -> Iterator[Tensor | None]:
    """Every n-th value of each channel, as `robust_range` takes them of the whole image; None of one without any."""
    steps = [max(1, count // SETTINGS.looked_at) for count in counts]
    passed, chosen = [0] * colours, [[torch.empty(0)] for _ in range(colours)]
    for part in rows:
        for channel, plane in enumerate(part.colour[0]):
            values = plane.flatten() if not masks or part.alpha is None else plane[part.alpha[0, 0] > 0]
            first = -passed[channel] % steps[channel]
            chosen[channel].append(values[first :: steps[channel]].clone())
            passed[channel] += values.numel()
    for parts in chosen:
        sample = torch.cat(parts)
        yield sample if sample.numel() else None
