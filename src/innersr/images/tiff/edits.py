"""Tags of TIFF files and EXIF blocks changed after libvips has written them."""

from __future__ import annotations

import io
import re
import struct
import zlib
from typing import BinaryIO

from tifffile import EXTRASAMPLE

from innersr.images.metadata import Metadata
from innersr.images.tiff.tags import first_page


def declare_extra_samples(stream: BinaryIO, *, has_alpha: bool) -> None:
    """Overwrite ExtraSamples of a written TIFF: data bands are data, only a last alpha is alpha.

    libvips 8.18 declares every band above the first or third to be alpha.
    """
    with first_page(stream) as page:
        if (tag := page.tags.get("ExtraSamples")) is not None:
            last = EXTRASAMPLE.UNASSALPHA if has_alpha else EXTRASAMPLE.UNSPECIFIED
            tag.overwrite([0] * (tag.count - 1) + [int(last)])


def finish_tiff(stream: BinaryIO, metadata: Metadata, *, has_alpha: bool) -> None:
    """Put right in a written TIFF what libvips cannot: its data bands, resolution, no-data value and description."""
    declare_extra_samples(stream, has_alpha=has_alpha)
    if metadata.pixels_per_mm is None:
        with first_page(stream) as page:
            unit = page.tags["ResolutionUnit"]
            unit.overwrite(1)  # of no unit: square pixels of unknown size
            for name in ("XResolution", "YResolution"):
                page.tags[name].overwrite((1, 1))
    for _, text in metadata.texts:
        add_text_tag(stream, 270, text)
    if metadata.nodata is not None:
        add_text_tag(stream, 42113, metadata.nodata)


def add_text_tag(stream: BinaryIO, code: int, value: str) -> None:
    """Add a tag of text to a written TIFF or BigTIFF: a copy of its directory with one entry more, at its end."""
    with first_page(stream) as page:
        order, start, is_big = page.parent.byteorder, page.offset, page.parent.is_bigtiff
    # Formats of the count of entries, of an entry's code, type and length, and of an offset; its place in the header.
    count_format, entry_format, offset_format, link = ("Q", "HHQ", "Q", 8) if is_big else ("H", "HHI", "I", 4)
    offset_size, entry_size = struct.calcsize(offset_format), struct.calcsize(f"={entry_format}{offset_format}")
    stream.seek(start)
    (count,) = struct.unpack(f"{order}{count_format}", stream.read(struct.calcsize(count_format)))
    entries = [stream.read(entry_size) for _ in range(count)]
    following = stream.read(offset_size)
    text = value.encode("utf-8") + b"\0"
    place = _appended(stream, text) if len(text) > offset_size else None
    ascii_type = 2
    entry = struct.pack(f"{order}{entry_format}", code, ascii_type, len(text))
    entry += text.ljust(offset_size, b"\0") if place is None else struct.pack(f"{order}{offset_format}", place)
    entries = sorted([*entries, entry], key=lambda each: struct.unpack_from(f"{order}H", each))
    directory = struct.pack(f"{order}{count_format}", len(entries)) + b"".join(entries) + following
    place = _appended(stream, directory)
    stream.seek(link)
    stream.write(struct.pack(f"{order}{offset_format}", place))


def drop_exif_resolution(stream: BinaryIO) -> None:
    """Take the resolution out of the EXIF block of a written PNG, JPEG, WebP or AVIF file; libvips always adds one."""
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


def _appended(stream: BinaryIO, data: bytes) -> int:
    """Write bytes at the end of a file, at an even place as TIFF demands; return that place."""
    end = stream.seek(0, io.SEEK_END)
    stream.write(bytes(end % 2) + data)
    return end + end % 2
