"""Work of `innersr web`."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path

from innersr.commands.console import Reporter
from innersr.errors import InputError, how_to_install
from innersr.run import Run
from innersr.settings import parse_settings, values_of


def serve_page(  # noqa: PLR0913 (the options of the command)
    reporter: Reporter,
    run: Run,
    *,
    host: str,
    port: int,
    auth: str | None,
    allow_public: bool,
    allow_host: Sequence[str] | None,
    browser: bool,
    library: Path | None,
    limits: Sequence[str] | None,
) -> None:
    """Serve the page until an interrupt."""
    if importlib.util.find_spec("gradio") is None:
        raise InputError(f"the page needs Gradio: {how_to_install('web')}")
    from innersr.web.app import Serving, served
    from innersr.web.limits import Limits

    (chosen,) = values_of("the page", parse_settings(limits or ()), Limits)
    serving = Serving(
        host=host,
        port=port,
        auth=None if auth is None else _user_and_password(auth),
        allow_public=allow_public,
        names=tuple(allow_host or ()),
        browser=browser,
        device=run.device,
        library=library,
        limits=Limits(**chosen),
    )
    with served(serving) as address:
        reporter.result(f"innersr is at {address} (Ctrl-C ends it)", {"address": address})
        threading.Event().wait()


def _user_and_password(text: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise InputError("--auth is USER:PASSWORD")
    return user, password
