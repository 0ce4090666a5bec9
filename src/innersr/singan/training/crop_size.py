"""Crops small enough that a step of SinGAN fits the free memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from innersr.memory import free_memory
from innersr.singan.pyramid import Size
from innersr.singan.settings import FIELD, SinGAN

# Bytes that a step holds at its peak, for each pixel and feature of the hidden layers: the two passes of the gradient
# penalty. Measured on a CPU in float32: 44 to 52 (width 128 to 8), 48 with block widths, 36 with a critic without
# norms, the same at 192 and 384 pixels; half as much in bf16.
STEP_BYTES = 52
SHARE = 4  # of the free memory a step may take a quarter


def fit_crop_to_memory(
    settings: SinGAN, sizes: Sequence[Sequence[Size]], channels: int, device: torch.device
) -> tuple[SinGAN, str]:
    """The settings with crops that fit, as large as possible, and a sentence about it; "" if nothing changed.

    Args:
        sizes: of the scales of every picture.
    """
    free = free_memory(device)
    crop, most, at = settings.crop, 0, (0, 0)
    for size, scale in ((size, scale) for own in sizes for scale, size in enumerate(own)):
        pixel = STEP_BYTES * (sum(settings.widths_at(scale)) + channels)
        needed = pixel * math.prod(min(side, settings.crop or side) for side in size)
        if needed * SHARE > free:
            fits = max(FIELD, math.isqrt(free // SHARE // pixel))
            crop = min(crop or fits, fits)
            if needed > most:
                most, at = needed, size
    if not most:
        return settings, ""
    return replace(settings, crop=crop), (
        f"a step at {at[1]}x{at[0]} pixels would need about {_gib(most)} GiB, more than a quarter of the {_gib(free)} "
        f"that are free; steps learn from crops of {crop}x{crop} pixels instead"
    )


def _gib(amount: int) -> str:
    return f"{amount / 2**30:.2g}"
