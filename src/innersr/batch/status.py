"""The rows of a batch as a file that other programs read."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from innersr.atomic import whole_file
from innersr.batch.remote import is_remote, upload
from innersr.errors import InputError, how_to_install
from innersr.images.io import check_place
from innersr.json_lines import line_of


@dataclass(frozen=True, kw_only=True)
class StatusRow:
    """The outcome of one file."""

    input: str
    output: str | None
    status: str
    """done, skipped, failed, or planned."""
    seconds: float = 0.0
    error: str | None = None
    remedy: str | None = None


def check_status(path: Path) -> None:
    """Raise InputError or ImageFileError if no file of this name can be written, which is known before the work."""
    if path.suffix not in (".jsonl", ".parquet"):
        raise InputError(f"{path}: --status writes .jsonl or .parquet; choose one of them")
    if path.suffix == ".parquet":
        _parquet()
    if not is_remote(path):
        check_place(path, overwrite=True)


def save_status(path: Path, rows: Sequence[StatusRow]) -> None:
    """Write rows as lines of JSON or, by the suffix, as Parquet; an older file is replaced.

    Raises:
        InputError: a Parquet file, but pyarrow is not installed.
        OSError: the file cannot be written.
    """
    with _written(path) as partial:
        if path.suffix == ".jsonl":
            partial.write_text("".join(line_of(asdict(row)) for row in rows), encoding="utf-8")
            return
        arrow, parquet = _parquet()
        names = StatusRow.__dataclass_fields__
        columns = {name: [_in_arrow(getattr(row, name)) for row in rows] for name in names}
        types = {name: arrow.float64() if name == "seconds" else arrow.string() for name in names}
        schema = arrow.schema(list(types.items()))
        parquet.write_table(arrow.table(columns, schema=schema), partial)


def _in_arrow(value: object) -> object:
    """A value for a column, which holds text; bytes of a file's name that are no characters are written as \\udcff."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


@contextlib.contextmanager
def _written(path: Path) -> Iterator[Path]:
    """A file that appears whole at a path or an address."""
    if not is_remote(path):
        with whole_file(path, overwrite=True) as partial:
            yield partial
        return
    with tempfile.TemporaryDirectory(prefix="innersr-") as folder:
        yield Path(folder, path.name)
        upload(Path(folder, path.name), path)


def _parquet() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        remedy = f"{how_to_install('parquet')}, or write a .jsonl file"
        raise InputError(f"--status as Parquet needs pyarrow; {remedy}") from None
    return pyarrow, pyarrow.parquet
