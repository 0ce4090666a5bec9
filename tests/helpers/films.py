"""Films made for tests, and what is found in films."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from innersr.images.films.encoders import scheduling_kept

COLOURS = ((90, 120, 100), (190, 70, 40), (40, 60, 200))  # mean colours of scenes, far apart


def scene(number, colour=COLOURS[0], size=(32, 48)):
    """A pattern that moves by a pixel from frame to frame, uint8 (H, W, 3)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    columns = columns + number
    waves = [np.sin(rows / (3 + k) + columns / (5 - k)) * 50 + np.sin(columns / 2 + k) * 25 for k in range(3)]
    return (np.stack(waves, -1) + np.array(colour)).clip(0, 255).round().astype(np.uint8)


def scenes(*lengths, size=(32, 48)):
    """Frames of some scenes, one after the other."""
    colours = [colour for colour, length in zip(COLOURS, lengths, strict=False) for _ in range(length)]
    return [scene(number, colour, size) for number, colour in enumerate(colours)]


def half_clear(frames):
    """The frames with alpha: their upper half is transparent."""
    alpha = np.full((*frames[0].shape[:2], 1), 255, np.uint8)
    alpha[: len(alpha) // 2] = 0
    return [np.concatenate([levels, alpha], 2) for levels in frames]


def make_video(  # noqa: PLR0913 (what a video may be)
    path,
    frames,
    *,
    codec="libx264",
    pixel_format="yuv420p",
    times=None,
    tags=(1, 1, 1, 1),
    sound=False,
    rotation=0,
    aspect=1,
    options=None,
    texts=None,
    chapters=(),
):
    """Write a video; `times` in milliseconds, `tags` are range, matrix, primaries, transfer; `aspect` is of a pixel."""
    av = pytest.importorskip("av")
    full, matrix, primaries, transfer = tags
    with scheduling_kept(), av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {"crf": "8"})
        height, width = frames[0].shape[:2]
        stream.height, stream.width, stream.pix_fmt = height, width, pixel_format
        context = stream.codec_context
        context.time_base = Fraction(1, 1000) if times else Fraction(1, 25)
        context.sample_aspect_ratio = aspect
        context.color_range, context.colorspace = full, matrix
        context.color_primaries, context.color_trc = primaries, transfer
        if rotation:
            stream.set_display_rotation(rotation)
        voice = None
        if sound:
            voice = container.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=48000)
            voice.layout = "mono"
            voice.metadata["language"] = "eng"
        container.metadata.update(texts or {})
        if chapters:
            unit, spans = Fraction(1, 25), enumerate(chapters)
            container.set_chapters(
                [{"id": n, "start": n, "end": n + 1, "time_base": unit, "metadata": {"title": t}} for n, t in spans]
            )
        for number, levels in enumerate(frames):
            kind = "rgb48le" if levels.dtype == np.uint16 else "rgba" if levels.shape[2] == 4 else "rgb24"
            picture = av.VideoFrame.from_ndarray(levels, kind)
            picture = picture.reformat(format=pixel_format, dst_colorspace=matrix, dst_color_range=full)
            picture.pts, picture.time_base = times[number] if times else number, context.time_base
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        if voice is not None:
            draws = np.random.default_rng(0)
            for block in range(len(frames) * 48000 // 25 // 1024):
                noise = av.AudioFrame.from_ndarray(draws.normal(0, 0.1, (1, 1024)).astype(np.float32), "fltp", "mono")
                noise.sample_rate, noise.pts, noise.time_base = 48000, 1024 * block, Fraction(1, 48000)
                container.mux(voice.encode(noise))
            container.mux(voice.encode(None))
    return path


def video_frames(path):
    """All frames of a video, and its stream's facts."""
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        return frames, (stream.codec_context.codec.canonical_name, stream.time_base)


def seconds(path):
    """Times at which the frames of a video are shown."""
    return [float(frame.pts * frame.time_base) for frame in video_frames(path)[0]]


def sound_packets(path):
    """Packets of the sound: content and time in seconds."""
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        found = [packet for packet in container.demux(container.streams.audio[0]) if packet.size]
        return [(bytes(packet), float(packet.pts * packet.time_base)) for packet in found]
