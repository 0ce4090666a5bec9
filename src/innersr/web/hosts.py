"""Middleware of the server: answers under the page's own names only, and no other web site.

A site whose name is made to lead to this machine could otherwise read the page in the visitor's browser, and any site
could have the browser send files to it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

OF_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")
ANY = "*"  # instead of a name


class OwnHosts:
    """Refuse requests under another name (400), and those of other sites (403).

    Args:
        app: the page.
        host: address that it listens at; at 0.0.0.0 or :: it answers under every name.
        names: further ones, such as that of a server in front; those may also be the origin of requests. "*" allows all
            names and sites.
    """

    def __init__(self, app: ASGIApp, host: str, names: Collection[str] = ()) -> None:
        self._app, self._names = app, {name.lower() for name in names}
        is_any = host in ("0.0.0.0", "::") or ANY in names
        self._hosts = None if is_any else {*OF_THIS_MACHINE, host.lower(), *self._names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        status, text = self._refusal(scope) if scope["type"] == "http" else (0, "")
        if not status:
            await self._app(scope, receive, send)
            return
        kind = (b"content-type", b"text/plain; charset=utf-8")
        await send({"type": "http.response.start", "status": status, "headers": [kind]})
        await send({"type": "http.response.body", "body": text.encode()})

    def _refusal(self, scope: Scope) -> tuple[int, str]:
        """Status and text of the answer to a request that is refused; status 0 for any other."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        if self._hosts is not None and _name(host) not in self._hosts:
            return 400, "the page has another name; if this is one too, start it with --allow-host NAME"
        is_own = origin is None or ANY in self._names or _name(_place(origin)) in self._names
        if is_own or _place(origin or "") == host.lower():
            return 0, ""
        return (
            403,
            "other sites may not use the page; if this one is in front of it, start it with --allow-host NAME",
        )


def _place(origin: str) -> str:
    """Name and port of an origin such as https://example.org:8080; empty where it is none."""
    with contextlib.suppress(ValueError):
        return urlsplit(origin.lower()).netloc
    return ""


def _name(place: str) -> str:
    """The name of name:port, or of [address]:port."""
    with contextlib.suppress(ValueError):
        return urlsplit(f"//{place}").hostname or ""
    return ""
