"""GeoTIFF tags after upscaling (OGC GeoTIFF 1.1, annexes B and C): the map stays where it was."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from enum import IntEnum

import numpy as np

from innersr.images.georeferencing.grid import PixelGrid
from innersr.images.metadata import TiffTag
from innersr.images.values.linear_change import UNCHANGED, LinearChange


class GeoTag(IntEnum):
    """Codes of the tags that say where a picture lies, and of GDAL's own."""

    PIXEL_SCALE = 33550
    TIEPOINTS = 33922
    TRANSFORMATION = 34264
    KEYS = 34735
    KEY_DOUBLES = 34736
    KEY_TEXTS = 34737
    GDAL_METADATA = 42112
    RATIONAL_POLYNOMIALS = 50844


def is_damaged(tag: TiffTag) -> bool:
    """Whether a tag of numbers has another type or number of values than it must have."""
    double = 12  # the code of 8-byte floats
    counts = {GeoTag.PIXEL_SCALE: 3, GeoTag.TRANSFORMATION: 16, GeoTag.RATIONAL_POLYNOMIALS: 92}
    if tag.code == GeoTag.TIEPOINTS:
        return tag.kind != double or tag.count == 0 or tag.count % 6 != 0
    return tag.code in counts and (tag.kind, tag.count) != (double, counts[GeoTag(tag.code)])


def rescaled_tags(tags: tuple[TiffTag, ...], grid: PixelGrid) -> tuple[TiffTag, ...]:
    """The tags of a source as those of its result; statistics of values, which have changed, are left out.

    Args:
        tags: of the source, none of them damaged.
        grid: where the pixels of the result lie.
    """
    if grid == PixelGrid():
        return tags
    of = {tag.code: tag for tag in tags}
    centre = 0.5 if _is_of_points(of.get(GeoTag.KEYS)) else 0.0
    changed: dict[int, TiffTag | None] = {}
    pixel_scale, tiepoints = of.get(GeoTag.PIXEL_SCALE), of.get(GeoTag.TIEPOINTS)
    if pixel_scale is not None:
        across, down, height = pixel_scale.doubles()
        smaller = np.array([across / grid.scales[1], down / grid.scales[0], height])
        changed[GeoTag.PIXEL_SCALE] = _with_doubles(pixel_scale, smaller)
    if tiepoints is not None:
        places = tiepoints.doubles().reshape(-1, 6)
        if pixel_scale is not None and len(places) == 1:
            # The tie stays at its pixel, which most often is the first, and gets the coordinates of its new place.
            column, row = places[0, :2]
            places[0, 3] += (grid.source(1, column, centre) - column) * across
            places[0, 4] -= (grid.source(0, row, centre) - row) * down
        else:
            places[:, 0] = [grid.result(1, column, centre) for column in places[:, 0]]
            places[:, 1] = [grid.result(0, row, centre) for row in places[:, 1]]
        changed[GeoTag.TIEPOINTS] = _with_doubles(tiepoints, places)
    if (tag := of.get(GeoTag.TRANSFORMATION)) is not None:
        to_source = np.eye(4)
        for row, axis in ((0, 1), (1, 0)):
            to_source[row, row], to_source[row, 3] = 1 / grid.scales[axis], grid.source(axis, 0, centre)
        changed[GeoTag.TRANSFORMATION] = _with_doubles(tag, tag.doubles().reshape(4, 4) @ to_source)
    if (tag := of.get(GeoTag.RATIONAL_POLYNOMIALS)) is not None:
        values = tag.doubles()  # from the third: line and sample offset; from the eighth: line and sample scale
        for axis in (0, 1):
            values[2 + axis] = grid.result(axis, values[2 + axis], 0.5)
            values[7 + axis] *= grid.scales[axis]
        changed[GeoTag.RATIONAL_POLYNOMIALS] = _with_doubles(tag, values)
    if (tag := of.get(GeoTag.GDAL_METADATA)) is not None:
        changed[GeoTag.GDAL_METADATA] = _without_statistics(tag)
    return tuple(tag for tag in (changed.get(tag.code, tag) for tag in tags) if tag is not None)


def recalibrated_tags(tags: tuple[TiffTag, ...], change: LinearChange, bands: int) -> tuple[TiffTag, ...]:
    """The tags for changed values: where GDAL's metadata has scales or offsets, they give the same physical values."""
    return tuple(_recalibrated(tag, change, bands) if tag.code == GeoTag.GDAL_METADATA else tag for tag in tags)


def _recalibrated(tag: TiffTag, change: LinearChange, bands: int) -> TiffTag:
    item = rb'\s*<Item\b(?=[^>]*\brole="(scale|offset)")(?=[^>]*\bsample="(\d+)")[^>]*>([^<]*)</Item>'
    found = {(role, int(band)): _number(value) for role, band, value in re.findall(item, tag.data)}
    if not found or change == UNCHANGED:
        return tag
    lines = []
    for band in range(bands):
        own = change.calibration(found.get((b"scale", band), 1.0), found.get((b"offset", band), 0.0))
        for role, value in zip(("scale", "offset"), own, strict=True):
            name = role.upper()
            lines.append(f'  <Item name="{name}" sample="{band}" role="{role}">{value:.17g}</Item>\n'.encode())
    end = b"</GDALMetadata>"
    text = re.sub(item, b"", tag.data).replace(end, b"".join(lines) + end, 1)
    return replace(tag, data=text, count=len(text))


def _number(text: bytes) -> float:
    """A number of GDAL's metadata; 0 where it is none, as GDAL takes it."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def _is_of_points(keys: TiffTag | None) -> bool:
    """Whether coordinates are those of pixel centres (RasterPixelIsPoint), not of pixel corners."""
    raster_type, is_point = 1025, 2
    if keys is None:
        return False
    values = struct.unpack(f"<{len(keys.data) // 2}H", keys.data)
    entries = [values[at : at + 4] for at in range(4, len(values) - 3, 4)]
    return any(key == raster_type and place == 0 and value == is_point for key, place, _, value in entries)


def _with_doubles(tag: TiffTag, values: np.ndarray) -> TiffTag:
    return replace(tag, data=values.astype("<f8").tobytes())


def _without_statistics(tag: TiffTag) -> TiffTag | None:
    """GDAL's metadata without the least, greatest and mean values of the source; None if nothing is left."""
    text = re.sub(rb'\s*<Item name="STATISTICS_[^>]*>[^<]*</Item>', b"", tag.data)
    return replace(tag, data=text, count=len(text)) if b"<Item" in text else None
