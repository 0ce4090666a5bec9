"""MATLAB files: what `save -v6`, `-v7` and, by h5py, `-v7.3` write. Knows nothing about what a kernel is.

scipy.io is no substitute: it segfaults on a small hostile file, and expands compressed variables without a limit.
"""

from __future__ import annotations

import importlib
import io
import math
import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from innersr.errors import KernelError


class ElementType(IntEnum):
    """Types of elements that hold others."""

    MATRIX = 14
    COMPRESSED = 15


def read_matrices(data: bytes, room: int) -> list[tuple[str, list[NDArray[Any]]]]:
    """Name and matrices of each variable, (rows, columns, count), cell arrays flattened; none of text or structs.

    Together the compressed variables may have `room` bytes once expanded.

    Raises:
        KernelError: another version, or complex numbers.
        ValueError, struct.error, zlib.error: a damaged file, too much of it, or too deeply nested cell arrays.
    """
    if data.startswith(b"MATLAB 7.3") or b"\x89HDF\r\n\x1a\n" in data[:520]:
        return _hdf_matrices(data, room)
    orders = {b"IM": "<", b"MI": ">"}
    if len(data) < 128 or data[126:128] not in orders:
        raise KernelError("is not a MATLAB version 5 file; in MATLAB, save it with -v6 or -v7")
    order = orders[data[126:128]]
    variables = []
    for kind, content in _elements(memoryview(data)[128:], order):
        if kind == ElementType.COMPRESSED:
            expanded = _expanded(content, room)
            room -= len(expanded)
            [(kind, content)] = _elements(expanded, order)
        if kind == ElementType.MATRIX:
            variables.append(_matrix(content, order, nesting=0))
    return variables


def _hdf_matrices(data: bytes, room: int) -> list[tuple[str, list[NDArray[Any]]]]:
    """The same of a file of version 7.3, which is an HDF5 file with its axes in reverse order."""
    try:
        h5py: Any = importlib.import_module("h5py")
    except ImportError as error:
        remedy = "pip install h5py, or save it in MATLAB with -v6 or -v7"
        raise KernelError(f"is a MATLAB 7.3 file, which needs h5py; {remedy}") from error

    def matrices(dataset: Any, nesting: int) -> list[NDArray[Any]]:  # noqa: ANN401 (of h5py)
        nonlocal room
        kind = dataset.attrs.get("MATLAB_class", b"")
        room -= dataset.size * dataset.dtype.itemsize
        if room < 0 or nesting > 8:
            raise ValueError("holds too much")
        if kind == b"cell":
            cells = [file[reference] for reference in dataset[()].T.flat if reference]
            return [
                matrix for cell in cells if isinstance(cell, h5py.Dataset) for matrix in matrices(cell, nesting + 1)
            ]
        if kind == b"char" or "MATLAB_empty" in dataset.attrs or dataset.dtype.kind not in "buif" or dataset.ndim < 2:
            return []
        values = dataset[()].T
        return [values.reshape((*values.shape[:2], -1), order="F")]

    try:
        with h5py.File(io.BytesIO(data)) as file:
            found = [(name, entry) for name, entry in file.items() if isinstance(entry, h5py.Dataset)]
            return [(name, matrices(entry, 0)) for name, entry in found]
    except Exception as error:  # there is no closed list
        raise ValueError(f"HDF5: {error}") from error


def matrix_file(name: str, weights: NDArray[Any]) -> bytes:
    """Bytes of a file that holds one matrix of doubles."""

    def element(kind: int, content: bytes) -> bytes:
        return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)

    header = b"MATLAB 5.0 MAT-file, written by innersr".ljust(116) + bytes(8) + b"\x00\x01IM"
    parts = [
        element(6, struct.pack("<II", 6, 0)),  # class: double
        element(5, struct.pack("<ii", *weights.shape)),
        element(1, name.encode()),
        element(9, weights.astype("<f8").tobytes(order="F")),
    ]
    return header + element(ElementType.MATRIX, b"".join(parts))


def _expanded(content: memoryview, room: int) -> memoryview:
    expander = zlib.decompressobj()
    expanded = expander.decompress(content, max(room, 1))  # 0 would mean without limit
    if not expander.eof:
        raise ValueError("a compressed variable is cut short or too large")
    return memoryview(expanded)


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield the type and the data of each element."""
    position = 0
    while position < len(data):
        kind, size = struct.unpack_from(order + "II", data, position)
        start = position + 8
        if kind >> 16:  # a small element: both numbers in four bytes, the data in the other four
            kind, size, start = kind & 0xFFFF, kind >> 16, position + 4
        if start + size > len(data) or (start == position + 4 and size > 4):
            raise ValueError("an element is cut short")
        yield kind, data[start : start + size]
        position = start + size + (0 if kind == ElementType.COMPRESSED else -(start + size) % 8)


def _matrix(data: memoryview, order: str, nesting: int) -> tuple[str, list[NDArray[Any]]]:
    if nesting > 8:
        raise ValueError("cell arrays are nested more than 8 deep")
    (_, flag_bytes), (_, side_bytes), (_, name_bytes), *parts = _elements(data, order)
    (flags,) = struct.unpack_from(order + "I", flag_bytes)
    sides = np.frombuffer(side_bytes, order + "i4").tolist()
    name = bytes(name_bytes).decode("latin-1")
    class_number = flags & 0xFF
    if class_number == 1:  # a cell array
        cells = [_matrix(part, order, nesting + 1)[1] for kind, part in parts if kind == ElementType.MATRIX and part]
        return name, [stack for cell in cells for stack in cell]
    if not 6 <= class_number <= 15:  # double to uint64
        return name, []
    if flags & 0x800:
        raise KernelError(f"variable '{name}' is complex; save its real part")
    (kind, content), *_ = parts
    types = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
    if kind not in types or len(sides) < 2 or min(sides) < 0:
        raise ValueError(f"variable '{name}' is damaged")
    values = np.frombuffer(content, order + types[kind])
    return name, [values.reshape((sides[0], sides[1], math.prod(sides[2:])), order="F")]
