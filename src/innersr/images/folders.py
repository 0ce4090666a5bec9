"""Image folders as lists of sharp images. Knows nothing about methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from innersr.errors import FileError, ImageFileError, InputError
from innersr.images.formats import readable_suffixes
from innersr.images.image import Image
from innersr.images.io import read
from innersr.images.values.no_data import with_no_data
from innersr.physics.geometry import scale_words
from innersr.physics.resize import Scale, as_pair


@dataclass(frozen=True, kw_only=True)
class FolderImage:
    """One image of a folder: the folder's name, and the file."""

    folder: str
    path: Path


def find_images(folders: Sequence[Path]) -> list[FolderImage]:
    """Find the sharp images of folders, sorted within each.

    Every image file counts but those of `find_versions`. Subfolders are not entered.

    Raises:
        InputError: a folder is missing or has no images, or two folders have the same name.
    """
    entries: list[FolderImage] = []
    for resolved, folder in {folder.resolve(): folder for folder in folders}.items():
        if not folder.is_dir():
            raise FileError(f"{folder}: no such folder; give folders of sharp images")
        files = _image_files(folder)
        versions = set(_versions_among(files))
        sharp = [file for file in files if file not in versions]
        if not sharp:
            raise FileError(f"{folder}: no images in it ({', '.join(readable_suffixes())})")
        name = "/".join(resolved.parts[-2:])
        if any(entry.folder == name for entry in entries):
            raise InputError(f"two folders are called {name}, as their rows would be; measure them apart")
        entries += [FolderImage(folder=name, path=file) for file in sharp]
    return entries


def find_versions(folder: Path) -> list[Path]:
    """The images of a folder that are versions of others: name_*.png beside name_HR.png, unless * is a number.

    SelfExSR's folders have img_001_SRF_2_LR.png and img_001_SRF_2_bicubic.png beside img_001_SRF_2_HR.png.
    """
    return _versions_among(_image_files(folder))


def _versions_among(files: Sequence[Path]) -> list[Path]:
    sharp_stems = {f.stem for f in files if f.stem.upper().endswith("_HR")}
    starts = [stem[: -len("HR")] for stem in sharp_stems]
    return [
        file
        for file in files
        if file.stem not in sharp_stems
        and any(file.stem.startswith(start) and not file.stem[len(start) :].isdecimal() for start in starts)
    ]


def _image_files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if is_image_name(f.name) and f.is_file())


def load_sharp(path: Path, scale: Scale) -> Tensor:
    """Read an image's colours in [0, 1], (1, C, H, W), cropped at the right and bottom to multiples of a whole scale.

    Values of more than 8 bits are scaled by `own_range`, so that a picture is the same in every type of samples.

    Raises:
        ImageFileError: the file cannot be read, or the image is smaller than the scale.
    """
    image = read(path)
    colour = scaled(image, own_range(image))
    for axis, factor in zip((-2, -1), as_pair(scale), strict=True):
        if factor.is_integer():
            colour = colour.narrow(axis, 0, colour.shape[axis] - colour.shape[axis] % int(factor))
    if 0 in colour.shape:
        raise ImageFileError(f"{path}: too small to be shrunk by {scale_words(scale)}; leave it out")
    return colour


def own_range(image: Image) -> tuple[float, float]:
    """The least and the greatest value with data of an image; 0 and 1 for 8 bits, whose white is known.

    A picture of 16 bits or floats may use any part of their range, and has its contrast within that.
    """
    if image.depth == "uint8":
        return 0.0, 1.0
    image = with_no_data(image)
    known = image.colour if image.missing is None else image.colour[~image.missing]
    low, high = (float(v) for v in torch.aminmax(known))
    return (low, high) if high > low else (low, low + 1)


def scaled(image: Image, values: tuple[float, float]) -> Tensor:
    """The colours of an image, in which these values become 0 and 1, clipped."""
    low, high = values
    return image.colour if values == (0, 1) else ((image.colour - low) / (high - low)).clamp_(0, 1)


def is_image_name(name: str) -> bool:
    """Whether a file of this name counts as an image: it has the suffix of a format, and is not hidden."""
    # macOS leaves a hidden ._photo.png beside a photo.png.
    return name.lower().endswith(readable_suffixes()) and not name.startswith(".")
