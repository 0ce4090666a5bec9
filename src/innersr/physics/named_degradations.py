"""Degradations and kernels by name: bicubic, g2.0d, gaussian:1.5."""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import replace

import torch
from torch import Tensor

from innersr.errors import InputError, KernelError
from innersr.physics import kernels
from innersr.physics.degradation import Degradation
from innersr.physics.kernel_files import load_kernel
from innersr.physics.resize import Scale

BENCHMARK_KERNEL = 21  # side of the test kernels in the MZSR paper
DEGRADATIONS = (
    "bicubic, gVARd, gVARb (e.g. g2.0d), ganid, random:SEED, or a kernel file; with +noise10, +jpeg60 or both behind it"
)


def parse_kernel(text: str, scale: Scale, *, anchor: str = "aligned", noise: float = 0.0) -> Degradation:
    """Parse the degradation that `--kernel` names.

    Args:
        text: "bicubic"; "gaussian:VAR" or "gaussian:V1,V2,THETA" in variances (HR px^2) and radians, or
            degrees with "deg"; or a kernel file.
        scale, anchor, noise: see `Degradation`.

    Raises:
        KernelError: not such a name, or a file that holds no usable kernel.
    """
    if text == "bicubic":
        return Degradation(scale=scale, anchor=anchor, noise=noise)
    kernel = parse_gaussian(text) if text.startswith("gaussian:") else load_kernel(text)
    return Degradation(scale=scale, kernel=kernel, anchor=anchor, noise=noise)


def parse_gaussian(text: str) -> Tensor:
    """Parse the kernel that "gaussian:VAR" or "gaussian:V1,V2,THETA" names.

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
    if max(variances) > 150:  # cut at five standard deviations, it has about as many taps as a kernel file may have
        raise KernelError(f"a Gaussian kernel has variances up to 150 pixels^2, got {text!r}")
    return kernels.gaussian(*variances, turn)


def parse_degradation(text: str, scale: Scale, image_name: str = "") -> Degradation:
    """Parse the name of a benchmark degradation.

    "g2.0d" and "g1.3b" are MZSR's Gaussians of that variance with direct and bicubic subsampling, "ganid" its
    anisotropic one (Soh 2020, sec. 5.2), all with its top-left grid. "random:SEED" draws a DIV2KRK kernel for each
    image, from the seed and the image's name. Anything else is a kernel file, aligned. All may end in "+noise10", a
    standard deviation in 8-bit levels, and in "+jpeg60", which `parse_jpeg_quality` reads.

    Raises:
        InputError: not such a name.
    """
    name, harms = _parted(text)
    clean = _parse_clean(name, scale, image_name)
    return replace(clean, noise=harms["noise"] / 255) if "noise" in harms else clean


def parse_jpeg_quality(text: str) -> int | None:
    """Parse the JPEG quality at the end of a degradation's name; None without "+jpeg60".

    Raises:
        InputError: not a whole number from 1 to 100.
    """
    quality = _parted(text)[1].get("jpeg")
    if quality is None:
        return None
    if not (quality.is_integer() and 1 <= quality <= 100):
        raise InputError(f"+jpeg takes a quality from 1 to 100, got {text!r}")
    return int(quality)


def _parted(text: str) -> tuple[str, dict[str, float]]:
    """Split a degradation's name from its endings."""
    harms: dict[str, float] = {}
    rest = text
    while match := re.search(r"(?a)\+(noise|jpeg)(\d{1,3}(?:\.\d{1,6})?)$", rest):
        if match[1] in harms:
            raise InputError(f"a degradation ends in one +{match[1]} at most, got {text!r}")
        rest, harms[match[1]] = rest[: match.start()], float(match[2])
    return rest, harms


def _parse_clean(text: str, scale: Scale, image_name: str) -> Degradation:
    if text == "ganid":
        return Degradation(scale=scale, kernel=kernels.gaussian(4.0, 1.0, -0.5, size=BENCHMARK_KERNEL), anchor="centre")
    if named := re.fullmatch(r"g(\d+(?:\.\d+)?)([db])", text):
        kernel = kernels.gaussian(float(named[1]), size=BENCHMARK_KERNEL)
        subsampling = "direct" if named[2] == "d" else "bicubic"
        return Degradation(scale=scale, kernel=kernel, anchor="centre", subsampling=subsampling)
    if text.startswith("random:"):
        if not text.removeprefix("random:").isdecimal():
            raise InputError(f"random:SEED needs a whole number, got {text!r}")
        seed = zlib.crc32(f"{text} {image_name}".encode())
        return Degradation(scale=scale, kernel=kernels.random_div2krk(torch.Generator().manual_seed(seed)))
    try:
        return parse_kernel(text, scale)
    except KernelError as error:
        raise InputError(f"unknown degradation {text!r} ({error}); there are {DEGRADATIONS}") from error
