"""Animated GIF, WebP and PNG, in and out. Frames are RGB, or RGBA where any pixel is transparent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
import torch
from PIL import Image as PillowImage
from PIL import ImageSequence

from innersr.errors import ImageFileError
from innersr.images.codecs import reason_of
from innersr.images.containers.webp import webp_facts
from innersr.images.films.film import Film, FilmFacts, FilmWriter, FrameTime, Glimpse, Levels, levels_of
from innersr.images.formats import BY_NAME, encoder_options
from innersr.images.image import Image
from innersr.libvips import libvips_alone


def frame_count(path: Path) -> int:
    """Number of frames of an animated GIF, WebP or PNG; 1 for other files, and for those that cannot be read."""
    with contextlib.suppress(Exception), PillowImage.open(path, formats=("GIF", "WEBP", "PNG")) as stored:
        return int(getattr(stored, "n_frames", 1))
    return 1


class Animation(Film):
    """An animated GIF, WebP or PNG with its frames as they are shown, whatever part of them each changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as stored:
            info, kind = dict(stored.info), stored.format
            has_alpha = any(np.asarray(picture)[..., 3].min() < 255 for picture in self._pictures(stored))
            size = (stored.height, stored.width)
        notes = [f"{words} is not kept" for key, words in (("exif", "EXIF"), ("xmp", "XMP")) if info.get(key)]
        if info.get("default_image"):
            notes.append("the picture for programs that show no animation is not kept")
        plays = info.get("loop", 1)  # only GIF has no count, where it is shown once
        if kind == "GIF" and plays and "loop" in info:
            plays += 1  # its count is that of repeats
        is_lossless = kind != "WEBP"
        if kind == "WEBP":
            with path.open("rb") as stream:
                is_lossless = webp_facts(stream).is_lossless
        self.facts = FilmFacts(
            size=size,
            time_base=Fraction(1, 1000),
            has_alpha=has_alpha,
            plays=plays,
            is_lossless=is_lossless,
            icc=info.get("icc_profile"),
            notes=tuple(notes),
        )

    def glimpses(self) -> Iterator[Glimpse]:
        """See `Film`."""
        start = 0
        with self._opened() as stored:
            for picture in self._pictures(stored):
                duration = round(stored.info.get("duration", 0))
                thumbnail = np.asarray(picture.convert("RGB").resize((32, 32), PillowImage.Resampling.BOX))
                yield Glimpse(start, duration, thumbnail)
                start += duration

    def frames(self, numbers: Iterable[int]) -> Iterator[Image]:
        """See `Film`."""
        wanted = iter(numbers)
        number = next(wanted, None)
        with self._opened() as stored:
            for index, picture in enumerate(self._pictures(stored)):
                if number is None:
                    return
                if index == number:
                    planes = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None] / 255
                    alpha = planes[:, 3:].contiguous() if self.facts.has_alpha else None
                    yield Image(colour=planes[:, :3].contiguous(), alpha=alpha)
                    number = next(wanted, None)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[PillowImage.Image]:
        try:
            with PillowImage.open(self.path, formats=("GIF", "WEBP", "PNG")) as stored:
                yield stored
        except ImageFileError:
            raise
        except OSError as error:
            raise _damaged(self.path, error) from error

    def _pictures(self, stored: PillowImage.Image) -> Iterator[PillowImage.Image]:
        has_poster = bool(stored.info.get("default_image"))
        frames = ImageSequence.Iterator(stored)
        number = 0
        while True:
            try:
                picture = next(frames)
                if number or not has_poster:
                    picture = picture.convert("RGBA")
            except StopIteration:
                return
            except Exception as error:  # Pillow documents no closed list of errors for damaged bytes
                raise _damaged(self.path, error, f" at frame {number}") from error
            if number or not has_poster:
                yield picture
            number += 1


def _damaged(path: Path, error: Exception, place: str = "") -> ImageFileError:
    remedy = "it may be damaged or cut short: get it again, or re-save it with another program"
    return ImageFileError(f"{path}: cannot be decoded{place} ({reason_of(error)}); {remedy}")


@dataclass
class AnimationWriter(FilmWriter):
    """Writes animated GIF, WebP or PNG. Parts are raw pixels, so that joining them needs little memory."""

    kind: str
    """"GIF", "WebP" or "PNG"."""
    facts: FilmFacts
    """Of the source."""
    size: tuple[int, int]
    """(height, width) of the result."""
    quality: int | None
    """1 to 100, for WebP."""

    def __post_init__(self) -> None:
        notes = []
        if self.kind == "GIF":
            notes.append("GIF holds 256 colours for each frame: the frames were dithered")
            if self.facts.has_alpha:
                notes.append("GIF holds on-off alpha: half-transparent pixels were made one or the other")
            if self.facts.icc is not None:
                notes.append("the colour profile is not kept: GIF files are written without it")
        if self.facts.is_deep:
            notes.append("the frames were reduced to 8 bits")
        if self.facts.codec is not None:
            notes.append(f"sound is not kept: {self.kind} holds none")
        self.notes = tuple(notes)

    def encode(self, frames: Iterable[Image], times: Sequence[FrameTime], part: Path) -> None:  # noqa: ARG002 (as FilmWriter)
        """See `FilmWriter`."""
        with part.open("wb") as stream:
            for frame in frames:
                has_alpha = self.facts.has_alpha
                stream.write(levels_of(frame, is_grey=False, has_alpha=has_alpha, is_deep=False).tobytes())

    def join(self, parts: Sequence[Path], times: Sequence[FrameTime], target: Path) -> None:
        """See `FilmWriter`."""
        per_tick = float(self.facts.time_base * 1000)
        begin = times[0].start
        ends = [round((time.start - begin + time.duration) * per_tick) for time in times]
        delays = [end - start for start, end in zip([0, *ends], ends, strict=False)]
        if self.kind == "PNG":
            self._join_png(parts, delays, target)
        else:
            self._join_by_libvips(parts, delays, target)

    def _join_png(self, parts: Sequence[Path], delays: list[int], target: Path) -> None:
        first, *others = (PillowImage.fromarray(levels) for levels in self._stored(parts))
        options: dict[str, Any] = {} if self.facts.icc is None else {"icc_profile": self.facts.icc}
        first.save(
            target, "PNG", save_all=True, append_images=others, duration=delays, loop=self.facts.plays, **options
        )

    @libvips_alone()
    def _join_by_libvips(self, parts: Sequence[Path], delays: list[int], target: Path) -> None:
        height, width = self.size
        bands = 4 if self.facts.has_alpha else 3
        row = width * bands
        strips = [
            pyvips.Image.rawload(str(part), width, part.stat().st_size // row, bands, access="sequential")
            for part in parts
        ]
        film = strips[0]
        for strip in strips[1:]:
            film = film.join(strip, "vertical")
        film = film.copy(interpretation="srgb")
        film.set_type(pyvips.GValue.gint_type, "page-height", height)
        film.set_type(pyvips.GValue.array_int_type, "delay", delays)
        film.set_type(pyvips.GValue.gint_type, "loop", self.facts.plays)
        options: dict[str, Any] = {}
        if self.kind == "WebP":
            quality = self.quality or (100 if self.facts.is_lossless and self.facts.codec is None else 95)
            options = encoder_options(BY_NAME["WebP"], quality=quality, depth="uint8", byte_count=0)
            if self.facts.icc is not None:
                film.set_type(pyvips.GValue.blob_type, "icc-profile-data", self.facts.icc)
        with target.open("r+b", buffering=0) as stream:
            save = f"{self.kind.lower()}save_target"
            getattr(film, save)(pyvips.Target.new_to_descriptor(stream.fileno()), **options)

    def _stored(self, parts: Sequence[Path]) -> Iterator[Levels]:
        height, width = self.size
        shape = (height, width, 4 if self.facts.has_alpha else 3)
        for part in parts:
            yield from np.memmap(part, np.uint8, "r").reshape(-1, *shape)
