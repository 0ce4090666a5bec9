"""The command `innersr inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import Source, command, output_option

inspect_app = typer.Typer()  # of one command, which cli.app adds


@command(
    inspect_app,
    "inspect",
    "inspect.inspect_file",
    "innersr inspect photo.jpg",
    "innersr inspect photo.jpg -o recurrence.png",
    device="cpu",
    shares="overwrite as_json quiet",
)
def inspect_command(
    source: Source,
    output: Annotated[
        Path | None,
        output_option(
            metavar="FILE",
            help="Image file to draw: which parts of the image recur at a larger size, with examples.",
        ),
    ] = None,
) -> None:
    """Report blur, noise and whether learning from the image helps."""
