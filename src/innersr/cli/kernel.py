"""The commands `innersr kernel`: blur kernels, shown, compared, estimated, converted. Torch comes once one runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import Device, GroupedCommand, Json, Overwrite, Quiet, Seed, TimeLimit, examples, reporting

kernel_app = typer.Typer(
    help="Look at blur kernels, estimate them, convert them.",
    epilog=examples("innersr kernel show gaussian:2.0"),
    no_args_is_help=True,
    rich_markup_mode=None,
)

KERNEL = "A kernel file, FILE#3 for the third in it, bicubic, or gaussian:VAR."


@kernel_app.command(
    "show",
    epilog=examples(
        "innersr kernel show kernel.mat --plot kernel.png",
        "innersr kernel show estimate.npy truth.npy --plot both.png",
    ),
)
def kernel_show(
    kernel: Annotated[str, typer.Argument(help=KERNEL, show_default=False)],
    other: Annotated[str | None, typer.Argument(help="Another one that it is compared with.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw it into this image file; two side by side.")] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Say a kernel's size, variances, angle and centre, and sketch it; of two, how they differ."""
    with reporting(as_json=as_json) as reporter:
        from innersr.commands import kernel as kernel_commands

        if other is None:
            kernel_commands.show_kernel(kernel, plot, overwrite, reporter)
        else:
            kernel_commands.compare_kernels((kernel, other), plot, overwrite, reporter)


@kernel_app.command(
    "estimate",
    cls=GroupedCommand,
    epilog=examples(
        "innersr kernel estimate photo.jpg",
        "innersr kernel estimate photo.jpg -o kernel.npy --plot kernel.png",
        "innersr kernel estimate photo.jpg -s 4 --method kernelgan --time-limit 120",
    ),
)
def kernel_estimate(  # noqa: PLR0913 (a command's options are its parameters)
    source: Annotated[Path, typer.Argument(metavar="IN", help="An image file.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The kernel, as .npy, .mat, .png or .txt."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it into this image file.")] = None,
    scale: Annotated[
        str, typer.Option("--scale", "-s", help="That the image is to be upscaled by: its kernel is as wide.")
    ] = "2",
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            help="fast (as `innersr upscale` does, within a second) or kernelgan (learns for half a minute, finds "
            "a kernel of any form).",
        ),
    ] = "fast",
    overwrite: Overwrite = False,
    device: Device = "auto",
    seed: Seed = 0,
    time_limit: TimeLimit = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Estimate the kernel that has blurred an image, from the image alone."""
    with reporting(as_json=as_json, quiet=quiet) as reporter:
        from innersr.commands import kernel as kernel_commands
        from innersr.physics.geometry import parse_scale
        from innersr.run import Run

        request = kernel_commands.EstimateRequest(
            source=source,
            output=output,
            plot=plot,
            scale=parse_scale(scale),
            method=method,
            overwrite=overwrite,
            run=Run(device=device, seed=seed, time_limit=time_limit),
        )
        kernel_commands.estimate_kernel(request, reporter)


@kernel_app.command("convert", epilog=examples("innersr kernel convert k.mat k.npy --convention fkp --scale 4"))
def kernel_convert(
    source: Annotated[str, typer.Argument(help=KERNEL, show_default=False)],
    target: Annotated[Path, typer.Argument(help=".npy, .mat, .png or .txt.", show_default=False)],
    convention: Annotated[
        str | None,
        typer.Option(help="Move the centre of mass: centred, kernelgan (kernel_shift) or fkp; unchanged if not given."),
    ] = None,
    scale: Annotated[float, typer.Option("--scale", "-s", min=1, max=100, help="That the convention is for.")] = 2.0,
    overwrite: Overwrite = False,
) -> None:
    """Write a kernel in another format or convention."""
    with reporting():
        from innersr.commands import kernel as kernel_commands

        kernel_commands.convert_kernel(source, target, convention, scale, overwrite)
