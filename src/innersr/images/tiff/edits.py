"""Tags of TIFF files changed after libvips has written them."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from tifffile import EXTRASAMPLE, PHOTOMETRIC, TiffPage

from innersr.images.metadata import PALETTE, Metadata, TiffTag
from innersr.images.tiff.tags import pages_of, tiff_page


def declare_extra_samples(stream: BinaryIO, *, has_alpha: bool) -> None:
    """Overwrite ExtraSamples of a written TIFF: data bands are data, only a last alpha is alpha.

    libvips 8.18 declares every band above the first or third to be alpha.
    """
    with tiff_page(stream) as page:
        for each in _with_smaller_copies(page):
            if (tag := each.tags.get("ExtraSamples")) is not None:
                last = EXTRASAMPLE.UNASSALPHA if has_alpha else EXTRASAMPLE.UNSPECIFIED
                tag.overwrite([0] * (tag.count - 1) + [int(last)])


def _with_smaller_copies(first: TiffPage) -> Iterator[TiffPage]:
    """All pages of a written TIFF, and those in sub-directories."""
    for page in pages_of(first.parent):
        yield page
        for smaller in page.pages or ():
            assert isinstance(smaller, TiffPage)  # tifffile makes frames only on request
            yield smaller


def from_white(samples: np.ndarray, metadata: Metadata) -> tuple[np.ndarray, Metadata]:
    """Samples of a file whose 0 is white, with its no-data value: integers are inverted, floats are not."""
    if samples.dtype.kind == "f":
        return samples, metadata
    white = np.iinfo(samples.dtype).max
    if metadata.nodata is not None:
        metadata = replace(metadata, nodata=f"{white - float(metadata.nodata):.17g}")
    return white - samples, metadata


def declare_white(stream: BinaryIO) -> None:
    """Declare that 0 is white in a written TIFF of greys."""
    with tiff_page(stream) as page:
        for each in _with_smaller_copies(page):
            if each.photometric == PHOTOMETRIC.MINISBLACK:
                each.tags["PhotometricInterpretation"].overwrite(int(PHOTOMETRIC.MINISWHITE))


def finish_tiff(stream: BinaryIO, metadata: Metadata, *, has_alpha: bool) -> None:
    """Correct a written TIFF where libvips cannot: its bands, resolution, no-data value and description."""
    declare_extra_samples(stream, has_alpha=has_alpha)
    if any(tag.code == PALETTE for tag in metadata.tags):
        with tiff_page(stream) as page:
            page.tags["PhotometricInterpretation"].overwrite(int(PHOTOMETRIC.PALETTE))
    if metadata.pixels_per_mm is None:
        with tiff_page(stream) as page:
            unit = page.tags["ResolutionUnit"]
            unit.overwrite(1)  # of no unit: square pixels of unknown size
            for name in ("XResolution", "YResolution"):
                page.tags[name].overwrite((1, 1))
    nodata = [] if metadata.nodata is None else [text_tag(42113, metadata.nodata)]
    add_tags(stream, [*(text_tag(270, text) for _, text in metadata.texts), *nodata, *metadata.tags])


def text_tag(code: int, text: str) -> TiffTag:
    """A tag of text, which is UTF-8."""
    data = text.encode("utf-8") + b"\0"
    return TiffTag(code=code, kind=2, count=len(data), data=data, words="a text")


def add_tags(stream: BinaryIO, tags: Sequence[TiffTag]) -> None:
    """Add tags to the first page of a written TIFF or BigTIFF, in place of those of the same code.

    A copy of its directory with more entries is put at its end.
    """
    if not tags:
        return
    with tiff_page(stream) as page:
        order, start, is_big = page.parent.byteorder, page.offset, page.parent.is_bigtiff
    # Formats of the count of entries, of an entry's code, type and length, and of an offset; its place in the header.
    count_format, entry_format, offset_format, link = ("Q", "HHQ", "Q", 8) if is_big else ("H", "HHI", "I", 4)
    offset_size, entry_size = struct.calcsize(offset_format), struct.calcsize(f"={entry_format}{offset_format}")
    stream.seek(start)
    (count,) = struct.unpack(f"{order}{count_format}", stream.read(struct.calcsize(count_format)))
    entries = {}
    for entry in (stream.read(entry_size) for _ in range(count)):
        entries[struct.unpack_from(f"{order}H", entry)[0]] = entry
    following = stream.read(offset_size)
    for tag in tags:
        data = in_order(tag, order)
        place = _appended(stream, data) if len(data) > offset_size else None
        entry = struct.pack(f"{order}{entry_format}", tag.code, tag.kind, tag.count)
        entry += data.ljust(offset_size, b"\0") if place is None else struct.pack(f"{order}{offset_format}", place)
        entries[tag.code] = entry
    listed = b"".join(entries[code] for code in sorted(entries))
    place = _appended(stream, struct.pack(f"{order}{count_format}", len(entries)) + listed + following)
    stream.seek(link)
    stream.write(struct.pack(f"{order}{offset_format}", place))


def in_order(tag: TiffTag, order: str) -> bytes:
    """The values of a tag in the byte order of a file."""
    size = len(tag.data) // tag.count
    return np.frombuffer(tag.data, f"<u{size}").astype(f"{order}u{size}").tobytes()


def _appended(stream: BinaryIO, data: bytes) -> int:
    """Write bytes at the end of a file, at an even place as TIFF demands; return that place."""
    end = stream.seek(0, io.SEEK_END)
    stream.write(bytes(end % 2) + data)
    return end + end % 2
