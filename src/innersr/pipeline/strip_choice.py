"""Which image files are upscaled in strips: those whose upscaling would take more memory than there is, or all."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from innersr.blind.estimate import Estimate
from innersr.errors import InputError
from innersr.images.formats import format_of_name
from innersr.images.image import Image
from innersr.images.io import check_place
from innersr.images.large.large_image import LargeHeader, LargeImage, read_header
from innersr.images.values.depths import range_of_ends
from innersr.images.values.no_data import note_of_missing, with_declared, with_missing_values
from innersr.inference.normalisation import WholeImage
from innersr.inference.survey import survey
from innersr.memory import free_memory
from innersr.methods.options import UpscaleOptions, default_output
from innersr.methods.protocols import copies_pixels
from innersr.methods.registry import name_of, settings_of
from innersr.paths import sha256_of
from innersr.physics.degradation import Degradation
from innersr.physics.resize import Window, as_pair
from innersr.pipeline.adapted_files import load_fitting
from innersr.pipeline.degradation_records import record_of_cause
from innersr.pipeline.strip_folder import StripFolder
from innersr.pipeline.strips import StripSettings, StripTask, periods_of


def open_in_strips(source: Path, output: Path | None, options: UpscaleOptions) -> StripTask | None:
    """A large file as a task of strips; None for one that is read at once.

    Raises:
        InputError: `options.strips` is "always", and the file, its result or the method do not allow it.
        ImageFileError: see `read`.
    """
    small = 1 << 18  # bytes: no file below that is looked into, unless record for
    if options.strips == "never" or (options.strips == "auto" and source.exists() and source.stat().st_size < small):
        return None
    header = read_header(source, options.pixel_limit)
    scales = as_pair(options.scale_for((header.height, header.width))) if header.is_streamed else (1.0, 1.0)
    target = output or default_output(source, scales)
    if options.strips == "auto" and not exceeds_memory(header, scales):
        return None
    reason = _reason_against(header, target, options, scales)
    if reason is not None and options.strips == "auto":
        return None
    if reason is not None:
        raise InputError(f"{source}: is not upscaled in strips: {reason}; use --strips never")
    check_place(target, overwrite=options.overwrite)
    settings = StripSettings()
    side = fitting_side(settings.side, header.bands, scales, free_memory(torch.device("cpu")))
    return _strip_task(source, target, options, replace(settings, side=side))


def fitting_side(side: int, bands: int, scales: tuple[float, float], free: int) -> int:
    """The side of parts, or a half or a quarter of it, of which one takes at most half of so many free bytes.

    The other half is for what one part leaves behind, and for libvips, which ends the process where it finds none.
    """
    least, copies = 512, 5  # pixels; of the floats of a part's result at its peak: 2048 x 2048 at x2 take 1 GiB
    each = 4 * copies * bands * scales[0] * scales[1]
    while side > least and 2 * each * side**2 > free:
        side //= 2
    return side


def exceeds_memory(header: LargeHeader, scales: tuple[float, float]) -> bool:
    """Whether upscaling an image at once would take more than two thirds of the free memory.

    It holds the image some three times as floats, and the result three times and a half: 24 MP at x2 took 3.7 GiB.
    """
    pixels = header.height * header.width
    needed = 4 * header.bands * pixels * (3 + 3.5 * scales[0] * scales[1])
    return 1.5 * needed > free_memory(torch.device("cpu"))


def _reason_against(
    header: LargeHeader, target: Path, options: UpscaleOptions, scales: tuple[float, float]
) -> str | None:
    """Why a file cannot be upscaled in strips; None if it can."""
    if not header.is_streamed:
        return "only JPEG, PNG and TIFF are read row by row"
    if format_of_name(target).name not in ("TIFF", "PNG", "JPEG"):
        return "only TIFF, PNG and JPEG are written row by row"
    if options.wrap or (isinstance(options.degradation, Degradation) and options.degradation.wrap):
        return "a seamless texture (--wrap) continues on its opposite side"
    if options.mask is not None:
        return "a mask (--mask) is of the whole picture"
    if options.adapted is None and not hasattr(options.chosen_method, "upscaler"):
        return f"{name_of(options.chosen_method)} needs the whole picture"
    if scales == (1.0, 1.0):
        return "nothing is enlarged"
    try:
        periods_of(scales)
    except InputError as error:
        return str(error)
    return None


def _strip_task(source: Path, target: Path, options: UpscaleOptions, settings: StripSettings) -> StripTask:
    folder = StripFolder.beside(target, _options_record(options), source)
    try:
        large = folder.unpacked(source, options.pixel_limit)
        side = folder.planned_side() or settings.side  # of another side the parts that are done would be lost
        settings = replace(settings, side=side)
        method = options.chosen_method if options.adapted is None else load_fitting(options.adapted, options).method
        first, nodata = with_declared(large.part(Window(0, 0, 1, 1)), options.nodata)
        whole = survey(large.bands_of_rows, options.alpha, nodata=nodata, is_exact=copies_pixels(method))
        sample = _sample(large, whole, settings)
    except BaseException:
        folder.remove_unused()
        raise
    if options.value_range == "auto":
        options = replace(options, value_range=range_of_ends(whole.extremes, sample.depth))
    height, width = large.size
    note = f"{width} x {height} pixels are upscaled in strips, from disk to disk (--strips never does it at once)"
    more = (note_of_missing(whole.missing_share),) if whole.missing_share > 0 else ()
    sample = replace(sample, notes=(note, *sample.notes, *more), metadata=first.metadata)
    return StripTask(
        image=sample,
        options=options,
        source=source,
        target=target,
        large=large,
        whole=whole,
        folder=folder,
        settings=settings,
    )


def _sample(large: LargeImage, whole: WholeImage, settings: StripSettings) -> Image:
    """The most detailed of parts all over the image."""
    count, places = settings.candidates, []
    height, width = (min(settings.sample, n) for n in large.size)
    for row in range(count):
        for column in range(count):
            top, left = (large.size[0] - height) * row // (count - 1), (large.size[1] - width) * column // (count - 1)
            places.append(Window(top, left, top + height, left + width))
    parts = (large.part(place) for place in dict.fromkeys(places))
    known = (with_missing_values(part, whole.no_data, has_fills=whole.has_fills) for part in parts)
    return max(known, key=_detail)


def _detail(part: Image) -> float:
    """Mean steepness of the visible; there is none at the edges of values without data."""
    x = part.colour if part.alpha is None else part.colour * (part.alpha > 0)
    if part.missing is not None:
        x = x.masked_fill(part.missing, torch.nan)
    across, down = (x.diff(dim=axis).abs().nan_to_num(0).mean() for axis in (-1, -2))
    return float(across + down)


def _options_record(options: UpscaleOptions) -> dict[str, Any]:
    """What of the options the samples of a result depend on, as plain values."""
    left_out = {"pixel_limit", "overwrite", "strips", "save_adapted", "metadata", "quality", "compression"}
    record = {each.name: _plain(getattr(options, each.name)) for each in fields(options) if each.name not in left_out}
    return record | {"files": [sha256_of(path) for path in options.files if path.is_file()]}


def _plain(value: Any) -> Any:  # noqa: ANN401 (of several types)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Tensor):
        return hashlib.sha256(value.detach().cpu().numpy().tobytes()).hexdigest()
    if isinstance(value, Degradation | Estimate):
        record, kernels = record_of_cause(value, "kernel")
        return [record, {name: _plain(kernel) for name, kernel in kernels.items()}]
    if hasattr(value, "adapt"):
        return [name_of(value), _plain(settings_of(value))]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else repr(value)
