"""Work of `innersr upscale`."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from innersr.batch.inputs import BatchInputs, find_inputs
from innersr.blind.estimate import Estimate
from innersr.commands.console import Reporter, memory_advice
from innersr.commands.drawings import check_drawing, save_drawing
from innersr.commands.outputs import identity, is_one_file, make_folder, names_folder
from innersr.errors import InnersrError, InputError
from innersr.methods.options import UpscaleOptions
from innersr.methods.registry import name_of, settings_of
from innersr.physics.degradation import Degradation
from innersr.physics.geometry import parse_scale
from innersr.physics.kernel_comparison import second_moments
from innersr.pipeline.files import open_file
from innersr.pipeline.result import Result
from innersr.pipeline.tasks import FileTask
from innersr.plots.before_after import before_after_sheet, comparable
from innersr.run import Run
from innersr.settings import parse_settings


def upscale_files(  # noqa: PLR0913 (the options of the command)
    reporter: Reporter,
    run: Run,
    *,
    inputs: Sequence[Path],
    output: str | None,
    compare: Path | None,
    scale: str | None,
    size: str | None,
    settings: Sequence[str] | None,
    in_place: bool,
    recursive: bool,
    **others: Any,  # noqa: ANN401 (of several types)
) -> int:
    """Upscale files one after the other; return the exit code, 1 if any of them failed.

    Args:
        inputs: files, folders, patterns that the shell has left alone, and lists; see `find_inputs`.
        output: a file, or a folder, which is made where it ends in a slash; beside the inputs when None.
        compare: file for bicubic and the result side by side.
        in_place: whether a result replaces its own input: where there is no output, or that is the input's folder.
        recursive: whether the folders in folders are entered too.
        others: further fields of `UpscaleOptions`.
    """
    if scale is not None and size is not None:
        raise InputError("give --scale or --size, not both")
    options = UpscaleOptions(
        scale=parse_scale(scale or "2"), size=size, settings=parse_settings(settings or ()), **others
    )
    folder = Path(output) if output is not None and names_folder(output) else None
    found = find_inputs(inputs, recursive=recursive, output=folder)
    for note in found.notes:
        reporter.note(note)
    if options.save_adapted is not None and found.is_batch:
        raise InputError("--save-adapted keeps what is learnt from one input; give one, then the others with --adapted")
    places = _Places(found, output, in_place=in_place)
    places.check(compare)
    reporter.verbose(f"{options.method} {settings_of(options.chosen_method)} on {run.torch_device}, {run.dtype}")
    failures = 0
    for source in (file.path for file in found.files):
        try:
            with memory_advice(source, "use a smaller scale, a smaller --tile, or a machine with more"):
                _upscale_file(source, places, options, run, reporter, compare)
        except (InnersrError, OSError) as error:
            failures += 1
            reporter.failure(error, 1, source)
    return 1 if failures else 0


class _Places:
    """Where the results of a command go."""

    def __init__(self, inputs: BatchInputs, output: str | None, *, in_place: bool) -> None:
        self._inputs, self._output, self.in_place = inputs, output, in_place
        self._into_folder = output is not None and names_folder(output)
        self._below = {file.path: file.below for file in inputs.files}
        self._sources = {identity(file.path): file.path for file in inputs.files if file.path.exists()}
        self._written: set[tuple[int, int] | Path] = set()

    def check(self, compare: Path | None) -> None:
        """Refuse, before anything is read, files that do not go together; make the folder."""
        many, output = self._inputs.is_batch, self._output
        if many and compare is not None:
            raise InputError("--compare takes one input")
        if output is None:
            return
        if many and not self._into_folder:
            raise InputError(f"{output}: with several inputs the output is a folder; write {output}/")
        for source in self._below:
            target = self.target(source)
            assert target is not None
            self.check_target(source, target)
        if self._into_folder:
            make_folder(Path(output))

    def target(self, source: Path) -> Path | None:
        """The file that an input is upscaled to; None for a name beside it."""
        if self._output is None:
            return source if self.in_place else None
        return Path(self._output, self._below[source]) if self._into_folder else Path(self._output)

    def check_target(self, source: Path, target: Path) -> None:
        """Refuse to replace an input, but for its own result in place, or the result of another one."""
        place = identity(target)
        taken = self._sources.get(place)
        if taken is not None and not (self.in_place and is_one_file(target, source)):
            remedy = (
                "choose another folder with -o" if self.in_place else "choose another folder with -o, or --in-place"
            )
            raise InputError(f"{source}: the result would replace the input {taken}; {remedy}")
        if place in self._written:
            raise InputError(f"{source}: {target} is the result of another input; upscale them apart")

    def prepare(self, target: Path) -> None:
        """Make the folder of a result within the output folder."""
        if self._into_folder:
            make_folder(target.parent)

    def add(self, target: Path) -> None:
        """Note a result that was written."""
        self._written.add(identity(target))


def _upscale_file(  # noqa: PLR0913 (as above)
    source: Path, places: _Places, options: UpscaleOptions, run: Run, reporter: Reporter, compare: Path | None
) -> None:
    started = time.monotonic()
    task = open_file(source, places.target(source), options)
    reporter.notes(source, task.image.notes)
    places.check_target(source, task.target)
    if places.in_place and is_one_file(source, task.target):
        task = replace(task, options=replace(options, overwrite=True))
    places.prepare(task.target)
    task.check()
    if compare is not None:
        check_drawing(compare, [source, task.target], overwrite=options.overwrite)
    run = run.start()
    seen = task.normalised(run)
    estimate = task.estimate(run, seen)
    if estimate is not None:
        reporter.info(f"{source}: {options.amended(estimate).summary}")
    with reporter.progress(source.name) as report:
        result = task.write(replace(run, report=report), estimate, seen)
    places.add(task.target)
    reporter.notes(task.target, result.notes)
    if compare is not None:
        _save_comparison(task, result, compare)
    record = _record_of(task, result, run, time.monotonic() - started)
    (width, height), (columns, rows) = record["input_size"], record["output_size"]
    reporter.result(
        f"{source} -> {task.target}  {width}x{height} -> {columns}x{rows}  {record['seconds']:.1f} s  "
        f"consistency {result.consistency_psnr:.1f} dB",
        record,
    )


def _record_of(task: FileTask, result: Result, run: Run, seconds: float) -> dict[str, Any]:
    options = task.options
    return {
        "input": str(task.source),
        "output": str(task.target),
        "input_size": [*task.lr_size[::-1]],
        "output_size": [*task.hr_size[::-1]],
        "scale": [*task.scales[::-1]],
        "method": name_of(result.method),
        "settings": settings_of(result.method),
        "kernel": None if options.is_blind and result.estimate is None else options.kernel,
        "noise": round(255 * result.degradation.noise, 2),
        "counting": _counting_record(result.degradation),
        "compression": round(result.degradation.compression, 3),
        "estimate": None if result.estimate is None else _estimate_record(result.estimate),
        "keep_grain": options.keep_grain,
        "wrap": options.wrap,
        "seed": run.seed,
        "device": str(run.torch_device),
        "seconds": round(seconds, 2),
        "consistency_psnr": round(result.consistency_psnr, 2) if math.isfinite(result.consistency_psnr) else None,
        "notes": [*task.image.notes, *result.notes],
    }


def _estimate_record(estimate: Estimate) -> dict[str, Any]:
    kernel = estimate.degradation.kernel
    return {
        "summary": estimate.summary,
        "covariance": None if kernel is None else [round(v, 3) for v in second_moments(kernel)],
        "noise": round(255 * estimate.degradation.noise, 2),
        "counting": _counting_record(estimate.degradation),
        "jpeg_quality": estimate.jpeg_quality,
        "confidence": estimate.confidence,
        "interpolated": round(estimate.interpolated, 3),
        "regions": [
            {"share": round(float(region.cells.float().mean()), 3), **_estimate_record(region.estimate)}
            for region in estimate.regions
        ],
    }


def _counting_record(degradation: Degradation) -> dict[str, float] | None:
    """Its numbers in 8-bit levels, as those of the noise."""
    noise = degradation.counting
    names = ("gain", "read", "black")
    return None if noise is None else {name: round(255 * getattr(noise, name), 3) for name in names}


def _save_comparison(task: FileTask, result: Result, path: Path) -> None:
    before, after = comparable(task.image, result.image, shows_alpha=task.options.alpha == "auto")
    picture = before_after_sheet(before, after, ("bicubic", str(task.options.method)))
    save_drawing(picture, path, overwrite=task.options.overwrite)
