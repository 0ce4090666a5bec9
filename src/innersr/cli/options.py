"""What the commands of every face share: examples in the help, options of reporting, errors as exit codes."""

from __future__ import annotations

import contextlib
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from innersr.commands.interrupts import EXIT_CODE, MESSAGE, prompt_interrupts
from innersr.errors import InnersrError, InputError

if TYPE_CHECKING:
    from innersr.commands.console import Reporter
    from innersr.run import Run


# Panels of the help.
INPUT, LEARNING, RESULT = "Input and output", "Learning", "Result"
PERFORMANCE, REPORTING = "Performance", "Reporting"

input_option = functools.partial(typer.Option, rich_help_panel=INPUT)
learning_option = functools.partial(typer.Option, rich_help_panel=LEARNING)
result_option = functools.partial(typer.Option, rich_help_panel=RESULT)

Device = Annotated[
    str, typer.Option("--device", "-d", help="auto, cpu, cuda, cuda:1 or mps.", rich_help_panel=PERFORMANCE)
]

Precision = Annotated[str, typer.Option(help="auto, fp32 or bf16.", rich_help_panel=PERFORMANCE)]
Seed = Annotated[int, typer.Option(help="Same seed, same bytes.", rich_help_panel=PERFORMANCE)]

Threads = Annotated[
    int | None, typer.Option(min=1, help="CPU threads; torch's choice if not given.", rich_help_panel=PERFORMANCE)
]

TimeLimit = Annotated[
    float | None, typer.Option(help="Seconds of learning for each image.", rich_help_panel=PERFORMANCE)
]

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.", rich_help_panel=INPUT)]
Json = Annotated[bool, typer.Option("--json", help="Results as JSON, one object a line.", rich_help_panel=REPORTING)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say errors only.", rich_help_panel=REPORTING)]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say settings too.", rich_help_panel=REPORTING)]


class GroupedCommand(TyperCommand):
    """A command whose help groups the options by panel, as plain text: importing Rich would double its time."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 (Typer has moved Click's types)
        """Write the arguments, then every panel."""
        panels = defaultdict(list)
        for parameter in self.get_params(ctx):
            default = "Arguments" if parameter.param_type_name == "argument" else "Options"
            record = parameter.get_help_record(ctx)
            if record is not None:
                panels[getattr(parameter, "rich_help_panel", None) or default].append(record)
        for name, records in panels.items():
            with formatter.section(name):
                formatter.write_dl(records)


def examples(*lines: str) -> str:
    """Return an epilog of lines that Click does not wrap."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


@contextlib.contextmanager
def reporting(*, as_json: bool = False, quiet: bool = False, verbose: bool = False) -> Iterator[Reporter]:
    """Turn errors and Ctrl-C into one line on stderr and an exit code."""
    try:
        with prompt_interrupts():
            from innersr.commands.console import Reporter  # takes a second, and may swallow a KeyboardInterrupt

            yield Reporter(quiet=quiet, verbose=verbose, as_json=as_json)
    except BrokenPipeError:
        raise  # whoever read the results has seen enough; Typer ends quietly
    except (InnersrError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, InputError) else 1) from None
    except KeyboardInterrupt:
        typer.echo(MESSAGE, err=True)
        raise typer.Exit(EXIT_CODE) from None


def command(app: typer.Typer, name: str, does: str, *lines: str, **fixed: Any) -> Callable[[Any], Any]:  # noqa: ANN401
    """Decorator that makes a command of a function: its parameters are the options, its docstring the help.

    Args:
        app: that the command belongs to.
        name: of the command.
        does: the function of `innersr.commands` that does the work, such as "singan.train.train_picture". It takes a
            console, a run, the options by name and `fixed`; it may return an exit code.
        lines: examples for the help.
        fixed: further arguments of that function.
    """

    def add(declared: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(declared)
        def call(**options: Any) -> None:  # noqa: ANN401 (as declared)
            said = {key: options.pop(key) for key in ("as_json", "quiet", "verbose") if key in options}
            with reporting(**said) as reporter:
                module, _, function = does.rpartition(".")
                work = getattr(import_module(f"innersr.commands.{module}"), function)
                code = work(reporter, _run_of(options), **options, **fixed)
            if code:
                raise typer.Exit(code)

        return app.command(name, cls=GroupedCommand, epilog=examples(*lines))(call)

    return add


def _run_of(options: dict[str, Any]) -> Run:
    """The execution settings among the options, which are taken out of them."""
    from innersr.run import Run

    return Run(**{key: options.pop(key) for key in ("device", "precision", "seed") if key in options})


Settings = Annotated[
    list[str] | None,
    learning_option("--set", metavar="NAME=VALUE", help="Any setting, such as iterations=1000; may be repeated."),
]

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a model.", show_default=False)]

Output = Annotated[
    str,
    typer.Option("--output", "-o", metavar="PATH", help="File, or folder (out/ is created).", rich_help_panel=INPUT),
]

Count = Annotated[int, typer.Option("--count", "-n", min=1, help="How many results.", rich_help_panel=RESULT)]


Tile = Annotated[
    str,
    typer.Option(
        help="Side of the tiles that the network works on, in pixels of the input: auto (what memory allows), 0 for "
        "the whole image at once. It leaves no seams.",
        rich_help_panel=PERFORMANCE,
    ),
]


def run_with_tiles(device: str, precision: str, seed: int, time_limit: float | None, tile: str) -> Run:
    """Return the circumstances that the options name, the tiles' side among them."""
    from innersr.physics.geometry import parse_tile
    from innersr.run import Run

    return Run(device=device, precision=precision, seed=seed, time_limit=time_limit, tile=parse_tile(tile))
