"""One image upscaled, from file to file or in memory: examine, adapt, upscale, save."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from innersr.blind.estimate import Estimate
from innersr.errors import InputError
from innersr.examination import examine_normalised
from innersr.images.conversions import image_from
from innersr.images.depths import check_depth, in_depth
from innersr.images.graphics import graphic_notes
from innersr.images.image import Image
from innersr.images.io import PIXEL_LIMIT, check_writable, read, save
from innersr.images.no_data import with_no_data
from innersr.inference.judgement import consistency, reason_for_doubt
from innersr.inference.normalisation import NormalisedImage, normalise, with_grain
from innersr.isolation import isolated, isolation
from innersr.methods.baselines import Bicubic
from innersr.methods.mixture import adapt_to
from innersr.methods.options import UpscaleOptions, default_output
from innersr.methods.protocols import Method, copies_pixels
from innersr.methods.registry import resolve
from innersr.physics.degradation import Degradation
from innersr.physics.noise.counting import CountingNoise
from innersr.physics.resize import Scale, image_size
from innersr.run import Run


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """An upscaled image and how it came about."""

    image: Image
    degradation: Degradation
    """As it was given or estimated."""
    seconds: float = 0.0
    consistency_psnr: float = math.inf
    """dB between the result shrunk again and the input, as methods see them."""
    method: Method
    """As it was applied, with the greatest number of steps of Tailor; Bicubic where its result could not be trusted."""
    estimate: Estimate | None = None
    """None where the degradation was given."""
    path: Path | None = None
    """The file that `upscale_file` wrote."""
    notes: tuple[str, ...] = ()
    """Sentences about the result, such as what the format of that file did not keep."""


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
    def planned(self) -> Degradation:
        """The degradation on this image's grid; at `options.scale` where nothing is enlarged."""
        scale = self.options.scale_for(self.lr_size) if self.enlarges else self.options.scale
        return self.options.planned(scale).fitted(self.lr_size)

    @property
    def enlarges(self) -> bool:
        """False where a size with "<" leaves the image as it is."""
        return self.options.size is None or self.options.scale_for(self.lr_size) != (1, 1)

    @property
    def scales(self) -> tuple[float, float]:
        """(vertical, horizontal) scale of the result."""
        return self.planned.scales if self.enlarges else (1.0, 1.0)

    @property
    def hr_size(self) -> tuple[int, int]:
        """(height, width) of the result."""
        return self.planned.hr_size(self.lr_size) if self.enlarges else self.lr_size

    def normalised(self, run: Run) -> NormalisedImage:
        """The image as its method sees it, for `estimate` and `upscale`, which else make their own."""
        is_exact, options = copies_pixels(self.options.chosen_method), self.options
        return normalise(self.image, run, options.alpha, self.planned.wraps, is_exact=is_exact)

    def estimate(self, run: Run, seen: NormalisedImage | None = None) -> Estimate | None:
        """The estimated degradation; None where it was given, or the method uses none."""
        method = self.options.chosen_method
        uses_none = not self.enlarges or copies_pixels(method) or isinstance(method, Bicubic)
        if uses_none or not self.options.is_blind:
            return None
        found = examine_normalised(seen or self.normalised(run), self.options.scale_for(self.lr_size), run)
        return self.options.weighed(found)

    def upscale(self, run: Run, estimate: Estimate | None = None, seen: NormalisedImage | None = None) -> Result:
        """Upscale the image, with the results of `estimate` and `normalised` if they were called before."""
        run, options = run.start(), self.options
        if not self.enlarges:
            note = f"is as large already as --size {options.size} asks for, and stays as it is"
            return Result(image=self.image, degradation=self.planned, method=options.chosen_method, notes=(note,))
        seen = seen or self.normalised(run)
        estimate = estimate or self.estimate(run, seen)
        given = options.degradation or self.planned if estimate is None else options.amended(estimate)
        choices: dict[str, Any] = {"alpha": options.alpha, "keep_grain": options.keep_grain, "seen": seen}
        result = upscale_image(self.image, given, options.chosen_method, run, **choices)
        return result if estimate is None else replace(result, estimate=estimate)


@dataclass(frozen=True, kw_only=True, eq=False)
class FileTask(ImageTask):
    """An image file that was read, and the path of its result."""

    source: Path
    target: Path

    def check(self) -> None:
        """Make sure, before minutes of work, that the result can be saved."""
        (rows, columns), options = self.hr_size, self.options
        if rows * columns > options.pixel_limit:
            words = f"the result would have {rows * columns} pixels; raise pixel_limit (--pixel-limit) to allow it"
            raise InputError(f"{self.source}: {words}")
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

    def save(self, result: Result) -> Result:
        """Write the result; return it with its path and notes."""
        options, depth = self.options, self.options.depth_of(self.image)
        image, more = in_depth(result.image, depth, options.value_range, self.image)
        notes = save(
            image, self.target, overwrite=options.overwrite, quality=options.quality, metadata=options.metadata
        )
        return replace(result, image=image, path=self.target, notes=(*result.notes, *more, *notes))


def upscale(  # noqa: PLR0913 (all that one image may need, with one name each)
    x: Any,  # noqa: ANN401 (returns the type that it is given)
    scale: Scale = 2,
    *,
    method: Method | str = "tailor",
    degradation: Degradation | Estimate | None = None,
    run: Run | None = None,
    alpha: str = "auto",
    keep_grain: bool = False,
    output: str | Path | None = None,
    size: str | None = None,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    kernel: str | Path | Tensor = "auto",
    anchor: str = "aligned",
    noise: float | str | CountingNoise | None = None,
    jpeg: int | None = None,
    nodata: float | None = None,
    deblur: float = 0.5,
    wrap: str = "",
    depth: str | int = "keep",
    value_range: str | tuple[float, float] | None = None,
    metadata: str = "keep",
    quality: int | None = None,
    pixel_limit: int = PIXEL_LIMIT,
    overwrite: bool = False,
) -> Any:  # noqa: ANN401
    """Upscale one image by what can be learned from itself; return the type that was given.

    Args:
        x: a path (the result is written beside it, or to `output`, and its path returned), a PIL image, a
            uint8, uint16 or floating array of (H, W) or (H, W, C), or a (C, H, W) or (1, C, H, W) tensor.
        scale: above 1, any real number, or (vertical, horizontal).
        method: `Tailor(steps=200)`, or the name of a method.
        degradation: of the image, in place of `kernel`, `anchor`, `noise`, `jpeg` and `wrap`; its scale replaces
            `scale`. `Degradation(scale=2)` is MATLAB's bicubic without noise.
        run: device, precision, seed, time limit, progress; `Run()` when None.
        alpha: of files and PIL images; see `upscale_image`.
        keep_grain: put the image's own grain, which is removed with its noise, back into the result.
        output: for a path only: the file to write.
        size: in place of `scale`: an ImageMagick geometry such as "1920x", "x1080" or "150%".
        preset: of a method by name: "draft", "balanced", "best".
        settings: of a method by name, such as {"steps": 500}.
        kernel: "auto" estimates blur, noise and compression from the image, and stays on the safe side; "estimate"
            relies on what was found; "bicubic", "gaussian:1.5", a kernel file or a tensor.
        anchor: position of a given kernel: "aligned" or "centre".
        noise: standard deviation in 8-bit levels, or "poisson:GAIN" or "poisson:GAIN:READ" for counting noise; None
            for the estimate, and for 0 with a given kernel.
        jpeg: quality, 1 to 100, that the image was saved with; None for the estimate, and for no compression with a
            given kernel.
        nodata: the value, as it is stored, that means no data, which is kept and spreads nowhere; None for a TIFF's
            own. NaN, infinity, fill values such as 1e20 and what a masked array masks are no data in any case.
        deblur: how much of a blur that "auto" finds is removed, from 0 to 1: 0 none, 0.5 what is safe, 1 all.
        wrap: "x", "y" or "xy" for a seamless texture.
        depth: of the file: "keep", 8, 16 or "float".
        value_range: (low, high), or "low,high": the values, as they are stored, that become black and white of an
            8-bit or 16-bit file; "auto" for the least and the greatest. What lies beyond is clipped.
        metadata: of the file: "keep", "icc" or "none".
        quality: of JPEG, WebP and AVIF files, 1 to 100; None for 95, and lossless where a WebP or AVIF was.
        pixel_limit: files, and their results, of more pixels are refused.
        overwrite: whether an existing file is replaced.

    Raises:
        InputError: an argument is wrong, or the image is too small to learn from.
        ImageFileError: a file cannot be read or written.
    """
    options = UpscaleOptions(
        scale=scale,
        size=size,
        method=method,
        preset=preset,
        settings=settings or {},
        kernel=kernel,
        anchor=anchor,
        noise=noise,
        jpeg=jpeg,
        nodata=nodata,
        deblur=deblur,
        degradation=degradation,
        keep_grain=keep_grain,
        wrap=wrap,
        alpha=alpha,
        depth=depth,
        value_range=value_range,
        metadata=metadata,
        quality=quality,
        pixel_limit=pixel_limit,
        overwrite=overwrite,
    )
    if isinstance(x, str | Path):
        return type(x)(upscale_file(x, output, options, run).path)  # type: ignore[arg-type]
    if output is not None:
        raise InputError("output is for paths; the result of an image in memory is returned")
    if str(depth) != "keep" or value_range is not None:
        raise InputError("depth and value_range are for paths; a result in memory has the type that was given")
    with isolation():
        image, restore = image_from(x)
        return restore(ImageTask(image=with_no_data(image, nodata), options=options).upscale(run or Run()).image)


@isolated
def upscale_file(
    path: str | Path, output: str | Path | None = None, options: UpscaleOptions | None = None, run: Run | None = None
) -> Result:
    """Upscale one image file, and write the result beside it or to `output`; errors are those of `upscale`."""
    task = open_file(Path(path), None if output is None else Path(output), options or UpscaleOptions())
    task.check()
    return task.save(task.upscale(run or Run()))


def open_file(source: Path, output: Path | None, options: UpscaleOptions) -> FileTask:
    """Read an image file, and name its result where `output` is None."""
    image = with_no_data(read(source, pixel_limit=options.pixel_limit, missing_ok=True), options.nodata)
    target = output or default_output(source, ImageTask(image=image, options=options).scales)
    return FileTask(image=image, options=options, source=source, target=target)


def upscale_image(  # noqa: PLR0913 (an image and what was found out about it, a method and its choices)
    image: Image,
    degradation: Degradation | Estimate | None,
    method: Method,
    run: Run,
    *,
    scale: Scale = 2,
    alpha: str = "auto",
    keep_grain: bool = False,
    seen: NormalisedImage | None = None,
) -> Result:
    """Upscale an image of any depth and number of channels, with its alpha.

    Args:
        image: in its own values.
        degradation: of the image, the noise in the image's own values; or an estimate, see `examine_image`,
            which is made when None. Along axes that wrap its scale becomes the nearest that gives whole pixels.
        method: with its settings.
        run: device, seed, time limit.
        scale: at which the degradation is estimated.
        alpha: "auto" continues the visible colours under transparency, so that hidden ones do not bleed in, and
            upscales alpha on its own; "same" treats alpha as one more channel of data; "drop" leaves it out.
        keep_grain: where the degradation has noise, put the image's own grain back into the result, as it is.
        seen: the image normalised, if that was done before.

    Raises:
        InputError: an unknown `alpha`, an image without any data, or the method refuses the image.
    """
    started, run = time.monotonic(), run.start()
    with isolation():
        is_exact = copies_pixels(method)
        wraps = (False, False) if degradation is None else degradation.wraps
        seen = seen or normalise(image, run, alpha, wraps, is_exact=is_exact)
        if degradation is None and is_exact:
            degradation = Degradation(scale=scale)
        cause = examine_normalised(seen, scale, run) if degradation is None else degradation
        fitted = cause.fitted(seen.size)
        given = fitted if isinstance(fitted, Estimate) else seen.seen(fitted)
        degraded = replace(given.given, noise=given.greatest_noise) if isinstance(given, Estimate) else given
        method = resolve(method, is_estimated=isinstance(given, Estimate))
        upscaler = adapt_to(method, seen.channels, given, run)
        sr = upscaler(seen.channels)
        if keep_grain and degraded.noise > 0:
            sr = with_grain(sr, seen.channels, degraded)
        notes = seen.notes + (graphic_notes(image) if isinstance(given, Estimate) else ())
        agreement = consistency(sr, seen.channels, degraded)
        if not is_exact:
            interpolated = degraded.upsample(seen.channels).clamp_(0, 1)
            doubt = reason_for_doubt(sr, interpolated, seen.channels, degraded, agreement)
            if doubt is not None:
                notes += (f"the result was not to be trusted ({doubt}); the image is interpolated instead",)
                method = Bicubic(phase="aligned")
                sr, upscaler = interpolated, method.adapt(seen.channels, degraded, run)
                agreement = consistency(sr, seen.channels, degraded)
        upscaled = seen.restored(sr, upscaler, degraded)
    return Result(
        image=upscaled,
        notes=notes,
        degradation=fitted.given if isinstance(fitted, Estimate) else fitted,
        seconds=time.monotonic() - started,
        consistency_psnr=agreement,
        method=method,
        estimate=cause if isinstance(cause, Estimate) else None,
    )
