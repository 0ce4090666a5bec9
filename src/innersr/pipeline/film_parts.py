"""Finished parts of a film, kept beside the result until it is complete, so that a killed run can be resumed."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from torch import Tensor

from innersr.atomic import exclusive
from innersr.errors import ImageFileError
from innersr.images.io import written_whole
from innersr.json_lines import bytes_of, parse_object
from innersr.paths import sha256_of


class _Record(msgspec.Struct):
    """The record of a finished part."""

    digest: str
    """SHA-256 of the part's bytes."""
    consistency: list[Annotated[float, msgspec.Meta(ge=-1000, le=200)]] = msgspec.field(default_factory=list)
    """Of each frame, in dB."""
    notes: list[str] = msgspec.field(default_factory=list)


class FilmParts:
    """A hidden folder beside the result. A part is complete when its record is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records: dict[int, dict[str, Any]] = {}  # of the parts that are known to be complete

    @classmethod
    @contextlib.contextmanager
    def opened(cls, target: Path, plan: str) -> Iterator[FilmParts]:
        """Hold the folder for a target; parts that were made by another plan are removed, and all at the end.

        Where the block ends with an exception, they stay for the next run.

        Raises:
            ImageFileError: another process writes the same film, or the folder cannot be made.
        """
        folder = target.with_name(f".{target.name}.innersr-parts")
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise ImageFileError(f"{folder}: cannot be made ({error.strerror}); write into another folder") from error
        with exclusive(folder / "lock") as is_held:
            if not is_held:
                raise ImageFileError(f"{target}: another run is writing it; wait for it, or choose another name")
            parts = cls(folder)
            parts.keep_only(plan)
            yield parts
            shutil.rmtree(folder, ignore_errors=True)

    def keep_only(self, plan: str) -> None:
        """Remove all parts that were not made by this plan."""
        path = self._folder / "plan"
        with contextlib.suppress(FileNotFoundError, ValueError):
            if bytes_of(path) == plan.encode():
                return
        for each in self._folder.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            elif each.name != "lock":
                each.unlink()
        with written_whole(path, overwrite=True) as partial:
            partial.write_text(plan, encoding="utf-8")

    def path(self, number: int) -> Path:
        """The file of a part."""
        return self._folder / f"{number:06}.part"

    def record(self, number: int) -> dict[str, Any] | None:
        """What was noted about a part that is complete; None for others, and where it or its record is damaged."""
        with contextlib.suppress(OSError, ValueError, RecursionError):
            if number not in self._records:
                record = parse_object(bytes_of(self._folder / f"{number:06}.json"))
                if msgspec.convert(record, _Record).digest == sha256_of(self.path(number)):
                    self._records[number] = record
        return self._records.get(number)

    @contextlib.contextmanager
    def written(self, number: int, record: dict[str, Any]) -> Iterator[Path]:
        """Give a file to write a part to; it counts, with its record, when the block ends without an exception."""
        with written_whole(self.path(number), overwrite=True) as partial:
            yield partial
        self._records[number] = record | {"digest": sha256_of(self.path(number))}
        with written_whole(self._folder / f"{number:06}.json", overwrite=True) as partial:
            partial.write_text(json.dumps(self._records[number]), encoding="utf-8")


def digest_of_values(*values: Any) -> str:  # noqa: ANN401 (of any type)
    """SHA-256 of values, tensors and files with all that they hold."""
    found = hashlib.sha256()
    for value in values:
        _add(found, value)
    return found.hexdigest()


def _add(found: Any, value: Any) -> None:  # noqa: ANN401
    found.update(type(value).__name__.encode())
    if isinstance(value, Tensor):
        found.update(str(tuple(value.shape)).encode() + value.detach().cpu().contiguous().numpy().tobytes())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            _add(found, field.name)
            _add(found, getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key in sorted(value):
            _add(found, key)
            _add(found, value[key])
    elif isinstance(value, tuple | list):
        for each in value:
            _add(found, each)
    elif isinstance(value, Path) and value.is_file():
        found.update(sha256_of(value).encode())
    else:
        found.update(repr(value).encode())
