"""Films upscaled from file to file: adapted once per shot, and written in parts, so that a run can be resumed."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch

from innersr.blind.estimate import Estimate
from innersr.errors import ImageFileError, InputError
from innersr.images.films.animations import Animation, AnimationWriter, frame_count
from innersr.images.films.encoders import container_of
from innersr.images.films.excerpts import Excerpt
from innersr.images.films.film import Film, FilmWriter, with_metadata
from innersr.images.films.recognition import is_video, notes_of_other_container
from innersr.images.films.shots import Timeline, timeline_of
from innersr.images.films.video_reading import open_video
from innersr.images.films.video_writing import VideoWriter
from innersr.images.image import Image
from innersr.images.io import check_place, with_suffix, written_whole
from innersr.images.limits import PIXEL_LIMIT, SizeLimits, check_result
from innersr.images.selections import parse_frames
from innersr.inference.normalisation import NormalisedImage
from innersr.inference.steadying import UpscaledFrame, steadied
from innersr.isolation import isolation
from innersr.methods.baselines import Bicubic
from innersr.methods.options import UpscaleOptions, default_output
from innersr.methods.protocols import copies_pixels
from innersr.paths import check_apart
from innersr.physics.kernel_comparison import second_moments
from innersr.pipeline.adaptation import Adaptation, adapt_given, adapt_image
from innersr.pipeline.film_parts import FilmParts, digest_of_values
from innersr.pipeline.result import Result
from innersr.pipeline.tasks import FileTask, ImageTask
from innersr.run import Run


def open_film(source: Path, target: Path | None, options: UpscaleOptions) -> Film | None:
    """The film in a file that is to be upscaled as one; None for pictures, and for one that becomes a picture.

    Raises:
        ImageFileError: the film cannot be read, or the target is no film.
        InputError: PyAV is missing, or the frames are too large.
    """
    named, limit = with_suffix(source, source), options.pixel_limit
    suffix = (target or named).suffix.lower()
    animations = (".gif", ".webp", ".apng")
    film: Film
    if is_video(source):
        if container_of(target or named) is None and suffix not in animations:
            films = ".mp4, .mov, .mkv, .webm, .gif, .webp or .apng"
            raise ImageFileError(f"{target or named}: no name of a film; write {films} (-o)")
        film = open_video(source, limit)
    else:
        becomes_film = suffix in animations or container_of(Path(suffix)) is not None or container_of(target or source)
        is_png = suffix == ".png" and named.suffix.lower() == ".png"
        if not (becomes_film or is_png) or frame_count(source) <= 1:
            return None
        film = Animation(source)
        SizeLimits(pixels=limit).check(str(source), *film.facts.size[::-1], 3)
    return film if options.frames is None else Excerpt(film, parse_frames(options.frames))


@dataclass(frozen=True, kw_only=True)
class FilmSettings:
    """How films are worked on."""

    part: int = 32  # frames between two key frames, and those that a killed run loses at most
    samples: int = 3  # frames of each shot that its degradation is estimated from


@dataclass(frozen=True, kw_only=True, eq=False)
class FilmTask(FileTask):
    """A film that was opened, of which `image` is the first frame, and the path of its result."""

    film: Film
    is_film: ClassVar[bool] = True
    settings: FilmSettings = field(default_factory=FilmSettings)

    def check(self) -> None:
        """Make sure, before hours of work, that the whole film can be read and the result be saved."""
        options = self.options
        check_result(self.source, "a frame", self.hr_size, options.pixel_limit)
        unused = {"depth": options.depth, "range": options.value_range, "nodata": options.nodata}
        given = [f"--{name}" for name, value in unused.items() if value is not None and value != "keep"]
        if given:
            raise InputError(f"{self.source}: {' and '.join(given)} is for pictures; leave it out for a film")
        if options.save_adapted is not None:
            remedy = "save what is learnt from a picture of it, and give that with --adapted"
            raise InputError(f"{self.source}: a film is learnt shot by shot, and keeps none in a file; {remedy}")
        if not self.enlarges:
            raise InputError(f"{self.source}: is as large already as --size {options.size} asks for")
        check_apart(self.target, options.files)
        check_place(self.target, overwrite=options.overwrite)
        self._writer()
        assert self.timeline.times

    @cached_property
    def timeline(self) -> Timeline:
        """The times of all frames, and the shots; reads the whole film."""
        facts = self.film.facts
        return timeline_of(self.film.glimpses(), max(1, round(1 / (facts.rate * facts.time_base))))

    def estimate(self, run: Run, normalised: NormalisedImage | None = None) -> None:  # noqa: ARG002 (as of an image)
        """Nothing: `write` estimates the degradation of each shot."""

    def write(
        self,
        run: Run,
        estimate: Estimate | None = None,  # noqa: ARG002 (as of an image)
        normalised: NormalisedImage | None = None,  # noqa: ARG002
    ) -> Result:
        """Upscale the film into its file, adapted once per shot, or resume a run that was killed."""
        started, writer, times = time.monotonic(), self._writer(), self.timeline.times
        with isolation(), FilmParts.opened(self.target, self._plan(run)) as parts:
            work = _Work(self, run, parts, writer)
            work.finish()
            paths = [parts.path(number) for number in range(len(work.pieces))]
            with written_whole(self.target, overwrite=self.options.overwrite) as partial:
                writer.join(paths, times, partial)
            records = [parts.record(number) or {} for number in range(len(work.pieces))]
        of_frames = [note for record in records for note in record.get("notes", ())]
        is_animation = isinstance(writer, AnimationWriter)
        shown = Animation(self.target) if is_animation else open_video(self.target, self.options.pixel_limit)
        adaptation = work.last or self._bicubic(run)
        return Result(
            image=next(shown.frames([0])),
            degradation=adaptation.degradation,
            seconds=time.monotonic() - started,
            consistency_psnr=_mean_psnr([value for record in records for value in record.get("consistency", ())]),
            method=adaptation.method,
            estimate=adaptation.cause if isinstance(adaptation.cause, Estimate) else None,
            path=self.target,
            notes=tuple(dict.fromkeys((*work.notes, *of_frames, *writer.notes, *self.unused_options()))),
        )

    def normalised_frame(self, frame: Image, run: Run) -> NormalisedImage:
        """A frame as methods see it, of as many channels as all the others."""
        normalised = ImageTask(image=frame, options=self.options).normalised(run)
        if normalised.colours > 1 or self.film.facts.is_grey or self.learns_one_channel:
            return normalised
        grey, others = normalised.channels[:, :1], normalised.channels[:, 1:]
        return replace(normalised, channels=torch.cat([grey.expand(-1, 3, -1, -1), others], 1), colours=3)

    @property
    def is_steadied(self) -> bool:
        """Whether frames are averaged with their neighbours; interpolated ones are what they are."""
        chosen = self.options.chosen_method
        is_learned = not (copies_pixels(chosen) or isinstance(chosen, Bicubic))
        return self.options.steady and (is_learned or self.learnt_before is not None)

    @property
    def learns_one_channel(self) -> bool:
        """Whether what was learnt before (--adapted) is for grey pictures."""
        return self.learnt_before is not None and self.learnt_before.channels == 1

    @property
    def format_name(self) -> str:
        """The name of the format of the result: GIF, WebP or PNG, or that of a video in capitals."""
        suffix = self.target.suffix.lower()
        return {".webp": "WebP", ".apng": "PNG"}.get(suffix, suffix[1:].upper())

    def _writer(self) -> FilmWriter:
        facts, size = self.film.facts, self.hr_size
        facts = replace(facts, has_alpha=facts.has_alpha and self.options.alpha != "drop")
        facts = with_metadata(facts, self.options.metadata)
        if self.format_name in ("GIF", "WebP", "PNG"):
            return AnimationWriter(self.format_name, facts, size, self.options.quality)
        return VideoWriter(
            source=None if facts.codec is None else self.source,
            facts=facts,
            size=size,
            target=self.target,
            quality=self.options.quality,
            keeps_texts=self.options.metadata == "keep",
            is_excerpt=self.options.frames is not None,
        )

    def _plan(self, run: Run) -> str:
        """What the bytes of the parts depend on."""
        options = replace(self.options, overwrite=False, compression=None, pixel_limit=PIXEL_LIMIT)
        place = (run.seed, run.precision, str(run.torch_device), run.tile, torch.get_num_threads())
        parts = (self.settings, self.film.facts, self.hr_size, self.target.suffix)
        return digest_of_values(self.source, options, self.planned, options.files, place, parts, self.timeline)

    def _bicubic(self, run: Run) -> Adaptation:
        """Stands for what was learnt where all parts were made before."""
        return adapt_image(self.normalised_frame(self.image, run), self.planned, Bicubic(phase="aligned"), run)


class _Work:
    """The parts of a film that are not there yet, in their order."""

    def __init__(self, task: FilmTask, run: Run, parts: FilmParts, writer: FilmWriter) -> None:
        self._task, self._run, self._parts, self._writer = task, run, parts, writer
        shots, length = task.timeline.shots, task.settings.part
        self.pieces = [
            (shot, range(start, min(start + length, shot.stop)))
            for shot in shots
            for start in range(shot.start, shot.stop, length)
        ]
        self._missing = [number for number in range(len(self.pieces)) if parts.record(number) is None]
        self.last: Adaptation | None = None
        self.notes: list[str] = []

    def finish(self) -> None:
        """Make what is missing: learn from each shot, and upscale its frames."""
        if not self._missing:
            return
        task = self._task
        shots: list[range] = []
        for number in self._missing:
            shots += [self.pieces[number][0]] if self.pieces[number][0] not in shots[-1:] else []
        samples = task.film.frames(itertools.chain.from_iterable(map(self._samples, shots)))
        results = _Results(task, self._run, [self._with_neighbours(number) for number in self._missing])
        total = sum(len(self.pieces[number][1]) for number in self._missing)
        if len(self._missing) < len(self.pieces):
            there = len(task.timeline.times) - total
            self.notes.append(
                f"{there} of {len(task.timeline.times)} frames were there from a run that was interrupted"
            )
        steps = iter(self._run.steps("frames", total, limited=False))
        for shot, numbers in itertools.groupby(self._missing, key=lambda number: self.pieces[number][0]):
            learnt = list(itertools.islice(samples, len(self._samples(shot))))
            results.adaptation = self.last = self._learn(shot, learnt)
            for number in numbers:
                self._write(number, results, steps)
        next(steps, None)  # reports the end

    def _samples(self, shot: range) -> list[int]:
        """The numbers of frames that a shot is known by."""
        count = min(self._task.settings.samples, len(shot))
        return [shot[(2 * index + 1) * len(shot) // (2 * count)] for index in range(count)]

    def _learn(self, shot: range, images: list[Image]) -> Adaptation:
        task, run = self._task, replace(self._run, started=None).start()
        options = task.options
        normalised = [task.normalised_frame(image, run) for image in images]
        if task.learnt_before is not None:
            return task.learnt_before.with_run(normalised[0].run_for(run))
        tasks = [ImageTask(image=image, options=options) for image in images]
        estimates = [one.estimate(run, each) for one, each in zip(tasks, normalised, strict=True)]
        found = [each for each in estimates if each is not None]
        chosen = len(images) // 2
        cause: Any = options.degradation or task.planned
        if found:
            chosen = _middle(found)
            cause = options.amended(replace(found[chosen], regions=()))
            shots = task.timeline.shots
            place = f"shot {shots.index(shot) + 1} of {len(shots)} (frames {shot.start} to {shot.stop - 1})"
            self.notes.append(f"{place}: {cause.summary}")
        adaptation = adapt_given(normalised[chosen], cause, options, run)
        result = adaptation.apply(normalised[chosen], keep_grain=options.keep_grain)
        if isinstance(result.method, Bicubic) and not isinstance(adaptation.method, Bicubic):
            # Else single frames of the shot would be interpolated, and flicker between sharp ones.
            return adapt_image(
                normalised[chosen], adaptation.cause, result.method, run, is_relative=adaptation.is_relative
            )
        return adaptation

    def _with_neighbours(self, number: int) -> range:
        """The numbers of the frames of a piece, and of those beside it in its shot that it is made steady by."""
        shot, numbers = self.pieces[number]
        return range(max(numbers.start - self._reach, shot.start), min(numbers.stop + self._reach, shot.stop))

    @property
    def _reach(self) -> int:
        """How many frames before and behind another one it is made steady by."""
        return int(self._task.is_steadied)

    def _write(self, number: int, results: _Results, steps: Iterator[int]) -> None:
        numbers, around = self.pieces[number][1], self._with_neighbours(number)
        times = self._task.timeline.times[numbers.start : numbers.stop]
        record: dict[str, Any] = {"consistency": [], "notes": []}

        def upscaled() -> Iterator[Image]:
            for index, _ in zip(numbers, steps, strict=False):
                near = range(max(index - self._reach, around.start), min(index + self._reach + 1, around.stop))
                found = {each: results.take(each) for each in near}
                frame, result = found.pop(index)
                psnr = result.consistency_psnr
                record["consistency"].append(psnr if math.isfinite(psnr) else 200)
                record["notes"] += [note for note in result.notes if note not in record["notes"]]
                others = [UpscaledFrame(other, of_other.image) for other, of_other in found.values()]
                yield steadied(UpscaledFrame(frame, result.image), others) if others else result.image

        with self._parts.written(number, record) as path:
            self._writer.encode(upscaled(), times, path)


class _Results:
    """Frames and their results in ascending order, of which the last three are kept."""

    def __init__(self, task: FilmTask, run: Run, ranges: list[range]) -> None:
        numbers = sorted(set(itertools.chain.from_iterable(ranges)))
        self._task, self._run = task, run
        self._frames = zip(numbers, task.film.frames(numbers), strict=True)
        self._kept: dict[int, tuple[Image, Result]] = {}
        self.adaptation: Adaptation | None = None

    def take(self, number: int) -> tuple[Image, Result]:
        """A frame and its result; none is taken that lies more than two behind another."""
        while number not in self._kept:
            index, frame = next(self._frames)
            assert self.adaptation is not None
            normalised, keeps_grain = self._task.normalised_frame(frame, self._run), self._task.options.keep_grain
            self._kept[index] = frame, self.adaptation.apply(normalised, keep_grain=keeps_grain)
            self._kept = {each: kept for each, kept in self._kept.items() if each > index - 3}  # noqa: PLR2004 (as above)
        return self._kept[number]


def _middle(estimates: list[Estimate]) -> int:
    """The estimate that is nearest to all others; the first of equals from the middle of the shot on."""

    def figures(estimate: Estimate) -> tuple[float, ...]:
        found = estimate.degradation
        variances = (0.0, 0.0) if found.kernel is None else tuple(float(v) for v in second_moments(found.kernel)[:2])
        return (*variances, 255 * found.noise, 2 * found.compression)

    points = torch.tensor([figures(each) for each in estimates])
    distances = torch.cdist(points, points, p=1).sum(1)
    order = sorted(range(len(estimates)), key=lambda index: abs(index - len(estimates) // 2))
    return min(order, key=lambda index: round(float(distances[index]), 3))


def _mean_psnr(values: list[float]) -> float:
    """PSNR of the mean squared error of all frames; 200 stands for equality."""
    if not values or min(values) >= 200:
        return math.inf
    return -10 * math.log10(sum(10 ** (-value / 10) for value in values) / len(values))


def film_task(film: Film, source: Path, target: Path | None, options: UpscaleOptions) -> FilmTask:
    """The task of a film, with its first frame; its result is named where `target` is None."""
    first = next(film.frames([0]), None)
    if first is None:
        for _ in film.glimpses():  # which say how many there are
            pass
        raise ImageFileError(f"{source}: its first frame cannot be read; get the file again")
    target = target or default_output(source, ImageTask(image=first, options=options).scales)
    notes = () if film.facts.codec is None else notes_of_other_container(source, target)
    image = replace(first, notes=(*film.facts.notes, *notes))
    return FilmTask(image=image, options=options, source=source, target=target, film=film)
