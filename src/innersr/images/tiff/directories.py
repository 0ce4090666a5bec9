"""The chain of directories of a TIFF file, one for each page, followed without reading their tags."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, kw_only=True)
class Directories:
    """The directories that a TIFF file lists, overviews counted."""

    count: int
    is_circular: bool = False
    """Whether one names an earlier one as its next, so that there is no end."""
    is_longer: bool = False
    """Whether there are more than were counted."""

    @property
    def fault(self) -> str | None:
        """Why not all pages are read, as the end of a sentence; None if they are."""
        if self.is_circular:
            return "its list of pages runs in a circle"
        return f"it lists more than {self.count} pages" if self.is_longer else None


def directories_of(stream: BinaryIO, most: int = 1 << 16) -> Directories:
    """Follow the directories of a TIFF or BigTIFF from the first on; a link that leads out of the file is the end.

    Args:
        stream: at any place, which it is left at.
        most: directories that are counted; damaged files may list any number.
    """
    place = stream.tell()
    try:
        return _directories_of(stream, most)
    finally:
        stream.seek(place)


def _directories_of(stream: BinaryIO, most: int) -> Directories:
    stream.seek(0)
    head = stream.read(16)
    order = "<" if head[:2] == b"II" else ">"
    is_big = head[2:4] in (b"+\0", b"\0+")
    # Formats of the count of entries and of an offset; bytes of an entry, and where the header has the first offset.
    count_format, offset_format, entry, first = ("Q", "Q", 20, 8) if is_big else ("H", "I", 12, 4)
    at = _number(head[first:], order + offset_format)
    seen: set[int] = set()
    while at:
        if at in seen:
            return Directories(count=len(seen), is_circular=True)
        if len(seen) == most:
            return Directories(count=most, is_longer=True)
        stream.seek(at)
        count = _number(stream.read(8), order + count_format)
        if count == 0:
            break
        seen.add(at)
        following = at + struct.calcsize(count_format) + entry * count
        if following >= 1 << 63:  # further than a file can be
            break
        stream.seek(following)
        at = _number(stream.read(8), order + offset_format)
    return Directories(count=len(seen))


def _number(data: bytes, form: str) -> int:
    """The number that bytes begin with; 0 where they end early."""
    size = struct.calcsize(form)
    return int(struct.unpack(form, data[:size])[0]) if len(data) >= size else 0
