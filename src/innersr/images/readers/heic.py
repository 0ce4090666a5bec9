"""HEIC files, read by pillow-heif, whose libheif has the HEVC decoder that libvips lacks."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np

from innersr.images.containers.avif import avif_facts
from innersr.images.limits import SizeLimits
from innersr.images.metadata import DamagedBytesError
from innersr.images.readers.decoded import Decoded, packages_for, straight, upright_metadata
from innersr.images.tiff.tags import EXIF_PREFIX


def decode_heic(stream: io.FileIO, name: str, limits: SizeLimits) -> Decoded:
    """The main picture of a file, upright; for arguments and errors see `codecs.decode`.

    Samples of 10 and 12 bits lie in the high bits of 16.
    """
    with packages_for("HEIC", name, "heif"):
        import pillow_heif
    described = replace(avif_facts(stream), is_lossless=False)
    stream.seek(0)
    picture = pillow_heif.open_heif(io.BytesIO(stream.read()), convert_hdr_to_8bit=False)
    mode, _, deep = picture.mode.partition(";")
    if mode not in ("L", "LA", "La", "RGB", "RGBA", "RGBa"):
        raise DamagedBytesError(f"pixels of the kind {picture.mode}")
    bits = int(picture.info["bit_depth"]) if deep else 8
    width, height = picture.size
    limits.check(name, width, height, len(mode) * (2 if deep else 1))
    samples = np.asarray(picture)
    notes = [*described.notes, *_attached(picture)]
    has_alpha = mode[-1] in "Aa"
    white = ((1 << bits) - 1) << (16 - bits) if deep else 255
    samples = samples.reshape(*samples.shape[:2], -1)
    if mode[-1] == "a":
        samples, notes = straight(samples, white), [*notes, "premultiplied alpha was made straight"]
    blobs = {"icc": picture.info.get("icc_profile") or None, "exif": _exif(picture), "xmp": picture.info.get("xmp")}
    metadata, more = upright_metadata(blobs, described, None)
    return Decoded(
        samples=samples,
        has_alpha=has_alpha,
        white=float(white),
        metadata=metadata,
        notes=(*notes, *more),
    )


def _exif(picture: Any) -> bytes | None:  # noqa: ANN401 (the package may be missing)
    exif = picture.info.get("exif")
    return EXIF_PREFIX + exif.removeprefix(EXIF_PREFIX) if exif else None


def _attached(picture: Any) -> list[str]:  # noqa: ANN401
    """Notes about the contents of a file besides its main picture."""
    notes = []
    if len(picture) > 1:
        notes.append(f"the main one of {len(picture)} pictures; the others are ignored")
    if picture.info.get("depth_images"):
        notes.append("its depth map is not kept")
    if any("gainmap" in name.lower() for name in picture.info.get("aux", ())):
        notes.append("its gain map (HDR) is not kept")
    return notes
