"""What image files say besides their pixels: EXIF, XMP, IPTC, PNG chunks, AVIF boxes.

Reads untrusted bytes: the only exception that leaves is `DamagedBytesError`. Knows nothing about pixels.
"""

from __future__ import annotations

import io
import math
import re
import struct
from dataclasses import dataclass
from typing import BinaryIO

from innersr.images.tiff_tags import (
    INTEGER_CODES,
    ORIENTATION,
    RESOLUTION_UNIT,
    X_RESOLUTION,
    Y_RESOLUTION,
    read_directory,
    take,
)

EXIF_PREFIX = b"Exif\0\0"
PHOTOSHOP_PREFIX = b"Photoshop 3.0\0"
MILLIMETRES_PER_UNIT = {2: 25.4, 3: 10.0}  # TIFF ResolutionUnit: inch, centimetre


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a file says besides its pixels, as bytes; None where it says nothing.

    Args:
        icc: the colour profile of the pixels.
        exif: with its 6-byte prefix; upright, without thumbnail.
        xmp: the packet.
        iptc: the bare IPTC-IIM records.
        pixels_per_mm: (horizontal, vertical) resolution of the upright image.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    pixels_per_mm: tuple[float, float] | None = None


def upright_exif(exif: bytes) -> bytes:
    """Return an EXIF block that says upright and links to no thumbnail (which would show the old picture)."""
    stream = io.BytesIO(exif.removeprefix(EXIF_PREFIX))
    directory = read_directory(stream)
    tag = directory.tags.get(ORIENTATION)
    if tag is not None and tag.kind in (3, 4) and tag.count == 1:  # SHORT or LONG, both in place
        stream.seek(tag.at)
        stream.write(struct.pack(f"{directory.order}{INTEGER_CODES[tag.kind]}", 1))
    if len(stream.getbuffer()) >= directory.next_at + 4:
        stream.seek(directory.next_at)
        stream.write(bytes(4))
    return EXIF_PREFIX + stream.getvalue()


def exif_resolution(exif: bytes) -> tuple[float, float] | None:
    """Return pixels per millimetre (horizontal, vertical) as an EXIF block has them, None if it says nothing."""
    stream = io.BytesIO(exif.removeprefix(EXIF_PREFIX))
    directory = read_directory(stream)
    unit = MILLIMETRES_PER_UNIT.get(directory.integers(stream, RESOLUTION_UNIT, (2,))[0])
    horizontal = directory.rational(stream, X_RESOLUTION)
    vertical = directory.rational(stream, Y_RESOLUTION)
    if not unit or not horizontal or not vertical:
        return None
    return sane_resolution(horizontal / unit, vertical / unit)


def upright_xmp(xmp: bytes) -> bytes:
    """Return an XMP packet of the same length whose tiff:Orientation is 1."""
    return re.sub(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[2-8](?=\s*[\"'<])", rb"\g<1>1", xmp)


def iptc_of_photoshop(block: bytes) -> bytes | None:
    """Return the IPTC records of a Photoshop resource block, the form they have in JPEG; None if it has none."""
    at = len(PHOTOSHOP_PREFIX)
    while block[at : at + 4] == b"8BIM" and len(block) >= at + 12:
        kind, name_length = struct.unpack_from(">HB", block, at + 4)
        at += 6 + (name_length + 2) // 2 * 2
        if len(block) < at + 4:
            return None
        (length,) = struct.unpack_from(">I", block, at)
        if kind == 0x0404:
            return block[at + 4 : at + 4 + length]
        at += 4 + (length + 1) // 2 * 2
    return None


def photoshop_of_iptc(iptc: bytes) -> bytes:
    """Return the Photoshop resource block that holds IPTC records in a JPEG file."""
    header = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc))
    return PHOTOSHOP_PREFIX + header + iptc + bytes(len(iptc) % 2)


def png_facts(stream: BinaryIO) -> tuple[int, bool]:
    """Return the number of animation frames (1 for a still image), and whether a PNG states its resolution."""
    frames, states_resolution = 1, False
    at = 8
    while True:
        length, kind = take(stream, at, ">I4s")
        if kind in (b"IDAT", b"IEND"):
            return frames, states_resolution
        if kind == b"acTL":
            (frames,) = take(stream, at + 8, ">I")
        elif kind == b"pHYs":
            states_resolution = take(stream, at + 8, ">IIB")[2] == 1
        at += 12 + length


def avif_sides(stream: BinaryIO) -> list[int]:
    """Return every side, in pixels, that the size boxes near the start of an AVIF file declare."""
    stream.seek(0)
    head = stream.read(1 << 16)
    boxes = [head[match.end() + 4 : match.end() + 12] for match in re.finditer(b"ispe", head)]
    return [side for box in boxes if len(box) == 8 for side in struct.unpack(">II", box)]


def sane_resolution(horizontal: float, vertical: float) -> tuple[float, float] | None:
    """Return the resolution if a printer could mean it (0.01 to 10000 pixels per millimetre), else None."""
    fine = all(math.isfinite(value) and 0.01 <= value <= 1e4 for value in (horizontal, vertical))
    return (horizontal, vertical) if fine else None
