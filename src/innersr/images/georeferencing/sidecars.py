"""Files beside a picture that say where it lies: world files, .prj, and GDAL's .aux.xml; rewritten for a result."""

from __future__ import annotations

import math
import os
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from innersr.errors import ImageFileError
from innersr.images.georeferencing.grid import PixelGrid
from innersr.images.values.linear_change import UNCHANGED, LinearChange
from innersr.json_lines import bytes_of


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """A file beside a picture, and where it belongs beside the result."""

    source: Path
    target: Path

    def content(self, grid: PixelGrid, change: LinearChange = UNCHANGED) -> bytes:
        """The content for a result.

        Args:
            grid: where the pixels of the result lie in the source.
            change: of the values.

        Raises:
            ImageFileError: the content is not of the kind that the name says.
            OSError: the file cannot be read.
        """
        longest = 64 << 20  # bytes; GDAL's histograms and tables may be long
        ending = self.source.suffix.lower()
        try:
            data = bytes_of(self.source, longest)
            if ending == ".xml":
                return rescaled_gdal_file(data, grid, change)
            return data if ending == ".prj" else rescaled_world_file(data.decode("ascii"), grid).encode()
        except (ValueError, ElementTree.ParseError) as error:
            remedy = "mend or remove it"
            raise ImageFileError(f"{self.source}: is not what its name says ({error}); {remedy}") from error


def sidecars(source: Path, target: Path) -> list[Sidecar]:
    """The files beside a picture that say where it lies, and their names beside its result."""
    letters, new = source.suffix[1:], target.suffix[1:]
    endings = {"wld": "wld", "prj": "prj"}
    if letters and new:  # tfw or tifw of a tif
        endings |= {f"{letters[0]}{letters[-1]}w": f"{new[0]}{new[-1]}w", f"{letters}w": f"{new}w"}
    endings |= {ending.upper(): other.upper() for ending, other in endings.items()}
    pairs = [(source.with_suffix(f".{ending}"), target.with_suffix(f".{other}")) for ending, other in endings.items()]
    found: dict[Path, Sidecar] = {}
    for path, place in [*pairs, (Path(f"{source}.aux.xml"), Path(f"{target}.aux.xml"))]:
        # On file systems that know no capitals two names are one file. A name that is too long is that of no file.
        if os.path.isfile(path) and not any(path.samefile(other.source) for other in found.values()):  # noqa: PTH113
            found.setdefault(place, Sidecar(source=path, target=place))
    return list(found.values())


def rescaled_world_file(text: str, grid: PixelGrid) -> str:
    """A world file for a result: the size and rotation of a pixel, and the place of the first pixel's centre.

    Raises:
        ValueError: it does not hold six finite numbers.
    """
    words = text.replace(",", ".").split()
    if len(words) != 6:  # noqa: PLR2004
        raise ValueError(f"it holds {len(words)} and not 6 numbers")
    across_x, across_y, down_x, down_y, x, y = (_finite(word) for word in words)
    columns, rows = grid.source(1, 0, 0.5), grid.source(0, 0, 0.5)
    x, y = x + columns * across_x + rows * down_x, y + columns * across_y + rows * down_y
    vertical, horizontal = grid.scales
    numbers = (across_x / horizontal, across_y / horizontal, down_x / vertical, down_y / vertical, x, y)
    return "".join(f"{number:.15g}\n" for number in numbers)


def rescaled_gdal_file(data: bytes, grid: PixelGrid, change: LinearChange = UNCHANGED) -> bytes:
    """GDAL's file of metadata for a result: geotransform and ground control points moved, statistics left out.

    Scales, offsets and no-data values follow a change of the values.

    Raises:
        ValueError: it declares entities, or its numbers are damaged.
        xml.etree.ElementTree.ParseError: it is no XML.
    """
    if b"\0" in data:
        raise ValueError("it is no UTF-8 text, which GDAL writes")
    if b"<!" in data.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
        raise ValueError("it declares a document type, which GDAL never writes")
    root = ElementTree.fromstring(data)
    vertical, horizontal = grid.scales
    for element in root.iter("GeoTransform"):
        x, across_x, down_x, y, across_y, down_y = (_finite(word) for word in (element.text or "").split(","))
        columns, rows = grid.source(1, 0), grid.source(0, 0)
        x, y = x + columns * across_x + rows * down_x, y + columns * across_y + rows * down_y
        numbers = (x, across_x / horizontal, down_x / vertical, y, across_y / horizontal, down_y / vertical)
        element.text = ", ".join(f"{number:.17g}" for number in numbers)
    for element in root.iter("GCP"):
        for axis, name in ((0, "Line"), (1, "Pixel")):
            element.set(name, f"{grid.result(axis, _finite(element.get(name, ''))):.10g}")
    for band in root.iter("PAMRasterBand") if change != UNCHANGED else ():
        _recalibrate(band, change)
    for parent in list(root.iter()):
        for child in list(parent):
            is_statistic = child.tag == "MDI" and child.get("key", "").startswith("STATISTICS_")
            if is_statistic or child.tag in ("Histograms", "Overview"):
                parent.remove(child)
    return ElementTree.tostring(root)


def _recalibrate(band: ElementTree.Element, change: LinearChange) -> None:
    scale, offset = (band.findtext(name) for name in ("Scale", "Offset"))
    if scale is not None or offset is not None:
        new = change.calibration(_finite(scale or "1"), _finite(offset or "0"))
        for name, value in zip(("Scale", "Offset"), new, strict=True):
            element = band.find(name)
            (ElementTree.SubElement(band, name) if element is None else element).text = f"{value:.17g}"
    for nodata in band.findall("NoDataValue"):
        nodata.text = f"{change.of(float(nodata.text or 'nan')):.17g}"


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"it holds {word.strip()}, which is no place")
    return number
