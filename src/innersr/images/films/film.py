"""Films: frames, their times, and facts about the file. Opens no file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from innersr.images.image import Image

Levels = np.ndarray[Any, np.dtype[Any]]
"""One frame, (H, W, C), uint8 or uint16: grey, RGB or RGBA, in movies also grey and alpha; not premultiplied."""


class FrameTime(NamedTuple):
    """When a frame is shown and for how long, in ticks of the film's time base."""

    start: int
    duration: int


class Glimpse(NamedTuple):
    """A frame at a glance, for finding shots."""

    start: int
    """Ticks."""
    duration: int
    """Ticks that the file states; 0 where it states none."""
    thumbnail: Levels
    """(32, 32, 3), uint8."""


@dataclass(frozen=True, kw_only=True)
class ColourTags:
    """Numbers of ISO/IEC 23091-2 that say what the values of a video mean; 2 is "unspecified"."""

    matrix: int = 1
    primaries: int = 1
    transfer: int = 1
    full_range: bool = False


@dataclass(frozen=True, kw_only=True)
class FilmFacts:
    """Facts about a film, from its file."""

    size: tuple[int, int]
    """(height, width) of the upright frames."""
    time_base: Fraction
    """Seconds per tick."""
    rate: Fraction = Fraction(25)
    """Frames per second, on average."""
    is_grey: bool = False
    has_alpha: bool = False
    is_deep: bool = False
    """Whether values have more than 8 bits."""
    codec: str | None = None
    """Of a video, as FFmpeg calls it: "h264", "hevc", "vp9", "av1", …; None for animations."""
    pixel_format: str | None = None
    """Of a video, as FFmpeg calls it."""
    colours: ColourTags = ColourTags()
    aspect: Fraction = Fraction(1)
    """Width of a pixel over its height."""
    plays: int = 0
    """How often an animation is shown; 0 for ever."""
    is_lossless: bool = False
    icc: bytes | None = None
    """The colour profile of an animation."""
    texts: tuple[tuple[str, str], ...] = ()
    """Keyword and text of comments and the like."""
    extras: tuple[str, ...] = ()
    """What else is in the file: "sound", "subtitles", "chapters"."""
    notes: tuple[str, ...] = ()
    """Sentences about conversions and losses."""


class Film(ABC):
    """A film file. Every iteration reads it anew, and holds a few frames at a time."""

    path: Path
    facts: FilmFacts

    @abstractmethod
    def glimpses(self) -> Iterator[Glimpse]:
        """Yield all frames at a glance, and make sure that the whole film can be read.

        Raises:
            ImageFileError: a frame cannot be decoded, has another size, or frames are missing.
        """

    @abstractmethod
    def frames(self, numbers: Iterable[int]) -> Iterator[Image]:
        """Yield the frames of these numbers, which ascend from 0; upright, with colours in [0, 1].

        Their depth is "uint8" whatever the film has, so that all frames are seen in one range of values.
        """


class FilmWriter(ABC):
    """A film file to be, written in parts of some frames each, which are joined at the end."""

    notes: tuple[str, ...]
    """Sentences about what is not kept."""

    @abstractmethod
    def encode(self, frames: Iterable[Image], times: Sequence[FrameTime], part: Path) -> None:
        """Encode one part of the film into a file of its own; the same frames give the same bytes."""

    @abstractmethod
    def join(self, parts: Sequence[Path], times: Sequence[FrameTime], target: Path) -> None:
        """Write the film from all its parts, and what is kept of the source besides."""


def with_metadata(facts: FilmFacts, choice: str) -> FilmFacts:
    """The facts without the metadata that a choice (--metadata) leaves out."""
    if choice == "keep":
        return facts
    extras = tuple(each for each in facts.extras if each != "chapters")
    return replace(facts, icc=facts.icc if choice == "icc" else None, texts=(), extras=extras)


def resized_aspect(facts: FilmFacts, size: tuple[int, int]) -> Fraction:
    """Width of a pixel over its height where a film has another size, (height, width), and its pictures their shape."""
    (lr_height, lr_width), (height, width) = facts.size, size
    is_rounded = abs(width * lr_height - height * lr_width) <= lr_width + lr_height  # by a pixel: both sides grew alike
    stretched = Fraction(1) if is_rounded else Fraction(height * lr_width, width * lr_height)
    return facts.aspect * stretched.limit_denominator(1000)


def notes_of_losses(facts: FilmFacts, kind: str) -> list[str]:
    """Notes about what else is in the file, if it is in no file of a kind."""
    lost = [*facts.extras, *["texts"] * bool(facts.texts)]
    return [f"its {each} cannot be kept: {kind} files are written without" for each in lost]


def levels_of(image: Image, *, is_grey: bool, has_alpha: bool, is_deep: bool) -> Levels:
    """A frame as it is stored; without room for alpha it lies on white."""
    colour, alpha = image.colour[0], None if image.alpha is None else image.alpha[0]
    if alpha is not None and not has_alpha:
        colour = colour * alpha + (1 - alpha)
    colour = colour[:1] if is_grey else colour.expand(3, -1, -1)
    planes = [*colour]
    if has_alpha:
        planes += [colour.new_ones(colour.shape[1:]) if alpha is None else alpha[0]]
    white, kind = (65535, np.uint16) if is_deep else (255, np.uint8)
    return np.stack([(plane * white + 0.5).clamp(0, white).numpy().astype(kind) for plane in planes], -1)
