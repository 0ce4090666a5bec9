"""Logs of one JSON object per line. A line that a crash cut short does not count."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def append_record(path: Path, record: dict[str, Any]) -> None:
    """Append a record as one line, after removing what a crash left of the last one.

    Raises:
        OSError: the file cannot be written.
        ValueError: the record holds NaN or an infinite number.
    """
    line = line_of(record).encode()
    with path.open("a+b") as file:
        end = file.seek(0, 2)
        while end and not _ends_line(file, end):
            end -= 1
        file.truncate(end)
        file.write(line)


def write_records(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write a new log of these records."""
    path.write_text("".join(map(line_of, records)), encoding="utf-8")


def read_records(path: Path) -> list[dict[str, Any]]:
    """The records of a log, none if there is no file.

    Raises:
        OSError: the file cannot be read.
        ValueError: a complete line is not a JSON object; `args[0]` is its number, from 1.
    """
    if not path.exists():
        return []
    records = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            raise ValueError(number)
        records.append(record)
    return records


def line_of(record: dict[str, Any]) -> str:
    """A record as a line of a log."""
    return json.dumps(record, allow_nan=False) + "\n"


def _ends_line(file: Any, end: int) -> bool:  # noqa: ANN401 (a binary file)
    file.seek(end - 1)
    return bool(file.read(1) == b"\n")
