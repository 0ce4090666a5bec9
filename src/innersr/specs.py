"""Scales, sizes, kernels, degradations and methods by name: what people type, as values."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from innersr import kernels
from innersr.degradation import Degradation
from innersr.errors import InputError, KernelError
from innersr.kernel_files import load_kernel
from innersr.methods import Method, make_method
from innersr.resize import Scale

BENCHMARK_KERNEL = 21  # side of the test kernels in the MZSR paper
WIDEST_VARIANCE = 150.0  # pixels^2; the kernel files end at 127 taps too
LARGEST_SCALE = 1000
GEOMETRY = re.compile(r"(\d{1,9})?(?:x(\d{1,9})?)?([!^<>])?|(\d{1,9}(?:\.\d{1,9})?)%|(\d{1,15})@", re.ASCII)
HARM = re.compile(r"\+(noise|jpeg)(\d{1,3}(?:\.\d{1,6})?)$", re.ASCII)
NAMED_GAUSSIAN = re.compile(r"g(\d+(?:\.\d+)?)([db])")
DEGRADATIONS = (
    "bicubic, gVARd, gVARb (e.g. g2.0d), ganid, random:SEED, or a kernel file; with +noise10, +jpeg60 or both behind it"
)


def parse_scale(text: str) -> Scale:
    """Return the scale that "2", "1.5" or "2x3" (vertical x horizontal) names.

    Raises:
        InputError: not a scale above 1.
    """
    try:
        parts = [float(part) for part in text.lower().split("x")]
    except ValueError:
        parts = []
    if len(parts) not in (1, 2) or not all(1 <= p <= LARGEST_SCALE for p in parts) or max(parts) <= 1:
        raise InputError(f"scale must be a number from above 1 to {LARGEST_SCALE}, or a pair such as 2x3, got {text!r}")
    return parts[0] if len(parts) == 1 else (parts[0], parts[1])


def parse_size(text: str, size: tuple[int, int]) -> tuple[int, int]:
    """Return the output (height, width) that an ImageMagick geometry names for an image of `size`.

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
    """Return the side of a tile in pixels, 0 for no tiles; None for "auto".

    Raises:
        InputError: neither "auto" nor a whole number.
    """
    if text.strip().lower() == "auto":
        return None
    if not re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII):
        raise InputError(f"tile must be auto, 0 for the whole image at once, or a number of pixels, got {text!r}")
    return int(text)


def check_size(text: str) -> re.Match[str]:
    """Return the parts of a geometry.

    Raises:
        InputError: it is none, or one that enlarges no image whatever.
    """
    match = GEOMETRY.fullmatch(text.strip())
    if match is None or not re.search(r"[1-9]", text):
        raise InputError(f"size must be a geometry such as 1920x, x1080, 1920x1080, 150% or 24000000@, got {text!r}")
    if match[3] == ">" or (match[4] and float(match[4]) <= 100):
        raise InputError(f"size {text} enlarges no image; innersr only enlarges: use any image tool to shrink")
    return match


def parse_kernel(text: str, scale: Scale, *, anchor: str = "aligned", noise: float = 0.0) -> Degradation:
    """Return the degradation that `--kernel` names.

    Args:
        text: "bicubic"; "gaussian:VAR" or "gaussian:V1,V2,THETA" in variances (HR px^2) and radians, or
            degrees with "deg"; or a kernel file.
        scale: of the degradation.
        anchor: see `Degradation`.
        noise: standard deviation in [0, 1].

    Raises:
        KernelError: not such a name, or a file that holds no usable kernel.
    """
    if text == "bicubic":
        return Degradation(scale=scale, anchor=anchor, noise=noise)
    kernel = parse_gaussian(text) if text.startswith("gaussian:") else load_kernel(text)
    return Degradation(scale=scale, kernel=kernel, anchor=anchor, noise=noise)


def parse_gaussian(text: str) -> Tensor:
    """Return the kernel that "gaussian:VAR" or "gaussian:V1,V2,THETA" names.

    Raises:
        KernelError: not such a name, or a variance that is not above 0 and at most 150.
    """
    parts = text.removeprefix("gaussian:").split(",")
    try:
        long, short, angle = [*parts, *parts, "0"] if len(parts) == 1 else parts
        variances = float(long), float(short)
        turn = math.radians(float(angle[:-3])) if angle.endswith("deg") else float(angle)
        if not math.isfinite(turn):
            raise ValueError
    except ValueError:
        raise KernelError(
            f"a Gaussian kernel is gaussian:VAR or gaussian:V1,V2,THETA (variances in pixels^2, THETA in radians "
            f"or with deg), got {text!r}"
        ) from None
    if max(variances) > WIDEST_VARIANCE:
        raise KernelError(f"a Gaussian kernel has variances up to {WIDEST_VARIANCE:g} pixels^2, got {text!r}")
    return kernels.gaussian(*variances, turn)


def parse_degradation(text: str, scale: Scale, image_name: str = "") -> Degradation:
    """Return the benchmark degradation of a name.

    "g2.0d" and "g1.3b" are MZSR's Gaussians of that variance with direct and bicubic subsampling, "ganid" its
    anisotropic one (Soh 2020, sec. 5.2), all with its top-left grid. "random:SEED" draws a DIV2KRK kernel for
    each image, from the seed and the image's name. Anything else is a kernel file, aligned. All may end in
    "+noise10", a standard deviation in 8-bit levels, and in "+jpeg60", which is no part of a degradation: see
    `parse_jpeg_quality`.

    Raises:
        InputError: not such a name.
    """
    name, harms = _parted(text)
    clean = _parse_clean(name, scale, image_name)
    return replace(clean, noise=harms["noise"] / 255) if "noise" in harms else clean


def parse_jpeg_quality(text: str) -> int | None:
    """Return the quality that the small image of this degradation is compressed with, None without "+jpeg60".

    Raises:
        InputError: not a whole number from 1 to 100.
    """
    quality = _parted(text)[1].get("jpeg")
    if quality is None:
        return None
    if not (quality.is_integer() and 1 <= quality <= 100):
        raise InputError(f"+jpeg takes a quality from 1 to 100, got {text!r}")
    return int(quality)


def parse_method(text: str) -> Method:
    """Return the method that "zssr" or "zssr:preset=best;steps=500" names.

    Raises:
        InputError: unknown names or values.
    """
    name, _, rest = text.partition(":")
    settings = parse_settings([part for part in rest.split(";") if part])
    return make_method(name, settings.pop("preset", None), settings)


def parse_settings(assignments: Sequence[str]) -> dict[str, str]:
    """Return {"steps": "500"} for ["steps=500"].

    Raises:
        InputError: an assignment without "=".
    """
    settings = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise InputError(f"a setting is written name=value, got {assignment!r}")
        settings[name.strip()] = value.strip()
    return settings


def _parted(text: str) -> tuple[str, dict[str, float]]:
    """Return a degradation's name without its endings, and these."""
    harms: dict[str, float] = {}
    rest = text
    while (match := HARM.search(rest)) is not None:
        if match[1] in harms:
            raise InputError(f"a degradation ends in one +{match[1]} at most, got {text!r}")
        rest, harms[match[1]] = rest[: match.start()], float(match[2])
    return rest, harms


def _parse_clean(text: str, scale: Scale, image_name: str) -> Degradation:
    named = NAMED_GAUSSIAN.fullmatch(text)
    if text == "bicubic":
        return Degradation(scale=scale)
    if text == "ganid":
        return Degradation(scale=scale, kernel=kernels.gaussian(4.0, 1.0, -0.5, size=BENCHMARK_KERNEL), anchor="centre")
    if named:
        kernel = kernels.gaussian(float(named[1]), size=BENCHMARK_KERNEL)
        return Degradation(
            scale=scale, kernel=kernel, anchor="centre", subsampling={"d": "direct", "b": "bicubic"}[named[2]]
        )
    if text.startswith("random:"):
        if not text.removeprefix("random:").isdecimal():
            raise InputError(f"random:SEED needs a whole number, got {text!r}")
        seed = zlib.crc32(f"{text} {image_name}".encode())
        return Degradation(scale=scale, kernel=kernels.random_div2krk(torch.Generator().manual_seed(seed)))
    try:
        return parse_kernel(text, scale)
    except KernelError as error:
        raise InputError(f"unknown degradation {text!r} ({error}); there are {DEGRADATIONS}") from error


def _fitted(size: tuple[int, int], columns: int | None, rows: int | None, flag: str | None) -> tuple[int, int]:
    """Return the (height, width) of ImageMagick's WxH, Wx and xH with a flag."""
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
