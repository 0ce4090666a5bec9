"""Progress of a command: bars in a terminal, a line every half minute in a log."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from innersr.errors import on_one_line
from innersr.run import Progress


@dataclass(kw_only=True)
class ProgressRow:
    """What is worked on, how much of it is done, and figures that are asked for whenever they are shown."""

    title: str
    figures: Callable[[], str]
    stage: str = ""
    done: int = 0
    total: int | None = None

    def __str__(self) -> str:
        return f"{self.title}{self.stage} {self.figures()}".rstrip()

    def words(self, width: int) -> Text:
        """Title and stage in at most so many columns; of a long title only the beginning."""
        return Text(cut_short(self.title, max(1, width - cell_len(self.stage))) + self.stage)


def cut_short(text: str, width: int) -> str:
    """A text in at most so many columns of a terminal; of a longer one the beginning and an ellipsis."""
    return text if cell_len(text) <= width else f"{set_cell_size(text, max(0, width - 1))}…"


class Bars:
    """Rows, such as one of all files and one of the current file.

    Args:
        write: writes a line into a log.
        interval: seconds between two lines in a log.
    """

    def __init__(self, write: Callable[[str], None], *, interval: float = 30) -> None:
        self._write, self._interval = write, interval
        self._rows: list[ProgressRow] = []
        self._live: Live | None = None

    @contextmanager
    def count(self, total: int, figures: Callable[[], str]) -> Iterator[Callable[[], None]]:
        """Yield a function that advances a row of `total` files."""
        row = ProgressRow(title=f"0 of {total} files", figures=figures, total=total)

        def advance() -> None:
            row.done += 1
            row.title = f"{row.done} of {total} files"

        with self._row(row):
            yield advance

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[Progress], None]]:
        """Yield a function that shows progress reports in a row."""
        row = ProgressRow(title=on_one_line(title), stage=":", figures=lambda: "at work")

        def show(report: Progress) -> None:
            row.stage, row.done, row.total = f": {report.stage}", report.done, report.total
            row.figures = lambda: _figures(report)

        with self._row(row):
            yield show

    def print(self, text: str) -> bool:
        """Write a line of text above the bars; return whether there are any."""
        if self._live is None:
            return False
        self._live.console.print(Text(text), soft_wrap=True)
        return True

    @contextmanager
    def _row(self, row: ProgressRow) -> Iterator[None]:
        """Show a row, also while nothing advances it."""
        self._rows.append(row)
        try:
            with self._display() if len(self._rows) == 1 else nullcontext():
                yield
        finally:
            self._rows.remove(row)

    @contextmanager
    def _display(self) -> Iterator[None]:
        console = Console(stderr=True)
        # Rich would take FORCE_COLOR, which build servers set, for a terminal.
        if not (sys.stderr.isatty() and console.is_interactive):
            with _repeated(lambda: self._write("; ".join(map(str, self._rows))), self._interval):
                yield
            return
        # Standard output stays as it is: it may be a file, into which results go.
        live = Live(
            console=console, get_renderable=lambda: self._table(console.width), transient=True, redirect_stdout=False
        )
        try:
            with live:
                self._live = live
                yield
        finally:
            self._live = None

    def _table(self, width: int) -> Table:
        """The rows in so many columns of characters; where they are few, without bars."""
        rows = [(row, row.figures()) for row in self._rows]
        right = max((cell_len(figures) for _, figures in rows), default=0)
        left = max((cell_len(row.title + row.stage) for row, _ in rows), default=0)
        least, most, title = 8, 40, 24  # characters of a bar, and of a title that is cut for it
        left = min(left, max(title, width - right - 2 - least))
        bar = min(most, width - right - left - 2)
        if bar < least:
            left = min(left, max(1, width - right - 1))
        table = Table.grid(padding=(0, 1))
        for row, figures in rows:
            drawn = ProgressBar(total=row.total, completed=row.done, pulse=row.total is None, width=bar)
            table.add_row(row.words(left), *([drawn] if bar >= least else []), Text(figures, no_wrap=True))
        return table


def _figures(report: Progress) -> str:
    loss = "" if report.loss is None else f" loss {report.loss:.4f}"
    left = "" if report.seconds_left is None else f" {timedelta(seconds=round(report.seconds_left))} left"
    return f"{report.done}/{report.total}{loss}{left}"


@contextmanager
def _repeated(call: Callable[[], None], interval: float) -> Iterator[None]:
    """Call a function at an interval in seconds, in a thread of its own, until the block ends."""
    is_over = threading.Event()

    def repeat() -> None:
        while not is_over.wait(interval):
            call()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
