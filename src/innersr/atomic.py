"""Files that appear under their name whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

PARTIAL_NAME = re.compile(r"\.innersr-\d+-[0-9a-f]{16}\.part")
_partial_files: set[Path] = set()  # of this process; mirrors what lies in the file system


@contextlib.contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Create a partial file beside `path`, which is renamed to it when the block ends without an exception.

    The partial file has an unpredictable name, is on the disk before it is renamed, and is removed when anything
    goes wrong. Threads and processes that write the same path do not disturb each other: the last one wins.
    Partial files of processes that were killed are removed from the folder first.

    Raises:
        FileExistsError: there is a file or a link of that name, perhaps since the block began, and no `overwrite`.
        OSError: the partial file cannot be made, written or renamed; it names `path`.
    """
    _remove_leftovers(path.parent)
    partial = path.with_name(f".innersr-{os.getpid()}-{os.urandom(8).hex()}.part")
    _partial_files.add(partial)
    try:
        with _created(partial) as stream:
            yield partial
            os.fsync(stream.fileno())
            if sys.platform == "win32":
                stream.close()  # which renames no open file
            if overwrite:
                partial.replace(path)
            else:
                _rename_to_free_name(partial, path)
    except OSError as error:
        is_full = error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        if not is_full and str(error.filename) != str(partial):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error  # nobody has heard of the partial file
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
        _partial_files.discard(partial)


def check_can_grow(partial: Path) -> None:
    """Raise OSError if a partial file cannot grow, as on a full disk."""
    with partial.open("ab", buffering=0) as stream:
        stream.write(bytes(4096))


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[bool]:
    """Hold the lock of a file, which is created; yield False at once if another process holds it."""
    with path.open("ab") as stream:
        try:
            _lock(stream, wait=False)
        except BlockingIOError:
            yield False
            return
        except OSError:  # a file system without locks
            pass
        yield True


def remove_partial_files() -> None:
    """Remove all partial files of this process, for a signal handler that ends it during its work."""
    for partial in tuple(_partial_files):
        with contextlib.suppress(OSError):
            partial.unlink()


def _created(partial: Path) -> BinaryIO:
    """Create and lock a partial file. The lock ends with this process, however that ends."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    while True:
        stream = os.fdopen(os.open(partial, flags, 0o666), "wb")
        with contextlib.suppress(OSError):  # a file system without locks, whose leftovers stay
            _lock(stream, wait=True)
        if partial.exists():
            return stream
        stream.close()  # another process found it not yet locked and took it for a leftover


def _rename_to_free_name(partial: Path, path: Path) -> None:
    try:
        os.link(partial, path, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        partial.replace(path)


def _remove_leftovers(folder: Path) -> None:
    """Remove the partial files that no process holds a lock on."""
    with contextlib.suppress(OSError):  # creating a file in the folder reports its problems better
        for entry in os.scandir(folder):
            if PARTIAL_NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError), Path(entry).open("r+b") as stream:
                    _lock(stream, wait=False)
                    Path(entry).unlink()


def _lock(stream: BinaryIO, *, wait: bool) -> None:
    if sys.platform != "win32":
        fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
