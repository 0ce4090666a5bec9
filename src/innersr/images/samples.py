"""Samples as files store them, and the planes of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.images.formats import DEPTHS
from innersr.images.image import Image
from innersr.isolation import is_finite

Samples = np.ndarray[Any, np.dtype[Any]]


def planes_of(samples: Samples, white: float) -> Tensor:
    """(1, C, H, W) float32 of samples (H, W, C), divided by `white` unless that is 0."""
    height, width, bands = samples.shape
    planes = np.empty((bands, height, width), np.float32)
    for band, plane in enumerate(planes):
        np.divide(samples[..., band], np.float32(white or 1), out=plane)
    return torch.from_numpy(planes)[None]


def samples_of(image: Image, rows: int = 1024) -> Samples:
    """The samples of an image as a file stores them, (H, W, bands), alpha last; integers rounded and clipped.

    Args:
        image: in its own values.
        rows: that are converted at a time.

    Raises:
        InputError: it holds NaN or infinite values that are not `missing`, or integers are to be written.
    """
    bands = [*image.colour[0], *([] if image.alpha is None else image.alpha[0])]
    samples = np.empty((*bands[0].shape, len(bands)), image.depth)
    for index, band in enumerate(bands):
        if not (_may_miss(image, index) or is_finite(band)):
            remedy = "they have no colour, fill them first"
            remedy += "" if image.missing is None else ", or write a .tif of floats"
            raise InputError(f"band {index} holds NaN or infinite values; {remedy}")
        for start in range(0, len(band), rows):  # in strips, because a whole converted band is large
            strip = band[start : start + rows]
            if top := DEPTHS[image.depth].white:
                strip = (strip * top).add_(0.5).clamp_(0, top)  # the conversion to integers cuts, so this rounds
            samples[start : start + rows, :, index] = strip.numpy()
    return samples


def _may_miss(image: Image, index: int) -> bool:
    """Whether all of a band that is not finite is missing, in a file that can say so."""
    if image.missing is None or image.depth != "float32" or index >= image.colour.shape[1]:
        return False
    return bool((image.colour[0, index].isfinite() | image.missing[0, index]).all())
