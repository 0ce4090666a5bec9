"""The result of a reader, and metadata as all readers pass them on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from innersr.errors import ImageFileError, how_to_install
from innersr.images.containers.xmp import upright_xmp, without_attachments
from innersr.images.metadata import (
    PHOTOSHOP_PREFIX,
    DamagedBytesError,
    FileFacts,
    Metadata,
    TiffLayout,
    iptc_of_photoshop,
)
from innersr.images.samples import Samples


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoded:
    """Samples (H, W, bands) as stored in a file, but upright.

    `white` is the stored value that means 1.0, or 0 for samples that are values already.
    """

    samples: Samples
    has_alpha: bool
    white: float
    metadata: Metadata
    is_lossless: bool = False
    is_rgb: bool | None = None
    layout: TiffLayout = TiffLayout()
    notes: tuple[str, ...] = ()


def upright_metadata(
    blobs: dict[str, bytes | None], described: FileFacts, resolution: tuple[float, float] | None
) -> tuple[Metadata, list[str]]:
    """Metadata that is true for the upright picture, and notes about what is damaged.

    Args:
        blobs: icc, exif with its prefix, xmp and iptc, as the file has them.
        described: of the same file.
        resolution: pixels per millimetre that the file states outside its EXIF.
    """
    exif, xmp, iptc = (blobs.get(name) for name in ("exif", "xmp", "iptc"))
    notes = []
    if exif is not None:
        from innersr.images.tiff import tags  # takes 0.13 s

        try:
            exif = tags.upright_exif(exif)
            resolution = resolution or tags.exif_resolution(exif)
        except DamagedBytesError as error:
            exif = None
            notes.append(f"its EXIF is damaged ({error}) and not kept")
    if xmp is not None:
        try:
            xmp = without_attachments(upright_xmp(xmp))
        except DamagedBytesError as error:
            xmp = None
            notes.append(f"its XMP is damaged ({error}) and not kept")
    if iptc is not None and iptc.startswith(PHOTOSHOP_PREFIX):
        iptc = iptc_of_photoshop(iptc)
    metadata = Metadata(
        icc=described.icc or blobs.get("icc"),
        exif=exif,
        xmp=xmp,
        iptc=iptc,
        pixels_per_mm=resolution,
        code_points=described.code_points,
        texts=described.texts,
        tags=described.tags,
    )
    return metadata, notes


def straight(samples: Samples, white: int) -> Samples:
    """Integer samples whose premultiplied alpha, the last band, is made straight."""
    alpha = samples[..., -1:].astype(np.float32)
    colours = samples[..., :-1] * (white / np.maximum(alpha, 1)) + 0.5
    return np.concatenate([np.minimum(colours, white).astype(samples.dtype), samples[..., -1:]], -1)


@contextlib.contextmanager
def packages_for(kind: str, name: str, extra: str) -> Iterator[None]:
    """Context for imports of an extra's packages; ImageFileError, for the file that needs them, if one is missing."""
    try:
        yield
    except ImportError as error:
        remedy = f"{how_to_install(extra)} adds it, or convert the file to PNG or TIFF"
        raise ImageFileError(f"{name}: reading {kind} needs a package that is not installed; {remedy}") from error
