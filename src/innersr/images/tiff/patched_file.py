"""A file read with some of its bytes replaced. Knows nothing about TIFF."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import BinaryIO


class PatchedFile(io.RawIOBase):
    """A file, to be read only, whose bytes at some places are others; it has its own place to read at.

    Args:
        stream: the file; it is not closed with this one.
        patches: the bytes, by where they begin. They do not overlap.
    """

    def __init__(self, stream: BinaryIO, patches: Mapping[int, bytes]) -> None:
        super().__init__()
        self._stream, self._patches, self._at = stream, dict(patches), 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of any file."""
        place = self._at + offset if whence == os.SEEK_CUR else offset
        self._at = self._stream.seek(place, os.SEEK_END if whence == os.SEEK_END else os.SEEK_SET)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """As of any file."""
        self._stream.seek(self._at)
        data = bytearray(self._stream.read(len(buffer)))
        for place, patch in self._patches.items():
            first, last = max(place - self._at, 0), min(place - self._at + len(patch), len(data))
            if first < last:
                data[first:last] = patch[first - (place - self._at) : last - (place - self._at)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
