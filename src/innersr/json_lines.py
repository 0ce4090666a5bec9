"""Logs of one JSON object per line. A line that a crash cut short does not count."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec


def append_record(path: Path, record: dict[str, Any]) -> None:
    """Append a record as one line, after removing an incomplete last line.

    Raises:
        OSError: the file, which it names, cannot be written.
        ValueError: the record holds NaN or an infinite number.
    """
    line = line_of(record).encode()
    try:
        with path.open("a+b") as file:
            end = file.seek(0, 2)
            while end and not _ends_line(file, end):
                end -= 1
            file.truncate(end)
            file.write(line)
    except OSError as error:  # a full disk names no file
        raise OSError(error.errno, error.strerror, str(path)) from error


def read_records(path: Path) -> list[dict[str, Any]]:
    """The records of a log, none if there is no file.

    Raises:
        OSError: the file cannot be read.
        ValueError: a complete line is not a JSON object; `args[0]` is its number, from 1.
    """
    records, damaged = sound_records(path)
    if damaged:
        raise ValueError(damaged[0])
    return records


def sound_records(path: Path, kind: Any = dict) -> tuple[list[dict[str, Any]], list[int]]:  # noqa: ANN401 (a type)
    """The records of a log that fit a TypedDict, and the numbers, from 1, of the lines that do not.

    A record may have other keys too. Without a file there are none.

    Raises:
        OSError: the file cannot be read.
    """
    records, damaged = [], []
    for number, line in enumerate(_lines(path) if path.exists() else [], 1):
        try:
            record = parse_object(line)
            msgspec.convert(record, kind)
            records.append(record)
        except (ValueError, RecursionError):
            damaged.append(number)
    return records, damaged


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the complete lines of a log; of one above 1 MiB, longer than any record, the start, and none after it."""
    longest = 1 << 20
    with path.open("rb") as stream:
        while (line := stream.readline(longest)).endswith(b"\n"):
            yield line
        if len(line) == longest:
            yield line


def recover_records(path: Path, kind: Any, note: Callable[[str], None]) -> list[dict[str, Any]]:  # noqa: ANN401
    """The sound records of a log, see `sound_records`.

    Where lines are damaged, the log NAME.jsonl is also named NAME.damaged.jsonl, or NAME.damaged-2.jsonl and so on
    where that is taken, and `note` is called with a sentence that says so. The log itself stays until the caller
    replaces it by a new file of the sound records, so that a crash in between loses none. A file system
    without links gets a copy.

    Raises:
        OSError: the log cannot be read or copied.
    """
    records, damaged = sound_records(path, kind)
    if damaged:
        names = (f"{path.stem}.damaged{f'-{number}' if number > 1 else ''}{path.suffix}" for number in count(1))
        kept = next(free for free in map(path.with_name, names) if not free.exists())
        with contextlib.suppress(OSError):
            kept.hardlink_to(path.resolve())  # at once, however long the log; its caller replaces it
        if not kept.exists():
            shutil.copyfile(path, kept)
        used = f"the log is kept as {kept.name}, its {len(records)} sound lines are used"
        note(f"{path}: line {damaged[0]} is damaged; {used}")
    return records


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Parse a JSON object from a file that may be hostile.

    Raises:
        ValueError: no object, NaN or infinity, or nested so deep that whoever walks through it could exhaust the stack.
        RecursionError: nested still deeper.
    """
    value = json.loads(text, parse_constant=_finite, parse_float=_finite)
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    level: list[object] = [value]
    deepest = 16  # objects and lists inside one another
    for _ in range(deepest):
        containers = [v.values() if isinstance(v, dict) else v for v in level if isinstance(v, (dict, list))]
        level = [value for container in containers for value in container]
    if level:
        raise ValueError(f"it is nested more than {deepest} deep")
    return value


def bytes_of(path: Path, most: int = 1 << 24) -> bytes:
    """The bytes of a file of one record, which is longer than `most` only if it is damaged.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is longer.
    """
    with path.open("rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most >> 20} MiB")
    return data


def line_of(record: dict[str, Any]) -> str:
    """A record as a line of a log."""
    return json.dumps(record, allow_nan=False) + "\n"


def _ends_line(file: Any, end: int) -> bool:  # noqa: ANN401 (a binary file)
    file.seek(end - 1)
    return bool(file.read(1) == b"\n")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a JSON number")
    return value
