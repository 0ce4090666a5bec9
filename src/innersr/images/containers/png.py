"""PNG files apart from their pixels: the chunks that describe them (W3C PNG, third edition).

Reads untrusted bytes: the only exception that leaves is `DamagedBytesError`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from innersr.images.colours.profiles import ColourSpace, colour_space_of_code_points, words_of_code_points
from innersr.images.metadata import (
    DamagedBytesError,
    FileFacts,
    Metadata,
    insert_bytes,
    notes_of_bits,
    remove_bytes,
    sane_ratio,
)


@dataclass(kw_only=True)
class _Found:
    """Findings while walking through the chunks."""

    frames: int = 1
    states_resolution: bool = False
    pixel_ratio: tuple[int, int] | None = None
    is_grey: bool = False
    colours: dict[bytes, bytes] = field(default_factory=dict)  # the chunks that describe colours
    texts: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    room: int = 16 << 20  # bytes of text that are still kept: workflows of image generators take megabytes


def png_facts(stream: BinaryIO) -> FileFacts:
    """Facts about the pixels from the chunks of a PNG file."""
    found, has_pixels = _Found(), False
    for kind, length in chunks_in(stream):
        has_pixels |= kind == b"IDAT"
        longest = 64 << 20  # bytes of a chunk that are looked at: more is no description
        if kind not in (b"IDAT", b"fdAT") and length <= longest:
            _look_at(found, kind, stream.read(length))
    if not has_pixels:
        raise DamagedBytesError("no image data")
    icc, code_points, notes = _colours_of(found)
    return FileFacts(
        frames=found.frames,
        states_resolution=found.states_resolution,
        pixel_ratio=found.pixel_ratio,
        icc=icc,
        code_points=code_points,
        texts=tuple(found.texts),
        notes=(*found.notes, *notes),
    )


def finish_png(stream: BinaryIO, metadata: Metadata) -> None:
    """Add chunks to a written PNG file that libvips cannot write, and remove the resolution that it always writes."""
    if metadata.pixels_per_mm is None:
        for kind, length in chunks_in(stream):
            if kind == b"pHYs":
                remove_bytes(stream, stream.tell() - 8, 12 + length)
            if kind in (b"pHYs", b"IDAT"):
                break
    chunks = [] if metadata.code_points is None else [chunk_of(b"cICP", metadata.code_points)]
    if metadata.pixel_ratio is not None and metadata.pixels_per_mm is None:
        chunks.append(chunk_of(b"pHYs", struct.pack(">IIB", *metadata.pixel_ratio, 0)))
    chunks += [_text_chunk(keyword, text) for keyword, text in metadata.texts]
    header_end = 33  # bytes of signature and IHDR
    if chunks:
        insert_bytes(stream, header_end, b"".join(chunks))


def chunks_in(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and length of every chunk up to the end, the stream at its data."""
    place = 8
    while True:
        stream.seek(place)
        head = stream.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        yield kind, length
        if kind == b"IEND":
            return
        place += 12 + length


def _look_at(found: _Found, kind: bytes, data: bytes) -> None:
    if kind == b"IHDR" and len(data) == 13:
        bits, kind_of_pixels = data[8:10]
        found.is_grey = kind_of_pixels in (0, 4)
        found.notes += notes_of_bits(bits if kind_of_pixels == 0 else 8)
    elif kind == b"acTL" and len(data) >= 4:
        found.frames = struct.unpack_from(">I", data)[0]
    elif kind == b"fcTL" and found.frames == 1:
        found.notes.append("how long it is shown is not kept")
    elif kind == b"pHYs" and len(data) == 9:
        found.states_resolution = data[8] == 1
        found.pixel_ratio = sane_ratio(*struct.unpack_from(">II", data)) if data[8] == 0 else None
    elif kind == b"PLTE":
        found.notes.append(f"its palette of {len(data) // 3} colours is not kept: every pixel has its own colour")
    elif kind in (b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP"):
        found.colours.setdefault(kind, data)
    elif kind in (b"mDCV", b"cLLI"):
        found.notes.append("the brightness of its HDR mastering is not kept")
    elif kind == b"caBX":
        found.notes.append("its content credentials (C2PA) are not kept: they are for the unchanged picture")
    elif kind in (b"tEXt", b"zTXt", b"iTXt"):
        _add_text(found, kind, data)


def _add_text(found: _Found, kind: bytes, data: bytes) -> None:
    keyword, text = _text_of(kind, data, found.room)
    if keyword == "XML:com.adobe.xmp":
        return
    if text is None or keyword.startswith("Raw profile type "):  # of ImageMagick: EXIF and the like, not upright
        found.notes.append(f"its text {keyword!r} is damaged, too long or not readable, and not kept")
        return
    if kind == b"iTXt" and data.partition(b"\0")[2][2:4] != b"\0\0":
        found.notes.append(f"the language of its text {keyword!r} is not kept, nor its keyword in it")
    found.room -= len(text)
    found.texts.append((keyword, text))


def _text_of(kind: bytes, data: bytes, room: int) -> tuple[str, str | None]:
    """Keyword and text of a chunk; None for a text that is damaged or longer than there is room."""
    raw, _, rest = data.partition(b"\0")
    keyword, encoding, is_packed = raw[:79].decode("latin-1"), "latin-1", kind == b"zTXt"
    if kind == b"zTXt":
        rest = rest[1:]
    elif kind == b"iTXt":
        is_packed, encoding = rest[:1] == b"\1", "utf-8"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # after language and translated keyword
    try:
        if is_packed:
            unpacker = zlib.decompressobj()
            rest = unpacker.decompress(rest, room + 1)
        return keyword, rest.decode(encoding) if len(rest) <= room else None
    except (zlib.error, UnicodeDecodeError):
        return keyword, None


def _colours_of(found: _Found) -> tuple[bytes | None, bytes | None, list[str]]:
    """A profile for chunks that libvips ignores, code points that have none, and notes; cICP takes precedence."""
    chunks = found.colours
    if len(chunks.get(b"cICP", b"")) == 4:
        primaries, transfer, matrix, full_range = chunks[b"cICP"]
        known = colour_space_of_code_points(primaries, transfer) if (matrix, full_range) == (0, 1) else None
        if known is None:
            words = words_of_code_points(primaries, transfer)
            return None, chunks[b"cICP"], [f"its colours are {words}: their values are upscaled as they are"]
        space, source = known, "cICP"
    elif b"iCCP" in chunks or b"sRGB" in chunks:
        return None, None, []
    else:
        source = " and ".join(name.decode() for name in (b"gAMA", b"cHRM") if name in chunks)
        space = _calibrated(chunks)
    space = replace(space, is_grey=found.is_grey)
    if space.is_srgb and b"iCCP" not in chunks:
        return None, None, []
    icc = space.profile()
    if icc is None:
        return None, None, [f"its {source} describes no colours, and is not kept"]
    return icc, None, [f"its {source} ({space.words}) became a colour profile"]


def _calibrated(chunks: dict[bytes, bytes]) -> ColourSpace:
    """The colour space of gAMA and cHRM."""
    space = ColourSpace()
    if len(chunks.get(b"gAMA", b"")) == 4 and (gamma := struct.unpack(">I", chunks[b"gAMA"])[0]):
        space = replace(space, gamma=100_000 / gamma)
    if len(chunks.get(b"cHRM", b"")) == 32:
        pairs = [(x / 100_000, y / 100_000) for x, y in struct.iter_unpack(">II", chunks[b"cHRM"])]
        space = replace(space, white=pairs[0], red=pairs[1], green=pairs[2], blue=pairs[3])
    return space


def chunk_of(kind: bytes, data: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _text_chunk(keyword: str, text: str) -> bytes:
    key = keyword.encode("latin-1", "replace")[:79]
    try:
        return chunk_of(b"tEXt", key + b"\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        return chunk_of(b"iTXt", key + b"\0\0\0\0\0" + text.encode("utf-8"))
