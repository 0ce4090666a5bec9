"""Opening of image files: what is no file, no image, damaged, or too large."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from innersr.errors import ImageFileError, reason_of
from innersr.images import codecs as image_codecs
from innersr.images import formats as image_formats
from innersr.images.formats import Format
from innersr.images.limits import PIXEL_LIMIT, SizeLimits
from innersr.images.unread_formats import HEAD, unread_format

Content = TypeVar("Content")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[io.FileIO]:
    """Open an image file, unbuffered; errors are those of `read`."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageFileError(f"{path}: is a folder; name the image files in it")
        if not stat.S_ISREG(status.st_mode):
            raise ImageFileError(f"{path}: is not a regular file; copy its content to one first")
        if status.st_size == 0:
            raise ImageFileError(f"{path}: is empty (0 bytes); get the file again")
        stream = path.open("rb", buffering=0)
    except ImageFileError:
        raise
    except FileNotFoundError as error:
        raise ImageFileError(f"{path}: no such file; check the name and the folder") from error
    except PermissionError as error:
        raise ImageFileError(f"{path}: no permission to read it; change its mode or owner") from error
    except (OSError, ValueError) as error:
        raise ImageFileError(f"{path}: cannot be opened ({reason_of(error)}); check the name and the disk") from error
    with stream:
        yield stream


def limits_of(stream: io.FileIO, pixel_limit: int) -> SizeLimits:
    """The largest image that an open file may hold, see `read`."""
    is_default = pixel_limit == PIXEL_LIMIT
    return SizeLimits(pixels=pixel_limit, size=os.fstat(stream.fileno()).st_size if is_default else None)


def decoded_by(
    decode: Callable[[io.FileIO, str, Format, SizeLimits], Content], stream: io.FileIO, path: Path, limits: SizeLimits
) -> tuple[Content, Format]:
    """The content of an open file by a decoder, and its format; errors are those of `read`."""
    try:
        found = image_formats.sniff(stream.read(32))
        if found is None:
            stream.seek(0)
            unread = unread_format(stream.read(HEAD))
            if unread is not None:
                raise ImageFileError(f"{path}: {unread.name} is not read; {unread.remedy}")
            known = ", ".join(row.name for row in image_formats.FORMATS)
            raise ImageFileError(f"{path}: not an image of a known format ({known}); convert it to one")
        return decode(stream, str(path), found, limits), found
    except ImageFileError:
        raise
    # Pillow and pyvips document no closed list of errors for damaged bytes.
    except Exception as error:
        if image_codecs.is_memory_error(error):
            raise out_of_memory(path) from error
        remedy = "it may be damaged or cut short: get it again, or re-save it with another program"
        raise ImageFileError(f"{path}: cannot be decoded ({reason_of(error)}); {remedy}") from error


def out_of_memory(path: Path) -> ImageFileError:
    """The error of a file that memory was too small for."""
    return ImageFileError(f"{path}: out of memory; close other programs, cut the image, or use a machine with more")
