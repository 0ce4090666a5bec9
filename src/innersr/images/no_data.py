"""Places of an image without data: the file's own no-data value, NaN, infinity and huge fill values."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.images.formats import DEPTHS
from innersr.images.image import Image


def missing_values(image: Image, value: float | None = None) -> Tensor | None:
    """The values of an image that are no data: bool, (1, C, H, W); None if there are none.

    They are those that `image.missing` names, NaN and infinity, fill values as huge as 1e20 beside others, and those
    equal to `value`; of colours, where all three are.

    Args:
        image: in its own values.
        value: as the file stores it: 0 to 255 or 65535, or the floats themselves.

    Raises:
        InputError: the image holds nothing else.
    """
    colour = image.colour
    missing = torch.zeros_like(colour, dtype=torch.bool) if image.missing is None else image.missing.clone()
    if image.depth == "float32" or not bool(torch.stack(torch.aminmax(colour)).isfinite().all()):
        missing |= ~colour.isfinite()
        missing |= _fills(colour.where(~missing, 0))
    if value is not None:
        stored = torch.tensor(value, dtype=torch.float32) / (DEPTHS[image.depth].white or 1)
        equal = colour == stored
        is_colour = colour.shape[1] == 3 and image.depth != "float32"
        missing |= equal.all(1, keepdim=True) if is_colour else equal
    if bool(missing.all()):
        raise InputError("the image holds no data: all its values are NaN, infinite or no-data values")
    return missing if bool(missing.any()) else None


def _fills(colour: Tensor) -> Tensor:
    """Values that no measurement has beside the others: at least 1e15, and a million times all that are smaller."""
    sizes, huge, apart = colour.abs(), 1e15, 1e6
    is_huge = sizes >= huge
    if not bool(is_huge.any()) or bool(is_huge.all()):
        return torch.zeros_like(is_huge)
    return is_huge & (sizes.where(is_huge, torch.inf).min() > apart * sizes.where(~is_huge, 0).max())


def with_no_data(image: Image, value: float | None = None) -> Image:
    """The image with its `missing` values, a note that says how many they are, and their value in the metadata.

    Args:
        image: in its own values.
        value: that means no data, as in `missing_values`; that of the metadata when None.

    Raises:
        InputError: the image holds nothing else, or integers and `value` is none of those that it may hold.
    """
    white = DEPTHS[image.depth].white
    if value is not None and white and not (0 <= value <= white and float(value).is_integer()):
        raise InputError(f"no-data must be a value of the image, a whole number from 0 to {white}, got {value:g}")
    if value is None and image.metadata.nodata is not None:
        value = float(image.metadata.nodata)
    elif value is not None:
        image = replace(image, metadata=replace(image.metadata, nodata=f"{value:.17g}"))
    missing = missing_values(image, value)
    if missing is None:
        return image
    note = f"{100 * float(missing.float().mean()):.3g} % of its values are no data, and stay so"
    return replace(image, missing=missing, notes=(*image.notes, note))
