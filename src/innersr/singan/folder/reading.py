"""Reading a model folder: a trained model, and the state of an interrupted training.

    settings.json          pictures and settings, see `record.Record`; also for people to read
    model.safetensors      the finished scales in float32; the pictures at the last scale
    training.safetensors   the scale in training; removed when the model is complete
    training.jsonl         the log, see `log`

Every file appears whole or not at all. The two .safetensors name the settings.json that they belong to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import torch
from msgspec import Meta
from torch import Tensor

from innersr.errors import CheckpointError, InputError
from innersr.isolation import isolated
from innersr.networks.checkpoints import Checkpoint, check_tensors, load_checkpoint, outline_of, read_whole
from innersr.singan.folder.record import REMEDY, Record, parse_record
from innersr.singan.model import PictureModel, Scale
from innersr.singan.networks import ConvStack, layer_shapes
from innersr.singan.training.scale import ScaleLearner

SETTINGS, MODEL, STATE, LOG = "settings.json", "model.safetensors", "training.safetensors", "training.jsonl"
CPU = torch.device("cpu")


class SavedModel(NamedTuple):
    """The content of a model folder."""

    model: PictureModel
    record: Record
    digest: str
    """Of its settings.json."""

    @property
    def pictures(self) -> tuple[Tensor, ...]:
        """Pictures of the subject at the last scale, (1, C, H, W) in [-1, 1], on the CPU."""
        return self.model.pictures


class SavedState(msgspec.Struct):
    """Progress of the scale in training.

    Args:
        scale: its number.
        iteration: that was made last.
        seconds: training time of all scales so far.
        diverged: times that the scale's learning was taken back.
    """

    scale: Annotated[int, Meta(ge=0)]
    iteration: Annotated[int, Meta(ge=0)]
    seconds: Annotated[float, Meta(ge=0, le=1e12)]
    diverged: Annotated[int, Meta(ge=0, le=100)] = 0


@isolated
def load_model(path: str | Path, device: torch.device = CPU) -> PictureModel:
    """Load the complete model in a folder.

    Raises:
        InputError: its training is not finished.
        CheckpointError: there is none, or it is damaged.
    """
    model = load_folder(path, device).model
    if not model.is_complete:
        raise InputError(
            f"{path}: {len(model.scales)} of {len(model.sizes[0])} scales are trained; finish the training first, "
            "the same command with --resume continues it"
        )
    return model


@isolated
def load_folder(path: str | Path, device: torch.device = CPU) -> SavedModel:
    """Load a folder, whether its model is complete or not.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    path = Path(path)
    record, digest = read_record(path)
    file = path / MODEL
    _check_model(outline_of(file, "picture"), record, digest, file)
    loaded = load_checkpoint(file, "picture")
    amplitudes = _check_model(loaded, record, digest, file)
    tensors = loaded.tensors
    model = PictureModel(
        settings=record.settings,
        sizes=record.sizes,
        channels=record.channels,
        seed=record.seed,
        scales=tuple(_scale(tensors, number, each, record, device) for number, each in enumerate(amplitudes)),
        pictures=tuple(tensors[name].float() for name in _picture_shapes(record)),
    )
    return SavedModel(model, record, digest)


def read_record(path: Path) -> tuple[Record, str]:
    """Read the settings.json of a folder; return its record and the digest by which the other files refer to it.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    file = path / SETTINGS
    if not path.exists():
        raise CheckpointError(f"{path}: no such file or folder; check the path")
    if not is_begun(path):
        raise CheckpointError(f"{path}: holds no model (no {SETTINGS}); give a folder that a SinGAN was trained into")
    most = 8 << 20  # bytes; colour profiles have 4 MB at most
    return parse_record(read_whole(file, most), str(file))


@isolated
def load_state(path: Path, saved: SavedModel) -> SavedState | None:
    """Load the state of the training in a folder; None if its first scale was not started.

    A finished scale means that the training was killed while it was being recorded.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    file = path / STATE
    trained = len(saved.model.scales)
    if not file.exists():
        if trained == 0:
            return None
        raise CheckpointError(f"{file}: no such file, so the training cannot go on; {REMEDY}")
    outline = outline_of(file, "training")
    _check_belongs(outline, saved.digest, file)
    try:
        state = msgspec.convert(outline.header, SavedState)
    except msgspec.ValidationError as error:
        raise CheckpointError(f"{file}: is damaged ({error}); {REMEDY}") from error
    scales = min(trained + 1, len(saved.record.sizes[0]))
    if state.scale >= scales or state.iteration > saved.record.settings.iterations:
        raise CheckpointError(f"{file}: is damaged (scale {state.scale}, iteration {state.iteration}); {REMEDY}")
    return state


def restore(learner: ScaleLearner, state: SavedState, path: Path) -> None:
    """Bring a learner of the state's scale to that state.

    Raises:
        CheckpointError: the state is damaged; `path` is the folder that it is from.
    """
    file = path / STATE
    try:
        learner.check(outline_of(file, "training").tensors, state.iteration)
        tensors = load_checkpoint(file, "training").tensors
        learner.check(tensors, state.iteration)
    except ValueError as error:
        raise CheckpointError(f"{file}: {error}; {REMEDY}") from error
    learner.restore(tensors, state.iteration, state.diverged)


def is_begun(path: Path) -> bool:
    """Whether a folder has a settings.json, the sign of a model."""
    with contextlib.suppress(OSError, ValueError):  # no such path can be
        return (path / SETTINGS).exists()
    return False


def _check_belongs(loaded: Checkpoint, digest: str, file: Path) -> None:
    if loaded.header.get("record") != digest:
        raise CheckpointError(f"{file}: does not belong to the {SETTINGS} beside it; {REMEDY}")


def _check_model(model: Checkpoint, record: Record, digest: str, file: Path) -> list[float]:
    """Check that a model, or its outline, belongs to a record and fits it; return the amplitudes of its scales."""
    _check_belongs(model, digest, file)
    try:
        amplitudes = _amplitudes(model.header, len(record.sizes[0]))
        shapes = _picture_shapes(record)
        for number in range(len(amplitudes)):
            widths = record.settings.widths_at(number)
            shapes |= {f"scales.{number}.{k}": shape for k, shape in layer_shapes(record.channels, widths).items()}
        check_tensors(model.tensors, {name: torch.empty(shape, device="meta") for name, shape in shapes.items()})
    except ValueError as error:
        raise CheckpointError(f"{file}: {error}; {REMEDY}") from error
    return amplitudes


def _amplitudes(header: Mapping[str, Any], most: int) -> list[float]:
    """Amplitudes in a header; ValueError unless it has them."""
    amplitudes = header.get("amplitudes")
    if not isinstance(amplitudes, list) or len(amplitudes) > most:
        raise ValueError("its header has no amplitudes")
    if not all(isinstance(value, float) and 0 <= value <= 1e6 for value in amplitudes):  # of values in [-1, 1]
        raise ValueError("the amplitudes in its header are not numbers")
    return amplitudes


def _picture_shapes(record: Record) -> dict[str, tuple[int, ...]]:
    return {f"pictures.{k}": (1, record.channels, *sizes[-1]) for k, sizes in enumerate(record.sizes)}


def _scale(tensors: Mapping[str, Tensor], number: int, amplitude: float, record: Record, device: torch.device) -> Scale:
    """The scale of a number, in the memory layout that training gives: another one is rounded differently."""
    widths = record.settings.widths_at(number)
    stack = ConvStack(record.channels, record.channels, widths, norm=True, generator=torch.Generator())
    layers = named_tensors(number, Scale(stack.folded(), amplitude))
    values = [layer.copy_(tensors[name]).to(device) for name, layer in layers.items()]
    return Scale(list(zip(values[::2], values[1::2], strict=True)), amplitude)


def named_tensors(number: int, scale: Scale) -> dict[str, Tensor]:
    """The tensors of a scale by their names, weight and bias in turn."""
    return {
        f"scales.{number}.{layer}.{kind}": tensor
        for layer, pair in enumerate(scale.layers)
        for kind, tensor in zip(("weight", "bias"), pair, strict=True)
    }
