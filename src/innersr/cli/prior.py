"""The commands `innersr prior`."""

from __future__ import annotations

from typing import Annotated

import typer

from innersr.cli.options import command, group

prior_app = group("Look at priors: networks trained on many images.", "innersr prior list")


@command(prior_app, "list", "prior.list_priors", "innersr prior list", shares="as_json")
def prior_list() -> None:
    """List the priors that come with this installation."""


@command(prior_app, "show", "prior.show_prior", "innersr prior show mine.safetensors", shares="as_json")
def prior_show(
    prior: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A name of the list, or a .safetensors file.")],
) -> None:
    """Print a prior's network, training and validation, and its model card."""
