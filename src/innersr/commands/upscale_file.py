"""One image file of `innersr upscale`, in the process of the command or in one of several."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from innersr.batch.remote import download, is_remote, reached, upload
from innersr.blind.estimate import Estimate
from innersr.commands.batch.table import Sizes
from innersr.commands.console import Reporter, in_words, memory_advice
from innersr.commands.drawings import check_drawing, save_drawing
from innersr.errors import ImageFileError, InnersrError, InputError, NoDataError, exists_already
from innersr.methods.options import UpscaleOptions
from innersr.methods.protocols import unused_by
from innersr.methods.registry import name_of, settings_of
from innersr.paths import is_one_file
from innersr.physics.degradation import Degradation
from innersr.physics.kernel_comparison import second_moments
from innersr.pipeline.files import open_file
from innersr.pipeline.result import Result
from innersr.pipeline.tasks import FileTask
from innersr.plots.before_after import before_after_sheet, comparable
from innersr.run import Run

Message: TypeAlias = tuple[str, tuple[Any, ...]]
"""A method of the reporter, and its arguments."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FileJob:
    """A file to be upscaled."""

    source: Path
    target: Path
    options: UpscaleOptions
    run: Run
    compare: Path | None = None
    """File for bicubic and the result side by side."""
    is_alone: bool = False
    """Whether the command is given no other file, so that an option that is not for such files is wrong usage."""

    @property
    def is_remote(self) -> bool:
        """Whether an address is read or written, by way of a temporary folder."""
        return is_remote(self.source) or is_remote(self.target)


@dataclass(frozen=True, kw_only=True)
class FileOutcome:
    """The outcome of a file, with its messages to the user."""

    seconds: float
    sizes: Sizes | None = None
    """Of the image and its result, where it was written."""
    exit_code: int = 1
    """Of the error: 2 for wrong usage."""
    error: str | None = None
    """One line, with a remedy after a semicolon; None where the result was written."""
    messages: list[Message] = field(default_factory=list)
    """In order; empty where they were reported at once."""


class SilentReporter(Reporter):
    """Keeps messages for the process that has the terminal."""

    def __init__(self) -> None:
        super().__init__(quiet=True, verbose=False, as_json=False)
        self.messages: list[Message] = []

    def result(self, text: str | Sequence[str], record: dict[str, Any]) -> None:
        """Keep a result."""
        self.messages.append(("result", (text, record)))

    def info(self, text: str | Sequence[str]) -> None:
        """Keep a line in advance of the result."""
        self.messages.append(("info", (text,)))

    def note(self, text: str) -> None:
        """Keep a note."""
        self.messages.append(("note", (text,)))

    def failure(self, error: Exception, exit_code: int, file: Path | None = None) -> None:
        """Keep an error."""
        self.messages.append(("failure", (InnersrError(in_words(error)), exit_code, file)))


def upscale_silently(job: FileJob) -> FileOutcome:
    """Upscale a file, and return the outcome with its messages."""
    if job.is_remote:
        return _upscale_remote(job)
    reporter = SilentReporter()
    outcome = upscale_job(job, reporter)
    return replace(outcome, messages=reporter.messages)


def upscale_job(job: FileJob, reporter: Reporter) -> FileOutcome:
    """Upscale a file; an error is reported, and ends that file alone."""
    started, sizes, error, exit_code = time.monotonic(), None, None, 1
    try:
        with memory_advice(job.source, "use a smaller scale, a smaller --tile, or a machine with more"):
            exit_code = 2 if job.is_alone else 1
            task = open_file(job.source, job.target, job.options)  # refuses options that are not for such a file
            exit_code = 1
            sizes = _upscale_task(task, job, reporter, started)
    except (InnersrError, OSError) as failure:
        exit_code = exit_code if isinstance(failure, InputError) and not isinstance(failure, NoDataError) else 1
        error = in_words(failure)
        reporter.failure(failure, exit_code, job.source)
    return FileOutcome(seconds=time.monotonic() - started, sizes=sizes, error=error, exit_code=exit_code)


def _upscale_remote(job: FileJob) -> FileOutcome:
    """Upscale a file at an address, or to one, by way of a temporary folder; messages name the addresses."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="innersr-") as name:
        read, written = Path(name, "read"), Path(name, "written")
        for folder in (read, written):
            folder.mkdir()
        source = read / job.source.name if is_remote(job.source) else job.source
        target = written / job.target.name if is_remote(job.target) else job.target
        messages: list[Message] = []
        try:
            with reached(job.target):
                is_new = is_remote(job.target) and job.target != job.source
                if is_new and not job.options.overwrite and job.target.exists():
                    raise ImageFileError(exists_already(job.target))
            if source != job.source:
                download(job.source, source)
            outcome = upscale_silently(replace(job, source=source, target=target))
            messages = outcome.messages
            for path in sorted(written.iterdir()) if outcome.error is None else ():
                upload(path, job.target.with_name(path.name))
        except (InnersrError, OSError) as failure:
            messages = [("failure", (InnersrError(in_words(failure)), 1, job.source))]
            outcome = FileOutcome(seconds=0.0, error=in_words(failure))
        named = {str(source): job.source, str(target): job.target}
        error = None if outcome.error is None else _renamed(outcome.error, named)
        messages = [(method, tuple(_renamed(each, named) for each in arguments)) for method, arguments in messages]
    return replace(outcome, seconds=time.monotonic() - started, error=error, messages=messages)


def _renamed(message: Any, named: Mapping[str, Path]) -> Any:  # noqa: ANN401 (of any type)
    """A message with other names of files."""
    if isinstance(message, dict):
        return {key: _renamed(value, named) for key, value in message.items()}
    if isinstance(message, list):
        return [_renamed(value, named) for value in message]
    if isinstance(message, InnersrError):
        return InnersrError(_renamed(str(message), named))
    if isinstance(message, Path):
        return named.get(str(message), message)
    if isinstance(message, str):
        for old, new in named.items():
            message = message.replace(old, str(new))
    return message


def _upscale_task(task: FileTask, job: FileJob, reporter: Reporter, started: float) -> Sizes:
    source, options, compare = job.source, job.options, job.compare
    reporter.notes(source, task.image.notes)
    if is_one_file(source, task.target):
        task = replace(task, options=replace(options, overwrite=True))
    task.check()
    if compare is not None:
        check_drawing(compare, [source, task.target, *options.files], overwrite=options.overwrite)
    run = job.run.start()
    normalised = task.normalised(run)
    estimate = task.estimate(run, normalised)
    unused = unused_by(task.method)
    if estimate is not None:
        shown = estimate if "noise" in unused else options.amended(estimate)
        reporter.info(f"{source}: {shown.summary}")
    if run.time_limit is not None and "time_limit" in unused:
        reporter.note(f"{source}: --time-limit has no effect with {name_of(task.method)}")
    with reporter.progress(source.name) as report:
        result = task.write(replace(run, report=report), estimate, normalised)
    reporter.notes(task.target, result.notes)
    if compare is not None:
        _save_comparison(task, result, compare)
    record = _record_of(task, result, run, time.monotonic() - started)
    (width, height), (columns, rows) = record["input_size"], record["output_size"]
    reporter.result(
        f"{source} -> {task.target}  {width}x{height} -> {columns}x{rows}  {record['seconds']:.1f} s  "
        f"consistency {result.consistency}",
        record,
    )
    return Sizes(before=(width, height), after=(columns, rows))


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
    """Counting noise with its numbers in 8-bit levels, like those of other noise."""
    noise = degradation.counting
    names = ("gain", "read", "black")
    return None if noise is None else {name: round(255 * getattr(noise, name), 3) for name in names}


def _save_comparison(task: FileTask, result: Result, path: Path) -> None:
    before, after = comparable(task.image, result.image, shows_alpha=task.options.alpha == "auto")
    picture = before_after_sheet(before, after, ("bicubic", str(task.options.method)))
    save_drawing(picture, path, overwrite=task.options.overwrite)
