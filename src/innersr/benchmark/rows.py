"""Rows of a benchmark: their file, and what identifies them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from innersr.benchmark.inputs import TRUE
from innersr.errors import FileError, InputError
from innersr.json_lines import read_records
from innersr.physics.geometry import scale_text
from innersr.physics.resize import Scale

KEY = ("folder", "image", "method", "settings", "degradation", "scale", "seed", "device", "precision")
ADDED_KEY = {
    "time_limit": None,
    "given": TRUE,
    "crop": None,
}  # columns that rows of older files lack, with their values there
Row = dict[str, Any]


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a file, none if there is no file; a last line cut short by a crash does not count.

    Raises:
        InputError: a line that is not a row.
    """
    if not path.exists():
        return []
    try:
        rows = read_records(path)
        for number, row in enumerate(rows, 1):
            if "told" in row:  # its name up to version 0.1
                row["given"] = row.pop("told")
            if isinstance(row.get("scale"), list):  # [vertical, horizontal] up to version 0.1
                row["scale"] = scale_text((row["scale"][0], row["scale"][-1]))
            if not set(KEY) <= set(row):
                raise ValueError(number)
        if path.read_bytes().split(b"\n")[-1][:2] not in (b"", b"{", b'{"'):
            raise ValueError(len(rows) + 1)
    except ValueError as error:
        raise InputError(f"{path}: line {error.args[0]} is not a benchmark row; name another file") from None
    return rows


def given_in(row: Mapping[str, Any]) -> str:
    """The degradation that the method of a row was given: "true", "auto" or a kernel."""
    return row.get("given", ADDED_KEY["given"])


def scale_name(scale: Scale | str) -> str:
    """A scale, of a case or of a row, which has "3x2" for a pair, as x2, x1.5 or x3x2 (width x height)."""
    return f"x{scale if isinstance(scale, str) else scale_text(scale)}"


def decibels(figure: float | None) -> float:
    """A figure of a row in dB, infinity where the row holds None."""
    return math.inf if figure is None else figure


def finite(figure: float) -> float | None:
    """A figure for a row: JSON has no infinity."""
    return figure if math.isfinite(figure) else None


def check_appendable(path: Path) -> None:
    """Raise InputError for a path where no rows can be written."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file for the rows")
    if not path.parent.is_dir():
        raise FileError(f"{path}: the folder {path.parent} does not exist; create it first")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"{path}: no permission to write it; name another file")


def identity(row: Mapping[str, Any]) -> str:
    """The columns that identify a row, as one text."""
    added = (row.get(key, value) for key, value in ADDED_KEY.items())
    return json.dumps([*(row[key] for key in KEY), *added], sort_keys=True)
