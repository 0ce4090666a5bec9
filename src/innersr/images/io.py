"""Reading and writing of image files: depth, alpha, bands, colour profile, orientation, metadata.

The content of a file is kept; whatever has to be converted or dropped is noted.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pyvips
import torch

from innersr.atomic import check_room, whole_file
from innersr.errors import ImageFileError, InnersrError, InputError, cannot_write, exists_already
from innersr.images import codecs as image_codecs
from innersr.images import formats as image_formats
from innersr.images.codecs import reason_of
from innersr.images.depths import check_exact
from innersr.images.formats import DEPTHS, METADATA_CHOICES, Format
from innersr.images.image import Image
from innersr.images.limits import SizeLimits
from innersr.images.metadata import Metadata
from innersr.images.readers.choice import has_reader
from innersr.images.readers.decoded import Decoded
from innersr.images.samples import planes_of, samples_of
from innersr.isolation import is_finite

Content = TypeVar("Content")
PIXEL_LIMIT = 300_000_000  # pixels; above this reading is refused (decompression bombs)


def read(
    path: str | Path, *, pixel_limit: int = PIXEL_LIMIT, missing_ok: bool = False, directory: int | None = None
) -> Image:
    """Read an image file, upright; the first picture of several, or another page of a TIFF file.

    The content decides the format, not the name.

    Args:
        path: of the file.
        pixel_limit: files of more pixels are refused. The default also refuses decompression bombs: files whose pixels
            take more than 512 MiB of memory and more than 2000 times the size of the file.
        directory: where that of a page begins in a TIFF file, in bytes; None for the first, with a note about others.
        missing_ok: whether it may hold NaN and infinite values, see `no_data.missing_values`.

    Raises:
        ImageFileError: it is missing, damaged, of unknown format, too large, holds NaN, or memory ran out.
    """
    path = Path(path)
    try:
        with opened(path) as stream:
            decode = functools.partial(image_codecs.decode, directory=directory)
            decoded, found = decoded_by(decode, stream, path, limits_of(stream, pixel_limit))
        image = image_of(decoded, path, found)
    except MemoryError as error:
        raise _out_of_memory(path) from error
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
    path = Path(path)
    if quality is None:
        quality = 100 if image.is_lossless and image_formats.format_of_name(path).name != "JPEG" else 95
    if not 1 <= quality <= 100:
        raise InputError(f"quality must be between 1 and 100, got {quality}")
    if metadata not in METADATA_CHOICES:
        raise InputError(f"metadata must be one of {', '.join(METADATA_CHOICES)}, got {metadata!r}")
    bands, height, width = image.colour.shape[1:]
    has_alpha = image.alpha is not None
    check_writable(path, depth=image.depth, bands=bands, has_alpha=has_alpha, overwrite=overwrite, size=(width, height))
    target = image_formats.format_of_name(path)
    kept, notes = image_formats.kept(target, image.metadata, choice=metadata, bands=bands)
    layout = image.layout if compression is None else replace(image.layout, compression=compression)
    if target.name == "TIFF" and layout.compression == "zstd":
        _save_by_tifffile(replace(image, layout=layout), kept, path, overwrite=overwrite)
        return notes
    is_turned = layout.zero_is_white and target.name == "TIFF"
    if layout.zero_is_white and not is_turned:
        notes = (*notes, "its values ran from white to black: they are inverted")
    samples, has_holes = samples_of(image), image.missing is not None
    if is_turned:
        from innersr.images.tiff import edits  # takes 0.13 s

        samples, kept = edits.from_white(samples, kept)
    options = image_formats.encoder_options(
        target,
        layout,
        quality=quality,
        depth=image.depth,
        byte_count=samples.nbytes,
        has_holes=has_holes,
    )
    with written_whole(path, overwrite=overwrite) as partial, partial.open("r+b", buffering=0) as stream:
        image_codecs.encode(
            samples,
            stream,
            target,
            has_alpha=has_alpha,
            is_rgb=image.is_rgb,
            metadata=kept,
            options=options,
        )
        if is_turned:
            edits.declare_white(stream)
    return notes


@contextlib.contextmanager
def written_whole(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """`whole_file` whose errors are ImageFileError."""
    try:
        with whole_file(path, overwrite=overwrite) as partial:
            try:
                yield partial
            except pyvips.Error:
                check_room(partial)  # libvips tells no more than that it could not write
                raise
    except InnersrError:
        raise
    except FileExistsError as error:
        raise ImageFileError(exists_already(path)) from error
    except (pyvips.Error, OSError) as error:
        if image_codecs.is_memory_error(error):
            raise _out_of_memory(path) from error
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

    Formats that are read and not written give way to PNG, or to TIFF where they hold floats.
    """
    if name.suffix.lower() in image_formats.BY_SUFFIX:
        return name
    if (reader := image_formats.read_only_format(name)) is not None:
        return name.with_suffix(reader.result)
    found = None
    with contextlib.suppress(OSError, ImageFileError), opened(source) as stream:
        found = image_formats.sniff(stream.read(32))
    return name if found is None else name.with_name(name.name + (found.result or found.suffixes[0]))


def codecs() -> dict[str, bool]:
    """Whether "png read", "png write" and so on work, tried with a small image; of other readers, if they are there."""
    only_read = [row for row in image_formats.FORMATS if row.result]
    report = {f"{row.name.lower().replace(' ', '-')} read": has_reader(row) for row in only_read}
    image = Image(colour=torch.linspace(0, 1, 3 * 8 * 8).reshape(1, 3, 8, 8))
    with tempfile.TemporaryDirectory() as folder:
        for row in dict.fromkeys(image_formats.BY_SUFFIX.values()):
            path = Path(folder) / f"sample{row.suffixes[0]}"
            for verb, attempt in (("write", lambda file: save(image, file)), ("read", read)):
                report[f"{row.name.lower()} {verb}"] = False
                with contextlib.suppress(ImageFileError):
                    attempt(path)
                    report[f"{row.name.lower()} {verb}"] = True
    return report


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
        writer.add(image, kept)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[io.FileIO]:
    """Open an image file, unbuffered; errors are those of `read`."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageFileError(f"{path}: is a folder; name the image files in it")
        if not stat.S_ISREG(status.st_mode):
            raise ImageFileError(f"{path}: is not a regular file; copy its content to one first")
        if status.st_size == 0:
            raise ImageFileError(f"{path}: is empty (0 bytes); get the file again")
        stream = path.open("rb", buffering=0)
    except ImageFileError:
        raise
    except FileNotFoundError as error:
        raise ImageFileError(f"{path}: no such file; check the name and the folder") from error
    except PermissionError as error:
        raise ImageFileError(f"{path}: no permission to read it; change its mode or owner") from error
    except (OSError, ValueError) as error:
        raise ImageFileError(f"{path}: cannot be opened ({reason_of(error)}); check the name and the disk") from error
    with stream:
        yield stream


def limits_of(stream: io.FileIO, pixel_limit: int) -> SizeLimits:
    """The largest image that an open file may hold, see `read`."""
    is_default = pixel_limit == PIXEL_LIMIT
    return SizeLimits(pixels=pixel_limit, size=os.fstat(stream.fileno()).st_size if is_default else None)


def decoded_by(
    decode: Callable[[io.FileIO, str, Format, SizeLimits], Content], stream: io.FileIO, path: Path, limits: SizeLimits
) -> tuple[Content, Format]:
    """The content of an open file by a decoder, and its format; errors are those of `read`."""
    try:
        found = image_formats.sniff(stream.read(32))
        if found is None:
            known = ", ".join(row.name for row in image_formats.FORMATS)
            raise ImageFileError(f"{path}: not an image of a known format ({known}); convert it to one")
        return decode(stream, str(path), found, limits), found
    except ImageFileError:
        raise
    # Pillow and pyvips document no closed list of errors for damaged bytes.
    except Exception as error:
        if image_codecs.is_memory_error(error):
            raise _out_of_memory(path) from error
        remedy = "it may be damaged or cut short: get it again, or re-save it with another program"
        raise ImageFileError(f"{path}: cannot be decoded ({reason_of(error)}); {remedy}") from error


def _out_of_memory(path: Path) -> ImageFileError:
    return ImageFileError(f"{path}: out of memory; close other programs, cut the image, or use a machine with more")


def image_of(decoded: Decoded, path: Path, found: Format) -> Image:
    """The image of decoded samples; `path` is for a note about a wrong name."""
    notes = list(decoded.notes)
    if path.suffix and not found.has_name(path):
        notes.insert(0, f"holds {found.name} data, in spite of its name")
    stored = decoded.samples.dtype.name
    depth = stored if stored in DEPTHS else "float32"
    if depth != stored:
        check_exact(decoded.samples, path)
        notes.append(f"{stored} samples are kept as float32 values (exact up to 16777216)")
    planes = planes_of(decoded.samples, decoded.white)
    alpha = None
    if decoded.has_alpha and planes.shape[1] == 1:
        notes.append("its only band is declared to be alpha: it is taken as grey")
    elif decoded.has_alpha:
        planes, alpha = planes[:, :-1], planes[:, -1:].nan_to_num(0)
        lowest, highest = (float(end) for end in alpha.aminmax())
        if lowest < 0 or highest > 1:
            top = min((top for top in (1.0, 255.0, 65535.0) if highest <= top), default=highest)
            alpha = (alpha / top).clamp(0, 1)
            notes.append(f"alpha was divided by {top:g} and clipped to the range from 0 to 1")
        if found.name == "GIF" and lowest == 1:  # animations carry a transparency that their first frame does not use
            alpha = None
    return Image(
        colour=planes,
        alpha=alpha,
        depth=depth,
        metadata=decoded.metadata,
        notes=tuple(notes),
        is_rgb=decoded.is_rgb,
        is_lossless=decoded.is_lossless,
        layout=decoded.layout,
    )
