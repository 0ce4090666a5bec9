"""Reports of a command on many files: a plan in advance, progress, and a summary at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from innersr.batch.places import size_in_header
from innersr.batch.status import StatusRow
from innersr.commands.batch.forecast import forecast
from innersr.commands.batch.table import Sizes, files_table
from innersr.commands.console import Reporter, in_words
from innersr.commands.upscale_file import FileJob
from innersr.errors import InnersrError, error_and_remedy
from innersr.images.large.large_image import read_header
from innersr.pipeline.films import open_film


class BatchReport:
    """Collects a row for each file of a command, and shows progress and summary.

    Args:
        reporter: writes to the terminal.
        is_batch: whether there are several files; a single one needs no summary.
    """

    def __init__(self, reporter: Reporter, *, is_batch: bool) -> None:
        self._reporter, self._is_batch = reporter, is_batch
        self._started = self._finished = time.monotonic()
        self._worked = self._upscaled = self._total = 0
        self._stack = ExitStack()
        self._bar: Callable[[], None] | None = None
        self._sizes: dict[str, Sizes] = {}
        self.rows: list[StatusRow] = []

    @property
    def failed(self) -> int:
        """Number of files that failed."""
        return sum(row.status == "failed" for row in self.rows)

    def begin(self, total: int) -> None:
        """Begin the work on `total` files; several have a bar for all of them, or in a log a line every half minute."""
        self._total, self._started = total, time.monotonic()
        if self._is_batch:
            self._bar = self._stack.enter_context(self._reporter.count(total, self._figures))

    def add(  # noqa: PLR0913 (what is known of a file)
        self,
        source: Path,
        target: Path | None,
        status: str,
        *,
        error: str | None = None,
        seconds: float = 0.0,
        sizes: Sizes | None = None,
    ) -> None:
        """Add a finished file; one that is skipped has its record here, others where they are upscaled or fail."""
        if sizes is not None:
            self._sizes[str(source)] = sizes
        self._upscaled += status == "done"
        what, remedy = error_and_remedy(error)
        output = None if target is None else str(target)
        if status == "skipped":
            self._reporter.record({"input": str(source), "output": output, "status": status})
        self.rows.append(
            StatusRow(
                input=str(source),
                output=output,
                status=status,
                seconds=round(seconds, 2),
                error=what,
                remedy=remedy,
            )
        )

    def advance(self) -> None:
        """Show that one more file is finished."""
        self._worked, self._finished = self._worked + 1, time.monotonic()
        if self._bar is not None:
            self._bar()

    def plan(self, jobs: Iterable[FileJob]) -> None:
        """Show what would be done: inputs, sizes, results and, measured on one of the files, the time."""
        planned = []
        for job in jobs:
            try:
                size = size_in_header(job.source)
                if size is None:
                    _check_readable(job)
                sizes = "? -> ?" if size is None else _sizes(size, job.options.geometry(size)[1])
            except (InnersrError, OSError) as error:
                self._reporter.failure(error, 1, job.source)
                self.add(job.source, job.target, "failed", error=in_words(error))
                continue
            planned.append(job)
            self.add(job.source, job.target, "planned")
            record = {"input": str(job.source), "output": str(job.target), "status": "planned"}
            self._reporter.result(f"{job.source} -> {job.target}  {sizes}", record)
        found = forecast(planned) if self._is_batch else None
        self.end()
        if found is not None:
            seconds, trial = found
            took = timedelta(seconds=round(seconds))
            self._reporter.info(f"this takes about {took} in one process, as measured on {trial}")

    def end(self) -> None:
        """Show a table of the files, how many were done, skipped and failed, and which failed."""
        self.close()
        if not self._is_batch:
            return
        if any(row.status != "planned" for row in self.rows):
            for line in files_table(self.rows, self._sizes, self._reporter.width):
                self._reporter.info(line)
        counts = Counter(row.status for row in self.rows)
        words = [f"{counts[status]} {status}" for status in ("planned", "done", "skipped", "failed") if counts[status]]
        took = timedelta(seconds=round(time.monotonic() - self._started))
        self._reporter.info(f"{', '.join(words) or 'nothing to do'} in {took}")
        for row in self.rows:
            if row.status == "failed":
                self._reporter.info(f"failed: {row.input}")

    def close(self) -> None:
        """End the bar."""
        self._bar = None
        self._stack.close()

    def _figures(self) -> str:
        """Failed files, and the time left at the pace of those that are upscaled so far."""
        figures = [f"{self.failed} failed"] if self.failed else []
        if self._upscaled:
            each = (self._finished - self._started) / self._upscaled
            seconds = each * (self._total - self._worked) - (time.monotonic() - self._finished)
            figures.append(f"{timedelta(seconds=max(0, round(seconds)))} left")
        return ", ".join(figures)


def _check_readable(job: FileJob) -> None:
    """Raise an error where a file cannot be upscaled, as far as its header tells."""
    if not job.is_remote and open_film(job.source, job.target, job.options) is None:
        read_header(job.source, job.options.pixel_limit)


def _sizes(before: tuple[int, int], after: tuple[int, int]) -> str:
    """An image and its result, and the memory that upscaling takes."""
    bytes_a_pixel = 40  # of the result, at the peak: its channels as floats, and a few copies
    memory = max(1, round(after[0] * after[1] * bytes_a_pixel / 2**20))
    return f"{before[1]}x{before[0]} -> {after[1]}x{after[0]}  about {memory} MiB"
