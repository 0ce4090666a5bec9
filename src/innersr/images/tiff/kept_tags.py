"""Tags of a TIFF file that are written into the TIFF file of the result, and notes about all others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from tifffile import TiffPage

from innersr.images.georeferencing.geotiff import GeoTag, is_damaged
from innersr.images.metadata import TiffTag, not_kept


def kept_tags(page: TiffPage) -> tuple[tuple[TiffTag, ...], list[str]]:
    """The tags of a page that say where it lies, who made it and when, and notes about damaged and other ones."""
    words = _kept_words()
    tags, notes, others = [], [], []
    for found in page.tags:
        tag = tag_of(page, found.code, words[found.code]) if found.code in words else None
        if tag is None and found.code not in list(GeoTag):
            others.append((found.code, found.name))
        elif tag is None or is_damaged(tag):
            notes.append(f"{words[found.code]} of the TIFF is damaged and not kept")
        else:
            tags.append(tag)
    if notes:  # half a georeference would be a wrong one
        tags = [tag for tag in tags if tag.words != "georeferencing"]
    return tuple(sorted(tags, key=lambda tag: tag.code)), [*dict.fromkeys(notes), *_losses(others)]


def _kept_words() -> Mapping[int, str]:
    """The tags that are kept, and what a note calls them; nothing where none is needed."""
    words: dict[int, str] = {code: "georeferencing" for code in GeoTag}
    words[GeoTag.GDAL_METADATA] = "GDAL's metadata"
    names = {
        # Make, Model, DateTime, Artist, HostComputer, Copyright
        "camera, date and author": (271, 272, 306, 315, 316, 33432),
        "document and page names": (269, 285),  # DocumentName, PageName
        "": (305,),  # Software: what wrote the source does not describe the picture
    }
    return {**words, **{code: each for each, codes in names.items() for code in codes}}


def _losses(tags: Iterable[tuple[int, str]]) -> list[str]:
    """Notes about tags that are not kept, by their codes and names, except those of `_is_written_anew`."""
    groups = {  # by the words of a note
        "georeferencing by a matrix of Intergraph": (33920,),
        "EXIF": (34665,),
        "GPS position": (34853,),
        "colour description (primaries, curve)": (318, 319, 301),
        "ImageJ's metadata": (50838, 50839),
        # Of MetaMorph, Olympus, Zeiss and FEI.
        "calibration and description of a microscope": (*range(33628, 33632), 34361, 34412, 34680),
        "what Photoshop keeps (paths, layers, settings)": (343, 344, 345, 34377, 37724),
        "further pictures of the page (SubIFDs)": (330,),
    }
    words = {code: each for each, codes in groups.items() for code in codes}
    lost = dict.fromkeys(words[code] for code, _ in tags if code in words)
    notes = [not_kept(each) for each in lost]
    names = [str(name)[:40] for code, name in tags if code not in words and not _is_written_anew(code)]
    if names:
        most = 6  # names in a note: a damaged file lists any number
        more = f" and {len(names) - most} more" if len(names) > most else ""
        notes.append(
            f"tags of the TIFF that may not be true of the result are not kept: {', '.join(names[:most])}{more}"
        )
    return notes


def _is_written_anew(code: int) -> bool:
    """Whether a tag says how pixels are stored, or is read and kept, or reported as lost, by other functions."""
    structure = (
        *range(254, 267),  # sizes, bits, compression, halftoning of bilevel scans, order of bits
        *range(273, 285),  # strips, orientation, samples, their range, resolution, planes
        *(288, 289, 292, 293, 296, 297),  # free space, fax encoding, unit of resolution, number of the page
        *(317, *range(320, 329)),  # predictor, palette, hints for halftones, tiles, errors of faxes
        *(332, 334, 336, 338, 339, 340, 341, 347),  # inks, kinds of samples, tables of JPEG
        *range(512, 522),  # JPEG of version 6
        *(529, 530, 531, 532, 559),  # luma and chroma, rows of strips
        *(*range(32995, 32999), 50674),  # alpha, type and depth of an older standard, parameters of LERC
    )
    elsewhere = (270, 700, 33723, 34675, 42113)  # description, XMP, IPTC, profile, no data
    return code in structure or code in elsewhere


def tag_of(page: TiffPage, code: int, words: str) -> TiffTag | None:
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
