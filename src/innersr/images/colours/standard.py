"""Images of libvips with the colours and the alpha that are read: straight alpha, RGB, grey or data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyvips

from innersr.images.metadata import Metadata

if TYPE_CHECKING:
    from innersr.images.tiff.tags import TiffFacts


def with_tiff_alpha(image: pyvips.Image, facts: TiffFacts) -> tuple[pyvips.Image, bool, list[str]]:
    """The image with straight alpha, whether it has any, and notes."""
    notes = []
    if facts.half:
        notes.append("float16 samples are kept as float32 values")
    has_alpha = facts.has_alpha
    if image.bands == 4 and facts.samples in (1, 3):
        # libtiff decodes what libvips cannot into RGBA, with an alpha that is not in the file.
        return image[0:3], False, notes
    if has_alpha and facts.premultiplied:
        notes.append("premultiplied alpha was made straight")
        # What vips_unpremultiply takes for opaque, also in float files, whose own white is 1.
        opaque = {"scrgb": 1.0, "grey16": 65535.0, "rgb16": 65535.0}.get(image.interpretation, 255.0)
        if image.format == "float" and opaque != 1.0:
            image = image.linear([1 / opaque] * (image.bands - 1) + [1.0], [0.0] * image.bands)
    return image, has_alpha, notes


def in_srgb(image: pyvips.Image, metadata: Metadata) -> tuple[pyvips.Image, Metadata, list[str]]:
    """Convert an image whose samples are not taken as they are."""
    space = image.interpretation
    if space in ("b-w", "grey16", "srgb", "rgb16", "rgb", "scrgb", "multiband", "histogram", "matrix"):
        return image, metadata, []
    wide = image.format != "uchar" and not (space == "lab" and image.get("bits-per-sample") == 8)
    if space == "cmyk":
        profile = "its embedded profile" if metadata.icc else "a built-in CMYK profile (it has none)"
        image = image.icc_transform(
            "srgb", embedded=True, input_profile="cmyk", depth=16 if wide else 8, black_point_compensation=True
        )
        metadata = replace(metadata, icc=bytes(image.get("icc-profile-data")))
        return image, metadata, [f"converted from CMYK to sRGB through {profile}"]
    image = image.colourspace("rgb16" if wide else "srgb")
    return image, replace(metadata, icc=None), [f"converted from {space} to sRGB"]
