"""The result of a reader, its image, and metadata as all readers pass them on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from innersr.errors import ImageFileError, how_to_install
from innersr.images.containers.xmp import upright_xmp, without_attachments
from innersr.images.formats import DEPTHS, Format
from innersr.images.image import Image
from innersr.images.metadata import (
    PHOTOSHOP_PREFIX,
    DamagedBytesError,
    FileFacts,
    Metadata,
    TiffLayout,
    iptc_of_photoshop,
)
from innersr.images.samples import Samples, planes_of
from innersr.images.values.depths import check_exact


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
        pixel_ratio=None if resolution else described.pixel_ratio,
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
