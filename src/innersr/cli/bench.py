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
        argument(metavar="DIR", help="Folders of sharp images, or pictures that innersr draws: made:text, made:all."),
    ] = None,
    pairs: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of pairs, name.png and its small image name_LR.png; may be repeated."),
    ] = None,
    real_life: Annotated[
        bool,
        typer.Option(
            "--real-life",
            help="Measure photographs (DIR) and drawn pictures as people have them: noisy, compressed, sharpened; see "
            "docs/benchmarks.md.",
        ),
    ] = False,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Methods, separated by commas, each as NAME or NAME:setting=value;setting=value; by default "
            "bicubic,tailor, with --real-life tailor."
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
            help="Ways of shrinking, separated by commas: bicubic (the default), lanczos, box, g2.0d, random:SEED, "
            "kernel files and more; further steps are joined to them by +, before or after: noise10, jpeg60, "
            "sharpen:SIGMA:AMOUNT and more, see docs/benchmarks.md."
        ),
    ] = None,
    given: Annotated[
        str | None,
        typer.Option(
            help="Degradations that the methods are given, separated by commas: true (the image's own), auto "
            "(estimated from it), bicubic, gaussian:VAR or kernel files; or default, for all that innersr upscale does "
            "without options. By default true, with --real-life default."
        ),
    ] = None,
    told: Annotated[str | None, typer.Option(hidden=True)] = None,  # the name of --given up to version 0.1
    scales: Annotated[str, typer.Option(help="Scales, separated by commas.")] = "2",
    limit: Annotated[int | None, typer.Option(min=1, help="Most images of each folder; by default all.")] = None,
    crop: Annotated[
        int | None,
        typer.Option(
            min=32,
            help="Use only a central square of each sharp image, of this side in pixels; by default the whole image, "
            "with --real-life 256.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File for the rows (JSON lines); those that it holds are not computed again.")
    ] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder for the results as PNG files.")] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the cases with the least gain beside the truth.")
    ] = None,
    worst: Annotated[int, typer.Option(min=1, help="Number of cases on the sheet.")] = 5,
) -> None:
    """Measure methods on images that are shrunk and upscaled again."""
