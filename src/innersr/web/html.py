"""Pieces of the page that Gradio has no component for. Everything that comes from a visitor is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from html import escape
from pathlib import Path
from urllib.parse import quote

from innersr.run import Progress


def bar_of(progress: Progress | None, title: str, left: float | None) -> str:
    """A bar that screen readers announce, with the loss, and the seconds left where they are known."""
    remaining = [] if left is None else [f"{duration(left)} left"]
    if progress is None:
        words = escape(", ".join([f"{title} …", *remaining]))
        return f'<div class="isr-status" role="status">{words}<progress aria-label="{escape(title)}"></progress></div>'
    figures = [f"{progress.done} of {progress.total}"]
    if progress.loss is not None:
        figures.append(f"loss {progress.loss:.4f}")
    words = escape(f"{title}: {progress.stage}, {', '.join(figures + remaining)}")
    bar = f'<progress aria-label="{escape(title)}" value="{progress.done}" max="{max(1, progress.total)}"></progress>'
    return f'<div class="isr-status" role="status">{words}{bar}</div>'


def status(text: str, *, is_done: bool = False) -> str:
    """A line about what goes on, or was done; what is downloaded is shown beside the latter."""
    return f'<div class="isr-status{" isr-done" if is_done else ""}" role="status">{escape(text)}</div>'


def alert(text: str) -> str:
    """A line about what went wrong."""
    return f'<div class="isr-alert" role="alert">{escape(text)}</div>'


def caption(text: str) -> str:
    """What a drawing shows, below it; screen readers have it from the drawing."""
    return f'<p class="isr-caption" aria-hidden="true">{escape(text)}</p>'


def bullets(sentences: Iterable[str]) -> str:
    """A list of sentences."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences if sentence)
    return f'<ul class="isr-list">{items}</ul>'


def duration(seconds: float) -> str:
    """Seconds in words, as exact as they can be known."""
    if seconds < 1.5:  # noqa: PLR2004 (where it rounds to one second)
        return "a second"
    if seconds < 100:  # noqa: PLR2004 (longer ones in minutes)
        return f"{seconds:.0f} seconds"
    return f"{timedelta(seconds=round(seconds))} (h:mm:ss)" if seconds >= 6000 else f"{seconds / 60:.0f} minutes"  # noqa: PLR2004


def zoom_view(pictures: Sequence[tuple[str, Path]], size: tuple[int, int]) -> str:
    """Pictures of one size side by side, which are zoomed and moved together; see assets/zoom.js.

    Args:
        pictures: labels and files that the page may serve.
        size: (height, width) in pixels.
    """
    height, width = size
    panes = "".join(
        f'<figure><div class="isr-pane" tabindex="0" role="img" aria-label="{escape(label)}; arrow keys move it">'
        f'<img src="{address_of(path)}" alt="" draggable="false"></div>'
        f"<figcaption>{escape(label)}</figcaption></figure>"
        for label, path in pictures
    )
    slider = '<input type="range" min="1" max="16" step="0.5" value="1" class="isr-zoom" aria-label="Zoom">'
    return (
        f'<div class="isr-view" data-width="{width}" data-height="{height}">'
        f'<label class="isr-zoom-label">Zoom {slider}<output>fit</output></label>'
        f'<div class="isr-panes">{panes}</div></div>'
    )


def film(path: Path, label: str) -> str:
    """A film that repeats, with controls where the browser has them."""
    source = address_of(path)
    if path.suffix == ".mp4":
        return f'<video class="isr-film" controls loop muted aria-label="{escape(label)}" src="{source}"></video>'
    return f'<img class="isr-film" alt="{escape(label)}" src="{source}">'


def address_of(path: Path) -> str:
    """Address of a file that the page may serve."""
    return f"gradio_api/file={quote(str(path))}"


def asset(name: str) -> str:
    """The text of a style sheet or script of the page."""
    return (Path(__file__).with_name("assets") / name).read_text(encoding="utf-8")
