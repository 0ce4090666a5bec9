"""Image file formats: what each can hold, and how it is written. Opens no file."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from innersr.errors import ImageFileError
from innersr.images.metadata import Metadata, TiffLayout, not_kept
from innersr.images.unread_formats import unread_format


class Depth(NamedTuple):
    """How a file stores samples."""

    words: str
    option: str  # The value of --depth
    white: int  # The stored value that means 1.0; 0 where the samples are values already


DEPTHS = {
    "uint8": Depth("8 bits", "8", 255),
    "uint16": Depth("16 bits", "16", 65535),
    "float32": Depth("32-bit float", "float", 0),
}
BIG_TIFF = 3_900_000_000  # bytes; classic TIFF ends at 4 GiB, headers included
METADATA_CHOICES = ("keep", "icc", "none")
WORDS = {  # the fields of Metadata, in the words of a note
    "icc": "the colour profile",
    "exif": "EXIF",
    "xmp": "XMP",
    "iptc": "IPTC",
    "pixels_per_mm": "the resolution (DPI)",
    "pixel_ratio": "the shape of its pixels, which are not square,",
    "nodata": "the no-data value",
    "code_points": "the HDR colour description",
    "texts": "the text",
}


@dataclass(frozen=True, kw_only=True)
class Format:
    """An image file format, and what its files can hold when written."""

    name: str
    suffixes: tuple[str, ...]  # the most common one first
    vips: str | None  # stem of the libvips operations (`<stem>load_source`, `<stem>save_target`); None for Pillow
    depths: tuple[str, ...] = ("uint8",)
    bands: tuple[int, ...] | None = (1, 3)  # numbers of colour bands, without alpha; None for any
    alpha: bool = True
    keeps: frozenset[str] = frozenset({"icc", "exif", "xmp", "pixels_per_mm"})  # the fields of `Metadata`
    grey: bool = True  # whether one band stays one band
    longest_side: int = 2**31 - 1  # pixels
    result: str = ""  # the suffix of a result beside such a file, where the format is read only; else empty

    def has_name(self, path: Path) -> bool:
        """Whether a name has a suffix of the format; .mpo is one of JPEG."""
        suffix = path.suffix.lower()
        return suffix in self.suffixes or (self.name == "JPEG" and suffix == ".mpo")


FORMATS = (
    Format(
        name="PNG",
        suffixes=(".png",),
        vips="png",
        depths=("uint8", "uint16"),
        keeps=frozenset({"icc", "exif", "xmp", "pixels_per_mm", "pixel_ratio", "code_points", "texts"}),
    ),
    Format(
        name="JPEG",
        suffixes=(".jpg", ".jpeg", ".jpe", ".jfif"),
        vips="jpeg",
        alpha=False,
        keeps=frozenset({"icc", "exif", "xmp", "iptc", "pixels_per_mm", "pixel_ratio", "texts"}),
        longest_side=65_500,
    ),
    Format(
        name="TIFF",
        suffixes=(".tif", ".tiff"),
        vips="tiff",
        depths=tuple(DEPTHS),
        bands=None,
        keeps=frozenset({"icc", "xmp", "iptc", "pixels_per_mm", "nodata", "texts", "tags"}),
    ),
    Format(name="WebP", suffixes=(".webp",), vips="webp", grey=False, longest_side=16_383),
    Format(name="AVIF", suffixes=(".avif",), vips="heif", grey=False, longest_side=16_384),
    Format(name="GIF", suffixes=(".gif",), vips="gif", keeps=frozenset(), grey=False, longest_side=65_535),
    Format(
        name="BMP", suffixes=(".bmp",), vips=None, alpha=False, keeps=frozenset({"pixels_per_mm"}), longest_side=65_535
    ),
    Format(name="MPO", suffixes=(".mpo",), vips="jpeg", result=".jpg"),  # a JPEG, and further ones behind it
    Format(name="TGA", suffixes=(".tga", ".icb", ".vda", ".vst"), vips=None, result=".png"),
    Format(name="ICO", suffixes=(".ico",), vips=None, result=".png"),
    Format(name="PNM", suffixes=(".pnm", ".pbm", ".pgm", ".ppm", ".pam"), vips=None, result=".png"),
    Format(name="PFM", suffixes=(".pfm",), vips=None, result=".tif"),
    Format(name="HEIC", suffixes=(".heic", ".heif", ".hif"), vips=None, result=".png"),
    Format(name="JPEG XL", suffixes=(".jxl",), vips=None, result=".png"),
    Format(name="OpenEXR", suffixes=(".exr",), vips=None, result=".tif"),
    Format(name="Radiance HDR", suffixes=(".hdr", ".pic", ".rgbe"), vips=None, result=".tif"),
)

BY_SUFFIX = {suffix: row for row in FORMATS for suffix in row.suffixes if not row.result}
BY_NAME = {row.name: row for row in FORMATS}


def readable_suffixes() -> tuple[str, ...]:
    """The suffixes of all formats that are read: lower case, with their dot."""
    return tuple(suffix for row in FORMATS for suffix in row.suffixes)


def written_suffixes() -> tuple[str, ...]:
    """The suffixes of all formats that are written: lower case, with their dot."""
    return tuple(BY_SUFFIX)


def sniff(head: bytes) -> Format | None:
    """The format of a file by its first 32 bytes, not by its name; None if it is not supported."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return BY_NAME["PNG"]
    if head.startswith(b"\xff\xd8\xff"):
        return BY_NAME["JPEG"]
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return None if unread_format(head) else BY_NAME["TIFF"]  # of a CR2 the first page is a preview
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return BY_NAME["WebP"]
    if head[4:8] == b"ftyp" and (b"avif" in head[8:32] or b"avis" in head[8:32]):
        return BY_NAME["AVIF"]
    if head[4:8] == b"ftyp" and head[8:12] in (*(b"hei" + x for x in (b"c", b"x", b"m", b"s")), b"hevc", b"mif1"):
        return BY_NAME["HEIC"]
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")):
        return BY_NAME["JPEG XL"]
    if head.startswith((b"GIF87a", b"GIF89a")):
        return BY_NAME["GIF"]
    if head.startswith(b"BM"):
        return BY_NAME["BMP"]
    return _sniff_old(head)


def _sniff_old(head: bytes) -> Format | None:
    """The format of a file whose signature is short, or of TGA, which has none: its header is then plausible."""
    if head.startswith(b"\x76\x2f\x31\x01"):
        return BY_NAME["OpenEXR"]
    if head.startswith((b"#?RADIANCE", b"#?RGBE")):
        return BY_NAME["Radiance HDR"]
    if re.match(rb"P[1-7][\s#]", head):
        return BY_NAME["PNM"]
    if re.match(rb"P(F|f|F4)\s", head):
        return BY_NAME["PFM"]
    if head[:4] == b"\0\0\1\0" and head[4:6] != bytes(2) and head[9:10] == b"\0":
        return BY_NAME["ICO"]
    if len(head) < 18:  # noqa: PLR2004 (bytes of the header of a TGA)
        return None
    has_map, kind, map_bits, width, height, bits = struct.unpack_from("<xBB4xB4xHHB", head)
    is_mapped = kind in (1, 9)
    is_sized = bits in {1: (8,), 2: (16, 24, 32), 3: (8, 16)}.get(kind & 7, ()) and width > 0 and height > 0
    is_kind = kind in (1, 2, 3, 9, 10, 11) and is_mapped == (has_map == 1) and has_map <= 1
    has_right_map = map_bits in ((15, 16, 24, 32) if is_mapped else (0,))
    return BY_NAME["TGA"] if is_sized and is_kind and has_right_map and head[17] < 64 else None  # noqa: PLR2004 (no interleaving)


def read_only_format(path: Path) -> Format | None:
    """The format of a file name with the suffix of one that is read and not written, else None."""
    return next((row for row in FORMATS if row.result and path.suffix.lower() in row.suffixes), None)


def notes_of_change(source: Path, target: Path) -> tuple[str, ...]:
    """The note if the format of a source's name is not written, and the result has another one."""
    reader = read_only_format(source)
    if reader is None or target.suffix.lower() != reader.result:
        return ()
    return (f"{reader.name} is read and not written: the result is a {format_of_name(target).name} file",)


def format_of_name(path: Path) -> Format:
    """The format of a file name; ImageFileError if none that is written has its suffix."""
    found = BY_SUFFIX.get(path.suffix.lower())
    if (reader := read_only_format(path)) is not None:
        remedy = f"write {reader.result}, or another suffix"
        raise ImageFileError(f"{path}: {reader.name} is read and not written; {remedy}")
    if found is None:
        ending = f"{path.suffix!r} is not a suffix" if path.suffix else "the name has no suffix"
        raise ImageFileError(f"{path}: {ending} of an image format that is written; use one of {', '.join(BY_SUFFIX)}")
    return found


def refusal(  # noqa: PLR0913 (what a file may hold)
    target: Format,
    *,
    depth: str,
    bands: int,
    has_alpha: bool,
    size: tuple[int, int] | None = None,
    has_options: bool = False,
) -> str | None:
    """The reason why a format cannot hold an image, with a remedy; None if it can.

    `has_options` tells whether the caller has the options depth and alpha, which the remedy then names.
    """
    precise = "write .tif" if depth == "float32" else "write .png or .tif"
    if depth not in target.depths:
        held = [DEPTHS[name] for name in target.depths]
        holds = " or ".join(one.words for one in held)
        other = f", or use --depth {held[-1].option} (in Python depth={held[-1].option})" if has_options else ""
        if other and depth == "float32":
            other += ', and --range auto (value_range="auto") where values are not from 0 to 1'
        return f"{target.name} holds {holds}, not {DEPTHS[depth].words}; {precise}{other}"
    if target.bands is not None and bands not in target.bands:
        return f"{target.name} holds 1 or 3 bands, not {bands}; write .tif"
    if has_alpha and not target.alpha:
        other = ', or use --alpha drop (in Python alpha="drop")' if has_options else ""
        return f"{target.name} holds no alpha; {precise}{other}"
    if size is not None and max(size) > target.longest_side:
        return f"{target.name} sides end at {target.longest_side} pixels, not {max(size)}; {precise}"
    return None


def encoder_options(  # noqa: PLR0913 (all that the options depend on)
    target: Format,
    layout: TiffLayout | None = None,
    *,
    quality: int,
    depth: str,
    byte_count: int,
    size: tuple[int, int] = (0, 0),
    has_holes: bool = False,
) -> dict[str, Any]:
    """The libvips options that a format is written with; `size` is (height, width), on which overviews depend.

    Chroma is never subsampled: the colour of thin lines is part of the result. Quality 100 means lossless
    where the format can.
    """
    if target.name == "PNG":
        # Adaptive filters halve the size of a photograph for a tenth of a second per megapixel.
        return {"compression": 6, "filter": "all"}
    if target.name == "JPEG":
        # Optimal codes save a few per cent, but libjpeg then holds four times the samples in memory.
        return {"Q": quality, "subsample_mode": "off", "optimize_coding": byte_count <= 2**26}
    if target.name == "TIFF":
        big, layout = byte_count > BIG_TIFF, layout or TiffLayout()
        # Many readers know no predictor of floats.
        predictor = "none" if depth == "float32" else "horizontal"
        options = {"compression": layout.compression, "predictor": predictor, "bigtiff": big, "tile": big}
        if layout.overviews:
            # A mean of values and no data would be neither.
            options |= {"tile": True, "pyramid": True, "region_shrink": "nearest" if has_holes else "mean"}
            options |= dict.fromkeys(("tile_width", "tile_height"), tile_side(layout, size))
        return options | {"resunit": "inch"}
    if target.name == "WebP":
        # exact: the colour under transparent pixels is kept, alpha may be data.
        lossy = {"Q": quality, "smart_subsample": True, "alpha_q": 100, "exact": True}
        return {"lossless": True, "exact": True} if quality == 100 else lossy
    if target.name == "AVIF":
        # effort 4 takes 1.6 s per megapixel on two cores, 6 more than twice that for 6 % smaller files.
        shared = {"compression": "av1", "bitdepth": 8, "effort": 4, "subsample_mode": "off"}
        return shared | ({"lossless": True} if quality == 100 else {"Q": quality})
    return {}


def tile_side(layout: TiffLayout, size: tuple[int, int], *, largest: int = 128) -> int:
    """The side of a TIFF's tiles: libvips makes smaller copies until one fits into a tile."""
    side, smallest = largest, 16
    while side > smallest and max(size) <= side << (layout.overviews - 1):
        side //= 2
    return side


def kept(target: Format, metadata: Metadata, *, choice: str, bands: int) -> tuple[Metadata, tuple[str, ...]]:
    """The metadata that a format can hold, and notes about the rest, without those that the choice excludes."""
    profile_space = {1: b"GRAY", 3: b"RGB "}.get(bands if target.grey else 3)  # bytes 16 to 20 of an ICC profile
    jpeg_segment = 65_000  # bytes of EXIF, XMP, IPTC or a comment that fit into one JPEG segment, headers deducted
    colours = ("icc", "pixels_per_mm", "pixel_ratio", "nodata", "code_points")
    chosen = {"keep": (*WORDS, "tags"), "icc": colours, "none": ("nodata",)}[choice]
    metadata = Metadata(**{name: getattr(metadata, name) for name in chosen})
    notes: list[str] = []
    for name in chosen:
        value = getattr(metadata, name)
        reason = None
        if value is None or name in ("texts", "tags"):
            continue
        if name not in target.keeps:
            reason = f"{target.name} files are written without it"
        elif name == "icc" and value[16:20] != profile_space:
            reason = "it is for images of another kind"
        elif target.name == "JPEG" and name in ("exif", "xmp", "iptc") and len(value) > jpeg_segment:
            reason = f"JPEG holds {jpeg_segment} bytes of it"
        if reason:
            metadata = replace(metadata, **{name: None})  # type: ignore[arg-type]  # texts and tags are not among them
            notes.append(f"{WORDS[name]} is not kept: {reason}")
    if metadata.exif is not None:
        from innersr.images.containers.exif import lost_parts  # by libvips, which help and refusals do without

        if lost := lost_parts(metadata.exif):
            notes.append(f"EXIF is not kept whole, it lacks: {', '.join(lost)} (damaged, or unknown to the encoder)")
    texts, more = _kept_texts(target, metadata.texts, jpeg_segment)
    if metadata.tags and "tags" not in target.keeps:
        words = dict.fromkeys(tag.words for tag in metadata.tags if tag.words)
        notes += [f"{not_kept(each)}: {target.name} files cannot hold it" for each in words]
        metadata = replace(metadata, tags=())
    return replace(metadata, texts=texts), (*notes, *more)


def _kept_texts(
    target: Format, texts: tuple[tuple[str, str], ...], jpeg_segment: int
) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    """The texts that a format can hold, and notes about the others."""
    kept: list[tuple[str, str]] = []
    notes = []
    for keyword, text in texts:
        reason = None
        if "texts" not in target.keeps:
            reason = f"{target.name} files are written without it"
        elif target.name != "PNG" and keyword not in ("Comment", "Description"):
            reason = f"{target.name} holds comments and descriptions only"
        elif target.name == "TIFF" and kept:
            reason = "TIFF holds one description only"
        elif target.name == "JPEG" and len(text.encode()) > jpeg_segment:
            reason = f"JPEG holds {jpeg_segment} bytes of it"
        if reason:
            notes.append(f"the text {keyword!r} is not kept: {reason}")
        else:
            kept.append((keyword, text))
    return tuple(kept), notes
