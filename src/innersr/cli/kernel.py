"""The commands `innersr kernel`: show, compare, estimate and convert blur kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import Source, argument, command, group, input_option, output_option

kernel_app = group(
    "Show, estimate and convert blur kernels.",
    "innersr kernel show gaussian:2.0",
    "innersr kernel estimate photo.jpg -o kernel.npy",
    "innersr kernel convert kernel.mat kernel.npy",
)

Kernel = Annotated[
    str,
    argument(
        metavar="KERNEL",
        help="A kernel file, FILE#3 for the third in it, FILE#NAME for a variable; bicubic, gaussian:VAR, or "
        "gaussian:V1,V2,THETA (variances in px^2; radians, or degrees as 35deg).",
    ),
]


@command(
    kernel_app,
    "show",
    "kernel.show_kernel",
    "innersr kernel show kernel.mat --plot kernel.png",
    "innersr kernel show estimate.npy truth.npy --plot both.png",
    shares="overwrite as_json",
)
def kernel_show(
    kernel: Kernel,
    other: Annotated[str | None, typer.Argument(metavar="OTHER", help="A second kernel to compare with.")] = None,
    plot: Annotated[
        Path | None, input_option(metavar="FILE", help="Image file to draw; two kernels are drawn side by side.")
    ] = None,
) -> None:
    """Print and sketch a kernel, or compare two."""


@command(
    kernel_app,
    "estimate",
    "kernel.estimate_kernel",
    "innersr kernel estimate photo.jpg",
    "innersr kernel estimate photo.jpg -o kernel.npy --plot kernel.png",
    "innersr kernel estimate photo.jpg -s 4 --method kernelgan --time-limit 120",
    shares="overwrite seed device time_limit as_json quiet",
)
def kernel_estimate(
    source: Source,
    output: Annotated[
        Path | None, output_option(metavar="FILE", help="File to write: .npy, .mat, .txt, .csv, .tif or .png.")
    ] = None,
    plot: Annotated[Path | None, input_option(metavar="FILE", help="Image file to draw the kernel into.")] = None,
    scale: Annotated[
        str, typer.Option("--scale", "-s", help="Scale that the image will be upscaled by; the kernel is on that grid.")
    ] = "2",
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            help="fast (as `innersr upscale`, within a second) or kernelgan (trains for half a minute, finds a kernel "
            "of any shape).",
        ),
    ] = "fast",
) -> None:
    """Estimate the kernel that blurred an image."""


@command(
    kernel_app,
    "convert",
    "kernel.convert_kernel",
    "innersr kernel convert k.mat k.npy --convention fkp --scale 4",
    shares="overwrite as_json quiet",
)
def kernel_convert(
    source: Kernel,
    target: Annotated[Path, argument(metavar="FILE", help="File to write: .npy, .mat, .txt, .csv, .tif or .png.")],
    convention: Annotated[
        str | None,
        typer.Option(help="Move the centre of mass: centred, kernelgan (kernel_shift) or fkp; by default it stays."),
    ] = None,
    scale: Annotated[float, typer.Option("--scale", "-s", min=1, max=100, help="Scale of the convention.")] = 2.0,
) -> None:
    """Write a kernel in another format or convention."""
