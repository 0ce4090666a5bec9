"""Tags of TIFF files and EXIF blocks changed after libvips has written them."""

from __future__ import annotations

import io
import re
import struct
import zlib
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


def drop_exif_resolution(stream: BinaryIO) -> None:
    """Remove the resolution from the EXIF block of a written PNG, JPEG, WebP or AVIF file; libvips always adds one."""
    stream.seek(0)
    data = stream.read()
    found = re.search(rb"(?:Exif\0\0|eXIf)(?=II\*\0|MM\0\*)", data)
    if found is None:
        return
    order, start = "<" if data[found.end()] == 0x49 else ">", found.end()
    (place,) = struct.unpack_from(f"{order}I", data, start + 4)
    (count,) = struct.unpack_from(f"{order}H", data, start + place)
    entries_end = start + place + 2 + 12 * count
    entries = [data[at : at + 12] for at in range(start + place + 2, entries_end, 12)]
    resolution = (282, 283, 296)  # XResolution, YResolution, ResolutionUnit
    kept = [entry for entry in entries if struct.unpack_from(f"{order}H", entry)[0] not in resolution]
    directory = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + data[entries_end : entries_end + 4]
    stream.seek(start + place)
    stream.write(directory.ljust(2 + 12 * count + 4, b"\0"))
    if found[0] == b"eXIf":  # whose chunk ends with a checksum
        (length,) = struct.unpack_from(">I", data, found.start() - 4)
        stream.seek(found.start())
        checksum = zlib.crc32(stream.read(4 + length))
        stream.write(struct.pack(">I", checksum))


def in_order(tag: TiffTag, order: str) -> bytes:
    """The values of a tag in the byte order of a file."""
    size = len(tag.data) // tag.count
    return np.frombuffer(tag.data, f"<u{size}").astype(f"{order}u{size}").tobytes()


def _appended(stream: BinaryIO, data: bytes) -> int:
    """Write bytes at the end of a file, at an even place as TIFF demands; return that place."""
    end = stream.seek(0, io.SEEK_END)
    stream.write(bytes(end % 2) + data)
    return end + end % 2
