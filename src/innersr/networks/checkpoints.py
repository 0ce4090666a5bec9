"""Checkpoint files: the weights of a network, the state of a training, or a learned picture, with a header.

A checkpoint is one .safetensors file. Its metadata has one key, "innersr", whose text is a JSON object, the header:

    {"format": 1, "kind": "prior", "network": {"name": ..., "arguments": {...}}, "provenance": {...}}
    {"format": 1, "kind": "training", "step": ..., "seconds": ..., "settings": {...}}
    {"format": 1, "kind": "picture", ...}, see `singan/folder/reading.py`
    {"format": 1, "kind": "adapted", ...}, see `pipeline/adapted_files.py`

Reading runs no code that a file names: networks come from a table, see `blueprints`.
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, NamedTuple

import msgspec
import safetensors.torch
import torch
from torch import Tensor, nn

from innersr.atomic import whole_file
from innersr.errors import CheckpointError, InputError, cannot_write, reason_of
from innersr.json_lines import parse_object
from innersr.networks.blueprints import construct, listed, shortened
from innersr.networks.int8 import PEAKS, from_int8, to_int8

KEY = "innersr"  # of the header in the file's metadata
FORMAT = 1
KINDS = ("prior", "training", "picture", "adapted")
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
        raise InputError(f"{path}: the header is not plain JSON ({error}); use numbers, texts, lists, dicts") from error
    if kind == "prior":
        tensors = to_int8(tensors)
        if broken := [name.removesuffix(PEAKS) for name, tensor in tensors.items() if not tensor.isfinite().all()]:
            raise InputError(f"{path}: weights that float16 cannot hold, in {listed(broken)}; the training diverged")
    # Copies, because safetensors refuses tensors that share memory or are not laid out row by row.
    rows = {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    write_whole(path, safetensors.torch.save(rows, {KEY: text}))


def load_checkpoint(path: str | Path, kind: str | None = None) -> Checkpoint:
    """Load a checkpoint file of one of KINDS, or of any; `outline_of` tells beforehand how much memory that takes.

    Raises:
        CheckpointError: the file is missing, damaged, not a checkpoint of innersr, of a newer format or another kind.
    """
    return parse_checkpoint(read_whole(Path(path)), path, kind)


def outline_of(path: str | Path, kind: str | None = None) -> Checkpoint:
    """The header of a checkpoint file and its tensors without values, on torch's device "meta".

    Errors are those of `load_checkpoint`. Sizes are checked against that of the file, whose tensors are not read.
    """
    path = Path(path)
    check_file(path)
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            outer = _outer_of(stream, size, path)
            stored = size - stream.tell()  # bytes of the tensors
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    header = _header_of(outer, path, kind)
    try:
        entries = msgspec.convert({name: outer[name] for name in outer if name != "__metadata__"}, dict[str, _Entry])
        if stored != sum(end - start for start, end in (entry.data_offsets for entry in entries.values())):
            raise ValueError("its tensors do not have the bytes of the file")
        tensors = {name: entry.tensor() for name, entry in entries.items()}
        return Checkpoint(from_int8(tensors) if header["kind"] == "prior" else tensors, header)
    except (ValueError, RuntimeError) as error:  # torch's, for a tensor that is multiplied with another shape
        raise CheckpointError(f"{path}: is damaged ({reason_of(error)}); get the file again") from error


def parse_checkpoint(data: bytes, source: str | Path, kind: str | None = None) -> Checkpoint:
    """Parse the bytes of a checkpoint file; errors are those of `load_checkpoint` and name the `source`."""
    header = _header_of(_outer_of(io.BytesIO(data), len(data), source), source, kind)
    try:
        tensors = safetensors.torch.load(data)
        return Checkpoint(from_int8(tensors) if header["kind"] == "prior" else tensors, header)
    # safetensors documents no closed list of errors for damaged bytes.
    except Exception as error:
        raise CheckpointError(f"{source}: is damaged ({reason_of(error)}); get the file again") from error


def check_prior(prior: Checkpoint, source: str | Path) -> None:
    """Check, without taking memory, that the tensors of a prior or of its outline fit the network in its header.

    Raises:
        CheckpointError, naming the source: the header names no known network, or the tensors do not fit it.
    """
    try:
        check_tensors(prior.tensors, construct(prior.header.get("network"), None).state_dict())
    except ValueError as error:
        raise CheckpointError(f"{source}: {error}; get the file again, or update innersr") from error


def build_network(prior: Checkpoint, source: str | Path = "checkpoint") -> nn.Module:
    """Build the network of a prior: float32, on the CPU, in evaluation mode, without gradients.

    Errors are those of `check_prior`.
    """
    check_prior(prior, source)
    network = construct(prior.header["network"], torch.Generator())
    # Copying into the weights keeps their memory layout, channels last.
    network.load_state_dict(prior.tensors)
    return network.eval().requires_grad_(False)


def check_tensors(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, exactly: bool = False) -> None:
    """Raise ValueError, with the names, unless these are the tensors of a network.

    Floating ones may be of any of WEIGHT_TYPES, others have to be of the type that is expected; `exactly` means that
    all have to. Values are not checked of tensors without them, on torch's device "meta".
    """
    shared = [name for name in expected if name in tensors]
    shapes = {name: (tuple(tensors[name].shape), tuple(expected[name].shape)) for name in shared}
    types = {k: WEIGHT_TYPES if v.is_floating_point() and not exactly else (v.dtype,) for k, v in expected.items()}
    weights = [name for name in shared if tensors[name].dtype in WEIGHT_TYPES and not tensors[name].is_meta]
    faults = {
        "lacks": [name for name in expected if name not in tensors],
        "has unexpected": [name for name in tensors if name not in expected],
        "has of wrong shape": [f"{name} {got} not {right}" for name, (got, right) in shapes.items() if got != right],
        "has of wrong type": [name for name in shared if tensors[name].dtype not in types[name]],
        "has NaN or infinite values in": [name for name in weights if not tensors[name].isfinite().all()],
    }
    if found := [f"{fault} {listed(names)}" for fault, names in faults.items() if names]:
        raise ValueError(f"its tensors do not fit its network: it {', '.join(found)}")


def check_file(path: Path, most: int = 1 << 30) -> None:
    """Raise CheckpointError if a file is missing, no regular file, or larger than `most` bytes."""
    try:
        if not path.exists():
            raise CheckpointError(f"{path}: no such file; check the name and the folder")
        if not path.is_file():
            raise CheckpointError(f"{path}: is not a regular file; give the path of a file that innersr made")
        if path.stat().st_size > most:
            raise CheckpointError(f"{path}: is larger than {most >> 20} MiB; give a file that innersr made")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def read_whole(path: Path, most: int = 1 << 30) -> bytes:
    """Read a whole file; CheckpointError if it cannot be read, or for a reason of `check_file`."""
    check_file(path, most)
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file: all of it, or nothing; CheckpointError if it cannot be written."""
    try:
        with whole_file(path, overwrite=True) as partial, partial.open("wb") as stream:
            stream.write(data)
    except (OSError, ValueError) as error:
        raise CheckpointError(cannot_write(path, reason_of(error))) from error


def _outer_of(stream: BinaryIO, length: int, source: str | Path) -> dict[str, Any]:
    """The JSON object at the head of a safetensors file of a length in bytes: an entry a tensor, and metadata."""
    head = stream.read(8)
    size, most = int.from_bytes(head, "little"), 4 << 20  # bytes of the object; 1000 tensors have 100 KB
    if len(head) < 8 or size > min(most, length - 8):
        raise CheckpointError(f"{source}: is not a safetensors file, or cut short; get the file again")
    try:
        outer = json.loads(stream.read(size))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{source}: is not a safetensors file, or damaged; get the file again") from error
    return outer if isinstance(outer, dict) else {}


class _Entry(msgspec.Struct):
    """A tensor in the head of a safetensors file."""

    dtype: Literal["F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"]
    shape: Annotated[list[Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]], msgspec.Meta(max_length=8)]
    data_offsets: tuple[int, int]

    def tensor(self) -> Tensor:
        """The tensor without values; ValueError unless it has the bytes of its shape."""
        names = {"F": "float", "BF": "bfloat", "I": "int", "U": "uint", "BOOL": "bool"}
        letters = self.dtype.rstrip("0123456789")
        dtype = getattr(torch, names[letters] + self.dtype.removeprefix(letters))
        start, end = self.data_offsets
        if math.prod(self.shape) * dtype.itemsize != end - start:
            raise ValueError(f"a tensor of shape {shortened(self.shape)} has {end - start} bytes")
        return torch.empty(self.shape, dtype=dtype, device="meta")


def _header_of(outer: Mapping[str, Any], source: str | Path, kind: str | None) -> dict[str, Any]:
    """Parse the header, and check its format, and its kind if one is given."""
    metadata = outer.get("__metadata__")
    text = metadata.get(KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        lack = f"no {KEY!r} in its header"
        raise CheckpointError(f"{source}: not made by innersr ({lack}); give a file that innersr made")
    try:
        header = parse_object(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{source}: its header is damaged ({reason_of(error)}); get the file again") from error
    version, found = header.get("format"), header.get("kind")
    if type(version) is int and version > FORMAT:
        newer = f"format {shortened(version)}, known is {FORMAT}"
        raise CheckpointError(f"{source}: made by a newer innersr ({newer}); update innersr")
    if type(version) is not int or version < 1 or found not in KINDS:
        what = f"format {shortened(version)}, kind {shortened(found)}"
        raise CheckpointError(f"{source}: its header is damaged ({what}); get the file again")
    if (kind, found) == ("prior", "training"):
        raise CheckpointError(f"{source}: this is the state of a training; give the file without .state")
    if (kind, found) == ("training", "prior"):
        raise CheckpointError(f"{source}: this is the result of a training, not its state; give the file with .state")
    if kind not in (None, found):
        raise CheckpointError(f"{source}: is a checkpoint of kind {found}, not {kind}; give one of that kind")
    return header


def _unreadable(path: Path, error: OSError | ValueError) -> CheckpointError:
    return CheckpointError(f"{path}: cannot be read ({reason_of(error)}); check the name and the disk")
