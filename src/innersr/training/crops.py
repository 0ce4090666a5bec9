"""Crops of sharp images, cut during training. Knows nothing about degradations."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from innersr.errors import ImageFileError, InputError
from innersr.images.folders import find_images
from innersr.images.image import Image
from innersr.images.io import read
from innersr.physics.resize import image_size, resize
from innersr.physics.symmetries import apply_symmetry
from innersr.run import Run

LONGEST_SIDES = (480, 640, 800)  # pixels that each image is shrunk to: sharp, and the same things at several sizes
EXTRA_SHARE = 0.06  # of the crops are of extra images, unless a pool has another share
PLACES = 3  # compared for one crop; most of a photograph is smooth
AHEAD = 2  # steps


class Crops(NamedTuple):
    """The sharp crops of some tasks of one step."""

    step: int
    images: Tensor
    """(N, 3, S, S) uint8, on the CPU."""
    generators: list[torch.Generator]
    """Of each task, for whatever it draws after its crop."""
    computed: dict[int, Any] | None = None
    """See `CropPool.computed`."""


class ImageFolder(NamedTuple):
    """Identity of a folder of images."""

    folder: str
    files: int
    sha256: str
    """Of the names and the contents of its files."""


class CropPool(NamedTuple):
    """Sharp images in memory."""

    images: tuple[Tensor, ...]
    """(3, H, W) uint8 each."""
    extra: tuple[Tensor, ...]
    """Source of `extra_share` of the crops, such as graphics and text; may be empty."""
    sources: tuple[ImageFolder, ...]
    too_small: int
    """Number of files left out, smaller than a crop."""
    computed: dict[int, Any] | None = None
    """What an objective has computed of tasks that come again, by their seeds; None to compute them every time."""
    extra_share: float = EXTRA_SHARE

    def crops(self, side: int, step: int, generators: Sequence[torch.Generator]) -> Crops:
        """Cut one square of `side` pixels for each generator."""
        images = torch.stack([self._crop(side, generator) for generator in generators])
        return Crops(step, images, list(generators), self.computed)

    def _crop(self, side: int, generator: torch.Generator) -> Tensor:
        draws = torch.rand(5 + 2 * PLACES, generator=generator, dtype=torch.float64)
        chance, which, turn, grey, *places = draws.tolist()
        images = self.extra if chance < self.extra_share and self.extra else self.images
        image = images[int(which * len(images))]
        rows, columns = (n - side + 1 for n in image.shape[-2:])
        starts = ((int(places[2 * i] * rows), int(places[2 * i + 1] * columns)) for i in range(PLACES))
        crop = max((image[:, top : top + side, left : left + side] for top, left in starts), key=_structure)
        if grey < 0.06:
            crop = crop.float().mean(0, keepdim=True).round().byte().expand(3, -1, -1)
        return apply_symmetry(crop, int(turn * 8))


def read_pool(folders: Sequence[Path], extra: Sequence[Path], side: int, run: Run) -> CropPool:
    """Read image folders.

    Args:
        folders: of sharp images; their subfolders are not entered.
        extra: see `CropPool.extra`.
        side: of the largest crop; smaller images are left out and counted.
        run: for reports of progress.

    Raises:
        InputError: a folder is missing or empty, or all of a kind are too small.
        ImageFileError: a file cannot be read; nothing is left out silently.
    """
    entries = find_images([*folders, *extra])
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as readers:
        found = readers.map(lambda entry: _versions(entry.path, side), entries)
        try:
            files = [file for _, file in zip(run.steps("read", len(entries), limited=False), found, strict=False)]
        finally:
            readers.shutdown(cancel_futures=True)
    pools: list[list[Tensor]] = []
    for kind in (folders, extra):
        names = {folder.resolve() for folder in kind}
        chosen = [f for f, e in zip(files, entries, strict=True) if e.path.parent.resolve() in names]
        pools.append([version for file in chosen for version in file.versions])
        if kind and not pools[-1]:
            largest = max(max(file.size) for file in chosen)
            raise InputError(
                f"{', '.join(map(str, kind))}: all {len(chosen)} images are too small for crops of {side} pixels (the "
                f"longest side is {largest}); give larger images or train on smaller crops"
            )
    paths = [entry.path for entry in entries]
    sources = tuple(_source(folder, paths, files) for folder in [*folders, *extra])
    too_small = sum(not file.versions for file in files)
    return CropPool(tuple(pools[0]), tuple(pools[1]), sources, too_small, {})


@contextlib.contextmanager
def cut_ahead(cut: Callable[[int], Crops], steps: Iterable[int]) -> Iterator[Iterator[Crops]]:
    """Results of `cut(step)` in order, computed in a thread at most AHEAD steps early; its errors are raised here."""
    with ThreadPoolExecutor(1, thread_name_prefix="crops") as cutter:
        try:
            yield _taken(cutter, cut, iter(steps))
        finally:
            cutter.shutdown(cancel_futures=True)


def _taken(cutter: ThreadPoolExecutor, cut: Callable[[int], Crops], steps: Iterator[int]) -> Iterator[Crops]:
    waiting = deque(cutter.submit(cut, step) for step in islice(steps, AHEAD))
    while waiting:
        ready = waiting.popleft().result()
        waiting.extend(cutter.submit(cut, step) for step in islice(steps, 1))
        yield ready


class _File(NamedTuple):
    versions: list[Tensor]
    size: tuple[int, int]
    digest: bytes


def _versions(path: Path, side: int) -> _File:
    """Read an image, and shrink it to each of LONGEST_SIDES that is large enough for a crop."""
    colour = _as_rgb(read(path), path)
    digest = hashlib.sha256(os.fsencode(path.name) + b"\0" + path.read_bytes()).digest()
    height, width = image_size(colour)
    factors = [min(1.0, longest / max(height, width)) for longest in LONGEST_SIDES]
    sizes = {(round(factor * height), round(factor * width)) for factor in factors}
    shrunk = [resize(colour, size=size) for size in sorted(sizes) if min(size) >= side]
    return _File([(255 * x[0]).round().clamp(0, 255).byte() for x in shrunk], (height, width), digest)


def _as_rgb(image: Image, path: Path) -> Tensor:
    """(1, 3, H, W), grey repeated, on white where it is transparent."""
    bands = image.colour.shape[1]
    if bands not in (1, 3):
        raise ImageFileError(f"{path}: has {bands} bands; give grey and RGB images, or leave it out")
    colour = image.colour.clamp(0, 1)
    if image.alpha is not None:
        colour = colour * image.alpha + (1 - image.alpha)
    return colour.expand(-1, 3, -1, -1)


def _structure(crop: Tensor) -> int:
    """Sum of absolute differences of neighbours, in every other row and column of green."""
    green = crop[1, ::2, ::2].short()
    return int((green[1:] - green[:-1]).abs().sum() + (green[:, 1:] - green[:, :-1]).abs().sum())


def _source(folder: Path, paths: Sequence[Path], files: Sequence[_File]) -> ImageFolder:
    folder = folder.resolve()
    digests = [file.digest for path, file in zip(paths, files, strict=True) if path.parent.resolve() == folder]
    return ImageFolder(folder.name, len(digests), hashlib.sha256(b"".join(digests)).hexdigest())
