"""Work of `innersr kernel show`, `estimate` and `convert`."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from innersr.blind.kernelgan.estimator import KernelGAN
from innersr.commands.console import Reporter
from innersr.commands.drawings import check_drawing, save_drawing
from innersr.errors import FileError, InputError, KernelError, KernelFileError
from innersr.examination import channels_of, examine_image, read_with_no_data
from innersr.paths import check_apart
from innersr.physics import kernels
from innersr.physics.degradation import Degradation
from innersr.physics.geometry import parse_scale
from innersr.physics.kernel_comparison import centred_alike, difference, second_moments
from innersr.physics.kernel_files import check_kernel_writable, check_may_be_file, kernel_file, load_kernel, save_kernel
from innersr.physics.named_degradations import check_spelling, parse_gaussian, parse_kernel
from innersr.plots.kernels import kernel_pair_sheet, kernel_sheet, measures_of_difference
from innersr.run import Run


def show_kernel(reporter: Reporter, *, kernel: str, other: str | None, plot: Path | None, overwrite: bool) -> None:
    """Print the measures of a kernel and draw it; with another, compare the two."""
    if other is not None:
        _compare_kernels((kernel, other), plot, overwrite, reporter)
        return
    taps = _named_kernel(kernel)
    if plot is not None:
        check_drawing(plot, [kernel_file(kernel)], overwrite=overwrite)
        save_drawing(kernel_sheet(taps, kernel), plot, overwrite=overwrite)
    reporter.result([*_measures(taps, kernel), *_sketch(taps)], _record(taps, kernel))


def convert_kernel(
    reporter: Reporter,
    *,
    source: str,
    target: Path,
    convention: str | None,
    scale: float,
    overwrite: bool,
) -> None:
    """Write a kernel in another format, moved to another convention if one is named."""
    check_apart(target, [kernel_file(source)])
    kernel = _named_kernel(source)
    if convention is not None:
        kernel = kernels.in_convention(kernel, convention, scale)
    save_kernel(kernel, target, overwrite=overwrite)
    rows, columns = kernel.shape
    reporter.result(f"{source} -> {target}  {rows}x{columns}", _record(kernel, source) | {"output": str(target)})


def estimate_kernel(  # noqa: PLR0913 (the options of the command)
    reporter: Reporter,
    run: Run,
    *,
    source: Path,
    output: Path | None,
    plot: Path | None,
    scale: str,
    method: str,
    overwrite: bool,
) -> None:
    """Estimate the kernel that blurred an image; print, write and draw it."""
    scales = parse_scale(scale)
    if method not in ("fast", "kernelgan"):
        raise InputError(f"method must be one of fast, kernelgan, got {method!r}")
    if output is not None:
        check_apart(output, [source])
        check_kernel_writable(output, overwrite=overwrite)
    if plot is not None:
        check_drawing(plot, [source, *([output] if output else [])], overwrite=overwrite)
    started = time.monotonic()
    image = read_with_no_data(source)
    reporter.notes(source, image.reading_notes)
    facts: dict[str, Any] = {}
    notes: list[str] = []
    with reporter.progress(source.name) as report:
        run = replace(run, report=report).start()
        try:
            if method == "fast":
                estimate = examine_image(image, scales, run, is_thorough=True)
                degradation, summary = estimate.degradation, estimate.believed().summary
                facts["noise"] = round(255 * degradation.noise, 2)
                facts |= {"jpeg_quality": estimate.jpeg_quality, "confidence": estimate.confidence}
            else:
                degradation = KernelGAN().estimate(channels_of(image, run), scales, run, notes.append)
                shape = kernels.shape_of(_as_kernel(degradation, source))
                long, short = shape.deviations
                summary = f"blur: {long:.1f}x{short:.1f} px{shape.direction}, as KernelGAN sees it"
        except InputError as error:  # does not name the file
            raise FileError(f"{source}: {error}") from error
    reporter.notes(source, notes)
    kernel = _as_kernel(degradation, source)
    if output is not None:
        save_kernel(kernel, output, overwrite=overwrite)
    if plot is not None:
        save_drawing(kernel_sheet(kernel, f"{source.name}: {summary}"), plot, overwrite=overwrite)
    record = {
        **_record(kernel, str(source)),
        "method": method,
        "scale": [*degradation.scales[::-1]],
        "summary": summary,
        **facts,
        "output": None if output is None else str(output),
        "seconds": round(time.monotonic() - started, 2),
    }
    reporter.result([f"{source}: {summary}", *_sketch(kernel)], record)


def _compare_kernels(sources: tuple[str, str], plot: Path | None, overwrite: bool, reporter: Reporter) -> None:
    """Print the measures of two kernels and their differences, and draw them side by side."""
    first, second = (_named_kernel(source) for source in sources)
    gap = difference(first, second)
    if plot is not None:
        check_drawing(plot, map(kernel_file, sources), overwrite=overwrite)
        save_drawing(kernel_pair_sheet((first, second), sources, gap), plot, overwrite=overwrite)
    lines, records = [], []
    for kernel, source in zip((first, second), sources, strict=True):
        xx, xy, yy = second_moments(kernel)
        lines += [*_measures(kernel, source), f"covariance xx {xx:z.3f}, xy {xy:z.3f}, yy {yy:z.3f} px^2"]
        records.append(_record(kernel, source))
    sketches = [_sketch(kernel) for kernel in centred_alike(first, second)]
    lines += [*measures_of_difference(gap), *(" | ".join(pair) for pair in zip(*sketches, strict=True))]
    record = {
        "kernels": records,
        "angle_difference_degrees": gap.angle,
        "psnr": gap.psnr if math.isfinite(gap.psnr) else None,
        "correlation": gap.correlation,
    }
    reporter.result(lines, record)


def _as_kernel(degradation: Degradation, source: Path) -> Tensor:
    """The one kernel that stands for a degradation, that of bicubic shrinking folded in."""
    if degradation.kernel is not None and degradation.subsampling == "direct":
        return degradation.kernel
    try:
        folded = degradation.effective_kernel().kernel
    except KernelError as error:
        remedy = "nothing but shrinking was found, estimate at a whole --scale"
        raise KernelFileError(f"{source}: {error}; {remedy}") from error
    assert folded is not None
    return folded


def _named_kernel(source: str) -> Tensor:
    if source == "bicubic":
        return _as_kernel(parse_kernel(source, 2), Path(source))
    if source.startswith("gaussian:"):
        return parse_gaussian(source)
    check_spelling(source, "bicubic", "gaussian")
    check_may_be_file(source, "bicubic, gaussian:VAR")
    return load_kernel(source)


def _measures(kernel: Tensor, source: str) -> list[str]:
    shape, mass = kernels.shape_of(kernel), kernels.centre_of_mass(kernel)
    return [
        f"{source}: {kernel.shape[0]}x{kernel.shape[1]}",
        f"variances {shape.long_variance:.3f} x {shape.short_variance:.3f} px^2{shape.direction}",
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


def _sketch(kernel: Tensor) -> list[str]:
    shades = " .:-=+*#%@"
    levels = (kernel / kernel.max()).clamp(0, 1).sqrt()  # the square root shows the tails
    return ["".join(2 * shades[min(int(10 * v), 9)] for v in row) for row in levels.tolist()]
