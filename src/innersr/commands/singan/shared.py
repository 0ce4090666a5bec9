"""What the commands of SinGAN share: models and images in, pictures and sheets out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from innersr.commands.console import Reporter, memory_advice
from innersr.errors import FileError, InputError
from innersr.images.formats import BY_NAME, BY_SUFFIX, refusal
from innersr.images.image import Image
from innersr.images.io import check_writable, read, save
from innersr.images.limits import PIXEL_LIMIT
from innersr.isolation import isolation
from innersr.paths import check_apart, make_folder, names_folder
from innersr.physics.geometry import LARGEST_SCALE, parse_factors
from innersr.physics.resize import as_pair, image_size
from innersr.pipeline.masks import check_shape
from innersr.run import Run
from innersr.singan.folder.reading import SavedModel, load_folder
from innersr.singan.learn import make_settings
from innersr.singan.masks import soft_mask
from innersr.singan.model import PictureModel
from innersr.singan.patches.model import PatchModel, patch_model
from innersr.singan.pictures import PictureSource, source_of, to_picture
from innersr.singan.pyramid import Size


def model_folder(path: Path) -> Path:
    """The path itself, unless it is a file."""
    if path.is_file():
        raise InputError(f"{path}: is a file, not a model folder; innersr singan train {path} -o MODEL makes one")
    return path


def load_complete(path: Path, run: Run) -> SavedModel:
    """Load a model whose training is finished, on the run's device."""
    saved = load_folder(model_folder(path), run.torch_device)
    with blaming(path):
        saved.model.check_start(0)
    return saved


class Subject(NamedTuple):
    """What samples and changed pictures are made of."""

    model: PictureModel | PatchModel
    source: PictureSource
    pictures: tuple[Tensor, ...]
    """(1, C, H, W) in [-1, 1], at the last scale."""
    image: Image | None = None
    """The image file as it was read, unless it is used at a smaller size."""


def open_subject(path: Path, engine: str, max_size: int | None, run: Run, reporter: Reporter) -> Subject:
    """Read an image, of which patches are used, or load a model, for its network or the patches of its first picture.

    Args:
        engine: "patches" or "network".
        max_size: long side of an image in pixels; that of the settings if None.
    """
    if engine not in ("patches", "network"):
        raise InputError(f"--engine must be patches or network, got {engine!r}")
    if not path.is_file():
        if max_size is not None:
            raise InputError("--max-size is for image files; a model has the size that it was trained at, see --size")
        saved = load_complete(path, run)
        settings, source, pictures = saved.record.settings, saved.record.source, saved.pictures
        model = saved.model if engine == "network" else patch_model(pictures[0], settings, run=run)
        return Subject(model, source, pictures)
    if engine == "network":
        raise InputError(f"{path}: is an image, which has no network; innersr singan train {path} -o MODEL trains one")
    image = read_image(path, reporter)
    settings = make_settings(settings={} if max_size is None else {"max_size": str(max_size)})
    with blaming(path):
        source = source_of([image])
        patches = patch_model(to_picture(image, source), settings, run=run)
    size = image_size(image.colour)
    if patches.size != size:
        reporter.note(size_note(path, size, patches.size))
    return Subject(patches, source, (patches.pyramid[-1].cpu(),), image if patches.size == size else None)


def read_image(path: Path, reporter: Reporter) -> Image:
    """Read an image, with notes about what had to be converted."""
    image = read(path)
    reporter.notes(path, image.notes)
    return image


def read_entering(path: Path, source: PictureSource, own: Tensor, reporter: Reporter) -> Tensor:
    """Read a picture that enters a model: grey in all its bands, and what the model cannot know of as its mean colour.

    Args:
        own: the picture of the model, (1, C, H, W) in [-1, 1].
    """
    image, alpha = read_image(path, reporter), None
    bands = image.colour.shape[1]
    if bands == 1 != source.bands:
        reporter.note(f"{path}: is grey, which is taken for all {source.bands} bands of the picture")
        image = replace(image, colour=image.colour.expand(-1, source.bands, -1, -1), missing=None)
    if source.alpha != "learnt" and image.alpha is not None and bool((image.alpha < 1).any()):
        reporter.note(f"{path}: is transparent, where it gets the mean colour of the picture")
        colour = torch.where(image.alpha > 0, image.colour, torch.zeros_like(image.colour))
        alpha, image = image.alpha, replace(image, colour=colour, alpha=None)
    with blaming(path):
        picture = to_picture(image, source)
    return picture if alpha is None else torch.lerp(own.mean(dim=(2, 3), keepdim=True).to(picture), picture, alpha)


def read_mask(path: Path, picture: Tensor, reporter: Reporter, drawn_on: Size | None = None) -> Tensor:
    """Read a mask, (1, C, H, W), bright where it marks; transparent pixels mark nothing.

    Args:
        picture: what is masked; the mask has its shape, at any size.
        drawn_on: size of the file of the picture, if it was resized.
    """
    image = read_image(path, reporter)
    check_shape(path, image_size(image.colour), drawn_on or image_size(picture), image_size(picture))
    mask = image.colour if image.alpha is None else image.colour * image.alpha
    with blaming(path):
        soft_mask(mask, image_size(picture))  # refused before the work
    return mask


def targets_of(output: str, count: int, source: PictureSource, stem: str) -> list[Path]:
    """Files to write: the one that is named, or several of a stem in a folder, which is made if need be."""
    path = Path(output)
    if count == 1 and not names_folder(output):
        return [path]
    if path.suffix.lower() in BY_SUFFIX and not path.is_dir():
        raise InputError(f"{output}: {count} pictures need a folder; write {path.with_suffix('')}/")
    make_folder(path)
    has_alpha = source.alpha != "none"
    is_png = refusal(BY_NAME["PNG"], depth=source.depth, bands=source.bands, has_alpha=has_alpha, size=None) is None
    digits = len(str(count - 1))
    return [path / f"{stem}-{index:0{digits}}{'.png' if is_png else '.tif'}" for index in range(count)]


def check_targets(
    targets: Sequence[Path], source: PictureSource, size: Size, given: Sequence[Path], *, overwrite: bool
) -> None:
    """Make sure, before the work, that pictures of a size can be written, and not over the files that were given."""
    for target in targets:
        check_apart(target, given)
        check_writable(
            target,
            depth=source.depth,
            bands=source.bands,
            has_alpha=source.alpha != "none",
            overwrite=overwrite,
            size=(size[1], size[0]),
        )


def save_all(
    images: Sequence[Image],
    targets: Sequence[Path],
    overwrite: bool,
    reporter: Reporter,
    how: str,
    facts: dict[str, Any],
) -> None:
    """Write images, and report how each was made."""
    for index, (image, target) in enumerate(zip(images, targets, strict=True)):
        notes = save(image, target, overwrite=overwrite)
        reporter.notes(target, notes)
        height, width = image_size(image.colour)
        record = {"output": str(target), "size": [width, height], "index": index, **facts, "notes": list(notes)}
        reporter.result(f"{target}  {width}x{height}  {how}", record)


def with_original(images: Sequence[Image], original: Image, kept: Tensor) -> list[Image]:
    """Images with the samples of another one, such as the colours of its transparent pixels, where those are kept.

    Args:
        kept: bool, (N or 1, 1, H, W).
    """
    results = []
    for image, where in zip(images, kept.expand(len(images), -1, -1, -1).split(1), strict=True):
        alpha = image.alpha
        if alpha is not None and original.alpha is not None:
            alpha = torch.where(where, original.alpha, alpha)
        results.append(replace(image, colour=torch.where(where, original.colour, image.colour), alpha=alpha))
    return results


@contextlib.contextmanager
def working(reporter: Reporter, path: Path, run: Run, advice: str) -> Iterator[Run]:
    """Yield a run that reports its progress; errors of memory come with the advice."""
    with memory_advice(path, advice), reporter.progress(path.name) as report, isolation():
        yield replace(run, report=report).start()


@contextlib.contextmanager
def blaming(*paths: Path, kind: type[InputError] = FileError) -> Iterator[None]:
    """Put the names of files before the message of an InputError that is about what they hold.

    Args:
        kind: of the error; InputError where not the files are wrong, but an option that does not fit them.
    """
    try:
        yield
    except InputError as error:
        raise kind(f"{', '.join(str(path) for path in paths)}: {error}") from error


def size_note(path: Path, size: Size, trained: Size) -> str:
    """Note about a picture that is used at a smaller size than it has."""
    more = min(max(size), 2 * max(trained))
    return f"{path}: works at {trained[1]}x{trained[0]} of {size[1]}x{size[0]} pixels; --max-size {more} for more"


def requested_size(size: str | None, scale: str | None, own: Size) -> Size | None:
    """(height, width) of a size or of factors, None for the model's own."""
    if size is not None and scale is not None:
        raise InputError("give --size or --scale, not both")
    requested = None
    if size is not None:
        match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", size.strip(), re.ASCII)
        if match is None:
            raise InputError(f"size must be WIDTHxHEIGHT in pixels, such as 400x300, got {size!r}")
        requested = int(match[2]), int(match[1])
    if scale is not None:
        factors = parse_factors(scale)
        if factors is None:
            raise InputError(f"scale must be a factor, or two (width x height) such as 2.5x1, got {scale!r}")
        vertical, horizontal = (min(factor, LARGEST_SCALE) for factor in as_pair(factors))
        requested = round(vertical * own[0]), round(horizontal * own[1])
    if requested is not None and requested[0] * requested[1] > PIXEL_LIMIT:
        raise InputError(f"a result of {requested[1]}x{requested[0]} is too large; {PIXEL_LIMIT} pixels are the most")
    return requested
