"""Progress of long computations, drawn in a notebook or on a terminal."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bars

from innersr.run import Progress


@contextlib.contextmanager
def progress_bar(title: str = "") -> Iterator[Callable[[Progress], None]]:
    """Context with one bar, yielding the function that draws it: for `Run(report=...)`.

    with progress_bar("towers") as report:
        innersr.upscale("towers.png", run=innersr.Run(report=report))

    In a notebook it is an HTML element, which needs no widgets; elsewhere a line on stderr.
    """
    shell = _notebook()
    if shell is not None:
        handle = shell.display(_element(title, None), display_id=True)
        yield lambda report: handle.update(_element(title, report))
        return
    with Bars(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None)

        def draw(report: Progress) -> None:
            bars.update(task, description=_words(title, report), completed=report.done, total=report.total)

        yield draw


def _notebook() -> Any:  # noqa: ANN401 (IPython.display, whose types are loose)
    """IPython's display module inside a notebook, else None."""
    try:
        import IPython
        import IPython.display
    except ImportError:
        return None
    shell = IPython.get_ipython()
    return IPython.display if shell is not None and hasattr(shell, "kernel") else None


def _element(title: str, report: Progress | None) -> Any:  # noqa: ANN401 (IPython's type of HTML)
    import IPython.display

    made: Any = IPython.display.HTML
    if report is None:
        return made(f"<progress></progress> {html.escape(title)}")
    words = html.escape(_words(title, report))
    return made(f'<progress max="{report.total}" value="{report.done}"></progress> {words}')


def _words(title: str, report: Progress) -> str:
    left = "" if report.seconds_left is None else f", {timedelta(seconds=round(report.seconds_left))} left"
    loss = "" if report.loss is None else f", loss {report.loss:.4f}"
    return f"{title}: {report.stage} {report.done}/{report.total}{loss}{left}".removeprefix(": ")
