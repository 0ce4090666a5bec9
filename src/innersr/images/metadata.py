"""Metadata of image files, and IPTC; for EXIF see `tiff.tags`, for the formats `containers`.

Reads untrusted bytes: the only exception that leaves is `DamagedBytesError`. Knows nothing about pixels.
"""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import BinaryIO

import numpy as np

PALETTE = 320  # the tag of a TIFF with the colours of indices
PHOTOSHOP_PREFIX = b"Photoshop 3.0\0"


class DamagedBytesError(ValueError):
    """A structure ends early or points outside itself."""


@dataclass(frozen=True, kw_only=True)
class TiffTag:
    """A tag of a TIFF file that is kept in another one."""

    code: int
    kind: int  # the code of its values' type: 2 text, 3 two-byte integers, 12 eight-byte floats
    count: int  # of its values
    data: bytes  # the values, the least byte of each first
    words: str  # that a note calls it by; none where no note is needed

    def doubles(self) -> np.ndarray:
        """The values of a tag of eight-byte floats."""
        return np.frombuffer(self.data, "<f8").copy()


@dataclass(frozen=True, kw_only=True)
class TiffLayout:
    """How a TIFF file stores its pixels, and how it is written again."""

    compression: str = "deflate"  # or none, zstd, lzw
    zero_is_white: bool = False  # MINISWHITE
    overviews: int = 0  # smaller copies of the picture, as further pages; at least so many are made again


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """Metadata of an image file, as bytes; None where there is none."""

    icc: bytes | None = None  # the colour profile of the pixels
    exif: bytes | None = None  # with its 6-byte prefix; upright, without thumbnail
    xmp: bytes | None = None  # the packet
    iptc: bytes | None = None  # the bare IPTC-IIM records
    pixels_per_mm: tuple[float, float] | None = None  # (horizontal, vertical) resolution of the upright image
    pixel_ratio: tuple[int, int] | None = None  # pixels across and down on one length, where they are not square
    nodata: str | None = None  # a number, as GDAL's TIFF tag spells it: the value that means no data
    code_points: bytes | None = None  # primaries, transfer, matrix, range of H.273, of HDR, which no profile describes
    texts: tuple[tuple[str, str], ...] = ()  # keyword ("Description", "Comment", ...) and text
    tags: tuple[TiffTag, ...] = ()  # of a TIFF, such as those that say where a map lies

    def stretched(self, vertical: float, horizontal: float) -> Metadata:
        """The metadata of a result of these scales: pixels get another shape if they differ."""
        if self.pixel_ratio is None or vertical == horizontal:
            return self
        across, down = self.pixel_ratio
        ratio = Fraction(across * horizontal / (down * vertical)).limit_denominator(10_000)
        is_square = ratio.numerator == ratio.denominator
        return replace(self, pixel_ratio=None if is_square else (ratio.numerator, ratio.denominator))

    @property
    def is_of_map(self) -> bool:
        """Whether it says where on Earth the picture lies, or has GDAL's words about its bands."""
        return any(tag.words in ("georeferencing", "GDAL's metadata") for tag in self.tags)


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """Facts about the picture in a file that libvips does not report."""

    frames: int | None = None  # pictures, None where libvips counts them
    states_resolution: bool = False  # whether the resolution of libvips is in the file
    pixel_ratio: tuple[int, int] | None = None  # as in `Metadata`
    icc: bytes | None = None  # a profile in place of the embedded one
    code_points: bytes | None = None  # as in `Metadata`
    texts: tuple[tuple[str, str], ...] = ()  # as in `Metadata`
    tags: tuple[TiffTag, ...] = ()  # as in `Metadata`
    layout: TiffLayout = TiffLayout()
    parts: int = 0  # of the pages that libvips counts, those that are overviews and masks of the first
    is_lossless: bool = False  # whether the values were stored exactly, by a format that need not
    is_unended: bool = False  # whether a JPEG lacks the marker of its end
    notes: tuple[str, ...] = ()  # sentences about what is not kept


def notes_of_bits(bits: int) -> tuple[str, ...]:
    """A note about samples of fewer bits than any result has."""
    return (f"its samples of {bits} bit{'s' * (bits > 1)} become 8 bits",) if bits < 8 else ()


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


def insert_bytes(stream: BinaryIO, place: int, data: bytes) -> None:
    """Insert bytes into a file; the rest of it moves."""
    block = 1 << 20
    end = stream.seek(0, io.SEEK_END)
    while end > place:
        begin = max(place, end - block)
        stream.seek(begin)
        moved = stream.read(end - begin)
        stream.seek(begin + len(data))
        stream.write(moved)
        end = begin
    stream.seek(place)
    stream.write(data)


def remove_bytes(stream: BinaryIO, place: int, count: int) -> None:
    """Remove bytes from a file; the rest of it moves."""
    block = 1 << 20
    stream.seek(place + count)
    while moved := stream.read(block):
        stream.seek(place)
        stream.write(moved)
        place += len(moved)
        stream.seek(place + count)
    stream.truncate(place)


def without_place(metadata: Metadata) -> tuple[Metadata, list[str]]:
    """The metadata of an image that was turned upright, without georeferencing, which would be wrong; and a note."""
    kept = tuple(tag for tag in metadata.tags if tag.words != "georeferencing")
    notes = [f"{not_kept('georeferencing')}: the image was turned upright"] * (kept != metadata.tags)
    return replace(metadata, tags=kept), notes


def sane_ratio(across: int, down: int) -> tuple[int, int] | None:
    """The shape of pixels if it is plausible and they are not square, else None."""
    most = 100
    return (across, down) if across != down and 0 < down <= most * across <= most * most * down else None


def not_kept(words: str) -> str:
    """The note that a part of a TIFF, called by these words, is lost."""
    is_plural = " and " in words or words.startswith("further")
    return f"{words} of the TIFF {'are' if is_plural else 'is'} not kept"


def sane_resolution(horizontal: float, vertical: float) -> tuple[float, float] | None:
    """The resolution if it is plausible (0.01 to 10000 pixels per millimetre), else None."""
    fine = all(math.isfinite(value) and 0.01 <= value <= 1e4 for value in (horizontal, vertical))
    return (horizontal, vertical) if fine else None
