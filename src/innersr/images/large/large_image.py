"""A large image file whose samples lie unpacked in another file, and the images of its parts."""

from __future__ import annotations

import functools
import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyvips

from innersr.errors import ImageFileError
from innersr.images.codecs import check_complete, open_lazily
from innersr.images.formats import Format
from innersr.images.image import Image
from innersr.images.large.pixel_file import PixelFile
from innersr.images.limits import SizeLimits
from innersr.images.opening import decoded_by, limits_of, opened
from innersr.images.readers.decoded import Decoded, image_of
from innersr.libvips import libvips_alone
from innersr.physics.resize import Window


@dataclass(frozen=True, kw_only=True)
class LargeHeader:
    """Facts about an image file that are known before its samples are decoded."""

    height: int
    width: int
    bands: int
    """Alpha included."""
    depth: str
    """As `Image.depth`."""
    is_streamed: bool
    """Whether the format can be decoded row by row."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LargeImage:
    """An image file and its unpacked samples.

    Args:
        path: of the file.
        found: its format.
        decoded: all but its samples.
        pixels: its samples.
    """

    path: Path
    found: Format
    decoded: Decoded
    pixels: PixelFile

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.pixels.height, self.pixels.width

    def part(self, window: Window) -> Image:
        """The image of a part, with the metadata and notes of the whole."""
        return image_of(replace(self.decoded, samples=self.pixels.read(window)), self.path, self.found)

    def bands_of_rows(self) -> Iterator[Image]:
        """Yield the image from top to bottom, in parts of whole rows and of about 4 million pixels."""
        rows = max(1, (1 << 22) // self.pixels.width)
        for top in range(0, self.pixels.height, rows):
            yield self.part(Window(top, 0, min(top + rows, self.pixels.height), self.pixels.width))


def read_header(path: Path, pixel_limit: int) -> LargeHeader:
    """Open an image file, and read its size and kind; errors are those of `read`."""
    with opened(path) as stream:
        return decoded_by(_header_of, stream, path, limits_of(stream, pixel_limit))[0]


def unpack(path: Path, target: Path, pixel_limit: int, *, is_unpacked: bool = False) -> LargeImage:
    """Decode an image file row by row into a file of raw samples.

    Args:
        path: of the image.
        target: of the samples; an existing file is replaced.
        pixel_limit: see `read`.
        is_unpacked: whether the samples are in the file already.

    Raises:
        ImageFileError: see `read`; or the disk has no room.
    """
    with opened(path) as stream:
        unpacked = functools.partial(_unpacked, target=target, is_unpacked=is_unpacked)
        (decoded, pixels), found = decoded_by(unpacked, stream, path, limits_of(stream, pixel_limit))
    return LargeImage(path=path, found=found, decoded=decoded, pixels=pixels)


def check_free_space(folder: Path, needed: int) -> None:
    """Raise ImageFileError if the disk of a folder has fewer than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        remedy = f"make room, or write to another disk; {needed >> 20} MiB are needed, {free >> 20} are free"
        raise ImageFileError(f"{folder}: the disk has no room for the unpacked pixels; {remedy}")


def _is_unwritable(target: Path, length: int) -> bool:
    """Whether a file cannot reach this length: the disk is full, or a limit of the user or the process applies."""
    try:
        with target.open("r+b") as stream:
            stream.seek(length - 1)
            stream.write(b"\0")
            os.posix_fallocate(stream.fileno(), 0, length)
    except OSError:
        return True
    return False


@libvips_alone()
def _header_of(stream: io.FileIO, name: str, found: Format, limits: SizeLimits) -> LargeHeader:
    is_streamed = found.name in ("JPEG", "PNG", "TIFF")
    if not is_streamed:
        return LargeHeader(height=0, width=0, bands=0, depth="", is_streamed=False)
    image, _ = open_lazily(stream, name, found, limits)
    depth = {"uchar": "uint8", "ushort": "uint16"}.get(image.format, "float32")
    return LargeHeader(height=image.height, width=image.width, bands=image.bands, depth=depth, is_streamed=True)


@libvips_alone()
def _unpacked(
    stream: io.FileIO, name: str, found: Format, limits: SizeLimits, *, target: Path, is_unpacked: bool
) -> tuple[Decoded, PixelFile]:
    image, finished = open_lazily(stream, name, found, limits)
    dtypes = {"uchar": "uint8", "char": "int8", "ushort": "uint16", "short": "int16", "uint": "uint32"}
    dtypes |= {"int": "int32", "double": "float64"}
    dtype = np.dtype(dtypes.get(image.format, "float32"))
    size = {"height": image.height, "width": image.width, "bands": image.bands}
    pixels = PixelFile(path=target, **size, dtype=dtype.name)
    if not (is_unpacked and pixels.is_there):
        check_free_space(target.parent, pixels.byte_count)
        try:
            image.rawsave(str(target), keep="none")
        except pyvips.Error as error:
            if _is_unwritable(target, pixels.byte_count):
                remedy = "make room, or write to another disk"
                raise ImageFileError(f"{target}: cannot be written ({error.message.strip()}); {remedy}") from error
            raise
        check_complete(found)
    return finished(samples=np.empty((0, 0, image.bands), dtype)), pixels
