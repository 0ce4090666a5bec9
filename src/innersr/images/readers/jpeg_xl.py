"""JPEG XL files: samples by imagecodecs, which keeps their depth; profile, EXIF and XMP by pillow-jxl-plugin."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np

from innersr.images.limits import SizeLimits
from innersr.images.metadata import DamagedBytesError, FileFacts
from innersr.images.readers.decoded import Decoded, packages_for, upright_metadata
from innersr.images.tiff.tags import EXIF_PREFIX


def decode_jpeg_xl(stream: io.FileIO, name: str, limits: SizeLimits) -> Decoded:
    """The first frame of a file, upright; for arguments and errors see `codecs.decode`."""
    with packages_for("JPEG XL", name, "jxl"):
        import imagecodecs
        from pillow_jxl import Decoder
    data = stream.read()
    head = _Head.of(_codestream(data))
    limits.check(name, head.width, head.height, 4)
    samples = np.asarray(imagecodecs.jpegxl_decode(data, index=0 if head.is_animated else None, numthreads=1))
    if samples.ndim not in (2, 3) or head.width * head.height != samples.shape[0] * samples.shape[1]:
        raise DamagedBytesError(f"samples of the shape {samples.shape}")
    samples = samples.reshape(*samples.shape[:2], -1)
    if samples.dtype == np.float16:
        samples = samples.astype(np.float32)
    icc, boxes = _described(Decoder(num_threads=1)(data))
    exif, xmp = boxes.get(b"Exif", b""), boxes.get(b"xml ")
    if exif[:2] not in (b"II", b"MM"):  # pillow-jxl-plugin writes it without the place of its start
        exif = exif[4 + int.from_bytes(exif[:4], "big") :]
    blobs = {"icc": icc, "exif": EXIF_PREFIX + exif if exif else None, "xmp": xmp}
    metadata, notes = upright_metadata(blobs, FileFacts(), None)
    if head.is_animated:
        notes.insert(0, "first of several frames; the others are ignored")
    return Decoded(
        samples=samples,
        has_alpha=samples.shape[2] in (2, 4),
        white=float(np.iinfo(samples.dtype).max) if samples.dtype.kind == "u" else 0.0,
        metadata=metadata,
        notes=tuple(notes),
    )


def _described(found: tuple[object, ...]) -> tuple[bytes | None, dict[bytes, bytes]]:
    """The profile of the samples and the boxes by their kinds, of what `pillow_jxl.Decoder` returns."""
    icc, boxes = found[3], found[4]
    assert isinstance(boxes, list)
    return bytes(icc) if isinstance(icc, bytes) and icc else None, {bytes(x.box_type): bytes(x.data) for x in boxes}


def _codestream(data: bytes) -> bytes:
    """The first bytes of the codestream, which may lie in a container of boxes (ISO/IEC 18181-2)."""
    if data[:2] == b"\xff\x0a":
        return data[:64]
    place = 0
    while len(data) >= place + 16:
        length, kind = struct.unpack_from(">I4s", data, place)
        start = place + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        if kind in (b"jxlc", b"jxlp"):
            start += 4 * (kind == b"jxlp")
            return data[start : start + 64]
        if length < 8:
            break
        place += length
    raise DamagedBytesError("no codestream")


@dataclass(frozen=True, kw_only=True)
class _Head:
    """The start of a codestream (ISO/IEC 18181-1, annexes D.2 and D.3)."""

    width: int
    height: int
    is_animated: bool

    @classmethod
    def of(cls, data: bytes) -> _Head:
        bits = _Bits(data[2:])
        width, height = bits.size()
        is_animated = False
        has_fields = not bits.take(1) and bits.take(1)
        if has_fields:
            bits.take(3)  # orientation
            if bits.take(1):
                bits.size()
            is_animated = not bits.take(1) and bool(bits.take(1))  # behind a preview it is not looked for
        return cls(width=width, height=height, is_animated=is_animated)


class _Bits:
    """Numbers of some bits each, from the least bit of the first byte on."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 16:
            raise DamagedBytesError("no header")
        self._rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value, self._rest = self._rest & ((1 << count) - 1), self._rest >> count
        return value

    def size(self) -> tuple[int, int]:
        """(width, height) of a SizeHeader."""
        is_small = bool(self.take(1))
        height = self._side(is_small)
        ratio = self.take(3)
        if not ratio:
            return self._side(is_small), height
        across, down = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
        return height * across // down, height

    def _side(self, is_small: bool) -> int:
        if is_small:
            return 8 * (self.take(5) + 1)
        return self.take((9, 13, 18, 30)[self.take(2)]) + 1
