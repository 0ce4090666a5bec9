"""BMP, TGA and ICO files, read by Pillow."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import numpy as np
from PIL.BmpImagePlugin import BmpImageFile
from PIL.IcoImagePlugin import IcoFile
from PIL.Image import Image as PillowImage
from PIL.TgaImagePlugin import TgaImageFile

from innersr.errors import ImageFileError
from innersr.images.limits import SizeLimits
from innersr.images.metadata import DamagedBytesError, Metadata, notes_of_bits, sane_resolution
from innersr.images.readers.decoded import Decoded


def decode_bmp(stream: io.FileIO, name: str, limits: SizeLimits) -> Decoded:
    """A BMP file; for arguments and errors see `codecs.decode`."""
    with BmpImageFile(io.BufferedReader(stream)) as picture:
        if max(picture.size) > 65_535:
            # A run-length code can skip 255 rows: with rows this long it would be a decompression bomb.
            raise ImageFileError(f"{name}: a BMP side above 65535 pixels is not read; convert it to TIFF")
        limits.check(name, *picture.size, len(picture.getbands()))
        dpi = picture.info.get("dpi")
        resolution = sane_resolution(dpi[0] / 25.4, dpi[1] / 25.4) if dpi else None
        return _decoded(picture, Metadata(pixels_per_mm=resolution))


def decode_tga(stream: io.FileIO, name: str, limits: SizeLimits) -> Decoded:
    """A TGA file; for arguments and errors see `codecs.decode`."""
    head = stream.read(18)
    stream.seek(0)
    with TgaImageFile(io.BufferedReader(stream)) as picture:
        limits.check(name, *picture.size, len(picture.getbands()))
        alpha_bits = head[17] & 15
        if picture.mode == "RGBA" and not alpha_bits:
            # The fourth byte is then undefined, and 0 in most files.
            return _decoded(picture.convert("RGB"), Metadata())
        return _decoded(picture, Metadata())


def decode_ico(stream: io.FileIO, name: str, limits: SizeLimits) -> Decoded:
    """The largest picture of an ICO file; for arguments and errors see `codecs.decode`."""
    content = io.BytesIO(stream.read())
    icons = IcoFile(content)
    if not icons.entry:
        raise DamagedBytesError("no picture")
    # The directory says 0 for 256 and above, and is often wrong: the pictures themselves tell.
    sizes = [_size_at(content.getvalue(), entry.offset) for entry in icons.entry]
    largest = max(range(len(sizes)), key=lambda index: (sizes[index][0] * sizes[index][1], -index))
    limits.check(name, *sizes[largest], 4)
    decoded = _decoded(icons.frame(largest), Metadata())
    if len(sizes) == 1:
        return decoded
    notes = (f"the largest of {len(sizes)} pictures; the others are ignored", *decoded.notes)
    return replace(decoded, notes=notes)


def _size_at(content: bytes, offset: int) -> tuple[int, int]:
    """(width, height) of a picture in an ICO file, which is a PNG, or a BMP with a mask of the same height."""
    if content[offset : offset + 8] == b"\x89PNG\r\n\x1a\n":
        width, height = struct.unpack_from(">II", content, offset + 16)
        return width, height
    width, height = struct.unpack_from("<ii", content, offset + 4)
    return abs(width), abs(height) // 2


def _decoded(picture: PillowImage, metadata: Metadata) -> Decoded:
    has_palette = picture.mode == "P"
    is_transparent = has_palette and "transparency" in picture.info
    mode = {"1": "L", "P": "RGBA" if is_transparent else "RGB"}.get(picture.mode, picture.mode)
    if mode not in ("L", "LA", "RGB", "RGBA"):
        raise DamagedBytesError(f"pixels of the kind {mode}")
    samples = np.asarray(picture.convert(mode))
    return Decoded(
        samples=samples.reshape(*samples.shape[:2], -1),
        has_alpha=mode in ("LA", "RGBA"),
        white=255.0,
        metadata=metadata,
        notes=("its palette is not kept: every pixel has its own colour",) * has_palette
        + notes_of_bits(1 if picture.mode == "1" else 8),
    )
