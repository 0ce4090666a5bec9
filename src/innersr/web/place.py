"""What all tabs of the page share: limits, visitors, the queue, errors in words."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import gradio as gr

from innersr.errors import Cancelled
from innersr.images.films.encoders import CONTAINERS
from innersr.images.formats import readable_suffixes
from innersr.run import Run
from innersr.web.html import alert, caption, duration, status
from innersr.web.jobs import Job, in_words
from innersr.web.limits import Limits
from innersr.web.pace import Pace, PlannedTime
from innersr.web.visitors import Visitor, Visitors, browser_of, bundled_examples

Made = TypeVar("Made")
Work = Callable[[Any, Visitor], Iterator[Any]]
Handler = Callable[..., Iterator[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """What the tabs are built with."""

    limits: Limits
    visitors: Visitors
    device: str = "auto"
    library: Path | None = None
    """Folder of trained pictures that are kept, and that all visitors share; each visitor's own when None."""
    pace: Pace = field(default_factory=Pace)

    def job(self, visitor: Visitor, work: Callable[[Run], Made], seed: int = 0, following: int = 0) -> Job[Made]:
        """A piece of work for a visitor, and how many like it follow before another visitor's turn."""
        return Job(work, visitor, self.limits, Run(device=self.device, seed=seed), self.pace, following=following)

    def in_time(self, run: Run, plan: PlannedTime) -> Run:
        """A run whose learning ends in half of the time that is allowed, where it is planned to take longer.

        All else is the result of the command, to the byte: a limit of time changes how learning slows down.
        """
        longest = self.limits.seconds / 2
        return replace(run, time_limit=longest) if self.pace.planned(plan).seconds > longest else run

    def forecast(self, plan: PlannedTime) -> str:
        """How long a job takes, in words, and what comes before it."""
        words = f"about {duration(self.pace.planned(plan).seconds)} here"
        before, seconds = self.pace.wait()
        return words if before == 0 else f"{words}, after {jobs_in_words(before)} of about {duration(seconds)}"

    @property
    def queued(self) -> dict[str, Any]:
        """Keywords of an event that computes: all of them share one queue."""
        return {"concurrency_limit": self.limits.jobs, "concurrency_id": "work", "show_progress": "hidden"}

    def connect_stop(self, button: gr.Button, line: gr.HTML, *, is_in_api: bool = False) -> None:
        """Make a button stop what its visitor has going on."""
        shown = "public" if is_in_api else "private"
        handler = self.handler(_stop)
        button.click(handler, None, line, queue=False, show_progress="hidden", api_name="stop", api_visibility=shown)

    def connect(
        self,
        button: gr.Button,
        work: Work,
        controls: Mapping[str, gr.components.Component],
        outputs: Sequence[gr.components.Component],
        line: gr.HTML,
        api_name: str,
    ) -> None:
        """Make a button begin work that computes, which waits in the queue; see `handler`.

        Where other jobs come first, `line` says so until it is this one's turn. It also says what went wrong.
        """

        def begin(asked: Any, visitor: Visitor) -> Iterator[Any]:  # noqa: ANN401 (a namespace)
            visitor.is_waiting = False
            if visitor.is_withdrawn:
                visitor.is_withdrawn = False
                raise Cancelled("stopped; nothing was made")
            yield from work(asked, visitor)

        def fail(text: str) -> list[Any]:
            return [text if each is line else gr.skip() for each in outputs]

        button.click(
            self.handler(self._tell_wait), None, line, queue=False, show_progress="hidden", api_visibility="private"
        )
        handler = self.handler(begin, controls, fail)
        button.click(handler, list(controls.values()), list(outputs), api_name=api_name, **self.queued)

    def _tell_wait(self, _asked: object, visitor: Visitor) -> Iterator[Any]:
        before, seconds = self.pace.wait()
        if before == 0 or visitor.is_working:  # on another job, or already on this one
            yield gr.skip()
            return
        visitor.is_waiting = True
        yield status(f"Waiting for {jobs_in_words(before)} before yours, about {duration(seconds)} …")

    def handler(
        self,
        work: Work,
        controls: Mapping[str, gr.components.Component] | None = None,
        fail: Callable[[str], Any] | None = None,
    ) -> Handler:
        """Make a handler of Gradio's of a function of what was asked and of the visitor.

        Errors are shown as one sentence: where `fail` makes of it, as HTML, what the outputs show, otherwise in a
        window. Programs get it too. The names of the controls are those of the API's parameters, whose defaults are
        what the controls show at first.
        """

        def handle(request: gr.Request, *given: Any) -> Iterator[Any]:  # noqa: ANN401 (what components give)
            visitor = self.visitors.of(*name_of_visitor(request))
            try:
                yield from work(SimpleNamespace(**dict(zip(names, given, strict=True))), visitor)
            except Exception as error:  # noqa: BLE001 (raised again in words)
                known = in_words(error)
                words = self.visitors.in_words(known)
                if fail is not None:
                    yield fail(status(words) if isinstance(error, Cancelled) else alert(words))
                is_shown = fail is None  # else beside the button
                raise gr.Error(
                    escape(words, quote=False) if is_shown else words,
                    duration=None,  # until it is closed
                    visible=is_shown,
                    print_exception=False,
                ) from error

        names = list(controls or ())
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter("request", kind, annotation=gr.Request)]
        parameters += [inspect.Parameter(name, kind, default=each.value) for name, each in (controls or {}).items()]
        handle.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        handle.__annotations__ = {"request": gr.Request}
        return handle


def _stop(_asked: object, visitor: Visitor) -> Iterator[Any]:
    if visitor.is_working:
        visitor.stop.set()
        yield gr.skip()  # the job says so: what is said here could arrive after its last words
        return
    visitor.is_withdrawn = visitor.is_waiting
    yield status("Your job is withdrawn." if visitor.is_waiting else "Nothing is going on.")


def name_of_visitor(request: gr.Request) -> tuple[str | None, str]:
    """The identifier of the browser tab, and the cookie of the browser."""
    return request.session_hash, browser_of(request.headers.get("cookie", ""))


def jobs_in_words(count: int) -> str:
    """A number of jobs."""
    return "1 job" if count == 1 else f"{count} jobs"


def skipped(count: int) -> list[Any]:
    """Values of outputs that stay as they are."""
    return [gr.skip()] * count


def go_and_stop(name: str, label: str) -> tuple[gr.Button, gr.Button]:
    """The button that begins work, beside the one that stops it."""
    with gr.Row():
        go = gr.Button(label, variant="primary", elem_id=f"{name}-go")
        return go, gr.Button("Stop", variant="stop", elem_id=f"{name}-stop")


def status_line(name: str, text: str) -> gr.HTML:
    """The line that tells what goes on and what went wrong, which stays in sight."""
    return gr.HTML(status(text), elem_id=f"{name}-status", elem_classes="isr-line")


def picture_input(
    label: str = "Picture",
    *,
    takes_films: bool = False,
    **options: Any,  # noqa: ANN401 (of several types)
) -> gr.File:
    """A place to drop picture files of every format that can be read, and films where the tab enlarges whole files."""
    suffixes = [*readable_suffixes(), ".apng", *(CONTAINERS if takes_films else ())]
    return gr.File(label=label, file_types=suffixes, height=150, **options)


def example_buttons(target: gr.File) -> None:
    """Buttons that put one of the bundled pictures into an input."""
    with gr.Row(elem_classes="isr-examples"):
        for path in sorted(bundled_examples().iterdir()):
            button = gr.Button(f"Try {path.stem}", icon=str(path), size="sm")
            button.click(lambda path=path: str(path), outputs=target, queue=False, api_visibility="private")


def gallery_of(label: str, name: str, columns: int = 3) -> gr.Gallery:
    """A place for pictures with captions, which is not seen while it is empty."""
    return gr.Gallery(
        label=label,
        columns=columns,
        height="auto",
        object_fit="contain",  # of any aspect
        format="png",
        interactive=False,
        elem_id=name,
        elem_classes="isr-gallery",
    )


def drawing(meaning: str) -> gr.Image:
    """A place for a drawing, with its meaning below it, which screen readers are told too."""
    with gr.Column(min_width=120):
        place = gr.Image(
            label=meaning, alt_text=meaning, show_label=False, interactive=False, format="png", buttons=["fullscreen"]
        )
        gr.HTML(caption(meaning), padding=False)
    return place
