"""The command line. Torch is imported only once a command runs, so that help answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from innersr.cli_shared import (
    INPUT,
    PERFORMANCE,
    Device,
    GroupedCommand,
    Json,
    Overwrite,
    Precision,
    Quiet,
    Seed,
    TimeLimit,
    Verbose,
    examples,
    reporting,
)
from innersr.inspect_cli import inspect_app
from innersr.interrupts import EXIT_CODE, exit_at_once
from innersr.kernel_cli import kernel_app
from innersr.prior_cli import prior_app
from innersr.singan_cli import singan_app
from innersr.train_cli import train_app

if TYPE_CHECKING:
    from innersr.run import Run

QUALITY = "Quality"


app = typer.Typer(
    name="innersr",
    help="Super-resolve one image from the image itself.",
    epilog=examples("innersr upscale photo.jpg -o large.png --compare before-after.png")
    + "\n\nExit codes: 0 done, 1 a file failed, 2 wrong usage, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(inspect_app)
app.add_typer(kernel_app, name="kernel")
app.add_typer(prior_app, name="prior")
app.add_typer(singan_app, name="singan")
app.add_typer(train_app, name="train")

Tile = Annotated[
    str,
    typer.Option(
        help="Side of the tiles that the network works on, in pixels of the input: auto (what memory allows), 0 for "
        "the whole image at once. It leaves no seams.",
        rich_help_panel=PERFORMANCE,
    ),
]


def main() -> None:
    """Run the command line and exit: 0 done, 1 a file failed, 2 wrong usage, 130 interrupted."""
    try:
        app(prog_name="innersr")
    except SystemExit as leaving:
        if leaving.code == EXIT_CODE:
            exit_at_once()
        raise


@app.callback(invoke_without_command=True)
def common(
    version: Annotated[bool, typer.Option("--version", help="Say the version and exit.", is_eager=True)] = False,
) -> None:
    """Super-resolve one image from the image itself."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"innersr {version_of('innersr')}, torch {version_of('torch')}")
        raise typer.Exit


@app.command(
    cls=GroupedCommand,
    epilog=examples(
        "innersr upscale photo.jpg -o large.png -s 3",
        "innersr upscale grainy.jpg --keep-grain",
        "innersr upscale *.tif -o out/ --preset best",
        "innersr upscale bricks.png --wrap xy",
        "innersr upscale a.png --size 1920x --kernel gaussian:2.0 --compare look.png",
    ),
)
def upscale(  # noqa: PLR0913 (a command's options are its parameters)
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
    with reporting(as_json=as_json, quiet=quiet, verbose=verbose) as voice:
        from innersr.commands import UpscaleRequest, upscale_files

        request = UpscaleRequest(
            inputs=tuple(inputs),
            output=output,
            scale=scale,
            size=size,
            method=method,
            preset=preset,
            settings=tuple(settings or ()),
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
            compare=compare,
            overwrite=overwrite,
            run=_run(device, precision, seed, time_limit, tile),
        )
        raise typer.Exit(upscale_files(request, voice))


@app.command(
    cls=GroupedCommand,
    epilog=examples(
        "innersr bench set5 --methods bicubic,tailor,zssr:preset=best --out rows.jsonl",
        "innersr bench set5 set14 --degradations g2.0d,bicubic --scales 2,4",
        "innersr bench set14 --degradations random:0,bicubic+noise10+jpeg60 --told true,auto,gaussian:2.0",
    ),
)
def bench(  # noqa: PLR0913 (a command's options are its parameters)
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
    told: Annotated[
        str,
        typer.Option(
            help="What methods are told of an image: true (its degradation, but not that it was a JPEG), auto (what "
            "can be found out from it), bicubic, gaussian:VAR or kernel files, separated by commas."
        ),
    ] = "true",
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
    with reporting(as_json=False, quiet=quiet, verbose=verbose) as voice:
        from innersr import commands
        from innersr.benchmark import Plan
        from innersr.specs import parse_scale

        plan = Plan(
            folders=tuple(folders),
            methods=_listed(methods),
            degradations=_listed(degradations),
            told=_listed(told),
            scales=tuple(parse_scale(text) for text in _listed(scales)),
            limit=limit,
            pictures=pictures,
        )
        commands.bench(plan, _run(device, precision, seed, time_limit, tile), out, voice)


@app.command(epilog=examples("innersr doctor"))
def doctor() -> None:
    """Say the versions, devices and image formats of this installation."""
    with reporting() as voice:
        from importlib.metadata import version as version_of

        from innersr import commands

        commands.doctor(voice, version_of("innersr"))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _run(device: str, precision: str, seed: int, time_limit: float | None, tile: str) -> Run:
    from innersr.run import Run
    from innersr.specs import parse_tile

    return Run(device=device, precision=precision, seed=seed, time_limit=time_limit, tile=parse_tile(tile))
