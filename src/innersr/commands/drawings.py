"""Drawings that commands write: checked before the work, saved after it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from innersr.images.conversions import image_from
from innersr.images.io import check_writable, save
from innersr.paths import check_apart
from innersr.plots.sheets import Pixels


def check_drawing(path: Path, others: Iterable[Path], *, overwrite: bool) -> None:
    """Make sure that a drawing can be written, and not over other files of the command."""
    check_apart(path, others)
    check_writable(path, depth="uint8", bands=3, has_alpha=False, overwrite=overwrite)


def save_drawing(pixels: Pixels, path: Path, *, overwrite: bool) -> None:
    """Write a drawing."""
    save(image_from(pixels)[0], path, overwrite=overwrite)
