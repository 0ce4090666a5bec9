"""The commands `innersr train`: networks that are trained on many images."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import Settings, command, group, learning_option

train_app = group(
    "Train priors on folders of images.",
    "innersr train tailor --data photos --out mine.safetensors",
)
data_option = partial(typer.Option, rich_help_panel="Data")
saving_option = partial(typer.Option, rich_help_panel="Output")

COMMANDS = {
    "supervised": "Train on bicubic pairs, MZSR's starting point.",
    "mzsr": "Train MZSR: weights that adapt in a few steps.",
    "tailor": "Train Tailor: one network conditioned on the degradation.",
    "predictor": "Train the blind estimator of blur, noise and compression.",
    "mixture": "Train how far blind restoration relies on an estimate.",
}

EXAMPLES = {
    "supervised": ("--data photos --out supervised.safetensors --set scale=4 --set crop=128",),
    "mzsr": ("--data photos --out mzsr.safetensors --initial supervised.safetensors",),
    "tailor": (
        "--data photos --extra graphics --validate kodak --out tailor.safetensors --steps 40000",
        "--data photos --out small.safetensors --set width=32 --set depth=6 --resume",
        "--data photos --drawn 80 --out real.safetensors --initial tailor --set chains=true --set depth=16",
    ),
    "predictor": ("--data photos --validate kodak --out predictor.safetensors",),
    "mixture": ("--data photos --steps 3000 --out mixture.safetensors",),
}


def _add_command(objective: str) -> None:
    """Add the command of an objective; all take the same options."""
    lines = (f"innersr train {objective} {line}" for line in EXAMPLES[objective])

    def declared(  # noqa: PLR0913 (a command's options are its parameters)
        data: Annotated[list[Path], data_option(metavar="DIR", help="Folder of sharp images; may be repeated.")],
        out: Annotated[
            Path,
            saving_option(
                metavar="FILE", help="The prior to write, .safetensors; state and log are written beside it."
            ),
        ],
        extra: Annotated[
            list[Path] | None,
            data_option(metavar="DIR", help="Folder of other sharp images, such as graphics; may be repeated."),
        ] = None,
        extra_share: Annotated[
            float, data_option(min=0, max=1, help="Share of the crops that are cut from --extra and drawn pictures.")
        ] = 0.06,
        drawn: Annotated[
            int,
            data_option(min=0, help="Number of pictures of text, lines, spots and sprites to draw and add to --extra."),
        ] = 0,
        validate: Annotated[
            Path | None,
            data_option(metavar="DIR", help="Folder of sharp images to validate on; the first 12 are used."),
        ] = None,
        steps: Annotated[int | None, learning_option(min=1, help="Training steps; 20000 by default.")] = None,
        batch: Annotated[
            int | None,
            learning_option(
                min=1, help="Crops per step over all processes (tasks of mzsr); the objective's by default."
            ),
        ] = None,
        settings: Settings = None,
        initial: Annotated[
            str | None, learning_option(metavar="PRIOR", help="Start from the weights of a prior: a name or a file.")
        ] = None,
        seed: Annotated[
            int, learning_option(min=0, help="Random seed; with the same number of threads it gives the same bytes.")
        ] = 0,
        checkpoint_every: Annotated[
            int, saving_option(min=1, help="Steps between two saved states; also saved every five minutes.")
        ] = 1000,
        validate_every: Annotated[int, saving_option(min=1, help="Steps between two validations.")] = 1000,
        licence: Annotated[str | None, saving_option(help="Licence of the weights, recorded in the prior.")] = None,
        resume: Annotated[bool, saving_option("--resume", help="Continue an interrupted training.")] = False,
        may_change: Annotated[
            bool,
            saving_option(
                "--may-change",
                help="With --resume, allow other steps, rates, batch, crops and data than before; the log records it.",
            ),
        ] = False,
        overwrite: Annotated[
            bool, saving_option("--overwrite", help="Start anew, and replace existing files.")
        ] = False,
    ) -> None:
        pass

    shares = "threads device precision as_json quiet verbose"
    declared.__doc__ = COMMANDS[objective]
    command(train_app, objective, "train.train_prior", *lines, shares=shares, objective=objective)(declared)


for _objective in COMMANDS:
    _add_command(_objective)
