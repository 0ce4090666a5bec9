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
    "predictor": "Train the blind estimator of blur, sharpening, noise and compression.",
    "mixture": "Train the policy of blind restoration: how far to rely on an estimate.",
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
            saving_option(metavar="FILE", help="The prior, .safetensors; state and log are written beside it."),
        ],
        extra: Annotated[
            list[Path] | None,
            data_option(metavar="DIR", help="Folder of other sharp images, such as graphics: 6 % of the crops."),
        ] = None,
        drawn: Annotated[
            int,
            data_option(
                min=0, help="Number of pictures of text, lines, spots and sprites to draw and add to the extra ones."
            ),
        ] = 0,
        validate: Annotated[
            Path | None, data_option(metavar="DIR", help="Folder of sharp images to measure on; the first 12 are used.")
        ] = None,
        steps: Annotated[int | None, learning_option(min=1, help="20000 by default.")] = None,
        batch: Annotated[
            int | None, learning_option(min=1, help="Crops per step (of mzsr, tasks), over all processes.")
        ] = None,
        settings: Settings = None,
        initial: Annotated[
            str | None, learning_option(metavar="PRIOR", help="Start from the weights of a prior: a name or a file.")
        ] = None,
        seed: Annotated[int, learning_option(min=0, help="Same seed and threads, same bytes.")] = 0,
        checkpoint_every: Annotated[
            int, saving_option(min=1, help="Steps between two saved states; at most five minutes.")
        ] = 1000,
        validate_every: Annotated[int, saving_option(min=1, help="Steps between two validations.")] = 1000,
        licence: Annotated[str | None, saving_option(help="Of the weights; recorded in the prior.")] = None,
        resume: Annotated[bool, saving_option("--resume", help="Continue an interrupted training.")] = False,
        may_change: Annotated[
            bool,
            saving_option(
                "--may-change",
                help="With --resume: steps, rates, batch, crops and data may differ from before; the log says so.",
            ),
        ] = False,
        overwrite: Annotated[bool, saving_option("--overwrite", help="Start anew over existing files.")] = False,
    ) -> None:
        pass

    shares = "threads device precision as_json quiet verbose"
    declared.__doc__ = COMMANDS[objective]
    command(train_app, objective, "train.train_prior", *lines, shares=shares, objective=objective)(declared)


for _objective in COMMANDS:
    _add_command(_objective)
