"""TIFF tags, of TIFF files and of EXIF blocks, and the TIFF files that are refused.

Reads untrusted bytes: the only exception that leaves is `DamagedBytesError`. Knows nothing about pixels. Importing
tifffile takes 0.13 s, so others import this module where they first need it.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import logging
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from tifffile import COMPRESSION, EXTRASAMPLE, FILETYPE, PHOTOMETRIC, PLANARCONFIG, SAMPLEFORMAT, TiffFile, TiffPage

from innersr.errors import ImageFileError
from innersr.images.georeferencing.geotiff import recalibrated_tags
from innersr.images.metadata import (
    PALETTE,
    DamagedBytesError,
    FileFacts,
    TiffLayout,
    TiffTag,
    not_kept,
    sane_resolution,
)
from innersr.images.tiff.kept_tags import kept_tags, tag_of
from innersr.images.tiff.patched_file import PatchedFile
from innersr.images.values.linear_change import LinearChange

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # else it writes about damaged tags to standard error


EXIF_PREFIX = b"Exif\0\0"


@contextlib.contextmanager
def tiff_page(stream: BinaryIO) -> Iterator[TiffPage]:
    """Open the first page of a TIFF or BigTIFF stream. An EXIF block without its prefix is one."""
    try:
        stream.seek(0)
        # What makers of microscopes add is not looked for: reading that may take long.
        with TiffFile(stream, is_lsm=False, is_ndpi=False, is_scanimage=False) as tiff:
            page = tiff.pages[0]
            assert isinstance(page, TiffPage)  # tifffile makes frames only on request
            yield page
    except ImageFileError:
        raise
    except Exception as error:  # tifffile documents no closed list of errors for damaged bytes
        raise DamagedBytesError(str(error) or type(error).__name__) from error


def upright_exif(exif: bytes) -> bytes:
    """An EXIF block whose orientation is upright, without a link to a thumbnail, which would show the old picture."""
    stream = io.BytesIO(exif.removeprefix(EXIF_PREFIX))
    with tiff_page(stream) as page:
        tag = page.tags.get("Orientation")
        if tag is not None and tag.count == 1 and integers(page, "Orientation"):
            tag.overwrite(1)
        order, start = page.parent.byteorder, page.offset
    data = bytearray(stream.getvalue())
    (count,) = struct.unpack_from(f"{order}H", data, start)
    link = start + 2 + 12 * count  # to the second directory, the thumbnail's
    if len(data) >= link + 4:
        data[link : link + 4] = bytes(4)
    return EXIF_PREFIX + bytes(data)


def exif_resolution(exif: bytes) -> tuple[float, float] | None:
    """The pixels per millimetre (horizontal, vertical) of an EXIF block, None if it has none."""
    with tiff_page(io.BytesIO(exif.removeprefix(EXIF_PREFIX))) as page:
        resolution = pixels_per_mm(page)
    return None if resolution is None else sane_resolution(*resolution)


def pixels_per_mm(page: TiffPage) -> tuple[float, float] | None:
    """The (horizontal, vertical) resolution that a page states, plausible or not; None if it states none."""
    unit = {2: 25.4, 3: 10.0}.get(integers(page, "ResolutionUnit", (2,))[0])  # millimetres of an inch, a centimetre
    across, down = rational(page, "XResolution"), rational(page, "YResolution")
    return (across / unit, down / unit) if unit and across and down else None


def integers(page: TiffPage, name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    """The integer values of a tag, `default` when it is missing or not integer."""
    tag = page.tags.get(name)
    # BYTE, SHORT, LONG or LONG8; libtiff stops at 10000 samples per pixel.
    if tag is None or tag.dtype not in (1, 3, 4, 16) or not 0 < tag.count <= 16384:
        return default
    values = tag.value
    return (int(values),) if isinstance(values, int) else tuple(int(value) for value in values)


def rational(page: TiffPage, name: str) -> float | None:
    """The first value of an unsigned rational tag, None when it is missing or divides by zero."""
    tag = page.tags.get(name)
    if tag is None or tag.dtype != 5 or tag.count < 1:
        return None
    above, below = tag.value[:2]
    return above / below if below else None


@dataclass(frozen=True, kw_only=True)
class TiffFacts:
    """Facts about the samples of a TIFF file that libvips does not report."""

    samples: int  # per pixel
    half: bool  # 16-bit floating point, which libvips widens to 32
    has_alpha: bool
    premultiplied: bool
    described: FileFacts
    refusal: str | None  # the reason why it must not be given to libvips, with a remedy
    by_tifffile: bool  # whether libvips cannot read it, or not well
    is_rgb: bool | None  # whether the first three bands are red, green and blue; None where the format implies it
    relabel: bool  # whether libvips reads it right only when `relabelled`
    nodata: str | None  # GDAL's no-data value, a number
    palette: TiffTag | None  # the colours of 8-bit indices


def tiff_facts(stream: BinaryIO) -> TiffFacts:
    """Read the facts of the first page of a TIFF file.

    Alpha is declared by ExtraSamples: exactly one alpha, the last one. libvips itself calls the fourth
    band of every RGB file alpha, so the near-infrared of a satellite image would be.
    """
    with tiff_page(stream) as page:
        one = functools.partial(_one, page)
        samples, photometric = one("SamplesPerPixel", 1), one("PhotometricInterpretation", PHOTOMETRIC.MINISBLACK)
        half = one("BitsPerSample", 1) == 16 and one("SampleFormat", 1) == SAMPLEFORMAT.IEEEFP
        extra = integers(page, "ExtraSamples")
        is_alpha = [value in (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA) for value in extra]
        separate = samples > 1 and one("PlanarConfiguration", 1) == PLANARCONFIG.SEPARATE
        return TiffFacts(
            samples=samples,
            half=half,
            has_alpha=is_alpha[-1:] == [True] and sum(is_alpha) == 1,
            premultiplied=EXTRASAMPLE.ASSOCALPHA in extra,
            described=_described(page),
            refusal=_refusal(page) or _damage(page, stream),
            is_rgb=None if photometric > PHOTOMETRIC.RGB else photometric == PHOTOMETRIC.RGB,
            by_tifffile=_needs_tifffile(page),
            # libvips 8.18 reads planes of this kind with the row length of one band: every row after the first
            # of a strip is wrong, silently (tiff2vips.c, rtiff_stripwise_generate).
            relabel=separate and photometric == PHOTOMETRIC.MINISBLACK,
            nodata=_nodata(page),
            palette=tag_of(page, PALETTE, "palette")
            if page.photometric == PHOTOMETRIC.PALETTE and one("BitsPerSample", 1) == 8
            else None,
        )


def relabelled(stream: BinaryIO, photometric: PHOTOMETRIC = PHOTOMETRIC.RGB) -> BinaryIO:
    """A TIFF file with its first page relabelled: as RGB, libvips reads separate planes right; as grey, a palette's."""
    with tiff_page(stream) as page:
        tag, order = page.tags.get("PhotometricInterpretation"), page.parent.byteorder
        if tag is None or tag.dtype not in (3, 4):  # SHORT or LONG; of the default there is nothing to change
            return stream
        label = struct.pack(f"{order}{'H' if tag.dtype == 3 else 'I'}", int(photometric))  # noqa: PLR2004
        return cast("BinaryIO", PatchedFile(stream, {tag.valueoffset: label}))


def unpacked_white(page: TiffPage) -> int | None:
    """White of 8 or 16 bits that packed samples of fewer bits, such as 12, are read as; None for all others."""
    bits = _one(page, "BitsPerSample", 1)
    is_uniform = set(integers(page, "BitsPerSample", (1,))) == {bits}
    if page.sampleformat != SAMPLEFORMAT.UINT or not is_uniform or bits in (1, 2, 4, 8) or not 0 < bits < 16:  # noqa: PLR2004
        return None
    return 255 if bits < 8 else 65535  # noqa: PLR2004


def _nodata(page: TiffPage) -> str | None:
    tag = page.tags.get("GDAL_NODATA")
    text = "" if tag is None else str(tag.value).strip("\0 ")
    longest = 32  # characters of a number
    with contextlib.suppress(ValueError):
        value, white = float(text), 2**page.bitspersample - 1
        if page.photometric == PHOTOMETRIC.MINISWHITE and page.sampleformat == SAMPLEFORMAT.UINT:
            text = f"{white - value:.17g}"  # as the values are
        if (wide := unpacked_white(page)) is not None:
            text = f"{round(float(text) * wide / white)}"
        return text if text.isascii() and len(text) <= longest else None
    return None


def pages_of(tiff: TiffFile) -> Iterator[TiffPage]:
    """The pages of a TIFF file one after the other, overviews too."""
    for page in tiff.pages:
        assert isinstance(page, TiffPage)  # as above
        yield page


def is_part(page: TiffPage) -> bool:
    """Whether a page is an overview, a thumbnail or a mask of another one."""
    return bool(page.subfiletype & (FILETYPE.REDUCEDIMAGE | FILETYPE.MASK))


def _parts(page: TiffPage) -> tuple[int, int]:
    """The numbers of smaller copies and of masks that follow the first page, of 32 pages: damaged files list many."""
    are_masks: list[bool] = []
    if page.index == 0:
        with contextlib.suppress(Exception):  # see `tiff_page`; what is damaged there is not read
            following = itertools.islice(pages_of(page.parent), 1, 33)
            for part in itertools.takewhile(is_part, following):
                are_masks.append(bool(part.subfiletype & FILETYPE.MASK))
    return are_masks.count(False), are_masks.count(True)


def _described(page: TiffPage) -> FileFacts:
    """The description of the picture, and notes about what no output holds."""
    tags, notes = kept_tags(page)
    tag = page.tags.get("ImageDescription")
    text = tag.value if tag is not None and isinstance(tag.value, str) else ""
    text = text.replace("\0", "").strip()
    # Programs of microscopes keep sizes and calibration there, which another picture would belie.
    if text.startswith(("ImageJ=", "SCANIMAGE", "Aperio", '{"')) or "<OME " in text[:1000]:
        if re.fullmatch(r'{"shape": \[[0-9, ]*\]}', text) is None:  # which tifffile writes by itself
            notes.append(not_kept("the size and calibration in the description"))
        text = ""
    if page.photometric == PHOTOMETRIC.PALETTE:
        notes.append(
            "its palette is not kept: every pixel has its own colour (-m pixelart keeps one of 8 bits in a TIFF)"
        )
    if (wide := unpacked_white(page)) is not None:
        bits = page.bitspersample
        notes.append(f"its samples of {bits} bits became {wide.bit_length()} bits: white stays white")
        tags = recalibrated_tags(tags, LinearChange(factor=wide / ((1 << bits) - 1)), page.samplesperpixel)
    overviews, masks = _parts(page)
    if masks:
        notes.append("its mask of valid pixels is left out, and all are taken for data: name a value with --nodata")
    layout = TiffLayout(
        compression={1: "none", 5: "lzw", 50000: "zstd"}.get(page.compression, "deflate"),
        zero_is_white=page.photometric == PHOTOMETRIC.MINISWHITE,
        overviews=overviews,
    )
    return FileFacts(
        parts=overviews + masks,
        texts=(("Description", text),) if text else (),
        tags=tags,
        layout=layout,
        notes=tuple(notes),
    )


def _one(page: TiffPage, name: str, default: int) -> int:
    return integers(page, name, (default,))[0]


def _refusal(page: TiffPage) -> str | None:
    """The reason why a file of this kind is not read, with a remedy; None if it is."""
    bits = _one(page, "BitsPerSample", 1)
    if "DNGVersion" in page.tags or _one(page, "NewSubfileType", 0) & FILETYPE.REDUCEDIMAGE:
        return "it is a camera raw file, or begins with a small preview; develop it to a TIFF first"
    if _one(page, "SampleFormat", 1) in (SAMPLEFORMAT.COMPLEXINT, SAMPLEFORMAT.COMPLEXIEEEFP):
        return "its samples are complex; save their real part or magnitude as a 32-bit float file"
    if (slices := _one(page, "ImageDepth", 1)) > 1:
        remedy = 'tifffile.imwrite("pages.tif", tifffile.imread("volume.tif"), photometric="minisblack")'
        return f"it is a volume of {slices} slices in one page; save each as a page first, as by {remedy}"
    if bits not in (1, 2, 4, 8, 16) and bits < 32 and unpacked_white(page) is None:  # noqa: PLR2004
        return f"its samples have {bits} bits, which are not read; convert it, as by gdal_translate in.tif out.tif"
    if bits > 32:
        remedy = "convert it first, for example gdal_translate -ot Float32 in.tif out.tif"
        return f"its samples have {bits} bits and at most 32 are read; {remedy}"
    return None


def _needs_tifffile(page: TiffPage) -> bool:
    """Whether libvips cannot read a page, or not well: rare compressions and bits, missing pieces, 8-bit Lab, ..."""
    # None, CCITT, LZW, JPEG, deflate, packed bits, ThunderScan, SGI's logarithms, WebP.
    known = (1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32809, 32946, 34676, 34677, 50001)
    separate = page.samplesperpixel > 1 and page.planarconfig == PLANARCONFIG.SEPARATE
    plain = (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB, PHOTOMETRIC.SEPARATED)
    is_half = page.dtype is not None and page.dtype.name == "float16"
    return (
        page.compression not in known
        or unpacked_white(page) is not None
        or _is_sparse(page)
        or (page.photometric == PHOTOMETRIC.CIELAB and page.bitspersample != 16)
        or page.photometric in (PHOTOMETRIC.ICCLAB, PHOTOMETRIC.ITULAB)
        or (separate and (page.is_tiled or is_half or page.photometric not in plain))
    )


def _is_sparse(page: TiffPage) -> bool:
    """Whether pieces of a page are left out: those of no bytes, which GDAL reads as no data or 0."""
    counts = integers(page, "TileByteCounts") or integers(page, "StripByteCounts")
    return 0 in counts


def _damage(page: TiffPage, stream: BinaryIO) -> str | None:
    """The reason why a header cannot be true. libvips would take minutes and gigabytes to find out."""
    one = functools.partial(_one, page)
    width, height = one("ImageWidth", 0), one("ImageLength", 0)
    promised = width * height * one("SamplesPerPixel", 1) * one("BitsPerSample", 1) // 8
    # Uncompressed chroma may be subsampled.
    is_raw = one("Compression", 1) == COMPRESSION.NONE and one("PhotometricInterpretation", 1) != PHOTOMETRIC.YCBCR
    if is_raw and not _is_sparse(page) and promised > stream.seek(0, io.SEEK_END):
        return f"it is cut short (its header promises {promised} bytes of pixels); get the file again"
    if "TileWidth" in page.tags:
        tile_width, tile_height = max(one("TileWidth", 1), 1), max(one("TileLength", 1), 1)
        pieces, listing = -(-width // tile_width) * -(-height // tile_height), page.tags.get("TileOffsets")
    else:
        rows = max(min(one("RowsPerStrip", height), height), 1)
        pieces, listing = -(-height // rows), page.tags.get("StripOffsets")
    listed = 0 if listing is None else listing.count
    return f"it is damaged (it lists {listed} of {pieces} pieces); get the file again" if listed < pieces else None
