"""Which files are films, by their first bytes and by their names. Opens no film."""

from __future__ import annotations

from pathlib import Path

from innersr.images.films.encoders import container_of, is_film_name

READ_ONLY = (".avi", ".divx", ".flv", ".f4v", ".mpg", ".mpeg", ".vob", ".3gp", ".3g2")
"""Suffixes of films that are read and not written."""


def is_video(path: Path) -> bool:
    """Whether a file is a video by its first bytes, or claims to be by its name and is no image."""
    try:
        with path.open("rb") as stream:
            head = stream.read(16)
    except OSError:
        return False
    return begins_as_video(head) or (bool(head) and not begins_as_image(head) and container_of(path) is not None)


def begins_as_video(head: bytes) -> bool:
    """Whether the first 16 bytes of a file are those of a video."""
    if head[4:8] == b"ftyp":
        return not begins_as_image(head)
    return head.startswith((b"\x1a\x45\xdf\xa3", b"FLV", b"\0\0\1\xba")) or head[8:12] == b"AVI "


def begins_as_image(head: bytes) -> bool:
    """Whether they are those of an image in the container of MP4."""
    heic = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
    return head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis", *heic, b"crx ", b"jxl ", b"jp2 ")


def is_any_film_name(path: Path) -> bool:
    """Whether only films have such a name, also those that are not written."""
    return is_film_name(path) or path.suffix.lower() in READ_ONLY


def written_name(name: Path) -> Path:
    """The name of a result for that of a video: with .mp4 where such files are not written."""
    if is_film_name(name):
        return name
    return name.with_suffix(".mp4") if name.suffix.lower() in READ_ONLY else name.with_name(f"{name.name}.mp4")


def notes_of_other_container(source: Path, target: Path) -> tuple[str, ...]:
    """The note if a video has the name of a format that is not written, and the result is an MP4."""
    suffix = source.suffix.lower()
    if suffix not in READ_ONLY or target.suffix.lower() != ".mp4":
        return ()
    return (f"{suffix[1:].upper()} is read and not written: the result is an MP4 file",)
