"""Values in integer files: which of them become black and white."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from innersr.errors import ImageFileError, InputError
from innersr.images.formats import DEPTHS
from innersr.images.georeferencing.geotiff import recalibrated_tags
from innersr.images.image import Image
from innersr.images.values.linear_change import UNCHANGED, LinearChange
from innersr.images.values.no_data import apart_from_no_data, missing_values
from innersr.isolation import is_finite


def share_outside(image: Image) -> float:
    """Share of the values with data that lie outside [0, 1], where integer files cannot hold them."""
    known = _known(image)
    return float(((known < 0) | (known > 1)).float().mean()) if known.numel() else 0.0


def check_exact(samples: np.ndarray[Any, Any], path: str | Path) -> None:
    """Raise ImageFileError for integers that 32-bit floats cannot hold."""
    most = 1 << 24  # above it only every second whole number is a 32-bit float
    is_whole = samples.dtype.kind in "iu" and samples.size > 0
    largest = max(abs(int(samples.min())), abs(int(samples.max()))) if is_whole else 0
    if largest > most:
        remedy = f"scale them first, for example gdal_translate -ot Float32 -scale 0 {largest} 0 1 in.tif out.tif"
        raise ImageFileError(
            f"{path}: holds whole numbers up to {largest}, but is read exactly up to {most} only; {remedy}"
        )


def parse_range(value: str | tuple[float, float]) -> tuple[float, float] | None:
    """Parse "0,1500", or a pair: the stored values that become black and white; None for "auto".

    Raises:
        InputError: it is something else, or the first is not below the second.
    """
    if value == "auto":
        return None
    try:
        low, high = (float(end) for end in (value.split(",") if isinstance(value, str) else value))
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not -math.inf < low < high < math.inf:
        raise InputError(f"the range (--range) is LOW,HIGH with LOW below HIGH, or auto, got {value!r}")
    return low, high


def check_depth(image: Image, depth: str, value_range: str | tuple[float, float] | None, name: Path) -> None:
    """Raise InputError, with the name of the file, if a depth cannot hold the values of an image."""
    if depth != "float32" and image.missing is not None and not is_finite(image.colour):
        raise InputError(f"{name}: holds NaN, which integers cannot hold; write a .tif with --depth float, or fill it")
    if value_range is not None and depth == "float32":
        raise InputError(f"{name}: a range (--range) is for integers; add --depth 16 or --depth 8")
    outside = 0.0 if value_range is not None or depth == "float32" else share_outside(image)
    if outside > 0.01:  # fewer are highlights, which clipping harms little
        raise InputError(
            f"{name}: {100 * outside:.3g} % of its values are outside 0 to 1, which is all of floats that integers "
            "hold; say which values become black and white (--range LOW,HIGH or --range auto), or write a .tif with "
            "--depth float"
        )


def in_depth(
    result: Image,
    depth: str,
    value_range: str | tuple[float, float] | None,
    source: Image,
    *,
    is_calibrated: bool = False,
) -> tuple[Image, tuple[str, ...]]:
    """A result as a file of this depth holds it, and notes. Values beyond the range are clipped when it is saved.

    A no-data value that would become one of the data values is removed from the metadata; scale and offset of a map
    follow the values.

    Args:
        result: in the values of the source.
        depth: of the file.
        value_range: see `parse_range`, the values that become black and white; None for 0 and 1, or 0 and white.
        source: the image that was upscaled, whose least and greatest values are the range "auto".
        is_calibrated: see `value_change`.
    """
    notes: list[str] = []
    metadata, white = result.metadata, DEPTHS[source.depth].white
    change = value_change(depth, value_range, source, is_calibrated=is_calibrated)
    if value_range is not None:
        low, high = (end / (white or 1) for end in _range_of(value_range, source))
        colour = (result.colour - low) / (high - low)
        outside = share_outside(replace(source, colour=(source.colour - low) / (high - low)))
        ends = " to ".join(f"{end * (white or 1):.6g}" for end in (low, high))
        clipped = f"; {100 * outside:.2g} % beyond were clipped" if outside else ""
        notes.append(f"values from {ends} became black to white{clipped}")
        nodata = None
    elif _holds_stored_values(depth, source, is_calibrated=is_calibrated):
        colour, nodata = result.colour * white, metadata.nodata  # exact for whole numbers
        notes.append(f"its values are kept as they were stored, from 0 to {white}")
    else:
        colour, nodata = result.colour, _nodata_in(depth, metadata.nodata, source.depth)
        if white and depth == "float32":
            notes.append(f"its values from 0 to {white} became 0 to 1")
    if nodata is None and metadata.nodata is not None:
        notes.append("the no-data value is not kept: other values would become equal to it")
    if result.layout.zero_is_white and depth != source.depth:
        notes.append("its values ran from white to black, and are written from black to white")
        result = replace(result, layout=replace(result.layout, zero_is_white=False))
    tags = recalibrated_tags(metadata.tags, change, colour.shape[1])
    if tags != metadata.tags:
        notes.append("scale and offset follow its values: they give the same physical values")
    result = replace(result, colour=colour, depth=depth, metadata=replace(metadata, nodata=nodata, tags=tags))
    return result if value_range is not None else apart_from_no_data(result), tuple(notes)


def value_change(
    depth: str,
    value_range: str | tuple[float, float] | None,
    source: Image,
    *,
    is_calibrated: bool = False,
) -> LinearChange:
    """How values as the source stores them become those of a file of this depth; for the others see `in_depth`.

    Args:
        is_calibrated: whether the values mean more than colours, as those of maps do in any case; floats are then the
            whole numbers that were stored, and not from 0 to 1.
    """
    if depth == source.depth and value_range is None:
        return UNCHANGED
    before, after = DEPTHS[source.depth].white or 1, DEPTHS[depth].white or 1
    low, high = (0.0, float(before)) if value_range is None else _range_of(value_range, source)
    if value_range is None and _holds_stored_values(depth, source, is_calibrated=is_calibrated):
        high = 1.0
    change = LinearChange(factor=after / (high - low), shift=-after * low / (high - low))
    if source.layout.zero_is_white and source.depth != "float32":  # whose stored values are inverted
        change = LinearChange(factor=-change.factor, shift=change.of(before))
        if depth == source.depth:
            change = LinearChange(factor=-change.factor, shift=after - change.shift)
    return change


def _holds_stored_values(depth: str, source: Image, *, is_calibrated: bool) -> bool:
    """Whether a float file holds the whole numbers of a source as they were stored: they are measurements."""
    has_meaning = is_calibrated or source.metadata.nodata is not None or source.metadata.is_of_map
    return depth == "float32" and DEPTHS[source.depth].white > 0 and has_meaning


def _nodata_in(depth: str, nodata: str | None, stored: str) -> str | None:
    """The no-data value of samples `stored` in one depth, for another of integers; None if others would become it."""
    before, after = DEPTHS[stored].white, DEPTHS[depth].white
    if nodata is None or depth == stored:
        return nodata
    return f"{round(float(nodata) / before * after)}" if 0 < before < after else None


def _range_of(value_range: str | tuple[float, float], source: Image) -> tuple[float, float]:
    """The ends of a range, as the source stores them."""
    return parse_range(value_range) or used_range([source])


def range_of_ends(ends: Iterable[float | Tensor], depth: str) -> tuple[float, float]:
    """The range "auto" of a least and a greatest value with data: as a file stores them, 1 apart if they are equal."""
    least, most = (float(end) * (DEPTHS[depth].white or 1) for end in ends)
    return (least, most) if least < most else (least, least + 1)


def used_range(images: Iterable[Image]) -> tuple[float, float]:
    """The least and the greatest value with data, as files store them; (least, least + 1) where all are equal."""
    least, most = math.inf, -math.inf
    for image in images:
        if (known := _known(image)).numel():
            low, high = (float(end) * (DEPTHS[image.depth].white or 1) for end in torch.aminmax(known))
            least, most = min(least, low), max(most, high)
    if least > most:
        return 0.0, 1.0
    return (least, most) if least < most else (least, least + 1)


def _known(image: Image) -> Tensor:
    """The values with data; none of an image without any."""
    if image.missing is not None and bool(image.missing.all()):
        return image.colour.new_empty(0)
    missing = missing_values(image)
    return image.colour if missing is None else image.colour[~missing]
