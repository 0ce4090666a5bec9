"""The command `innersr upscale`. Torch is imported only once it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import (
    INPUT,
    Device,
    GroupedCommand,
    Json,
    Overwrite,
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

QUALITY = "Quality"
upscale_app = typer.Typer()  # of one command, which cli.app adds


@upscale_app.command(
    "upscale",
    cls=GroupedCommand,
    epilog=examples(
        "innersr upscale photo.jpg -o large.png -s 3",
        "innersr upscale grainy.jpg --keep-grain",
        "innersr upscale *.tif -o out/ --preset best",
        "innersr upscale bricks.png --wrap xy",
        "innersr upscale a.png --size 1920x --kernel gaussian:2.0 --compare look.png",
    ),
)
def upscale_command(  # noqa: PLR0913 (a command's options are its parameters)
    inputs: Annotated[list[Path], typer.Argument(metavar="IN", help="Image files.", show_default=False)],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="File, or folder (out/ is created); photo_x2.png beside photo.png when not given.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option("--scale", "-s", help="2 by default; 1.5; 2x3 (vertical x horizontal).", rich_help_panel=INPUT),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            help="Instead of a scale, as ImageMagick has it: 1920x (width), x1080 (height), 1920x1080 (fits into), "
            "1920x1080^ (covers), 1920x1080! (exactly), 1920x1080< (smaller images only), 150%, 24000000@ (area).",
            rich_help_panel=INPUT,
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            help="tailor, zssr, mzsr, supervised, singan, backprojection or bicubic.",
            rich_help_panel=QUALITY,
        ),
    ] = "tailor",
    preset: Annotated[
        str | None,
        typer.Option(
            help="draft, balanced (the default) or best; of zssr also paper, paper-gradual, paper-kernel, paper-real; "
            "of mzsr paper.",
            rich_help_panel=QUALITY,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any setting of the method, such as steps=500; may be repeated.",
            rich_help_panel=QUALITY,
        ),
    ] = None,
    kernel: Annotated[
        str,
        typer.Option(
            help="What blurred the image: auto (the default) finds out from the image, its noise too; or bicubic, "
            "gaussian:VAR, gaussian:V1,V2,THETA (variances in px^2 of the result, radians, or degrees as 35deg), or a "
            ".mat, .npy, .png or .txt file.",
            rich_help_panel=QUALITY,
        ),
    ] = "auto",
    anchor: Annotated[
        str,
        typer.Option(
            help="Where a given kernel is held: aligned, or centre (MZSR's direct test images); auto finds its own.",
            rich_help_panel=QUALITY,
        ),
    ] = "aligned",
    noise: Annotated[
        float | None,
        typer.Option(
            help="Standard deviation of the image's noise in 8-bit levels; when not given, what --kernel auto finds, "
            "and 0 with any other kernel.",
            rich_help_panel=QUALITY,
        ),
    ] = None,
    keep_grain: Annotated[
        bool,
        typer.Option(
            "--keep-grain",
            help="Put the image's own grain, which is removed with its noise, back into the result, as it is.",
            rich_help_panel=QUALITY,
        ),
    ] = False,
    wrap: Annotated[
        str,
        typer.Option(
            metavar="AXES",
            help="x, y or xy: a seamless texture, that continues on its opposite side, and stays seamless.",
            rich_help_panel=QUALITY,
        ),
    ] = "",
    alpha: Annotated[str, typer.Option(help="auto, same (alpha is data) or drop.", rich_help_panel=INPUT)] = "auto",
    depth: Annotated[str, typer.Option(help="keep, 8, 16 or float.", rich_help_panel=INPUT)] = "keep",
    metadata: Annotated[str, typer.Option(help="keep, icc or none.", rich_help_panel=INPUT)] = "keep",
    quality: Annotated[
        int,
        typer.Option(
            min=1, max=100, help="Of JPEG, WebP and AVIF; 100 is lossless in the last two.", rich_help_panel=INPUT
        ),
    ] = 95,
    pixel_limit: Annotated[
        int, typer.Option(min=1, help="Refuse images of more pixels.", rich_help_panel=INPUT)
    ] = 300_000_000,
    compare: Annotated[
        Path | None,
        typer.Option(help="Draw bicubic and the result side by side into this file.", rich_help_panel=INPUT),
    ] = None,
    overwrite: Overwrite = False,
    device: Device = "auto",
    precision: Precision = "auto",
    seed: Seed = 0,
    tile: Tile = "auto",
    time_limit: TimeLimit = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Upscale image files by what can be learnt from each of them."""
    with reporting(as_json=as_json, quiet=quiet, verbose=verbose) as reporter:
        from innersr.commands.upscale import upscale_files
        from innersr.errors import InputError
        from innersr.methods.options import UpscaleOptions
        from innersr.physics.geometry import parse_scale
        from innersr.settings import parse_settings

        if scale is not None and size is not None:
            raise InputError("give --scale or --size, not both")
        options = UpscaleOptions(
            scale=parse_scale(scale or "2"),
            size=size,
            method=method,
            preset=preset,
            settings=parse_settings(settings or ()),
            kernel=kernel,
            anchor=anchor,
            noise=noise,
            keep_grain=keep_grain,
            wrap=wrap,
            alpha=alpha,
            depth=depth,
            metadata=metadata,
            quality=quality,
            pixel_limit=pixel_limit,
            overwrite=overwrite,
        )
        run = run_with_tiles(device, precision, seed, time_limit, tile)
        raise typer.Exit(upscale_files(inputs, output, options, run, reporter, compare=compare))
