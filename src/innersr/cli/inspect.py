"""The command `innersr inspect`: what can be learnt from an image. Torch is imported only once it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import INPUT, GroupedCommand, Json, Overwrite, Quiet, examples, reporting

inspect_app = typer.Typer()  # of one command, so that `cli` takes it for a command of its own


@inspect_app.command(
    "inspect",
    cls=GroupedCommand,
    epilog=examples("innersr inspect photo.jpg", "innersr inspect photo.jpg -o recurrence.png"),
)
def inspect_command(
    source: Annotated[Path, typer.Argument(metavar="IN", help="An image file.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Draw into this image file which parts of the image come again, larger, with examples.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say whether learning from an image helps, and what blurred it."""
    with reporting(as_json=as_json, quiet=quiet) as reporter:
        from innersr.commands.inspect import InspectRequest, inspect_file
        from innersr.run import Run

        request = InspectRequest(source=source, output=output, overwrite=overwrite, run=Run(device="cpu"))
        inspect_file(request, reporter)
