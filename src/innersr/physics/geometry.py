"""Scales, sizes and tiles as people write them: 1.5, 1920x, auto."""

from __future__ import annotations

import math
import re

from innersr.errors import InputError
from innersr.physics.resize import Scale

LARGEST_SCALE = 1000
GEOMETRY = re.compile(r"(\d{1,9})?(?:x(\d{1,9})?)?([!^<>])?|(\d{1,9}(?:\.\d{1,9})?)%|(\d{1,15})@", re.ASCII)


def parse_scale(text: str) -> Scale:
    """Parse a scale above 1: "2", "1.5" or "2x3" (vertical x horizontal); `InputError` if it is none."""
    try:
        parts = [float(part) for part in text.lower().split("x")]
    except ValueError:
        parts = []
    if len(parts) not in (1, 2) or not all(1 <= p <= LARGEST_SCALE for p in parts) or max(parts) <= 1:
        raise InputError(f"scale must be a number from above 1 to {LARGEST_SCALE}, or a pair such as 2x3, got {text!r}")
    return parts[0] if len(parts) == 1 else (parts[0], parts[1])


def parse_size(text: str, size: tuple[int, int]) -> tuple[int, int]:
    """Parse the output (height, width) that an ImageMagick geometry names for an image of `size`.

    "1920x" is a width, "x1080" a height, "1920x1080" the largest that fits, "1920x1080^" the smallest that
    covers, "1920x1080!" exactly that, "<" only if the image is smaller, "150%" a percentage, "24000000@" the
    largest of at most so many pixels.

    Raises:
        InputError: see `check_size`; or the geometry does not enlarge this image.
    """
    columns, rows, flag, percent, area = check_size(text).groups()
    height, width = size
    if percent:
        result = (_half_up(height * float(percent) / 100), _half_up(width * float(percent) / 100))
    elif area:
        factor = math.sqrt((int(area) + 1e-6) / (height * width))  # the millionth outweighs the rounding of sqrt
        result = (math.floor(height * factor), math.floor(width * factor))
    else:
        result = _fitted(size, int(columns) if columns else None, int(rows) if rows else None, flag)
    if result[0] < height or result[1] < width or result == size:
        raise InputError(
            f"size {text} makes {result[1]}x{result[0]} of an image of {width}x{height}; "
            "innersr only enlarges: use any image tool to shrink"
        )
    return result


def parse_tile(text: str) -> int | None:
    """Parse the side of a tile in pixels, 0 for no tiles, None for "auto"; `InputError` if it is neither."""
    if text.strip().lower() == "auto":
        return None
    if not re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII):
        raise InputError(f"tile must be auto, 0 for the whole image at once, or a number of pixels, got {text!r}")
    return int(text)


def check_size(text: str) -> re.Match[str]:
    """Split a geometry into its parts; `InputError` if it is none, or one that enlarges no image whatever."""
    match = GEOMETRY.fullmatch(text.strip())
    if match is None or not re.search(r"[1-9]", text):
        raise InputError(f"size must be a geometry such as 1920x, x1080, 1920x1080, 150% or 24000000@, got {text!r}")
    if match[3] == ">" or (match[4] and float(match[4]) <= 100):
        raise InputError(f"size {text} enlarges no image; innersr only enlarges: use any image tool to shrink")
    return match


def _fitted(size: tuple[int, int], columns: int | None, rows: int | None, flag: str | None) -> tuple[int, int]:
    """(height, width) of ImageMagick's WxH, Wx and xH with a flag."""
    height, width = size
    if flag == "!":
        return rows or height, columns or width
    factors = [wanted / have for wanted, have in ((columns, width), (rows, height)) if wanted]
    factor = max(factors) if flag == "^" else min(factors)
    if flag == "<" and factor <= 1:
        return size
    # The side that decides gets exactly what was asked for.
    return max(1, _half_up(height * factor)), max(1, _half_up(width * factor))


def _half_up(x: float) -> int:
    """Round as ImageMagick does; Python's round() takes halves to the even number."""
    return math.floor(x + 0.5)
