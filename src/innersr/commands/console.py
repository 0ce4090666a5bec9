"""Output of the commands: results on stdout, notes and progress bars on stderr."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from innersr.commands.bars import Bars
from innersr.errors import InnersrError, error_and_remedy, on_one_line, with_short_paths
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
        self._bars = Bars(say)
        self.has_lost_results = False
        """Whether stdout could not be written, as on a full disk; the error is reported once, and the work goes on."""

    @property
    def width(self) -> int | None:
        """Columns of the terminal into which results go; None where they go elsewhere."""
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    def result(self, text: str | Sequence[str], record: dict[str, Any]) -> None:
        """Write a result, as a line or several."""
        if self._as_json:
            self._print([json.dumps(record, default=str, allow_nan=False)])
        else:
            self.text(text)

    def text(self, text: str | Sequence[str]) -> None:
        """Write a line of text, or several, to stdout."""
        if not self._quiet:
            self._print([text] if isinstance(text, str) else text)

    def info(self, text: str | Sequence[str]) -> None:
        """Write lines before the result; nothing if results are JSON, which contain them too."""
        if not self._as_json:
            self.text(text)

    def note(self, text: str) -> None:
        """Write a note to stderr."""
        if not self._quiet:
            self._say(f"note: {text}")

    def notes(self, path: Path, texts: Iterable[str]) -> None:
        """Write notes about a file to stderr."""
        for text in texts:
            self.note(f"{path}: {text}")

    def verbose(self, text: str) -> None:
        """Write a detail to stderr, if details were asked for."""
        if self._verbose:
            self._say(text)

    def record(self, record: dict[str, Any]) -> None:
        """Write a result whose text comes later, in a table; nothing if results are text."""
        if self._as_json:
            self.result("", record)

    def failure(self, error: Exception, exit_code: int, file: Path | None = None) -> None:
        """Write an error to stderr, with the file that it is about; if results are JSON, also a record of it."""
        text = in_words(error)
        if file is not None and not text.startswith(f"{file}: "):
            text = f"{file}: {text}"
        text = with_short_paths(text)
        self._say(f"error: {text}")
        what, remedy = error_and_remedy(text)
        about = {} if file is None else {"input": str(file)}
        self.record(about | {"error": what, "remedy": remedy, "exit_code": exit_code})

    def _say(self, text: str) -> None:
        if not self._bars.print(_harmless([text])):
            say(text)

    def _print(self, lines: Sequence[str]) -> None:
        """Write lines to stdout; if that fails, the command goes on, as most write files."""
        if sys.stdout.isatty() and self._bars.print(_harmless(lines)):
            return
        try:
            _write(sys.stdout, lines)
        except BrokenPipeError:  # whoever read the results has seen enough
            _discard(sys.stdout)
        except OSError as error:
            _discard(sys.stdout)
            self.has_lost_results = True
            say(f"error: standard output: cannot be written ({error.strerror}); redirect it to where there is space")

    @contextlib.contextmanager
    def count(self, total: int, figures: Callable[[], str]) -> Iterator[Callable[[], None] | None]:
        """Yield a function that advances a row over `total` files, with figures beside it; None if quiet."""
        with contextlib.nullcontext() if self._quiet else self._bars.count(total, figures) as advance:
            yield advance

    @contextlib.contextmanager
    def progress(self, title: str) -> Iterator[Callable[[Progress], None] | None]:
        """Yield a function that shows progress reports in a row, below that of all files; None if quiet."""
        with contextlib.nullcontext() if self._quiet else self._bars.progress(title) as show:
            yield show


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


def say(text: str) -> None:
    """Write a line to stderr, if anybody can read it."""
    with contextlib.suppress(OSError):
        _write(sys.stderr, [text])


def _discard(stream: TextIO) -> None:
    """Discard what a stream holds, and what is written to it from now on."""
    with contextlib.suppress(OSError), Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _write(stream: TextIO, lines: Sequence[str]) -> None:
    stream.write(_harmless(lines, stream.encoding) + "\n")
    stream.flush()


def _harmless(lines: Sequence[str], encoding: str | None = "utf-8") -> str:
    """Lines as a stream takes them, each on a line of its own whatever the names in it."""
    encoding = encoding or "utf-8"
    return "\n".join(map(on_one_line, lines)).encode(encoding, "backslashreplace").decode(encoding)
