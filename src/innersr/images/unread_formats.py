"""Image formats that are not read, recognised so that the refusal names them and what to do instead."""

from __future__ import annotations

from typing import NamedTuple

HEAD = 1024  # bytes of a file by which they are recognised


class UnreadFormat(NamedTuple):
    """A format that is not read."""

    name: str
    remedy: str


_RAW = "develop it to a TIFF first"
_LAYERS = "export it as a TIFF or PNG file first"
_CONVERT = "convert it to TIFF or PNG first"
_DRAWING = "export it as a PNG file of the size that you need"

_SIGNATURES = (  # place, bytes, name, remedy
    (4, b"ftypcrx ", "camera raw (Canon CR3)", _RAW),
    (0, b"II*\0\x10\0\0\0CR", "camera raw (Canon CR2)", _RAW),  # a TIFF whose first page is a preview
    (0, b"II\x1a\0\0\0HEAPCCDR", "camera raw (Canon CRW)", _RAW),
    (0, b"FUJIFILMCCD-RAW", "camera raw (Fujifilm RAF)", _RAW),
    (0, b"IIU\0", "camera raw (Panasonic RW2)", _RAW),
    (0, b"IIRO", "camera raw (Olympus ORF)", _RAW),
    (0, b"IIRS", "camera raw (Olympus ORF)", _RAW),
    (0, b"MMOR", "camera raw (Olympus ORF)", _RAW),
    (0, b"\0MRM", "camera raw (Minolta MRW)", _RAW),
    (0, b"FOVb", "camera raw (Sigma X3F)", _RAW),
    (0, b"8BPS", "Photoshop (PSD)", _LAYERS),
    (0, b"gimp xcf ", "GIMP (XCF)", _LAYERS),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000", _CONVERT),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000", _CONVERT),
    (0, b"II\xbc\x01", "JPEG XR", _CONVERT),
    (0, b"DDS ", "DirectDraw (DDS)", _CONVERT),
    (0, b"SIMPLE  =", "FITS", _CONVERT),
    (128, b"DICM", "DICOM", _CONVERT),
    (0, b"%PDF-", "PDF", _DRAWING),
    (0, b"%!PS", "PostScript", _DRAWING),
)


def unread_format(head: bytes) -> UnreadFormat | None:
    """The format of a file by its first `HEAD` bytes; None for one that is read, or unknown."""
    for place, signature, name, remedy in _SIGNATURES:
        if head.startswith(signature, place):
            return UnreadFormat(name, remedy)
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if begin.startswith((b"<?xml", b"<svg", b"<!--", b"<!DOCTYPE svg")) and b"<svg" in begin:
        return UnreadFormat("SVG", _DRAWING)
    return None
