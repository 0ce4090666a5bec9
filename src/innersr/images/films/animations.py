"""Animated GIF, WebP and PNG, in and out. Frames are RGB, or RGBA where any pixel is transparent."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
import torch
from PIL import Image as PillowImage
from PIL import ImageSequence

from innersr.errors import ImageFileError, reason_of
from innersr.images.containers.gif import gif_facts
from innersr.images.containers.png import finish_png, png_facts
from innersr.images.containers.webp import divide_times, webp_facts
from innersr.images.films.animated_pngs import png_frames
from innersr.images.films.film import (
    Film,
    FilmFacts,
    FilmWriter,
    FrameTime,
    Glimpse,
    Levels,
    levels_of,
    notes_of_losses,
    resized_aspect,
)
from innersr.images.formats import BY_NAME, encoder_options
from innersr.images.image import Image
from innersr.images.limits import no_bomb_warnings
from innersr.images.metadata import DamagedBytesError, FileFacts, Metadata
from innersr.libvips import libvips_alone

_SHOWN_SLOWLY = 10  # ms; browsers, and libvips where it writes WebP, take up to that for 100


def frame_count(path: Path) -> int:
    """Number of frames of an animated GIF, WebP or PNG; 1 for other files, and for those that cannot be read."""
    formats = ("GIF", "WEBP", "PNG")
    with contextlib.suppress(Exception), no_bomb_warnings(), PillowImage.open(path, formats=formats) as stored:
        return int(getattr(stored, "n_frames", 1))
    return 1


class Animation(Film):
    """An animated GIF, WebP or PNG with its frames as they are shown, whatever part of them each changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as stored:
            info, kind = dict(stored.info), stored.format
            self._size = (stored.width, stored.height)
            is_deep = kind == "PNG" and _has_deep_samples(path)
            has_alpha = has_no_time = False
            for levels, milliseconds in self._shown(stored):
                has_alpha = has_alpha or bool(levels[..., 3].min() < 255)
                has_no_time |= not milliseconds
        notes = [f"{words} is not kept" for key, words in (("exif", "EXIF"), ("xmp", "XMP")) if info.get(key)]
        if is_deep:
            notes.append("its 16 bits were reduced to 8, as of every animation")
        if has_no_time:
            notes.append("frames without a time are shown for 100 ms, as browsers do")
        if info.get("default_image"):
            notes.append("the picture for programs that show no animation is not kept")
        plays = info.get("loop", 1)  # only GIF has no count, where it is shown once
        if kind == "GIF" and plays and "loop" in info:
            plays += 1  # its count is that of repeats
        found = self._facts_of(kind)
        if kind == "GIF":
            kept = "its palette", "how long it is shown"  # the latter in animations, and of palettes it is known
            notes += [note for note in found.notes if not note.startswith(kept)]
        self.facts = FilmFacts(
            size=self._size[::-1],
            time_base=Fraction(1, 1000),
            has_alpha=has_alpha,
            plays=plays,
            is_lossless=kind != "WEBP" or found.is_lossless,
            icc=info.get("icc_profile"),
            texts=found.texts,
            notes=tuple(notes),
        )

    def _facts_of(self, kind: str | None) -> FileFacts:
        reader = {"GIF": gif_facts, "PNG": png_facts}.get(kind or "", webp_facts)
        with self.path.open("rb") as stream:
            try:
                return reader(stream)
            except DamagedBytesError as error:
                raise _damaged(self.path, error) from error

    def glimpses(self) -> Iterator[Glimpse]:
        """See `Film`."""
        start, end = 0, 0.0
        with self._opened() as stored:
            for levels, milliseconds in self._shown(stored):
                end += milliseconds or 100
                duration = round(end) - start
                small = PillowImage.fromarray(levels[..., :3]).resize((32, 32), PillowImage.Resampling.BOX)
                thumbnail = np.asarray(small)
                yield Glimpse(start, duration, thumbnail)
                start += duration

    def frames(self, numbers: Iterable[int]) -> Iterator[Image]:
        """See `Film`."""
        remaining = iter(numbers)
        number = next(remaining, None)
        with self._opened() as stored:
            for index, (levels, _) in enumerate(self._shown(stored)):
                if number is None:
                    return
                if index == number:
                    planes = torch.from_numpy(levels).permute(2, 0, 1)[None] / 255
                    alpha = planes[:, 3:].contiguous() if self.facts.has_alpha else None
                    yield Image(colour=planes[:, :3].contiguous(), alpha=alpha)
                    number = next(remaining, None)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[PillowImage.Image]:
        try:
            with PillowImage.open(self.path, formats=("GIF", "WEBP", "PNG")) as stored:
                yield stored
        except ImageFileError:
            raise
        except OSError as error:
            raise _damaged(self.path, error) from error

    def _shown(self, stored: PillowImage.Image) -> Iterator[tuple[Levels, float]]:
        """Yield the frames, (H, W, 4) uint8, and how many milliseconds each is shown; 0 where the file does not say."""
        frames = png_frames(self.path) if stored.format == "PNG" else self._by_pillow(stored)
        for number in itertools.count():
            try:
                shown = next(frames)
            except StopIteration:
                return
            except Exception as error:  # Pillow documents no closed list of errors for damaged bytes
                raise _damaged(self.path, error, f" at frame {number}") from error
            yield shown

    def _by_pillow(self, stored: PillowImage.Image) -> Iterator[tuple[Levels, float]]:
        """The frames of a GIF or WebP; what no frame of a GIF has drawn is transparent, as in browsers."""
        is_drawn = np.full(self._size[::-1], stored.format != "GIF")
        for picture in ImageSequence.Iterator(stored):
            place = getattr(picture, "dispose_extent", None)
            before = is_drawn.copy()
            if place is not None:
                left, top, right, bottom = place
                is_drawn[top:bottom, left:right] = True
            if picture.size != self._size:  # as frames that reach beyond the size that the file states
                picture = picture.crop((0, 0, *self._size))
            levels = np.array(picture.convert("RGBA"))
            levels[~is_drawn] = 0  # Pillow shows the background colour of the file there
            yield levels, stored.info.get("duration") or 0
            is_drawn = _disposed(is_drawn, before, place, getattr(stored, "disposal_method", 0))


def _disposed(
    is_drawn: np.ndarray, before: np.ndarray, place: tuple[int, int, int, int] | None, disposal: int
) -> np.ndarray:
    """Where a GIF is drawn after a frame at a place is disposed of (GIF89a, section 23)."""
    to_background, to_previous = 2, 3
    if disposal == to_previous:
        return before
    if disposal == to_background and place is not None:
        left, top, right, bottom = place
        is_drawn[top:bottom, left:right] = False
    return is_drawn


def _has_deep_samples(path: Path) -> bool:
    """Whether a PNG has 16 bits."""
    with path.open("rb") as stream:
        return stream.read(25)[24:] == b"\x10"


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
        aspect = resized_aspect(self.facts, self.size)
        if self.facts.codec is not None and aspect != 1:
            ratio, remedy = f"{aspect.numerator}:{aspect.denominator}", "enlarge one side more (-s 4x3)"
            notes.append(f"pictures lose their shape: pixels of {ratio} became square; {remedy}")
        self.notes = (
            *notes,
            *notes_of_losses(replace(self.facts, texts=() if self.kind == "PNG" else self.facts.texts), self.kind),
        )

    def encode(self, frames: Iterable[Image], times: Sequence[FrameTime], part: Path) -> None:  # noqa: ARG002 (as FilmWriter)
        """See `FilmWriter`."""
        with part.open("wb") as stream:
            for frame in frames:
                has_alpha = self.facts.has_alpha
                stream.write(levels_of(frame, is_grey=False, has_alpha=has_alpha, is_deep=False).tobytes())

    def join(self, parts: Sequence[Path], times: Sequence[FrameTime], target: Path) -> None:
        """See `FilmWriter`."""
        delays = self._delays(times)
        if self.kind == "PNG":
            self._join_png(parts, delays, target)
        else:
            self._join_by_libvips(parts, delays, target)

    def _delays(self, times: Sequence[FrameTime]) -> list[int]:
        """How long each frame is shown, in milliseconds; its end is right, but for what the file cannot hold."""
        per_tick, begin = float(self.facts.time_base * 1000), times[0].start
        ends = [(time.start - begin + time.duration) * per_tick for time in times]
        exact = [round(end) for end in ends]
        delays = [end - start for start, end in zip([0, *exact], exact, strict=False)]
        unit, least = (10, 20) if self.kind == "GIF" else (1, 1)  # ms; a GIF of 10 ms stays one
        if not all(delay and delay % unit == 0 for delay in delays):
            shown, delays = 0, []
            for end in ends:
                delays.append(max(least, unit * round((end - shown) / unit)))
                shown += delays[-1]
            notes = ["times are rounded to hundredths of a second, as GIF holds them"] * (self.kind == "GIF")
            if shown > ends[-1] + unit:
                slower = f"{shown / 1000:.2f} s long, not {ends[-1] / 1000:.2f} s"
                notes.append(f"{self.kind} shows {1000 // least} frames a second at most: the film is {slower}")
            self.notes = (*self.notes, *notes)
        if min(delays) <= _SHOWN_SLOWLY:
            self.notes = (*self.notes, f"browsers show frames of {_SHOWN_SLOWLY} ms or less for 100 ms")
        return delays

    def _join_png(self, parts: Sequence[Path], delays: list[int], target: Path) -> None:
        first, *others = (PillowImage.fromarray(levels) for levels in self._stored(parts))
        options: dict[str, Any] = {} if self.facts.icc is None else {"icc_profile": self.facts.icc}
        first.save(
            target, "PNG", save_all=True, append_images=others, duration=delays, loop=self.facts.plays, **options
        )
        with target.open("r+b") as stream:
            finish_png(stream, Metadata(texts=self.facts.texts))

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
        # libvips writes 100 ms where a WebP's frame is shown for 10 ms or less, so the times are divided afterwards.
        factor = _SHOWN_SLOWLY + 1 if self.kind == "WebP" and min(delays) <= _SHOWN_SLOWLY else 1
        film.set_type(pyvips.GValue.array_int_type, "delay", [factor * delay for delay in delays])
        film.set_type(pyvips.GValue.gint_type, "loop", min(self.facts.plays, 65535))  # 16 bits
        options: dict[str, Any] = {}
        if self.kind == "WebP":
            quality = self.quality or (100 if self.facts.is_lossless and self.facts.codec is None else 95)
            options = encoder_options(BY_NAME["WebP"], quality=quality, depth="uint8", byte_count=0)
            if self.facts.icc is not None:
                film.set_type(pyvips.GValue.blob_type, "icc-profile-data", self.facts.icc)
        with target.open("r+b", buffering=0) as stream:
            save = f"{self.kind.lower()}save_target"
            getattr(film, save)(pyvips.Target.new_to_descriptor(stream.fileno()), keep="icc", **options)
            if factor > 1:
                divide_times(stream, factor)

    def _stored(self, parts: Sequence[Path]) -> Iterator[Levels]:
        height, width = self.size
        shape = (height, width, 4 if self.facts.has_alpha else 3)
        for part in parts:
            yield from np.memmap(part, np.uint8, "r").reshape(-1, *shape)
