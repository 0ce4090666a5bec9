"""Large results, from the disk into an image file: TIFF with a pyramid of smaller copies, PNG or JPEG."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from innersr.images import formats as image_formats
from innersr.images.image import Image
from innersr.images.io import plan_file, write_samples
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
        InputError: `quality` or `metadata` is out of range.
    """
    plan = plan_file(like, path, quality=quality, metadata=metadata, compression=compression)
    is_tiff = plan.target.name == "TIFF"
    layout = replace(plan.layout, overviews=max(1, plan.layout.overviews))
    if is_tiff and layout.compression == "zstd":
        layout = replace(layout, compression="deflate")
        plan = replace(plan, notes=(*plan.notes, "compressed by deflate, as zstd is not streamed"))
    samples = pixels.as_vips()
    size = (samples.height, samples.width)
    if plan.zero_is_white:
        _, kept = edits.from_white(np.empty(0, pixels.dtype), plan.metadata)
        plan = replace(plan, metadata=kept)
        samples = samples if samples.format == "float" else samples.invert()
    options = image_formats.encoder_options(
        plan.target,
        layout,
        quality=plan.quality,
        depth=pixels.dtype,
        byte_count=pixels.byte_count,
        size=size,
        has_holes=has_holes,
    )
    if is_tiff:
        side = image_formats.tile_side(layout, size, largest=256)
        options |= {"tile_width": side, "tile_height": side, "subifd": True, "bigtiff": True}
    write_samples(samples, path, plan, like, options, overwrite=overwrite)
    return plan.notes
