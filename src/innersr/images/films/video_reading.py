"""Videos in, by PyAV: upright frames in [0, 1], their times, and what the file says about their colours."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from innersr.errors import ImageFileError, reason_of
from innersr.images.films.encoders import pyav
from innersr.images.films.film import ColourTags, Film, FilmFacts, Glimpse
from innersr.images.image import Image
from innersr.images.limits import SizeLimits


class Video(Film):
    """A video file, read by FFmpeg."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as (container, stream):
            first = next(self._decoded(container, stream), None)
            if first is None:
                raise ImageFileError(f"{path}: its video has no frame; get the file again")
            self._turns = round((first.rotation or 0) / 90) % 4  # counterclockwise, as numpy.rot90
            self.facts = self._facts_of(container, stream, first)

    def glimpses(self) -> Iterator[Glimpse]:
        """See `Film`."""
        frames = before = 0
        size = None
        with self._opened() as (container, stream):
            shown = itertools.pairwise(itertools.chain(self._decoded(container, stream), [None]))
            for frames, (frame, following) in enumerate(shown, 1):
                start = frame.pts
                size = size or (frame.width, frame.height)
                if (frame.width, frame.height) != size:
                    sizes = f"frame {frames - 1} is {frame.width}x{frame.height}, the first {size[0]}x{size[1]}"
                    raise ImageFileError(f"{self.path}: {sizes}; cut the film where its size changes")
                if start is None or (frames > 1 and start <= before):
                    raise ImageFileError(
                        f"{self.path}: frame {frames - 1} has no time of its own; remux the file first"
                    )
                before = start
                thumbnail = frame.reformat(32, 32, "rgb24", interpolation="AREA").to_ndarray()
                duration = _time_to_end(container, stream, start) if following is None else 0
                yield Glimpse(start, duration or frame.duration or 0, thumbnail)
            self._check_end(container, stream, frames)

    def frames(self, numbers: Iterable[int]) -> Iterator[Image]:
        """See `Film`."""
        remaining = iter(numbers)
        number = next(remaining, None)
        if number is None:
            return
        with self._opened() as (container, stream):
            for index, frame in enumerate(self._decoded(container, stream)):
                if index == number:
                    yield self._image_of(frame)
                    number = next(remaining, None)
                    if number is None:
                        return

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        av = pyav()
        try:
            with av.open(str(self.path)) as container:
                films = [each for each in container.streams.video if not _is_cover(av, each)]
                if not films:
                    raise ImageFileError(f"{self.path}: has no video stream; give a film, or a picture")
                films[0].thread_type = "AUTO"
                yield container, films[0]
        except ImageFileError:  # an OSError too
            raise
        except (av.FFmpegError, ValueError) as error:
            raise self._damaged(error) from error
        except OSError as error:
            raise ImageFileError(f"{self.path}: cannot be opened ({reason_of(error)}); check the name") from error

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:  # noqa: ANN401 (PyAV may be missing)
        av, number = pyav(), 0
        try:
            for number, frame in enumerate(_frames_of(container, stream), 1):
                if frame.is_corrupt:
                    raise self._damaged(ValueError(f"frame {number - 1} is corrupt"))
                yield frame
        except av.FFmpegError as error:
            raise self._damaged(error, f" at frame {number}") from error

    def _damaged(self, error: Exception, place: str = "") -> ImageFileError:
        remedy = "it may be damaged or cut short: get it again, or remux what can be read of it"
        return ImageFileError(f"{self.path}: cannot be decoded{place} ({reason_of(error)}); {remedy}")

    def _check_end(self, container: Any, stream: Any, frames: int) -> None:  # noqa: ANN401
        """Refuse a file of fewer frames than it states, or one that ends well before the time it states."""
        counted, stated = stream.frames, (container.duration or 0) / 1_000_000  # microseconds, from 0 in Matroska
        if container.format.name == "avi":  # which counts frames that were left out, and has no time of the whole
            counted, stated = 0, float(counted / stream.average_rate) if stream.average_rate else 0.0
        if counted and frames < counted:
            raise self._damaged(ValueError(f"{frames} of {counted} frames are there"))
        if counted or not stated:
            return
        with self._opened() as (whole, _):
            packets = (each for each in whole.demux() if each.size and each.pts is not None)
            end = max(float((each.pts + (each.duration or 0)) * each.time_base) for each in packets)
        spare = 0.5  # seconds by which what is stated may be wrong
        if end + spare < stated:
            raise self._damaged(ValueError(f"it ends at {end:.1f} of {stated:.1f} s"))

    def _facts_of(self, container: Any, stream: Any, first: Any) -> FilmFacts:  # noqa: ANN401
        av = pyav()
        name = "yuv420p" if first.format.name == "nv12" else first.format.name
        components = first.format.components
        size = (first.height, first.width)
        matrix = int(first.colorspace)
        notes = []
        if first.interlaced_frame:
            notes.append("is interlaced: both fields are upscaled as one picture; deinterlace it first")
        if self._turns:
            notes.append(f"was turned upright by {90 * (self._turns if self._turns < 3 else -1)} degrees")
        if len(container.streams.video) > 1:
            notes.append("only its first video stream is kept")
        if {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"} & {each.type.name for each in first.side_data}:
            notes.append("its HDR light levels are not kept")
        aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
        is_sideways = self._turns % 2 == 1
        hd_lines = 720  # from which players take what is not tagged for BT.709
        unknown = 2
        return FilmFacts(
            size=size[::-1] if is_sideways else size,
            time_base=Fraction(stream.time_base),
            rate=Fraction(stream.average_rate or stream.guessed_rate or 25),
            is_grey=name.startswith("gray"),
            has_alpha=any(each.is_alpha for each in components),
            is_deep=max(each.bits for each in components) > 8,
            codec=stream.codec_context.codec.canonical_name
            if hasattr(stream.codec_context.codec, "canonical_name")
            else stream.codec_context.name,
            pixel_format=name.replace("yuvj", "yuv"),
            colours=ColourTags(
                matrix=matrix if matrix != unknown else 1 if size[0] >= hd_lines else 6,
                primaries=int(first.color_primaries),
                transfer=int(first.color_trc),
                full_range=int(first.color_range) == int(av.video.reformatter.ColorRange.JPEG),
            ),
            aspect=1 / aspect if is_sideways else aspect,
            texts=tuple(own_texts(container.metadata).items()),
            extras=tuple(_extras_of(container)),
            notes=tuple(notes),
        )

    def _image_of(self, frame: Any) -> Image:  # noqa: ANN401
        facts = self.facts
        kind = "gray" if facts.is_grey else "rgba" if facts.has_alpha else "rgb"
        deep = {"gray": "gray16le", "rgba": "rgba64le", "rgb": "rgb48le"}
        plain = {"gray": "gray", "rgba": "rgba", "rgb": "rgb24"}
        target = (deep if facts.is_deep else plain)[kind]
        levels = converted(frame, target, facts.colours, to_rgb=True).to_ndarray()
        levels = np.atleast_3d(np.rot90(levels, self._turns))
        white = np.float32(65535 if facts.is_deep else 255)
        planes = torch.from_numpy(levels.astype(np.float32) / white).permute(2, 0, 1)[None].contiguous()
        alpha = planes[:, 3:].contiguous() if facts.has_alpha else None
        return Image(colour=planes[:, :3].contiguous(), alpha=alpha)


def converted(frame: Any, target: str, colours: ColourTags, *, to_rgb: bool) -> Any:  # noqa: ANN401
    """A frame in another pixel format, by the matrix and range of a film; rounded, and colours interpolated."""
    reformatter = pyav().video.reformatter
    ranges = reformatter.ColorRange
    stored, full = int(ranges.JPEG if colours.full_range else ranges.MPEG), int(ranges.JPEG)
    method = reformatter.Interpolation
    exact = method.BICUBIC | method.ACCURATE_RND | method.FULL_CHR_H_INT | method.FULL_CHR_H_INP
    if target.startswith("gray") or frame.format.name.startswith("gray"):
        return frame.reformat(format=target, interpolation=int(exact), src_color_range=full, dst_color_range=full)
    return frame.reformat(
        format=target,
        src_colorspace=colours.matrix or 1,
        dst_colorspace=colours.matrix or 1,
        src_color_range=stored if to_rgb else full,
        dst_color_range=full if to_rgb else stored,
        interpolation=int(exact),
    )


def _extras_of(container: Any) -> Iterator[str]:  # noqa: ANN401
    kinds = {stream.type for stream in container.streams}
    yield from (name for kind, name in (("audio", "sound"), ("subtitle", "subtitles")) if kind in kinds)
    if hasattr(container, "chapters") and container.chapters():
        yield "chapters"


def own_texts(metadata: Mapping[str, str]) -> dict[str, str]:
    """The texts of a file or a stream, but those that describe how it is stored, which another file differs in."""
    stored = r"(major_brand|minor_version|compatible_brands|handler_name|vendor_id|encoder|duration|alpha_mode)$"
    counted = "bps|number_of_|_statistics_"  # of mkvmerge
    return {key: metadata[key] for key in metadata if not re.match(f"{stored}|{counted}", key, re.IGNORECASE)}


def _time_to_end(container: Any, stream: Any, start: int) -> int:  # noqa: ANN401
    """Ticks from a start to the end that an MP4 or QuickTime file states, in which packets last until the next is read.

    0 for other files: their packets last as long as they are shown.
    """
    if "mp4" not in container.format.name or stream.duration is None:
        return 0
    return max(0, (stream.start_time or 0) + stream.duration - start)


def _has_alpha_apart(stream: Any) -> bool:  # noqa: ANN401
    """Whether a VP8 or VP9 stream has its alpha in a second picture beside each packet, as in .webm."""
    is_stated = any(key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items())
    return is_stated and stream.codec_context.name in ("vp8", "vp9")


def _frames_of(container: Any, stream: Any) -> Iterator[Any]:  # noqa: ANN401
    if not _has_alpha_apart(stream):
        yield from container.decode(stream)
        return
    context = stream.codec_context  # of FFmpeg's own decoder, which drops the alpha
    decoder = pyav().CodecContext.create({"vp8": "libvpx", "vp9": "libvpx-vp9"}[context.name], "r")
    decoder.color_primaries, decoder.color_trc = context.color_primaries, context.color_trc
    for packet in container.demux(stream):
        yield from decoder.decode(packet if packet.size else None)


def _is_cover(av: Any, stream: Any) -> bool:  # noqa: ANN401
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def open_video(path: Path, pixel_limit: int) -> Video:
    """Open a video of at most `pixel_limit` pixels a frame."""
    film = Video(path)
    height, width = film.facts.size
    SizeLimits(pixels=pixel_limit).check(str(path), width, height, 3)
    return film
