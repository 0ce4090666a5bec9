"""Work in a thread of its own, whose progress is yielded while it goes on, and which can be stopped."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from innersr.errors import Cancelled, InnersrError
from innersr.memory import is_out_of_memory
from innersr.run import Progress, Run
from innersr.web.html import bar_of, status
from innersr.web.limits import Limits
from innersr.web.pace import Countdown, Pace, PlannedTime, Stages
from innersr.web.visitors import Visitor

Made = TypeVar("Made")


@dataclass(eq=False)
class Job(Generic[Made]):
    """A function of a run, called in a thread.

    Args:
        work: what to do.
        visitor: who asked for it, and may stop it.
        limits: of time.
        pace: of this machine.
        interval: seconds between two reports.
        following: jobs of the same order that come after this one.
    """

    work: Callable[[Run], Made]
    visitor: Visitor
    limits: Limits
    run: Run = field(default_factory=Run)
    pace: Pace = field(default_factory=Pace)
    interval: float = 0.25
    following: int = 0
    result: Any = None
    _countdown: Countdown | None = None

    def expect(self, plan: PlannedTime) -> None:
        """Tell how long it is to take, from within the work."""
        if self._countdown is not None:
            self._countdown.expect(plan)

    def expect_stages(self, stages: Stages) -> None:
        """Tell what the stages of the work cost, from within the work."""
        if self._countdown is not None:
            self._countdown.stages = stages

    def bars(self, title: str) -> Iterator[str]:
        """Do the work, as `progress` does; yield pieces of HTML."""
        for progress in self.progress():
            if self.visitor.stop.is_set():
                yield status("Stopping …")
                continue
            yield bar_of(progress, title, None if self._countdown is None else self._countdown.left)

    def progress(self) -> Iterator[Progress | None]:
        """Do the work; yield its latest progress, None before there is any, until it is done.

        When the iterator is closed, because the visitor left, the work is stopped.

        Raises:
            Cancelled: the visitor stopped it, or it took too long.
            InnersrError: whatever is wrong.
        """
        failures: list[BaseException] = []
        left = threading.Event()
        deadline = time.monotonic() + self.limits.seconds

        def is_over() -> bool:
            return left.is_set() or self.visitor.stop.is_set() or time.monotonic() > deadline

        def report(progress: Progress) -> None:
            countdown.progress = progress

        def call() -> None:
            try:
                self.result = self.work(run.start())
            except BaseException as error:  # noqa: BLE001 (raised again by the caller's thread)
                failures.append(error)

        run = replace(self.run, report=report, cancelled=is_over)
        with self.visitor.working(), self.pace.working(self.following) as countdown:
            self._countdown = countdown
            thread = threading.Thread(target=call, name="innersr-job", daemon=True)
            thread.start()
            try:
                while thread.is_alive():
                    yield countdown.progress
                    thread.join(self.interval)
            finally:
                left.set()
                thread.join()
            if failures:
                raise _job_in_words(failures[0], is_late=time.monotonic() > deadline, limits=self.limits) from failures[
                    0
                ]


def _job_in_words(error: BaseException, *, is_late: bool, limits: Limits) -> Exception:
    """The error that the visitor is shown."""
    if isinstance(error, Cancelled):
        words = f"stopped after {limits.seconds:g} seconds, the most that this page allows; choose less"
        return Cancelled(words if is_late else "stopped; nothing was made")
    return in_words(error)


def in_words(error: BaseException) -> Exception:
    """An error as visitors are told it: one of innersr or of a file as it is, any other without what it says."""
    if isinstance(error, InnersrError | OSError):
        option = r"use innersr upscale --pixel-limit (\d+) \(in Python .*?\)"
        words, count = re.subn(option, r"start the page with innersr web --limit pixels=\1", str(error))
        return InnersrError(words) if count else error
    if isinstance(error, RuntimeError | MemoryError) and is_out_of_memory(error):
        return InnersrError("out of memory; use a smaller picture or a smaller scale")
    logging.getLogger(__name__).error("a job failed", exc_info=error)
    return InnersrError(f"this should not have happened ({type(error).__name__}); the log of the page has more")
