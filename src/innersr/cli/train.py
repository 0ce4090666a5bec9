"""The commands `innersr train`: networks that are trained on many images. Torch is imported once one runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import (
    Device,
    GroupedCommand,
    Json,
    Precision,
    Quiet,
    Threads,
    Verbose,
    examples,
    reporting,
)

train_app = typer.Typer(
    help="Train priors on folders of images.",
    epilog=examples("innersr train tailor --data photos --out mine.safetensors"),
    no_args_is_help=True,
    rich_markup_mode=None,
)

DATA, LEARNING, OUTPUT = "Data", "Learning", "Output"

Data = Annotated[
    list[Path],
    typer.Option(metavar="DIR", help="Folder of sharp images; may be repeated.", rich_help_panel=DATA),
]

Extra = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR",
        help="Folder of other sharp images, such as graphics and text: 6 % of the crops.",
        rich_help_panel=DATA,
    ),
]

Validate = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Folder of sharp images to measure on; the first 12 are taken.", rich_help_panel=DATA
    ),
]

Out = Annotated[
    Path,
    typer.Option(
        metavar="FILE",
        help="The prior to be, .safetensors; state, log and TensorBoard events lie beside it.",
        rich_help_panel=OUTPUT,
    ),
]

Steps = Annotated[int | None, typer.Option(min=1, help="20000 by default.", rich_help_panel=LEARNING)]

Batch = Annotated[
    int | None,
    typer.Option(min=1, help="Crops per step (of mzsr, tasks), of all processes together.", rich_help_panel=LEARNING),
]

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any setting of the objective or its schedule, such as width=32; may be repeated.",
        rich_help_panel=LEARNING,
    ),
]

Initial = Annotated[
    str | None,
    typer.Option(
        metavar="PRIOR", help="Start from the weights of a prior: a name or a file.", rich_help_panel=LEARNING
    ),
]

Seed = Annotated[int, typer.Option(min=0, help="Same seed, same bytes.", rich_help_panel=LEARNING)]

CheckpointEvery = Annotated[
    int, typer.Option(min=1, help="Steps between two saved states; at most five minutes.", rich_help_panel=OUTPUT)
]

ValidateEvery = Annotated[int, typer.Option(min=1, help="Steps between two validations.", rich_help_panel=OUTPUT)]
Licence = Annotated[str | None, typer.Option(help="Of the weights; stands in the prior.", rich_help_panel=OUTPUT)]

Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where a training was interrupted.", rich_help_panel=OUTPUT)
]

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Begin anew over existing files.", rich_help_panel=OUTPUT)]

COMMANDS = {
    "supervised": "Train on bicubic pairs, as MZSR begins.",
    "mzsr": "Train MZSR: weights that adapt in a few steps.",
    "tailor": "Train Tailor: one network that is told the kernel.",
    "predictor": "Train the blind estimator of kernel and noise.",
}

EXAMPLES = {
    "supervised": ("--data photos --out supervised.safetensors --set scale=4 --set crop=128",),
    "mzsr": ("--data photos --out mzsr.safetensors --initial supervised.safetensors",),
    "tailor": (
        "--data photos --extra graphics --validate kodak --out tailor.safetensors --steps 40000",
        "--data photos --out small.safetensors --set width=32 --set depth=6 --resume",
    ),
    "predictor": ("--data photos --validate kodak --out predictor.safetensors",),
}


def _add_command(objective: str) -> None:
    """Add the command of an objective; all take the same options."""

    @train_app.command(
        objective,
        cls=GroupedCommand,
        help=COMMANDS[objective],
        epilog=examples(*(f"innersr train {objective} {line}" for line in EXAMPLES[objective])),
    )
    def train(  # noqa: PLR0913 (a command's options are its parameters)
        data: Data,
        out: Out,
        extra: Extra = None,
        validate: Validate = None,
        steps: Steps = None,
        batch: Batch = None,
        settings: Settings = None,
        initial: Initial = None,
        seed: Seed = 0,
        checkpoint_every: CheckpointEvery = 1000,
        validate_every: ValidateEvery = 1000,
        licence: Licence = None,
        resume: Resume = False,
        overwrite: Overwrite = False,
        threads: Threads = None,
        device: Device = "auto",
        precision: Precision = "auto",
        as_json: Json = False,
        quiet: Quiet = False,
        verbose: Verbose = False,
    ) -> None:
        with reporting(as_json=as_json, quiet=quiet, verbose=verbose) as reporter:
            from innersr.commands.train import TrainRequest, train_prior
            from innersr.run import Run
            from innersr.settings import parse_settings
            from innersr.training.session import Outputs

            own = {"steps": steps, "batch": batch, "seed": seed}
            given = {name: str(value) for name, value in own.items() if value is not None}
            request = TrainRequest(
                objective=objective,
                data=tuple(data),
                extra=tuple(extra or ()),
                validate=validate,
                outputs=Outputs(prior=out, save_every=checkpoint_every, validate_every=validate_every),
                settings={**given, **parse_settings(settings or ())},
                threads=threads,
                licence=licence,
                initial=initial,
                resume=resume,
                overwrite=overwrite,
                run=Run(device=device, precision=precision, seed=seed),
            )
            raise typer.Exit(train_prior(request, reporter))


for _objective in COMMANDS:
    _add_command(_objective)
