"""A training from its first step to the prior, and how it goes on after an interruption as if there had been none."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from innersr.errors import CheckpointError, InnersrError, InputError
from innersr.networks.checkpoints import load_checkpoint, network_record, save_checkpoint
from innersr.run import Run
from innersr.training.crops import CropPool, Crops, cut_ahead
from innersr.training.distributed import Ranks, joined
from innersr.training.learner import Learner, Pace
from innersr.training.log import Journal
from innersr.training.objective import Lesson

SUFFIX = ".safetensors"
LOG_EVERY = 100  # steps
SAVE_SECONDS = 300.0  # after which the state is saved in any case


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a training leaves where, and how often.

    Args:
        prior: FILE.safetensors, written at the end; state, log and TensorBoard events lie beside it.
        save_every: steps from one saved state to the next; five minutes are the most in any case.
        validate_every: steps from one validation to the next.

    Raises:
        InputError: another suffix, a folder that does not exist, or an interval of less than a step.
    """

    prior: Path
    save_every: int = 1000
    validate_every: int = 1000

    def __post_init__(self) -> None:
        if self.prior.suffix != SUFFIX:
            raise InputError(f"{self.prior}: the output is a {SUFFIX} file")
        if not self.prior.parent.is_dir():
            raise InputError(f"{self.prior}: there is no folder {self.prior.parent}; create it first")
        if min(self.save_every, self.validate_every) < 1:
            raise InputError("states are saved and validated every step at most; give intervals of 1 at least")

    @property
    def state(self) -> Path:
        """FILE.state.safetensors, from which a training goes on."""
        return self.prior.with_suffix(f".state{SUFFIX}")

    @property
    def log(self) -> Path:
        """FILE.jsonl."""
        return self.prior.with_suffix(".jsonl")

    @property
    def events(self) -> Path:
        """FILE.tensorboard, a folder."""
        return self.prior.with_suffix(".tensorboard")


class Outcome(NamedTuple):
    """How far a training has come."""

    step: int
    is_finished: bool
    validation: dict[str, float]
    """On the average of the weights, as it was last measured."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Session:
    """A training.

    Args:
        lesson: what each step teaches.
        pace: how long and how fast.
        pool: what is learnt from.
        outputs: where the results go.
        run: where to compute.
        ranks: which part of each step is this process's.
        validation: sharp images, see `validation.read_validation`; may be none.
        initial: weights to start from instead of the lesson's own.
        provenance: what else is to be said in the prior, such as its licence.

    Raises:
        InputError: fewer tasks per step than ranks.
    """

    lesson: Lesson[Any]
    pace: Pace
    pool: CropPool
    outputs: Outputs
    run: Run
    ranks: Ranks = Ranks()
    validation: tuple[Tensor, ...] = ()
    initial: Mapping[str, Tensor] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.lesson.batch < self.ranks.world:
            raise InputError(
                f"a batch of {self.lesson.batch} is too small for {self.ranks.world} processes; raise --batch"
            )

    @property
    def settings(self) -> dict[str, Any]:
        """All that the weights depend on but rounding: what a resumed training has to have again."""
        lesson: Any = self.lesson
        return {
            "lesson": type(lesson).__name__,
            **asdict(lesson),
            **asdict(self.pace),
            "precision": str(self.run.dtype).removeprefix("torch."),
            "data": [source.sha256 for source in self.pool.sources],
            "initial": None if self.initial is None else _digest(self.initial),
        }

    def learn(self, *, resume: bool = False, should_stop: Callable[[], bool] = lambda: False) -> Outcome:
        """Learn to the end, or until told to stop; then the state is saved and a resumed session goes on.

        Args:
            resume: go on from the saved state.
            should_stop: asked once per step.

        Raises:
            InputError: there is no state to resume, or it was begun with other settings.
            CheckpointError: the state is damaged, or a file cannot be written.
            InnersrError: the loss is no longer a number.
        """
        learner = Learner(self.lesson, self.pace, self.run, self.initial)
        seconds = self._restore(learner) if resume else 0.0
        with ExitStack() as stack:
            stack.enter_context(self.run.exact())
            stack.enter_context(joined(self.ranks, self.run.torch_device))
            upcoming = stack.enter_context(cut_ahead(self._cut, range(learner.step, self.pace.steps)))
            if not self.ranks.leads:
                self._repeat(learner, upcoming, should_stop, None)
                return Outcome(learner.step, learner.step == self.pace.steps, {})
            journal = stack.enter_context(closing(Journal(self.outputs.log, self.outputs.events, learner.step)))
            clerk = _Clerk(self, learner, journal, seconds)
            self._repeat(learner, upcoming, should_stop, clerk)
            clerk.save_state()
            if learner.step < self.pace.steps:
                clerk.write_line(validate=False)
                return Outcome(learner.step, False, clerk.validation)
            clerk.write_line(validate=True)
            clerk.save_prior()
            return Outcome(learner.step, True, clerk.validation)

    def _repeat(
        self, learner: Learner[Any], upcoming: Iterator[Crops], should_stop: Callable[[], bool], clerk: _Clerk | None
    ) -> None:
        steps = self.run.steps("learn", self.pace.steps - learner.step, limited=False)
        for _ in steps:
            begun = time.monotonic()
            crops = next(upcoming)
            waited = time.monotonic() - begun
            loss, stops = learner.learn(crops, self.ranks, should_stop)
            steps.note(loss)
            if clerk is not None:
                clerk.note(loss, waited, time.monotonic() - begun)
            if stops:
                break

    def _cut(self, step: int) -> Crops:
        return self.lesson.crops(self.pool, step, self.ranks.share(self.lesson.batch))

    def _restore(self, learner: Learner[Any]) -> float:
        """Bring the learner to the saved state; return the seconds it has learnt."""
        state = self.outputs.state
        if not state.exists():
            raise InputError(f"{state}: there is no such file to resume; leave out --resume to begin")
        tensors, header = load_checkpoint(state, "training")
        lesson: Any = self.lesson
        # A setting that came later than the state was begun had its default value then.
        defaults = {f.name: f.default for f in (*fields(lesson), *fields(self.pace))}
        begun = {**defaults, **header.get("settings", {})}
        for name, value in self.settings.items():
            if begun.get(name) != value:
                remedy = "go on with that, or begin anew with --overwrite"
                raise InputError(f"{state}: was begun with {name}={begun.get(name)}, not {value}; {remedy}")
        try:
            learner.restore(tensors, header["step"])
            return float(header["seconds"])
        except (KeyError, ValueError, IndexError) as error:
            raise CheckpointError(f"{state}: is damaged ({error}); begin anew with --overwrite") from error


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """Return a checksum of tensors on the CPU."""
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


class _Sums(NamedTuple):
    """Over the steps since the last line of the log."""

    loss: Tensor | float = 0.0
    waited: float = 0.0
    """Seconds for crops."""
    seconds: float = 0.0
    steps: int = 0


class _Clerk:
    """Writes down what the leading rank has learnt: the log, the state, at the end the prior."""

    def __init__(self, session: Session, learner: Learner[Any], journal: Journal, seconds: float) -> None:
        self.validation: dict[str, float] = {}
        self._session, self._learner, self._journal = session, learner, journal
        self._seconds, self._saved = seconds, time.monotonic()
        self._since = _Sums()

    def note(self, loss: Tensor, waited: float, seconds: float) -> None:
        """Count a step, and write what is due after it."""
        outputs, step = self._session.outputs, self._learner.step
        since = self._since
        self._since = _Sums(since.loss + loss, since.waited + waited, since.seconds + seconds, since.steps + 1)
        if step == self._session.pace.steps:
            return  # the end is written by itself
        is_validated = step % outputs.validate_every == 0
        if is_validated or step % LOG_EVERY == 0:
            self.write_line(validate=is_validated)
        if step % outputs.save_every == 0 or time.monotonic() - self._saved > SAVE_SECONDS:
            self.save_state()

    def write_line(self, *, validate: bool) -> None:
        """Add a line on the steps since the last one."""
        session, since = self._session, self._since
        record: dict[str, Any] = {}
        self._check_loss()
        self._seconds, self._since = self._seconds + since.seconds, _Sums()
        if since.steps:
            record = {
                "loss": float(since.loss) / since.steps,
                "rate": session.pace.learning_rate * session.pace.rate_share(self._learner.step - 1),
                "seconds": round(self._seconds, 2),
                "data_share": round(since.waited / since.seconds, 4),
            }
        if validate and session.validation:
            self.validation = session.lesson.validate(self._learner.average, session.validation, session.run)
            record["validation"] = self.validation
        self._journal.write(self._learner.step, record)

    def save_state(self) -> None:
        """Write all that a resumed session needs."""
        self._check_loss()
        header = {
            "kind": "training",
            "step": self._learner.step,
            "seconds": self._seconds + self._since.seconds,
            "settings": self._session.settings,
        }
        save_checkpoint(self._session.outputs.state, self._learner.tensors(), header)
        self._saved = time.monotonic()

    def save_prior(self) -> None:
        """Write the average of the weights, and where it comes from."""
        session, average = self._session, self._learner.average
        provenance = {
            "settings": session.settings,
            "data": [source._asdict() for source in session.pool.sources],
            "seconds": round(self._seconds),
            "code": f"innersr {version('innersr')}, torch {version('torch')}",
            "date": datetime.now(UTC).date().isoformat(),
            "validation": self.validation,
            **session.provenance,
        }
        header = {"kind": "prior", "network": network_record(average), "provenance": provenance}
        save_checkpoint(session.outputs.prior, average.state_dict(), header)

    def _check_loss(self) -> None:
        if not math.isfinite(float(self._since.loss)):
            step = self._learner.step
            raise InnersrError(
                f"the loss is no longer a number at step {step}; begin again with a smaller learning_rate"
            )
