"""Examination of an image before it is upscaled: its channels as methods see them, and its degradation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from innersr.blind.estimate import Candidate, Estimate, examine
from innersr.errors import ImageFileError, InputError
from innersr.images.graphics import recognised_graphic
from innersr.images.image import Image
from innersr.images.io import read
from innersr.images.values.no_data import with_no_data
from innersr.inference.normalisation import NormalisedImage, normalise
from innersr.isolation import isolated
from innersr.physics.degradation import Degradation
from innersr.physics.resize import Scale
from innersr.run import Run


@isolated
def examine_image(image: Image, scale: Scale, run: Run, *, alpha: str = "auto", is_thorough: bool = False) -> Estimate:
    """Estimate the degradation of an image from the channels that methods see.

    `alpha` is that of `upscale_image`, `is_thorough` that of `examine`. The estimated noise is relative to the range
    of values that methods see: the whole range for 8 bits, else the range that the image uses, with some headroom.

    Raises:
        InputError: an unknown `alpha`, a scale below 1, an image without any data.
    """
    return examine_normalised(normalise(image, run, alpha), scale, run, is_thorough=is_thorough)


def examine_normalised(normalised: NormalisedImage, scale: Scale, run: Run, *, is_thorough: bool = False) -> Estimate:
    """Estimate the degradation of an image that was normalised already; see `examine_image`.

    Places that were filled, without data or transparent, are left out if enough of the image remains.
    """
    Degradation(scale=scale)  # raises for an invalid scale
    part = normalised.known_part
    estimate = examine(part, scale, run, is_thorough=is_thorough)
    if part.shape != normalised.channels.shape:
        estimate = replace(estimate, regions=())  # they would lie elsewhere in the image
    if estimate.degradation.counting is not None:
        counting = replace(estimate.degradation.counting, unit=normalised.stored_range[1])
        estimate = estimate.with_given(counting=counting)
    if normalised.has_fine_levels:
        estimate = estimate.never_compressed()
    graphic = recognised_graphic(normalised.image)
    if graphic is None:
        return estimate
    clean = replace(estimate.with_given(noise=0.0, counting=None, compression=0.0), jpeg_quality=None)
    if not (graphic.is_pixel_art or graphic.has_few_colours or graphic.is_pattern):
        return clean
    # Hard edges do not show how the image was shrunk, and a wrong guess is worse than interpolation.
    plain = Degradation(scale=scale)
    return replace(clean, degradation=plain, confidence="low", mixture=(Candidate(plain, 0.0),), regions=())


def channels_of(image: Image, run: Run) -> Tensor:
    """The channels that methods see: (1, C, H, W) in [0, 1] on the run's device, see `normalise`."""
    return normalise(image, run, "auto").channels


def read_with_no_data(path: Path) -> Image:
    """Read an image whose values without data, as its file declares them or NaN, are `missing`.

    Raises:
        ImageFileError: see `read`, or there is no data at all.
    """
    try:
        return with_no_data(read(path, missing_ok=True))
    except InputError as error:  # does not name the file
        raise ImageFileError(f"{path}: {error}") from error
