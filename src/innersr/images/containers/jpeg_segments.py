"""JPEG files apart from their pixels: the segments that describe them, and what follows the picture.

Reads untrusted bytes, and never raises because of them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

from innersr.images.metadata import FileFacts, Metadata, insert_bytes, sane_ratio


def jpeg_facts(stream: BinaryIO) -> FileFacts:
    """Facts from the segments of a JPEG file; `is_unended` if it lacks its last marker."""
    stream.seek(0)
    data = stream.read()
    texts, kinds, end, pixel_ratio = [], set(), None, None
    for marker, place, content in _segments(data):
        if marker == 0xD9:
            end = place
        elif marker == 0xFE:
            texts.append(("Comment", _decoded(content)))
        else:
            kinds.add((marker, content[:40]))
            if marker == 0xE0 and content.startswith(b"JFIF\0") and content[7:8] == b"\0" and len(content) >= 12:
                pixel_ratio = sane_ratio(*struct.unpack_from(">HH", content, 8))
    notes = [f"{words} not kept" for words, is_there in _attached(data, end, kinds).items() if is_there]
    if end is None:
        notes.append("its last marker is missing: it may have been cut short, but has all its pixels")
    return FileFacts(
        texts=tuple(text for text in texts if text[1]),
        notes=tuple(notes),
        is_unended=end is None,
        pixel_ratio=pixel_ratio,
    )


def finish_jpeg(stream: BinaryIO, metadata: Metadata) -> None:
    """Add the resolution and comments to a written JPEG file."""
    comments = [text.encode("utf-8") for _, text in metadata.texts]
    segments = [b"\xff\xfe" + struct.pack(">H", 2 + len(comment)) + comment for comment in comments]
    if segments:
        insert_bytes(stream, _end_of_headers(stream), b"".join(segments))
    density = jfif_density(metadata)
    if density is None and metadata.pixel_ratio is not None and max(metadata.pixel_ratio) < 1 << 16:
        density = (0, *metadata.pixel_ratio)
    if density is not None:
        jfif = b"JFIF\0" + struct.pack(">HBHHBB", 0x0102, *density, 0, 0)  # version 1.02, no thumbnail
        insert_bytes(stream, 2, b"\xff\xe0" + struct.pack(">H", 2 + len(jfif)) + jfif)


def jfif_density(metadata: Metadata) -> tuple[int, int, int] | None:
    """The unit of a resolution, 1 inch or 2 centimetre, and pixels in it, across and down; None where none is near."""
    exactness = 1e-3
    for unit, millimetres in ((1, 25.4), (2, 10.0)):
        exact = [millimetres * value for value in metadata.pixels_per_mm or ()]
        across_down = [round(value) for value in exact]
        near = [abs(whole - value) <= exactness * value for whole, value in zip(across_down, exact, strict=True)]
        if exact and all(near) and max(across_down) < 1 << 16:
            return unit, across_down[0], across_down[1]
    return None


def _segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Every segment of a picture: its marker, the place after it, and its content; pixels have none."""
    place, next_marker = 2, re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
    while found := next_marker.search(data, place):
        marker, place = found[1][0], found.end()
        if marker == 0xD9:
            yield marker, place, b""
            return
        if len(data) < place + 2:
            return
        (length,) = struct.unpack_from(">H", data, place)
        yield marker, place, data[place + 2 : place + length]
        place += max(length, 2)


def _attached(data: bytes, end: int | None, kinds: set[tuple[int, bytes]]) -> dict[str, bool]:
    """Whether each kind of attachment is there, by its words in a note."""
    rest = b"" if end is None else data[end:]
    names = [name for _, name in kinds]
    has_gain_map = any(name in data for name in (b"hdr-gain-map", b"HDRGainMap", b"urn:iso:std:iso:ts:21496"))
    has_video = b"ftyp" in rest
    is_multiple = any(name.startswith(b"MPF\0") for name in names) or b"\xff\xd8\xff" in rest
    return {
        "its gain map (HDR) is": has_gain_map,
        "the video of the motion photo is": has_video,
        "further pictures in the file are": is_multiple and not has_gain_map and not has_video,
        "its extended XMP is": any(name.startswith(b"http://ns.adobe.com/xmp/extension/") for name in names),
        "its content credentials (C2PA) are": any(marker == 0xEB and b"JP" in name for marker, name in kinds),
    }


def _end_of_headers(stream: BinaryIO) -> int:
    """The place after the APPn segments at the start of a file."""
    place = 2
    while True:
        stream.seek(place)
        head = stream.read(4)
        if len(head) < 4 or not 0xE0 <= head[1] <= 0xEF:
            return place
        place += 2 + struct.unpack(">H", head[2:])[0]


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.rstrip("\0 \r\n").replace("\0", "")
