"""What the kernel commands do, once their arguments are read."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from innersr.blind.kernelgan.estimator import KernelGAN
from innersr.commands.console import Reporter
from innersr.errors import InputError, KernelError
from innersr.images.conversions import image_from
from innersr.images.image import Image
from innersr.images.io import check_writable, read, save
from innersr.physics import kernels
from innersr.physics.degradation import Degradation
from innersr.physics.kernel_comparison import Difference, centred_alike, difference, second_moments
from innersr.physics.kernel_files import check_kernel_writable, load_kernel, save_kernel
from innersr.physics.named_degradations import parse_gaussian, parse_kernel
from innersr.physics.resize import Scale
from innersr.pipeline import channels_of, examine_image
from innersr.plots.kernels import kernel_pair_sheet, kernel_sheet, measures_of_difference
from innersr.plots.sheets import Pixels
from innersr.run import Run

METHODS = ("fast", "kernelgan")
SHADES = " .:-=+*#%@"


@dataclass(frozen=True, kw_only=True)
class EstimateRequest:
    """Everything that `innersr kernel estimate` was told."""

    source: Path
    output: Path | None
    plot: Path | None
    scale: Scale
    method: str
    overwrite: bool
    run: Run


def show_kernel(source: str, plot: Path | None, overwrite: bool, reporter: Reporter) -> None:
    """Say what a kernel is, and draw it."""
    kernel = _named_kernel(source)
    if plot is not None:
        _save_drawing(kernel_sheet(kernel, source), plot, overwrite)
    reporter.result("\n".join([*_measures(kernel, source), *_sketch(kernel)]), _record(kernel, source))


def compare_kernels(sources: tuple[str, str], plot: Path | None, overwrite: bool, reporter: Reporter) -> None:
    """Say what two kernels are and how they differ, and draw them side by side."""
    first, second = (_named_kernel(source) for source in sources)
    gap = difference(first, second)
    if plot is not None:
        _save_drawing(kernel_pair_sheet((first, second), sources, gap), plot, overwrite)
    lines = []
    for kernel, source in zip((first, second), sources, strict=True):
        xx, xy, yy = second_moments(kernel)
        lines += [*_measures(kernel, source), f"covariance xx {xx:z.3f}, xy {xy:z.3f}, yy {yy:z.3f} px^2"]
    sketches = [_sketch(kernel) for kernel in centred_alike(first, second)]
    lines += [*measures_of_difference(gap), *(" | ".join(pair) for pair in zip(*sketches, strict=True))]
    reporter.result("\n".join(lines), _record_of_two((first, second), sources, gap))


def convert_kernel(source: str, target: Path, convention: str | None, scale: float, overwrite: bool) -> None:
    """Write a kernel in another format, moved to another convention if one is named."""
    kernel = _named_kernel(source)
    if convention is not None:
        kernel = kernels.in_convention(kernel, convention, scale)
    save_kernel(kernel, target, overwrite=overwrite)


def estimate_kernel(request: EstimateRequest, reporter: Reporter) -> None:
    """Estimate the kernel that blurred an image, say and write it.

    Raises:
        InputError: the request is wrong, and nothing was started; or the image is too small.
    """
    _check(request)
    started = time.monotonic()
    image = read(request.source)
    for note in image.notes:
        reporter.note(f"{request.source}: {note}")
    with reporter.progress(request.source.name) as report:
        run = replace(request.run, report=report).start()
        find = _found_fast if request.method == "fast" else _found_by_kernelgan
        try:
            found = find(image, request, run)
        except InputError as error:  # says what, not of which file
            raise InputError(f"{request.source}: {error}") from error
    kernel = _as_kernel(found.degradation, request.source)
    if request.output is not None:
        save_kernel(kernel, request.output, overwrite=request.overwrite)
    if request.plot is not None:
        _save_drawing(kernel_sheet(kernel, f"{request.source.name}: {found.summary}"), request.plot, request.overwrite)
    record = {
        **_record(kernel, str(request.source)),
        "method": request.method,
        "scale": list(found.degradation.scales),
        "summary": found.summary,
        **found.facts,
        "output": None if request.output is None else str(request.output),
        "seconds": round(time.monotonic() - started, 2),
    }
    reporter.result("\n".join([f"{request.source}: {found.summary}", *_sketch(kernel)]), record)


def _check(request: EstimateRequest) -> None:
    """Refuse, before the image is read, what cannot work."""
    if request.method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {request.method!r}")
    if request.output is not None:
        check_kernel_writable(request.output, overwrite=request.overwrite)
    if request.plot is not None:
        if request.output is not None and request.plot.resolve() == request.output.resolve():
            raise InputError(f"{request.plot}: the kernel and its picture need a file each; name two")
        check_writable(request.plot, depth="uint8", bands=3, has_alpha=False, overwrite=request.overwrite)


class _Found(NamedTuple):
    """What a method of estimation has found, and its part of the record."""

    degradation: Degradation
    summary: str
    facts: dict[str, Any]


def _found_fast(image: Image, request: EstimateRequest, run: Run) -> _Found:
    estimate = examine_image(image, request.scale, run)
    facts = {
        "noise": round(255 * estimate.degradation.noise, 2),
        "jpeg_quality": estimate.jpeg_quality,
        "confidence": estimate.confidence,
    }
    return _Found(estimate.degradation, estimate.summary, facts)


def _found_by_kernelgan(image: Image, request: EstimateRequest, run: Run) -> _Found:
    degradation = KernelGAN().estimate(channels_of(image, run), request.scale, run)
    shape = kernels.shape_of(_as_kernel(degradation, request.source))
    long, short = shape.deviations
    words = f"blur: {long:.1f}x{short:.1f} px at {math.degrees(shape.angle):.0f} deg, as KernelGAN sees it"
    return _Found(degradation, words, {})


def _as_kernel(degradation: Degradation, source: Path) -> Tensor:
    """Return the one kernel that stands for a degradation, that of bicubic shrinking folded in."""
    if degradation.kernel is not None and degradation.subsampling == "direct":
        return degradation.kernel
    try:
        folded = degradation.effective_kernel().kernel
    except KernelError as error:
        raise KernelError(f"{source}: {error}; nothing but shrinking was found, estimate at a whole --scale") from error
    assert folded is not None
    return folded


def _named_kernel(source: str) -> Tensor:
    if source == "bicubic":
        return _as_kernel(parse_kernel(source, 2), Path(source))
    return parse_gaussian(source) if source.startswith("gaussian:") else load_kernel(source)


def _measures(kernel: Tensor, source: str) -> list[str]:
    shape, mass = kernels.shape_of(kernel), kernels.centre_of_mass(kernel)
    return [
        f"{source}: {kernel.shape[0]}x{kernel.shape[1]}",
        f"variances {shape.long_variance:.3f} x {shape.short_variance:.3f} px^2 at {math.degrees(shape.angle):.0f} deg",
        f"centre of mass {mass[0]:.3f}, {mass[1]:.3f} (the middle is {(kernel.shape[0] - 1) / 2:g}, "
        f"{(kernel.shape[1] - 1) / 2:g})",
    ]


def _record(kernel: Tensor, source: str) -> dict[str, Any]:
    shape = kernels.shape_of(kernel)
    return {
        "kernel": source,
        "size": list(kernel.shape),
        "variances": [shape.long_variance, shape.short_variance],
        "angle_degrees": math.degrees(shape.angle),
        "covariance": list(second_moments(kernel)),
        "centre_of_mass": list(kernels.centre_of_mass(kernel)),
    }


def _record_of_two(pair: tuple[Tensor, Tensor], sources: tuple[str, str], gap: Difference) -> dict[str, Any]:
    return {
        "kernels": [_record(kernel, source) for kernel, source in zip(pair, sources, strict=True)],
        "angle_difference_degrees": gap.angle,
        "psnr": gap.psnr if math.isfinite(gap.psnr) else None,
        "correlation": gap.correlation,
    }


def _save_drawing(drawing: Pixels, path: Path, overwrite: bool) -> None:
    picture, _ = image_from(drawing)
    save(picture, path, overwrite=overwrite)


def _sketch(kernel: Tensor) -> list[str]:
    levels = (kernel / kernel.max()).clamp(0, 1).sqrt()  # the square root shows the tails
    return ["".join(2 * SHADES[min(int(v * len(SHADES)), len(SHADES) - 1)] for v in row) for row in levels.tolist()]
