"""The largest image that is decoded. Opens no file."""

from __future__ import annotations

from dataclasses import dataclass

from innersr.errors import ImageFileError


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
        remedy = f"if you trust it, upscale or read it with pixel_limit={count} (innersr upscale --pixel-limit {count})"
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
