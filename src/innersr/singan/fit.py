"""Learning a picture: all its scales, one after the other, and resuming after an interruption."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from innersr.errors import InnersrError, InputError
from innersr.isolation import isolated
from innersr.physics.resize import image_size
from innersr.run import Run
from innersr.singan.folder import reading, writing
from innersr.singan.folder.log import add_line
from innersr.singan.folder.reading import SavedModel, SavedState
from innersr.singan.folder.record import Record, record_of
from innersr.singan.folder.writing import ModelFolder
from innersr.singan.model import PictureModel
from innersr.singan.pyramid import pictures_of, scale_count, sizes_of
from innersr.singan.settings import SinGAN
from innersr.singan.training.crop_size import fit_crop_to_memory
from innersr.singan.training.scale import Losses, ScaleLearner

SAVE_EVERY = 200  # iterations
LOG_EVERY = 20  # iterations


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """Functions called while a picture is learned.

    Args:
        iteration: called after every iteration.
        scale: called with the model after every scale, the last included.
        note: called with a sentence on each deviation from the settings; a Python warning unless it is given.
    """

    iteration: Callable[[ScaleLearner, Losses], None] | None = None
    scale: Callable[[PictureModel], None] | None = None
    note: Callable[[str], None] = warnings.warn


@isolated
def untrained_model(pictures: Sequence[Tensor], settings: SinGAN, seed: int) -> PictureModel:
    """A model of pictures, (1, C, H, W) in [-1, 1], without trained scales."""
    count = scale_count(image_size(pictures[0]), settings)
    sizes = tuple(sizes_of(image_size(p), settings, count) for p in pictures)
    finest = tuple(pictures_of(p, own[-1:])[0] for p, own in zip(pictures, sizes, strict=True))
    return PictureModel(settings=settings, sizes=sizes, channels=pictures[0].shape[1], seed=seed, pictures=finest)


@isolated
def fit(
    pictures: Sequence[Tensor],
    settings: SinGAN,
    run: Run,
    *,
    folder: ModelFolder | str | Path | None = None,
    resume: bool = False,
    callbacks: Callbacks | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> PictureModel:
    """Learn pictures of one subject.

    Where steps would need more than a quarter of the free memory they learn from crops, and `callbacks.note` says so.

    Args:
        pictures: (1, C, H, W) in [-1, 1], all of as many channels.
        settings: how.
        run: where, and the seed. Without a time limit: a scale that is half learned spoils all above it.
        folder: that is written after every scale and every SAVE_EVERY iterations; nothing is written if None.
        resume: continue the training in the folder, to the same bytes that it would have given uninterrupted.
        callbacks: called as it learns.
        should_stop: asked after every iteration; when it answers True, the state is saved and the model returned
            with the scales that are finished.

    Raises:
        InputError: no picture, or pictures that do not fit each other or the settings; a time limit; a folder that
            holds something else, or nothing to resume.
        CheckpointError: the folder is damaged, or cannot be written.
        InnersrError: the losses were NaN or infinite too often, see `DivergenceGuard`.
        Cancelled: the run was cancelled; the folder keeps the state that was saved last.
    """
    _check(pictures, run)
    callbacks, target = callbacks or Callbacks(), _target(folder)
    model = untrained_model(pictures, settings, run.seed)
    pyramids = [pictures_of(picture, sizes) for picture, sizes in zip(pictures, model.sizes, strict=True)]
    record = record_of(pictures, settings, run, model.sizes, None if target is None else target.source)
    state, digest = None, ""
    if resume:
        saved, state = _resumed(target, record, run, callbacks)
        model, digest = saved.model, saved.digest
    else:
        record = _with_affordable_crops(record, run, callbacks)
        model = replace(model, settings=record.settings)
        if target is not None:
            digest = writing.begin(target, record, model.pictures)
    recorder = _Recorder(
        None if target is None else target.path, digest, model.pictures, state.seconds if state else 0.0
    )
    return _learn(model, pyramids, run, state, recorder, callbacks, should_stop or _never)


def _learn(
    model: PictureModel,
    pyramids: Sequence[Sequence[Tensor]],
    run: Run,
    state: SavedState | None,
    recorder: _Recorder,
    callbacks: Callbacks,
    should_stop: Callable[[], bool],
) -> PictureModel:
    """Learn the scales that a model lacks, the first of them from its state on; stop early if told so."""
    weights = None
    for index in range(len(model.scales), len(model.sizes[0])):
        reals = [pyramid[index] for pyramid in pyramids]
        learner = ScaleLearner(model, reals, run, initial=weights if inherits(model.settings, index) else None)
        if state is None:
            recorder.save_state(learner)
        else:
            recorder.restore(learner, state)
            state = None
        steps = run.steps(
            f"scale {index + 1} of {len(model.sizes[0])}",
            model.settings.iterations - learner.iteration,
            limited=False,
        )
        for _ in steps:
            before = learner.guard.count
            losses = learner.iterate()
            steps.note(losses.reconstruction)
            recorder.note(learner, losses)
            if learner.guard.count > before:
                _say_divergence(learner, callbacks)
            if callbacks.iteration is not None:
                callbacks.iteration(learner, losses)
            if should_stop():
                recorder.save_state(learner)
                return model
        model = replace(model, scales=(*model.scales, learner.finished()))
        weights = learner.weights()
        recorder.save_model(model)
        if callbacks.scale is not None:
            callbacks.scale(model)
    return model


class _Recorder:
    """Checks the losses, and records the training where there is a folder."""

    def __init__(self, path: Path | None, digest: str, finest: Sequence[Tensor], seconds: float) -> None:
        self._path, self._digest, self._finest = path, digest, finest
        self._begun = time.monotonic() - seconds
        self._sums: list[Tensor] = []  # of the losses since the last line of the log
        self._count = 0

    def note(self, learner: ScaleLearner, losses: Losses) -> None:
        """Count an iteration, and write what is due after it."""
        # Summed where they are: reading them would wait for the device.
        sound = [torch.where(loss.isfinite(), loss, 0) for loss in losses]  # what is not was taken back
        self._sums = [a + b for a, b in zip(self._sums, sound, strict=True)] if self._sums else sound
        self._count += 1
        is_last = learner.iteration == learner.settings.iterations
        if is_last or learner.iteration % LOG_EVERY == 0:
            self._write_line(learner)
        if not is_last and learner.iteration % SAVE_EVERY == 0:
            self.save_state(learner)

    def restore(self, learner: ScaleLearner, state: SavedState) -> None:
        """Bring a learner to a state that was saved in the folder."""
        if self._path is not None:
            reading.restore(learner, state, self._path)

    def save_state(self, learner: ScaleLearner) -> None:
        """Write all that a training needs to continue from here."""
        learner.guard.settle()
        if self._path is not None:
            writing.save_scale_state(self._path, self._digest, learner, self._seconds())

    def save_model(self, model: PictureModel) -> None:
        """Write the scales that are finished."""
        if self._path is not None:
            writing.save_model(self._path, self._digest, model, self._finest)
            if model.is_complete:
                writing.end(self._path)

    def _write_line(self, learner: ScaleLearner) -> None:
        critic, reconstruction = (float(total) / self._count for total in self._sums)
        self._sums, self._count = [], 0
        if self._path is not None:
            line = {"scale": learner.index, "iteration": learner.iteration, "critic": critic}
            line |= {"reconstruction": reconstruction, "seconds": round(self._seconds(), 2)}
            add_line(self._path / reading.LOG, line)

    def _seconds(self) -> float:
        return time.monotonic() - self._begun


def _check(pictures: Sequence[Tensor], run: Run) -> None:
    if run.time_limit is not None:
        raise InputError(
            "SinGAN learns without a time limit, because a scale that is half learned spoils all above it; "
            "lower iterations instead"
        )
    if not pictures:
        raise InputError("there must be one picture at least to learn, got none")
    shapes = [tuple(picture.shape) for picture in pictures]
    if any(len(shape) != 4 or shape[:2] != (1, shapes[0][1]) for shape in shapes):
        raise InputError(f"pictures are (1, C, H, W), all with as many channels, got {shapes}")


def _say_divergence(learner: ScaleLearner, callbacks: Callbacks) -> None:
    """Report that learning diverged; InnersrError if it cannot continue."""
    place = f"iteration {learner.iteration} of scale {learner.index}"
    if learner.guard.is_over:
        problem = f"the losses were NaN or infinite at {place}, for the {learner.guard.count}th time"
        raise InnersrError(f"{problem}; train anew with a smaller learning_rate")
    callbacks.note(f"{place}: {learner.guard.settle()[0]}")


def _target(folder: ModelFolder | str | Path | None) -> ModelFolder | None:
    return ModelFolder(path=Path(folder)) if isinstance(folder, str | Path) else folder


def _resumed(
    target: ModelFolder | None, requested: Record, run: Run, callbacks: Callbacks
) -> tuple[SavedModel, SavedState | None]:
    if target is None or target.overwrite:
        raise InputError("resuming needs the folder that the training was begun in, and does not overwrite it")
    saved, state = writing.resume(target.path, requested, run.torch_device, callbacks.note)
    there = saved.record
    if (there.device, there.versions) != (requested.device, requested.versions):
        was, now = (", ".join([r.device, *map(" ".join, r.versions.items())]) for r in (there, requested))
        callbacks.note(f"started with {was}, continued with {now}: the bytes may differ from those of either alone")
    return saved, state


def _with_affordable_crops(record: Record, run: Run, callbacks: Callbacks) -> Record:
    settings, sentence = fit_crop_to_memory(record.settings, record.sizes, record.channels, run.torch_device)
    if sentence:
        callbacks.note(sentence)
    return replace(record, settings=settings)


def inherits(settings: SinGAN, index: int) -> bool:
    """Whether a scale begins with the weights of the next coarser one."""
    return settings.inherit and index > 0 and settings.widths_at(index) == settings.widths_at(index - 1)


def _never() -> bool:
    return False
