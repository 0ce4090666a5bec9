"""Netpbm files: bitmaps, grey and colour maps (PBM, PGM, PPM), arbitrary ones (PAM), and floats (PFM)."""

from __future__ import annotations

import io

import numpy as np
from netpbmfile import NetpbmFile

from innersr.images.limits import SizeLimits
from innersr.images.metadata import DamagedBytesError, Metadata, notes_of_bits
from innersr.images.readers.decoded import Decoded
from innersr.images.samples import Samples


def decode_netpbm(stream: io.FileIO, name: str, limits: SizeLimits) -> Decoded:
    """The first picture of a file; for arguments and errors see `codecs.decode`."""
    # The file is closed where its header is damaged, which is left to the caller.
    picture = NetpbmFile(io.BytesIO(stream.read()))
    shape = (picture.height, picture.width, picture.depth)
    if min(shape) < 1 or not (picture.maxval > 0 or picture.scale > 0):
        raise DamagedBytesError("no pixels")
    limits.check(name, picture.width, picture.height, picture.depth * picture.dtype.itemsize)
    samples = np.asarray(picture.asarray())
    count = shape[0] * shape[1] * shape[2]
    if samples.size < count:
        raise DamagedBytesError(f"{samples.size} of {count} samples are there")
    frames = samples.size // count
    samples = samples.reshape(-1)[:count].reshape(shape)
    notes = [f"first of {frames} frames; the others are ignored"] * (frames > 1)
    values, white = _values(samples, picture)
    return Decoded(
        samples=values,
        has_alpha=picture.magicnumber == "PF4" or picture.tupltype.endswith("_ALPHA"),
        white=white,
        metadata=Metadata(),
        notes=(*notes, *notes_of_bits(1 if samples.dtype == bool else 8)),
    )


def _values(samples: Samples, picture: NetpbmFile) -> tuple[Samples, float]:
    """Samples of a type that is read, and their white."""
    if samples.dtype.kind == "f":  # what its scale means is not agreed on
        return samples[::-1].astype(np.float32), 0.0  # from the last row to the first
    if samples.dtype == bool:  # netpbmfile says True for black in PBM, as the file does
        return np.where(samples, 0, 255).astype(np.uint8), 255.0
    if samples.dtype.itemsize == 4:  # noqa: PLR2004 (bytes: integers that a float may not hold)
        return samples.astype(np.uint32), 0.0
    if int(samples.max()) > picture.maxval:
        raise DamagedBytesError(f"a sample is above the maximum of {picture.maxval}")
    return samples.astype(samples.dtype.newbyteorder("=")), float(picture.maxval)
