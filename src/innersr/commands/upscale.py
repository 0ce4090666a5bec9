"""What the commands do, once their arguments are read."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from innersr.blind.estimate import Estimate
from innersr.commands.console import Voice
from innersr.commands.geometry import check_size, parse_scale, parse_size
from innersr.commands.interrupts import prompt_interrupts
from innersr.errors import InnersrError, InputError
from innersr.images.conversions import image_from
from innersr.images.formats import METADATA_CHOICES
from innersr.images.image import Image
from innersr.images.io import check_writable, read, save
from innersr.memory import is_out_of_memory
from innersr.methods.protocols import Method
from innersr.methods.registry import make_method, resolve, settings_of
from innersr.physics.degradation import Degradation
from innersr.physics.kernel_comparison import second_moments
from innersr.physics.named_degradations import parse_kernel
from innersr.physics.resize import Scale, resize
from innersr.pipeline import ALPHA_CHOICES, Result, default_output, examine_image, upscale_image
from innersr.plots.before_after import before_after_sheet
from innersr.run import Run
from innersr.settings import parse_settings

DEPTHS = {"keep": None, "8": "uint8", "16": "uint16", "float": "float32"}
AUTO = "auto"  # the kernel that is to be found out


@dataclass(frozen=True, kw_only=True)
class UpscaleRequest:
    """Everything that `innersr upscale` was told, the noise in 8-bit levels; None where it was not."""

    inputs: tuple[Path, ...]
    output: str | None
    scale: str | None
    size: str | None
    method: str
    preset: str | None
    settings: tuple[str, ...]
    kernel: str
    anchor: str
    noise: float | None
    keep_grain: bool
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
    method = _method_of(request)
    request = replace(request, inputs=tuple(_expanded(request.inputs)))
    _check(request)
    if request.output is not None and _names_folder(request.output):
        Path(request.output).mkdir(exist_ok=True)
    voice.detail(f"{request.method} {settings_of(method)} on {request.run.torch_device}, {request.run.dtype}")
    failures = 0
    with prompt_interrupts():
        for source in request.inputs:
            try:
                _upscale_file(source, request, method, voice)
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


def _method_of(request: UpscaleRequest) -> Method:
    """Return the method; Tailor takes as many steps as the image is worth unless the kernel or they are given."""
    method = make_method(request.method, request.preset, parse_settings(request.settings))
    return resolve(method, is_estimated=request.kernel == AUTO)


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
    _check_noise(request)
    if request.size is not None:
        check_size(request.size)
    _planned(request, parse_scale(request.scale or "2"))
    many = len(request.inputs) > 1
    if many and request.compare is not None:
        raise InputError("--compare takes one input")
    if many and request.output is not None and not _names_folder(request.output):
        raise InputError(f"{request.output}: with several inputs the output is a folder; write {request.output}/")
    names = [source.name for source in request.inputs]
    if request.output is not None and len(set(names)) != len(names):
        raise InputError("two inputs have the same name and would be written to the same file; upscale them apart")


def _check_noise(request: UpscaleRequest) -> None:
    noise = request.noise or 0.0
    if not 0 <= noise < 255:
        raise InputError(f"noise is a standard deviation in 8-bit levels, from 0 to below 255, got {noise:g}")
    if request.keep_grain and noise == 0 and (request.kernel != AUTO or request.noise is not None):
        raise InputError(
            "without noise --keep-grain has nothing to keep; give --noise, or neither --kernel nor --noise"
        )


def _upscale_file(source: Path, request: UpscaleRequest, method: Method, voice: Voice) -> None:
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
    planned = _planned(request, scale).fitted((height, width))
    rows, columns = planned.hr_size((height, width))
    if rows * columns > request.pixel_limit:
        raise InputError(f"{source}: the result would have {rows * columns} pixels; raise --pixel-limit to allow it")
    target = _target(source, request.output, default_output(source, planned))
    has_alpha = image.alpha is not None and request.alpha != "drop"
    bands = image.colour.shape[1]
    size = (columns, rows)
    check_writable(target, depth=depth, bands=bands, has_alpha=has_alpha, overwrite=request.overwrite, size=size)
    if request.compare is not None:
        if request.compare.resolve() in (source.resolve(), target.resolve()):
            raise InputError(f"{request.compare}: --compare needs a file of its own")
        check_writable(request.compare, depth="uint8", bands=3, has_alpha=False, overwrite=request.overwrite)
    run = request.run.start()
    estimate = examine_image(image, scale, run, alpha=request.alpha) if request.kernel == AUTO else None
    if estimate is not None:
        voice.remark(f"{source}: {estimate.summary}")
    told = planned if estimate is None else _told(estimate, request)
    with voice.progress(source.name) as report:
        run = replace(run, report=report)
        result = upscale_image(image, told, method, run, alpha=request.alpha, keep_grain=request.keep_grain)
    enlarged = replace(result.image, depth=depth)
    notes = save(enlarged, target, overwrite=request.overwrite, quality=request.quality, metadata=request.metadata)
    for note in notes:
        voice.note(f"{target}: {note}")
    if request.compare is not None:
        _save_comparison(image, result, request)
    seconds = time.monotonic() - started
    record = {
        "input": str(source),
        "output": str(target),
        "input_size": [width, height],
        "output_size": [columns, rows],
        "scale": list(planned.scales),
        "method": request.method,
        "settings": settings_of(method),
        "kernel": request.kernel,
        "noise": round(255 * result.degradation.noise, 2),
        "estimate": None if estimate is None else _record_of(estimate),
        "keep_grain": request.keep_grain,
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


def _planned(request: UpscaleRequest, scale: Scale) -> Degradation:
    """Return the degradation that was named, or where it is to be found out, one of the same scale."""
    noise = (request.noise or 0.0) / 255
    if request.kernel == AUTO:
        return Degradation(scale=scale, anchor=request.anchor, wrap=request.wrap, noise=noise)
    return replace(parse_kernel(request.kernel, scale, anchor=request.anchor, noise=noise), wrap=request.wrap)


def _told(estimate: Estimate, request: UpscaleRequest) -> Degradation | Estimate:
    """Return the estimate with what the request knows better."""
    if request.noise is None:
        return replace(estimate, degradation=replace(estimate.degradation, wrap=request.wrap))
    return replace(estimate.given, wrap=request.wrap, noise=request.noise / 255)


def _record_of(estimate: Estimate) -> dict[str, Any]:
    kernel = estimate.degradation.kernel
    return {
        "summary": estimate.summary,
        "covariance": None if kernel is None else [round(v, 3) for v in second_moments(kernel)],
        "noise": round(255 * estimate.degradation.noise, 2),
        "jpeg_quality": estimate.jpeg_quality,
        "confidence": estimate.confidence,
    }


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
    picture = before_after_sheet((before - low) / spread, (after - low) / spread, ("bicubic", request.method))
    drawn, _ = image_from(picture)
    save(drawn, request.compare, overwrite=request.overwrite)


def _on_white(image: Image, white: float) -> torch.Tensor:
    """Return the colours as they are seen; what colour a transparent pixel has does not show."""
    if image.alpha is None:
        return image.colour
    return image.colour * image.alpha + white * (1 - image.alpha)
