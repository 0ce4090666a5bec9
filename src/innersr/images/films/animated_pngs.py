"""Frames of an animated PNG as they are shown (W3C PNG, third edition, section 11.3.6).

Pillow, which reads the others, mixes the transparency of a frame that lies over what was there.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image as PillowImage

from innersr.images.containers.png import chunk_of, chunks_in
from innersr.images.films.film import Levels
from innersr.images.metadata import DamagedBytesError


class _Control(NamedTuple):
    """A frame's place and time; see the standard for the last two."""

    number: int
    width: int
    height: int
    x: int
    y: int
    numerator: int
    denominator: int
    disposal: int
    blending: int


def png_frames(path: Path) -> Iterator[tuple[Levels, float]]:
    """Yield the frames of an animated PNG, (H, W, 4) uint8, and how many milliseconds each is shown.

    Raises:
        DamagedBytesError: a chunk is damaged, or frames are missing or lie outside.
        Exception: any that Pillow raises on damaged pixels.
    """
    header, shared, count = b"", b"", 0
    canvas = np.zeros((0, 0, 4), np.uint8)
    with path.open("rb") as stream:
        frame: tuple[_Control, list[bytes]] | None = None
        for kind, length in chunks_in(stream):
            data = _content(stream, kind, length)
            if kind == b"IHDR":
                header = data
                width, height = struct.unpack_from(">II", header)
                canvas = np.zeros((height, width, 4), np.uint8)
            elif kind in (b"PLTE", b"tRNS"):
                shared += chunk_of(kind, data)
            elif kind == b"acTL":
                (count,) = struct.unpack_from(">I", data)
            elif kind in (b"IDAT", b"fdAT") and frame is not None:
                frame[1].append(data if kind == b"IDAT" else data[4:])
            elif kind in (b"fcTL", b"IEND"):
                if frame is not None:
                    yield from _shown(canvas, frame[0], _decoded(header, shared, *frame))
                    count -= 1
                frame = (_Control(*struct.unpack(">IIIIIHHBB", data)), []) if kind == b"fcTL" else None
    if count > 0:
        raise DamagedBytesError(f"{count} frames are missing")


def _content(stream: io.BufferedReader, kind: bytes, length: int) -> bytes:
    """The data of a chunk, the stream behind its head."""
    data, end = stream.read(length), stream.read(4)
    if len(end) < 4 or zlib.crc32(kind + data) != int.from_bytes(end, "big"):  # noqa: PLR2004 (bytes of the checksum)
        raise DamagedBytesError("the checksum of a chunk is wrong")
    return data


def _decoded(header: bytes, shared: bytes, control: _Control, parts: list[bytes]) -> Levels:
    """The levels of a frame, (height, width, 4), by themselves."""
    size = struct.pack(">II", control.width, control.height)
    chunks = [chunk_of(b"IHDR", size + header[8:]), shared, chunk_of(b"IDAT", b"".join(parts)), chunk_of(b"IEND", b"")]
    with PillowImage.open(io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)), formats=("PNG",)) as picture:
        picture.load()
        if picture.mode.startswith("I;16"):  # which Pillow would clip, not divide
            return np.asarray(PillowImage.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGBA"))
        return np.asarray(picture.convert("RGBA"))


def _shown(canvas: Levels, control: _Control, levels: Levels) -> Iterator[tuple[Levels, float]]:
    """Put a frame onto the canvas, yield that, and dispose of the frame."""
    clear, restore = 1, 2
    rows, columns = slice(control.y, control.y + control.height), slice(control.x, control.x + control.width)
    part = canvas[rows, columns]
    if part.shape != levels.shape:
        raise DamagedBytesError("a frame lies outside")
    before = part.copy()
    part[:] = levels if control.blending == 0 else _over(levels, before)
    yield canvas.copy(), 1000 * control.numerator / (control.denominator or 100)
    if control.disposal == clear:
        part[:] = 0
    elif control.disposal == restore:
        part[:] = before


def _over(above: Levels, below: Levels) -> Levels:
    """Levels with alpha, neither premultiplied, one over the other."""
    opacity, hidden = above[..., 3:].astype(np.float32) / 255, below[..., 3:].astype(np.float32) / 255
    hidden = hidden * (1 - opacity)
    whole = opacity + hidden
    colour = (above[..., :3] * opacity + below[..., :3] * hidden) / np.maximum(whole, 1 / 255)
    return np.rint(np.concatenate([colour, 255 * whole], 2)).astype(np.uint8)
