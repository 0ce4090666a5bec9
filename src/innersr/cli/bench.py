"""The command `innersr bench`. Torch is imported only once it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import (
    Device,
    GroupedCommand,
    Precision,
    Quiet,
    Seed,
    Tile,
    TimeLimit,
    Verbose,
    examples,
    reporting,
    run_with_tiles,
)

bench_app = typer.Typer()  # of one command, which cli.app adds


@bench_app.command(
    "bench",
    cls=GroupedCommand,
    epilog=examples(
        "innersr bench set5 --methods bicubic,tailor,zssr:preset=best --out rows.jsonl",
        "innersr bench set5 set14 --degradations g2.0d,bicubic --scales 2,4",
        "innersr bench set14 --degradations random:0,bicubic+noise10+jpeg60 --given true,auto,gaussian:2.0",
    ),
)
def bench_command(  # noqa: PLR0913 (a command's options are its parameters)
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help="Folders of sharp images.", show_default=False)],
    methods: Annotated[
        str, typer.Option(help="name or name:field=value;field=value, separated by commas.")
    ] = "bicubic,tailor",
    degradations: Annotated[
        str,
        typer.Option(
            help="bicubic, g0.2d, g2.0d, ganid, g1.3b, random:SEED or kernel files, separated by commas; each may end "
            "in +noise10 (standard deviation in 8-bit levels), +jpeg60 (quality), or both."
        ),
    ] = "bicubic",
    given: Annotated[
        str,
        typer.Option(
            help="Degradation that methods are given: true (the image's own, but without its JPEG), auto (estimated "
            "from the image), bicubic, gaussian:VAR or kernel files, separated by commas."
        ),
    ] = "true",
    told: Annotated[str | None, typer.Option(hidden=True)] = None,  # the name of --given up to version 0.1
    scales: Annotated[str, typer.Option(help="Separated by commas.")] = "2",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many images of each folder.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="File of rows (JSON lines); rows it already has are not computed again.")
    ] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder for the results as PNG files.")] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    seed: Seed = 0,
    tile: Tile = "auto",
    time_limit: TimeLimit = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure methods on images that are shrunk and upscaled again."""
    with reporting(as_json=False, quiet=quiet, verbose=verbose) as reporter:
        from innersr.benchmark.runner import Plan
        from innersr.commands.bench import bench
        from innersr.physics.geometry import parse_scale

        plan = Plan(
            folders=tuple(folders),
            methods=_listed(methods),
            degradations=_listed(degradations),
            given=_listed(told or given),
            scales=tuple(parse_scale(text) for text in _listed(scales)),
            limit=limit,
            pictures=pictures,
        )
        bench(plan, run_with_tiles(device, precision, seed, time_limit, tile), out, reporter)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))
