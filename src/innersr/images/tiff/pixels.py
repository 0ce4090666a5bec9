"""Pixels of TIFF files that libvips cannot read, decoded by tifffile; imagecodecs adds the rarer compressions.

Reads untrusted bytes, and raises whatever tifffile raises because of them.
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
import pyvips
from tifffile import COMPRESSION, PHOTOMETRIC, TiffPage

from innersr.errors import ImageFileError, how_to_install
from innersr.images.limits import SizeLimits
from innersr.images.samples import Samples
from innersr.images.tiff.directories import directories_of
from innersr.images.tiff.tags import integers, pixels_per_mm, tiff_page, unpacked_white


def image_by_tifffile(stream: BinaryIO, name: str, limits: SizeLimits) -> pyvips.Image:
    """The first page of a TIFF file as `pyvips.Image.tiffload` would return it; `name` is for messages.

    Raises:
        ImageFileError: it is too large, its samples or colours are of a kind that is not read here, or a decoder is
            not installed.
        DamagedBytesError: it is damaged.
    """
    with tiff_page(stream) as page:
        limits.check(name, page.imagewidth, page.imagelength, page.samplesperpixel * -(-page.bitspersample // 8))
        samples = _samples_of(page, name)
        is_wide = samples.dtype == np.uint16
        space = "grey16" if is_wide else "b-w"
        if page.photometric == PHOTOMETRIC.RGB:
            space = "rgb16" if is_wide else "srgb"
        elif page.photometric == PHOTOMETRIC.SEPARATED:
            space = "cmyk"
        elif page.photometric in (PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB):
            space = "lab"
        image = pyvips.Image.new_from_array(np.ascontiguousarray(samples)).copy(interpretation=space)
        for code, field in ((34675, "icc-profile-data"), (700, "xmp-data"), (33723, "iptc-data")):
            tag = page.tags.get(code)
            if tag is not None and isinstance(tag.value, bytes):
                image.set_type(pyvips.GValue.blob_type, field, tag.value)
        image.set_type(pyvips.GValue.gint_type, "n-pages", directories_of(stream).count)
        image.set_type(pyvips.GValue.gint_type, "bits-per-sample", page.bitspersample)
        image.set_type(pyvips.GValue.gint_type, "orientation", integers(page, "Orientation", (1,))[0])
        if resolution := pixels_per_mm(page):
            image = image.copy(xres=resolution[0], yres=resolution[1])
            image.set_type(pyvips.GValue.gstr_type, "resolution-unit", "in")
        return image


def _samples_of(page: TiffPage, name: str) -> Samples:
    """(H, W, bands), of a type that libvips has."""
    kinds = (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB, PHOTOMETRIC.SEPARATED)
    is_lab = page.photometric in (PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB)
    wide = unpacked_white(page)
    if (page.bitspersample not in (8, 16, 32) and wide is None) or not (page.photometric in kinds or is_lab):
        kind = f"{page.bitspersample} bits and {getattr(page.photometric, 'name', page.photometric)} colours"
        remedy = "convert it first, for example gdal_translate -expand rgb -co COMPRESS=DEFLATE in.tif out.tif"
        raise ImageFileError(f"{name}: {_compression(page)} pieces with {kind} are not read; {remedy}")
    try:
        planes = page.asarray(squeeze=False, maxworkers=1)
    except (ValueError, ImportError) as error:
        if isinstance(error, ValueError) and "imagecodecs" not in str(error):
            raise
        remedy = (
            f"{how_to_install('tiff')}, or convert it, for example gdal_translate -co COMPRESS=DEFLATE in.tif out.tif"
        )
        what = f"{_compression(page)} compression" if wide is None else f"packing of {page.bitspersample} bits"
        raise ImageFileError(f"{name}: its {what} needs a decoder; {remedy}") from error
    if len(planes) > 1:  # separate: (bands, 1, H, W, 1)
        planes = planes.transpose(4, 1, 2, 3, 0)
    samples = planes[0, 0]
    if wide is not None:
        white = (1 << page.bitspersample) - 1
        samples = ((samples.astype(np.uint32) * wide + white // 2) // white).astype(f"u{1 if wide < 256 else 2}")
    if samples.dtype == np.float16:
        samples = samples.astype(np.float32)
    if page.photometric == PHOTOMETRIC.MINISWHITE and samples.dtype.kind == "u":
        samples = np.iinfo(samples.dtype).max - samples
    return _lab(samples, page) if is_lab else samples.astype(samples.dtype.newbyteorder("="))


def _compression(page: TiffPage) -> str:
    return page.compression.name if isinstance(page.compression, COMPRESSION) else str(page.compression)


def _lab(samples: Samples, page: TiffPage) -> Samples:
    """L* from 0 to 100, a* and b*, as floats (TIFF 6.0, section 23, and the ICC's addition)."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    lightness = samples[..., :1].astype(np.float32) * (100 / np.iinfo(samples.dtype).max)
    step = 256.0 if samples.dtype.itemsize == 2 else 1.0
    if page.photometric == PHOTOMETRIC.ICCLAB:
        colours = samples[..., 1:3].astype(np.float32) / step - 128
    else:
        colours = samples[..., 1:3].view(f"i{samples.dtype.itemsize}").astype(np.float32) / step
    alpha = samples[..., 3:].astype(np.float32) * (255 / np.iinfo(samples.dtype).max)
    return np.concatenate([lightness, colours, alpha], axis=2)
