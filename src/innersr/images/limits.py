"""The largest image that is decoded. Opens no file."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image as PillowImage

from innersr.errors import ImageFileError, InputError

PIXEL_LIMIT = 300_000_000  # pixels; above this reading is refused (decompression bombs)


@contextlib.contextmanager
def no_bomb_warnings() -> Iterator[None]:
    """Keep quiet about what Pillow takes for a bomb, where only a header is read: `SizeLimits` judges the sizes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PillowImage.DecompressionBombWarning)
        yield


def check_result(source: object, what: str, size: tuple[int, int], limit: int) -> None:
    """Raise InputError if a result of (height, width), or a page or frame of it, is above a limit of pixels."""
    pixels = size[0] * size[1]
    if pixels > limit:
        raise InputError(f"{source}: {what} would have {pixels} pixels; {higher_limit(pixels)}")


def higher_limit(pixels: int) -> str:
    """The remedy of an image or a result of that many pixels."""
    return f"use innersr upscale --pixel-limit {pixels} (in Python pixel_limit={pixels})"


@dataclass(frozen=True, kw_only=True)
class SizeLimits:
    """The largest image that is decoded.

    Args:
        pixels: in all.
        size: of the file in bytes, if it limits the memory for the pixels too; None if not.
    """

    pixels: int
    size: int | None = None

    def check(self, name: str, width: int, height: int, sample_bytes: int) -> None:
        """Raise ImageFileError, with the name of the file, for a larger image.

        Args:
            sample_bytes: of a pixel, all its bands together.
        """
        count = width * height
        remedy = f"if you trust it, {higher_limit(count)}"
        if count > self.pixels:
            raise ImageFileError(f"{name}: {width} x {height} pixels are above the limit of {self.pixels}; {remedy}")
        # A photograph of 1 MB takes some 50 MB, a blank page a thousand times as much as its file.
        free, most_per_byte = 512 << 20, 2000
        needed = count * 5 * sample_bytes  # bytes, at most: 8-bit samples become float32
        if self.size is not None and needed > max(free, most_per_byte * self.size):
            what = (
                f"{width} x {height} pixels in {self.size} bytes need {needed >> 20} MiB, as a decompression bomb does"
            )
            raise ImageFileError(f"{name}: {what}; {remedy}")
