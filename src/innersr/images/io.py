"""Reading and writing of image files: depth, alpha, bands, colour profile, orientation, metadata.

The content of a file is kept; whatever has to be converted or dropped is noted.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyvips

from innersr.atomic import check_can_grow, whole_file
from innersr.errors import ImageFileError, InnersrError, InputError, cannot_write, exists_already, reason_of
from innersr.images import codecs as image_codecs
from innersr.images import formats as image_formats
from innersr.images.containers.gif import gif_losses
from innersr.images.containers.xmp import xmp_of_size
from innersr.images.films.recognition import begins_as_video, written_name
from innersr.images.formats import METADATA_CHOICES, Format
from innersr.images.image import Image
from innersr.images.limits import PIXEL_LIMIT
from innersr.images.metadata import Metadata, TiffLayout
from innersr.images.opening import decoded_by, limits_of, opened, out_of_memory
from innersr.images.readers.decoded import image_of
from innersr.images.samples import Samples, samples_of
from innersr.isolation import is_finite


def read(
    path: str | Path,
    *,
    pixel_limit: int = PIXEL_LIMIT,
    missing_ok: bool = False,
    directory: int | None = None,
    keep_indices: bool = False,
) -> Image:
    """Read an image file, upright; the first picture of several, or another page of a TIFF file.

    The content decides the format, not the name.

    Args:
        path: of the file.
        pixel_limit: files of more pixels are refused. The default also refuses decompression bombs: files whose pixels
            take more than 512 MiB of memory and more than 2000 times the size of the file.
        directory: where that of a page begins in a TIFF file, in bytes; None for the first, with a note about others.
        keep_indices: whether the values of a TIFF with a palette are its 8-bit indices and not colours; the palette is
            then among the tags of the metadata.
        missing_ok: whether it may hold NaN and infinite values, see `no_data.missing_values`.

    Raises:
        ImageFileError: it is missing, damaged, of unknown format, too large, holds NaN, or memory ran out.
    """
    path = Path(path)
    try:
        with opened(path) as stream:
            decode = functools.partial(image_codecs.decode, directory=directory, keep_indices=keep_indices)
            decoded, found = decoded_by(decode, stream, path, limits_of(stream, pixel_limit))
        image = image_of(decoded, path, found)
    except MemoryError as error:
        raise out_of_memory(path) from error
    if not (missing_ok or is_finite(image.colour)):
        remedy = "fill them first (gdal_fillnodata, numpy.nan_to_num)"
        raise ImageFileError(f"{path}: holds NaN or infinite values; {remedy}")
    return image


def save(
    image: Image,
    path: str | Path,
    *,
    overwrite: bool = False,
    quality: int | None = None,
    metadata: str = "keep",
    compression: str | None = None,
) -> tuple[str, ...]:
    """Write an image in the format of the file name; return notes about what that format did not keep.

    The file appears under its name when it is complete, or not at all.

    Args:
        image: integer depths are rounded to the nearest value and clipped, float32 is written as it is.
        path: where to; its suffix chooses the format.
        overwrite: whether an existing file may be replaced.
        quality: 1 to 100, for JPEG, WebP and AVIF; 100 is lossless in the last two. None: 95, and lossless there where
            the image `is_lossless`.
        metadata: "keep" all, "icc" for the colour profile and resolution only, or "none".
        compression: of TIFF: "none", "deflate", "zstd" or "lzw"; None for that of the image's `layout`.

    Raises:
        ImageFileError: see `check_writable`; or the disk is full.
        InputError: `quality` or `metadata` is out of range, or the image holds NaN or infinite values,
            which only floats may, where they are `missing`.
    """
    path, (bands, height, width) = Path(path), image.colour.shape[1:]
    plan = plan_file(image, path, quality=quality, metadata=metadata, compression=compression)
    has_alpha = image.alpha is not None
    check_writable(path, depth=image.depth, bands=bands, has_alpha=has_alpha, overwrite=overwrite, size=(width, height))
    if plan.target.name == "TIFF" and plan.layout.compression == "zstd":
        _save_by_tifffile(replace(image, layout=plan.layout), plan.metadata, path, overwrite=overwrite)
        return plan.notes
    samples, has_holes = samples_of(image), image.missing is not None or image.has_indices
    if plan.zero_is_white:
        from innersr.images.tiff import edits  # takes 0.13 s

        samples, kept = edits.from_white(samples, plan.metadata)
        plan = replace(plan, metadata=kept)
    options = image_formats.encoder_options(
        plan.target,
        plan.layout,
        quality=plan.quality,
        depth=image.depth,
        byte_count=samples.nbytes,
        size=samples.shape[:2],
        has_holes=has_holes,
    )
    write_samples(samples, path, plan, image, options, overwrite=overwrite)
    if plan.target.name == "GIF":
        return (*plan.notes, *gif_losses(samples, "GIF holds 256 colours: the image was quantized"))
    return plan.notes


@dataclass(frozen=True, kw_only=True)
class FilePlan:
    """What is decided about a file before it is written."""

    target: Format
    quality: int
    layout: TiffLayout
    metadata: Metadata
    """What the format keeps of the image's."""
    zero_is_white: bool
    """Whether it is a TIFF whose values run from white to black."""
    notes: tuple[str, ...]
    """About what is not kept."""


def plan_file(like: Image, path: Path, *, quality: int | None, metadata: str, compression: str | None) -> FilePlan:
    """Decide how an image, or a larger one `like` it, is written; for the arguments and errors see `save`."""
    target = image_formats.format_of_name(path)
    if quality is None:
        quality = 100 if like.is_lossless and target.name != "JPEG" else 95
    if not 1 <= quality <= 100:
        raise InputError(f"quality must be between 1 and 100, got {quality}")
    if metadata not in METADATA_CHOICES:
        raise InputError(f"metadata must be one of {', '.join(METADATA_CHOICES)}, got {metadata!r}")
    kept, notes = image_formats.kept(target, like.metadata, choice=metadata, bands=like.colour.shape[1])
    layout = like.layout if compression is None else replace(like.layout, compression=compression)
    if layout.zero_is_white and target.name != "TIFF":
        notes = (*notes, "its values ran from white to black: they are inverted")
    return FilePlan(
        target=target,
        quality=quality,
        layout=layout,
        metadata=kept,
        zero_is_white=layout.zero_is_white and target.name == "TIFF",
        notes=notes,
    )


def write_samples(
    samples: Samples | pyvips.Image,
    path: Path,
    plan: FilePlan,
    like: Image,
    options: dict[str, Any],
    *,
    overwrite: bool,
) -> None:
    """Write samples, alpha last if `like` has any, by a plan and the options of the encoder."""
    with written_whole(path, overwrite=overwrite) as partial, partial.open("r+b", buffering=0) as stream:
        image_codecs.encode(
            samples,
            stream,
            plan.target,
            has_alpha=like.alpha is not None,
            is_rgb=like.is_rgb,
            metadata=plan.metadata,
            options=options,
        )
        if plan.zero_is_white:
            from innersr.images.tiff import edits  # takes 0.13 s

            edits.declare_white(stream)


@contextlib.contextmanager
def written_whole(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """`whole_file` whose errors are ImageFileError."""
    try:
        with whole_file(path, overwrite=overwrite) as partial:
            try:
                yield partial
            except pyvips.Error:
                check_can_grow(partial)  # libvips tells no more than that it could not write
                raise
    except InnersrError:
        raise
    except FileExistsError as error:
        raise ImageFileError(exists_already(path)) from error
    except (pyvips.Error, OSError) as error:
        if image_codecs.is_memory_error(error):
            raise out_of_memory(path) from error
        raise ImageFileError(cannot_write(path, reason_of(error))) from error


def check_writable(
    path: str | Path,
    *,
    depth: str,
    bands: int,
    has_alpha: bool,
    overwrite: bool,
    size: tuple[int, int] | None = None,
    has_options: bool = False,
) -> None:
    """Check, before minutes of work, that `save` will be able to write such an image there.

    Args:
        path: the file to be.
        depth: "uint8", "uint16" or "float32".
        bands: colour bands, alpha not counted.
        has_alpha: whether there is an alpha band besides.
        overwrite: whether an existing file may be replaced.
        size: (width, height) in pixels, when it is known.
        has_options: whether the caller has the options depth and alpha, which the error then names.

    Raises:
        ImageFileError: the suffix is unknown, the format cannot hold the image, the file exists, is a folder,
            or its folder is missing or not writable.
    """
    path = Path(path)
    target = image_formats.format_of_name(path)
    refusal = image_formats.refusal(
        target, depth=depth, bands=bands, has_alpha=has_alpha, size=size, has_options=has_options
    )
    if refusal:
        raise ImageFileError(f"{path}: {refusal}")
    check_place(path, overwrite=overwrite)


def check_place(path: Path, *, overwrite: bool) -> None:
    """Raise ImageFileError if the file exists, is a folder, or its folder is missing or not writable."""
    try:
        if path.is_dir():
            raise ImageFileError(f"{path}: is a folder; give a file name")
        if not overwrite and (path.exists() or path.is_symlink()):
            raise ImageFileError(exists_already(path))
        if not path.parent.is_dir():
            raise ImageFileError(f"{path}: the folder {path.parent} does not exist; create it first")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise ImageFileError(f"{path}: no permission to write in {path.parent}; choose another folder")
    except ImageFileError:
        raise
    except (OSError, ValueError) as error:
        raise ImageFileError(f"{path}: not a usable file name ({reason_of(error)}); choose another") from error


def with_suffix(name: Path, source: Path) -> Path:
    """A name for a result, with the suffix of the format that `source` holds where it has that of no format.

    Formats that are read and not written give way to PNG, to TIFF where they hold floats, or to MP4; .apng gives way to
    PNG, for its file may hold one picture.
    """
    if name.suffix.lower() == ".apng":
        return name.with_suffix(".png")
    if name.suffix.lower() in image_formats.BY_SUFFIX:
        return name
    if (reader := image_formats.read_only_format(name)) is not None:
        return name.with_suffix(reader.result)
    found = None
    with contextlib.suppress(OSError, ImageFileError), opened(source) as stream:
        head = stream.read(32)
        if begins_as_video(head):
            return written_name(name)
        found = image_formats.sniff(head)
    return name if found is None else name.with_name(name.name + (found.result or found.suffixes[0]))


def _save_by_tifffile(image: Image, kept: Metadata, path: Path, *, overwrite: bool) -> None:
    """Write a TIFF of a compression that libvips does not write."""
    from innersr.images.tiff import writing

    writing.check_encoder(image.layout.compression, path)
    is_big = 4 * image.colour.numel() > image_formats.BIG_TIFF
    with (
        written_whole(path, overwrite=overwrite) as partial,
        partial.open("r+b") as stream,
        writing.page_writer(stream, is_big=is_big) as writer,
    ):
        xmp = None if kept.xmp is None else xmp_of_size(kept.xmp, *image.colour.shape[:1:-1])
        writer.add(image, replace(kept, xmp=xmp))
