"""Descriptions in which programs of microscopes keep sizes and calibration, rewritten for a result."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from innersr.images.georeferencing.grid import PixelGrid
from innersr.images.values.linear_change import UNCHANGED, LinearChange

Size = tuple[int, int]  # (height, width)
_ORIGIN = ((0, "yorigin"), (1, "xorigin"))  # of ImageJ, in pixels, by its axis


def is_split_ome(text: str) -> bool:
    """Whether an OME-XML names pages in several files, or in another one."""
    return len(set(re.findall(r'<(?:\w+:)?UUID\b[^>]*\bFileName="([^"]*)"', text))) > 1 or "<BinaryOnly" in text


def ome_description(
    text: str,
    grown: Callable[[Size], Size],
    scales: Callable[[Size], tuple[float, float]],
    depth: str | None,
    name: str,
) -> str:
    """An OME-XML for a result: numbers of pixels, their physical size and their type.

    Regions of interest, which are in pixels of the source, are left out.

    Args:
        text: of the source.
        grown: the (height, width) of the result of a page of that size.
        scales: likewise, its (vertical, horizontal) scale.
        depth: "uint8", "uint16" or "float32"; None for that of each series, which are floats if they are neither.
        name: of the file that is written.
    """

    kept = {"uint8": "uint8", "uint16": "uint16", "bit": "uint8"}  # as files are read

    def pixels(found: re.Match[str]) -> str:
        tag, values = found[0], dict(re.findall(r'\b(\w+)\s*=\s*"([^"]*)"', found[0]))
        size = int(values["SizeY"]), int(values["SizeX"])
        (rows, columns), kind = grown(size), depth or kept.get(values.get("Type", ""), "float32")
        changes = {"SizeX": f"{columns}", "SizeY": f"{rows}", "Type": "float" if kind == "float32" else kind}
        for attribute, scale in zip(("PhysicalSizeY", "PhysicalSizeX"), scales(size), strict=True):
            if attribute in values:
                changes[attribute] = f"{float(values[attribute]) / scale:.17g}"
        if values.get("Type") != changes["Type"]:
            tag = re.sub(r'\s+SignificantBits\s*=\s*"[^"]*"', "", tag)
        for attribute, value in changes.items():
            tag = re.sub(rf'\b{attribute}(\s*=\s*)"[^"]*"', rf'{attribute}\1"{value}"', tag)
        return tag

    text = re.sub(r"<(?:\w+:)?Pixels\b[^>]*>", pixels, text)
    text = re.sub(r"<((?:\w+:)?ROI)\b.*?</\1>|<(?:\w+:)?ROIRef\b[^>]*?/>", "", text, flags=re.DOTALL)
    quoted = name.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("\\", r"\\")
    return re.sub(r'(<(?:\w+:)?UUID\b[^>]*\bFileName=)"[^"]*"', rf'\1"{quoted}"', text)


def imagej_description(text: str, grid: PixelGrid, *, planes: int | None, change: LinearChange = UNCHANGED) -> str:
    """ImageJ's description for a result: its origin in pixels; the size of a pixel is in the resolution tags.

    Args:
        text: of the source.
        grid: of the result.
        planes: number of pages that are written, if not all: they become slices.
        change: of the values, which the range that is shown and a linear calibration follow; others are left out.
    """
    lines = text.replace("\0", "").splitlines()
    values = dict(line.partition("=")[::2] for line in lines)
    left_out = {"images", "channels", "slices", "frames", "hyperstack", "mode"} if planes is not None else set()
    changed = {name: f"{grid.result(axis, float(values[name])):.10g}" for axis, name in _ORIGIN if name in values}
    if change != UNCHANGED:
        changed |= {name: f"{change.of(float(values[name])):.10g}" for name in ("min", "max") if name in values}
        if values.get("cf") == "0":  # physical values are c0 + c1 * value
            scale, offset = change.calibration(float(values.get("c1", 1)), float(values.get("c0", 0)))
            changed |= {"c0": f"{offset:.17g}", "c1": f"{scale:.17g}"}
        else:
            left_out |= {"cf", "vunit", *(f"c{place}" for place in range(10))}
    names = {line: line.partition("=")[0] for line in lines}
    kept = [line for line in lines if names[line] not in left_out]
    kept = [f"{names[line]}={changed[names[line]]}" if names[line] in changed else line for line in kept]
    if planes is not None:
        kept[1:1] = [f"images={planes}", f"slices={planes}"]
    return "\n".join(kept) + "\n"


def shaped_description(text: str, size: Size, new_size: Size) -> str | None:
    """The shape that tifffile keeps, with other numbers of rows and columns; None if it has not the old ones."""
    try:
        values = json.loads(text)
        shape = list(values["shape"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    ends = [place for place in range(len(shape) - 1) if tuple(shape[place : place + 2]) == size]
    axes = values.get("axes")
    row = axes.index("Y") if isinstance(axes, str) and len(axes) == len(shape) and "YX" in axes else ends[-1:]
    if isinstance(row, list):
        if not row:
            return None
        (row,) = row
    if tuple(shape[row : row + 2]) != size:
        return None
    shape[row : row + 2] = new_size
    return json.dumps({**values, "shape": shape})
