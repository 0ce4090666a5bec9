"""Stacks upscaled page by page; the method learns from one page of each channel."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from innersr.blind.estimate import Estimate
from innersr.errors import ImageFileError, InputError, NoDataError
from innersr.images.formats import BIG_TIFF, format_of_name, kept
from innersr.images.georeferencing.geotiff import rescaled_tags
from innersr.images.georeferencing.grid import PixelGrid
from innersr.images.image import Image
from innersr.images.io import read, written_whole
from innersr.images.limits import check_result
from innersr.images.metadata import Metadata
from innersr.images.tiff.descriptions import imagej_description, ome_description, shaped_description
from innersr.images.tiff.stacks import TiffStack
from innersr.images.tiff.writing import check_encoder, page_writer
from innersr.images.values.depths import check_depth, in_depth, used_range, value_change
from innersr.images.values.linear_change import LinearChange
from innersr.images.values.no_data import with_no_data
from innersr.inference.normalisation import NormalisedImage
from innersr.methods.options import DEPTHS, UpscaleOptions
from innersr.pipeline.adaptation import Adaptation
from innersr.pipeline.result import Result
from innersr.pipeline.tasks import FileTask, ImageTask
from innersr.run import Run


@dataclass(frozen=True, kw_only=True, eq=False)
class StackTask(FileTask):
    """A TIFF file of several pages; `image` is the page that its first channel is learnt from."""

    stack: TiffStack
    chosen: tuple[int, ...]
    """The pages that are upscaled, by their place among `stack.directories`."""
    _learnt: dict[tuple[tuple[Any, ...], int], Adaptation] = field(default_factory=dict, init=False, repr=False)
    """By the channel of a page, and the number of bands that methods see."""
    _ranges: dict[tuple[Any, ...], tuple[float, float]] = field(default_factory=dict, init=False, repr=False)
    """By the channel of a page, see `_value_range`."""

    def check(self) -> None:
        """Make sure, before minutes of work, that the result can be saved."""
        super().check()
        check_encoder(self.compression, self.target)
        for size in {self._grown(self.stack.sizes[place]) for place in self.chosen}:
            check_result(self.source, "a page", size, self.options.pixel_limit)
        groups = {self.stack.groups[place] for place in self.chosen}
        if self.options.save_adapted is not None and len(groups) > 1:
            words = f"has {len(groups)} channels, or kinds of pages"
            raise InputError(f"{self.source}: {words}, and --save-adapted keeps what is learnt from one")

    @property
    def compression(self) -> str:
        """Of the pages."""
        return self.options.compression or self.image.layout.compression

    @cached_property
    def keeps_axes(self) -> bool:
        """Whether all pages are written, so that what the description says of their order stays true."""
        return len(self.chosen) == len(self.stack.directories)

    def write(self, run: Run, estimate: Estimate | None = None, normalised: NormalisedImage | None = None) -> Result:
        """Upscale page after page into the file, which appears when all are there."""
        started, first = time.monotonic(), learnt_place(self.stack, self.chosen)
        results: list[Result] = []
        shown: Result | None = None
        stack = self.stack
        with (
            written_whole(self.target, overwrite=self.options.overwrite) as partial,
            partial.open("r+b") as stream,
            page_writer(stream, byteorder=stack.byteorder, is_big=self._is_big) as writer,
        ):
            for number, place in enumerate(self.chosen):
                run.check_cancelled()
                is_first = place == first
                task = self if is_first else self._page_task(place)
                result = self._upscaled(task, place, run, (estimate, normalised) if is_first else (None, None))
                result = self._finished(result, task, number, place)
                metadata, notes = kept(
                    format_of_name(self.target),
                    result.image.metadata,
                    choice=self.options.metadata,
                    bands=result.image.colour.shape[1],
                )
                writer.add(result.image, metadata, own_resolution=self._resolution(self.grid(result)))
                self._forget(place)
                shown = result if is_first else shown
                own = [note for note in task.image.notes if note not in self.image.notes]  # not those of the source
                results.append(replace(result, image=self.image, notes=(*own, *result.notes, *notes)))
        assert shown is not None  # the first page learnt from is one of those that were chosen
        self.save_sidecars(self.grid(shown), self._change(self, first))
        return replace(
            shown,
            path=self.target,
            seconds=time.monotonic() - started,
            consistency_psnr=min(result.consistency_psnr for result in results),
            notes=tuple(dict.fromkeys((*self._notes, *(note for result in results for note in result.notes)))),
        )

    def _page_task(self, place: int) -> ImageTask:
        """The task of a page, with all options except `save_adapted`."""
        image = page_image(self.source, self.stack, place, self.options)
        check_depth(image, self.options.depth_of(image), self.options.value_range, self.source)
        return ImageTask(image=image, options=replace(self.options, save_adapted=None))

    def _upscaled(
        self, task: ImageTask, place: int, run: Run, examined: tuple[Estimate | None, NormalisedImage | None]
    ) -> Result:
        """Upscale a page by what was learnt from the page of its channel, which is learnt from first."""
        image = task.image
        if image.missing is not None and bool(image.missing.all()):
            return replace(task.result_without_data(image), notes=("a page has no data",))
        if not task.enlarges:
            return task.upscale(run)
        estimate, normalised = examined
        normalised = normalised or task.normalised(run)
        key = (self.stack.groups[place], normalised.channels.shape[1])
        if key not in self._learnt:
            self._learnt[key] = self._adapted(key, task, run, estimate, normalised)
        return self._learnt[key].apply(normalised, keep_grain=self.options.keep_grain)

    @cached_property
    def _last_places(self) -> dict[tuple[Any, ...], int]:
        """The place of the last page of each channel."""
        return {self.stack.groups[place]: place for place in self.chosen}

    def _forget(self, place: int) -> None:
        """Drop what was learnt for a channel whose last page is written: a file may have any number of them."""
        group = self.stack.groups[place]
        if self._last_places[group] == place:
            for key in [key for key in self._learnt if key[0] == group]:
                del self._learnt[key]

    def _adapted(
        self,
        key: tuple[tuple[Any, ...], int],
        task: ImageTask,
        run: Run,
        estimate: Estimate | None,
        normalised: NormalisedImage,
    ) -> Adaptation:
        """Learn a channel from its middle page; from this one where the other has another number of channels."""
        places = tuple(place for place in self.chosen if self.stack.groups[place] == key[0])
        middle = learnt_place(self.stack, places)
        run = run if estimate is not None else replace(run, started=None)  # the time limit is that of one page
        run = run.start()
        source: ImageTask = self
        if middle != learnt_place(self.stack, self.chosen):
            source = self._page_task(middle)
        is_blank = source.image.missing is not None and bool(source.image.missing.all())
        if source.image is not task.image and not is_blank:
            other = source.normalised(run)
            if other.channels.shape[1] == normalised.channels.shape[1]:
                return source.adapt(run, normalised=other)
        return task.adapt(run, estimate, normalised)

    def _finished(self, result: Result, task: ImageTask, number: int, place: int) -> Result:
        """The result of a page in the depth of the file, with its tags and its description."""
        grid, is_calibrated = self.grid(result), self.stack.is_calibrated
        depth, ends = self.options.depth_of(task.image), self._value_range(place)
        image, notes = in_depth(result.image, depth, ends, task.image, is_calibrated=is_calibrated)
        metadata = replace(image.metadata, tags=rescaled_tags(image.metadata.tags, grid))
        text = self._description(task, grid, place) if number == 0 or self.stack.shapes else None
        if text is not None:
            metadata = replace(metadata, texts=(("Description", text),))
        if number == 0 and self.keeps_axes:
            changes = {group[2]: self._change(task, last) for group, last in self._last_places.items()}
            metadata = replace(metadata, tags=(*metadata.tags, *self.stack.imagej_tags(changes)))
        layout = replace(image.layout, compression=self.compression, overviews=0)
        image = replace(image, metadata=metadata, layout=layout)
        return replace(result, image=image, notes=(*result.notes, *notes))

    def _change(self, task: ImageTask, place: int) -> LinearChange:
        """That of the values of a page, from a task of one that stores them alike."""
        depth, is_calibrated = self.options.depth_of(task.image), self.stack.is_calibrated
        return value_change(depth, self._value_range(place), task.image, is_calibrated=is_calibrated)

    def _value_range(self, place: int) -> str | tuple[float, float] | None:
        """The range of values of a page that become black to white; "auto" is that of all chosen pages of its channel.

        Those are read for it, one after the other, so that their values stay comparable.
        """
        group = self.stack.groups[place]
        if self.options.value_range != "auto":
            return self.options.value_range
        if group not in self._ranges:
            alike = [other for other in self.chosen if self.stack.groups[other] == group]
            self._ranges[group] = used_range(self._page_task(other).image for other in alike)
        return self._ranges[group]

    def _description(self, task: ImageTask, grid: PixelGrid, place: int) -> str | None:
        """The description of the first page, which is about all pages, or of a later one; None for its own text."""
        stack, size = self.stack, self.stack.sizes[place]
        if stack.kind == "imagej":
            planes = None if self.keeps_axes else len(self.chosen)
            return imagej_description(stack.description, grid, planes=planes, change=self._change(task, place))
        if not self.keeps_axes:
            return None
        if stack.kind == "ome":
            depth = DEPTHS[str(self.options.depth)]
            return ome_description(stack.description, self._grown, self._scales, depth, self.target.name)
        if place in stack.shapes:
            return shaped_description(stack.shapes[place], size, self._grown(size))
        return None

    def _resolution(self, grid: PixelGrid) -> tuple[float, float, int] | None:
        """That of a calibrated file, whose pixels are smaller now; others keep theirs, as pictures do."""
        found = self.stack.resolution
        if found is None or not self.stack.is_calibrated:
            return None
        return found[0] * grid.scales[1], found[1] * grid.scales[0], found[2]

    def _grown(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the result of a page of that size."""
        return self._task_of_size(size).hr_size

    def _scales(self, size: tuple[int, int]) -> tuple[float, float]:
        """(vertical, horizontal) scale of a page of that size, which may be another where the result's is given."""
        return self._task_of_size(size).scales

    def _task_of_size(self, size: tuple[int, int]) -> ImageTask:
        if size == self.lr_size:
            return self
        blank = Image(colour=self.image.colour.new_zeros(1, 1, 1, 1).expand(1, 1, *size))
        return ImageTask(image=blank, options=self.options)

    @property
    def _is_big(self) -> bool:
        samples = self.image.colour.shape[1] + (self.image.alpha is not None)
        pixels = sum(math.prod(self._grown(self.stack.sizes[place])) for place in self.chosen)
        return self.stack.is_big or 4 * samples * pixels > BIG_TIFF  # of four bytes at most

    @property
    def _notes(self) -> Iterator[str]:
        """Sentences about the whole file."""
        yield f"{len(self.chosen)} of {len(self.stack.directories)} pages"
        yield from self.stack.losses
        yield from self.unused_options()
        if self.options.value_range == "auto":
            yield "the range of values is that of all pages of a channel, which stay comparable"
        if self.stack.imagej_values and not self.keeps_axes:
            yield "ImageJ's metadata is not kept: it describes all pages"
        if self.stack.kind == "ome" and not self.keeps_axes:
            yield "the OME-XML is not kept: it describes all pages"
        if not self.keeps_axes and any('"axes"' in text for text in self.stack.shapes.values()):
            yield "the axes are not kept: they are those of all pages"


def learnt_place(stack: TiffStack, places: tuple[int, ...]) -> int:
    """The place of the page that is learnt from: the middle one of those of the first's channel."""
    alike = [place for place in places if stack.groups[place] == stack.groups[places[0]]]
    return alike[len(alike) // 2]


def page_image(source: Path, stack: TiffStack, place: int, options: UpscaleOptions) -> Image:
    """Read a page; one that holds no data at all is all `missing`.

    Raises:
        ImageFileError: see `read`.
    """
    image = read(source, pixel_limit=options.pixel_limit, missing_ok=True, directory=stack.directories[place])
    text = Metadata() if stack.is_calibrated else image.metadata
    # What a plain image would lose is rewritten, or its loss is noted once for the whole file.
    rewritten = ("ImageJ's metadata", "the size and calibration in the description")
    is_rewritten = stack.is_calibrated or stack.shapes
    notes = tuple(note for note in image.notes if not (is_rewritten and note.startswith(rewritten)))
    image = replace(image, metadata=replace(image.metadata, texts=text.texts), notes=notes)
    try:
        return with_no_data(image, options.nodata)
    except NoDataError:
        return replace(image, missing=image.colour.new_ones(image.colour.shape).bool())
    except InputError as error:
        raise ImageFileError(f"{source}: page {place}: {error}") from error
