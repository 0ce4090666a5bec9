"""Readers by format."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable

from innersr.images.formats import Format
from innersr.images.limits import SizeLimits
from innersr.images.readers import by_pillow, heic, jpeg_xl, linear_light, netpbm
from innersr.images.readers.decoded import Decoded


def reader_of(found: Format) -> Callable[[io.FileIO, str, SizeLimits], Decoded]:
    """The reader of a format that libvips does not read, of a stream at its start; else as `codecs.decode`."""
    return {
        "BMP": by_pillow.decode_bmp,
        "TGA": by_pillow.decode_tga,
        "ICO": by_pillow.decode_ico,
        "PNM": netpbm.decode_netpbm,
        "PFM": netpbm.decode_netpbm,
        "HEIC": heic.decode_heic,
        "JPEG XL": jpeg_xl.decode_jpeg_xl,
        "OpenEXR": linear_light.decode_exr,
        "Radiance HDR": linear_light.decode_radiance,
    }[found.name]


def has_reader(found: Format) -> bool:
    """Whether the packages that read such files are installed."""
    needed = {
        "HEIC": ("pillow_heif",),
        "JPEG XL": ("imagecodecs", "pillow_jxl"),
        "OpenEXR": ("OpenEXR",),
        "Radiance HDR": ("imagecodecs",),
    }
    return all(importlib.util.find_spec(package) is not None for package in needed.get(found.name, ()))
