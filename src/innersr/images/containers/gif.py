"""GIF files: what they cannot hold; comments, and the extensions of applications (GIF89a, sections 24 and 26).

Reads untrusted bytes, and never raises because of them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from innersr.images.metadata import FileFacts

HALF_ALPHA = "GIF holds on-off alpha: half-transparent pixels were made one or the other"


def gif_facts(stream: BinaryIO) -> FileFacts:
    """Facts from the extensions of a GIF file, with notes about the others, which are not kept."""
    stream.seek(0)
    stream = io.BytesIO(stream.read())
    head = stream.read(13)
    longest = 1 << 16  # bytes of a comment: more is no description
    texts, lost = [], dict.fromkeys(["its palette"])
    if len(head) == 13 and head[12] not in (0, 49):  # the ratio of a pixel's sides is that and 15, divided by 64
        lost["the shape of its pixels"] = None
    for label, data in _extensions(stream, head):
        if label == 0xFE:
            text = data[:longest].decode("utf-8", "replace").replace("\0", "").strip()
            texts += [("Comment", text)] if text else []
        elif label == 0xF9 and any(data[1:3]):
            lost["how long it is shown"] = None
        elif label == 0x01:
            lost["its text over the picture"] = None
        elif label == 0xFF and data[:11] not in (b"NETSCAPE2.0", b"ANIMEXTS1.0"):  # which say how often it repeats
            name = data[:8].decode("ascii", "replace").strip()
            words = {"XMP Data": "XMP", "ICCRGBG1": "the colour profile"}
            lost[f"{words.get(name, repr(name))} of the GIF"] = None
    notes = [f"{words} is not kept" for words in lost]
    notes[0] += ": every pixel has its own colour"
    return FileFacts(texts=tuple(texts), notes=tuple(notes))


def gif_losses(levels: NDArray[np.uint8], colours_words: str) -> list[str]:
    """Notes about what a GIF does not keep of 8-bit levels, (H, W, bands), alpha last of 2 or 4 bands.

    `colours_words` are those about colours.
    """
    most = 255  # libvips leaves one of the 256 for what is transparent
    bands = [*np.moveaxis(levels, 2, 0)]
    alpha = bands.pop() if len(bands) in (2, 4) else None
    codes = np.zeros(levels.shape[:2], np.int32)
    for band in bands:
        codes = codes << 8 | band
    if alpha is not None:
        codes = np.where(alpha == 0, -1, codes)
    found: set[int] = set()
    for row in codes:
        found.update(row.tolist())
        if len(found) > most:
            break
    has_half = alpha is not None and bool(((alpha > 0) & (alpha < 255)).any())
    return [colours_words] * (len(found) > most) + [HALF_ALPHA] * has_half


def _extensions(stream: BinaryIO, head: bytes) -> Iterator[tuple[int, bytes]]:
    """Label and data of the extensions of a file, at most as many as any real file has."""
    if len(head) < 13:
        return
    _skip_palette(stream, head[10])
    for _ in range(1 << 16):
        kind = stream.read(1)
        if kind == b"\x21":
            label = stream.read(1)
            if not label:
                return
            yield label[0], b"".join(_blocks(stream))
        elif kind == b"\x2c":
            described = stream.read(9)
            if len(described) < 9:
                return
            _skip_palette(stream, described[8])
            stream.read(1)  # bits of a code
            for _block in _blocks(stream):
                pass
        else:
            return


def _skip_palette(stream: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        stream.read(3 * 2 ** ((flags & 7) + 1))


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """The blocks up to the empty one that ends them, or to the end of the file."""
    while (length := stream.read(1)) not in (b"", b"\0"):
        yield stream.read(length[0])
