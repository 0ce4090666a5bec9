"""TIFF directories: the tags of TIFF files and of EXIF blocks, which are one.

Reads untrusted bytes: the only exception that leaves is `DamagedBytesError`. Knows nothing about pixels.
"""

from __future__ import annotations

import functools
import io
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

# TIFF 6.0 and EXIF 2.3 tag numbers.
WIDTH, HEIGHT, BITS_PER_SAMPLE, COMPRESSION, PHOTOMETRIC, SAMPLES_PER_PIXEL = 256, 257, 258, 259, 262, 277
STRIP_OFFSETS, ROWS_PER_STRIP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS = 273, 278, 322, 323, 324
ORIENTATION, X_RESOLUTION, Y_RESOLUTION, PLANAR, RESOLUTION_UNIT = 274, 282, 283, 284, 296
EXTRA_SAMPLES, SAMPLE_FORMAT, SUBFILE_KIND, DNG_VERSION = 338, 339, 254, 50706

TAGS_NOT_KEPT = {
    33550: "georeferencing",
    33922: "georeferencing",
    34264: "georeferencing",
    34735: "georeferencing",
    34665: "EXIF",
    34853: "GPS position",
    271: "camera, date and author",
    306: "camera, date and author",
    315: "camera, date and author",
    33432: "camera, date and author",
    42113: "the GDAL no-data value",
}

UNCOMPRESSED, REDUCED = 1, 1
MIN_IS_BLACK, RGB, INKS, SUBSAMPLED = 1, 2, 5, 6
SEPARATE = 2
ASSOCIATED, UNASSOCIATED = 1, 2
IEEE_FLOAT, COMPLEX = 3, (5, 6)
INTEGER_CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}  # TIFF field type -> struct code
FIELD_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 1, 1, 8, 8, 8)  # bytes, by TIFF field type
MOST_TAGS = 4096  # of one directory; real files have below 100
MOST_VALUES = 16384  # of one tag; libtiff stops at 10000 samples per pixel


class DamagedBytesError(ValueError):
    """A structure ends early or points outside itself."""


@dataclass(frozen=True, kw_only=True)
class Tag:
    """One directory entry: its field type, number of values, and where they start in the stream."""

    kind: int
    count: int
    at: int


@dataclass(frozen=True, kw_only=True)
class Directory:
    """The first directory of a TIFF stream. `order` is "<" or ">", `next_at` points to the link to the next."""

    order: str
    tags: dict[int, Tag]
    next_at: int

    def integers(self, stream: BinaryIO, number: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Return the integer values of one tag, `default` when it is missing or not integer."""
        tag = self.tags.get(number)
        if tag is None or tag.kind not in INTEGER_CODES or not 0 < tag.count <= MOST_VALUES:
            return default
        return take(stream, tag.at, f"{self.order}{tag.count}{INTEGER_CODES[tag.kind]}")

    def rational(self, stream: BinaryIO, number: int) -> float | None:
        """Return the first value of an unsigned rational tag, None when it is missing or divides by zero."""
        tag = self.tags.get(number)
        if tag is None or tag.kind != 5 or tag.count < 1:
            return None
        above, below = take(stream, tag.at, f"{self.order}2I")
        return above / below if below else None


def read_directory(stream: BinaryIO) -> Directory:
    """Return the first directory of a TIFF or BigTIFF stream. An EXIF block without its prefix is one."""
    order = {b"II": "<", b"MM": ">"}.get(take_bytes(stream, 0, 2))
    if order is None:
        raise DamagedBytesError("no byte order mark")
    (magic,) = take(stream, 2, f"{order}H")
    if magic == 43:
        (start,) = take(stream, 8, f"{order}Q")
        (count,) = take(stream, start, f"{order}Q")
        head, entry, inline = 8, f"{order}HHQ8x", 8
    elif magic == 42:
        (start,) = take(stream, 4, f"{order}I")
        (count,) = take(stream, start, f"{order}H")
        head, entry, inline = 2, f"{order}HHI4x", 4
    else:
        raise DamagedBytesError("no TIFF mark")
    if count > MOST_TAGS:
        raise DamagedBytesError(f"{count} tags in one directory")
    size = struct.calcsize(entry)
    block = take_bytes(stream, start + head, count * size)
    tags: dict[int, Tag] = {}
    for index, (number, kind, values) in enumerate(struct.iter_unpack(entry, block)):
        at = start + head + (index + 1) * size - inline
        if kind < len(FIELD_SIZES) and values * FIELD_SIZES[kind] > inline:
            (at,) = take(stream, at, f"{order}{'Q' if inline == 8 else 'I'}")
        tags[number] = Tag(kind=kind, count=values, at=at)
    return Directory(order=order, tags=tags, next_at=start + head + count * size)


@dataclass(frozen=True, kw_only=True)
class TiffFacts:
    """What a TIFF file says of its samples, beyond what libvips passes on."""

    samples: int  # per pixel
    half: bool  # 16-bit floating point, which libvips widens to 32
    has_alpha: bool
    premultiplied: bool
    not_kept: tuple[str, ...]  # what it holds that no output of ours will
    refusal: str | None  # why it must not be given to libvips, and what to do
    relabel: bool  # whether libvips reads it right only when `relabelled`


def tiff_facts(stream: BinaryIO) -> TiffFacts:
    """Return what the first directory of a TIFF file says.

    Alpha is what ExtraSamples declares: exactly one alpha, the last one. libvips itself calls the fourth
    band of every RGB file alpha, so the near-infrared of a satellite image would be.
    """
    directory = read_directory(stream)
    one = functools.partial(_one, stream, directory)
    samples, photometric = one(SAMPLES_PER_PIXEL, 1), one(PHOTOMETRIC, MIN_IS_BLACK)
    bits, kind = one(BITS_PER_SAMPLE, 1), one(SAMPLE_FORMAT, 1)
    half = bits == 16 and kind == IEEE_FLOAT
    extra = directory.integers(stream, EXTRA_SAMPLES)
    alphas = [index for index, value in enumerate(extra) if value in (ASSOCIATED, UNASSOCIATED)]
    separate = samples > 1 and one(PLANAR, 1) == SEPARATE
    refusal = _damage(stream, directory, samples * bits)
    if DNG_VERSION in directory.tags or one(SUBFILE_KIND, 0) & REDUCED:
        refusal = "it is a camera raw file, or begins with a small preview; develop it to a TIFF first"
    elif kind in COMPLEX:
        refusal = "its samples are complex; save their real part or magnitude as a 32-bit float file"
    elif bits > 32:
        refusal = (
            f"its samples have {bits} bits and at most 32 are read; convert it first, "
            "for example gdal_translate -ot Float32 in.tif out.tif"
        )
    elif separate and (TILE_WIDTH in directory.tags or half or photometric not in (MIN_IS_BLACK, RGB, INKS)):
        refusal = (
            "its bands are stored as separate planes in a way that is not read; rewrite it "
            "pixel by pixel, for example gdal_translate -co INTERLEAVE=PIXEL in.tif out.tif"
        )
    return TiffFacts(
        samples=samples,
        half=half,
        has_alpha=alphas == [len(extra) - 1],
        premultiplied=ASSOCIATED in extra,
        not_kept=tuple(dict.fromkeys(TAGS_NOT_KEPT[number] for number in TAGS_NOT_KEPT if number in directory.tags)),
        refusal=refusal,
        # libvips 8.18 reads planes of this kind with the row length of one band: every row after the first
        # of a strip is wrong, silently (tiff2vips.c, rtiff_stripwise_generate).
        relabel=separate and photometric == MIN_IS_BLACK,
    )


def relabelled(stream: BinaryIO) -> bytes:
    """Return a TIFF file with its colour kind overwritten by RGB, for which libvips reads planes correctly."""
    directory = read_directory(stream)
    tag = directory.tags.get(PHOTOMETRIC)
    stream.seek(0)
    data = bytearray(stream.read())
    if tag is not None and tag.kind in INTEGER_CODES:
        struct.pack_into(f"{directory.order}{INTEGER_CODES[tag.kind]}", data, tag.at, RGB)
    return bytes(data)


def declare_extra_samples(stream: BinaryIO, *, has_alpha: bool) -> None:
    """Overwrite ExtraSamples of a written TIFF: data bands are data, only a last alpha is alpha.

    libvips 8.18 declares every band above the first or third to be alpha.
    """
    directory = read_directory(stream)
    tag = directory.tags.get(EXTRA_SAMPLES)
    if tag is not None:
        values = [0] * (tag.count - 1) + [UNASSOCIATED if has_alpha else 0]
        stream.seek(tag.at)
        stream.write(struct.pack(f"{directory.order}{tag.count}{INTEGER_CODES[tag.kind]}", *values))


def _one(stream: BinaryIO, directory: Directory, number: int, default: int) -> int:
    return directory.integers(stream, number, (default,))[0]


def _damage(stream: BinaryIO, directory: Directory, bits_per_pixel: int) -> str | None:
    """Return why a header cannot be true. libvips believes it, and takes minutes and gigabytes to find out."""
    one = functools.partial(_one, stream, directory)
    width, height = one(WIDTH, 0), one(HEIGHT, 0)
    promised = width * height * bits_per_pixel // 8
    raw = one(COMPRESSION, UNCOMPRESSED) == UNCOMPRESSED and one(PHOTOMETRIC, MIN_IS_BLACK) != SUBSAMPLED
    if raw and promised > stream.seek(0, io.SEEK_END):
        return f"it is cut short (its header promises {promised} bytes of pixels); get the file again"
    if TILE_WIDTH in directory.tags:
        tile_width, tile_height = max(one(TILE_WIDTH, 1), 1), max(one(TILE_HEIGHT, 1), 1)
        pieces, listing = -(-width // tile_width) * -(-height // tile_height), TILE_OFFSETS
    else:
        pieces, listing = -(-height // max(min(one(ROWS_PER_STRIP, height), height), 1)), STRIP_OFFSETS
    listed = directory.tags[listing].count if listing in directory.tags else 0
    if listed < pieces:
        return f"it is damaged (it lists {listed} of {pieces} pieces); get the file again"
    return None


def take(stream: BinaryIO, at: int, layout: str) -> tuple[Any, ...]:
    """Return the values of a `struct` layout at a position of a stream, or raise `DamagedBytesError`."""
    return struct.unpack(layout, take_bytes(stream, at, struct.calcsize(layout)))


def take_bytes(stream: BinaryIO, at: int, count: int) -> bytes:
    """Return bytes at a position of a stream, or raise `DamagedBytesError`."""
    if not 0 <= at < 1 << 62:
        raise DamagedBytesError(f"an offset of {at}")
    stream.seek(at)
    data = stream.read(count)
    if len(data) != count:
        raise DamagedBytesError(f"{count} bytes expected at {at}")
    return data
