"""What the commands do, once their arguments are read."""

from __future__ import annotations

import math
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import PIL
import pyvips
import torch

from innersr import image as image_files
from innersr import kernels
from innersr.arrays import image_from
from innersr.benchmark import Plan, decibels, run_plan, scale_name, table_of
from innersr.compare import comparison
from innersr.errors import InnersrError, InputError
from innersr.image import Image, check_writable, partial_path, read, save
from innersr.image_formats import METADATA_CHOICES
from innersr.interrupts import prompt_interrupts
from innersr.kernel_files import load_kernel, save_kernel
from innersr.memory import is_out_of_memory
from innersr.methods import Method, make_method, settings_of
from innersr.pipeline import ALPHA_CHOICES, Result, default_output, upscale_image
from innersr.resize import resize
from innersr.run import Run
from innersr.specs import check_size, parse_gaussian, parse_kernel, parse_scale, parse_settings, parse_size
from innersr.voice import Voice

DEPTHS = {"keep": None, "8": "uint8", "16": "uint16", "float": "float32"}
SHADES = " .:-=+*#%@"


@dataclass(frozen=True, kw_only=True)
class UpscaleRequest:
    """Everything that `innersr upscale` was told, the noise in 8-bit levels."""

    inputs: tuple[Path, ...]
    output: str | None
    scale: str | None
    size: str | None
    method: str
    preset: str | None
    settings: tuple[str, ...]
    kernel: str
    anchor: str
    noise: float
    wrap: str
    alpha: str
    depth: str
    metadata: str
    quality: int
    pixel_limit: int
    compare: Path | None
    overwrite: bool
    run: Run


def upscale_files(request: UpscaleRequest, voice: Voice) -> int:
    """Upscale files one after the other; return the exit code, 1 if any of them failed.

    One bad file does not keep the others from their turn.

    Raises:
        InputError: the request is wrong, and nothing was started.
    """
    method = make_method(request.method, request.preset, parse_settings(request.settings))
    request = replace(request, inputs=tuple(_expanded(request.inputs)))
    _check(request)
    if request.output is not None and _names_folder(request.output):
        Path(request.output).mkdir(exist_ok=True)
    voice.detail(f"{request.method} {settings_of(method)} on {request.run.torch_device}, {request.run.dtype}")
    failures = 0
    partial_files: list[Path] = []
    with prompt_interrupts(partial_files):
        for source in request.inputs:
            try:
                _upscale_file(source, request, method, voice, partial_files)
            except BrokenPipeError:
                raise
            except (InnersrError, OSError) as error:
                failures += 1
                voice.error(str(error) if str(error).startswith(f"{source}: ") else f"{source}: {error}")
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failures += 1
                voice.error(f"{source}: out of memory; use a smaller scale, a smaller --tile, or a machine with more")
    return 1 if failures else 0


def show_kernel(source: str, plot: Path | None, overwrite: bool, voice: Voice) -> None:
    """Say what a kernel is, and draw it."""
    kernel = _named_kernel(source)
    shape, mass = kernels.shape_of(kernel), kernels.centre_of_mass(kernel)
    if plot is not None:
        _save_plot(kernel, plot, overwrite)
    angle = torch.rad2deg(torch.tensor(shape.angle)).item()
    lines = [
        f"{source}: {kernel.shape[0]}x{kernel.shape[1]}",
        f"variances {shape.long_variance:.3f} x {shape.short_variance:.3f} px^2 at {angle:.0f} deg",
        f"centre of mass {mass[0]:.3f}, {mass[1]:.3f} (the middle is {(kernel.shape[0] - 1) / 2:g}, "
        f"{(kernel.shape[1] - 1) / 2:g})",
        *_sketch(kernel),
    ]
    record = {
        "kernel": source,
        "size": list(kernel.shape),
        "variances": [shape.long_variance, shape.short_variance],
        "angle_degrees": angle,
        "centre_of_mass": list(mass),
    }
    voice.result("\n".join(lines), record)


def convert_kernel(source: str, target: Path, convention: str | None, scale: float, overwrite: bool) -> None:
    """Write a kernel in another format, moved to another convention if one is named."""
    kernel = _named_kernel(source)
    if convention is not None:
        kernel = kernels.in_convention(kernel, convention, scale)
    save_kernel(kernel, target, overwrite=overwrite)


def bench(plan: Plan, run: Run, rows_file: Path | None, voice: Voice) -> None:
    """Compute the rows of a benchmark and say their means."""
    rows = []
    with voice.progress("bench") as report:
        for row in run_plan(plan, replace(run, report=report), rows_file):
            rows.append(row)
            voice.detail(
                f"{row['folder']}/{row['image']} {scale_name(row['scale'])} {row['degradation']} {row['method']}: "
                f"{decibels(row['psnr_y']):.2f} dB, SSIM {row['ssim_y']:.4f}, {row['cpu_seconds']:.1f} CPU s"
            )
    voice.text(table_of(rows))


def doctor(voice: Voice, package_version: str) -> None:
    """Say what this installation consists of and can do."""
    vips = ".".join(str(pyvips.version(part)) for part in range(3))
    lines = [
        f"innersr  {package_version}",
        f"python   {platform.python_version()} ({sys.executable})",
        f"system   {platform.platform()}",
        f"torch    {torch.__version__}",
        f"libvips  {vips} (pyvips {pyvips.__version__})",
        f"pillow   {PIL.__version__}",
        f"devices  {', '.join(_devices())}",
    ]
    works = image_files.codecs()
    names = sorted({name.split()[0] for name in works})
    for name in names:
        states = [f"{verb} {'yes' if works[f'{name} {verb}'] else 'NO'}" for verb in ("read", "write")]
        lines.append(f"{name:<8} {', '.join(states)}")
    voice.text("\n".join(lines))


def _expanded(inputs: Sequence[Path]) -> Iterator[Path]:
    """Yield the inputs, with the files in place of a pattern that the shell has left alone."""
    for path in inputs:
        is_pattern = any(character in str(path) for character in "*?[") and not path.exists()
        folder = Path(path.anchor)
        found = sorted(folder.glob(str(path.relative_to(folder)))) if is_pattern else []
        yield from found or [path]


def _check(request: UpscaleRequest) -> None:
    """Refuse, before anything is read, what cannot work for any file."""
    if request.depth not in DEPTHS:
        raise InputError(f"depth must be one of {', '.join(DEPTHS)}, got {request.depth!r}")
    if request.alpha not in ALPHA_CHOICES:
        raise InputError(f"alpha must be one of {', '.join(ALPHA_CHOICES)}, got {request.alpha!r}")
    if request.metadata not in METADATA_CHOICES:
        raise InputError(f"metadata must be one of {', '.join(METADATA_CHOICES)}, got {request.metadata!r}")
    if request.scale is not None and request.size is not None:
        raise InputError("give --scale or --size, not both")
    if not 0 <= request.noise < 255:
        raise InputError(f"noise is a standard deviation in 8-bit levels, from 0 to below 255, got {request.noise:g}")
    if request.size is not None:
        check_size(request.size)
    replace(parse_kernel(request.kernel, parse_scale(request.scale or "2"), anchor=request.anchor), wrap=request.wrap)
    many = len(request.inputs) > 1
    if many and request.compare is not None:
        raise InputError("--compare takes one input")
    if many and request.output is not None and not _names_folder(request.output):
        raise InputError(f"{request.output}: with several inputs the output is a folder; write {request.output}/")
    names = [source.name for source in request.inputs]
    if request.output is not None and len(set(names)) != len(names):
        raise InputError("two inputs have the same name and would be written to the same file; upscale them apart")


def _upscale_file(
    source: Path, request: UpscaleRequest, method: Method, voice: Voice, partial_files: list[Path]
) -> None:
    started = time.monotonic()
    image = read(source, pixel_limit=request.pixel_limit)
    for note in image.notes:
        voice.note(f"{source}: {note}")
    depth = DEPTHS[request.depth] or image.depth
    height, width = image.colour.shape[-2:]
    scale = parse_scale(request.scale or "2")
    if request.size is not None:
        rows, columns = parse_size(request.size, (height, width))
        scale = (rows / height, columns / width)
    degradation = parse_kernel(request.kernel, scale, anchor=request.anchor, noise=request.noise / 255)
    degradation = replace(degradation, wrap=request.wrap).fitted((height, width))
    rows, columns = degradation.hr_size((height, width))
    if rows * columns > request.pixel_limit:
        raise InputError(f"{source}: the result would have {rows * columns} pixels; raise --pixel-limit to allow it")
    target = _target(source, request.output, default_output(source, degradation))
    has_alpha = image.alpha is not None and request.alpha != "drop"
    bands = image.colour.shape[1]
    size = (columns, rows)
    check_writable(target, depth=depth, bands=bands, has_alpha=has_alpha, overwrite=request.overwrite, size=size)
    if request.compare is not None:
        if request.compare.resolve() in (source.resolve(), target.resolve()):
            raise InputError(f"{request.compare}: --compare needs a file of its own")
        check_writable(request.compare, depth="uint8", bands=3, has_alpha=False, overwrite=request.overwrite)
    partial_files[:] = [partial_path(target)]
    with voice.progress(source.name) as report:
        run = replace(request.run, report=report, started=time.monotonic())
        result = upscale_image(image, degradation, method, run, alpha=request.alpha)
    enlarged = replace(result.image, depth=depth)
    notes = save(enlarged, target, overwrite=request.overwrite, quality=request.quality, metadata=request.metadata)
    for note in notes:
        voice.note(f"{target}: {note}")
    if request.compare is not None:
        partial_files[:] = [partial_path(request.compare)]
        _save_comparison(image, result, request)
    seconds = time.monotonic() - started
    record = {
        "input": str(source),
        "output": str(target),
        "input_size": [width, height],
        "output_size": [columns, rows],
        "scale": list(degradation.scales),
        "method": request.method,
        "settings": settings_of(method),
        "kernel": request.kernel,
        "noise": request.noise,
        "wrap": request.wrap,
        "seed": request.run.seed,
        "device": str(request.run.torch_device),
        "seconds": round(seconds, 2),
        "consistency_psnr": round(result.consistency_psnr, 2) if math.isfinite(result.consistency_psnr) else None,
        "notes": [*image.notes, *notes],
    }
    voice.result(
        f"{source} -> {target}  {width}x{height} -> {columns}x{rows}  {seconds:.1f} s  "
        f"consistency {result.consistency_psnr:.1f} dB",
        record,
    )


def _target(source: Path, output: str | None, default: Path) -> Path:
    if output is None:
        return default
    return Path(output, source.name) if _names_folder(output) else Path(output)


def _names_folder(output: str) -> bool:
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def _save_comparison(image: Image, result: Result, request: UpscaleRequest) -> None:
    assert request.compare is not None
    white = max(1.0, float(image.colour.max()))
    before, after = image.colour, result.image.colour
    if request.alpha == "auto":
        before, after = _on_white(image, white), _on_white(result.image, white)
    low, high = (0.0, 1.0) if image.depth == "uint8" else (float(after.min()), float(after.max()))
    spread = (high - low) or 1.0
    before = resize(before, size=(after.shape[-2], after.shape[-1]))
    picture = comparison((before - low) / spread, (after - low) / spread, ("bicubic", request.method))
    drawn, _ = image_from(picture)
    save(drawn, request.compare, overwrite=request.overwrite)


def _on_white(image: Image, white: float) -> torch.Tensor:
    """Return the colours as they are seen; what colour a transparent pixel has does not show."""
    if image.alpha is None:
        return image.colour
    return image.colour * image.alpha + white * (1 - image.alpha)


def _named_kernel(source: str) -> torch.Tensor:
    if source == "bicubic":
        folded = parse_kernel(source, 2).effective_kernel().kernel
        assert folded is not None
        return folded
    return parse_gaussian(source) if source.startswith("gaussian:") else load_kernel(source)


def _save_plot(kernel: torch.Tensor, path: Path, overwrite: bool) -> None:
    zoom = max(1, 512 // max(kernel.shape))
    levels = (kernel / kernel.max()).clamp(0, 1).sqrt()  # the square root shows the tails
    enlarged = levels.repeat_interleave(zoom, 0).repeat_interleave(zoom, 1)
    save(Image(colour=enlarged[None, None].float()), path, overwrite=overwrite)


def _sketch(kernel: torch.Tensor) -> list[str]:
    levels = (kernel / kernel.max()).clamp(0, 1).sqrt()
    return ["".join(2 * SHADES[min(int(v * len(SHADES)), len(SHADES) - 1)] for v in row) for row in levels.tolist()]


def _devices() -> list[str]:
    names = [f"cpu ({torch.get_num_threads()} threads, {Run(device='cpu').dtype})".replace("torch.", "")]
    names += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    return names + ["mps"] * torch.backends.mps.is_available()
