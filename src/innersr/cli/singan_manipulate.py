"""The commands `innersr singan paint`, `edit`, `harmonize`: what they take. Torch is imported once one runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import (
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
    examples,
    reporting,
    run_of,
)

refine_app = typer.Typer(rich_markup_mode=None)

Start = Annotated[
    int | None,
    typer.Option(
        "--start-scale",
        min=1,
        metavar="K",
        help="Scale that the picture is put in at: 1 changes most, the finest only texture.",
        rich_help_panel=RESULT,
    ),
]

AllScales = Annotated[
    bool,
    typer.Option(
        "--all-scales", help="Draw a contact sheet, one result for each scale, into PATH.", rich_help_panel=RESULT
    ),
]

Mask = Annotated[Path, typer.Argument(metavar="MASK", help="White where it was changed.", show_default=False)]


@refine_app.command(
    "paint",
    cls=GroupedCommand,
    epilog=examples(
        "innersr singan paint cows blots.png -o sheet.png --all-scales",
        "innersr singan paint cows blots.png -o cows.png --start-scale 2",
        "innersr singan paint cows blots.png -o cows/ -n 4 --colours 5",
    ),
)
def paint_command(  # noqa: PLR0913 (a command's options are its parameters)
    model: Model,
    painting: Annotated[
        Path, typer.Argument(metavar="PAINTING", help="Blots in the picture's colours.", show_default=False)
    ],
    output: Output,
    start: Start = None,
    all_scales: AllScales = False,
    colours: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Train the scale once more, on pictures in N colours: for paintings whose colours are off.",
            rich_help_panel=RESULT,
        ),
    ] = None,
    count: Count = 1,
    overwrite: Overwrite = False,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn a painting into a picture of the subject."""
    with reporting(as_json=as_json, quiet=quiet) as reporter:
        from innersr.commands.singan.manipulate import RefineRequest, refine_picture

        request = RefineRequest(
            command="paint",
            model=model,
            picture=painting,
            output=output,
            start=start,
            all_scales=all_scales,
            count=count,
            colours=colours,
            overwrite=overwrite,
            run=run_of(device, seed, precision),
        )
        refine_picture(request, reporter)


@refine_app.command(
    "edit",
    cls=GroupedCommand,
    epilog=examples(
        "innersr singan edit stone edited.png mask.png -o sheet.png --all-scales",
        "innersr singan edit stone edited.png mask.png -o stone.png --start-scale 4",
    ),
)
def edit_command(  # noqa: PLR0913 (a command's options are its parameters)
    model: Model,
    edited: Annotated[
        Path,
        typer.Argument(metavar="EDITED", help="The picture, with parts copied or moved.", show_default=False),
    ],
    mask: Mask,
    output: Output,
    start: Start = None,
    all_scales: AllScales = False,
    count: Count = 1,
    overwrite: Overwrite = False,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Blend in copied or moved parts of the picture."""
    with reporting(as_json=as_json, quiet=quiet) as reporter:
        from innersr.commands.singan.manipulate import RefineRequest, refine_picture

        request = RefineRequest(
            command="edit",
            model=model,
            picture=edited,
            mask=mask,
            output=output,
            start=start,
            all_scales=all_scales,
            count=count,
            overwrite=overwrite,
            run=run_of(device, seed),
        )
        refine_picture(request, reporter)


@refine_app.command(
    "harmonize",
    cls=GroupedCommand,
    epilog=examples(
        "innersr singan harmonize scream composite.png mask.png -o sheet.png --all-scales",
        "innersr singan harmonize scream composite.png mask.png -o scream.png --start-scale 5 --fine-tune 300",
    ),
)
def harmonize_command(  # noqa: PLR0913 (a command's options are its parameters)
    model: Model,
    composite: Annotated[
        Path, typer.Argument(metavar="COMPOSITE", help="The picture, with an object on it.", show_default=False)
    ],
    mask: Mask,
    output: Output,
    start: Start = None,
    all_scales: AllScales = False,
    fine_tune: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="ITERATIONS",
            help="Train the scales from there on with the composite before, so that they change it more.",
            rich_help_panel=RESULT,
        ),
    ] = None,
    count: Count = 1,
    overwrite: Overwrite = False,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Give a pasted object the picture's texture."""
    with reporting(as_json=as_json, quiet=quiet) as reporter:
        from innersr.commands.singan.manipulate import RefineRequest, refine_picture

        request = RefineRequest(
            command="harmonize",
            model=model,
            picture=composite,
            mask=mask,
            output=output,
            start=start,
            all_scales=all_scales,
            count=count,
            fine_tune=fine_tune,
            overwrite=overwrite,
            run=run_of(device, seed, precision),
        )
        refine_picture(request, reporter)
