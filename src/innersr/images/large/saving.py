"""Large results, from the disk into an image file: TIFF with a pyramid of smaller copies, PNG or JPEG."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from innersr.errors import InputError
from innersr.images import codecs as image_codecs
from innersr.images import formats as image_formats
from innersr.images.formats import METADATA_CHOICES
from innersr.images.image import Image
from innersr.images.io import written_whole
from innersr.images.large.pixel_file import ResultFile
from innersr.images.tiff import edits


def save_large(  # noqa: PLR0913 (as `save`)
    pixels: ResultFile,
    like: Image,
    path: Path,
    *,
    has_holes: bool,
    overwrite: bool,
    quality: int | None,
    metadata: str,
    compression: str | None,
) -> tuple[str, ...]:
    """Write samples into an image file; return notes about what its format did not keep.

    Args:
        pixels: alpha last, if `like` has any.
        like: an image with the metadata of the result.
        path: a TIFF becomes a tiled BigTIFF with its smaller copies in sub-directories; PNG and JPEG as by `save`.
        has_holes: whether any of its values are no data.
        overwrite, quality, metadata, compression: see `save`; zstd becomes deflate.

    Raises:
        ImageFileError: the file cannot be written.
        InputError: quality or metadata is out of range.
    """
    quality = 95 if quality is None else quality
    if not 1 <= quality <= 100 or metadata not in METADATA_CHOICES:
        raise InputError(f"quality is from 1 to 100, metadata one of {', '.join(METADATA_CHOICES)}")
    target, has_alpha = image_formats.format_of_name(path), like.alpha is not None
    kept, notes = image_formats.kept(target, like.metadata, choice=metadata, bands=pixels.bands - has_alpha)
    layout = like.layout if compression is None else replace(like.layout, compression=compression)
    if target.name == "TIFF" and layout.compression == "zstd":
        layout = replace(layout, compression="deflate")
        notes = (*notes, "compressed by deflate, as zstd is not streamed")
    samples, is_turned = pixels.as_vips(), layout.zero_is_white and target.name == "TIFF"
    if layout.zero_is_white and not is_turned:
        notes = (*notes, "its values ran from white to black: they are inverted")
    if is_turned:
        _, kept = edits.from_white(np.empty(0, pixels.dtype), kept)
        samples = samples if samples.format == "float" else samples.invert()
    count = pixels.byte_count
    options = image_formats.encoder_options(target, layout, quality=quality, depth=pixels.dtype, byte_count=count)
    if target.name == "TIFF":
        options |= {
            "tile": True,
            "tile_width": 256,
            "tile_height": 256,
            "pyramid": True,
            "subifd": True,
            "bigtiff": True,
            "region_shrink": "nearest" if has_holes else "mean",  # a mean of values and no data is neither
        }
    with written_whole(path, overwrite=overwrite) as partial, partial.open("r+b", buffering=0) as stream:
        image_codecs.encode(
            samples, stream, target, has_alpha=has_alpha, is_rgb=like.is_rgb, metadata=kept, options=options
        )
        if is_turned:
            edits.declare_white(stream)
    return notes
