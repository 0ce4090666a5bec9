"""The command `innersr web`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import command, input_option, performance_option

web_app = typer.Typer()  # of one command, which cli.app adds


@command(
    web_app,
    "web",
    "web.serve_page",
    "innersr web",
    "innersr web --port 8080 --no-browser",
    "innersr web --host 0.0.0.0 --auth anna:secret --limit megabytes=20 --limit seconds=300",
    shares="device as_json quiet",
)
def web_command(  # noqa: PLR0913 (a command's options are its parameters)
    port: Annotated[int, input_option(min=0, max=65535, help="Port of the page; 0 for any free one.")] = 7860,
    host: Annotated[
        str, input_option(help="Address to listen on; any other than 127.0.0.1 needs --auth or --allow-public.")
    ] = "127.0.0.1",
    auth: Annotated[
        str | None, input_option(metavar="USER:PASSWORD", help="Name and password that visitors log in with.")
    ] = None,
    allow_public: Annotated[
        bool, input_option("--allow-public", help="Let other machines use the page without a password.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        input_option(
            metavar="NAME",
            help="Another name that the page is reached under, such as that of a server in front; may be repeated.",
        ),
    ] = None,
    browser: Annotated[bool, input_option("--browser/--no-browser", help="Whether to open a browser.")] = True,
    library: Annotated[
        Path | None,
        input_option(metavar="DIR", help="Folder to keep trained pictures in; else they are deleted with the visit."),
    ] = None,
    limits: Annotated[
        list[str] | None,
        performance_option(
            "--limit",
            metavar="NAME=VALUE",
            help="A limit, may be repeated: megabytes, pixels, seconds, files or idle_minutes of each visitor; jobs or "
            "waiting of all together.",
        ),
    ] = None,
) -> None:
    """Open a page in the browser that offers all of this."""
