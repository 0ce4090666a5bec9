"""Image files that are larger than the memory, upscaled part by part, from disk to disk.

What belongs to the whole is found out first: the range of its values, whether it is grey, and, on its most detailed
part, the degradation and what the method learns. The parts lie in strips; they overlap as far as the method looks
around. All is kept in a folder beside the result until that is complete, so that a run can be resumed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from innersr.blind.estimate import Estimate
from innersr.errors import CheckpointError, InputError
from innersr.images.image import Image
from innersr.images.large.large_image import LargeImage, check_free_space
from innersr.images.large.pixel_file import ResultFile
from innersr.images.large.saving import save_large
from innersr.images.samples import samples_of
from innersr.images.values.depths import in_depth
from innersr.images.values.no_data import with_missing_values
from innersr.inference.normalisation import NormalisedImage, WholeImage, normalise
from innersr.isolation import isolated
from innersr.methods.baselines import Bicubic
from innersr.methods.protocols import copies_pixels
from innersr.methods.upscalers.locality import reach_of, shrinking_reach
from innersr.methods.upscalers.module import parts_of
from innersr.methods.upscalers.tailored import TailoredUpscaler, affordable_views
from innersr.physics.resize import Window
from innersr.pipeline.adaptation import Adaptation, adapt_image
from innersr.pipeline.adapted_files import check_keepable, load_adaptation, save_adaptation
from innersr.pipeline.result import Result
from innersr.pipeline.strip_folder import StripFolder
from innersr.pipeline.tasks import FileTask
from innersr.run import Run


@dataclass(frozen=True, kw_only=True)
class StripSettings:
    """Sizes of the parts of a large image, in LR pixels."""

    side: int = 2048  # of a part with what it overlaps; at x2 its tensors take about a gigabyte
    sample: int = 1024  # side of the part that is examined and learnt from
    candidates: int = 4  # of such parts along each axis, of which the most detailed is taken
    solved_overlap: int = 64  # where a method solves for the whole: joins then differ by less than an 8-bit level


@dataclass(frozen=True, kw_only=True, eq=False)
class StripTask(FileTask):
    """A large image file; `image` is the part of it that is examined, learnt from, and judged."""

    large: LargeImage
    whole: WholeImage
    folder: StripFolder
    settings: StripSettings

    @property
    def lr_size(self) -> tuple[int, int]:
        """(height, width) of the whole image."""
        return self.large.size

    def check(self) -> None:
        """Make sure, before hours of work, that the result can be saved."""
        try:
            super().check()
            check_keepable(self.method)
            periods_of(self.planned.scales)
            unpacked = self._pixels().byte_count
            check_free_space(self.folder.path, unpacked + unpacked * 4 // 3)  # and its smaller copies, at most
        except BaseException:
            self.folder.remove_unused()
            raise

    def normalised(self, run: Run) -> NormalisedImage:
        """The part that is learnt from, as its method sees it."""
        return self._normalised_part(self.image, run)

    def estimate(self, run: Run, normalised: NormalisedImage | None = None) -> Estimate | None:
        """The estimated degradation of the part that is learnt from; None where it was given."""
        found = super().estimate(run, normalised)
        return None if found is None else replace(found, regions=())

    @isolated
    def write(self, run: Run, estimate: Estimate | None = None, normalised: NormalisedImage | None = None) -> Result:
        """Upscale the parts that are not done yet, and write the file; the image of the result is that of `image`."""
        started, run = time.monotonic(), run.start()
        with self.folder.opened(self._plan(run)):
            normalised = normalised or self.normalised(run)
            adaptation, sample = self._learnt(run, estimate, normalised)
            pixels, notes = self._upscaled(adaptation, run)
            sample = replace(sample, notes=(*sample.notes, *notes))
            saved = self.save_by(partial(save_large, pixels, has_holes=self.whole.missing_share > 0), sample)
            agreement = self.folder.agreement()
            if self.options.save_adapted is not None:  # at the end, or it would be in the way of a run that goes on
                save_adaptation(load_adaptation(self._learnt_file, run), self.options.save_adapted)
        self.folder.remove()
        return replace(saved, seconds=time.monotonic() - started, consistency_psnr=agreement)

    def _normalised_part(self, part: Image, run: Run) -> NormalisedImage:
        is_exact, options = copies_pixels(self.method), self.options
        return normalise(part, run, options.alpha, is_exact=is_exact, whole=self.whole)

    def _plan(self, run: Run) -> dict[str, Any]:
        """What the bytes of the result depend on beside the source."""
        tile, device = run.tile, str(run.torch_device)
        return {"seed": run.seed, "dtype": str(run.dtype), "device": device, "tile": tile, "side": self.settings.side}

    @property
    def _learnt_file(self) -> Path:
        """What was learnt, kept for a run that goes on."""
        return self.folder.path / "learnt.safetensors"

    def _learnt(self, run: Run, estimate: Estimate | None, normalised: NormalisedImage) -> tuple[Adaptation, Result]:
        """What was learnt from the sample, now or before the run was ended, and the result of the sample."""
        path, grain = self._learnt_file, self.options.keep_grain
        try:
            adaptation = load_adaptation(path, normalised.run_for(run))
        except CheckpointError:  # nothing is there, or it is damaged
            self.folder.begin_anew()
            learner = replace(self, options=replace(self.options, save_adapted=None))
            save_adaptation(learner.adapt(run, estimate, normalised), path)
            adaptation = load_adaptation(path, normalised.run_for(run))
        for part in parts_of(adaptation.upscaler):
            if isinstance(part, TailoredUpscaler):
                part.views = part.views or affordable_views(math.prod(self.lr_size), part.run)
        sample = adaptation.apply(normalised, keep_grain=grain)
        if isinstance(sample.method, Bicubic) and not isinstance(adaptation.method, Bicubic):
            adaptation = adapt_image(
                normalised, adaptation.cause, Bicubic(phase="aligned"), run, is_relative=adaptation.is_relative
            )
            adaptation = replace(adaptation, notes=sample.notes[-1:])  # why the result cannot be trusted
            sample = adaptation.apply(normalised, keep_grain=grain)
        return adaptation, sample

    def _upscaled(self, adaptation: Adaptation, run: Run) -> tuple[ResultFile, tuple[str, ...]]:
        """The samples of the result, and notes about its parts."""
        reach, notes = reach_of(adaptation.upscaler), []
        if reach is None:
            notes.append(f"solved part by part, with an overlap of {self.settings.solved_overlap} pixels")
        overlap = (reach or self.settings.solved_overlap) + self._further_reach(adaptation)
        side = max(self.settings.side, 4 * overlap)
        windows = [*parts(self.lr_size, side, overlap, periods_of(self.planned.scales))]
        pixels = self._pixels()
        done = self.folder.done() if pixels.is_there else set()
        if not done:
            self.folder.begin_parts()
            pixels.create()
        quiet = adaptation.with_run(replace(adaptation.upscaler.run, report=None))
        for number in run.steps("upscale in strips", len(windows), limited=False):
            if number not in done:
                inner, outer = windows[number]
                result = self._upscaled_part(quiet, outer, run)
                samples, top, left = self._samples(result.image, inner, outer)
                pixels.write(samples, top, left)
                self.folder.note(number, samples.shape[0] * samples.shape[1], result.consistency_psnr)
        return pixels, tuple(notes)

    def _upscaled_part(self, adaptation: Adaptation, window: Window, run: Run) -> Result:
        """The result of a part of the image."""
        part = with_missing_values(self.large.part(window), self.whole.no_data, has_fills=self.whole.has_fills)
        if part.missing is not None and bool(part.missing.all()):
            return self.result_without_data(part)
        return adaptation.apply(self._normalised_part(part, run), keep_grain=self.options.keep_grain, is_trusted=True)

    def _further_reach(self, adaptation: Adaptation) -> int:
        """LR pixels that alpha, no data and grain look further around."""
        is_filled = self.whole.missing_share > 0 or (self.image.alpha is not None and self.whole.continues_colours)
        continued = 24 + 3 if is_filled else 0  # see `fill_unknown`
        return continued + (shrinking_reach(adaptation.degradation) + 3 if self.options.keep_grain else 1)

    def _pixels(self) -> ResultFile:
        """The file of the result's samples."""
        rows, columns = self.hr_size
        has_alpha = self.image.alpha is not None and self.options.alpha != "drop"
        return ResultFile(
            path=self.folder.path / "result.tif",
            height=rows,
            width=columns,
            bands=self.image.colour.shape[1] + has_alpha,
            dtype=self.options.depth_of(self.image),
        )

    def _samples(self, result: Image, inner: Window, outer: Window) -> tuple[Any, int, int]:
        """The samples of a part without its overlap, and where they begin in the result."""
        vertical, horizontal = self.planned.scales
        top, left = round(vertical * (inner.top - outer.top)), round(horizontal * (inner.left - outer.left))
        first, start = round(vertical * inner.top), round(horizontal * inner.left)
        rows, columns = self.hr_size
        height = (rows if inner.bottom == self.lr_size[0] else round(vertical * inner.bottom)) - first
        width = (columns if inner.right == self.lr_size[1] else round(horizontal * inner.right)) - start
        cut = slice(top, top + height), slice(left, left + width)
        alpha = None if result.alpha is None else result.alpha[..., cut[0], cut[1]]
        missing = None if result.missing is None else result.missing[..., cut[0], cut[1]]
        part = replace(result, colour=result.colour[..., cut[0], cut[1]], alpha=alpha, missing=missing)
        scaled, _ = in_depth(part, self.options.depth_of(self.image), self.options.value_range, self.image)
        return samples_of(scaled), first, start


def periods_of(scales: tuple[float, float]) -> tuple[int, int]:
    """LR pixels after which LR and HR pixels have the same relative places again, (vertical, horizontal).

    Raises:
        InputError: there is no such number below 65.
    """
    found = []
    for scale in scales:
        periods = range(1, 65)
        period = next((p for p in periods if abs(p * scale - round(p * scale)) < 1e-9 * p), None)  # rounding
        if period is None:
            remedy = "use one such as 1.5 or 1.25, or upscale at once (--strips never)"
            raise InputError(f"strips do not join at a scale of {scale:g}; {remedy}")
        found.append(period)
    return found[0], found[1]


def parts(size: tuple[int, int], side: int, overlap: int, periods: tuple[int, int]) -> Iterator[tuple[Window, Window]]:
    """Yield parts of an image of a size, strip by strip, each without and with what it overlaps.

    Args:
        size: (height, width).
        side: of a part with its overlap; the last ones may be smaller.
        overlap: least, on each side.
        periods: of which the places where parts begin are multiples.
    """
    spans = [[*_spans(*each)] for each in zip(size, (side, side), (overlap, overlap), periods, strict=True)]
    for (top, bottom), (upper, lower) in spans[0]:
        for (left, right), (outer_left, outer_right) in spans[1]:
            yield Window(top, left, bottom, right), Window(upper, outer_left, lower, outer_right)


def _spans(length: int, side: int, overlap: int, period: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield parts of an axis, without and with their overlaps."""
    margin = -(-overlap // period) * period
    step = max(period, (side - 2 * margin) // period * period)
    for start in range(0, length, step):
        end = min(start + step, length)
        yield (start, end), (max(0, start - margin), min(length, end + margin))
