"""Video encoders: the codec of a file, what its quality means to it, what opening it does to a process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from innersr.errors import InputError, how_to_install


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """A video encoder of FFmpeg, at settings that give the same bytes on every machine: it has one thread."""

    codec: str
    """Of the stream."""
    name: str
    """Of the encoder."""
    options: dict[str, str]
    words: str
    """What its quality is, for a note."""


CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""FFmpeg's names for the containers of videos, by the suffix of a file."""
FILM_SUFFIXES = (*CONTAINERS, ".apng")
"""Those that only films have, of the formats that are written."""


def container_of(path: Path) -> str | None:
    """FFmpeg's name for the container of a file name; None for names that are no video's."""
    return CONTAINERS.get(path.suffix.lower())


def is_film_name(path: Path) -> bool:
    """Whether only films have such a name: videos and APNG."""
    return path.suffix.lower() in FILM_SUFFIXES


def encoder_for(codec: str | None, path: Path, quality: int | None) -> Encoder:
    """The encoder of a video: that of its source where the file can hold it, else the usual one of such files.

    Args:
        codec: of the source, as FFmpeg calls it; None where that is no video.
        path: of the file to be.
        quality: 1 to 100; 100 is lossless in a .mkv, which then holds FFV1. None for 95.

    Raises:
        InputError: this build of PyAV lacks the encoder.
    """
    container = container_of(path)
    h264, hevc, vp9, av1 = "h264", "hevc", "vp9", "av1"
    held = {
        "mp4": (h264, hevc, av1, vp9),
        "mov": (h264, hevc, "prores"),
        "matroska": (h264, hevc, vp9, av1, "ffv1", "prores"),
        "webm": (vp9, av1),
    }[container or "mp4"]
    chosen = codec if codec in held else held[0]
    if container == "matroska" and quality == 100:  # noqa: PLR2004 (the best)
        chosen = "ffv1"
    encoder = _described(chosen, 95 if quality is None else quality)
    if encoder.name not in pyav().codecs_available:
        remedy = "install the wheels of PyAV (pip install --force-reinstall av), or choose another suffix"
        raise InputError(f"{path}: this PyAV lacks the encoder {encoder.name}; {remedy}")
    return encoder


def pixel_formats(encoder: Encoder, path: Path) -> list[str]:
    """The pixel formats of an encoder, but those of which a file would lose the alpha."""
    names = [each.name for each in pyav().codec.Codec(encoder.name, "w").video_formats]
    holds_alpha = {"vp9": ("yuva420p",) if container_of(path) in ("matroska", "webm") else (), "hevc": ()}
    kept = holds_alpha.get(encoder.codec, names)
    return [name for name in names if name in kept or not name.startswith(("yuva", "gbra"))]


def pyav() -> Any:  # noqa: ANN401 (a module that may be missing)
    """PyAV.

    Raises:
        InputError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise InputError(f"films need PyAV: {how_to_install('video')}; GIF, WebP and APNG do not") from error
    return av


def _described(codec: str, quality: int) -> Encoder:
    constant = round(41 - quality / 4)  # CRF of x264 and x265: 17 for 95
    wider = round(63 - 0.45 * quality)  # CRF of VP9 and AV1, whose scale ends at 63: 20 for 95
    rows: dict[str, Callable[[], tuple[str, dict[str, str], str]]] = {
        "h264": lambda: ("libx264", {"crf": str(constant), "preset": "medium"}, f"CRF {constant}"),
        "hevc": lambda: (
            "libx265",
            {
                "crf": str(constant),
                "preset": "medium",
                "x265-params": "pools=none:frame-threads=1:log-level=none",
            },
            f"CRF {constant}",
        ),
        "vp9": lambda: (
            "libvpx-vp9",
            {"crf": str(wider), "b": "0", "deadline": "good", "cpu-used": "2", "row-mt": "0"},
            f"CRF {wider}",
        ),
        "av1": lambda: ("libsvtav1", {"crf": str(wider), "preset": "6", "svtav1-params": "lp=1"}, f"CRF {wider}"),
        "prores": lambda: ("prores_ks", {}, "HQ or 4444"),
        "ffv1": lambda: ("ffv1", {"level": "3", "slicecrc": "1", "g": "1"}, "lossless"),
    }
    name, options, words = rows[codec]()
    return Encoder(codec=codec, name=name, options=options, words=words)


@contextlib.contextmanager
def scheduling_kept() -> Iterator[None]:
    """Keep this process at the scheduling that it has while a codec is opened.

    For a privileged user, as in most containers, SVT-AV1 gives the calling thread and its own real-time priority. All
    that the process starts afterwards inherits it, and no other program gets a processor that they use.
    """
    tasks = Path("/proc/self/task")
    if not (hasattr(os, "sched_setscheduler") and tasks.exists()):
        yield
        return
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)  # of the calling thread
    try:
        yield
    finally:
        for number in [int(task.name) for task in tasks.iterdir()]:
            with contextlib.suppress(OSError):  # it has ended meanwhile
                if os.sched_getscheduler(number) == os.SCHED_FIFO != policy:
                    os.sched_setscheduler(number, policy, priority)
