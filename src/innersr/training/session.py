"""A training run from its first step to the prior, and its exact resumption after an interruption."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from innersr.errors import FileError, InnersrError, InputError
from innersr.isolation import isolated
from innersr.networks.blueprints import network_record
from innersr.networks.checkpoints import save_checkpoint
from innersr.run import Run
from innersr.training.crops import CropPool, Crops, cut_ahead
from innersr.training.distributed import ProcessGroup, joined
from innersr.training.learner import Learner, TrainingSchedule
from innersr.training.log import TrainingLog
from innersr.training.objective import Objective
from innersr.training.state import restore_state, save_state
from innersr.version import __version__

SUFFIX = ".safetensors"
# Settings that `Session.may_change` allows to change on resuming, beside those of the schedule.
CHANGEABLE = frozenset(("batch", "crops_each", "crop", "small_crop", "x2", "x3", "x4", "data", "extra_share"))


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Output files of a training, and how often they are written.

    Args:
        prior: FILE.safetensors, written at the end and after each validation; state, log and TensorBoard events lie
            beside it.
        save_every: steps from one saved state to the next.
        save_seconds: after which the state is saved in any case.
        validate_every: steps from one validation to the next.

    Raises:
        InputError: another suffix, a folder that does not exist, or an interval of less than a step.
    """

    prior: Path
    save_every: int = 1000
    save_seconds: float = 300.0
    validate_every: int = 1000

    def __post_init__(self) -> None:
        if self.prior.suffix != SUFFIX:
            raise InputError(f"{self.prior}: the output is a {SUFFIX} file")
        if not self.prior.parent.is_dir():
            raise FileError(f"{self.prior}: the folder {self.prior.parent} does not exist; create it first")
        if min(self.save_every, self.validate_every) < 1:
            raise InputError("intervals between saves and between validations must be at least 1 step")

    @property
    def state(self) -> Path:
        """FILE.state.safetensors, from which a training is resumed."""
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
    """Progress of a training."""

    step: int
    is_finished: bool
    validation: dict[str, float]
    """Latest figures of the averaged weights."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Session:
    """A training run.

    Args:
        objective, schedule: of the training.
        pool: sharp training images.
        outputs: files to write.
        run: device, precision, progress.
        group: the processes that share the batch.
        validation: sharp images, see `read_validation`; may be empty.
        initial: weights to start from instead of the objective's own.
        provenance: further entries of the prior's provenance, such as its licence.
        may_change: whether schedule, batch, crops, shares of the scales and data may differ from those that a resumed
            training was started with. The weights then depend on when they changed, which the log records.
        note: called with a sentence where the log of a resumed training is damaged; a Python warning unless given.

    Raises:
        InputError: fewer tasks per step than processes.
    """

    objective: Objective[Any]
    schedule: TrainingSchedule
    pool: CropPool
    outputs: Outputs
    run: Run
    group: ProcessGroup = ProcessGroup()
    validation: tuple[Tensor, ...] = ()
    initial: Mapping[str, Tensor] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    may_change: bool = False
    note: Callable[[str], None] = warnings.warn

    def __post_init__(self) -> None:
        batch, world = self.objective.batch, self.group.world
        if batch < world:
            raise InputError(f"a batch of {batch} is too small for {world} processes; raise --batch")

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that determines the weights, except rounding; must be the same when a training is resumed."""
        objective: Any = self.objective
        return {
            "objective": type(objective).__name__,
            **asdict(objective),
            **asdict(self.schedule),
            "precision": str(self.run.dtype).removeprefix("torch."),
            "data": [source.sha256 for source in self.pool.sources],
            "extra_share": self.pool.extra_share,
            "initial": None if self.initial is None else _digest(self.initial),
        }

    @isolated
    def learn(self, *, resume: bool = False, should_stop: Callable[[], bool] = lambda: False) -> Outcome:
        """Train to the end, or until `should_stop`, called once per step; the state is then saved for resuming.

        Raises:
            InputError: there is no state to resume, or it was started with other settings.
            CheckpointError: the state is damaged, or a file cannot be written.
            InnersrError: the loss was NaN or infinite too often, see `DivergenceGuard`.
        """
        learner = Learner(self.objective, self.schedule, self.run, self.initial)
        seconds, changes = self._restore(learner) if resume else (0.0, {})
        with ExitStack() as stack:
            stack.enter_context(joined(self.group, self.run.torch_device))
            if not self.group.leads:
                self._train(learner, should_stop, None)
                return Outcome(learner.step, learner.step >= self.schedule.steps, {})
            log = stack.enter_context(closing(self._log(learner.step)))
            if changes:
                log.write(learner.step, {"changed": changes})
            recorder = _Recorder(self, learner, log, seconds)
            self._train(learner, should_stop, recorder)
            is_finished = learner.step >= self.schedule.steps
            recorder.save_state()
            recorder.write_line(validate=is_finished)
            if is_finished:
                recorder.save_prior()
            return Outcome(learner.step, is_finished, recorder.validation)

    def _train(self, learner: Learner[Any], should_stop: Callable[[], bool], recorder: _Recorder | None) -> None:
        steps = self.run.steps("learn", self.schedule.steps - learner.step, limited=False)
        diverged = learner.guard.count
        with cut_ahead(self._cut, range(learner.step, self.schedule.steps)) as upcoming:
            for _ in steps:
                started = time.monotonic()
                crops = next(upcoming)
                waited = time.monotonic() - started
                loss, stops = learner.learn(crops, self.group, should_stop)
                steps.note(loss)
                if recorder is not None:
                    recorder.note(loss, waited, time.monotonic() - started)
                if learner.guard.count > diverged:
                    diverged = self._report_divergence(learner, recorder)
                if stops:
                    break

    def _report_divergence(self, learner: Learner[Any], recorder: _Recorder | None) -> int:
        """Report that learning diverged and was undone; return how often. InnersrError if it cannot continue."""
        if learner.guard.is_over:
            problem = f"the loss was NaN or infinite at step {learner.step}, for the {learner.guard.count}th time"
            raise InnersrError(f"{problem}; start again with a smaller learning_rate")
        if recorder is not None:
            (sentence,) = learner.guard.settle()
            recorder.write_line(validate=False, diverged=sentence)
            self.note(f"step {learner.step}: {sentence}")
        return learner.guard.count

    def _log(self, step: int) -> TrainingLog:
        return TrainingLog(self.outputs.log, self.outputs.events, step, self.note)

    def _cut(self, step: int) -> Crops:
        return self.objective.crops(self.pool, step, self.group.share(self.objective.batch))

    def _restore(self, learner: Learner[Any]) -> tuple[float, dict[str, Any]]:
        """Restore the saved state; return the seconds that training has taken so far, and the changed settings."""
        changeable = CHANGEABLE | {f.name for f in fields(self.schedule)} if self.may_change else frozenset()
        kinds = type(self.objective), type(self.schedule)
        return restore_state(self.outputs.state, learner, self.settings, *kinds, changeable=changeable)


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors on the CPU."""
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


class _Sums(NamedTuple):
    """Sums over the steps since the last line of the log; `waited` are seconds for crops."""

    loss: Tensor | float = 0.0
    waited: float = 0.0
    seconds: float = 0.0
    steps: int = 0


class _Recorder:
    """Writes log, state and prior of the leading process."""

    def __init__(self, session: Session, learner: Learner[Any], log: TrainingLog, seconds: float) -> None:
        self.validation: dict[str, float] = {}
        self._session, self._learner, self._log = session, learner, log
        self._seconds, self._saved = seconds, time.monotonic()
        self._since = _Sums()

    def note(self, loss: Tensor, waited: float, seconds: float) -> None:
        """Count a step, and write what is due."""
        outputs, step = self._session.outputs, self._learner.step
        since = self._since
        loss = torch.where(loss.isfinite(), loss, 0)  # of a step that was undone
        self._since = _Sums(since.loss + loss, since.waited + waited, since.seconds + seconds, since.steps + 1)
        if step == self._session.schedule.steps:
            return  # `learn` writes the last line
        is_validated = step % outputs.validate_every == 0
        if is_validated or step % 100 == 0:
            self.write_line(validate=is_validated)
        if is_validated:
            self.save_prior()
        if step % outputs.save_every == 0 or time.monotonic() - self._saved > outputs.save_seconds:
            self.save_state()

    def write_line(self, *, validate: bool, diverged: str = "") -> None:
        """Log the steps since the last line, and that learning diverged."""
        session, since = self._session, self._since
        record: dict[str, Any] = {}
        self._seconds, self._since = self._seconds + since.seconds, _Sums()
        if since.steps:
            record = {
                "loss": float(since.loss) / since.steps,
                "rate": session.schedule.learning_rate
                * session.schedule.rate_share(self._learner.step - 1)
                * self._learner.guard.rate_share,
                "seconds": round(self._seconds, 2),
                "data_share": round(since.waited / since.seconds, 4),
                "cpu_seconds": round(time.process_time(), 2),
                "date": datetime.now(UTC).date().isoformat(),
            }
        if validate and session.validation:
            self.validation = session.objective.validate(self._learner.average, session.validation, session.run)
            record["validation"] = self.validation
        if diverged:
            record["diverged"] = diverged
        self._log.write(self._learner.step, record)

    def save_state(self) -> None:
        """Save the state for resuming."""
        self._learner.guard.settle()
        seconds = self._seconds + self._since.seconds
        save_state(self._session.outputs.state, self._learner, seconds, self._session.settings)
        self._saved = time.monotonic()

    def save_prior(self) -> None:
        """Save the averaged weights with their provenance, which has no time or date: the same training, same bytes."""
        session, average = self._session, self._learner.average
        provenance = {
            "settings": session.settings,
            "step": self._learner.step,
            "data": [source._asdict() for source in session.pool.sources],
            "code": f"innersr {__version__}, torch {version('torch')}",
            "validation": self.validation,
            **session.provenance,
        }
        header = {"kind": "prior", "network": network_record(average), "provenance": provenance}
        save_checkpoint(session.outputs.prior, average.state_dict(), header)
