"""Checkpoint files: the weights of a network, the state of a training, or a learned picture, with a header.

A checkpoint is one .safetensors file. Its metadata has one key, "innersr", whose text is a JSON object, the header:

    {"format": 1, "kind": "prior", "network": {"name": ..., "arguments": {...}}, "provenance": {...}}
    {"format": 1, "kind": "training", "step": ..., "seconds": ..., "settings": {...}}
    {"format": 1, "kind": "picture", ...}, see `singan/folder/reading.py`

Reading runs no code that a file names: networks come from a table, see `blueprints`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import Tensor, nn

from innersr.atomic import whole_file
from innersr.errors import CheckpointError, InputError
from innersr.json_lines import parse_object
from innersr.networks.blueprints import construct, listed, shortened
from innersr.networks.int8 import PEAKS, from_int8, to_int8

KEY = "innersr"  # of the header in the file's metadata
FORMAT = 1
KINDS = ("prior", "training", "picture")
WEIGHT_TYPES = (torch.float16, torch.bfloat16, torch.float32)


class Checkpoint(NamedTuple):
    """The contents of a file: tensors on the CPU, those of a prior as float32, and the header."""

    tensors: dict[str, Tensor]
    header: dict[str, Any]


def save_checkpoint(path: str | Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Save a checkpoint: all of it, or nothing; an existing file is replaced at the end.

    Args:
        path: the file.
        tensors: of any device and memory layout. Those of a prior are stored in 8 bits, see `int8`, others unchanged.
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
        tensors = to_int8(tensors)
        if broken := [name.removesuffix(PEAKS) for name, tensor in tensors.items() if not tensor.isfinite().all()]:
            raise InputError(f"{path}: weights that float16 cannot hold, in {listed(broken)}; the training diverged")
    # Copies, because safetensors refuses tensors that share memory or are not laid out row by row.
    rows = {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    write_whole(path, safetensors.torch.save(rows, {KEY: text}))


def load_checkpoint(path: str | Path, kind: str | None = None) -> Checkpoint:
    """Load a checkpoint file of one of KINDS, or of any.

    Raises:
        CheckpointError: the file is missing, damaged, not a checkpoint of innersr, of a newer format or another kind.
    """
    return parse_checkpoint(read_whole(Path(path)), path, kind)


def parse_checkpoint(data: bytes, source: str | Path, kind: str | None = None) -> Checkpoint:
    """Parse the bytes of a checkpoint file; errors are those of `load_checkpoint` and name the `source`."""
    header = _header_of(data, source)
    if header["kind"] == "training" and kind == "prior":
        raise CheckpointError(f"{source}: this is the state of a training; give the file without .state")
    if header["kind"] == "prior" and kind == "training":
        raise CheckpointError(f"{source}: this is the result of a training, not its state; give the file with .state")
    if kind not in (None, header["kind"]):
        raise CheckpointError(f"{source}: is a checkpoint of kind {header['kind']}, not {kind}; give one of that kind")
    try:
        tensors = safetensors.torch.load(data)
        return Checkpoint(from_int8(tensors) if header["kind"] == "prior" else tensors, header)
    # safetensors documents no closed list of errors for damaged bytes.
    except Exception as error:
        raise CheckpointError(f"{source}: is damaged ({_reason(error)}); get the file again") from error


def build_network(checkpoint: Checkpoint, source: str | Path = "checkpoint") -> nn.Module:
    """Build the network of a prior: float32, on the CPU, in evaluation mode, without gradients.

    Raises:
        CheckpointError, naming the source: the header names no known network, or the tensors do not fit it.
    """
    try:
        network = construct(checkpoint.header.get("network"))
        check_tensors(checkpoint.tensors, network.state_dict())
    except ValueError as error:
        raise CheckpointError(f"{source}: {error}; get the file again, or update innersr") from error
    # Copying into the weights keeps their memory layout, channels last.
    network.load_state_dict(checkpoint.tensors)
    return network.eval().requires_grad_(False)


def check_tensors(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raise ValueError, with the names, unless these are the tensors of a network.

    Floating ones may be of any of WEIGHT_TYPES, others have to be of the type that is expected.
    """
    shared = [name for name in expected if name in tensors]
    shapes = {name: (tuple(tensors[name].shape), tuple(expected[name].shape)) for name in shared}
    types = {k: WEIGHT_TYPES if v.is_floating_point() else (v.dtype,) for k, v in expected.items()}
    faults = {
        "lacks": [name for name in expected if name not in tensors],
        "has unexpected": [name for name in tensors if name not in expected],
        "has of wrong shape": [f"{name} {got} not {right}" for name, (got, right) in shapes.items() if got != right],
        "has of wrong type": [name for name in shared if tensors[name].dtype not in types[name]],
        "has NaN or infinite values in": [
            name for name in shared if tensors[name].dtype in WEIGHT_TYPES and not tensors[name].isfinite().all()
        ],
    }
    if found := [f"{fault} {listed(names)}" for fault, names in faults.items() if names]:
        raise ValueError(f"its tensors do not fit its network: it {', '.join(found)}")


def read_whole(path: Path) -> bytes:
    """Read a whole file; CheckpointError if it is missing, no regular file, too large, or cannot be read."""
    try:
        if not path.exists():
            raise CheckpointError(f"{path}: no such file; check the name and the folder")
        if not path.is_file():
            raise CheckpointError(f"{path}: is not a regular file; give the path of a file that innersr made")
        if path.stat().st_size > 4 << 30:
            raise CheckpointError(f"{path}: is larger than 4 GiB; give a file that innersr made")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({_reason(error)}); check the name and the disk") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file: all of it, or nothing; CheckpointError if it cannot be written."""
    try:
        with whole_file(path, overwrite=True) as partial, partial.open("wb") as stream:
            stream.write(data)
    except (OSError, ValueError) as error:
        remedy = "check the folder, its permissions and the free space"
        raise CheckpointError(f"{path}: cannot be written ({_reason(error)}); {remedy}") from error


def _header_of(data: bytes, source: str | Path) -> dict[str, Any]:
    """Parse the header, and check its format and kind."""
    size = int.from_bytes(data[:8], "little")  # of the JSON that follows, at most 16 MiB
    if len(data) < 8 or size > min(16 << 20, len(data) - 8):
        raise CheckpointError(f"{source}: is not a safetensors file, or cut short; get the file again")
    try:
        outer = json.loads(data[8 : 8 + size])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{source}: is not a safetensors file, or damaged; get the file again") from error
    metadata = outer.get("__metadata__") if isinstance(outer, dict) else None
    text = metadata.get(KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        lack = f"no {KEY!r} in its header"
        raise CheckpointError(f"{source}: not made by innersr ({lack}); give a file that innersr made")
    try:
        header = parse_object(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{source}: its header is damaged ({_reason(error)}); get the file again") from error
    version, kind = header.get("format"), header.get("kind")
    if type(version) is int and version > FORMAT:
        newer = f"format {shortened(version)}, known is {FORMAT}"
        raise CheckpointError(f"{source}: made by a newer innersr ({newer}); update innersr")
    if type(version) is not int or version < 1 or kind not in KINDS:
        found = f"format {shortened(version)}, kind {shortened(kind)}"
        raise CheckpointError(f"{source}: its header is damaged ({found}); get the file again")
    return header


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    printable = "".join(c if c.isprintable() else " " for c in str(error))
    return " ".join(printable.split())[:200] or type(error).__name__
