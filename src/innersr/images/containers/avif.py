"""AVIF files apart from their pixels: the boxes near their start.

Knows no structure: boxes are found by their names.
"""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

from innersr.images.colours.profiles import colour_space_of_code_points, words_of_code_points
from innersr.images.metadata import FileFacts


def avif_sides(stream: BinaryIO) -> list[int]:
    """All sides, in pixels, that the size boxes of an AVIF file declare."""
    boxes = [box for box in _boxes(stream, b"ispe", 12) if len(box) == 12]
    return [side for box in boxes for side in struct.unpack(">4xII", box)]


def avif_facts(stream: BinaryIO) -> FileFacts:
    """Facts from the colour box of an AVIF file; a profile in the file takes precedence over it."""
    notes = ["its gain map (HDR) is not kept"] if _boxes(stream, b"infe", 12, holding=b"tmap") else []
    colours = _boxes(stream, b"colr", 11)
    coded = [box[4:] for box in colours if box[:4] == b"nclx" and len(box) == 11]
    is_lossless = bool(coded) and coded[0][4:6] == bytes(2)  # the matrix is the identity: values are not rounded
    if not coded or any(box[:4] in (b"prof", b"rICC") for box in colours):
        return FileFacts(notes=tuple(notes), is_lossless=is_lossless)
    primaries, transfer = struct.unpack_from(">HH", coded[0])
    space = colour_space_of_code_points(primaries, transfer)
    if space is None:
        notes.append(f"its colours are {words_of_code_points(primaries, transfer)}: values are upscaled as they are")
        code_points = bytes([primaries & 255, transfer & 255, 0, 1])  # of the RGB values that libvips returns
        return FileFacts(code_points=code_points, notes=tuple(notes), is_lossless=is_lossless)
    icc = None if space.is_srgb else space.profile()
    if icc is not None:
        notes.append(f"its nclx box ({space.words}) became a colour profile")
    return FileFacts(icc=icc, notes=tuple(notes), is_lossless=is_lossless)


def _boxes(stream: BinaryIO, kind: bytes, length: int, holding: bytes = b"") -> list[bytes]:
    """The first bytes of all boxes of a kind."""
    stream.seek(0)
    head = stream.read(1 << 16)
    found = [head[match.end() : match.end() + length] for match in re.finditer(kind, head)]
    return [box for box in found if holding in box]
