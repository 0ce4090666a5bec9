"""Shared parts of the commands: panels and options of the help, examples, errors as exit codes."""

from __future__ import annotations

import contextlib
import inspect
import os
import shlex
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial, wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from innersr.commands.interrupts import MESSAGE, exit_code_of, prompt_interrupts
from innersr.errors import InnersrError, InputError, on_one_line, with_short_paths

if TYPE_CHECKING:
    from innersr.commands.console import Reporter
    from innersr.run import Run

argument = partial(typer.Argument, show_default=False)
input_option = partial(typer.Option, rich_help_panel="Input and output")
output_option = partial(input_option, "--output", "-o")
quality_option = partial(typer.Option, rich_help_panel="Quality")
learning_option = partial(typer.Option, rich_help_panel="Learning")
result_option = partial(typer.Option, rich_help_panel="Result")
batch_option = partial(typer.Option, rich_help_panel="Many files")
performance_option = partial(typer.Option, rich_help_panel="Performance")
reporting_option = partial(typer.Option, rich_help_panel="Reporting")

Source = Annotated[Path, argument(metavar="IN", help="An image file.")]
Model = Annotated[Path, argument(metavar="MODEL", help="Folder of a model.")]
Output = Annotated[str, output_option(metavar="PATH", help="File, or folder (out/ is created).")]
Settings = Annotated[
    list[str] | None,
    learning_option("--set", metavar="NAME=VALUE", help="A setting, such as iterations=1000; may be repeated."),
]
Count = Annotated[int, result_option("--count", "-n", min=1, help="Number of results.")]


def _shared(  # noqa: PLR0913 (options are parameters)
    overwrite: Annotated[bool, input_option("--overwrite", help="Replace existing files.")] = False,
    seed: Annotated[
        int, performance_option(help="Random seed; with the same number of threads it gives the same bytes.")
    ] = 0,
    threads: Annotated[int | None, performance_option(min=1, help="CPU threads; by default PyTorch's choice.")] = None,
    device: Annotated[
        str, performance_option("--device", "-d", help="Where to compute: auto, cpu, cuda, cuda:1 or mps.")
    ] = "auto",
    precision: Annotated[str, performance_option(help="Arithmetic of the networks: auto, fp32 or bf16.")] = "auto",
    tile: Annotated[
        str,
        performance_option(
            help="Side of the tiles that the network works on, in pixels of the input: auto (as the memory allows), or "
            "0 for the whole image at once. Tiles leave no seams."
        ),
    ] = "auto",
    time_limit: Annotated[
        float | None,
        performance_option(help="Most seconds of learning, or of searching, for each image; by default no limit."),
    ] = None,
    as_json: Annotated[bool, reporting_option("--json", help="Print results as JSON, one object per line.")] = False,
    quiet: Annotated[bool, reporting_option("--quiet", "-q", help="Print errors only.")] = False,
    verbose: Annotated[bool, reporting_option("--verbose", "-v", help="Print the settings too.")] = False,
) -> None:
    """Declare the options that several commands share; `command` picks them by name."""


class CommandGroup(TyperGroup):
    """Commands that suggest the right one where a file is given in its place, and whose errors are safe to print."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (Typer has moved Click's types)
        """Parse what stands before the command; have help as narrow as the terminal, for Click's has 50 columns."""
        columns = shutil.get_terminal_size().columns
        if columns < 52:
            kwargs.setdefault("terminal_width", max(columns - 2, 20))
        with _errors_on_one_line():
            return super().make_context(*args, **kwargs)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 (Typer has moved Click's types)
        """Parse; refuse a file that looks like options with the command that takes it."""
        if args and args[0].startswith("-") and _exists(args[0]) and Path(args[0]).is_file():
            suggestion = shlex.join(["innersr", "upscale", f"./{args[0]}", *args[1:]])
            ctx.fail(f"{args[0]} is a file, but begins as options do; did you mean `{suggestion}`?")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 (Typer has moved Click's types)
        """Parse the rest, and run the command."""
        with _errors_on_one_line():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 (Typer has moved Click's types)
        """Find the command; refuse a file with the command that takes it."""
        name = args[0]
        if self.get_command(ctx, name) is None and (Path(name).suffix or _exists(name)):
            ctx.fail(f"No such command '{name}'; did you mean `innersr upscale {shlex.join(args)}`?")
        return super().resolve_command(ctx, args)


class GroupedCommand(TyperCommand):
    """A command whose help groups the options by panel, as plain text: importing Rich would double its time."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 (Typer has moved Click's types)
        """Parse; refuse empty texts, files that look like options, and options where they would be files."""
        takers = {name for each in self.get_params(ctx) if not getattr(each, "is_flag", True) for name in each.opts}
        for before, arg in zip(["", *args], args, strict=False):
            if not arg or (arg.endswith("=") and arg[:-1] in takers):
                name = before if before in takers else arg[:-1] or "an argument"
                remedy = "give a value, or leave it out"
                ctx.fail(f"{name} is empty, as where a variable of the shell is not set; {remedy}")
        place = args.index("--") if "--" in args else len(args)
        dashed = [
            [arg for arg in part if arg.startswith("-") and arg != "-"] for part in (args[:place], args[place + 1 :])
        ]
        for name in dashed[0]:
            if _exists(name) and Path(name).is_file():
                ctx.fail(f"{name} is a file, but begins as options do; write ./{name}")
        for name in dashed[1]:
            if not _exists(name):
                ctx.fail(f"after -- all arguments are files, and there is no file {name}; write options before it")
        return super().parse_args(ctx, args)

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
                formatter.write_dl(records, col_max=min(30, formatter.width // 3))


@contextlib.contextmanager
def _errors_on_one_line() -> Iterator[None]:
    """Escape what a terminal would obey in errors of usage, and shorten it: a pattern may have found any name."""
    try:
        yield
    except Exception as error:
        if (words := _number_error(error)) is not None:
            typer.echo(f"error: {on_one_line(with_short_paths(words))}", err=True)
            raise typer.Exit(2) from None
        if isinstance(getattr(error, "message", None), str):  # of Click's, whose types Typer has moved
            error.message = on_one_line(with_short_paths(error.message))  # type: ignore[attr-defined]
        raise


def _number_error(error: Exception) -> str | None:
    """The words about an option that takes another number, in the style of all other errors; None for other errors."""
    names, found = getattr(getattr(error, "param", None), "opts", None), getattr(error.__cause__, "errors", None)
    if not names or found is None:
        return None
    (problem, *_) = found()  # of Pydantic, by which Typer parses numbers
    limits = problem.get("ctx", {})
    rule = {
        "less_than_equal": f"at most {limits.get('le'):g}" if "le" in limits else None,
        "greater_than_equal": f"at least {limits.get('ge'):g}" if "ge" in limits else None,
        "int_parsing": "a whole number",
        "float_parsing": "a number",
    }.get(problem["type"])
    return None if rule is None else f"{names[0]} must be {rule}, got {problem['input']!r}"


def group(about: str, *lines: str) -> typer.Typer:
    """Make a group of commands, with examples for its help."""
    return typer.Typer(help=about, epilog=examples(*lines), no_args_is_help=True, rich_markup_mode=None)


def examples(*lines: str) -> str:
    """Make an epilog of lines that Click does not wrap."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def command(
    app: typer.Typer,
    name: str,
    does: str,
    *lines: str,
    shares: str,
    **fixed: Any,  # noqa: ANN401 (as declared)
) -> Callable[[Any], Any]:
    """Decorator that makes a command of a function: its parameters are the options, its docstring the help.

    Args:
        app: the group that the command belongs to.
        name: of the command.
        does: the function of `innersr.commands` that does the work, such as "singan.train.train_picture". It takes a
            reporter, a run if one of its settings is an option, and the other options and `fixed` by name; it may
            return an exit code.
        lines: examples for the help.
        shares: names of further options, which several commands have, separated by spaces.
        fixed: options that are not on the command line.
    """

    def add(declared: Callable[..., None]) -> Callable[..., None]:
        @wraps(declared)
        def call(**options: Any) -> None:  # noqa: ANN401 (as declared)
            options = {name: _at_home(value) for name, value in options.items()} | fixed
            module, _, function = does.rpartition(".")
            # Before interrupts are exceptions, which imports may swallow; `cli.main` has them end the process.
            work = getattr(import_module(f"innersr.commands.{module}"), function)
            from innersr.memory import reuse_freed_memory

            reuse_freed_memory()
            with _reporting(**_taken(options, "as_json", "quiet", "verbose")) as reporter:
                if str(options.get("output")) == "-":
                    raise InputError("results are not written to standard output; name a file or a folder after -o")
                circumstances = _taken(options, "device", "precision", "seed", "time_limit", "tile")
                runs = [_run(**circumstances)] if circumstances else []
                code = work(reporter, *runs, **options) or int(reporter.has_lost_results)
            if code:
                raise typer.Exit(code)

        shared = inspect.signature(_shared, eval_str=True).parameters
        own = inspect.signature(declared, eval_str=True).parameters.values()
        signature = inspect.Signature([*own, *(shared[option] for option in shares.split())])
        call.__signature__ = signature  # type: ignore[attr-defined]
        call.__annotations__ = {option: each.annotation for option, each in signature.parameters.items()}
        return app.command(name, cls=GroupedCommand, epilog=examples(*lines))(call)

    return add


@contextlib.contextmanager
def _reporting(*, as_json: bool = False, quiet: bool = False, verbose: bool = False) -> Iterator[Reporter]:
    """Turn errors and interrupts into one line on stderr and an exit code."""
    from innersr.commands.console import Reporter, say  # takes a second

    reporter = Reporter(quiet=quiet, verbose=verbose, as_json=as_json)
    try:
        with prompt_interrupts():
            yield reporter
    except (InnersrError, OSError) as error:
        code = error.exit_code if isinstance(error, InnersrError) else 1
        reporter.failure(error, code)
        raise typer.Exit(code) from None
    except KeyboardInterrupt as error:
        say(MESSAGE)
        raise typer.Exit(exit_code_of(error)) from None


def _exists(name: str) -> bool:
    """Whether there is a file of a name, which may be no name at all, such as one that is too long."""
    return os.path.exists(name)  # noqa: PTH110 (Path.exists raises OSError)


def _at_home(value: object) -> object:
    """The value of an option with ~ expanded to the home folder; shells leave it in --output=~/x and in NAME=~/x."""
    if isinstance(value, list | tuple):
        return [_at_home(each) for each in value]
    if isinstance(value, Path):
        return Path(_at_home(str(value)))  # type: ignore[arg-type]
    if not isinstance(value, str):
        return value
    name, tilde, rest = value.partition("=~")
    # Path.expanduser takes away a slash at the end.
    return f"{name}={os.path.expanduser(f'~{rest}')}" if tilde else os.path.expanduser(value)  # noqa: PTH111


def _taken(options: dict[str, Any], *names: str) -> dict[str, Any]:
    """Remove the options of these names, and return them."""
    return {name: options.pop(name) for name in names if name in options}


def _run(tile: str = "auto", **circumstances: Any) -> Run:  # noqa: ANN401 (the fields of a run)
    from innersr.physics.geometry import parse_tile
    from innersr.run import Run

    return Run(tile=parse_tile(tile), **circumstances)
