"""WebP files apart from their pixels: the chunk that holds them."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

from innersr.images.metadata import FileFacts


def webp_facts(stream: BinaryIO) -> FileFacts:
    """Whether the first picture of a WebP file is stored without loss."""
    stream.seek(12)
    while len(head := stream.read(8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        if kind == b"ANMF":
            stream.seek(16, io.SEEK_CUR)  # place and time of a frame, which holds chunks itself
        elif kind in (b"VP8 ", b"VP8L"):
            return FileFacts(is_lossless=kind == b"VP8L")
        else:
            stream.seek(length + length % 2, io.SEEK_CUR)
    return FileFacts()
