"""The commands `innersr singan`: learn one picture, then make others of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from innersr.cli.options import (
    Count,
    Model,
    Output,
    Settings,
    argument,
    command,
    group,
    input_option,
    learning_option,
    output_option,
    result_option,
)
from innersr.cli.singan_manipulate import manipulate_app
from innersr.cli.singan_patches import patches_app

singan_app = group(
    "Learn one picture, then make others of it (SinGAN).",
    "innersr singan sample balloons.png -o samples/ -n 10",
    "innersr singan train balloons.png -o balloons",
    "innersr singan animate balloons.png -o balloons.webp",
)

singan_app.add_typer(patches_app)
singan_app.add_typer(manipulate_app)

RandomFrom = Annotated[
    int,
    result_option(
        "--start-scale",
        min=0,
        metavar="K",
        help="Scale at which randomness starts: 0, the coarsest, varies most; later ones keep the layout.",
    ),
]
Size = Annotated[
    str | None,
    result_option(metavar="WIDTHxHEIGHT", help="Size of the result in pixels; by default that of the picture."),
]
MaxSize = Annotated[
    int | None,
    result_option(min=1, help="Long side in pixels that an image file is shrunk to; 250 by default."),
]
Engine = Annotated[
    str,
    result_option(help="What to draw with: patches (of the picture, without training) or network (of a model)."),
]
Wrap = Annotated[str, result_option(metavar="AXES", help="Axes, x, y or xy, along which the result is seamless.")]


@command(
    singan_app,
    "train",
    "singan.train.train_picture",
    "innersr singan train balloons.png -o balloons",
    "innersr singan train rock1.jpg rock2.jpg -o rocks --max-size 400 --preview seen --report rocks.png",
    "innersr singan train balloons.png -o paper --preset paper --set iterations=500 --resume",
    shares="seed device precision threads as_json quiet verbose",
)
def train_command(  # noqa: PLR0913 (a command's options are its parameters)
    inputs: Annotated[list[Path], argument(metavar="IN", help="Image file; several show one subject.")],
    output: Annotated[Path, output_option(metavar="MODEL", help="Folder for the model.")],
    preset: Annotated[
        str, learning_option(help="Speed or quality: draft, balanced, best, or paper (as published).")
    ] = "balanced",
    max_size: Annotated[
        int | None,
        learning_option(min=1, help="Long side in pixels that larger pictures are shrunk to; 250 by default."),
    ] = None,
    settings: Settings = None,
    preview: Annotated[
        Path | None, input_option(metavar="DIR", help="Folder for a sample and the reconstruction of each scale.")
    ] = None,
    report: Annotated[
        Path | None, input_option(metavar="FILE", help="Image file for the sheet of `innersr singan report`.")
    ] = None,
    resume: Annotated[bool, input_option("--resume", help="Continue an interrupted training.")] = False,
    overwrite: Annotated[
        bool, input_option("--overwrite", help="Start anew, and replace an existing model and files.")
    ] = False,
) -> None:
    """Learn the patches of a picture at every scale."""


@command(
    singan_app,
    "sample",
    "singan.generate.sample_pictures",
    "innersr singan sample photo.jpg -o samples/ -n 20 --sheet samples.png",
    "innersr singan sample photo.jpg -o wide.png --scale 2.5x1 --start-scale 1",
    "innersr singan sample rock.jpg sea.jpg -o samples/ -n 5 --time-limit 10",
    "innersr singan sample bricks.jpg -o tile.png --size 512x512 --wrap xy",
    "innersr singan sample balloons -o learned.png --engine network",
    shares="overwrite seed device time_limit as_json quiet",
)
def sample_command(  # noqa: PLR0913 (a command's options are its parameters)
    models: Annotated[list[Path], argument(metavar="MODEL...", help="Image files, or folders of models.")],
    output: Output,
    count: Count = 1,
    size: Size = None,
    scale: Annotated[
        str | None, result_option(help="Instead of a size: a factor, or width x height, such as 2.5x1.")
    ] = None,
    start: RandomFrom = 0,
    wrap: Wrap = "",
    sheet: Annotated[Path | None, input_option(metavar="FILE", help="Draw a contact sheet of the samples.")] = None,
    max_size: MaxSize = None,
    engine: Engine = "patches",
) -> None:
    """Draw random pictures of the subject, of any size."""


@command(
    singan_app,
    "animate",
    "singan.generate.animate_picture",
    "innersr singan animate photo.jpg -o photo.webp",
    "innersr singan animate photo.jpg -o wide.mp4 --size 400x188 --start-scale 1 --frames 200 --fps 25",
    "innersr singan animate lightning -o lightning.gif --engine network",
    shares="overwrite seed device as_json quiet",
)
def animate_command(  # noqa: PLR0913 (a command's options are its parameters)
    model: Annotated[Path, argument(metavar="MODEL", help="Image file, or folder of a model.")],
    output: Annotated[Path, output_option(metavar="FILE", help="File to write: .gif, .webp or .mp4.")],
    frames: Annotated[int, result_option(min=1, help="Number of frames.")] = 100,
    fps: Annotated[float, result_option(help="Frames per second.")] = 10.0,
    start: RandomFrom = 0,
    strength: Annotated[
        float, result_option(help="How far the picture moves: 0 stands still, 1 is as published.")
    ] = 1.0,
    smoothness: Annotated[
        float, result_option(help="Share of its motion that a frame passes on, below 1; larger is calmer.")
    ] = 0.9,
    size: Size = None,
    loop: Annotated[bool, result_option("--loop/--no-loop", help="Whether the end meets the beginning.")] = True,
    wrap: Wrap = "",
    max_size: MaxSize = None,
    engine: Engine = "patches",
) -> None:
    """Make a film of the picture."""


@command(
    singan_app,
    "score",
    "singan.score.score_samples",
    "innersr singan score balloons -n 20",
    "innersr singan score samples/ --of balloons.png",
    "innersr singan score balloons sample-0.png sample-1.png --inception inception.safetensors --json",
    shares="seed device as_json quiet",
)
def score_command(  # noqa: PLR0913 (a command's options are its parameters)
    names: Annotated[
        list[Path],
        argument(
            metavar="[MODEL] [SAMPLE]...",
            help="Folder of a model, unless --of is given; then samples, files or folders of them, unless they are to "
            "be drawn.",
        ),
    ],
    of: Annotated[
        Path | None, input_option(metavar="PICTURE", help="Picture to compare with, in place of a model's.")
    ] = None,
    count: Annotated[int, result_option("--count", "-n", min=1, help="Number of samples to draw.")] = 10,
    start: RandomFrom = 0,
    judge: Annotated[
        bool,
        input_option(
            "--judge/--no-judge", help="Whether to measure the feature distance; needs pip install '.[judge]'."
        ),
    ] = True,
    inception: Annotated[
        Path | None,
        input_option(metavar="FILE", help="Weights of Inception-v3 (torchvision's names, .safetensors) for the SIFID."),
    ] = None,
    layer: Annotated[
        str, input_option(help="Features of the SIFID: before-second-pool or before-first-pool.")
    ] = "before-second-pool",
) -> None:
    """Measure how good samples are."""


@command(
    singan_app,
    "report",
    "singan.generate.report_model",
    "innersr singan report balloons -o report.png",
    shares="overwrite seed device as_json quiet",
)
def report_command(
    model: Model,
    output: Annotated[Path, output_option(metavar="FILE", help="Image file to write.")],
) -> None:
    """Draw a sheet of a model's picture, samples and training."""
