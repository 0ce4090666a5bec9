"""Videos out, by PyAV: parts of encoded packets, joined with the sound of the source, which is copied as it is."""

from __future__ import annotations

import heapq
import io
import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from innersr.errors import ImageFileError, reason_of
from innersr.images.films.encoders import container_of, encoder_for, pixel_formats, pyav, scheduling_kept
from innersr.images.films.film import FilmFacts, FilmWriter, FrameTime, Levels, levels_of, resized_aspect
from innersr.images.films.video_reading import converted, own_texts
from innersr.images.image import Image


class _Packet(NamedTuple):
    content: bytes
    start: int  # presentation time in ticks
    is_key: bool
    alpha: bytes  # of VP9, whose alpha is a second picture


_ALPHA = "matroska_block_additional"  # the side data that holds it


@dataclass
class VideoWriter(FilmWriter):
    """Writes videos. Every part begins with a key frame and has an encoder of its own, so that parts can be joined."""

    source: Path | None
    """The video whose sound, subtitles, chapters and texts are kept; None for animations."""
    facts: FilmFacts
    """Of the source."""
    size: tuple[int, int]
    """(height, width) of the result."""
    target: Path
    """Of the result, for its suffix."""
    quality: int | None
    """See `encoder_for`."""
    keeps_texts: bool = True
    is_excerpt: bool = False
    """Whether it begins at time 0, with the sound of its frames only."""

    def __post_init__(self) -> None:
        av = pyav()
        facts = self.facts
        self._encoder = encoder_for(facts.codec, self.target, self.quality)
        notes = []
        if facts.codec is not None and self._encoder.codec != facts.codec:
            notes.append(f"is encoded as {self._encoder.codec} ({self._encoder.words}), the source as {facts.codec}")
        formats = pixel_formats(self._encoder, self.target)
        preferred = facts.pixel_format or ("yuva420p" if facts.has_alpha else "yuv420p")
        if not facts.has_alpha:
            preferred = preferred.replace("yuva", "yuv")  # as with --alpha drop
        if facts.codec is None and self._encoder.codec == "ffv1":
            preferred = "bgra" if facts.has_alpha else "bgr0"  # what an animation is, without loss
        best = av.codec.codec.find_best_pix_fmt_of_list(formats, preferred, facts.has_alpha)[0]
        self._pixel_format = preferred if preferred in formats else best.name
        if facts.pixel_format is not None and self._pixel_format != preferred:
            notes.append(f"pixels are stored as {self._pixel_format}, those of the source as {preferred}")
        format_ = av.VideoFormat(self._pixel_format)
        self._has_alpha = any(each.is_alpha for each in format_.components) and facts.has_alpha
        if facts.has_alpha and not self._has_alpha:
            notes.append("transparency is not kept: the frames lie on white")
        self._is_deep = max(each.bits for each in format_.components) > 8
        self._is_grey = format_.name.startswith("gray")
        self._is_rgb = format_.is_rgb
        height, width = self.size
        self._padding = (height % 2, width % 2) if "420" in format_.name or "422" in format_.name else (0, 0)
        if any(self._padding):
            whole = f"{width + self._padding[1]}x{height + self._padding[0]}"
            notes.append(f"{width}x{height} was made {whole}, as the codec wants, by repeating the last row or column")
        milliseconds = Fraction(1000) * facts.time_base
        if container_of(self.target) in ("matroska", "webm") and milliseconds.denominator != 1:
            notes.append("times are rounded to milliseconds, as such files hold them")
        if facts.codec is None and facts.plays != 1:
            notes.append("how often it is repeated is left to the player")
        self._aspect = resized_aspect(facts, self.size)
        if self._aspect != facts.aspect:
            ratio = f"{self._aspect.numerator}:{self._aspect.denominator}"
            notes.append(f"is shown with pixels of {ratio}, so that its pictures keep their shape")
        self.notes = tuple(notes)

    def encode(self, frames: Iterable[Image], times: Sequence[FrameTime], part: Path) -> None:
        """See `FilmWriter`."""
        context = pyav().codec.CodecContext.create(self._encoder.name, "w")
        self._configure(context)
        context.options = dict(self._encoder.options)
        with scheduling_kept():
            context.open()
        packets: list[Any] = []
        for frame, time in zip(frames, times, strict=True):
            picture = self._picture(frame)
            picture.pts, picture.time_base = time.start, self.facts.time_base
            packets += context.encode(picture)
        packets += context.encode(None)
        with part.open("wb") as stream:
            _save_packets([_packet_of(each) for each in packets], stream)

    def join(self, parts: Sequence[Path], times: Sequence[FrameTime], target: Path) -> None:
        """See `FilmWriter`."""
        av = pyav()
        kind = container_of(self.target)
        options = {"fflags": "bitexact"}  # no random numbers as names of tracks
        if kind in ("mp4", "mov"):
            options["movflags"] = "faststart+write_colr"
        try:
            with scheduling_kept(), av.open(str(target), "w", format=kind, options=options) as container:
                stream = container.add_stream(
                    self._encoder.name, rate=self.facts.rate, options=dict(self._encoder.options)
                )
                self._configure(stream.codec_context)
                stream.time_base = self.facts.time_base
                if self._encoder.codec == "hevc" and kind in ("mp4", "mov"):
                    stream.codec_context.codec_tag = "hvc1"  # without which some players show nothing
                packets = self._timed(parts, times, stream)
                if self.source is None:
                    container.metadata.update(self.facts.texts)
                    for packet in packets:
                        container.mux_one(packet)
                else:
                    self._mux_with_source(container, stream, packets, self._span_of(times))
        except av.FFmpegError as error:
            raise ImageFileError(
                f"{self.target}: cannot be written ({reason_of(error)}); try another suffix"
            ) from error

    def _configure(self, context: Any) -> None:  # noqa: ANN401 (PyAV may be missing)
        height, width = (side + more for side, more in zip(self.size, self._padding, strict=True))
        context.width, context.height, context.pix_fmt = width, height, self._pixel_format
        context.time_base, context.framerate = self.facts.time_base, self.facts.rate
        context.sample_aspect_ratio = self._aspect
        colours = self.facts.colours
        ranges = pyav().video.reformatter.ColorRange
        context.color_range = int(ranges.JPEG if colours.full_range or self._is_rgb else ranges.MPEG)
        context.colorspace = 0 if self._is_rgb else colours.matrix
        context.color_primaries, context.color_trc = colours.primaries, colours.transfer
        context.thread_count = 1
        context.flags |= pyav().codec.context.Flags.global_header

    def _picture(self, frame: Image) -> Any:  # noqa: ANN401
        levels: Levels = levels_of(frame, is_grey=self._is_grey, has_alpha=self._has_alpha, is_deep=self._is_deep)
        down, across = self._padding
        levels = np.ascontiguousarray(np.pad(levels, ((0, down), (0, across), (0, 0)), mode="edge"))
        if self._is_grey:
            kind, levels = "gray16le" if self._is_deep else "gray", levels[..., 0]
        elif self._has_alpha:
            kind = "rgba64le" if self._is_deep else "rgba"
        else:
            kind = "rgb48le" if self._is_deep else "rgb24"
        picture = pyav().VideoFrame.from_ndarray(levels, format=kind)
        return converted(picture, self._pixel_format, self.facts.colours, to_rgb=False)

    def _span_of(self, times: Sequence[FrameTime]) -> tuple[Fraction, Fraction] | None:
        """Seconds of the source in which these frames are shown; None for all that it has."""
        if not self.is_excerpt:
            return None
        begin, end = times[0].start, times[-1].start + times[-1].duration
        return begin * self.facts.time_base, end * self.facts.time_base

    def _timed(self, parts: Sequence[Path], times: Sequence[FrameTime], stream: Any) -> Iterator[Any]:  # noqa: ANN401
        """Yield the packets of all parts with the times at which they are decoded: in order, none after it is shown."""
        begin = times[0].start if self.is_excerpt else 0
        starts = [time.start for time in times]
        ranks = {start: rank for rank, start in enumerate(starts)}
        durations = {time.start: time.duration for time in times}
        shown = [start for part in parts for start in _starts_of(part)]
        delay = max(place - ranks[start] for place, start in enumerate(shown))
        # An MP4 is as long as its packets in their order: as long as its frames, if the first is decoded early enough.
        ahead = sum(time.duration for time in times[len(times) - 1 - delay :]) - durations[shown[-1]]
        packets = (packet for part in parts for packet in _load_packets(part))
        for place, content in enumerate(packets):
            packet = _loaded(content)
            packet.stream, packet.time_base, packet.pts = stream, self.facts.time_base, content.start - begin
            decoded = starts[place - delay] if place >= delay else starts[0] - (delay - place) * ahead // delay
            packet.dts = decoded - begin
            packet.is_keyframe, packet.duration = content.is_key, durations[content.start]
            yield packet

    def _mux_with_source(
        self,
        container: Any,  # noqa: ANN401
        stream: Any,  # noqa: ANN401
        packets: Iterator[Any],
        span: tuple[Fraction, Fraction] | None,
    ) -> None:
        """Write the video between the other streams of the source, in the order of their times; of a span of it."""
        av = pyav()
        with av.open(str(self.source)) as source:
            held = container.supported_codecs
            copies, notes = {}, []
            for each in source.streams:
                if each.type == "video" or _is_list_of_chapters(each):
                    continue
                name = _codec_of(each)
                if each.type in ("audio", "subtitle") and name in held:
                    copies[each.index] = container.add_stream_from_template(each)
                    copies[each.index].metadata.update(each.metadata)
                    copies[each.index].disposition = each.disposition
                else:
                    notes.append(
                        f"its {each.type} stream ({name}) is not kept: {self.target.suffix} files cannot hold it"
                    )
            self.notes = (*self.notes, *notes)
            if self.keeps_texts:
                container.metadata.update(own_texts(source.metadata))
                stream.metadata.update(own_texts(source.streams.video[0].metadata))
                if hasattr(source, "chapters") and source.chapters():
                    container.set_chapters([*_chapters_in(span, source.chapters())])
            others = self._copied(source, copies, span)
            for _, _, packet in heapq.merge(_in_time(packets, 0), _in_time(others, 1), key=lambda each: each[:2]):
                container.mux_one(packet)

    @staticmethod
    def _copied(source: Any, copies: dict[int, Any], span: tuple[Fraction, Fraction] | None) -> Iterator[Any]:  # noqa: ANN401
        if not copies:
            return
        for packet in source.demux([source.streams[index] for index in copies]):
            if packet.size and packet.dts is not None and _moved_into(span, packet):
                packet.stream = copies[packet.stream.index]
                yield packet


def _moved_into(span: tuple[Fraction, Fraction] | None, packet: Any) -> bool:  # noqa: ANN401
    """Whether a packet begins within a span of seconds, from whose begin its times are then counted."""
    if span is None:
        return True
    start, (begin, end) = packet.dts if packet.pts is None else packet.pts, span
    if not begin <= start * packet.time_base < end:
        return False
    offset = round(begin / packet.time_base)
    packet.dts -= offset
    if packet.pts is not None:
        packet.pts -= offset
    return True


def _chapters_in(span: tuple[Fraction, Fraction] | None, chapters: Iterable[Any]) -> Iterator[Any]:
    """The chapters of a span of seconds, from whose begin their times are then counted."""
    for chapter in chapters:
        unit = chapter["time_base"]
        if span is None:
            yield chapter
        elif chapter["end"] * unit > span[0] and chapter["start"] * unit < span[1]:
            ends = [
                round((min(max(chapter[end] * unit, span[0]), span[1]) - span[0]) / unit) for end in ("start", "end")
            ]
            yield {**chapter, "start": ends[0], "end": ends[1]}


def _in_time(packets: Iterable[Any], rank: int) -> Iterator[tuple[float, int, Any]]:
    for packet in packets:
        yield float(packet.dts * packet.time_base), rank, packet


def _is_list_of_chapters(stream: Any) -> bool:  # noqa: ANN401
    """Whether a stream is that of an MP4 which FFmpeg has read the chapters from, and tells readers to leave out."""
    return stream.type == "data" and getattr(getattr(stream, "discard", None), "name", "") == "all"


def _codec_of(stream: Any) -> str:  # noqa: ANN401
    context = stream.codec_context
    if context is None:
        return "unknown"
    return str(getattr(context.codec, "canonical_name", context.name))


def _packet_of(packet: Any) -> _Packet:  # noqa: ANN401
    alpha = bytes(packet.get_sidedata(_ALPHA)) if packet.has_sidedata(_ALPHA) else b""
    return _Packet(bytes(packet), packet.pts, bool(packet.is_keyframe), alpha)


def _loaded(content: _Packet) -> Any:  # noqa: ANN401
    av = pyav()
    packet = av.Packet(content.content)
    if content.alpha:
        side = av.packet.PacketSideData(av.packet.packet_sidedata_type_from_literal(_ALPHA), len(content.alpha))
        side.update(content.alpha)
        packet.set_sidedata(side)
    return packet


def _save_packets(packets: Sequence[_Packet], stream: io.BufferedWriter) -> None:
    """A line of JSON, its length in front, then the packets one after the other, each with its alpha."""
    table = json.dumps([[len(each.content), each.start, each.is_key, len(each.alpha)] for each in packets]).encode()
    stream.write(struct.pack("<Q", len(table)) + table)
    for each in packets:
        stream.write(each.content + each.alpha)


def _table_of(stream: io.BufferedReader) -> list[list[int]]:
    (length,) = struct.unpack("<Q", stream.read(8))
    return list(json.loads(stream.read(length)))


def _starts_of(part: Path) -> list[int]:
    with part.open("rb") as stream:
        return [start for _, start, *_ in _table_of(stream)]


def _load_packets(part: Path) -> Iterator[_Packet]:
    with part.open("rb") as stream:
        for length, start, is_key, of_alpha in _table_of(stream):
            yield _Packet(stream.read(length), start, bool(is_key), stream.read(of_alpha))
