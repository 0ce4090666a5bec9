"""The files of each visitor: a folder that is shown to no other browser, and removed when the visitor leaves."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING

from innersr.errors import InputError
from innersr.metrics.recurrence import Recurrence

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


def bundled_examples() -> Path:
    """The folder of the pictures that come with the page."""
    return Path(__file__).resolve().with_name("examples")


@dataclass(eq=False)
class Visitor:
    """One visitor: a folder, the uploads that were used, and whether work is going on."""

    folder: Path
    browser: str = ""
    """The cookie of the browser, which alone may fetch the files; "" for a program that keeps no cookies."""
    uploads: set[Path] = field(default_factory=set)
    examined: dict[Path, tuple[Recurrence, int]] = field(default_factory=dict)
    """Recurrence of the pictures that were examined, and the number of blurs that they may have."""
    found: dict[Path, list[str]] = field(default_factory=dict)
    """What was found in these pictures, and advice, in sentences."""
    dropped: Path | None = None
    """The picture that lies in the tab "Enlarge"; a folder where it was taken away, None for a program."""
    stop: threading.Event = field(default_factory=threading.Event)
    is_waiting: bool = False
    """Whether a job of this visitor waits for others."""
    is_withdrawn: bool = False
    """Whether that job is not to be begun."""
    used: float = field(default_factory=time.monotonic)
    _working: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Context of one piece of work.

        Raises:
            InputError: another one of this visitor is not finished.
        """
        if not self._working.acquire(blocking=False):
            raise InputError("your last job is still being worked on; wait for it, or press Stop")
        self.stop.clear()
        try:
            yield
        finally:
            self._working.release()

    @property
    def is_working(self) -> bool:
        """Whether a job of this visitor is being worked on."""
        return self._working.locked()

    def owns(self, path: Path) -> bool:
        """Whether this visitor sent a file, or it was made for them."""
        return path in self.uploads or path.is_relative_to(self.folder)

    def new_folder(self) -> Path:
        """A new empty folder for one result, so that its files can have the names that the visitor knows."""
        folder = self.folder / secrets.token_urlsafe(12)
        folder.mkdir()
        return folder


class Visitors:
    """The visitors of a page, by the identifier that Gradio gives each browser tab, and the cookie of the browser.

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
        self._visitors: dict[tuple[str, str], Visitor] = {}

    def of(self, identifier: str | None, browser: str = "") -> Visitor:
        """The visitor of a browser tab, a new one at the first call."""
        self._remove_idle()
        with self._lock:
            name = identifier or "", browser
            if name not in self._visitors:
                folder = self.results / secrets.token_urlsafe(24)
                folder.mkdir(mode=0o700)
                self._visitors[name] = Visitor(folder, browser)
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

    def may_fetch(self, path: str, browser: str) -> bool:
        """Whether a file is shown to a browser: what visitors sent or were made is theirs, Gradio judges the rest."""
        found = Path("/", path.lstrip("/")).resolve()  # two slashes at the beginning would stay
        with self._lock:
            owners = [each.browser for each in self._visitors.values() if each.owns(found)]
        return not owners or bool({"", browser} & set(owners))

    def close(self, identifier: str | None, browser: str = "") -> None:
        """Stop what a visitor has going on, and remove all files that nobody else has sent too."""
        with self._lock:
            visitor = self._visitors.pop((identifier or "", browser), None)
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
        for name in list(self._visitors):
            self.close(*name)
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
            self.close(*name)

    def in_words(self, error: Exception) -> str:
        """The text of an error, with the names of files but without the folders that they lie in."""
        text = str(error)
        for folder in (self.uploads, self.results):
            while (start := text.find(f"{folder}/")) >= 0:
                below = text[start + len(str(folder)) + 1 :]
                end = next((place for place, letter in enumerate(below) if letter in ":;,'\" "), len(below))
                text = text[:start] + below[:end].rpartition("/")[2] + below[end:]
        return text


class OwnFiles:
    """Middleware of the server: gives each browser a cookie, and shows files to the browser that they belong to only.

    Args:
        app: the page.
        visitors: whose files these are.
    """

    def __init__(self, app: ASGIApp, visitors: Visitors) -> None:
        self._app, self._visitors = app, visitors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        from starlette.requests import ClientDisconnect  # of the extra web

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        browser = browser_of(dict(scope["headers"]).get(b"cookie", b"").decode("latin-1"))
        asked = re.search(r"/file[=/](.*)", scope["path"], re.DOTALL)
        if asked is not None and not self._visitors.may_fetch(asked[1], browser):
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b"there is no such file of yours"})
            return

        async def send_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                cookie = f"innersr={secrets.token_urlsafe(24)}; Path=/; HttpOnly; SameSite=Lax"
                message = {**message, "headers": [*message.get("headers", ()), (b"set-cookie", cookie.encode())]}
            await send(message)

        with contextlib.suppress(ClientDisconnect):  # who leaves while sending a file is no fault of the page
            await self._app(scope, receive, send if browser else send_cookie)


def browser_of(cookies: str) -> str:
    """The cookie of a browser, from the header of its request; "" where there is none."""
    with contextlib.suppress(CookieError):
        found = SimpleCookie(cookies).get("innersr")
        return "" if found is None else found.value
    return ""
