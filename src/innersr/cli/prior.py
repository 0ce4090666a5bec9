"""The commands `innersr prior`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import argument, command, group, input_option, output_option

prior_app = group("Look at priors, and exchange them.", "innersr prior list")


@command(prior_app, "list", "prior.list_priors", "innersr prior list", shares="as_json")
def prior_list() -> None:
    """List the priors that come with this installation."""


@command(prior_app, "show", "prior.show_prior", "innersr prior show mine.safetensors", shares="as_json")
def prior_show(
    prior: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A name of the list, or a .safetensors file.")],
) -> None:
    """Print a prior's network, training and validation, and its model card."""


@command(
    prior_app,
    "push",
    "prior.push",
    "innersr prior push mine.safetensors somebody/tailor-microscopy --private",
    shares="as_json quiet",
)
def prior_push(
    prior: Annotated[str, argument(metavar="NAME|PATH", help="A name of the list, or a .safetensors file.")],
    repository: Annotated[str, argument(metavar="OWNER/NAME", help="A repository, made unless it is there.")],
    is_private: Annotated[bool, input_option("--private", help="A repository that is made is private.")] = False,
) -> None:
    """Put a prior and its model card on the Hugging Face Hub.

    It needs pip install '.[hub]'; log in with hf auth login.
    """


@command(
    prior_app,
    "pull",
    "prior.pull",
    "innersr prior pull somebody/tailor-microscopy -o mine.safetensors",
    "innersr prior pull somebody/tailor-microscopy@v2",
    shares="overwrite as_json quiet",
)
def prior_pull(
    repository: Annotated[
        str, argument(metavar="OWNER/NAME[@REVISION]", help="A repository; a commit, tag or branch.")
    ],
    output: Annotated[
        Path | None, output_option(metavar="FILE", help="NAME.safetensors in this folder when not given.")
    ] = None,
) -> None:
    """Get a prior and its model card from the Hugging Face Hub; it is checked, and runs no code."""
