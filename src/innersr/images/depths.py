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
from innersr.images.image import Image
from innersr.images.no_data import apart_from_no_data, missing_values
from innersr.isolation import is_finite


def share_outside(image: Image) -> float:
    """Share of the values with data that lie outside [0, 1], where integer files cannot hold them."""
    known = _known(image)
    return float(((known < 0) | (known > 1)).float().mean())


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
    result: Image, depth: str, value_range: str | tuple[float, float] | None, source: Image
) -> tuple[Image, tuple[str, ...]]:
    """A result as a file of this depth holds it, and notes. Values beyond the range are clipped when it is saved.

    A no-data value that would become one of the data values is removed from the metadata.

    Args:
        result: in the values of the source.
        depth: of the file.
        value_range: see `parse_range`, the values that become black and white; None for 0 and 1, or 0 and white.
        source: the image that was upscaled, whose least and greatest values are the range "auto".
    """
    more: list[str] = []
    if result.layout.zero_is_white and depth != source.depth:
        more = ["its values ran from white to black, and are written from black to white"]
        result = replace(result, layout=replace(result.layout, zero_is_white=False))
    if value_range is None:
        nodata = _nodata_in(depth, result.metadata.nodata, source.depth)
        if nodata != result.metadata.nodata:
            more += [_lost_nodata()] * (nodata is None)
            result = replace(result, metadata=replace(result.metadata, nodata=nodata))
        return apart_from_no_data(replace(result, depth=depth)), tuple(more)
    white = DEPTHS[source.depth].white or 1
    ends = parse_range(value_range) or used_range(torch.aminmax(_known(source)), source.depth)
    low, high = (end / white for end in ends)
    scaled = replace(result, colour=(result.colour - low) / (high - low), depth=depth)
    note = f"values from {ends[0]:.6g} to {ends[1]:.6g} became black to white"
    outside = share_outside(replace(source, colour=(source.colour - low) / (high - low)))
    notes = [note + (f"; {100 * outside:.2g} % beyond were clipped" if outside else "")]
    if result.metadata.nodata is not None:
        notes.append(_lost_nodata())
        scaled = replace(scaled, metadata=replace(result.metadata, nodata=None))
    return scaled, (*notes, *more)


def _nodata_in(depth: str, nodata: str | None, stored: str) -> str | None:
    """The no-data value of samples `stored` in one depth, for another; None if other values would become it too."""
    before, after = DEPTHS[stored].white, DEPTHS[depth].white
    if nodata is None or depth == stored:
        return nodata
    if before == 0 or 0 < after < before:
        return None
    value = float(nodata) / before
    return f"{round(value * after) if after else float(np.float32(value)):.17g}"


def _lost_nodata() -> str:
    return "the no-data value is not kept: other values would become equal to it"


def used_range(ends: Iterable[float | Tensor], depth: str) -> tuple[float, float]:
    """The range "auto" of a least and a greatest value with data: as a file stores them, 1 apart if they are equal."""
    least, most = (float(end) * (DEPTHS[depth].white or 1) for end in ends)
    return (least, most) if least < most else (least, least + 1)


def _known(image: Image) -> Tensor:
    missing = missing_values(image)
    return image.colour if missing is None else image.colour[~missing]
