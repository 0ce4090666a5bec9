"""Writing a model folder, see `reading` for its files: beginning, saving, resuming and ending a training."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from innersr.atomic import PARTIAL_NAME
from innersr.errors import CheckpointError, FileError, InputError, reason_of
from innersr.networks.checkpoints import save_checkpoint, write_whole
from innersr.singan.folder.log import cut_lines
from innersr.singan.folder.reading import (
    LOG,
    MODEL,
    SETTINGS,
    STATE,
    SavedModel,
    SavedState,
    is_begun,
    load_folder,
    load_state,
    named_tensors,
    read_record,
)
from innersr.singan.folder.record import Record, differences, parse_record
from innersr.singan.model import PictureModel
from innersr.singan.pictures import PictureSource
from innersr.singan.training.scale import ScaleLearner

FILES = (SETTINGS, MODEL, STATE, LOG)  # in the order in which they are removed; where the first is, the model is, too
REMNANT = re.compile(r"\.(settings|model|training)\.\d+\.(json|jsonl|safetensors)")  # what a kill left half-written


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """Folder that a model is written to.

    Args:
        path: created if missing, but not its parents.
        source: how images are made of the pictures; see `record.record_of` for None.
        overwrite: whether a model in it may be replaced.
    """

    path: Path
    source: PictureSource | None = None
    overwrite: bool = False


def begin(folder: ModelFolder, record: Record, pictures: Sequence[Tensor]) -> str:
    """Create or clear a folder for a new model; return the digest of its settings.json.

    Args:
        pictures: at the last scale, (1, C, H, W) in [-1, 1].

    Raises:
        InputError: it holds a model that is not to be overwritten, or other files; or it cannot be made.
        CheckpointError: it cannot be written.
    """
    path, data = folder.path, record.as_text().encode()
    _, digest = parse_record(data, str(path / SETTINGS))
    if is_begun(path) and not folder.overwrite:
        differing = differences(read_record(path)[0], record)
        if differing:
            remedy = "give another folder, or replace it with --overwrite"
            raise FileError(f"{path}: holds a model {', '.join(differing)}; {remedy}")
        raise FileError(f"{path}: holds this model already; --resume continues it, --overwrite starts anew")
    _make_room(folder)
    model = PictureModel(settings=record.settings, sizes=record.sizes, channels=record.channels, seed=record.seed)
    save_model(path, digest, model, pictures)
    write_whole(path / SETTINGS, data)
    return digest


def save_model(path: Path, digest: str, model: PictureModel, pictures: Sequence[Tensor]) -> None:
    """Write the finished scales, and pictures at the last scale, (1, C, H, W) in [-1, 1].

    Raises:
        CheckpointError: they cannot be written.
    """
    tensors = {f"pictures.{k}": picture for k, picture in enumerate(pictures)}
    for number, scale in enumerate(model.scales):
        tensors |= named_tensors(number, scale)
    amplitudes = [scale.amplitude for scale in model.scales]
    save_checkpoint(path / MODEL, tensors, {"kind": "picture", "record": digest, "amplitudes": amplitudes})


def save_scale_state(path: Path, digest: str, learner: ScaleLearner, seconds: float) -> None:
    """Write the state from which a training resumes within a scale.

    Raises:
        CheckpointError: it cannot be written.
    """
    place = {"scale": learner.index, "iteration": learner.iteration, "seconds": seconds}
    if learner.guard.count:
        place["diverged"] = learner.guard.count
    save_checkpoint(path / STATE, learner.tensors(), {"kind": "training", "record": digest, **place})


def resume(
    path: Path, requested: Record, device: torch.device, note: Callable[[str], None] = warnings.warn
) -> tuple[SavedModel, SavedState | None]:
    """Load the finished scales of an interrupted training, and the state of the next one, None if it has not started.

    The log is cut to what is kept; `note` is called where it is damaged.

    Raises:
        InputError: the folder holds no training, or one of another picture or with other settings.
        CheckpointError: it is damaged, or cannot be written.
    """
    if not is_begun(path):
        raise FileError(f"{path}: there is no training to resume; leave out --resume to begin")
    differing = differences(read_record(path)[0], requested)
    if differing:
        remedy = "continue with that, or start anew with --overwrite"
        raise InputError(f"{path}: holds a model {', '.join(differing)}; {remedy}")
    saved = load_folder(path, device)
    _remove_remnants(path)
    if saved.model.is_complete:
        end(path)
        return saved, None
    state = load_state(path, saved)
    scale, iteration = (state.scale, state.iteration) if state else (0, 0)
    cut_lines(path / LOG, scale, iteration, note)
    return saved._replace(model=replace(saved.model, scales=saved.model.scales[:scale])), state


def end(path: Path) -> None:
    """Remove the training state of a complete model."""
    _remove(path, [STATE])


def _make_room(folder: ModelFolder) -> None:
    """Make the folder if there is none, and remove a model that it holds, but no file that is not a model's."""
    path = folder.path
    try:
        path.mkdir(exist_ok=True)
        names = {file.name for file in path.iterdir()}
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: cannot be a model folder ({reason_of(error)}); check the path") from error
    remnants = {name for name in names if REMNANT.fullmatch(name) or PARTIAL_NAME.fullmatch(name)}
    foreign = sorted(names - set(FILES) - remnants)
    if foreign:
        try:
            read_record(path)  # whose folder it is, whatever lies in it besides
        except CheckpointError as error:
            remedy = "a model needs a folder of its own, give a new one"
            raise FileError(f"{path}: holds other files ({foreign[0]}) and no model; {remedy}") from error
    if not names.isdisjoint(FILES) and not folder.overwrite:
        raise FileError(f"{path}: holds a part of a model; give another folder, or replace it with --overwrite")
    _remove(path, FILES)
    _remove_remnants(path)


def _remove_remnants(path: Path) -> None:
    _remove(path, [file.name for file in path.iterdir() if REMNANT.fullmatch(file.name)])


def _remove(path: Path, names: Sequence[str]) -> None:
    for name in names:
        try:
            (path / name).unlink(missing_ok=True)
        except OSError as error:
            raise CheckpointError(f"{path / name}: cannot be removed ({error.strerror}); remove it yourself") from error
