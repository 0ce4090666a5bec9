"""The commands `innersr singan`: one picture is learnt, then used. Torch is imported once one runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import (
    INPUT,
    LEARNING,
    RESULT,
    Count,
    Device,
    GroupedCommand,
    Json,
    Model,
    Output,
    Overwrite,
    Precision,
    Quiet,
    Seed,
    Threads,
    Verbose,
    examples,
    reporting,
    run_of,
)
from innersr.cli.singan_manipulate import refine_app

singan_app = typer.Typer(
    help="Learn one picture, then make others of it (SinGAN).",
    epilog=examples(
        "innersr singan train balloons.png -o balloons",
        "innersr singan sample balloons -o samples/ -n 10",
        "innersr singan animate balloons -o balloons.webp",
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
)

singan_app.add_typer(refine_app)

ChanceFrom = Annotated[
    int,
    typer.Option(
        "--start-scale",
        min=0,
        metavar="K",
        help="Scale that chance begins at; 0, the coarsest, varies most, finer ones keep the picture's layout.",
        rich_help_panel=RESULT,
    ),
]

Size = Annotated[
    str | None,
    typer.Option(
        metavar="WIDTHxHEIGHT",
        help="Of the result, in pixels; that of the picture if not given.",
        rich_help_panel=RESULT,
    ),
]

Wrap = Annotated[
    str,
    typer.Option(
        metavar="AXES", help="x, y or xy: results that continue on their opposite side.", rich_help_panel=RESULT
    ),
]


@singan_app.command(
    "train",
    cls=GroupedCommand,
    epilog=examples(
        "innersr singan train balloons.png -o balloons",
        "innersr singan train rock1.jpg rock2.jpg -o rocks --max-size 400 --preview seen --report rocks.png",
        "innersr singan train balloons.png -o paper --preset paper --set iterations=500 --resume",
    ),
)
def train_command(  # noqa: PLR0913 (a command's options are its parameters)
    inputs: Annotated[
        list[Path], typer.Argument(metavar="IN", help="Image file; several are one subject.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="MODEL", help="Folder that the model is kept in.", rich_help_panel=INPUT
        ),
    ],
    preset: Annotated[str, typer.Option(help="fast, or paper: the published one.", rich_help_panel=LEARNING)] = "fast",
    max_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Pixels of the long side that are learnt; larger pictures are shrunk. 250 if not given.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any setting, such as iterations=1000; may be repeated.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for a sample and the reconstruction of each scale.", rich_help_panel=INPUT
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the report sheet at the end.", rich_help_panel=INPUT)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a training was interrupted.", rich_help_panel=INPUT)
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew over an existing model or file.", rich_help_panel=INPUT)
    ] = False,
    seed: Seed = 0,
    threads: Threads = None,
    device: Device = "auto",
    precision: Precision = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Learn the patches of a picture at every scale."""
    with reporting(as_json=as_json, quiet=quiet, verbose=verbose) as reporter:
        from innersr.commands.singan.train import TrainRequest, train_picture
        from innersr.settings import parse_settings

        given = {} if max_size is None else {"max_size": str(max_size)}
        request = TrainRequest(
            inputs=tuple(inputs),
            output=output,
            preset=preset,
            settings={**given, **parse_settings(settings or ())},
            preview=preview,
            report=report,
            resume=resume,
            overwrite=overwrite,
            threads=threads,
            run=run_of(device, seed, precision),
        )
        raise typer.Exit(train_picture(request, reporter))


@singan_app.command(
    "sample",
    cls=GroupedCommand,
    epilog=examples(
        "innersr singan sample balloons -o samples/ -n 20 --sheet samples.png",
        "innersr singan sample balloons -o wide.png --scale 1x2.5 --start-scale 1",
        "innersr singan sample bricks -o tile.png --size 512x512 --wrap xy",
        "innersr singan sample photo.jpg -o quick.png",
    ),
)
def sample_command(  # noqa: PLR0913 (a command's options are its parameters)
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="Folder of a learnt picture; or an image file, sampled by its patch statistics without learning.",
            show_default=False,
        ),
    ],
    output: Output,
    count: Count = 1,
    size: Size = None,
    scale: Annotated[
        str | None,
        typer.Option(
            help="Instead of a size: a factor, or vertical x horizontal, such as 1x2.5.", rich_help_panel=RESULT
        ),
    ] = None,
    start: ChanceFrom = 0,
    wrap: Wrap = "",
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw a contact sheet of the samples.", rich_help_panel=INPUT)
    ] = None,
    max_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Of an image file: pixels of the long side; 250 if not given.", rich_help_panel=RESULT
        ),
    ] = None,
    overwrite: Overwrite = False,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw random pictures of the subject, of any size."""
    with reporting(as_json=as_json, quiet=quiet) as reporter:
        from innersr.commands.singan.generate import SampleRequest, sample_pictures

        request = SampleRequest(
            model=model,
            output=output,
            count=count,
            size=size,
            scale=scale,
            start=start,
            wrap=wrap,
            sheet=sheet,
            max_size=max_size,
            overwrite=overwrite,
            run=run_of(device, seed),
        )
        sample_pictures(request, reporter)


@singan_app.command(
    "animate",
    cls=GroupedCommand,
    epilog=examples(
        "innersr singan animate lightning -o lightning.gif",
        "innersr singan animate balloons -o wide.mp4 --size 400x188 --start-scale 1 --frames 200 --fps 25",
    ),
)
def animate_command(  # noqa: PLR0913 (a command's options are its parameters)
    model: Model,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="A .gif, .webp or .mp4.", rich_help_panel=INPUT),
    ],
    frames: Annotated[int, typer.Option(min=1, help="How many.", rich_help_panel=RESULT)] = 100,
    fps: Annotated[float, typer.Option(help="Frames per second.", rich_help_panel=RESULT)] = 10.0,
    start: ChanceFrom = 0,
    strength: Annotated[
        float,
        typer.Option(
            help="How far the picture strays: 0 stands still, 1 is as published, more is wilder.",
            rich_help_panel=RESULT,
        ),
    ] = 1.0,
    smoothness: Annotated[
        float,
        typer.Option(help="Share of its motion that a frame keeps, below 1; larger is calmer.", rich_help_panel=RESULT),
    ] = 0.9,
    size: Size = None,
    loop: Annotated[
        bool, typer.Option("--loop/--no-loop", help="Whether the end meets the beginning.", rich_help_panel=RESULT)
    ] = True,
    wrap: Wrap = "",
    overwrite: Overwrite = False,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a film of the picture."""
    with reporting(as_json=as_json, quiet=quiet) as reporter:
        from innersr.commands.singan.generate import AnimateRequest, animate_picture

        request = AnimateRequest(
            model=model,
            output=output,
            frames=frames,
            fps=fps,
            start=start,
            strength=strength,
            smoothness=smoothness,
            size=size,
            loop=loop,
            wrap=wrap,
            overwrite=overwrite,
            run=run_of(device, seed),
        )
        animate_picture(request, reporter)


@singan_app.command(
    "score",
    cls=GroupedCommand,
    epilog=examples(
        "innersr singan score balloons -n 20",
        "innersr singan score balloons samples/sample-0.png samples/sample-1.png --json",
        "innersr singan score --real balloons.png other.png --inception inception.safetensors",
    ),
)
def score_command(  # noqa: PLR0913 (a command's options are its parameters)
    names: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL [SAMPLE]...",
            help="Folder of a learnt picture, and samples if they are not to be drawn; with --real samples only.",
            show_default=False,
        ),
    ],
    real: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Picture to compare with, in place of a model's.", rich_help_panel=INPUT),
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Samples to draw.", rich_help_panel=RESULT)] = 10,
    start: ChanceFrom = 0,
    inception: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Weights of Inception-v3 (torchvision's names, .safetensors) for the SIFID.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    layer: Annotated[
        str,
        typer.Option(help="Of the SIFID: before-second-pool or before-first-pool.", rich_help_panel=INPUT),
    ] = "before-second-pool",
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure how good samples are."""
    with reporting(as_json=as_json, quiet=quiet) as reporter:
        from innersr.commands.singan.generate import ScoreRequest, score_samples

        request = ScoreRequest(
            names=tuple(names),
            real=real,
            count=count,
            start=start,
            inception=inception,
            layer=layer,
            run=run_of(device, seed),
        )
        score_samples(request, reporter)


@singan_app.command("report", cls=GroupedCommand, epilog=examples("innersr singan report balloons -o report.png"))
def report_command(
    model: Model,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Image file.", rich_help_panel=INPUT)],
    overwrite: Overwrite = False,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw a sheet on what was learnt."""
    with reporting(as_json=as_json, quiet=quiet) as reporter:
        from innersr.commands.singan.generate import report_model

        report_model(model, output, overwrite, run_of(device, seed), reporter)
