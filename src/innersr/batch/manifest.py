"""The manifest of a batch: a log beside the results, from which the next run knows what is done.

It lies in the folder .innersr of the folder of the results: a line of JSON before a result is written, and one after it
or its failure. An incomplete last line does not count; a log with damaged lines is moved aside, and its sound lines are
used. Each shard has a log of its own; all are read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

import msgspec

from innersr.atomic import whole_file
from innersr.batch.remote import is_remote, version_of
from innersr.errors import InputError
from innersr.json_lines import append_record, line_of, recover_records, sound_records
from innersr.paths import sha256_of
from innersr.physics.kernel_files import kernel_file

if sys.platform != "win32":
    import fcntl


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The outcome of one file."""

    output: str
    """Of the result, relative to the folder of the results."""
    source: str
    """As it was given."""
    digest: str
    """SHA-256 of the input's bytes; empty if it could not be read."""
    size: int = 0
    """Bytes of the input."""
    modified: float = 0.0
    """When the input was changed, seconds since 1970."""
    settings: str
    """Of the options, see `settings_digest`."""
    status: str
    """started, done or failed."""
    is_ours: bool = False
    """Of started and failed: whether what lies there, if anything, is a run's own and may be replaced."""
    is_in_place: bool = False
    """Whether the result takes the place of its input."""
    result_size: int = 0
    """Bytes of the result."""
    result_digest: str = ""
    """SHA-256 of the result's bytes, as it was written."""
    result_modified: float = 0.0
    """When the result was written, seconds since 1970."""
    seconds: float = 0.0
    error: str | None = None
    """Of the last run that failed; of done, one that left the result as it is."""
    remedy: str | None = None

    @property
    def has_failed(self) -> bool:
        """Whether the last run that met the file did not end it, or left it."""
        return self.status != "done" or self.error is not None

    @property
    def input(self) -> InputDigest:
        """The digest of the input as it was then."""
        return InputDigest(value=self.digest, size=self.size, modified=self.modified)

    def describes(self, output: Path) -> bool:
        """Whether a file has the size and the time of the result that was written."""
        with contextlib.suppress(OSError):
            status = output.stat()
            found = (status.st_size, status.st_mtime)
            return bool(self.result_digest) and found == (self.result_size, self.result_modified)
        return False


@dataclass(frozen=True, kw_only=True)
class InputDigest:
    """Hash, size and time of an input, by which a change is noticed."""

    value: str = ""
    """SHA-256 of its bytes; empty if it cannot be read."""
    size: int = 0
    modified: float = 0.0

    @classmethod
    def of(cls, path: Path) -> InputDigest:
        """The digest of a file."""
        try:
            if path.is_file():  # reading a pipe would never end
                status = path.stat()
                return cls(value=digest_of(path), size=status.st_size, modified=status.st_mtime)
        except OSError:
            pass
        return cls()

    def again(self, path: Path) -> InputDigest:
        """The digest of the same file now; it is read only if its size or time is another."""
        with contextlib.suppress(OSError):
            status = path.stat()
            if not is_remote(path) and (status.st_size, status.st_mtime) == (self.size, self.modified):
                return self
        return self.of(path)


class ResultLog(ABC):
    """The entries for a folder of results.

    Args:
        folder: of the results.
        trusts_times: whether a result of the size and time that were noted counts as unchanged without being read.
    """

    def __init__(self, folder: Path, *, trusts_times: bool = False) -> None:
        self.folder, self._trusts_times = folder, trusts_times

    @abstractmethod
    def entry(self, output: Path) -> Entry | None:
        """The last entry of a result in the folder."""

    @abstractmethod
    def lock(self) -> None:
        """Keep the folder for this run, or raise InputError."""

    @abstractmethod
    def close(self) -> None:
        """Let other runs use the folder."""

    @abstractmethod
    def _save(self, entry: Entry) -> None: ...

    @abstractmethod
    def _name(self, output: Path) -> str: ...

    def add(self, output: Path, **fields: Any) -> None:  # noqa: ANN401 (of an entry)
        """Record the outcome of a result; the entry is on the disk before anything else is done.

        Raises:
            InputError: another run writes into the folder.
            OSError: it cannot be kept.
        """
        self._save(Entry(output=self._name(output), **fields))

    def amend(self, entry: Entry, **fields: Any) -> None:  # noqa: ANN401 (of an entry)
        """Record an entry of this folder once more, with other fields; see `add`."""
        self._save(replace(entry, **fields))

    def is_done(self, output: Path, digest: str, settings: str) -> bool:
        """Whether a result of the same input bytes and settings is there, whole and unchanged."""
        entry = self.entry(output)
        same = entry is not None and (entry.status, entry.digest, entry.settings) == ("done", digest, settings)
        return same and self.is_unchanged(output)

    def may_replace(self, output: Path) -> bool:
        """Whether the file is an unchanged result, or one of a run that was ended before it could record it."""
        entry = self.entry(output)
        return self.is_unchanged(output) or (entry is not None and entry.status != "done" and entry.is_ours)

    def is_unchanged(self, output: Path) -> bool:
        """Whether the file that a run has written exists, and nobody has changed it."""
        entry = self.entry(output)
        try:
            if entry is None or not entry.result_digest or output.stat().st_size != entry.result_size:
                return False
            if self._trusts_times and output.stat().st_mtime == entry.result_modified:
                return True
            return digest_of(output) == entry.result_digest
        except OSError:
            return False


class Manifest(ResultLog):
    """The entries for a folder of results, and the log to which a run adds its own.

    Args:
        folder: of the results.
        shard: (number, of how many) of this run, from 1.
        note: called with a sentence where the log is damaged.
        trusts_times: whether a result of the size and time that were noted counts as unchanged without being read.

    Raises:
        InputError: a log cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        shard: tuple[int, int] = (1, 1),
        note: Callable[[str], None] = lambda _: None,
        *,
        trusts_times: bool = False,
    ) -> None:
        number, count = shard
        super().__init__(folder, trusts_times=trusts_times)
        self._is_shard, self._note = count > 1, note
        name = f"manifest-{number}-of-{count}.jsonl" if self._is_shard else "manifest.jsonl"
        self.path = folder / ".innersr" / name
        self._locks: list[IO[bytes]] = []
        self._entries: dict[str, dict[Path, Entry]] = {}  # by result and by log
        self._read()

    def _read(self) -> None:
        logs = (path for path in self.path.parent.glob("manifest*.jsonl") if ".damaged" not in path.name)
        for path in sorted(logs, key=lambda p: p == self.path):  # own last
            try:
                records = sound_records(path, Entry)[0]
            except OSError as error:
                remedy = "move it away; existing results are then taken for other files"
                raise InputError(f"{path}: the manifest cannot be read ({error.strerror}); {remedy}") from error
            for entry in (msgspec.convert(record, Entry) for record in records):
                self._entries.setdefault(entry.output, {})[path] = entry

    def entry(self, output: Path) -> Entry | None:
        """The last entry of a result in the folder; of several logs, that of the log whose result is there."""
        entries = [*self._entries.get(self._name(output), {}).values()][::-1]  # own first
        there = [entry for entry in entries if len(entries) > 1 and entry.describes(output)]
        return next(iter([*there, *entries]), None)

    def _save(self, entry: Entry) -> None:
        """Append an entry, and have it on the disk before anything else is done.

        Raises:
            InputError: another run writes into the folder.
            OSError: the log cannot be written.
        """
        self.lock()
        append_record(self.path, asdict(entry))
        with self.path.open("rb") as stream:
            os.fsync(stream.fileno())
        self._entries[entry.output] = {self.path: entry}

    def lock(self) -> None:
        """Keep the folder for this run, until the process ends however that happens.

        Raises:
            InputError: another run writes into the folder.
            OSError: the folder cannot be written.
        """
        if self._locks:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = self.path.with_name("manifest.lock")
        self._take(whole, is_shared=self._is_shard)
        if self._is_shard:
            self._take(self.path.with_suffix(".lock"), is_shared=False)
        self._recover()
        self._read()  # a run that ended meanwhile has added to it

    def _recover(self) -> None:
        """Move the log aside if it is damaged, and continue with its sound lines."""
        damage: list[str] = []
        records = recover_records(self.path, Entry, damage.append)
        if damage:
            with whole_file(self.path, overwrite=True) as partial:
                partial.write_text("".join(map(line_of, records)), encoding="utf-8")
            self._note(damage[0])

    def _take(self, path: Path, *, is_shared: bool) -> None:
        stream = path.open("ab")
        if sys.platform != "win32":
            try:
                fcntl.flock(stream, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                stream.close()
                self.close()
                wait = "wait until it ends, or give each run its own part with --shard"
                raise InputError(f"{self.folder}: another run of innersr writes into this folder; {wait}") from None
            except OSError:
                pass  # a file system without locks
        self._locks.append(stream)

    def close(self) -> None:
        """Let other runs use the folder."""
        while self._locks:
            self._locks.pop().close()

    def _name(self, output: Path) -> str:
        return Path(os.path.relpath(output, self.folder)).as_posix()


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes, or the mark that storage gave to those at an address.

    Raises:
        OSError: it cannot be read.
    """
    if is_remote(path):
        return version_of(path)
    return sha256_of(path)


def settings_digest(settings: Mapping[str, object], results: int = 4) -> str:
    """A short digest of settings, files among them by their bytes.

    Args:
        settings: all that the bytes of a result depend on.
        results: version of what this program makes of the same settings. Raise it in a change that gives other bytes;
            a new version of the program that gives the same ones makes no result anew.
    """
    parts = [f"results={results}"]
    for name, value in sorted(settings.items()):
        text = _content(value) or repr(value)
        if isinstance(value, Mapping):
            text += "".join(filter(None, map(_content, value.values())))
        parts.append(f"{name}={text}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _content(value: object) -> str | None:
    """A digest of the file that a setting names, also as FILE#N, for its Nth kernel; None for other settings."""
    with contextlib.suppress(OSError, ValueError):  # no name of a file
        if isinstance(value, str | Path) and (file := kernel_file(value)).is_file():
            return digest_of(file) + ("" if file == Path(value) else str(value).rpartition("#")[2])
    return None
