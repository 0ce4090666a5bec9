"""TIFF tags, of TIFF files and of EXIF blocks, and the TIFF files that are refused.

Reads untrusted bytes: the only exception that leaves is `DamagedBytesError`. Knows nothing about pixels. Importing
tifffile takes 0.13 s, so others import this module where they first need it.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from tifffile import COMPRESSION, EXTRASAMPLE, FILETYPE, PHOTOMETRIC, PLANARCONFIG, SAMPLEFORMAT, TiffFile, TiffPage

from innersr.images.metadata import DamagedBytesError, FileFacts, Metadata, sane_resolution

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # else it writes about damaged tags to standard error


EXIF_PREFIX = b"Exif\0\0"


@contextlib.contextmanager
def first_page(stream: BinaryIO) -> Iterator[TiffPage]:
    """Open the first page of a TIFF or BigTIFF stream. An EXIF block without its prefix is one."""
    try:
        stream.seek(0)
        # What makers of microscopes add is not looked for: reading that may take long.
        with TiffFile(stream, is_lsm=False, is_ndpi=False, is_scanimage=False) as tiff:
            yield tiff.pages.first
    except Exception as error:  # tifffile documents no closed list of errors for damaged bytes
        raise DamagedBytesError(str(error) or type(error).__name__) from error


def upright_exif(exif: bytes) -> bytes:
    """An EXIF block whose orientation is upright, without a link to a thumbnail, which would show the old picture."""
    stream = io.BytesIO(exif.removeprefix(EXIF_PREFIX))
    with first_page(stream) as page:
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
    with first_page(io.BytesIO(exif.removeprefix(EXIF_PREFIX))) as page:
        unit = {2: 25.4, 3: 10.0}.get(integers(page, "ResolutionUnit", (2,))[0])  # millimetres of an inch, a centimetre
        horizontal, vertical = rational(page, "XResolution"), rational(page, "YResolution")
    if not unit or not horizontal or not vertical:
        return None
    return sane_resolution(horizontal / unit, vertical / unit)


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
    """Facts about the samples of a TIFF file that libvips does not pass on."""

    samples: int  # per pixel
    half: bool  # 16-bit floating point, which libvips widens to 32
    has_alpha: bool
    premultiplied: bool
    described: FileFacts
    refusal: str | None  # the reason why it must not be given to libvips, with a remedy
    relabel: bool  # whether libvips reads it right only when `relabelled`
    nodata: str | None  # GDAL's no-data value, a number


def tiff_facts(stream: BinaryIO) -> TiffFacts:
    """Read the facts of the first page of a TIFF file.

    Alpha is declared by ExtraSamples: exactly one alpha, the last one. libvips itself calls the fourth
    band of every RGB file alpha, so the near-infrared of a satellite image would be.
    """
    with first_page(stream) as page:
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
            refusal=_refusal(page, separate, half) or _damage(page, stream),
            # libvips 8.18 reads planes of this kind with the row length of one band: every row after the first
            # of a strip is wrong, silently (tiff2vips.c, rtiff_stripwise_generate).
            relabel=separate and photometric == PHOTOMETRIC.MINISBLACK,
            nodata=_nodata(page),
        )


def relabelled(stream: BinaryIO) -> bytes:
    """A TIFF file relabelled as RGB, for which libvips reads separate planes correctly."""
    stream.seek(0)
    data = io.BytesIO(stream.read())
    with first_page(data) as page:
        if (tag := page.tags.get("PhotometricInterpretation")) is not None:
            tag.overwrite(int(PHOTOMETRIC.RGB))
    return data.getvalue()


def declare_extra_samples(stream: BinaryIO, *, has_alpha: bool) -> None:
    """Overwrite ExtraSamples of a written TIFF: data bands are data, only a last alpha is alpha.

    libvips 8.18 declares every band above the first or third to be alpha.
    """
    with first_page(stream) as page:
        if (tag := page.tags.get("ExtraSamples")) is not None:
            last = EXTRASAMPLE.UNASSALPHA if has_alpha else EXTRASAMPLE.UNSPECIFIED
            tag.overwrite([0] * (tag.count - 1) + [int(last)])


def finish_tiff(stream: BinaryIO, metadata: Metadata, *, has_alpha: bool) -> None:
    """Put right in a written TIFF what libvips cannot: its data bands, resolution, no-data value and description."""
    declare_extra_samples(stream, has_alpha=has_alpha)
    if metadata.pixels_per_mm is None:
        with first_page(stream) as page:
            unit = page.tags["ResolutionUnit"]
            unit.overwrite(1)  # of no unit: square pixels of unknown size
            for name in ("XResolution", "YResolution"):
                page.tags[name].overwrite((1, 1))
    for _, text in metadata.texts:
        add_text_tag(stream, 270, text)
    if metadata.nodata is not None:
        add_text_tag(stream, 42113, metadata.nodata)


def add_text_tag(stream: BinaryIO, code: int, value: str) -> None:
    """Add a tag of text to a written TIFF or BigTIFF: a copy of its directory with one entry more, at its end."""
    with first_page(stream) as page:
        order, start, is_big = page.parent.byteorder, page.offset, page.parent.is_bigtiff
    # Formats of the count of entries, of an entry's code, type and length, and of an offset; its place in the header.
    count_format, entry_format, offset_format, link = ("Q", "HHQ", "Q", 8) if is_big else ("H", "HHI", "I", 4)
    offset_size, entry_size = struct.calcsize(offset_format), struct.calcsize(f"={entry_format}{offset_format}")
    stream.seek(start)
    (count,) = struct.unpack(f"{order}{count_format}", stream.read(struct.calcsize(count_format)))
    entries = [stream.read(entry_size) for _ in range(count)]
    following = stream.read(offset_size)
    text = value.encode("utf-8") + b"\0"
    place = _appended(stream, text) if len(text) > offset_size else None
    ascii_type = 2
    entry = struct.pack(f"{order}{entry_format}", code, ascii_type, len(text))
    entry += text.ljust(offset_size, b"\0") if place is None else struct.pack(f"{order}{offset_format}", place)
    entries = sorted([*entries, entry], key=lambda each: struct.unpack_from(f"{order}H", each))
    directory = struct.pack(f"{order}{count_format}", len(entries)) + b"".join(entries) + following
    place = _appended(stream, directory)
    stream.seek(link)
    stream.write(struct.pack(f"{order}{offset_format}", place))


def drop_exif_resolution(stream: BinaryIO) -> None:
    """Take the resolution out of the EXIF block of a written PNG, JPEG, WebP or AVIF file; libvips always adds one."""
    stream.seek(0)
    data = stream.read()
    found = re.search(rb"(?:Exif\0\0|eXIf)(?=II\*\0|MM\0\*)", data)
    if found is None:
        return
    order, start = "<" if data[found.end()] == 0x49 else ">", found.end()
    (place,) = struct.unpack_from(f"{order}I", data, start + 4)
    (count,) = struct.unpack_from(f"{order}H", data, start + place)
    entries_end = start + place + 2 + 12 * count
    entries = [data[at : at + 12] for at in range(start + place + 2, entries_end, 12)]
    resolution = (282, 283, 296)  # XResolution, YResolution, ResolutionUnit
    kept = [entry for entry in entries if struct.unpack_from(f"{order}H", entry)[0] not in resolution]
    directory = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + data[entries_end : entries_end + 4]
    stream.seek(start + place)
    stream.write(directory.ljust(2 + 12 * count + 4, b"\0"))
    if found[0] == b"eXIf":  # whose chunk ends with a checksum
        (length,) = struct.unpack_from(">I", data, found.start() - 4)
        stream.seek(found.start())
        checksum = zlib.crc32(stream.read(4 + length))
        stream.write(struct.pack(">I", checksum))


def _appended(stream: BinaryIO, data: bytes) -> int:
    """Write bytes at the end of a file, at an even place as TIFF demands; return that place."""
    end = stream.seek(0, io.SEEK_END)
    stream.write(bytes(end % 2) + data)
    return end + end % 2


def _nodata(page: TiffPage) -> str | None:
    tag = page.tags.get("GDAL_NODATA")
    text = "" if tag is None else str(tag.value).strip("\0 ")
    longest = 32  # characters of a number
    with contextlib.suppress(ValueError):
        float(text)
        return text if text.isascii() and len(text) <= longest else None
    return None


def _described(page: TiffPage) -> FileFacts:
    """The description of the picture, and notes about tags that no output holds."""
    losses = {  # by the words of a note
        "georeferencing": "ModelPixelScaleTag ModelTiepointTag ModelTransformationTag GeoKeyDirectoryTag",
        "EXIF": "ExifTag",
        "GPS position": "GPSTag",
        "camera, date and author": "Make DateTime Artist Copyright",
        "colour description (primaries, curve)": "WhitePoint PrimaryChromaticities TransferFunction",
        "calibration and description of a microscope": "IJMetadata STK_UIC1tag MM_Header CZ_LSMINFO FEI_SFEG",
        "GDAL's metadata": "GDAL_METADATA",
        "document and page names": "DocumentName PageName",
        "clipping paths and layers of Photoshop": "ImageSourceData ClipPath",
    }
    lost = [words for words, names in losses.items() if any(name in page.tags for name in names.split())]
    tag = page.tags.get("ImageDescription")
    text = tag.value if tag is not None and isinstance(tag.value, str) else ""
    text = text.replace("\0", "").strip()
    # Programs of microscopes keep sizes and calibration there, which another picture would belie.
    if text.startswith(("ImageJ=", "SCANIMAGE", "Aperio")) or '{"shape"' in text or "<OME " in text[:1000]:
        lost.append("the size and calibration in the description")
        text = ""
    return FileFacts(
        texts=(("Description", text),) if text else (),
        notes=tuple(f"{words} of the TIFF is not kept" for words in lost),
    )


def _one(page: TiffPage, name: str, default: int) -> int:
    return integers(page, name, (default,))[0]


def _refusal(page: TiffPage, separate: bool, half: bool) -> str | None:
    """The reason why a file of this kind is not read, with a remedy; None if it is."""
    bits, photometric = _one(page, "BitsPerSample", 1), _one(page, "PhotometricInterpretation", PHOTOMETRIC.MINISBLACK)
    if "DNGVersion" in page.tags or _one(page, "NewSubfileType", 0) & FILETYPE.REDUCEDIMAGE:
        return "it is a camera raw file, or begins with a small preview; develop it to a TIFF first"
    if _one(page, "SampleFormat", 1) in (SAMPLEFORMAT.COMPLEXINT, SAMPLEFORMAT.COMPLEXIEEEFP):
        return "its samples are complex; save their real part or magnitude as a 32-bit float file"
    if bits > 32:
        remedy = "convert it first, for example gdal_translate -ot Float32 in.tif out.tif"
        return f"its samples have {bits} bits and at most 32 are read; {remedy}"
    plain = (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB, PHOTOMETRIC.SEPARATED)
    if separate and ("TileWidth" in page.tags or half or photometric not in plain):
        remedy = "rewrite it pixel by pixel, for example gdal_translate -co INTERLEAVE=PIXEL in.tif out.tif"
        return f"its bands are stored as separate planes in a way that is not read; {remedy}"
    return None


def _damage(page: TiffPage, stream: BinaryIO) -> str | None:
    """The reason why a header cannot be true. libvips would take minutes and gigabytes to find out."""
    one = functools.partial(_one, page)
    width, height = one("ImageWidth", 0), one("ImageLength", 0)
    promised = width * height * one("SamplesPerPixel", 1) * one("BitsPerSample", 1) // 8
    # Uncompressed chroma may be subsampled.
    is_raw = one("Compression", 1) == COMPRESSION.NONE and one("PhotometricInterpretation", 1) != PHOTOMETRIC.YCBCR
    if is_raw and promised > stream.seek(0, io.SEEK_END):
        return f"it is cut short (its header promises {promised} bytes of pixels); get the file again"
    if "TileWidth" in page.tags:
        tile_width, tile_height = max(one("TileWidth", 1), 1), max(one("TileLength", 1), 1)
        pieces, listing = -(-width // tile_width) * -(-height // tile_height), page.tags.get("TileOffsets")
    else:
        rows = max(min(one("RowsPerStrip", height), height), 1)
        pieces, listing = -(-height // rows), page.tags.get("StripOffsets")
    listed = 0 if listing is None else listing.count
    return f"it is damaged (it lists {listed} of {pieces} pieces); get the file again" if listed < pieces else None
