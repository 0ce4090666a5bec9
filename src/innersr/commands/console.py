"""Output of the commands: results on stdout, notes and progress bars on stderr."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from innersr.errors import InnersrError
from innersr.memory import is_out_of_memory
from innersr.run import Progress


class Reporter:
    """Writes results to stdout, notes and bars to stderr.

    Args:
        quiet: errors only; results as JSON are written all the same.
        verbose: settings too.
        as_json: results are JSON, one object a line.
    """

    def __init__(self, *, quiet: bool, verbose: bool, as_json: bool) -> None:
        self._quiet, self._verbose, self._as_json = quiet, verbose, as_json
        self.has_lost_results = False
        """Whether stdout could not be written, as on a full disk; the error is reported once, and the work goes on."""

    def result(self, text: str, record: dict[str, Any]) -> None:
        """Write a result."""
        if self._as_json:
            self._print(json.dumps(record, default=str, allow_nan=False))
        else:
            self.text(text)

    def text(self, text: str) -> None:
        """Write a line of text to stdout."""
        if not self._quiet:
            self._print(text)

    def info(self, text: str) -> None:
        """Write a line before the result; nothing if results are JSON, which contain it too."""
        if not self._as_json:
            self.text(text)

    def note(self, text: str) -> None:
        """Write a note to stderr."""
        if not self._quiet:
            say(f"note: {text}")

    def notes(self, path: Path, texts: Iterable[str]) -> None:
        """Write notes about a file to stderr."""
        for text in texts:
            self.note(f"{path}: {text}")

    def verbose(self, text: str) -> None:
        """Write a detail to stderr, if details were asked for."""
        if self._verbose:
            say(text)

    def record(self, record: dict[str, Any]) -> None:
        """Write a result whose text comes later, in a table; nothing if results are text."""
        if self._as_json:
            self.result("", record)

    def failure(self, error: Exception, exit_code: int, file: Path | None = None) -> None:
        """Write an error to stderr, with the file that it is about; if results are JSON, also a record of it."""
        text = in_words(error)
        if file is not None and not text.startswith(f"{file}: "):
            text = f"{file}: {text}"
        say(f"error: {text}")
        what, _, remedy = text.partition("; ")
        about = {} if file is None else {"input": str(file)}
        self.record(about | {"error": what, "remedy": remedy or None, "exit_code": exit_code})

    def _print(self, text: str) -> None:
        """Write a line to stdout; if that fails, the command goes on, as most write files."""
        try:
            _write(sys.stdout, text)
        except BrokenPipeError:  # whoever read the results has seen enough
            _discard(sys.stdout)
        except OSError as error:
            _discard(sys.stdout)
            self.has_lost_results = True
            say(f"error: standard output: cannot be written ({error.strerror}); redirect it to where there is space")

    @contextlib.contextmanager
    def count(self, total: int) -> Iterator[Callable[[], None] | None]:
        """Yield a function that advances a bar over `total` files; None without a terminal."""
        if self._quiet or not sys.stderr.isatty():
            yield None
            return
        columns = (TextColumn("{task.completed}/{task.total} files"), BarColumn(), TimeRemainingColumn())
        with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task("", total=total)
            yield lambda: bars.advance(task)

    @contextlib.contextmanager
    def progress(self, title: str) -> Iterator[Callable[[Progress], None] | None]:
        """Yield a function that draws progress reports as bars; without a terminal a line every half minute."""
        # Rich would take FORCE_COLOR, which build servers set, for a terminal.
        if self._quiet or not sys.stderr.isatty():
            yield None if self._quiet else _line_every_half_minute(title)
            return
        columns = (
            TextColumn("{task.description}", markup=False),  # a file name may have brackets
            BarColumn(),
            TextColumn("{task.fields[figures]}"),
        )
        with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(title, total=None, figures="")

            def draw(report: Progress) -> None:
                figures = _figures(report)
                description = f"{title}: {report.stage}"
                if bars.tasks[task].description != description:
                    bars.reset(task)
                bars.update(task, description=description, completed=report.done, total=report.total, figures=figures)

            yield draw


@contextlib.contextmanager
def memory_advice(path: Path | None, advice: str) -> Iterator[None]:
    """Raise InnersrError, one line with the file worked on and the advice, where memory runs out."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        place = "" if path is None else f"{path}: "
        raise InnersrError(f"{place}out of memory; {advice}") from error


def in_words(error: Exception) -> str:
    """The text of an error; of the system's the file, what is wrong, and a remedy."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    place = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    is_long = error.errno == errno.ENAMETOOLONG
    remedy = "use a shorter one" if is_long else "check the path, its permissions and the disk"
    return f"{place}{error.strerror}; {remedy}"


def _figures(report: Progress) -> str:
    loss = "" if report.loss is None else f" loss {report.loss:.4f}"
    left = "" if report.seconds_left is None else f" {timedelta(seconds=round(report.seconds_left))} left"
    return f"{report.done}/{report.total}{loss}{left}"


def _line_every_half_minute(title: str) -> Callable[[Progress], None]:
    """A function that writes progress as lines, for a log."""
    said, interval = time.monotonic(), 30

    def tell(report: Progress) -> None:
        nonlocal said
        if time.monotonic() - said >= interval:
            said = time.monotonic()
            say(f"{title}: {report.stage} {_figures(report)}")

    return tell


def say(text: str) -> None:
    """Write a line to stderr, if anybody can read it."""
    with contextlib.suppress(OSError):
        _write(sys.stderr, text.replace("\n", "\\n"))  # which is in the name of a file


def _discard(stream: TextIO) -> None:
    """Discard what a stream holds, and what is written to it from now on."""
    with contextlib.suppress(OSError), Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _write(stream: TextIO, text: str) -> None:
    # A file name may hold bytes that are not text in any encoding, and codes that a terminal obeys.
    encoding = stream.encoding or "utf-8"
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found[0]):02x}", text)
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()
