"""The command line. Torch is imported only once a command runs, so that help answers at once."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated

import typer

from innersr.cli.bench import bench_app
from innersr.cli.export import export_app
from innersr.cli.inspect import inspect_app
from innersr.cli.kernel import kernel_app
from innersr.cli.options import CommandGroup, command, examples
from innersr.cli.prior import prior_app
from innersr.cli.singan import singan_app
from innersr.cli.train import train_app
from innersr.cli.upscale import upscale_app
from innersr.cli.web import web_app
from innersr.commands.interrupts import exit_at_once, is_exit_code
from innersr.version import __version__

app = typer.Typer(
    name="innersr",
    cls=CommandGroup,
    help="Super-resolve one image by learning from the image itself.",
    epilog=examples("innersr upscale photo.jpg -o large.png --compare before-after.png")
    + "\n\nExit codes: 0 done, 1 a file failed, 2 wrong usage, 130 or 143 interrupted.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(upscale_app)
app.add_typer(bench_app)
app.add_typer(export_app)
app.add_typer(inspect_app)
app.add_typer(kernel_app, name="kernel")
app.add_typer(prior_app, name="prior")
app.add_typer(singan_app, name="singan")
app.add_typer(train_app, name="train")
app.add_typer(web_app)


def run_app() -> None:
    """Run the command line and exit: 0 done, 1 a file failed, 2 wrong usage, 130 or 143 interrupted."""
    try:
        app(prog_name="innersr")
    except SystemExit as leaving:
        if isinstance(leaving.code, int) and is_exit_code(leaving.code):
            exit_at_once(leaving.code)
        raise
    except OSError as error:  # of the help, on a full disk; commands answer for theirs
        if error.errno is None:  # a library that ctypes cannot load
            raise
        with contextlib.suppress(OSError):
            sys.stderr.write(f"error: standard output: cannot be written ({error.strerror})\n")
        exit_at_once(1)


@app.callback(invoke_without_command=True)
def common(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Super-resolve one image by learning from the image itself."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"innersr {__version__}, torch {version_of('torch')}")
        raise typer.Exit


@command(app, "doctor", "doctor.doctor", "innersr doctor", shares="")
def doctor_command() -> None:
    """Print the installed versions, devices and image formats."""
