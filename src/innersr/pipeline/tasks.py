"""Images to be upscaled, in memory and in files, with their options."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from innersr.blind.estimate import Estimate
from innersr.examination import examine_normalised
from innersr.images.films.encoders import container_of
from innersr.images.formats import BY_SUFFIX, format_of_name
from innersr.images.georeferencing.geotiff import rescaled_tags
from innersr.images.georeferencing.grid import PixelGrid
from innersr.images.georeferencing.sidecars import sidecars
from innersr.images.image import Image
from innersr.images.io import check_place, check_writable, save, written_whole
from innersr.images.limits import check_result
from innersr.images.values.depths import check_depth, in_depth, value_change
from innersr.images.values.linear_change import LinearChange
from innersr.inference.normalisation import NormalisedImage, enlarged_no_data, normalise
from innersr.isolation import isolation
from innersr.methods.baselines import Bicubic
from innersr.methods.options import UpscaleOptions, check_growth
from innersr.methods.protocols import Method, copies_pixels, unused_by
from innersr.methods.registry import name_of
from innersr.paths import check_apart
from innersr.physics.degradation import Degradation
from innersr.physics.resize import image_size
from innersr.pipeline.adaptation import Adaptation, adapt_given
from innersr.pipeline.adapted_files import check_keepable, load_fitting, save_adaptation
from innersr.pipeline.masks import DetailMask, read_detail_mask
from innersr.pipeline.result import Result
from innersr.pipeline.strip_folder import StripFolder
from innersr.run import Run


def unused_by_format(target: Path) -> tuple[str, ...]:
    """Names of the options that make no difference to a file of this name."""
    image = BY_SUFFIX.get(target.suffix.lower())
    has_quality = container_of(target) is not None if image is None else image.name in ("JPEG", "WebP", "AVIF")
    is_compressed = image is not None and image.name == "TIFF"
    return ("quality",) * (not has_quality) + ("compression",) * (not is_compressed)


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageTask:
    """An image in memory and how it is to be upscaled."""

    image: Image
    options: UpscaleOptions

    @property
    def lr_size(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return image_size(self.image.colour)

    @cached_property
    def learnt_before(self) -> Adaptation | None:
        """What was learnt from another image, on the CPU; None without `options.adapted`.

        Raises:
            CheckpointError: the file cannot be read.
            InputError: it is for another scale or method.
        """
        if self.options.adapted is None:
            return None
        return load_fitting(self.options.adapted, self.options)

    @cached_property
    def mask(self) -> DetailMask | None:
        """Where the image is interpolated only; None without `options.mask`, or where nothing is enlarged.

        Raises:
            ImageFileError: the file cannot be read, or has another shape.
        """
        if self.options.mask is None or not self.enlarges:
            return None
        path, limit = Path(self.options.mask), self.options.pixel_limit
        return read_detail_mask(path, self.lr_size, self.hr_size, self.planned.wraps, pixel_limit=limit)

    @property
    def method(self) -> Method:
        """The method, with its settings."""
        return self.options.chosen_method if self.learnt_before is None else self.learnt_before.method

    @cached_property
    def planned(self) -> Degradation:
        """The degradation on this image's grid; at `options.scale` where nothing is enlarged.

        Raises:
            InputError: the scale adds no pixel to this image.
        """
        if self.learnt_before is not None:
            planned = self.learnt_before.degradation.fitted(self.lr_size)
        else:
            scale = self.options.scale_for(self.lr_size) if self.enlarges else self.options.scale
            planned = self.options.planned(scale).fitted(self.lr_size)
        if self.enlarges:
            check_growth(planned, self.lr_size)
        return planned

    @property
    def enlarges(self) -> bool:
        """False where a size with "<" leaves the image as it is."""
        return not self.options.leaves(self.lr_size)

    @property
    def scales(self) -> tuple[float, float]:
        """(vertical, horizontal) scale of the result."""
        return self.planned.scales if self.enlarges else (1.0, 1.0)

    @property
    def hr_size(self) -> tuple[int, int]:
        """(height, width) of the result."""
        return self.planned.hr_size(self.lr_size) if self.enlarges else self.lr_size

    def result_without_data(self, image: Image) -> Result:
        """The result of an image, this one or a part or page of it, all of whose values are no data."""
        own = image_size(image.colour)
        size = self.planned.hr_size(own) if self.enlarges else own
        blank = enlarged_no_data(image, self.planned, size, self.options.alpha)
        return Result(image=blank, degradation=self.planned, method=self.method)

    def grid(self, result: Result) -> PixelGrid:
        """Where the pixels of the result lie in the image; an estimated blur moves nothing."""
        if not self.enlarges:
            return PixelGrid()
        cause = self.planned if result.estimate is None else Degradation(scale=self.scales)
        return PixelGrid.of_centres(self.scales, cause.offsets)

    def placed(self, image: Image, result: Result) -> Image:
        """An image of a result, with the georeferencing tags of its own grid."""
        tags = rescaled_tags(image.metadata.tags, self.grid(result))
        return replace(image, metadata=replace(image.metadata, tags=tags).stretched(*self.scales))

    def normalised(self, run: Run) -> NormalisedImage:
        """The image as its method sees it; the methods below take it and the estimate where they were made before."""
        is_exact, options = copies_pixels(self.method), self.options
        return normalise(self.image, run, options.alpha, self.planned.wraps, is_exact=is_exact)

    def estimate(self, run: Run, normalised: NormalisedImage | None = None) -> Estimate | None:
        """The estimated degradation; None where it was given, or the method uses none."""
        method = self.method
        uses_none = copies_pixels(method) or isinstance(method, Bicubic) or self.learnt_before is not None
        if uses_none or not (self.enlarges and self.options.is_blind):
            return None
        scale, is_believed = self.options.scale_for(self.lr_size), self.options.kernel == "estimate"
        found = examine_normalised(normalised or self.normalised(run), scale, run, is_thorough=is_believed)
        estimate = self.options.weighed(found)
        return estimate if self.options.save_adapted is None else replace(estimate, regions=())

    def adapt(
        self, run: Run, estimate: Estimate | None = None, normalised: NormalisedImage | None = None
    ) -> Adaptation:
        """Learn from the image, or take what was learnt from another; save it in `options.save_adapted`."""
        options, normalised = self.options, normalised or self.normalised(run)
        if self.learnt_before is not None:
            return self.learnt_before.with_run(normalised.run_for(run))
        estimate = estimate or self.estimate(run, normalised)
        cause = options.degradation or self.planned if estimate is None else options.amended(estimate)
        adaptation = adapt_given(normalised, cause, options, run)
        if options.save_adapted is not None:
            save_adaptation(adaptation, options.save_adapted)
        return adaptation

    def upscale(self, run: Run, estimate: Estimate | None = None, normalised: NormalisedImage | None = None) -> Result:
        """Upscale the image."""
        started, run, options = time.monotonic(), run.start(), self.options
        if not self.enlarges:
            note = f"is as large already as --size {options.size} asks for, and stays as it is"
            return Result(image=self.image, degradation=self.planned, method=options.chosen_method, notes=(note,))
        self.check_adaptation_files()
        normalised = normalised or self.normalised(run)
        estimate = estimate or self.estimate(run, normalised)
        with isolation():
            adaptation = self.adapt(run, estimate, normalised)
            result = adaptation.apply(normalised, keep_grain=options.keep_grain, mask=self.mask)
        return replace(result, seconds=time.monotonic() - started, estimate=estimate or result.estimate)

    def check_adaptation_files(self) -> None:
        """Make sure, before learning, that `options.adapted` can be read, and `options.save_adapted` written."""
        if self.learnt_before is None and self.options.save_adapted is not None:
            check_keepable(self.options.chosen_method)
            check_apart(Path(self.options.save_adapted), self.options.files)
            check_place(Path(self.options.save_adapted), overwrite=self.options.overwrite)


@dataclass(frozen=True, kw_only=True, eq=False)
class FileTask(ImageTask):
    """An image file that was read, and the path of its result."""

    source: Path
    target: Path
    is_film: ClassVar[bool] = False

    def check(self) -> None:
        """Make sure, before minutes of work, that the result can be saved."""
        (rows, columns), options = self.hr_size, self.options
        check_apart(self.target, options.files)
        self.check_adaptation_files()
        check_result(self.source, "the result", (rows, columns), options.pixel_limit)
        _ = self.mask  # is read
        check_depth(self.image, options.depth_of(self.image), options.value_range, self.source)
        check_writable(
            self.target,
            depth=options.depth_of(self.image),
            bands=self.image.colour.shape[1],
            has_alpha=self.image.alpha is not None and options.alpha != "drop",
            overwrite=options.overwrite,
            size=(columns, rows),
            has_options=True,
        )
        for sidecar in sidecars(self.source, self.target):
            check_place(sidecar.target, overwrite=options.overwrite)
            sidecar.content(PixelGrid())

    def write(self, run: Run, estimate: Estimate | None = None, normalised: NormalisedImage | None = None) -> Result:
        """Upscale the image into its file, see `upscale` and `save`."""
        return self.save(self.upscale(run, estimate, normalised))

    def save(self, result: Result) -> Result:
        """Write the result; return it with its path and notes."""
        return self.save_by(save, result)

    def save_by(self, write: Callable[..., Sequence[str]], result: Result) -> Result:
        """Write the result by a function such as `save`, and its sidecars; return it with its path and notes."""
        options, depth = self.options, self.options.depth_of(self.image)
        image, more = in_depth(result.image, depth, options.value_range, self.image)
        notes = write(
            self.placed(image, result),
            self.target,
            overwrite=options.overwrite,
            quality=options.quality,
            metadata=options.metadata,
            compression=options.compression,
        )
        self.save_sidecars(self.grid(result), value_change(depth, options.value_range, self.image))
        StripFolder.remove_beside(self.target)
        notes = (*result.notes, *more, *notes, *self.unused_options())
        return replace(result, image=image, path=self.target, notes=notes)

    @property
    def format_name(self) -> str:
        """The name of the format of the result."""
        return format_of_name(self.target).name

    def unused_options(self) -> Iterator[str]:
        """Sentences about options that the method, or the format of the result, has no use for."""
        options = self.options
        given = {
            "kernel": options.anchor == "aligned" and str(options.kernel) not in ("auto", "bicubic"),
            "noise": options.noise is not None and not options.keep_grain,  # of the grain that is put back
            "jpeg": options.jpeg is not None,
            "deblur": options.deblur != 0.5,  # noqa: PLR2004 (the default)
            "keep_grain": options.keep_grain and options.noise is None,
        }
        for option in filter(given.get, unused_by(self.method)):
            yield f"{option} (--{option.replace('_', '-')}) has no effect with {name_of(self.method)}"
        for option in unused_by_format(self.target):
            if getattr(options, option) is not None:
                yield f"{option} (--{option}) has no effect on {self.format_name} files"
        if not (self.options.steady or self.is_film):
            yield "steady (--no-steady) has no effect on pictures"

    def save_sidecars(self, grid: PixelGrid, change: LinearChange) -> None:
        """Write the files beside the source that say where it lies, for the result and the change of its values."""
        for sidecar in sidecars(self.source, self.target):
            with written_whole(sidecar.target, overwrite=self.options.overwrite) as partial:
                partial.write_bytes(sidecar.content(grid, change))
