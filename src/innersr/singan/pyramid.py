"""The sizes of SinGAN's scales, and a picture at each of them. Scale 0 is the coarsest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from innersr.errors import InputError
from innersr.physics.resize import output_size, resize
from innersr.singan.settings import SinGAN

Size = tuple[int, int]
"""(height, width) in pixels."""


def scale_count(size: Size, settings: SinGAN) -> int:
    """Number of scales of a picture by the published rule."""
    if settings.scales:
        return settings.scales
    step = math.log(settings.ratio)
    steps = math.ceil(math.log(settings.min_size / min(size)) / step) + 1
    shrunk = min(settings.max_size, max(size)) / max(size)
    return max(1, steps - math.ceil(math.log(shrunk) / step) + 1)


def sizes_of(size: Size, settings: SinGAN, count: int | None = None) -> tuple[Size, ...]:
    """The sizes of all scales of a picture, the last at most `max_size`.

    Args:
        size: of the picture.
        settings: of the pyramid.
        count: of scales; as many as the rule says when None.

    Raises:
        InputError: the picture is smaller than the coarsest scale.
    """
    if min(size) < settings.min_size:
        raise InputError(
            f"a picture of {size[1]}x{size[0]} pixels is smaller than the coarsest scale ({settings.min_size}); "
            "enlarge it first"
        )
    last = scale_count(size, settings) - 1 if count is None else count - 1
    finest = output_size(size, min(1.0, settings.max_size / max(size)))
    if min(finest) < settings.min_size:
        raise InputError(
            f"a picture of {size[1]}x{size[0]} pixels has {min(finest)} on its short side once the long one has "
            f"{settings.max_size}, less than the coarsest scale ({settings.min_size}); raise max_size"
        )
    if last == 0:
        return (finest,)
    ratio = (settings.min_size / min(finest)) ** (1 / last)
    powers = [_power(last, index, settings.rescaling) for index in range(last + 1)]
    # Without the slack of `output_size`: the official code has none, and sometimes 26 pixels instead of 25.
    return tuple((math.ceil(ratio**power * finest[0]), math.ceil(ratio**power * finest[1])) for power in powers)


def pictures_of(picture: Tensor, sizes: tuple[Size, ...]) -> tuple[Tensor, ...]:
    """A picture, (1, C, H, W) in [-1, 1], at every size: each shrunk from the picture itself.

    # Differs from the reference code: in floating point, where that cuts to 8 bits downwards at every resizing.
    """
    return tuple(resize(picture, size=size).clamp(-1, 1) for size in sizes)


def low_passed_at(
    picture: Tensor, sizes: Sequence[Size], scale: int, wraps: tuple[bool, bool] = (False, False)
) -> Tensor:
    """A picture at the size of a scale, low-passed to what the next coarser scale holds."""
    coarse = resize(picture, size=sizes[max(0, scale - 1)], wrap=wraps)
    return resize(coarse, size=sizes[scale], wrap=wraps).clamp(-1, 1)


def passes_for(scale: float) -> int:
    """Number of passes of the last generator that enlarge by `scale` (Shaham 2019, sec. 4)."""
    return max(1, round(3 * math.log2(scale)))


def for_upscaling(settings: SinGAN, scale: float) -> SinGAN:
    """The settings that learn a picture in order to enlarge it.

    # Differs from the reference code: the picture keeps its size, where that shrinks it to 250 pixels.
    """
    return replace(
        settings,
        ratio=scale ** (-1 / passes_for(scale)),
        min_size=min(18, settings.min_size),
        max_size=2**31,
        reconstruction=100.0,  # as the coarsest size, from the official code
    )


def _power(last: int, index: int, rescaling: str) -> float:
    """Exponent of the ratio that a scale's size has against the finest."""
    if rescaling == "geometric" or index == last or last < 2:
        return last - index
    # Hinz 2021, eq. 5: the scales are denser where they are coarse.
    return (last - 1) / math.log(last) * math.log(last - index) + 1
