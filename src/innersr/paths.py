"""Where results go: folders that are made, and files that are none of those that they read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from innersr.errors import InputError


def names_folder(output: str) -> bool:
    """Whether results go into a folder: it is there, or its name ends in a slash."""
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def make_folder(path: Path) -> None:
    """Make a folder, and those that it lies in, unless it is there.

    Raises:
        InputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be a folder ({error.strerror}); check the path") from error


def file_identity(path: Path) -> tuple[int, int] | Path:
    """What is equal for all paths that lead to one file: by links, or names that the file system takes for one.

    Of the address of a file elsewhere, which is no `Path`, it is the address.
    """
    if not isinstance(path, Path):
        return path
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return path.resolve()  # it is still to be made


def is_one_file(first: Path, second: Path) -> bool:
    """Whether two paths lead to one file."""
    return file_identity(first) == file_identity(second)


def check_apart(target: Path, others: Iterable[Path]) -> None:
    """Raise InputError if a file to write is one of the others."""
    if any(is_one_file(target, other) for other in others):
        raise InputError(f"{target}: is another file of this command; give each result a name of its own")
