"""Animated GIF and PNG files, byte by byte: what no encoder would write."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

BLACK, RED, GREEN, BLUE = (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)


@dataclass(frozen=True, kw_only=True)
class GifFrame:
    """A rectangle of one colour of the palette; `delay` in hundredths of a second, None without any control."""

    colour: int
    x: int = 0
    y: int = 0
    width: int = 16
    height: int = 12
    delay: int | None = 5
    disposal: int = 1
    transparent: int | None = None
    palette: tuple[tuple[int, int, int], ...] | None = None


def gif(*frames, loop=None, size=(16, 12), palette=(BLACK, RED, GREEN, BLUE)):
    """The bytes of a GIF of (width, height) `size`."""
    data = b"GIF89a" + struct.pack("<HHBBB", *size, 0xF7, 0, 0) + _palette(palette)
    if loop is not None:
        data += b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loop) + b"\0"
    for frame in frames:
        if frame.delay is not None:
            flags = frame.disposal << 2 | (frame.transparent is not None)
            data += b"!\xf9\x04" + struct.pack("<BHB", flags, frame.delay, frame.transparent or 0) + b"\0"
        place = struct.pack("<HHHHB", frame.x, frame.y, frame.width, frame.height, 0x87 if frame.palette else 0)
        data += b"," + place + (_palette(frame.palette) if frame.palette else b"")
        data += _codes([frame.colour] * frame.width * frame.height)
    return data + b";"


def _palette(colours):
    return b"".join(bytes(colour) for colour in colours).ljust(768, b"\0")


def _codes(indices):
    """LZW of nine bits that never grow: the table is cleared in time."""
    bits, count = 0, 0
    for number, index in enumerate([*indices, 257]):  # 257 is the end
        for code in ([256] if number % 250 == 0 else []) + [index]:
            bits |= code << (9 * count)
            count += 1
    data = bits.to_bytes(-(-9 * count // 8), "little")
    blocks = (data[at : at + 255] for at in range(0, len(data), 255))
    return b"\x08" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


@dataclass(frozen=True, kw_only=True)
class PngFrame:
    """Levels (H, W, C) at a place; shown for `delay`, a fraction of a second."""

    levels: np.ndarray
    x: int = 0
    y: int = 0
    delay: tuple[int, int] = (1, 20)
    dispose: int = 0
    """0 leaves it, 1 clears it, 2 puts back what was there."""
    blend: int = 0
    """0 replaces what is there, 1 lies over it."""


def apng(*frames, plays=0, colour_type=6, bits=8, size=(16, 12), chunks=b"", poster=None):
    """The bytes of an animated PNG of (width, height) `size`; a poster is no frame of it."""
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, colour_type, 0, 0, 0))
    data += chunk(b"acTL", struct.pack(">II", len(frames), plays)) + chunks
    if poster is not None:
        data += chunk(b"IDAT", _rows(poster))
    number = 0
    for index, frame in enumerate(frames):
        height, width = frame.levels.shape[:2]
        place = (width, height, frame.x, frame.y)
        data += chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, *place, *frame.delay, frame.dispose, frame.blend))
        number += 1
        if index == 0 and poster is None:
            data += chunk(b"IDAT", _rows(frame.levels))
            continue
        data += chunk(b"fdAT", struct.pack(">I", number) + _rows(frame.levels))
        number += 1
    return data + chunk(b"IEND", b"")


def chunk(kind, content):
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _rows(levels):
    stored = levels.astype(">u2") if levels.dtype == np.uint16 else levels
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in stored))


def plain(colour, width=16, height=12):
    """Levels of one colour."""
    return np.tile(np.array(colour, np.uint8), (height, width, 1))
