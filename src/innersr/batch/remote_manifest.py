"""The manifest of a folder of results at an address: an object for each result, for storage appends to none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import msgspec

from innersr.batch.manifest import Entry, ResultLog
from innersr.batch.remote import files_below, reached
from innersr.json_lines import bytes_of, line_of, parse_object


class RemoteManifest(ResultLog):
    """The entries for a folder of results at an address, each read when it is asked for.

    Args:
        folder: of the results.
        note: called with a sentence where an entry is damaged, which does not count then.
    """

    def __init__(self, folder: Path, note: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(folder)
        self._note = note
        self._entries: dict[str, Entry | None] = {}

    def entry(self, output: Path) -> Entry | None:
        """The entry of a result in the folder."""
        name = self._name(output)
        if name not in self._entries:
            path = self._object(name)
            self._entries[name] = self._read(path) if path.name in self._objects else None
        return self._entries[name]

    @cached_property
    def _objects(self) -> set[str]:
        """The names of the objects: one list is faster than a question for each result."""
        with reached(self.folder):
            return {path.name for path in files_below(self.folder / ".innersr", recursive=False)}

    def _read(self, path: Path) -> Entry | None:
        with reached(path):
            try:
                return msgspec.convert(parse_object(bytes_of(path)), Entry)
            except FileNotFoundError:
                return None
            except (ValueError, RecursionError):
                self._note(f"{path}: is damaged, and does not count; its result is taken for another file")
                return None

    def _save(self, entry: Entry) -> None:
        path = self._object(entry.output)
        with reached(path):
            path.write_bytes(line_of(asdict(entry)).encode())
        self._entries[entry.output] = entry

    def lock(self) -> None:
        """Do nothing: objects appear whole, and runs that meet write the same bytes."""

    def close(self) -> None:
        """Do nothing: there is no lock."""

    def _object(self, name: str) -> Path:
        key = hashlib.sha256(name.encode()).hexdigest()[:32]
        return self.folder / ".innersr" / f"{key}.json"

    def _name(self, output: Path) -> str:
        return output.relative_to(self.folder).as_posix()
