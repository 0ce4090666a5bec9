"""Reading a model folder: a trained model, and the state of an interrupted training.

    settings.json          pictures and settings, see `record.Record`; also for people to read
    model.safetensors      the finished scales in float32; the pictures at the last scale
    training.safetensors   the scale in training; removed when the model is complete
    training.jsonl         the log, see `log`

Every file appears whole or not at all. The two .safetensors name the settings.json that they belong to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from innersr.errors import CheckpointError, InputError
from innersr.networks.checkpoints import Checkpoint, check_tensors, load_checkpoint, read_whole
from innersr.singan.folder.record import REMEDY, Record, parse_record
from innersr.singan.model import PictureModel, Scale
from innersr.singan.networks import ConvStack
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


class SavedState(NamedTuple):
    """Progress of the scale in training."""

    scale: int
    iteration: int
    seconds: float
    """Training time of all scales so far."""
    tensors: Mapping[str, Tensor]


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
            "the same command with --resume goes on"
        )
    return model


def load_folder(path: str | Path, device: torch.device = CPU) -> SavedModel:
    """Load a folder, whether its model is complete or not.

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
    """Read the settings.json of a folder; return its record and the digest by which the other files refer to it.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    file = path / SETTINGS
    if not is_begun(path):
        raise CheckpointError(f"{path}: holds no model (no {SETTINGS}); give a folder that a SinGAN was trained into")
    return parse_record(read_whole(file), str(file))


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


def is_begun(path: Path) -> bool:
    """Whether a folder has a settings.json, the sign of a model."""
    with contextlib.suppress(OSError, ValueError):  # no such path can be
        return (path / SETTINGS).exists()
    return False


def _check_belongs(loaded: Checkpoint, digest: str, file: Path) -> None:
    if loaded.header.get("record") != digest:
        raise CheckpointError(f"{file}: does not belong to the {SETTINGS} beside it; {REMEDY}")


def _amplitudes(header: Mapping[str, Any], most: int) -> list[float]:
    """Amplitudes in a header; ValueError unless it has them."""
    amplitudes = header.get("amplitudes")
    if not isinstance(amplitudes, list) or len(amplitudes) > most:
        raise ValueError("its header has no amplitudes")
    if not all(isinstance(value, float) and value >= 0 for value in amplitudes):
        raise ValueError("the amplitudes in its header are no numbers")
    return amplitudes


def _take_scales(
    tensors: dict[str, Tensor], amplitudes: Sequence[float], record: Record, device: torch.device
) -> tuple[Scale, ...]:
    """Take the scales out of these tensors; ValueError unless they fit."""
    scales = []
    for number, amplitude in enumerate(amplitudes):
        own = {name: tensors.pop(name) for name in list(tensors) if name.startswith(f"scales.{number}.")}
        widths = record.settings.widths_at(number)
        stack = ConvStack(record.channels, record.channels, widths, norm=True, generator=torch.Generator())
        layers = named_tensors(number, Scale(stack.folded(), amplitude))
        check_tensors(own, layers)
        # Copying keeps the memory layout that training gives: another one is rounded differently.
        values = [layer.copy_(own[name]).to(device) for name, layer in layers.items()]
        scales.append(Scale(list(zip(values[::2], values[1::2], strict=True)), amplitude))
    return tuple(scales)


def named_tensors(number: int, scale: Scale) -> dict[str, Tensor]:
    """The tensors of a scale by their names, weight and bias in turn."""
    return {
        f"scales.{number}.{layer}.{kind}": tensor
        for layer, pair in enumerate(scale.layers)
        for kind, tensor in zip(("weight", "bias"), pair, strict=True)
    }
