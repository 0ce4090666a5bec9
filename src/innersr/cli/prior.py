"""The commands `innersr prior`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from innersr.cli.options import argument, command, group, input_option, output_option

prior_app = group("List, show, publish and download priors.", "innersr prior list", "innersr prior show tailor")


@command(prior_app, "list", "prior.list_priors", "innersr prior list", shares="as_json")
def prior_list() -> None:
    """List the priors that come with this installation."""


@command(prior_app, "show", "prior.show_prior", "innersr prior show mine.safetensors", shares="as_json")
def prior_show(
    prior: Annotated[
        str, argument(metavar="NAME|PATH", help="A prior of `innersr prior list`, or a .safetensors file.")
    ],
) -> None:
    """Print a prior's network, training, validation and model card."""


@command(
    prior_app,
    "push",
    "prior.push",
    "innersr prior push mine.safetensors somebody/tailor-microscopy --private",
    shares="as_json quiet",
)
def prior_push(
    prior: Annotated[
        str, argument(metavar="NAME|PATH", help="A prior of `innersr prior list`, or a .safetensors file.")
    ],
    repository: Annotated[
        str, argument(metavar="OWNER/NAME", help="Repository, which is created if it does not exist.")
    ],
    is_private: Annotated[
        bool, input_option("--private", help="Make the repository private if it is created.")
    ] = False,
) -> None:
    """Publish a prior and its model card on the Hugging Face Hub.

    Needs pip install '.[hub]'; log in with hf auth login.
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
        str, argument(metavar="OWNER/NAME[@REVISION]", help="Repository, and a commit, tag or branch of it.")
    ],
    output: Annotated[
        Path | None, output_option(metavar="FILE", help="File to write; by default NAME.safetensors in this folder.")
    ] = None,
) -> None:
    """Download a prior and its model card from the Hugging Face Hub.

    The file is checked, and runs no code. Needs pip install '.[hub]'.
    """
