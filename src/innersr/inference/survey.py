"""Properties of a whole large image that its parts need, found while it is read row by row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from innersr.errors import NoDataError
from innersr.images.image import Image
from innersr.images.values.no_data import HugeValues, with_missing_values
from innersr.inference.normalisation import WholeImage, hidden_ends, hides_colours, is_blank, is_grey
from innersr.inference.value_range import SETTINGS, ends_of, extremes, range_between


def survey(rows: Callable[[], Iterable[Image]], alpha: str, *, nodata: float | None, is_exact: bool) -> WholeImage:
    """The properties that `normalise` would find in the whole of an image.

    Args:
        rows: gives the image from top to bottom, in parts of whole rows; it is called up to four times.
        alpha: see `normalise`.
        nodata: the value that means no data, see `missing_values`.
        is_exact: see `normalise`.

    Raises:
        NoDataError: the image has no data at all.
    """
    alpha = "same" if is_exact and alpha == "auto" else alpha
    found = _Findings(masks=alpha == "auto", no_data=nodata).with_rows(rows())
    if found.huge.are_fills:  # which is known at the end
        found = _Findings(masks=found.masks, no_data=nodata, has_fills=True).with_rows(rows())
    if found.masks and found.has_alpha and not found.has_visible:  # then all colours count, as in `normalise`
        found = _Findings(masks=False, no_data=nodata, has_fills=found.has_fills).with_rows(rows())
    if found.missing == found.total:
        raise NoDataError
    continues = alpha == "auto" and found.has_visible
    one = found.is_grey_where_visible if continues else found.is_grey
    values = None
    if not is_exact and found.depth != "uint8":
        known = (with_missing_values(part, nodata, has_fills=found.has_fills) for part in rows())
        planes = [*_samples(known, found.colours, found.counts, masks=found.masks)]
        ends = [
            None if sample is None else ends_of(least, most, sample)
            for least, most, sample in zip(found.lows, found.highs, planes, strict=True)
        ]
        values = range_between(ends[:1] if one else ends, torch.empty(0))
    return WholeImage(
        is_grey=one,
        continues_colours=continues,
        loses_colours=continues and not is_blank(found.hidden),
        values=values,
        extremes=found.extremes,
        no_data=nodata,
        has_fills=found.has_fills,
        missing_share=found.missing / found.total,
    )


@dataclass
class _Findings:
    """Properties of the rows that were read so far."""

    masks: bool
    """Whether the values under full transparency are left out."""
    no_data: float | None
    has_fills: bool = False
    """See `missing_values`."""
    is_grey: bool = True
    is_grey_where_visible: bool = True
    has_alpha: bool = False
    has_visible: bool = False
    depth: str = ""
    colours: int = 0
    missing: int = 0
    """Values that are no data."""
    total: int = 0
    huge: HugeValues = field(default_factory=HugeValues)
    extremes: tuple[float, float] = (math.inf, -math.inf)
    hidden: tuple[float, float] = (math.inf, -math.inf)
    """The least and the greatest value under full transparency."""
    lows: list[float] = field(default_factory=list)
    highs: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    """Number of values with data of each channel, without masked ones."""

    def with_rows(self, rows: Iterable[Image]) -> _Findings:
        """Add all rows; return these findings."""
        for part in rows:
            self._add(with_missing_values(part, self.no_data, has_fills=self.has_fills))
        return self

    def _add(self, part: Image) -> None:
        colour, missing = part.colour, part.missing
        if not self.lows:
            self.depth, self.colours = part.depth, colour.shape[1]
            self.lows, self.highs = [math.inf] * self.colours, [-math.inf] * self.colours
            self.counts = [0] * self.colours
        self.total += colour.numel()
        if missing is not None:
            self.missing += int(missing.sum())
        if self.depth == "float32":
            self.huge.add(colour, torch.zeros(1, dtype=torch.bool) if missing is None else missing)
        self.is_grey &= is_grey(part)
        self.is_grey_where_visible &= is_grey(part, part.alpha)
        self.has_alpha |= part.alpha is not None
        self.has_visible |= hides_colours(part)
        least, most = hidden_ends(part)
        self.hidden = min(self.hidden[0], least), max(self.hidden[1], most)
        for channel in range(self.colours):
            values = _known_values(part, channel, masks=False)
            least, most = extremes(values)
            self.extremes = min(self.extremes[0], least), max(self.extremes[1], most)
            if self.masks and part.alpha is not None:
                values = _known_values(part, channel, masks=True)
                least, most = extremes(values)
            self.lows[channel], self.highs[channel] = min(self.lows[channel], least), max(self.highs[channel], most)
            self.counts[channel] += values.numel()


def _known_values(part: Image, channel: int, *, masks: bool) -> Tensor:
    """The values of a channel that are data, row by row; without those under full transparency if it `masks`."""
    plane = part.colour[0, channel]
    known = None if part.missing is None else ~part.missing[0, channel]
    if masks and part.alpha is not None:
        opaque = part.alpha[0, 0] > 0
        known = opaque if known is None else known & opaque
    return plane.flatten() if known is None else plane[known]


def _samples(rows: Iterable[Image], colours: int, counts: list[int], *, masks: bool) -> Iterator[Tensor | None]:
    """Every n-th value of each channel, as `robust_range` takes them of the whole image; None of one without any."""
    steps = [max(1, count // SETTINGS.looked_at) for count in counts]
    passed, chosen = [0] * colours, [[torch.empty(0)] for _ in range(colours)]
    for part in rows:
        for channel in range(colours):
            values = _known_values(part, channel, masks=masks)
            first = -passed[channel] % steps[channel]
            chosen[channel].append(values[first :: steps[channel]].clone())
            passed[channel] += values.numel()
    for parts in chosen:
        sample = torch.cat(parts)
        yield sample if sample.numel() else None
