"""The command `innersr bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import argument, command

bench_app = typer.Typer()  # of one command, which cli.app adds


@command(
    bench_app,
    "bench",
    "bench.bench",
    "innersr bench set5 --methods bicubic,tailor,zssr:preset=best --out rows.jsonl",
    "innersr bench set5 set14 --degradations g2.0d,bicubic --scales 2,4",
    "innersr bench set14 --degradations random:0,bicubic+noise10+jpeg60 --given true,auto,gaussian:2.0",
    "innersr bench set5 --json",
    "innersr bench photos --real-life --limit 4 --out rows.jsonl",
    "innersr bench made:text made:pixelart --degradations box,jpeg75 --given auto",
    "innersr bench --pairs camera --peer 'waifu2x-ncnn-vulkan -i {input} -o {output}'",
    shares="overwrite seed device precision tile time_limit as_json quiet verbose",
)
def bench_command(  # noqa: PLR0913 (a command's options are its parameters)
    folders: Annotated[
        list[Path] | None,
        argument(metavar="DIR", help="Folders of sharp images, or pictures drawn by innersr: made:text, made:all."),
    ] = None,
    pairs: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of pairs, the small image of name.png called name_LR.png; may be repeated."),
    ] = None,
    real_life: Annotated[
        bool,
        typer.Option(
            "--real-life", help="Photographs (DIR) and made pictures, each as people have them; see the docs."
        ),
    ] = False,
    methods: Annotated[
        str | None,
        typer.Option(
            help="name or name:field=value;field=value, separated by commas; bicubic,tailor if not given, "
            "tailor with --real-life."
        ),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            help="Another network (spandrel:FILE) or program ('command {input} {output}') to measure; may be repeated."
        ),
    ] = None,
    degradations: Annotated[
        str | None,
        typer.Option(
            help="Ways of shrinking, separated by commas: bicubic, lanczos, box, g2.0d, random:SEED, kernel files and "
            "more; and links joined to them by +, before or behind: noise10, jpeg60, sharpen:SIGMA:AMOUNT, ... See "
            "docs/benchmarks.md. bicubic if not given."
        ),
    ] = None,
    given: Annotated[
        str | None,
        typer.Option(
            help="Degradation that methods are given: true (the image's own), auto (estimated from it), bicubic, "
            "gaussian:VAR or kernel files, separated by commas; or default, for all that innersr upscale does without "
            "options. true if not given, default with --real-life."
        ),
    ] = None,
    told: Annotated[str | None, typer.Option(hidden=True)] = None,  # the name of --given up to version 0.1
    scales: Annotated[str, typer.Option(help="Separated by commas.")] = "2",
    limit: Annotated[int | None, typer.Option(min=1, help="Images of each folder at most.")] = None,
    crop: Annotated[
        int | None,
        typer.Option(
            min=32, help="Use the middle of each sharp image, of so many pixels a side; 256 with --real-life."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File of rows (JSON lines); rows it already has are not computed again.")
    ] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder for the results as PNG files.")] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the cases with the least gain beside the truth.")
    ] = None,
    worst: Annotated[int, typer.Option(min=1, help="Cases on the sheet.")] = 5,
) -> None:
    """Measure methods on images that are shrunk and upscaled again."""
