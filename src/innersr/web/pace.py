"""How long pictures take here: measured when the page starts, learned from every picture, told while one is made."""

from __future__ import annotations

import contextlib
import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from innersr.methods.tailor import Tailor
from innersr.methods.upscalers.tailored import affordable_views
from innersr.metrics.recurrence import Recurrence, steps_for
from innersr.pipeline.films import FilmTask
from innersr.pipeline.stacks import StackTask
from innersr.pipeline.tasks import ImageTask
from innersr.run import Progress, Run


@dataclass(frozen=True, kw_only=True)
class PlannedTime:
    """Seconds of the parts of one job.

    Args:
        kind: of jobs that take equally much longer or shorter than was planned, such as a method and its preset.
        examining: before anything is learned.
        learning: on the picture.
        applying: what was learned, to the whole picture.
    """

    kind: str
    examining: float
    learning: float
    applying: float

    @property
    def seconds(self) -> float:
        """Of the whole job."""
        return self.examining + self.learning + self.applying

    def times(self, factor: float) -> PlannedTime:
        """The plan of a machine that is slower by a factor."""
        parts = {name: factor * getattr(self, name) for name in ("examining", "learning", "applying")}
        return replace(self, **parts)


@dataclass(frozen=True, kw_only=True)
class Stages:
    """Stages of work, called "… 1 of 4" and so on.

    Args:
        steps: of each stage.
        costs: of one step of each stage, relative to each other.
    """

    steps: int
    costs: Sequence[float]

    def seconds_after(self, progress: Progress) -> float:
        """Seconds of the stages that follow the one that a progress is of."""
        number = re.search(r"(\d+) of \d+$", progress.stage)
        if number is None or not progress.done:
            return 0.0
        _, *later = costs = self.costs[int(number[1]) - 1 :]
        return progress.seconds / progress.done * self.steps * sum(later) / costs[0]


class Countdown:
    """The time of one job: from its progress, and from the plan for what comes after.

    Args:
        pace: of the machine that works on it.
        following: jobs of the same order that come after it.
    """

    def __init__(self, pace: Pace, following: int = 0) -> None:
        self.following = following
        self.progress: Progress | None = None
        self.plan: PlannedTime | None = None
        self.stages: Stages | None = None
        self._here: PlannedTime | None = None
        self._pace, self._begun = pace, pace.clock()
        self._factor = 1.0  # how much longer it takes than was planned
        self._applying_since: float | None = None

    def expect(self, plan: PlannedTime) -> None:
        """Take a plan, as `planned_time` gives it, once it is known what is to be done."""
        self.plan, self._here = plan, self._pace.planned(plan)

    @property
    def seconds(self) -> float:
        """Since the job was begun."""
        return self._pace.clock() - self._begun

    @property
    def left(self) -> float | None:
        """Seconds left; None where nothing is known yet."""
        plan, progress = self._here, self.progress
        own = None if progress is None else progress.seconds_left
        if plan is None:
            if own is None or progress is None or self.stages is None:
                return own
            return own + self.stages.seconds_after(progress)
        if progress is None:
            return max(0.0, plan.seconds - self.seconds)
        if not progress.stage.startswith(("upscale", "correct")):
            if own is None:
                return max(0.0, plan.seconds - self.seconds)
            if plan.learning > 0:
                self._factor = _limited((progress.seconds + own) / plan.learning)
            return own + self._factor * plan.applying
        if self._applying_since is None:
            self._applying_since = self.seconds
            self._factor = _limited(self.seconds / max(1e-3, plan.examining + plan.learning))
        return max(own or 0.0, self._factor * plan.applying - (self.seconds - self._applying_since))


@dataclass(eq=False)
class Pace:
    """How fast this machine is, and how long its jobs take.

    Args:
        waiting: tells how many jobs wait for their turn.
        jobs: that are worked on at the same time.
        clock: of seconds.
    """

    waiting: Callable[[], int] = lambda: 0
    jobs: int = 1
    clock: Callable[[], float] = time.monotonic
    _machine: float = 1.0  # how much slower than the one that the plans are from
    _factors: dict[str, float] = field(default_factory=dict)  # the same, of each kind of job
    _typical: float = 4.0  # seconds of a job
    _running: list[Countdown] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def measure(self, plan: PlannedTime, work: Callable[[], object]) -> None:
        """Find out how slow this machine is, by work that is planned, and for which all is loaded."""
        begun = self.clock()
        work()
        self._machine = _limited((self.clock() - begun) / plan.seconds)
        self._typical *= self._machine

    def planned(self, plan: PlannedTime) -> PlannedTime:
        """The plan of a job on this machine."""
        return plan.times(self._factors.get(plan.kind, self._machine))

    def wait(self) -> tuple[int, float]:
        """Orders that come before a new one, and the seconds until its turn."""
        with self._lock:
            running, typical = list(self._running), self._typical
        waiting = self.waiting()
        if len(running) < self.jobs and not waiting:
            return 0, 0.0
        left = [(typical if each.left is None else each.left) + each.following * typical for each in running]
        return len(running) + waiting, (sum(left) + waiting * typical) / self.jobs

    @contextlib.contextmanager
    def working(self, following: int = 0) -> Iterator[Countdown]:
        """Context of one job, from which it is learned how long jobs take; others of its order may follow."""
        countdown = Countdown(self, following)
        with self._lock:
            self._running.append(countdown)
        try:
            yield countdown
            self._note(countdown.plan, countdown.seconds)
        finally:
            with self._lock:
                self._running.remove(countdown)

    def _note(self, plan: PlannedTime | None, seconds: float) -> None:
        with self._lock:  # half of what it was, half of what it is, on a logarithmic scale
            self._typical = math.sqrt(self._typical * max(0.1, seconds))
            if plan is not None:
                before = self._factors.get(plan.kind, self._machine)
                self._factors[plan.kind] = math.sqrt(before * _limited(seconds / plan.seconds))


def planned_time(task: ImageTask, recurrence: Recurrence | None = None, blurs: int = 2) -> PlannedTime:
    """Plan the enlarging of a picture, in seconds of one core of a laptop.

    Args:
        task: of which sizes, method, preset and kernel count.
        recurrence: of the picture, on which the number of steps depends; all of them are planned when None.
        blurs: that the picture may have, for each of which a result is made.
    """
    options, method, chosen = task.options, task.options.method, task.options.chosen_method
    megapixels = math.prod(task.hr_size) / 1e6
    is_examined = options.is_blind and method not in ("bicubic", "pixelart")
    steps, step, megapixel = getattr(chosen, "steps", None) or 0, 0.02, 25.0  # seconds of each
    if isinstance(chosen, Tailor):
        views = chosen.views or affordable_views(math.prod(task.lr_size), Run())
        step, megapixel = 0.05 if chosen.crop > Tailor.crop else 0.08, 1.3 * views * (blurs if is_examined else 1)
        if recurrence is not None and chosen.by_recurrence:
            steps = steps_for(recurrence.score, steps)
    elif method == "mzsr":
        step = 1.0
    elif method in ("bicubic", "pixelart", "backprojection"):
        steps, megapixel = 0, 1.0
    pictures, lessons = amount(task)
    return PlannedTime(
        kind=f"{method} {options.preset or 'balanced'}",
        examining=lessons * (0.4 if is_examined else 0.05),
        learning=lessons * step * steps,
        applying=pictures * megapixel * megapixels,
    )


def amount(task: ImageTask) -> tuple[int, int]:
    """How many pictures a file has that are enlarged, and how many times is learned: of each shot, or channel."""
    if isinstance(task, FilmTask):
        return len(task.timeline.times), len(task.timeline.shots)
    if isinstance(task, StackTask):
        return len(task.chosen), len({task.stack.groups[place] for place in task.chosen})
    return 1, 1


def _limited(ratio: float) -> float:
    """A ratio that a clock that stood still, or a machine that slept, does not spoil."""
    return min(100.0, max(0.01, ratio))
