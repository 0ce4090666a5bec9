"""The log of a SinGAN training: one JSON object a line, each with its scale and iteration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from innersr.errors import CheckpointError
from innersr.json_lines import append_record, line_of
from innersr.networks.checkpoints import read_whole, write_whole


def add_line(path: Path, record: dict[str, Any]) -> None:
    """Add a line, or raise CheckpointError."""
    try:
        append_record(path, record)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written ({error.strerror}); check the free space") from error


def cut_lines(path: Path, scale: int, iteration: int) -> None:
    """Drop the lines after an iteration of a scale: that training was lost and is repeated."""
    kept = [line for line in read_lines(path) if (line["scale"], line["iteration"]) <= (scale, iteration)]
    write_whole(path, "".join(map(line_of, kept)).encode())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a log, {"scale", "iteration", "critic", "reconstruction", "seconds"} each; none without a file.

    Damaged lines are left out, where `json_lines.read_records` raises: a training must resume whatever its log holds.

    Raises:
        CheckpointError: the log cannot be read.
    """
    if not path.exists():
        return []
    lines = []
    for text in read_whole(path).decode(errors="replace").splitlines():
        try:
            line = json.loads(text)
            if type(line["scale"]) is int and type(line["iteration"]) is int:
                lines.append(line)
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    return lines
