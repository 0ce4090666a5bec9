"""Numbers in memory that 32-bit floats, in which images are computed, hold badly or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.images.image import Image

Numbers = np.ndarray[Any, np.dtype[Any]]
LEVELS = 1 << 16  # at least as many are told apart between the least and the greatest value


def check_held(numbers: Numbers) -> None:
    """Raise InputError for whole numbers that 32-bit floats do not tell apart, and for numbers beyond their range.

    Numbers with more digits than they have are no error, see `centred`.
    """
    exact, largest, least, apart = 1 << 24, float(np.finfo(np.float32).max), 1e-30, 1e6
    if numbers.dtype.kind != "f":
        if (most := max(abs(int(numbers.min())), abs(int(numbers.max())))) > exact:
            raise InputError(
                f"holds whole numbers up to {most}, taken exactly up to {exact} only; give them as 64-bit floats"
            )
        return
    finite = np.abs(numbers[np.isfinite(numbers)])
    others = finite[finite <= largest]
    # Larger ones that are far from all others are fill values, see `no_data.HugeValues`.
    if len(others) < len(finite) and not 0 < apart * others.max(initial=0) <= largest:
        raise InputError(f"holds values up to {finite.max():.3g}, and 32-bit floats end at 3.4e38; divide them first")
    if 0 < others.max(initial=0) < least:
        raise InputError(f"holds no values above {others.max():.3g}, which is too small; multiply them first")


def centred(x: object, image: Image, restore: Callable[[Image], Any]) -> tuple[Image, Callable[[Image], Any]]:
    """An image of 64-bit floats without a large offset that they have in common, and what adds that to results.

    Without it 32-bit floats would tell few of them apart, as of 4600000.1 and 4600000.2.

    Args:
        x: what the image was made from, see `conversions.image_from`.
        image: with its `missing` values.
        restore: what converts results back to the type of `x`.
    """
    numbers = _wide_planes(x)
    if numbers is None:
        return image, restore
    missing = np.zeros(numbers.shape, bool) if image.missing is None else image.missing.numpy()
    known = numbers[~missing]
    low, high = float(known.min()), float(known.max())
    digits = 1 << 23  # of a number of 32 bits, at least
    if LEVELS * max(abs(low), abs(high)) <= digits * (high - low):
        return image, restore
    centre = (low + high) / 2
    colour = torch.from_numpy(np.where(missing, numbers, numbers - centre).astype(np.float32))

    def restored(result: Image) -> Any:  # noqa: ANN401 (the type of x)
        values = restore(result)
        offset = torch.full(result.colour.shape, centre, dtype=torch.float64)
        if result.missing is not None:
            offset.masked_fill_(result.missing, 0)
        if isinstance(values, Tensor):
            return values + offset.to(values).reshape(values.shape)
        return values + offset[0].permute(1, 2, 0).numpy().reshape(values.shape)

    return replace(image, colour=colour), restored


def _wide_planes(x: object) -> Numbers | None:
    """Floats of more than 32 bits as (1, C, H, W); None for all else."""
    if isinstance(x, Tensor) and x.dtype == torch.float64:
        return x.detach().cpu().numpy().reshape(1, *x.shape[-3:])
    if isinstance(x, np.ndarray) and x.dtype.kind == "f" and x.dtype.itemsize > np.dtype(np.float32).itemsize:
        return np.atleast_3d(np.ma.getdata(x)).transpose(2, 0, 1)[None]
    return None
