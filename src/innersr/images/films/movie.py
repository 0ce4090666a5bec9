"""Writing films: GIF, animated WebP, MP4. Whatever a format cannot hold is converted and noted."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyvips
import torch
from PIL import Image as PillowImage

from innersr.errors import InputError
from innersr.images.containers.gif import HALF_ALPHA
from innersr.images.films.encoders import encoder_for, pyav
from innersr.images.films.film import Levels
from innersr.images.formats import BY_NAME, encoder_options
from innersr.images.image import Image
from innersr.images.io import check_place, written_whole
from innersr.isolation import is_finite
from innersr.libvips import libvips_alone


class _Format(NamedTuple):
    name: str
    fastest: int  # frames per second; above it viewers show a film of this format slowly
    longest_side: int
    write: Callable[[_Source, Path, float, int], None]


def save_movie(
    frames: Iterable[Image | Levels], path: str | Path, *, fps: float = 10.0, overwrite: bool = False, quality: int = 95
) -> tuple[str, ...]:
    """Write frames as a film in the format of the file name; return notes about losses.

    GIF and WebP repeat for ever; MP4 leaves that to the player. Frames are taken one by one: an MP4 of any length
    needs the memory of a few frames, the other formats keep them all at 8 bits. The file appears under its name when
    it is complete, or not at all.

    Args:
        frames: of one size; images, or uint8 arrays (H, W) or (H, W, C) with 1 to 4 bands: grey or colour, without
            or with alpha.
        path: where to; .gif, .webp or .mp4.
        fps: frames per second. GIF counts time in hundredths of a second, WebP in thousandths; delays are
            rounded so that the film as a whole keeps its time.
        overwrite: whether an existing file may be replaced.
        quality: 1 to 100, for WebP, where 100 is lossless, and MP4.

    Raises:
        ImageFileError: the file exists, is a folder, its folder is missing or not writable, or the disk is full.
        InputError: an unknown suffix, fps or quality out of range, MP4 without PyAV, no frames, frames of
            different sizes or bands, or too large for the format.
    """
    path = Path(path)
    target = _format_of(path)
    if not 0.1 <= fps <= target.fastest:
        raise InputError(f"{path}: fps must be from 0.1 to {target.fastest} in a {target.name}, got {fps}")
    if not 1 <= quality <= 100:
        raise InputError(f"quality must be between 1 and 100, got {quality}")
    if target.name == "MP4":
        encoder_for("h264", path, quality)
    check_place(path, overwrite=overwrite)
    source = _Source(frames, target)
    with written_whole(path, overwrite=overwrite) as partial:
        target.write(source, partial, fps, quality)
    return tuple(source.notes)


class _Source:
    """The frames as `Levels` of one shape. `notes` are sentences, complete when all frames were taken."""

    def __init__(self, frames: Iterable[Image | Levels], target: _Format) -> None:
        self._frames, self._target = frames, target
        self.notes: dict[str, None] = {}  # in their order, each once

    def __iter__(self) -> Iterator[Levels]:
        shape = None
        for number, frame in enumerate(self._frames):
            levels = self._levels(frame, number)
            if shape is None:
                shape = levels.shape
                self._note_shape(*shape)
            if levels.shape != shape:
                sizes = f"frame {number} is {_described(levels.shape)}, frame 0 {_described(shape)}"
                raise InputError(f"{sizes}; give all one size")
            yield levels
        if shape is None:
            raise InputError("a film needs at least one frame, got none")

    def _levels(self, frame: Image | Levels, number: int) -> Levels:
        if isinstance(frame, Image):
            if frame.depth != "uint8":
                self._note(f"the frames were reduced from {frame.depth} to 8 bits")
            if frame.metadata.icc is not None:
                self._note("the colour profile is not kept")
            return _levels_of(frame, number)
        levels = np.asarray(frame)
        if levels.dtype != np.uint8 or levels.ndim not in (2, 3) or 0 in levels.shape:
            got = f"{levels.dtype} {levels.shape}"
            raise InputError(f"frame {number} must be an image or a uint8 array (H, W) or (H, W, C), got {got}")
        levels = np.atleast_3d(levels)
        if levels.shape[-1] > 4:
            raise InputError(f"frame {number} has {levels.shape[-1]} bands; a film has grey or RGB, and alpha or not")
        return levels

    def _note_shape(self, height: int, width: int, bands: int) -> None:
        name, limit, has_alpha = self._target.name, self._target.longest_side, bands in (2, 4)
        if max(height, width) > limit:
            raise InputError(f"{name} sides end at {limit} pixels, not {max(height, width)}; make it smaller")
        if name == "GIF" and bands > 1:
            self._note("GIF holds 256 colours: the frames were dithered")
        if name == "GIF" and has_alpha:
            self._note(HALF_ALPHA)
        if name == "MP4" and has_alpha:
            self._note("MP4 holds no alpha: the frames lie on white")
        if name == "MP4" and (height % 2 or width % 2):
            size = f"{width + width % 2}x{height + height % 2}"
            self._note(f"MP4 holds even sizes: {width}x{height} was made {size} by repeating the last row or column")

    def _note(self, sentence: str) -> None:
        self.notes[sentence] = None


def _format_of(path: Path) -> _Format:
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        ending = f"{path.suffix!r} is not a suffix" if path.suffix else "the name has no suffix"
        raise InputError(f"{path}: {ending} of a film format that is written; use one of {', '.join(FORMATS)}")
    return found


def _levels_of(image: Image, number: int) -> Levels:
    planes = image.colour[0] if image.alpha is None else torch.cat([image.colour[0], image.alpha[0]])
    if image.colour.shape[1] not in (1, 3):
        raise InputError(f"frame {number} has {image.colour.shape[1]} colour bands; a film has 1 (grey) or 3 (RGB)")
    if not is_finite(planes):
        raise InputError(f"frame {number} holds NaN or infinite values; they have no colour, fill them first")
    return (planes * 255).add_(0.5).clamp_(0, 255).byte().permute(1, 2, 0).contiguous().numpy()


def _described(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]} with {shape[2]} bands"


def _write_gif(source: _Source, path: Path, fps: float, _quality: int) -> None:
    frames = list(source)
    delays = [10 * delay for delay in _delays(len(frames), fps, per_second=100)]
    if frames[0].shape[-1] == 1:  # libvips keeps a palette entry for transparency, so it cannot hold all 256 levels
        first, *others = (PillowImage.fromarray(frame[..., 0]) for frame in frames)
        first.save(path, "GIF", save_all=True, append_images=others, duration=delays, loop=0, optimize=False)
    else:  # pixels that equal those of the frame before are not written again, so what stands still does not flicker
        _write_by_libvips("gif", frames, path, delays)


def _write_webp(source: _Source, path: Path, fps: float, quality: int) -> None:
    frames = [_in_colour(frame) for frame in source]  # WebP knows no grey
    options = encoder_options(BY_NAME["WebP"], quality=quality, depth="uint8", byte_count=0)
    _write_by_libvips("webp", frames, path, _delays(len(frames), fps, per_second=1000), **options)


@libvips_alone()
def _write_by_libvips(stem: str, frames: list[Levels], path: Path, delays: list[int], **options: Any) -> None:  # noqa: ANN401
    """Write an animation that repeats for ever; `delays` are in milliseconds."""
    height, width, bands = frames[0].shape
    film = pyvips.Image.new_from_memory(np.concatenate(frames), width, height * len(frames), bands, "uchar")
    film = film.copy(interpretation="srgb" if bands > 2 else "b-w")
    film.set_type(pyvips.GValue.gint_type, "page-height", height)
    film.set_type(pyvips.GValue.array_int_type, "delay", delays)
    film.set_type(pyvips.GValue.gint_type, "loop", 0)
    with path.open("r+b", buffering=0) as stream:
        getattr(film, f"{stem}save_target")(pyvips.Target.new_to_descriptor(stream.fileno()), keep="none", **options)


def _write_mp4(source: _Source, path: Path, fps: float, quality: int) -> None:
    av, encoder = pyav(), encoder_for("h264", path, quality)
    # Without tags, players take large films for BT.709 and small ones for BT.601.
    tags = "colorprim=bt709:transfer=bt709:colormatrix=bt709"
    options = {**encoder.options, "x264-params": tags}
    frames = (_even(_on_white(_in_colour(frame))) for frame in source)
    first = next(frames)
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream(encoder.name, rate=Fraction(fps).limit_denominator(1001), options=options)
        stream.height, stream.width, stream.pix_fmt = first.shape[0], first.shape[1], "yuv420p"
        for frame in itertools.chain([first], frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(picture.reformat(format="yuv420p", dst_colorspace="ITU709")))
        container.mux(stream.encode())


FORMATS = {
    ".gif": _Format("GIF", 50, 65_535, _write_gif),
    ".webp": _Format("WebP", 90, 16_383, _write_webp),
    ".mp4": _Format("MP4", 240, 16_384, _write_mp4),
}


def _delays(count: int, fps: float, *, per_second: int) -> list[int]:
    """Durations of the frames, in fractions of a second."""
    ends = [round(number * per_second / fps) for number in range(count + 1)]
    return [end - start for start, end in zip(ends, ends[1:], strict=False)]


def _in_colour(levels: Levels) -> Levels:
    """A grey frame as three equal bands, with its alpha if it has one; other frames unchanged."""
    if levels.shape[-1] > 2:
        return levels
    return np.concatenate([np.repeat(levels[..., :1], 3, -1), levels[..., 1:]], -1)


def _on_white(levels: Levels) -> Levels:
    if levels.shape[-1] == 3:
        return levels
    alpha = levels[..., 3:].astype(np.float32) / 255
    return np.rint(255 + alpha * (levels[..., :3].astype(np.float32) - 255)).astype(np.uint8)


def _even(levels: Levels) -> Levels:
    height, width = levels.shape[:2]
    return np.pad(levels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
