"""What the commands of SinGAN take alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from innersr.cli_shared import PERFORMANCE

if TYPE_CHECKING:
    from innersr.run import Run

INPUT, LEARNING, RESULT = "Input and output", "Learning", "Result"  # panels of the help

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a learnt picture.", show_default=False)]
Output = Annotated[
    str,
    typer.Option("--output", "-o", metavar="PATH", help="File, or folder (out/ is created).", rich_help_panel=INPUT),
]
Count = Annotated[int, typer.Option("--count", "-n", min=1, help="How many results.", rich_help_panel=RESULT)]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same bytes.", rich_help_panel=PERFORMANCE)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.", rich_help_panel=INPUT)]


def run_of(device: str, seed: int, precision: str = "auto") -> Run:
    """Return the circumstances that the options name."""
    from innersr.run import Run

    return Run(device=device, precision=precision, seed=seed)
