"""Checkpoints on disk: the weights of a network, the state of a training, a learnt picture, with what they are.

A checkpoint is one .safetensors file. Its metadata has one key, "innersr", whose text is a JSON object, the header:

    {"format": 1, "kind": "prior", "network": {"name": ..., "arguments": {...}}, "provenance": {...}}
    {"format": 1, "kind": "training", "step": ..., "seconds": ..., "settings": {...}}
    {"format": 1, "kind": "picture", ...}, see `methods/singan/files.py`

Reading runs no code that a file names: networks are looked up in a table, their arguments are checked against it.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import Tensor, nn

from innersr.atomic import whole_file
from innersr.errors import CheckpointError, InputError
from innersr.networks.degradation_predictor import DegradationPredictor
from innersr.networks.detail_stack import DetailStack
from innersr.networks.int8 import PEAKS, packed, unpacked
from innersr.networks.tailored_stack import TailoredStack

KEY = "innersr"  # of the header in the file's metadata
FORMAT = 1
KINDS = ("prior", "training", "picture")
MAX_BYTES = 4 << 30  # of a file
MAX_HEADER_BYTES = 16 << 20  # of the part of the file that says what its tensors are
MAX_NESTING = 16  # objects and lists inside one another in the header
MAX_NAMED = 20  # tensors in one error message
MAX_SHOWN = 200  # characters of a value in one
WEIGHT_TYPES = (torch.float16, torch.bfloat16, torch.float32)
Allowed = range | tuple[range, range] | type[bool]


class Checkpoint(NamedTuple):
    """What a file holds: tensors on the CPU, those of a prior unpacked, and the header that says what they are."""

    tensors: dict[str, Tensor]
    header: dict[str, Any]


class _Blueprint(NamedTuple):
    construct: Callable[..., nn.Module]
    arguments: Mapping[str, Allowed]  # the limits keep a hostile header below 1 GB


_SIDE = range(1, 513)

_NETWORKS = {
    "DetailStack": _Blueprint(
        DetailStack,
        {
            "channels": range(1, 17),
            "factors": (range(1, 9), range(1, 9)),
            "width": _SIDE,
            "depth": range(2, 65),
            "bias": bool,
        },
    ),
    "TailoredStack": _Blueprint(
        TailoredStack, {"channels": range(1, 17), "width": _SIDE, "depth": range(3, 65), "hidden": _SIDE}
    ),
    "DegradationPredictor": _Blueprint(DegradationPredictor, {"width": _SIDE, "hidden": _SIDE}),
}


def save_checkpoint(path: str | Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write a checkpoint: all of it, or nothing; a file that was there before stays until then.

    Args:
        path: where to; an existing file is replaced.
        tensors: of any device and memory layout. Those of a prior are packed, see `packing`, others stored as they are.
        header: plain JSON values, among them "kind", one of KINDS. "format" is added.

    Raises:
        InputError: another kind; values that JSON lacks, such as NaN; weights of a prior that float16 lacks.
        CheckpointError: the file cannot be written.
    """
    path = Path(path)
    kind = header.get("kind")
    if kind not in KINDS:
        raise InputError(f"{path}: the kind of a checkpoint is one of {', '.join(KINDS)}, got {kind!r}")
    try:
        text = json.dumps({**header, "format": FORMAT}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: the header is no plain JSON ({error}); use numbers, texts, lists, dicts") from error
    if kind == "prior":
        tensors = packed(tensors)
        broken = [name.removesuffix(PEAKS) for name, tensor in tensors.items() if not tensor.isfinite().all()]
        if broken:
            raise InputError(f"{path}: weights that float16 cannot hold, in {_named(broken)}; the training diverged")
    # Copies, because safetensors refuses tensors that share memory or are not laid out row by row.
    rows = {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    write_whole(path, safetensors.torch.save(rows, {KEY: text}))


def load_checkpoint(path: str | Path, kind: str | None = None) -> Checkpoint:
    """Return what a checkpoint file holds.

    Args:
        path: the file.
        kind: one of KINDS that it has to be, or None for any.

    Raises:
        CheckpointError: the file is missing, damaged, not a checkpoint of innersr, of a newer format or of
            another kind.
    """
    return parse_checkpoint(read_whole(Path(path)), path, kind)


def parse_checkpoint(data: bytes, source: str | Path, kind: str | None = None) -> Checkpoint:
    """Return what the bytes of a checkpoint file hold; `source` is what the errors, as above, call it."""
    header = _header_of(data, source)
    if header["kind"] == "training" and kind == "prior":
        raise CheckpointError(f"{source}: this is the state of a training; give the file without .state")
    if header["kind"] == "prior" and kind == "training":
        raise CheckpointError(f"{source}: this is what a training made, not its state; give the file with .state")
    if kind not in (None, header["kind"]):
        raise CheckpointError(f"{source}: is a checkpoint of kind {header['kind']}, not {kind}; give one of that kind")
    try:
        tensors = safetensors.torch.load(data)
        return Checkpoint(unpacked(tensors) if header["kind"] == "prior" else tensors, header)
    # safetensors names no closed list of what damaged bytes make it raise.
    except Exception as error:
        raise CheckpointError(f"{source}: is damaged ({_reason(error)}); get the file again") from error


def network_record(network: nn.Module) -> dict[str, Any]:
    """Return the "network" of a header, from which `build_network` makes one like this.

    Raises:
        InputError: a network that checkpoints do not know, or larger than they allow.
    """
    name = type(network).__name__
    if name not in _NETWORKS:
        raise InputError(f"checkpoints hold {', '.join(_NETWORKS)}, got a {name}; save one of these networks")
    given: Any = network.arguments
    try:
        arguments = _checked_arguments(_NETWORKS[name], given)
    except ValueError as error:
        raise InputError(f"this {name} cannot be kept in a checkpoint: {error}") from error
    listed = {key: list(value) if isinstance(value, tuple) else value for key, value in arguments.items()}
    return {"name": name, "arguments": listed}


def build_network(checkpoint: Checkpoint, source: str | Path = "checkpoint") -> nn.Module:
    """Return the network that a prior holds: float32, on the CPU, in evaluation mode, without gradients.

    Args:
        checkpoint: of kind "prior".
        source: what the errors call it.

    Raises:
        CheckpointError: the header names no known network, or the tensors do not fit it.
    """
    try:
        network = _constructed(checkpoint.header.get("network"))
        expected = network.state_dict()
        check_tensors(checkpoint.tensors, expected)
    except ValueError as error:
        raise CheckpointError(f"{source}: {error}; get the file again, or update innersr") from error
    # Copying into the weights keeps their memory layout, channels last.
    network.load_state_dict(checkpoint.tensors)
    return network.eval().requires_grad_(False)


def check_tensors(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raise ValueError, with the names, unless these are the tensors that a network has.

    Floating ones may be of any of WEIGHT_TYPES, others have to be of the type that is expected.
    """
    shared = [name for name in expected if name in tensors]
    shapes = {name: (tuple(tensors[name].shape), tuple(expected[name].shape)) for name in shared}
    faults = {
        "lacks": [name for name in expected if name not in tensors],
        "has unexpected": [name for name in tensors if name not in expected],
        "has of wrong shape": [f"{name} {got} not {right}" for name, (got, right) in shapes.items() if got != right],
        "has of wrong type": [name for name in shared if tensors[name].dtype not in _types_for(expected[name])],
        "has NaN or infinite values in": [
            name for name in shared if tensors[name].dtype in WEIGHT_TYPES and not tensors[name].isfinite().all()
        ],
    }
    said = [f"{fault} {_named(names)}" for fault, names in faults.items() if names]
    if said:
        raise ValueError(f"its tensors do not fit its network: it {', '.join(said)}")


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Return a JSON object without NaN or infinity, not nested deeply; raise ValueError or RecursionError else."""
    value = json.loads(text, parse_constant=_finite, parse_float=_finite)
    _check_nesting(value)
    return value


def read_whole(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        CheckpointError: it is missing, no regular file, too large, or cannot be read.
    """
    try:
        if not path.exists():
            raise CheckpointError(f"{path}: no such file; check the name and the folder")
        if not path.is_file():
            raise CheckpointError(f"{path}: is not a regular file; give the path of a file that innersr made")
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{path}: is larger than {MAX_BYTES >> 30} GiB; give a file that innersr made")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({_reason(error)}); check the name and the disk") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file: all of it, or nothing; one that was there before stays until then.

    Raises:
        CheckpointError: it cannot be written.
    """
    try:
        with whole_file(path, overwrite=True) as partial, partial.open("wb") as stream:
            stream.write(data)
    except (OSError, ValueError) as error:
        remedy = "check the folder, its permissions and the free space"
        raise CheckpointError(f"{path}: cannot be written ({_reason(error)}); {remedy}") from error


def _header_of(data: bytes, source: str | Path) -> dict[str, Any]:
    """Return the header, checked so far as every kind needs."""
    size = int.from_bytes(data[:8], "little")  # of the JSON that follows
    if len(data) < 8 or size > min(MAX_HEADER_BYTES, len(data) - 8):
        raise CheckpointError(f"{source}: is not a safetensors file, or cut short; get the file again")
    try:
        outer = json.loads(data[8 : 8 + size])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{source}: is not a safetensors file, or damaged; get the file again") from error
    metadata = outer.get("__metadata__") if isinstance(outer, dict) else None
    text = metadata.get(KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise CheckpointError(
            f"{source}: not made by innersr (no {KEY!r} in its header); give a file that innersr made"
        )
    try:
        header = parse_object(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{source}: its header is damaged ({_reason(error)}); get the file again") from error
    version, kind = header.get("format"), header.get("kind")
    if type(version) is int and version > FORMAT:
        raise CheckpointError(
            f"{source}: made by a newer innersr (format {_short(version)}, known is {FORMAT}); update innersr"
        )
    if type(version) is not int or version < 1 or kind not in KINDS:
        what = f"format {_short(version)}, kind {_short(kind)}"
        raise CheckpointError(f"{source}: its header is damaged ({what}); get the file again")
    return header


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number of JSON")
    return value


def _check_nesting(header: object) -> None:
    """Raise ValueError where whoever walks through the header could exhaust the stack."""
    if not isinstance(header, dict):
        raise ValueError("it is no JSON object")
    level: list[object] = [header]
    for _ in range(MAX_NESTING):
        level = [value for outer in level for value in _contents(outer)]
    if level:
        raise ValueError(f"it is nested more than {MAX_NESTING} deep")


def _contents(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _constructed(record: object) -> nn.Module:
    """Return the network of a header, with weights that are to be replaced; or raise ValueError."""
    if not isinstance(record, dict) or not isinstance(record.get("arguments"), dict):
        raise ValueError("its header describes no network")
    name = record.get("name")
    if not isinstance(name, str) or name not in _NETWORKS:
        raise ValueError(f"its network {_short(name)} is unknown, known are {', '.join(_NETWORKS)}")
    blueprint = _NETWORKS[name]
    return blueprint.construct(**_checked_arguments(blueprint, record["arguments"]), generator=torch.Generator())


def _checked_arguments(blueprint: _Blueprint, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments, pairs as tuples; raise ValueError unless each is known, of its type and in its range."""
    unknown = [name for name in given if name not in blueprint.arguments]
    if unknown:
        raise ValueError(f"its network has no {_named(unknown)}, only {', '.join(blueprint.arguments)}")
    parameters = inspect.signature(blueprint.construct).parameters
    missing = [
        name
        for name in blueprint.arguments
        if name not in given and parameters[name].default is inspect.Parameter.empty
    ]
    if missing:
        raise ValueError(f"its network lacks {_named(missing)}")
    return {name: _checked_argument(name, value, blueprint.arguments[name]) for name, value in given.items()}


def _checked_argument(name: str, value: object, allowed: Allowed) -> object:
    if isinstance(allowed, range):
        # True is an int, and in range(2), but is no number of anything.
        if type(value) is int and value in allowed:
            return value
        raise ValueError(
            f"{name} of its network is a whole number from {allowed[0]} to {allowed[-1]}, got {_short(value)}"
        )
    if isinstance(allowed, tuple):
        if isinstance(value, (list, tuple)) and len(value) == len(allowed):
            return tuple(_checked_argument(name, each, limits) for each, limits in zip(value, allowed, strict=True))
        raise ValueError(f"{name} of its network is a pair of numbers, got {_short(value)}")
    if isinstance(value, bool):
        return value
    raise ValueError(f"{name} of its network is true or false, got {_short(value)}")


def _types_for(expected: Tensor) -> tuple[torch.dtype, ...]:
    return WEIGHT_TYPES if expected.is_floating_point() else (expected.dtype,)


def _named(names: list[str]) -> str:
    """Return the names for a message."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(_short(name) for name in names[:MAX_NAMED]) + more


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_SHOWN]


def _short(value: object) -> str:
    """Return a value for a message: on one line and not long, whatever a file has there."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return _one_line(str(error)) or type(error).__name__
