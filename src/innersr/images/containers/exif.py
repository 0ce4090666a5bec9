"""EXIF blocks: tags that encoders do not write again, because they are damaged or unknown, and tags that they add."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import pyvips

from innersr.libvips import libvips_alone

Place = tuple[str, int]  # the name of a directory, and the code of a tag
POINTERS = {34665: "Exif", 34853: "GPS", 40965: "Interoperability"}  # tags that hold the place of a directory
RESOLUTION = (282, 283, 296)  # XResolution, YResolution, ResolutionUnit
ORDERS = {b"II": "<", b"MM": ">"}  # of bytes


def lost_parts(exif: bytes) -> list[str]:
    """What an encoder of libvips leaves out of an EXIF block with its prefix, in words for a note."""
    before, after = dict(_tags(exif)), dict(_tags(_written_again(exif)))
    lost = {place for place, value in before.items() if any(value) and not any(after.get(place, b""))}
    maker_note = ("Exif", 37500)
    words = ["GPS position"] * any(directory == "GPS" for directory, _ in lost)
    words += ["camera settings"] * (("Exif", 0) in lost)
    words += ["MakerNote"] * (maker_note in lost)
    others = sum(code != 0 and directory != "GPS" and (directory, code) != maker_note for directory, code in lost)
    return words + [f"{others} other tag{'s' * (others > 1)}"] * (others > 0)


def drop_invented_tags(stream: BinaryIO, exif: bytes | None, *, has_resolution: bool, adds_resolution: bool) -> None:
    """Remove the tags of the EXIF block of a written PNG, JPEG, WebP or AVIF file that its source has not.

    libvips adds a resolution, versions and the colour space "uncalibrated" to every block.

    Args:
        stream: the file, in which the block has its prefix, or the name of a chunk of PNG.
        exif: the block of the source.
        has_resolution: whether the picture has a resolution.
        adds_resolution: whether the block holds it even if that of the source has none.
    """
    stream.seek(0)
    data = stream.read()
    found = re.search(rb"(?:Exif\0\0|eXIf)(?=II\*\0|MM\0\*)", data)
    if found is None:
        return
    block, resolution = data[found.end() :], {("first", code) for code in RESOLUTION}
    source = (exif or b"").removeprefix(b"Exif\0\0")
    wanted = {(name, code) for name, _, entries in _directories(source) for code, _ in entries}
    wanted -= {("first", 256), ("first", 257)}  # the size of the source
    wanted = wanted - resolution if not has_resolution else wanted | resolution if adds_resolution else wanted
    order, directories = ORDERS[block[:2]], [*_directories(block)]
    filled = {name for name, _, entries in directories if any((name, code) in wanted for code, _ in entries)}
    for name, start, entries in directories:
        rows = zip(range(start + 2, len(block), 12), entries, strict=False)
        codes = [(place, code) for place, (code, _) in rows if (name, code) in wanted]
        kept = [block[place : place + 12] for place, code in codes if POINTERS.get(code, name) in filled]
        end = start + 2 + 12 * len(entries)
        directory = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + block[end : end + 4]
        stream.seek(found.end() + start)
        stream.write(directory.ljust(end + 4 - start, b"\0"))
    if found[0] == b"eXIf":  # whose chunk ends with a checksum
        (length,) = struct.unpack_from(">I", data, found.start() - 4)
        stream.seek(found.start())
        checksum = zlib.crc32(stream.read(4 + length))
        stream.write(struct.pack(">I", checksum))


@libvips_alone()
def _written_again(exif: bytes) -> bytes:
    image = pyvips.Image.black(1, 1).copy()
    image.set_type(pyvips.GValue.blob_type, "exif-data", exif)
    try:
        image = pyvips.Image.pngload_buffer(image.pngsave_buffer(keep="exif"))
    except pyvips.Error:
        return exif  # what is wrong will be said when the file itself is written
    return bytes(image.get("exif-data")) if image.get_typeof("exif-data") else b""


def _tags(exif: bytes) -> Iterator[tuple[Place, bytes]]:
    """The tags of all directories and how their values begin; tag 0 stands for a directory that cannot be read."""
    # Pixels, resolution, orientation and versions are written anew; the second directory, a thumbnail's, is not kept.
    anew = (274, 282, 283, 296, 531, 36864, 37121, 40960, 40961, 40962, 40963)
    for directory, _, entries in _directories(exif.removeprefix(b"Exif\0\0")):
        if not entries:
            yield (directory, 0), b"damaged"
        for code, value in entries:
            if code not in anew and code not in POINTERS:
                yield (directory, code), value


def _directories(data: bytes) -> Iterator[tuple[str, int, list[tuple[int, bytes]]]]:
    """Name, place and entries of all directories of an EXIF block without its prefix."""
    order = ORDERS.get(data[:2])
    if order is None or len(data) < 8:
        return
    starts = {"first": int(struct.unpack_from(f"{order}I", data, 4)[0])}
    names = ["first"]
    for directory in names:  # which grows
        is_another = [*starts.values()].count(starts[directory]) == 1
        entries = _entries(data, starts[directory], order) if is_another else []
        for code, value in entries:
            name = POINTERS.get(code)
            if name is not None and name not in starts and len(value) == 4:
                starts[name] = int(struct.unpack(f"{order}I", value)[0])
                names.append(name)
        yield directory, starts[directory], entries


def _entries(data: bytes, start: int, order: str) -> list[tuple[int, bytes]]:
    """Code and first bytes of each tag of a directory that lies within the block; none where it is no directory."""
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # bytes of a value, by type
    most = 64  # bytes of a value that are looked at: many tags may claim one large value
    if start + 2 > len(data):
        return []
    (count,) = struct.unpack_from(f"{order}H", data, start)
    found = []
    for at in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        code, kind, number = struct.unpack_from(f"{order}HHI", data, at)
        size = sizes.get(kind, 0) * number
        place = at + 8 if size <= 4 else struct.unpack_from(f"{order}I", data, at + 8)[0]
        found.append((code, data[place : place + min(size, most)] or b"damaged"))
    return found
