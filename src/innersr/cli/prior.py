"""The commands `innersr prior`: which trained networks there are, what they are and where they come from."""

from __future__ import annotations

from typing import Annotated

import typer

from innersr.cli.options import Json, examples, reporting
from innersr.commands.prior import say_prior, say_priors

prior_app = typer.Typer(
    help="Look at priors: networks trained on many images.",
    epilog=examples("innersr prior list"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@prior_app.command("list", epilog=examples("innersr prior list"))
def prior_list(as_json: Json = False) -> None:
    """Say which priors come with this installation."""
    with reporting(as_json=as_json) as reporter:
        from innersr.networks.priors import packaged_priors

        say_priors(packaged_priors(), reporter)


@prior_app.command("show", epilog=examples("innersr prior show mine.safetensors"))
def prior_show(
    prior: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A name of the list, or a .safetensors file.")],
    as_json: Json = False,
) -> None:
    """Say a prior's network, training and validation, and its model card."""
    with reporting(as_json=as_json) as reporter:
        from innersr.networks.priors import describe_prior

        say_prior(prior, describe_prior(prior), reporter)
