"""Metadata of image files: XMP, IPTC, PNG chunks, AVIF boxes; for EXIF see `tiff_tags`.

Reads untrusted bytes: the only exception that leaves is `DamagedBytesError`. Knows nothing about pixels.
"""

from __future__ import annotations

import io
import math
import re
import struct
from dataclasses import dataclass
from typing import BinaryIO

PHOTOSHOP_PREFIX = b"Photoshop 3.0\0"


class DamagedBytesError(ValueError):
    """A structure ends early or points outside itself."""


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """Metadata of an image file, as bytes; None where there is none."""

    icc: bytes | None = None  # the colour profile of the pixels
    exif: bytes | None = None  # with its 6-byte prefix; upright, without thumbnail
    xmp: bytes | None = None  # the packet
    iptc: bytes | None = None  # the bare IPTC-IIM records
    pixels_per_mm: tuple[float, float] | None = None  # (horizontal, vertical) resolution of the upright image
    nodata: str | None = None  # a number, as GDAL's TIFF tag spells it: the value that means no data


def upright_xmp(xmp: bytes) -> bytes:
    """An XMP packet of the same length whose tiff:Orientation is 1."""
    return re.sub(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[2-8](?=\s*[\"'<])", rb"\g<1>1", xmp)


def iptc_of_photoshop(block: bytes) -> bytes | None:
    """The IPTC records of a Photoshop resource block, their form in JPEG; None if it has none."""
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
    """The Photoshop resource block that holds IPTC records in a JPEG file."""
    header = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc))
    return PHOTOSHOP_PREFIX + header + iptc + bytes(len(iptc) % 2)


def png_facts(stream: BinaryIO) -> tuple[int, bool]:
    """Count the frames of a PNG (1 for a still image), and find out whether it states its resolution."""
    frames, states_resolution = 1, False
    stream.seek(8)
    while len(head := stream.read(17)) == 17:  # length and kind of a chunk, and its first bytes
        length, kind, number = struct.unpack_from(">I4sI", head)
        if kind in (b"IDAT", b"IEND"):
            return frames, states_resolution
        if kind == b"acTL":
            frames = number
        elif kind == b"pHYs":
            states_resolution = head[16] == 1
        stream.seek(length - 5, io.SEEK_CUR)
    raise DamagedBytesError("no image data")


def avif_sides(stream: BinaryIO) -> list[int]:
    """All sides, in pixels, that the size boxes near the start of an AVIF file declare."""
    stream.seek(0)
    head = stream.read(1 << 16)
    boxes = [head[match.end() + 4 : match.end() + 12] for match in re.finditer(b"ispe", head)]
    return [side for box in boxes if len(box) == 8 for side in struct.unpack(">II", box)]


def sane_resolution(horizontal: float, vertical: float) -> tuple[float, float] | None:
    """The resolution if it is plausible (0.01 to 10000 pixels per millimetre), else None."""
    fine = all(math.isfinite(value) and 0.01 <= value <= 1e4 for value in (horizontal, vertical))
    return (horizontal, vertical) if fine else None
