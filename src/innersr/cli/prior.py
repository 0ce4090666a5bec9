"""The commands `innersr prior`."""

from __future__ import annotations

from typing import Annotated

import typer

from innersr.cli.options import Json, command, group

prior_app = group("Look at priors: networks trained on many images.", "innersr prior list")


@command(prior_app, "list", "prior.list_priors", "innersr prior list")
def list_command(as_json: Json = False) -> None:
    """List the priors that come with this installation."""


@command(prior_app, "show", "prior.show_prior", "innersr prior show mine.safetensors")
def show_command(
    prior: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A name of the list, or a .safetensors file.")],
    as_json: Json = False,
) -> None:
    """Print a prior's network, training and validation, and its model card."""
