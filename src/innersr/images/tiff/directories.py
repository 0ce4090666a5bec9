"""The chain of directories of a TIFF file, one for each page, followed without reading their tags."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO, cast

from innersr.images.metadata import DamagedBytesError
from innersr.images.tiff.patched_file import PatchedFile


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


def page_alone(stream: BinaryIO, directory: int) -> BinaryIO:
    """A TIFF or BigTIFF file as if the page whose directory begins at that place were its only one.

    Readers follow all directories to a page, and libvips those behind it, too: in a file of 10,000 pages that takes
    longer than a small page.

    Raises:
        DamagedBytesError: there is no directory, or it is longer than a file can be.
    """
    form = _Form.of(stream)
    link = form.link_behind(stream, directory)
    if not link:
        raise DamagedBytesError("the directory of a page is damaged")
    patches = {form.first: struct.pack(form.place, directory), link: struct.pack(form.place, 0)}
    return cast("BinaryIO", PatchedFile(stream, patches))


@dataclass(frozen=True, kw_only=True)
class _Form:
    """How a TIFF file stores its directories."""

    place: str
    """Format of the place of a directory."""
    count: str
    """Format of the number of entries."""
    entry: int
    """Bytes of an entry."""
    first: int
    """Where the header has the place of the first directory."""

    @staticmethod
    def of(stream: BinaryIO) -> _Form:
        stream.seek(0)
        head = stream.read(4)
        order = "<" if head[:2] == b"II" else ">"
        if head[2:] in (b"+\0", b"\0+"):  # BigTIFF
            return _Form(place=f"{order}Q", count=f"{order}Q", entry=20, first=8)
        return _Form(place=f"{order}I", count=f"{order}H", entry=12, first=4)

    def link_behind(self, stream: BinaryIO, directory: int) -> int:
        """Where a directory has the place of the next one; 0 if it has no entries, or cannot be in a file."""
        count = _number(stream, directory, self.count)
        link = directory + struct.calcsize(self.count) + self.entry * count
        return link if count and link < 1 << 63 else 0


def _directories_of(stream: BinaryIO, most: int) -> Directories:
    form = _Form.of(stream)
    at = _number(stream, form.first, form.place)
    seen: set[int] = set()
    while at:
        if at in seen:
            return Directories(count=len(seen), is_circular=True)
        if len(seen) == most:
            return Directories(count=most, is_longer=True)
        link = form.link_behind(stream, at)
        if not link:
            break
        seen.add(at)
        at = _number(stream, link, form.place)
    return Directories(count=len(seen))


def _number(stream: BinaryIO, place: int, form: str) -> int:
    """The number at a place of a file; 0 where the file ends early."""
    stream.seek(place)
    size = struct.calcsize(form)
    data = stream.read(size)
    return int(struct.unpack(form, data)[0]) if len(data) == size else 0
