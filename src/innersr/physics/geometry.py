"""Scales, sizes and tiles as people write them: 1.5, 1920x, auto."""

from __future__ import annotations

import math
import re

from innersr.errors import InputError
from innersr.physics.resize import Scale, as_pair

LARGEST_SCALE = 1000
PERCENT = r"(\d{1,9}(?:\.\d{1,9})?)"
GEOMETRY = re.compile(rf"(\d{{1,9}})?(?:x(\d{{1,9}})?)?([!^<>])?|{PERCENT}(?:%?x{PERCENT})?%|(\d{{1,15}})@", re.ASCII)


def parse_scale(text: str) -> Scale:
    """Parse a scale above 1: "2", "x2", "2x", "1.5", or "3x2", width x height as in a size.

    Returns:
        One number, or (vertical, horizontal): (2.0, 3.0) of "3x2".

    Raises:
        InputError: it is not such a scale.
    """
    scale = parse_factors(text)
    if scale is None or not all(1 <= s <= LARGEST_SCALE for s in as_pair(scale)) or max(as_pair(scale)) <= 1:
        raise InputError(
            f"scale must be a number from above 1 to {LARGEST_SCALE}, or a pair such as 3x2 (width x height), "
            f"got {text!r}"
        )
    return scale


def parse_factors(text: str) -> Scale | None:
    """Parse positive factors as `parse_scale` does, also those that do not enlarge; None if it is something else."""
    text = text.strip().lower().replace("×", "x")
    # "x2" and "2x" are how people write 2; of a pair both are needed.
    single = text.removeprefix("x") if text.startswith("x") else text.removesuffix("x")
    try:
        parts = [float(part) for part in single.split("x")]
    except ValueError:
        return None
    if not all(0 < part < math.inf for part in parts):
        return None
    if len(parts) == 1:
        return parts[0]
    return (parts[1], parts[0]) if len(parts) == 2 and single == text else None


def scale_text(scale: Scale, digits: int = 6) -> str:
    """A scale as `parse_scale` reads it, to `digits` significant digits: "2", "1.5", "3x2" of (2, 3)."""
    vertical, horizontal = (f"{s:.{digits}g}" for s in as_pair(scale))
    return vertical if vertical == horizontal else f"{horizontal}x{vertical}"


def scale_words(scale: Scale) -> str:
    """A scale within a sentence: "2", or "3x2 (width x height)" of (2, 3)."""
    vertical, horizontal = as_pair(scale)
    return scale_text(scale) + ("" if vertical == horizontal else " (width x height)")


def parse_size(text: str, size: tuple[int, int]) -> tuple[int, int]:
    """Parse the output (height, width) that an ImageMagick geometry names for an image of `size`.

    "1920x" is a width, "x1080" a height, "1920x1080" the largest that fits, "1920x1080^" the smallest that
    covers, "1920x1080!" exactly that, "<" only if the image is smaller, "150%" a percentage, "150%x200%" one of the
    width and one of the height, "24000000@" the largest of at most so many pixels. With "<" the size is the image's own
    if it is as large already.

    Raises:
        InputError: see `check_size`; or the geometry does not enlarge this image, without "<".
    """
    columns, rows, flag, percent, percent_down, area = check_size(text).groups()
    height, width = size
    if percent:
        result = (_half_up(height * float(percent_down or percent) / 100), _half_up(width * float(percent) / 100))
    elif area:
        factor = math.sqrt((int(area) + 1e-6) / (height * width))  # the millionth outweighs the rounding of sqrt
        result = (math.floor(height * factor), math.floor(width * factor))
    else:
        result = _fitted(size, int(columns) if columns else None, int(rows) if rows else None, flag)
    if flag != "<" and (result[0] < height or result[1] < width or result == size):
        remedy = "innersr only enlarges: use any image tool to shrink"
        if result == size:
            remedy = "choose a larger one, or set < behind it to leave such images as they are"
        raise InputError(f"size {text} makes {result[1]}x{result[0]} of an image of {width}x{height}; {remedy}")
    return result


def parse_tile(text: str) -> int | None:
    """Parse the side of a tile in pixels, 0 for no tiles, None for "auto"; `InputError` if it is neither."""
    if text.strip().lower() == "auto":
        return None
    if not re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII):
        raise InputError(f"tile must be auto, 0 for the whole image at once, or a number of pixels, got {text!r}")
    return int(text)


def check_size(text: str) -> re.Match[str]:
    """Split a geometry into its parts; `InputError` if it is not one, or one that cannot enlarge any image."""
    match = GEOMETRY.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or not re.search(r"[1-9]", text):
        raise InputError(f"size must be a geometry such as 1920x, x1080, 1920x1080, 150% or 24000000@, got {text!r}")
    if match[3] == ">":
        remedy = f"{text.strip()[:-1]}< enlarges the smaller images and leaves the others as they are"
        raise InputError(f"size {text} enlarges no image: > is ImageMagick's mark for shrinking; {remedy}")
    if match[4] and max(float(match[4]), float(match[5] or 0)) <= 100:
        raise InputError(f"size {text} enlarges no image; innersr only enlarges: use any image tool to shrink")
    return match


def _fitted(size: tuple[int, int], columns: int | None, rows: int | None, flag: str | None) -> tuple[int, int]:
    """(height, width) of ImageMagick's WxH, Wx and xH with a flag."""
    height, width = size
    if flag == "!":
        return rows or height, columns or width
    factors = [new / old for new, old in ((columns, width), (rows, height)) if new]
    factor = max(factors) if flag == "^" else min(factors)
    if flag == "<" and factor <= 1:
        return size
    # The side that decides gets exactly what was asked for.
    return max(1, _half_up(height * factor)), max(1, _half_up(width * factor))


def _half_up(x: float) -> int:
    """Round as ImageMagick does; Python's round() takes halves to the even number."""
    return math.floor(x + 0.5)
