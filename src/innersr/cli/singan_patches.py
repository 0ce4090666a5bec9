"""The commands `innersr singan inpaint` and `restyle`, which need no training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import Count, Output, argument, command, input_option, result_option

patches_app = typer.Typer(rich_markup_mode=None)


@command(
    patches_app,
    "inpaint",
    "singan.patches.inpaint_picture",
    "innersr singan inpaint photo.jpg --mask hole.png -o filled.png",
    "innersr singan inpaint photo.jpg --mask hole.png -o fillings/ -n 4",
    shares="overwrite seed device as_json quiet",
)
def inpaint_command(
    picture: Annotated[Path, argument(metavar="PICTURE", help="Image file.")],
    output: Output,
    mask: Annotated[
        Path, input_option("--mask", metavar="MASK", help="Image file, white where the picture is to be filled.")
    ],
    count: Count = 1,
) -> None:
    """Fill a hole in a picture with patches from around it."""


@command(
    patches_app,
    "restyle",
    "singan.patches.restyle_picture",
    "innersr singan restyle layout.png --like photo.jpg -o analogy.png",
    "innersr singan restyle layout.png --like photo.jpg -o analogy.png --start-scale 1",
    shares="overwrite seed device as_json quiet",
)
def restyle_command(  # noqa: PLR0913 (a command's options are its parameters)
    layout: Annotated[Path, argument(metavar="LAYOUT", help="Image file whose layout is kept.")],
    output: Output,
    like: Annotated[Path, input_option("--like", metavar="PICTURE", help="Image file whose patches are used.")],
    start: Annotated[
        int | None,
        result_option(
            "--start-scale",
            min=0,
            metavar="K",
            help="Scale at which the layout enters: 0 changes most; by default a third of the way to the finest.",
        ),
    ] = None,
    max_size: Annotated[
        int | None, result_option(min=1, help="Long side in pixels that PICTURE is shrunk to; 250 by default.")
    ] = None,
) -> None:
    """Give a layout the patches of another picture."""
