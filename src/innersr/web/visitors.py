"""The files of each visitor: a folder with a name that nobody can guess, removed when the visitor leaves."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from innersr.errors import InputError


def bundled_examples() -> Path:
    """The folder of the pictures that come with the page."""
    return Path(__file__).resolve().with_name("examples")


@dataclass(eq=False)
class Visitor:
    """One visitor: a folder, the uploads that were used, and whether work is going on."""

    folder: Path
    uploads: set[Path] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)
    used: float = field(default_factory=time.monotonic)
    _working: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Context of one piece of work.

        Raises:
            InputError: another one of this visitor is not finished.
        """
        if not self._working.acquire(blocking=False):
            raise InputError("your last order is still being worked on; wait for it, or press Stop")
        self.stop.clear()
        try:
            yield
        finally:
            self._working.release()

    @property
    def is_working(self) -> bool:
        """Whether an order of this visitor is being worked on."""
        return self._working.locked()

    def new_folder(self) -> Path:
        """A new empty folder for one result, so that its files can have the names that the visitor knows."""
        folder = self.folder / secrets.token_urlsafe(12)
        folder.mkdir()
        return folder


class Visitors:
    """The visitors of a page, by the identifier that Gradio gives each browser tab.

    Args:
        root: folder of all their files; `uploads` in it receives what they send.
        idle_seconds: after which the files of a visitor who did not say goodbye are removed.
    """

    def __init__(self, root: Path, idle_seconds: float) -> None:
        self.root = root.resolve()
        self.uploads = self.root / "uploads"
        self.results = self.root / "results"
        for folder in (self.uploads, self.results):
            folder.mkdir(mode=0o700, exist_ok=True)
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._visitors: dict[str, Visitor] = {}

    def of(self, identifier: str | None) -> Visitor:
        """The visitor of a browser tab, a new one at the first call."""
        self._remove_idle()
        with self._lock:
            name = identifier or ""
            if name not in self._visitors:
                folder = self.results / secrets.token_urlsafe(24)
                folder.mkdir(mode=0o700)
                self._visitors[name] = Visitor(folder)
            visitor = self._visitors[name]
            visitor.used = time.monotonic()
            return visitor

    def upload(self, visitor: Visitor, path: str | Path | None, what: str = "picture") -> Path:
        """The path of a file that the visitor sent, checked to lie among the uploads.

        Raises:
            InputError: there is none, or it is another file of this machine.
        """
        if not path:
            raise InputError(f"there is no {what} yet; drop one first")
        found, own = Path(path).resolve(), (self.uploads, visitor.folder, bundled_examples())
        if not found.is_file() or not any(found.is_relative_to(folder) for folder in own):
            raise InputError(f"the {what} is not one that you sent; drop it again")
        if found.is_relative_to(self.uploads):
            with self._lock:
                visitor.uploads.add(found)
        return found

    def close(self, identifier: str | None) -> None:
        """Stop what a visitor has going on, and remove all files that nobody else has sent too."""
        with self._lock:
            visitor = self._visitors.pop(identifier or "", None)
            if visitor is None:
                return
            others = set().union(*(other.uploads for other in self._visitors.values()))
        visitor.stop.set()
        shutil.rmtree(visitor.folder, ignore_errors=True)
        for path in visitor.uploads - others:
            with contextlib.suppress(OSError):
                path.unlink()
                path.parent.rmdir()

    def close_all(self) -> None:
        """Remove the files of everybody."""
        for identifier in list(self._visitors):
            self.close(identifier)
        shutil.rmtree(self.root, ignore_errors=True)

    def _remove_idle(self) -> None:
        now = time.monotonic()
        with self._lock:
            idle = [
                name
                for name, visitor in self._visitors.items()
                if now - visitor.used > self._idle_seconds and not visitor.is_working
            ]
        for name in idle:
            self.close(name)

    def in_words(self, error: Exception) -> str:
        """The text of an error, with the names of files but without the folders that they lie in."""
        text = str(error)
        for folder in (self.uploads, self.results):
            while (start := text.find(f"{folder}/")) >= 0:
                below = text[start + len(str(folder)) + 1 :]
                end = next((place for place, letter in enumerate(below) if letter in ":;,'\" "), len(below))
                text = text[:start] + below[:end].rpartition("/")[2] + below[end:]
        return text
