"""EXIF blocks: which of their tags the encoders do not write again, because they are damaged or unknown."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyvips

from innersr.libvips import libvips_alone

Place = tuple[str, int]  # the name of a directory, and the code of a tag


def lost_parts(exif: bytes) -> list[str]:
    """What an encoder of libvips leaves out of an EXIF block with its prefix, in words for a note."""
    before, after = dict(_tags(exif)), dict(_tags(_written_again(exif)))
    lost = {place for place, value in before.items() if any(value) and not any(after.get(place, b""))}
    maker_note = ("Exif", 37500)
    words = ["GPS position"] * any(directory == "GPS" for directory, _ in lost)
    words += ["camera settings"] * (("Exif", 0) in lost)
    words += ["MakerNote"] * (maker_note in lost)
    others = sum(code != 0 and directory != "GPS" and (directory, code) != maker_note for directory, code in lost)
    return words + [f"{others} other tag{'s' * (others > 1)}"] * (others > 0)


@libvips_alone()
def _written_again(exif: bytes) -> bytes:
    image = pyvips.Image.black(1, 1).copy()
    image.set_type(pyvips.GValue.blob_type, "exif-data", exif)
    try:
        image = pyvips.Image.pngload_buffer(image.pngsave_buffer(keep="exif"))
    except pyvips.Error:
        return exif  # what is wrong will be said when the file itself is written
    return bytes(image.get("exif-data")) if image.get_typeof("exif-data") else b""


def _tags(exif: bytes) -> Iterator[tuple[Place, bytes]]:
    """The tags of all directories and how their values begin; tag 0 stands for a directory that cannot be read."""
    data = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return
    # Pixels, resolution, orientation and versions are written anew; the second directory, a thumbnail's, is not kept.
    anew = (274, 282, 283, 296, 531, 36864, 37121, 40960, 40961, 40962, 40963)
    pointers = {34665: "Exif", 34853: "GPS", 40965: "Interoperability"}
    starts = {"first": int(struct.unpack_from(f"{order}I", data, 4)[0])}
    names = ["first"]
    for directory in names:  # which grows
        is_another = [*starts.values()].count(starts[directory]) == 1
        entries = _entries(data, starts[directory], order) if is_another else []
        if not entries:
            yield (directory, 0), b"damaged"
        for code, value in entries:
            name = pointers.get(code)
            if name is None and code not in anew:
                yield (directory, code), value
            elif name is not None and name not in starts and len(value) == 4:
                starts[name] = int(struct.unpack(f"{order}I", value)[0])
                names.append(name)


def _entries(data: bytes, start: int, order: str) -> list[tuple[int, bytes]]:
    """Code and first bytes of each tag of a directory that lies within the block; none where it is no directory."""
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # bytes of a value, by type
    most = 64  # bytes of a value that are looked at: many tags may claim one large value
    if start + 2 > len(data):
        return []
    (count,) = struct.unpack_from(f"{order}H", data, start)
    found = []
    for at in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        code, kind, number = struct.unpack_from(f"{order}HHI", data, at)
        size = sizes.get(kind, 0) * number
        place = at + 8 if size <= 4 else struct.unpack_from(f"{order}I", data, at + 8)[0]
        found.append((code, data[place : place + min(size, most)] or b"damaged"))
    return found
