"""Tags of a TIFF file that are written into the TIFF file of the result."""

from __future__ import annotations

import numpy as np
from tifffile import TiffPage

from innersr.images.georeferencing.geotiff import GeoTag, is_damaged
from innersr.images.metadata import TiffTag


def kept_tags(page: TiffPage) -> tuple[tuple[TiffTag, ...], list[str]]:
    """The tags of a page that say where it lies, who made it and when, and notes about damaged ones."""
    words: dict[int, str] = {code: "georeferencing" for code in GeoTag}
    words[GeoTag.GDAL_METADATA] = "GDAL's metadata"
    names = {
        "camera, date and author": (271, 272, 306, 315, 33432),  # Make, Model, DateTime, Artist, Copyright
        "document and page names": (269, 285),  # DocumentName, PageName
    }
    wanted = {**words, **{code: each for each, codes in names.items() for code in codes}}
    tags, notes = [], []
    for code, each in sorted(wanted.items()):
        tag = _tag(page, code, each)
        if tag is None:
            continue
        if is_damaged(tag):
            notes.append(f"{each} of the TIFF is damaged and not kept")
        else:
            tags.append(tag)
    if notes:  # half a georeference would be a wrong one
        tags = [tag for tag in tags if tag.words != "georeferencing"]
    return tuple(tags), notes


def _tag(page: TiffPage, code: int, words: str) -> TiffTag | None:
    """A tag with its values as bytes, the least first; None if there is none of a known type and size."""
    most = 1 << 20  # bytes of a tag; GDAL's metadata may be long
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 12: 8}  # bytes of a value, by the code of its type
    found = page.tags.get(code)
    if found is None or found.dtype not in sizes or not 0 < found.count * sizes[found.dtype] <= most:
        return None
    size, handle = sizes[int(found.dtype)], page.parent.filehandle
    handle.seek(found.valueoffset)
    data = handle.read(found.count * size)
    if len(data) < found.count * size:
        return None
    data = np.frombuffer(data, f"{page.parent.byteorder}u{size}").astype(f"<u{size}").tobytes()
    return TiffTag(code=code, kind=int(found.dtype), count=found.count, data=data, words=words)
