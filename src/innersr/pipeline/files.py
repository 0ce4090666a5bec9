"""The journey of one image from file to file, or in memory: `upscale` and what the commands share with it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from innersr.blind.estimate import Estimate
from innersr.errors import ImageFileError, InputError
from innersr.images.conversions import image_from
from innersr.images.formats import BY_NAME, format_of_name, notes_of_change, sniff
from innersr.images.io import read, with_suffix
from innersr.images.limits import PIXEL_LIMIT
from innersr.images.opening import opened
from innersr.images.selections import parse_pages
from innersr.images.values.centring import centred
from innersr.images.values.no_data import with_no_data
from innersr.isolation import isolated, isolation
from innersr.methods.options import UpscaleOptions, default_output
from innersr.methods.protocols import Method, copies_pixels
from innersr.physics.degradation import Degradation
from innersr.physics.noise.counting import CountingNoise
from innersr.physics.resize import Scale
from innersr.pipeline.films import film_task, open_film
from innersr.pipeline.result import Result
from innersr.pipeline.strip_choice import open_in_strips
from innersr.pipeline.tasks import FileTask, ImageTask
from innersr.run import Run

if TYPE_CHECKING:
    from innersr.images.tiff.stacks import TiffStack


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
    kernel: str | Path | Tensor | np.ndarray = "auto",
    anchor: str = "aligned",
    noise: float | str | CountingNoise | None = None,
    jpeg: int | None = None,
    nodata: float | None = None,
    deblur: float = 0.5,
    wrap: str = "",
    mask: str | Path | None = None,
    depth: str | int = "keep",
    value_range: str | tuple[float, float] | None = None,
    metadata: str = "keep",
    quality: int | None = None,
    compression: str | None = None,
    pages: str | None = None,
    frames: str | None = None,
    pixel_limit: int = PIXEL_LIMIT,
    overwrite: bool = False,
    adapted: str | Path | None = None,
    save_adapted: str | Path | None = None,
    strips: str = "auto",
    steady: bool = True,
) -> Any:  # noqa: ANN401
    """Upscale one image by what can be learned from itself; return the type that was given.

    Args:
        x: a path (the result is written beside it, or to `output`, and its path returned), an `Image` of `read`, a PIL
            image, an array of real numbers, (H, W) or (H, W, C), or a floating (C, H, W) or (1, C, H, W) tensor.
        scale: above 1, any real number, or (vertical, horizontal).
        method: `Tailor(steps=60)`, or the name of a method.
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
        noise: standard deviation in 255ths of the range of the image's values (the levels of an 8-bit image), as the
            estimate is printed; or "poisson:GAIN" or "poisson:GAIN:READ" for counting noise, of variance GAIN * value +
            READ^2 in stored values; None for the estimate, and for 0 with a given kernel.
        jpeg: quality, 1 to 100, that the image was saved with; None for the estimate, and for no compression with a
            given kernel.
        nodata: the value, as it is stored, that means no data, which is kept and spreads nowhere; None for a TIFF's
            own. NaN, infinity, fill values such as 1e20 and what a masked array masks are no data in any case.
        deblur: how much of a blur that "auto" finds is removed, from 0 to 1: 0 none, 0.5 what is safe, 1 all.
        wrap: "x", "y" or "xy" for a seamless texture.
        mask: image file of the shape of the picture, of any size: white where it gets detail, black where it is
            interpolated only, as around a face or a text that must not be altered; of one picture, not of a film or a
            stack.
        depth: of the file: "keep", 8, 16 or "float".
        value_range: (low, high), or "low,high": the values, as they are stored, that become black and white of an
            8-bit or 16-bit file; "auto" for the least and the greatest. What lies beyond is clipped.
        metadata: of the file: "keep", "icc" or "none".
        quality: of JPEG, WebP and AVIF files, 1 to 100; None for 95, and lossless where a WebP or AVIF was.
        compression: of TIFF files: "none", "deflate", "zstd" or "lzw"; None for the input's, and else deflate.
        pages: of a TIFF file: "all", "first", or numbers from 0 such as "0,3-7"; None for all that the format of the
            result holds.
        frames: of a film, counted as pages, both ends included: "100-199"; None for all.
        pixel_limit: files, and their results, of more pixels are refused.
        overwrite: whether an existing file is replaced.
        adapted: file of `save_adapted`: what was learnt from another image, with its method and degradation, in place
            of learning; for the next page, frame or picture of the same camera.
        save_adapted: file, NAME.safetensors, that keeps what was learnt from this image.
        strips: of a path: "auto" upscales a file from disk to disk, part by part, where the memory is too small for
            all at once; "always" and "never".
        steady: of a film: whether each frame is averaged with its neighbours, moved onto it, where they show the same.

    Raises:
        InputError: an argument is wrong, the image is too small to learn from, or what was learnt does not fit it.
        CheckpointError: what was learnt cannot be read or written.
        ImageFileError: a file cannot be read or written.
    """
    if isinstance(scale, Path) or (isinstance(scale, str) and Path(scale).suffix[1:].isalpha()):
        raise InputError(f"scale is a number or a pair of them; give the path as output={str(scale)!r}")
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
        mask=mask,
        alpha=alpha,
        depth=depth,
        value_range=value_range,
        metadata=metadata,
        quality=quality,
        compression=compression,
        pages=pages,
        frames=frames,
        pixel_limit=pixel_limit,
        overwrite=overwrite,
        adapted=adapted,
        save_adapted=save_adapted,
        strips=strips,
        steady=steady,
    )
    if isinstance(x, str | Path):
        return type(x)(upscale_file(x, output, options, run).path)  # type: ignore[arg-type]
    if output is not None:
        raise InputError("output is for paths; the result of an image in memory is returned")
    options.check_in_memory()
    with isolation():
        image, restore = image_from(x)
        image, restore = centred(x, with_no_data(image, nodata), restore)
        task = ImageTask(image=image, options=options)
        result = task.upscale(run or Run())
        return restore(task.placed(result.image, result))


@isolated
def upscale_file(
    path: str | Path, output: str | Path | None = None, options: UpscaleOptions | None = None, run: Run | None = None
) -> Result:
    """Upscale one image file, and write the result beside it or to `output`; errors are those of `upscale`."""
    task = open_file(Path(path), None if output is None else Path(output), options or UpscaleOptions())
    task.check()
    return task.write(run or Run())


def open_file(source: Path, output: Path | None, options: UpscaleOptions) -> FileTask:
    """Read an image file, or the page of a stack that is learnt from, or open a film; name its result if need be."""
    with opened(source):  # what is no file ends here; the first bytes of a pipe never come
        pass
    film = open_film(source, output, options)
    if film is not None:
        _check_plain(source, options, "film")
        return film_task(film, source, output, options)
    if options.frames is not None:
        raise InputError(f"{source}: frames (--frames) are for films that become films; leave them out")
    stack = _stack_of(source, options.pages)
    if stack is not None:
        return _open_stack(source, output, options, stack)
    parse_pages(options.pages or "all", 1)
    return open_in_strips(source, output, options) or _open_picture(source, output, options)


def _open_picture(source: Path, output: Path | None, options: UpscaleOptions, directory: int | None = None) -> FileTask:
    """Read one picture, or the page of a TIFF file whose directory begins at that byte."""
    keeps = _keeps_indices(source, output, options)
    found = read(source, pixel_limit=options.pixel_limit, missing_ok=True, directory=directory, keep_indices=keeps)
    image = with_no_data(found, options.nodata)
    target = output or default_output(source, ImageTask(image=image, options=options).scales)
    image = replace(image, notes=(*image.notes, *notes_of_change(source, target)))
    return FileTask(image=image, options=options, source=source, target=target)


def _keeps_indices(source: Path, output: Path | None, options: UpscaleOptions) -> bool:
    """Whether values are copied into a TIFF, which can have the palette of its source."""
    is_copied = options.adapted is None and copies_pixels(options.chosen_method) and options.value_range is None
    is_plain = is_copied and options.metadata == "keep" and str(options.depth) in ("keep", "8")
    return is_plain and BY_NAME["TIFF"].has_name(output or source)


def _check_plain(source: Path, options: UpscaleOptions, kind: str) -> None:
    """Raise InputError for options that are for one picture."""
    if options.strips == "always":
        raise InputError(
            f"{source}: is a {kind}, which is not upscaled in strips (--strips always); use --strips never"
        )
    if kind == "film" and options.pages is not None:
        raise InputError(f"{source}: pages (--pages) are for TIFF files; choose frames of a film (--frames)")
    if options.mask is not None:
        raise InputError(f"{source}: a mask (--mask) is for one picture, not for a {kind}; leave it out")


def _stack_of(source: Path, pages: str | None) -> TiffStack | None:
    """The pages of a TIFF file; None where there is one plain page, or no readable TIFF."""
    found = None
    with contextlib.suppress(OSError, ValueError), source.open("rb") as stream:
        found = sniff(stream.read(32))
    if found is None or found.name != "TIFF":
        return None
    from innersr.images.tiff.stacks import find_stack  # importing tifffile takes 0.13 s

    try:
        return find_stack(source)
    except ImageFileError:
        if pages != "first":
            raise
    return None


def _open_stack(source: Path, output: Path | None, options: UpscaleOptions, stack: TiffStack) -> FileTask:
    """Open the chosen pages as a stack, or as a picture where it is one page that needs no more."""
    if options.strips == "always":
        _check_plain(source, options, "stack")
    if stack.hidden and options.pages != "first":
        words = f"{stack.hidden} planes lie behind the first without pages of their own"
        remedy = 'save it with one page for each, or take the first alone by --pages first (in Python pages="first")'
        raise ImageFileError(f"{source}: {words}; {remedy}")
    is_tiff = format_of_name(output or with_suffix(source, source)).name == "TIFF"
    chosen = parse_pages(options.pages or ("all" if is_tiff else "first"), len(stack.directories))
    if len(chosen) > 1 and not is_tiff:
        remedy = "write a .tif, or choose a page with --pages"
        raise ImageFileError(f"{output}: {len(chosen)} pages do not go into one picture; {remedy}")
    if len(chosen) == 1 and not (is_tiff and stack.is_calibrated):
        directory = None if options.pages is None else stack.directories[chosen[0]]
        return _open_picture(source, output, options, directory)
    _check_plain(source, options, "stack")
    from innersr.pipeline.stacks import StackTask, learnt_place, page_image

    image = page_image(source, stack, learnt_place(stack, chosen), options)
    target = output or default_output(source, ImageTask(image=image, options=options).scales)
    return StackTask(image=image, options=options, source=source, target=target, stack=stack, chosen=chosen)
