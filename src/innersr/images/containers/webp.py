"""WebP files apart from their pixels: the chunk that holds them, and the times of an animation."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

from innersr.images.metadata import FileFacts


def webp_facts(stream: BinaryIO) -> FileFacts:
    """Whether the first picture of a WebP file is stored without loss, with a note if it is shown for some time."""
    notes: tuple[str, ...] = ()
    stream.seek(12)
    while len(head := stream.read(8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        if kind == b"ANMF":
            frame = stream.read(16)  # place and time of a frame, which holds chunks itself
            notes = ("how long it is shown is not kept",) if any(frame[12:15]) else ()
        elif kind in (b"VP8 ", b"VP8L"):
            return FileFacts(is_lossless=kind == b"VP8L", notes=notes)
        else:
            stream.seek(length + length % 2, io.SEEK_CUR)
    return FileFacts()


def divide_times(stream: BinaryIO, divisor: int) -> None:
    """Divide the times, in milliseconds, for which the frames of an animation are shown."""
    stream.seek(12)
    while len(head := stream.read(8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        end = stream.tell() + length + length % 2
        if kind == b"ANMF":
            stream.seek(12, io.SEEK_CUR)  # the place of the frame
            milliseconds = int.from_bytes(stream.read(3), "little")
            stream.seek(-3, io.SEEK_CUR)
            stream.write((milliseconds // divisor).to_bytes(3, "little"))
        stream.seek(end)
