"""Files at addresses of cloud storage, such as s3://bucket/photo.png, which fsspec reaches.

An address is a `UPath`, which has what is needed of a `Path`, and is typed as one.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from innersr.errors import ImageFileError, InnersrError, InputError, how_to_install
from innersr.paths import names_folder, sha256_of


def is_address(text: str) -> bool:
    """Whether a text is the address of a file or folder that is not on this machine."""
    return re.match(r"[a-z][a-z0-9+.-]+://", text) is not None and not text.startswith("file://")


def is_remote(path: Path) -> bool:
    """Whether a path is an address."""
    return not isinstance(path, Path)


def place_of(given: str | Path) -> Path:
    """A path, or what an address stands for.

    Raises:
        InputError: fsspec, or what it needs for such an address, is not installed.
    """
    text = str(given)
    if not is_address(text):
        return Path(text)
    try:
        from upath import UPath

        place = UPath(text)
        _ = place.fs
    except ImportError as error:
        remedy = f"{how_to_install('cloud')} for s3://, and for others what fsspec names"
        raise InputError(f"{text}: such an address needs more packages ({error}); {remedy}") from error
    except Exception as error:  # noqa: BLE001 (each file system raises its own)
        raise InputError(f"{text}: is not an address that fsspec knows ({error}); check it") from error
    return cast(Path, place)


def output_folder(output: str | None) -> Path | None:
    """The folder of the results, if what was given is one: it is there, or its name ends in a slash."""
    if output is None or not is_address(output):
        return Path(output) if output is not None and names_folder(output) else None
    place = place_of(output)
    with reached(place):
        return place_of(output.rstrip("/")) if output.endswith("/") or place.is_dir() else None


@contextlib.contextmanager
def reached(path: Path) -> Iterator[None]:
    """Report errors of an address in one line.

    Raises:
        ImageFileError: an address cannot be reached, read or written.
    """
    try:
        yield
    except InnersrError:
        raise
    except Exception as error:
        if not is_remote(path):
            raise
        what = " ".join(str(error).split()) or type(error).__name__
        remedy = "check the address, the connection and the credentials"
        raise ImageFileError(f"{path}: cannot be reached ({what}); {remedy}") from error


def files_below(folder: Path, *, recursive: bool) -> list[Path]:
    """The files in a folder at an address, sorted, hidden ones left out."""
    system, top = _system_of(folder)
    names = sorted(system.find(top) if recursive else system.find(top, maxdepth=1))
    below = [name[len(top) :].strip("/") for name in names]
    return [folder / each for each in below if each and not any(part.startswith(".") for part in each.split("/"))]


def matches(pattern: Path) -> list[Path]:
    """The files at addresses that match a pattern, sorted."""
    parts = str(pattern).split("/")
    first = next(number for number, part in enumerate(parts) if re.search(r"[*?\[]", part))
    top = place_of("/".join(parts[:first]))
    return sorted(top.glob("/".join(parts[first:])), key=str)


def version_of(path: Path) -> str:
    """The version of the bytes at an address: the mark that the storage gives them, or else their SHA-256."""
    system, name = _system_of(path)
    info = system.info(name)
    mark = info.get("ETag") or info.get("etag")
    return f"etag {mark}" if mark else sha256_of(path)


def download(path: Path, target: Path) -> None:
    """Copy the file at an address to a path."""
    with reached(path):
        system, name = _system_of(path)
        system.get_file(name, str(target))


def upload(source: Path, path: Path) -> None:
    """Copy a file to an address, where it appears whole."""
    with reached(path):
        system, name = _system_of(path)
        system.put_file(str(source), name)


def _system_of(path: Path) -> tuple[Any, str]:
    """The file system of an address, which looks anew, and the name in it."""
    place = cast(Any, path)
    place.fs.invalidate_cache()
    return place.fs, place.path.rstrip("/")
