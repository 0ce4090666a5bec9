"""A model folder on disk: what was learnt of a picture, and while it is learnt what a killed training goes on from.

    settings.json          what was learnt, and how, see `records.Record`; for people, too
    model.safetensors      the scales that are finished, in float32, so that samples of a loaded model have the very
                           same bytes; the pictures at the last scale
    training.safetensors   the scale that is being learnt; gone when the model is complete
    training.jsonl         the log, see `journal`

Every file appears whole or not at all. The two .safetensors name the settings.json that they belong to.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from innersr.errors import CheckpointError, InputError
from innersr.images.codecs import reason_of
from innersr.networks.checkpoints import (
    Checkpoint,
    check_tensors,
    load_checkpoint,
    read_whole,
    save_checkpoint,
    write_whole,
)
from innersr.singan.folder.log import cut_lines
from innersr.singan.folder.record import REMEDY, Record, differences, parse_record
from innersr.singan.model import PictureModel, Scale
from innersr.singan.networks import ConvStack
from innersr.singan.pictures import PictureSource
from innersr.singan.training.scale import ScaleLearner

SETTINGS, MODEL, STATE, LOG = "settings.json", "model.safetensors", "training.safetensors", "training.jsonl"
FILES = (SETTINGS, MODEL, STATE, LOG)  # in the order in which they are removed; where the first is, the model is, too
REMNANT = re.compile(r"\.(settings|model|training)\.\d+\.(json|jsonl|safetensors)")  # what a kill left half-written
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """Where a model is to be kept.

    Args:
        path: of the folder; made if there is none, but not the folders above it.
        source: how images are made of the pictures, kept for later; see `records.record_of` for None.
        overwrite: whether a model that is there may be replaced.
    """

    path: Path
    source: PictureSource | None = None
    overwrite: bool = False


class SavedModel(NamedTuple):
    """What a folder holds."""

    model: PictureModel
    record: Record
    digest: str
    """Of the settings.json."""

    @property
    def pictures(self) -> tuple[Tensor, ...]:
        """What was learnt, at the last scale: (1, C, H, W) in [-1, 1], on the CPU."""
        return self.model.pictures


class SavedState(NamedTuple):
    """How far the scale that is being learnt has come."""

    scale: int
    iteration: int
    seconds: float
    """That all has taken so far."""
    tensors: Mapping[str, Tensor]


def load_model(path: str | Path, device: torch.device = CPU) -> PictureModel:
    """Return the complete model in a folder.

    Raises:
        InputError: its training is not finished.
        CheckpointError: there is none, or it is damaged.
    """
    model = load_folder(path, device).model
    if not model.is_complete:
        raise InputError(
            f"{path}: {len(model.scales)} of {len(model.sizes[0])} scales are trained; finish the training first, "
            "the same command with --resume goes on"
        )
    return model


def load_folder(path: str | Path, device: torch.device = CPU) -> SavedModel:
    """Return all that a folder holds of a model, complete or not.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    path = Path(path)
    record, digest = read_record(path)
    file = path / MODEL
    loaded = load_checkpoint(file, "picture")
    _check_belongs(loaded, digest, file)
    sides = {f"pictures.{k}": (1, record.channels, *sizes[-1]) for k, sizes in enumerate(record.sizes)}
    tensors = dict(loaded.tensors)
    try:
        scales = _take_scales(tensors, _amplitudes(loaded.header, len(record.sizes[0])), record, device)
        check_tensors(tensors, {name: torch.empty(shape, device="meta") for name, shape in sides.items()})
    except ValueError as error:
        raise CheckpointError(f"{file}: {error}; {REMEDY}") from error
    model = PictureModel(
        settings=record.settings,
        sizes=record.sizes,
        channels=record.channels,
        seed=record.seed,
        scales=scales,
        pictures=tuple(tensors[name].float() for name in sides),
    )
    return SavedModel(model, record, digest)


def read_record(path: Path) -> tuple[Record, str]:
    """Return what the settings.json of a folder says, and its digest, by which the other files refer to it.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    file = path / SETTINGS
    if not _is_begun(path):
        raise CheckpointError(f"{path}: holds no model (no {SETTINGS}); give a folder that a SinGAN was trained into")
    return parse_record(read_whole(file), str(file))


def begin(folder: ModelFolder, record: Record, pictures: Sequence[Tensor]) -> str:
    """Make a folder, or make it ready, for a new model; return the digest of its settings.json.

    Args:
        folder: that it is to be.
        record: what its settings.json says.
        pictures: at the last scale, (1, C, H, W) in [-1, 1].

    Raises:
        InputError: it holds a model that is not to be overwritten, or other files; or it cannot be made.
        CheckpointError: it cannot be written.
    """
    path, data = folder.path, record.as_text().encode()
    _, digest = parse_record(data, str(path / SETTINGS))
    if _is_begun(path) and not folder.overwrite:
        differing = differences(read_record(path)[0], record)
        if differing:
            remedy = "give another folder, or replace it with --overwrite"
            raise InputError(f"{path}: holds a model {', '.join(differing)}; {remedy}")
        raise InputError(f"{path}: holds this model already; --resume goes on with it, --overwrite begins anew")
    _make_room(folder)
    model = PictureModel(settings=record.settings, sizes=record.sizes, channels=record.channels, seed=record.seed)
    save_model(path, digest, model, pictures)
    write_whole(path / SETTINGS, data)
    return digest


def save_model(path: Path, digest: str, model: PictureModel, pictures: Sequence[Tensor]) -> None:
    """Write the scales that are finished.

    Args:
        path: of the folder.
        digest: of its settings.json.
        model: with these scales.
        pictures: at the last scale, (1, C, H, W) in [-1, 1].

    Raises:
        CheckpointError: they cannot be written.
    """
    tensors = {f"pictures.{k}": picture for k, picture in enumerate(pictures)}
    for number, scale in enumerate(model.scales):
        tensors |= _named(number, scale)
    amplitudes = [scale.amplitude for scale in model.scales]
    save_checkpoint(path / MODEL, tensors, {"kind": "picture", "record": digest, "amplitudes": amplitudes})


def save_state(path: Path, digest: str, learner: ScaleLearner, seconds: float) -> None:
    """Write all that a training needs to go on in the midst of a scale.

    Raises:
        CheckpointError: it cannot be written.
    """
    header = {
        "kind": "training",
        "record": digest,
        "scale": learner.index,
        "iteration": learner.iteration,
        "seconds": seconds,
    }
    save_checkpoint(path / STATE, learner.tensors(), header)


def load_state(path: Path, saved: SavedModel) -> SavedState | None:
    """Return how far the training in a folder had come; None if it had not begun its first scale.

    The scale may be one that is finished: then the training was killed while it wrote that down.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    file = path / STATE
    trained = len(saved.model.scales)
    if not file.exists():
        if trained == 0:
            return None
        raise CheckpointError(f"{file}: no such file, so the training cannot go on; {REMEDY}")
    loaded = load_checkpoint(file, "training")
    _check_belongs(loaded, saved.digest, file)
    scale, iteration, seconds = (loaded.header.get(name) for name in ("scale", "iteration", "seconds"))
    if (
        type(scale) is int
        and type(iteration) is int
        and isinstance(seconds, int | float)
        and 0 <= scale <= min(trained, len(saved.record.sizes[0]) - 1)
        and 0 <= iteration <= saved.record.settings.iterations
    ):
        return SavedState(scale, iteration, float(seconds), loaded.tensors)
    raise CheckpointError(f"{file}: is damaged (scale {scale}, iteration {iteration}); {REMEDY}")


def resume(path: Path, wanted: Record, device: torch.device) -> tuple[SavedModel, SavedState | None]:
    """Return what a training goes on from: the finished scales, and the state of the next, None to begin it anew.

    Args:
        path: of the folder, whose log is cut to what is kept.
        wanted: what is to be learnt.
        device: where.

    Raises:
        InputError: the folder holds no training, or one of another picture or with other settings.
        CheckpointError: it is damaged, or cannot be written.
    """
    if not _is_begun(path):
        raise InputError(f"{path}: there is no training to resume; leave out --resume to begin")
    differing = differences(read_record(path)[0], wanted)
    if differing:
        remedy = "go on with that, or begin anew with --overwrite"
        raise InputError(f"{path}: holds a model {', '.join(differing)}; {remedy}")
    saved = load_folder(path, device)
    _remove_remnants(path)
    if saved.model.is_complete:
        end(path)
        return saved, None
    state = load_state(path, saved)
    scale, iteration = (state.scale, state.iteration) if state else (0, 0)
    cut_lines(path / LOG, scale, iteration)
    return saved._replace(model=replace(saved.model, scales=saved.model.scales[:scale])), state


def restore(learner: ScaleLearner, state: SavedState, path: Path) -> None:
    """Bring a learner of the state's scale to that state.

    Raises:
        CheckpointError: the state is damaged; `path` is the folder that it is from.
    """
    expected = learner.weights()
    if state.iteration:
        for number, network in enumerate((learner.generator, learner.critic)):
            for i, parameter in enumerate(network.parameters()):
                moments = {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter}
                expected |= {f"adam.{number}.{i}.{key}": like for key, like in moments.items()}
    try:
        check_tensors(state.tensors, expected)
    except ValueError as error:
        raise CheckpointError(f"{path / STATE}: {error}; {REMEDY}") from error
    learner.restore(state.tensors, state.iteration)


def end(path: Path) -> None:
    """Remove what a complete model has no use for."""
    _remove(path, [STATE])


def _is_begun(path: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):  # no such path can be
        return (path / SETTINGS).exists()
    return False


def _make_room(folder: ModelFolder) -> None:
    """Make the folder if there is none, and remove a model that it holds, but no file that is not a model's."""
    path = folder.path
    try:
        path.mkdir(exist_ok=True)
        names = {file.name for file in path.iterdir()}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be a model folder ({reason_of(error)}); check the path") from error
    foreign = [name for name in sorted(names) if name not in FILES and not REMNANT.fullmatch(name)]
    if foreign:
        try:
            read_record(path)  # whose folder it is, whatever lies in it besides
        except CheckpointError as error:
            remedy = "a model needs a folder of its own, give a new one"
            raise InputError(f"{path}: holds other files ({foreign[0]}) and no model; {remedy}") from error
    if not names.isdisjoint(FILES) and not folder.overwrite:
        raise InputError(f"{path}: holds a part of a model; give another folder, or replace it with --overwrite")
    _remove(path, FILES)
    _remove_remnants(path)


def _check_belongs(loaded: Checkpoint, digest: str, file: Path) -> None:
    if loaded.header.get("record") != digest:
        raise CheckpointError(f"{file}: does not belong to the {SETTINGS} beside it; {REMEDY}")


def _amplitudes(header: Mapping[str, Any], most: int) -> list[float]:
    """Return the amplitudes in a header; raise ValueError unless it has them."""
    amplitudes = header.get("amplitudes")
    if not isinstance(amplitudes, list) or len(amplitudes) > most:
        raise ValueError("its header has no amplitudes")
    if not all(isinstance(value, float) and value >= 0 for value in amplitudes):
        raise ValueError("the amplitudes in its header are no numbers")
    return amplitudes


def _take_scales(
    tensors: dict[str, Tensor], amplitudes: Sequence[float], record: Record, device: torch.device
) -> tuple[Scale, ...]:
    """Return the scales whose tensors these are, and take them out; raise ValueError unless they fit."""
    scales = []
    for number, amplitude in enumerate(amplitudes):
        own = {name: tensors.pop(name) for name in list(tensors) if name.startswith(f"scales.{number}.")}
        widths = record.settings.widths_at(number)
        stack = ConvStack(record.channels, record.channels, widths, norm=True, generator=torch.Generator())
        layers = _named(number, Scale(stack.folded(), amplitude))
        check_tensors(own, layers)
        # Copying keeps the memory layout that training gives: another one is rounded differently.
        values = [layer.copy_(own[name]).to(device) for name, layer in layers.items()]
        scales.append(Scale(list(zip(values[::2], values[1::2], strict=True)), amplitude))
    return tuple(scales)


def _named(number: int, scale: Scale) -> dict[str, Tensor]:
    """Return the tensors of a scale by their names, weight and bias in turn."""
    return {
        f"scales.{number}.{layer}.{kind}": tensor
        for layer, pair in enumerate(scale.layers)
        for kind, tensor in zip(("weight", "bias"), pair, strict=True)
    }


def _remove_remnants(path: Path) -> None:
    _remove(path, [file.name for file in path.iterdir() if REMNANT.fullmatch(file.name)])


def _remove(path: Path, names: Sequence[str]) -> None:
    for name in names:
        try:
            (path / name).unlink(missing_ok=True)
        except OSError as error:
            raise CheckpointError(f"{path / name}: cannot be removed ({error.strerror}); remove it yourself") from error
