"""The log of a SinGAN training: one JSON object a line, each with its scale and iteration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypedDict

from msgspec import Meta

from innersr.errors import CheckpointError
from innersr.json_lines import append_record, line_of, recover_records, sound_records
from innersr.networks.checkpoints import write_whole

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(ge=0, le=1e30)]  # so far below the largest float that curves of them can be drawn


class Line(TypedDict):
    """A line of the log: mean losses since the last one, and seconds since the training began."""

    scale: Count
    iteration: Count
    critic: Annotated[float, Meta(ge=-1e30, le=1e30)]
    reconstruction: Positive
    seconds: Positive


def add_line(path: Path, record: dict[str, Any]) -> None:
    """Add a line, or raise CheckpointError."""
    try:
        append_record(path, record)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written ({error.strerror}); check the free space") from error


def cut_lines(path: Path, scale: int, iteration: int, note: Callable[[str], None]) -> None:
    """Drop the lines after an iteration of a scale: that training was lost and is repeated.

    `note` is called where lines are damaged, see `recover_records`.

    Raises:
        CheckpointError: the log cannot be read, renamed or written.
    """
    try:
        lines = recover_records(path, Line, note)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); move it away") from error
    kept = [line for line in lines if (line["scale"], line["iteration"]) <= (scale, iteration)]
    write_whole(path, "".join(map(line_of, kept)).encode())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a log, see `Line`, without damaged ones; none without a file.

    Raises:
        CheckpointError: the log cannot be read.
    """
    try:
        return sound_records(path, Line)[0]
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); move it away") from error
