"""Places of an image without data: the file's own no-data value, NaN, infinity and huge fill values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from innersr.errors import InputError, NoDataError
from innersr.images.formats import DEPTHS
from innersr.images.image import Image
from innersr.isolation import is_finite


def missing_values(image: Image, value: float | None = None, *, has_fills: bool | None = None) -> Tensor | None:
    """The values of an image that are no data: bool, (1, C, H, W); None if there are none.

    They are those of `image.missing`, NaN, infinity, fill values as huge as 1e20 beside others, and values equal to
    `value`; colours only where all three channels are.

    Args:
        image: in its own values.
        value: as the file stores it: 0 to 255 or 65535, or the floats themselves.
        has_fills: whether the huge values of the image that this is a part of are fills, see `HugeValues`; None for an
            image by itself.

    Raises:
        NoDataError: an image by itself has no data at all.
    """
    colour = image.colour
    missing = torch.zeros_like(colour, dtype=torch.bool) if image.missing is None else image.missing.clone()
    is_float = image.depth == "float32" or not is_finite(colour)
    if is_float:
        missing |= ~colour.isfinite()
    if value is not None:
        stored = torch.tensor(value, dtype=torch.float32) / (DEPTHS[image.depth].white or 1)
        equal = colour == stored
        missing |= equal.all(1, keepdim=True) if _is_of_colours(image) else equal
    if is_float:
        huge = HugeValues()
        if has_fills is None:
            huge.add(colour, missing)
        if huge.are_fills if has_fills is None else has_fills:
            missing |= huge.found(colour)
    if has_fills is None and bool(missing.all()):
        raise NoDataError
    return missing if bool(missing.any()) else None


@dataclass
class HugeValues:
    """Statistics of the huge values of an image, collected part by part.

    They are fill values, not measurements, if the least of them is a million times the greatest of all others; beside
    zeros alone, if they are all equal.
    """

    least: float = math.inf
    """Size of the least of the huge values."""
    greatest: float = -math.inf
    """Size of the greatest of them."""
    others: float = -math.inf
    """Size of the greatest of the others with data."""

    @property
    def are_fills(self) -> bool:
        """Whether they are no data."""
        apart = 1e6
        is_apart = -math.inf < self.others and apart * self.others < self.least < math.inf
        return is_apart and (self.others > 0 or self.least == self.greatest)

    def add(self, values: Tensor, missing: Tensor) -> None:
        """Add a part of the image, except values known to be missing."""
        sizes, is_huge = values.abs(), self.found(values)
        self.others = max(self.others, float(sizes.where(~(is_huge | missing), -math.inf).max()))
        if bool(is_huge.any()):
            known = sizes[is_huge & ~missing]
            if known.numel():
                self.least = min(self.least, float(known.min()))
                self.greatest = max(self.greatest, float(known.max()))

    @staticmethod
    def found(values: Tensor) -> Tensor:
        """Which values are huge."""
        return values.abs() >= 1e15  # finite ones below that are measurements, whatever the others are


def with_missing_values(part: Image, value: float | None, *, has_fills: bool) -> Image:
    """A part of an image with its `missing` values; for the arguments see `missing_values`."""
    return replace(part, missing=missing_values(part, value, has_fills=has_fills))


def with_no_data(image: Image, value: float | None = None) -> Image:
    """The image with its `missing` values, a note that says how many they are, and their value in the metadata.

    Args:
        image: in its own values.
        value: that means no data, as in `missing_values`; that of the metadata when None.

    Raises:
        NoDataError: the image has no data at all.
        InputError: it holds integers and `value` is not one that it could hold.
    """
    image, used = with_declared(image, value)
    missing = missing_values(image, used)
    if missing is not None:
        return replace(image, missing=missing, notes=(*image.notes, note_of_missing(float(missing.float().mean()))))
    if value is not None:
        return replace(image, notes=(*image.notes, f"no value is {value:g}, so all are data"))
    likely = _likely_fill(image)
    if likely is None:
        return image
    note = f"{likely:g} occurs far below all other values; if it means no data, use innersr upscale --nodata {likely:g}"
    return replace(image, notes=(*image.notes, note))


def _likely_fill(image: Image) -> float | None:
    """A usual value for no data that lies farther below the other values of an image than these lie apart."""
    if image.depth != "float32" or float(image.colour.min()) not in (-9999.0, -32767.0, -32768.0, -99999.0):
        return None
    least = float(image.colour.min())
    others = image.colour[image.colour > least]
    if others.numel() == 0:
        return None
    low, high = (float(end) for end in torch.aminmax(others))
    return least if low - least > high - low else None


def with_declared(image: Image, value: float | None) -> tuple[Image, float | None]:
    """The image with the value that means no data in its metadata, and that value; for the rest see `with_no_data`."""
    white = DEPTHS[image.depth].white
    if value is not None and white and not (0 <= value <= white and float(value).is_integer()):
        raise InputError(f"no-data must be a value of the image, a whole number from 0 to {white}, got {value:g}")
    if value is not None:
        image = replace(image, metadata=replace(image.metadata, nodata=f"{value:.17g}"))
    elif image.metadata.nodata is not None:
        value = float(image.metadata.nodata)
    return image, value


def _is_of_colours(image: Image) -> bool:
    """Whether a value means no data in all three channels only: in one of them it may be a colour, such as pure red."""
    return image.colour.shape[1] == 3 and image.depth != "float32" and image.is_rgb is not False


def apart_from_no_data(image: Image) -> Image:
    """The image with the next value in place of values with data that are stored as the one that means no data."""
    if image.metadata.nodata is None:
        return image
    value, white, colour = float(image.metadata.nodata), DEPTHS[image.depth].white, image.colour
    levels = (colour * white).clamp(0, white) if white else colour
    equal = ((levels + 0.5).floor() if white else levels) == levels.new_tensor(value)
    if _is_of_colours(image):
        equal = equal.all(1, keepdim=True).expand_as(colour)  # as in `missing_values`
    if image.missing is not None:
        equal = equal & ~image.missing
    if not bool(equal.any()):
        return image
    if white:
        is_below = (levels < value) & (value > 0) if value < white else torch.ones_like(equal)
        other = torch.where(is_below, value - 1, value + 1) / white
    else:
        own = levels.new_tensor(value)
        least = torch.finfo(own.dtype).tiny  # which every program can tell from 0
        other = torch.nextafter(own, torch.zeros_like(own)) if value else own + least
    return replace(image, colour=torch.where(equal, other, colour))


def note_of_missing(share: float) -> str:
    """The note about an image in which a share, from 0 to 1, of the values has no data."""
    return f"{100 * share:.3g} % of its values are no data, and stay so"
