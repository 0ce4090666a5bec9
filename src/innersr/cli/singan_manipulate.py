"""The commands `innersr singan paint`, `edit` and `harmonize`, with patches or the network of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import Count, Output, argument, command, result_option

manipulate_app = typer.Typer(rich_markup_mode=None)

WORK = "singan.manipulate.manipulate_picture"
Start = Annotated[
    int | None,
    result_option(
        "--start-scale",
        min=1,
        metavar="K",
        help="Scale at which the picture enters: 1 changes most, the finest least; chosen by default.",
    ),
]
AllScales = Annotated[
    bool, result_option("--all-scales", help="Draw a contact sheet with one result per scale into PATH.")
]
Subject = Annotated[Path, argument(metavar="MODEL", help="Folder of a model, or the picture itself: an image file.")]
Engine = Annotated[
    str | None,
    result_option(
        help="What to work with: patches (of the picture; the default for paint, edit and image files) or network (of "
        "a model)."
    ),
]
MaxSize = Annotated[
    int | None,
    result_option(min=1, help="Long side in pixels that an image file is shrunk to; 250 by default."),
]
Mask = Annotated[Path, argument(metavar="MASK", help="Image file, white where the picture was changed.")]


@command(
    manipulate_app,
    "paint",
    WORK,
    "innersr singan paint cows.png blots.png -o sheet.png --all-scales",
    "innersr singan paint cows.png blots.png -o painted.png --start-scale 2",
    "innersr singan paint cows blots.png -o cows/ -n 4 --colours 5",
    kind="paint",
    shares="overwrite seed device precision as_json quiet",
)
def paint_command(  # noqa: PLR0913 (a command's options are its parameters)
    model: Subject,
    picture: Annotated[Path, argument(metavar="PAINTING", help="Image file: blots in the picture's colours.")],
    output: Output,
    start: Start = None,
    all_scales: AllScales = False,
    colours: Annotated[
        int | None,
        result_option(min=1, metavar="N", help="Train the scale again on N colours, for paintings in other colours."),
    ] = None,
    count: Count = 1,
    engine: Engine = None,
    max_size: MaxSize = None,
) -> None:
    """Turn a painting into a picture of the subject."""


@command(
    manipulate_app,
    "edit",
    WORK,
    "innersr singan edit stone.png edited.png mask.png -o sheet.png --all-scales",
    "innersr singan edit stone.png edited.png mask.png -o joined.png --start-scale 2",
    kind="edit",
    shares="overwrite seed device as_json quiet",
)
def edit_command(  # noqa: PLR0913 (a command's options are its parameters)
    model: Subject,
    picture: Annotated[Path, argument(metavar="EDITED", help="Image file: the picture with parts copied or moved.")],
    mask: Mask,
    output: Output,
    start: Start = None,
    all_scales: AllScales = False,
    count: Count = 1,
    engine: Engine = None,
    max_size: MaxSize = None,
) -> None:
    """Blend in copied or moved parts of the picture."""


@command(
    manipulate_app,
    "harmonize",
    WORK,
    "innersr singan harmonize scream composite.png mask.png -o sheet.png --all-scales",
    "innersr singan harmonize scream composite.png mask.png -o scream.png --start-scale 5 --fine-tune 300",
    kind="harmonize",
    shares="overwrite seed device precision as_json quiet",
)
def harmonize_command(  # noqa: PLR0913 (a command's options are its parameters)
    model: Subject,
    picture: Annotated[
        Path, argument(metavar="COMPOSITE", help="Image file: the picture with an object pasted on it.")
    ],
    mask: Mask,
    output: Output,
    start: Start = None,
    all_scales: AllScales = False,
    fine_tune: Annotated[
        int | None,
        result_option(
            min=1, metavar="ITERATIONS", help="First train the scales from the start scale on with the composite."
        ),
    ] = None,
    count: Count = 1,
    engine: Engine = None,
    max_size: MaxSize = None,
) -> None:
    """Give a pasted object the picture's texture."""
