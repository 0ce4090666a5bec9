"""Stacks: TIFF files of several pages, OME-TIFF and ImageJ hyperstacks; which page belongs to which channel."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tifffile import TiffFile, TiffPage, TiffPageSeries, imagej_metadata_tag

from innersr.errors import ImageFileError
from innersr.images.metadata import TiffTag
from innersr.images.tiff.descriptions import is_split_ome
from innersr.images.tiff.directories import directories_of
from innersr.images.tiff.tags import integers, is_part, pages_of, rational
from innersr.images.values.linear_change import UNCHANGED, LinearChange

REGIONS = frozenset({"ROI", "Overlays"})  # of interest, as ImageJ's metadata calls them


@dataclass(frozen=True, kw_only=True)
class TiffStack:
    """The pages of a TIFF file, without overviews, thumbnails and masks."""

    kind: Literal["ome", "imagej", "shaped", "pages"]
    """Whose description names the axes; "pages" for none."""
    description: str
    """The first page's."""
    directories: tuple[int, ...]
    """Where the directory of each begins in the file, in bytes."""
    shapes: Mapping[int, str]
    """Descriptions in which tifffile keeps shape and axes, by the place of the page that has them."""
    groups: tuple[tuple[Any, ...], ...]
    """Of each page, what it shares with others of its channel: size, samples, channel, and series of an OME-TIFF."""
    sizes: tuple[tuple[int, int], ...]
    """(height, width) of each page."""
    byteorder: Literal["<", ">"]
    is_big: bool
    """Whether it is a BigTIFF."""
    resolution: tuple[float, float, int] | None
    """Pixels per unit, horizontal and vertical, of the first page, and the TIFF code of the unit."""
    imagej_values: Mapping[str, Any]
    """ImageJ's labels, ranges and tables of colours, without regions of interest, which are in pixels."""

    losses: tuple[str, ...]
    """Sentences about what is not kept of its description and of ImageJ's metadata."""

    hidden: int
    """Planes that lie behind the first one without pages of their own, as large ones of ImageJ do."""

    @property
    def is_calibrated(self) -> bool:
        """Whether its description has the size of a pixel."""
        return self.kind in ("ome", "imagej")

    def imagej_tags(self, changes: Mapping[int, LinearChange]) -> Iterator[TiffTag]:
        """ImageJ's metadata for a result; what is shown of each channel follows the change of its values."""
        values = dict(self.imagej_values)
        if "Ranges" in values:  # least and greatest of each channel
            ends = enumerate(values["Ranges"])
            values["Ranges"] = tuple(changes.get(place // 2, UNCHANGED).of(end) for place, end in ends)
        for code, kind, count, data, _ in imagej_metadata_tag(values, self.byteorder):
            size = len(data) // count
            ordered = np.frombuffer(data, f"{self.byteorder}u{size}").astype(f"<u{size}").tobytes()
            yield TiffTag(code=code, kind=kind, count=count, data=ordered, words="ImageJ's metadata")


def find_stack(path: Path) -> TiffStack | None:
    """Look for a stack; None where the file is no TIFF, has one plain page, or is damaged.

    Planes that lie behind one another without pages of their own are counted as `hidden`.

    Raises:
        ImageFileError: its pages are too many, or form a circle.
    """
    fault = None
    # Reading the first page tells better what is wrong; tifffile documents no closed list of errors.
    with contextlib.suppress(Exception), path.open("rb") as stream:
        if stream.read(4) not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return None
        if (fault := directories_of(stream).fault) is None:
            stream.seek(0)
            with TiffFile(stream, is_lsm=False, is_ndpi=False, is_scanimage=False, _multifile=False) as tiff:
                return _stack_of(tiff)
    if fault is not None:
        remedy = 'get it again, or split it; --pages first (in Python pages="first") takes the first alone'
        raise ImageFileError(f"{path}: {fault}; {remedy}")
    return None


def _stack_of(tiff: TiffFile) -> TiffStack | None:
    pages = [page for page in pages_of(tiff) if page.index == 0 or not is_part(page)]
    first, description = pages[0], pages[0].description
    kind = _kind_of(tiff, description)
    hidden = _hidden(tiff, first) if len(pages) == 1 else 0
    if len(pages) == 1 and not hidden and kind not in ("ome", "imagej"):
        return None
    places = _places(tiff, pages) if _may_have_channels(tiff, kind, pages) else {}
    across, down = rational(first, "XResolution"), rational(first, "YResolution")
    unit = integers(first, "ResolutionUnit", (2,))[0]  # inches, where the file does not say
    return TiffStack(
        kind=kind,
        description=description,
        directories=tuple(page.offset for page in pages),
        shapes={place: page.description for place, page in enumerate(pages) if kind == "shaped" and page.is_shaped},
        groups=tuple(_group(page, kind, *places.get(page.index, (0, 0))) for page in pages),
        sizes=tuple((page.imagelength, page.imagewidth) for page in pages),
        byteorder=tiff.byteorder,
        is_big=tiff.is_bigtiff,
        resolution=(across, down, unit) if across and down else None,
        imagej_values={name: value for name, value in (_imagej_values(first) or {}).items() if name not in REGIONS},
        losses=tuple(_losses(first, description if kind == "ome" else "")),
        hidden=hidden,
    )


def _group(page: TiffPage, kind: str, series: int, channel: int) -> tuple[Any, ...]:
    """See `TiffStack.groups`; in other files than OME-TIFF every call of tifffile's writer made a series."""
    return page.keyframe.hash, series if kind == "ome" else 0, channel


def _hidden(tiff: TiffFile, first: TiffPage) -> int:
    """The planes of a file of one page, less that page."""
    if _is_overfull(first):
        return 0
    with contextlib.suppress(Exception):  # see `find_stack`; there are then no axes
        samples = int(np.prod(tiff.series[0].shape))
        return samples // (first.imagelength * first.imagewidth * first.samplesperpixel * first.imagedepth) - 1
    return 0


def _is_overfull(page: TiffPage) -> bool:
    """Whether a page lists more smaller copies (SubIFDs) than a pyramid has; tifffile would read them all."""
    most = 64  # of half the size each
    return len(page.subifds or ()) > most


def _imagej_values(page: TiffPage) -> dict[str, Any] | None:
    """ImageJ's metadata of a page: labels, tables of colours, regions; None where they are damaged."""
    found = page.tags.get(50839)
    if found is None:
        return {}
    return found.value if isinstance(found.value, dict) else None


def _losses(page: TiffPage, description: str) -> Iterator[str]:
    values = _imagej_values(page)
    if values is None:
        yield "ImageJ's metadata is damaged and not kept"
    if REGIONS & (values or {}).keys() or re.search(r"<(?:\w+:)?ROI\b", description):
        yield "regions of interest are not kept: they are in pixels of the source"


def _kind_of(tiff: TiffFile, description: str) -> Literal["ome", "imagej", "shaped", "pages"]:
    if tiff.is_ome and not is_split_ome(description):
        return "ome"
    if tiff.is_imagej:
        return "imagej"
    return "shaped" if tiff.is_shaped else "pages"


def _may_have_channels(tiff: TiffFile, kind: str, pages: list[TiffPage]) -> bool:
    """Whether an axis of channels may be described.

    Others are not given to tifffile, which compares every series with all later ones: that of 10,000 pages written one
    by one takes 16 s.
    """
    if kind == "pages":  # of no maker of microscopes who names axes
        return any(getattr(tiff, f"is_{maker}") for maker in ("fluoview", "mmstack", "ndtiff", "nih", "qpi", "sis"))
    return kind != "shaped" or any(re.search(r'"axes": *"[^"]*C', page.description) for page in pages)


def _places(tiff: TiffFile, pages: list[TiffPage]) -> dict[int, tuple[int, int]]:
    """The series and the channel of each page, by its number; none where tifffile finds no axes."""
    found: dict[int, tuple[int, int]] = {}
    if any(_is_overfull(page) for page in pages):
        return found
    with contextlib.suppress(Exception):  # see `find_stack`; the pages are then of one channel
        for number, series in enumerate(tiff.series):
            channels = _channels(series)
            for page, channel in zip(series.pages, channels, strict=True):
                if page is not None:
                    found[page.index] = (number, channel)
    return found


def _channels(series: TiffPageSeries) -> list[int]:
    """The channel of each page of a series: its place along the axis C, which may not be in the pages."""
    axes, shape, count = series.get_axes(False), series.get_shape(False), len(series.pages)
    leading = next(n for n in range(len(shape) + 1) if int(np.prod(shape[:n])) == count and _are_in_pages(axes[n:]))
    if "C" not in axes[:leading]:
        return [0] * count
    indices = np.unravel_index(np.arange(count), shape[:leading])
    return [int(channel) for channel in indices[axes.index("C")]]


def _are_in_pages(axes: str) -> bool:
    return "Y" in axes and "X" in axes
