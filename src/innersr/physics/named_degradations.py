"""Degradations and kernels by name: bicubic, g2.0d, gaussian:1.5."""

from __future__ import annotations

import math
import re
import zlib
from difflib import get_close_matches
from pathlib import Path

import torch
from torch import Tensor

from innersr.errors import InputError, KernelError, KernelFileError, error_and_remedy
from innersr.physics import kernels
from innersr.physics.chains import Filter, degradation_of_taps, shrinking_taps
from innersr.physics.degradation import Degradation
from innersr.physics.geometry import scale_words
from innersr.physics.kernel_files import check_may_be_file, load_kernel
from innersr.physics.resize import Scale, as_pair

BENCHMARK_KERNEL = 21  # side of the test kernels in the MZSR paper
DEGRADATIONS = (
    "bicubic, bicubic-uint8, gVARd, gVARb (e.g. g2.0d), ganid, gaussian8, lanczos, box, disk:RADIUS, "
    "motion:LENGTH:DEGREES, random:SEED, gaussian:VAR, gaussian:V1,V2,THETA, or a kernel file"
)


def parse_kernel(
    text: str, scale: Scale, *, anchor: str = "aligned", noise: float = 0.0, others: str = "auto, estimate"
) -> Degradation:
    """Parse the degradation that `--kernel` names.

    Args:
        text: "bicubic"; "gaussian:VAR" or "gaussian:V1,V2,THETA" as in `parse_gaussian`; or a kernel file.
        scale, anchor, noise: see `Degradation`.
        others: names that the caller knows besides, for the error.

    Raises:
        KernelError: not such a name, or a file that holds no usable kernel.
    """
    if text == "bicubic":
        return Degradation(scale=scale, anchor=anchor, noise=noise)
    if text.startswith("gaussian:"):
        return Degradation(scale=scale, kernel=parse_gaussian(text), anchor=anchor, noise=noise)
    check_spelling(text, "auto", "estimate", "bicubic", "gaussian")
    check_may_be_file(text, f"{others}, bicubic, gaussian:VAR")
    return Degradation(scale=scale, kernel=load_kernel(text), anchor=anchor, noise=noise)


def check_spelling(text: str, *names: str) -> None:
    """Raise KernelError if a text is no file, but nearly one of the names that kernels have."""
    name = text.partition(":")[0]
    meant = get_close_matches(name.lower(), names, 1, 0.7)
    if meant and not Path(name).suffix and not Path(text).exists():
        spelling = "gaussian:VAR or gaussian:V1,V2,THETA" if meant == ["gaussian"] else meant[0]
        raise KernelError(f"there is no kernel {text!r}; did you mean {spelling}?")


def parse_gaussian(text: str) -> Tensor:
    """Parse the kernel that "gaussian:VAR" or "gaussian:V1,V2,THETA" names.

    V1 and V2 are variances in HR px^2, along the angle THETA and across it. The angle is in radians, or in degrees with
    "deg" behind it, from the right downwards.

    Raises:
        KernelError: not such a name, a variance that is not above 0 and at most 150, or radians beyond a whole turn,
            which are degrees.
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
    if abs(turn) > 2 * math.pi and not angle.endswith("deg"):
        raise KernelError(f"THETA is in radians, up to 2 pi, got {text!r}; for degrees write {angle.strip()}deg")
    if max(variances) > 150:  # cut at five standard deviations, it has about as many taps as a kernel file may have
        raise KernelError(f"a Gaussian kernel has variances up to 150 pixels^2, got {text!r}")
    return kernels.gaussian(*variances, turn)


def parse_degradation(text: str, scale: Scale, image_name: str = "") -> Degradation:
    """Parse the name of a degradation.

    "bicubic", "lanczos" and "box" are antialiased, as image tools shrink. "g2.0d" and "g1.3b" are MZSR's Gaussians of
    that variance with direct and bicubic subsampling, "ganid" its anisotropic one (Soh 2020, sec. 5.2), "gaussian8:1"
    to "gaussian8:8" the isotropic ones of IKC (Gu 2019), all with its top-left grid. "random:SEED" draws a DIV2KRK
    kernel for each image, from the seed and the image's name. "disk:RADIUS" and "motion:LENGTH:DEGREES" are blurs of
    a lens and of a moving camera in HR pixels. Anything else is a kernel as in `parse_kernel`, aligned.

    Raises:
        InputError: not such a name, or no such kernel at this scale.
    """
    kind, _, rest = text.partition(":")
    antialiased: dict[str, Filter] = {"lanczos": "lanczos", "box": "box"}
    if text in antialiased:
        return _antialiased(antialiased[text], scale)
    if text == "ganid":
        return Degradation(scale=scale, kernel=kernels.gaussian(4.0, 1.0, -0.5, size=BENCHMARK_KERNEL), anchor="centre")
    if named := re.fullmatch(r"g(\d+(?:\.\d+)?)([db])", text):
        kernel = kernels.gaussian(float(named[1]), size=BENCHMARK_KERNEL)
        subsampling = "direct" if named[2] == "d" else "bicubic"
        return Degradation(scale=scale, kernel=kernel, anchor="centre", subsampling=subsampling)
    if kind == "gaussian8":
        return _gaussian8(text, rest, scale)
    if kind == "random":
        if not rest.isdecimal():
            raise InputError(f"random:SEED needs a whole number, got {text!r}")
        seed = zlib.crc32(f"{text} {image_name}".encode())
        return Degradation(scale=scale, kernel=kernels.random_div2krk(torch.Generator().manual_seed(seed)))
    if kind == "disk":
        return Degradation(scale=scale, kernel=kernels.disk(*numbers(text, "disk:RADIUS")))
    if kind == "motion":
        length, angle = numbers(text, "motion:LENGTH:DEGREES")
        return Degradation(scale=scale, kernel=kernels.motion(length, math.radians(angle)))
    return _of_kernel(text, scale)


def _of_kernel(text: str, scale: Scale) -> Degradation:
    try:
        return parse_kernel(text, scale)
    except KernelFileError:
        raise
    except KernelError as error:
        reason, _ = error_and_remedy(str(error))
        raise InputError(f"unknown degradation {text!r} ({reason}); there are {DEGRADATIONS}") from error


def numbers(text: str, form: str) -> tuple[float, ...]:
    """The numbers of a name such as "motion:8:30", as many as its form "motion:LENGTH:DEGREES" has.

    Numbers may be separated by commas in place of colons.

    Raises:
        InputError: more or fewer numbers, or something else.
    """
    words = re.split("[:,]", text)[1:]
    try:
        values = tuple(float(word) for word in words)
    except ValueError:
        values = ()
    if len(values) != form.count(":") or not all(map(math.isfinite, values)):
        raise InputError(f"the form is {form}, got {text!r}")
    return values


def _antialiased(kind: Filter, scale: Scale) -> Degradation:
    vertical, horizontal = as_pair(scale)
    if vertical != horizontal or not vertical.is_integer():
        raise InputError(f"{kind} shrinks by one whole scale, got {scale_words(scale)}; bicubic by any")
    return degradation_of_taps(shrinking_taps(kind, int(vertical)), scale)


def _gaussian8(text: str, number: str, scale: Scale) -> Degradation:
    widths = {(2.0, 2.0): (0.8, 1.6), (3.0, 3.0): (1.35, 2.4), (4.0, 4.0): (1.8, 3.2)}.get(as_pair(scale))
    if widths is None or number not in tuple("12345678"):
        raise InputError(
            f"gaussian8:1 to gaussian8:8 are the kernels, for scales 2, 3 and 4; got {text!r}, {scale_words(scale)}"
        )
    width = widths[0] + (widths[1] - widths[0]) * (int(number) - 1) / 7
    return Degradation(scale=scale, kernel=kernels.gaussian(width**2, size=BENCHMARK_KERNEL), anchor="centre")
