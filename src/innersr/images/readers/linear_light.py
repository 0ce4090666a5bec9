"""OpenEXR and Radiance HDR files: floats of linear light, also above 1."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np

from innersr.errors import ImageFileError
from innersr.images.colours.profiles import ColourSpace
from innersr.images.limits import SizeLimits
from innersr.images.metadata import DamagedBytesError, Metadata
from innersr.images.readers.decoded import Decoded, packages_for
from innersr.images.samples import Samples
from innersr.images.values.depths import check_exact


def decode_exr(stream: io.FileIO, name: str, limits: SizeLimits) -> Decoded:
    """The colours, or all channels, of the first part of a file; for arguments and errors see `codecs.decode`."""
    with packages_for("OpenEXR", name, "hdr"):
        import OpenEXR
    data = stream.read()
    header = OpenEXR.File(io.BytesIO(data), header_only=True, num_threads=0).header()
    (left, top), (right, bottom) = (tuple(map(int, corner)) for corner in header["dataWindow"])
    kinds = {channel.name: channel for channel in header["channels"]}
    names = _chosen(set(kinds))
    width, height = right - left + 1, bottom - top + 1
    if min(width, height) < 1 or not kinds:
        raise DamagedBytesError("no pixels")
    limits.check(name, width, height, 4 * len(kinds))
    if header.get("type") in (OpenEXR.deepscanline, OpenEXR.deeptile):
        raise ImageFileError(f"{name}: its pixels have several depths; flatten it first")
    if names is None:
        remedy = "save it as RGB first"
        raise ImageFileError(f"{name}: its colours are brightness and differences (Y, RY, BY); {remedy}")
    if any(kinds[each].xSampling != 1 or kinds[each].ySampling != 1 for each in names):
        raise ImageFileError(f"{name}: its channels differ in size; save them at one size first")
    file = OpenEXR.File(io.BytesIO(data), separate_channels=True, num_threads=0)
    planes = [np.asarray(file.channels()[each].pixels) for each in names]
    samples = np.stack([_as_float(plane, name) for plane in planes], -1)
    if samples.shape[:2] != (height, width):
        raise DamagedBytesError(f"samples of the shape {samples.shape}")
    notes = _exr_notes(header, sorted(set(kinds) - set(names)), len(file.parts))
    has_alpha = names[-1] == "A" and len(names) in (2, 4)
    if has_alpha:
        alpha = samples[..., -1:]
        samples[..., :-1] /= np.where(alpha > 0, alpha, 1)  # without alpha it is light, such as that of a flame
        notes.append("premultiplied alpha was made straight")
    is_rgb = names[:3] == ["R", "G", "B"]
    icc = _linear_profile(header, is_grey=not is_rgb) if is_rgb or names[0] == "Y" else None
    if icc is not None:
        notes.append("its values are linear light, as its colour profile says")
    return Decoded(
        samples=samples, has_alpha=has_alpha, white=0.0, metadata=Metadata(icc=icc), is_rgb=is_rgb, notes=tuple(notes)
    )


def decode_radiance(stream: io.FileIO, name: str, limits: SizeLimits) -> Decoded:
    """A Radiance HDR file; for arguments and errors see `codecs.decode`."""
    with packages_for("Radiance HDR", name, "hdr"):
        import imagecodecs
    data = stream.read()
    head = data[: 1 << 16]
    found = re.search(rb"\n\n([-+][XY]) (\d{1,9}) ([-+][XY]) (\d{1,9})\n", head)
    if found is None:
        raise DamagedBytesError("no size in its header")
    if b"32-bit_rle_xyze" in head[: found.start()]:
        raise ImageFileError(f"{name}: its colours are XYZ; save it as RGB first (ra_xyze -r)")
    if (found[1], found[3]) != (b"-Y", b"+X"):
        raise ImageFileError(f"{name}: its rows do not run from the top left; turn it first (pflip)")
    height, width = int(found[2]), int(found[4])
    if min(height, width) < 1:
        raise DamagedBytesError("no pixels")
    limits.check(name, width, height, 12)
    samples = np.asarray(imagecodecs.rgbe_decode(data), dtype=np.float32)
    if samples.shape != (height, width, 3):
        raise DamagedBytesError(f"samples of the shape {samples.shape}")
    notes = ["its values are linear light, as its colour profile says"]
    if b"\nEXPOSURE=" in head[: found.start()]:
        notes.append("its exposure is not kept: values are as they are stored")
    icc = ColourSpace(gamma=1.0).profile()
    return Decoded(
        samples=samples, has_alpha=False, white=0.0, metadata=Metadata(icc=icc), is_rgb=True, notes=tuple(notes)
    )


def _chosen(names: set[str]) -> list[str] | None:
    """The channels that are read, in their order: colours and alpha, or all where there are no colours."""
    if {"R", "G", "B"} <= names:
        return ["R", "G", "B", *(["A"] if "A" in names else [])]
    if {"RY", "BY"} & names:
        return None
    if "Y" in names:
        return ["Y", *(["A"] if "A" in names else [])]
    return sorted(names)


def _as_float(plane: Samples, name: str) -> Samples:
    check_exact(plane, name)
    return plane.astype(np.float32)


def _exr_notes(header: dict[str, Any], left_out: list[str], parts: int) -> list[str]:
    notes = []
    if left_out:
        notes.append(f"its channels {', '.join(left_out[:8])} are not kept")
    if parts > 1:
        notes.append(f"first of {parts} parts; the others are ignored")
    windows = [np.asarray(header[each]).tolist() for each in ("dataWindow", "displayWindow") if each in header]
    if len(windows) > 1 and windows[0] != windows[1]:
        notes.append("its pixels do not fill the window that is shown: their place in it is not kept")
    return notes


def _linear_profile(header: dict[str, Any], *, is_grey: bool) -> bytes | None:
    """The profile of linear light of the primaries that a header states, else those of BT.709."""
    found = header.get("chromaticities")
    if found is None:
        return ColourSpace(gamma=1.0, is_grey=is_grey).profile()
    pairs = np.asarray(found, dtype=np.float64).reshape(-1, 2).tolist()
    if len(pairs) != 4:  # noqa: PLR2004 (red, green, blue, white)
        raise DamagedBytesError("wrong chromaticities")
    red, green, blue, white = ((x, y) for x, y in pairs)
    space = ColourSpace(red=red, green=green, blue=blue, white=white, gamma=1.0, is_grey=is_grey)
    return space.profile()
