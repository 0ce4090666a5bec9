"""Image folders as lists of sharp images. Knows nothing about methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from innersr.errors import ImageFileError, InputError
from innersr.images.io import read, readable_suffixes
from innersr.physics.resize import Scale, as_pair


@dataclass(frozen=True, kw_only=True)
class FolderImage:
    """One image of a folder: the folder's name, and the file."""

    folder: str
    path: Path


def find_images(folders: Sequence[Path]) -> list[FolderImage]:
    """Find the sharp images of folders, sorted within each.

    Where a folder has files whose stem ends in "HR" (SelfExSR's img_001_SRF_2_HR.png), those are the images and
    the rest are not; else every image file is one. Subfolders are not entered.

    Raises:
        InputError: a folder is missing or has no images, or two folders have the same name.
    """
    entries: list[FolderImage] = []
    for resolved, folder in {folder.resolve(): folder for folder in folders}.items():
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; give folders of sharp images")
        files = sorted(f for f in folder.iterdir() if _is_image_name(f.name) and f.is_file())
        sharp = [f for f in files if f.stem.upper().endswith("_HR")] or files
        if not sharp:
            raise InputError(f"{folder}: no images in it ({', '.join(readable_suffixes())})")
        name = "/".join(resolved.parts[-2:])
        if any(entry.folder == name for entry in entries):
            raise InputError(f"two folders are called {name}, as their rows would be; measure them apart")
        entries += [FolderImage(folder=name, path=file) for file in sharp]
    return entries


def load_sharp(path: Path, scale: Scale) -> Tensor:
    """Read an image's colours, (1, C, H, W), cropped at the right and bottom to multiples of a whole scale.

    Raises:
        ImageFileError: the file cannot be read, or the image is smaller than the scale.
    """
    colour = read(path).colour
    for axis, factor in zip((-2, -1), as_pair(scale), strict=True):
        if factor.is_integer():
            colour = colour.narrow(axis, 0, colour.shape[axis] - colour.shape[axis] % int(factor))
    if 0 in colour.shape:
        raise ImageFileError(f"{path}: too small to be shrunk by {scale}; leave it out")
    return colour


def _is_image_name(name: str) -> bool:
    # macOS leaves a hidden ._photo.png beside a photo.png.
    return name.lower().endswith(readable_suffixes()) and not name.startswith(".")
