"""Paths and contents of files: folders are created, and no result replaces another file of the same command."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from innersr.errors import FileError, InputError


def names_folder(output: str) -> bool:
    """Whether an output is a folder: it exists as one, or its name ends in a slash."""
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def make_folder(path: Path) -> None:
    """Create a folder and its parents, unless they exist.

    Raises:
        FileError: it cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{path}: cannot be created as a folder ({error.strerror}); check the path") from error


def file_identity(path: Path) -> tuple[int, int] | Path:
    """An identity that all paths to one file share, through links and names that the file system takes for one.

    The identity of a file in cloud storage, which is not a `Path`, is its address.
    """
    if not isinstance(path, Path):
        return path
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return path.resolve()  # it does not exist yet


def numbered(path: Path) -> Iterator[Path]:
    """Yield photo.png, photo-2.png, photo-3.png and so on, without end."""
    yield path
    for number in itertools.count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; OSError if it cannot be read."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_one_file(first: Path, second: Path) -> bool:
    """Whether two paths lead to one file."""
    return file_identity(first) == file_identity(second)


def check_apart(target: Path, others: Iterable[Path]) -> None:
    """Raise InputError if a file to write is one of the others."""
    if any(is_one_file(target, other) for other in others):
        raise InputError(f"{target}: is another file of this command; give each result a name of its own")
