"""The command `innersr export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import argument, command, quality_option

export_app = typer.Typer()  # of one command, which cli.app adds


@command(
    export_app,
    "export",
    "export.export_prior",
    "innersr export tailor tailor-x2.onnx",
    "innersr export tailor grey-x4.onnx -s 4 --kernel gaussian:2.0 --noise 3 --grey",
    "innersr export tailor any-x3.onnx -s 3 --any-degradation",
    shares="overwrite as_json quiet",
)
def export_command(  # noqa: PLR0913 (a command's options are its parameters)
    prior: Annotated[
        str,
        argument(
            metavar="NAME|PATH", help="A prior of `innersr prior list`, or a .safetensors file, --save-adapted's too."
        ),
    ],
    output: Annotated[Path, argument(metavar="OUT.onnx", help="The file to write.")],
    scale: Annotated[
        str | None, quality_option("--scale", "-s", help="A whole scale that the prior knows; 2 by default.")
    ] = None,
    kernel: Annotated[
        str,
        quality_option(
            help="The blur that the network undoes: bicubic, gaussian:VAR, gaussian:V1,V2,THETA (radians, or degrees "
            "as 35deg), or a kernel file."
        ),
    ] = "bicubic",
    anchor: Annotated[str, quality_option(help="Position of the kernel: aligned or centre.")] = "aligned",
    noise: Annotated[
        str | None, quality_option(metavar="LEVELS", help="Standard deviation of the noise in 8-bit levels.")
    ] = None,
    jpeg: Annotated[
        int | None, quality_option(min=1, max=100, metavar="QUALITY", help="JPEG quality of the images.")
    ] = None,
    grey: Annotated[bool, quality_option("--grey", help="For images of one channel.")] = False,
    any_degradation: Annotated[
        bool,
        quality_option(
            "--any-degradation",
            help="Make the degradation an input of the network, see docs/export.md; for Tailor's priors only.",
        ),
    ] = False,
) -> None:
    """Write a network as an ONNX file, and check it.

    Needs pip install '.[onnx]'.
    """
