"""Validation during training, on a few sharp images that are degraded and restored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.images.folders import find_images, load_sharp
from innersr.metrics.fidelity import psnr_y
from innersr.metrics.grey_levels import quantized
from innersr.physics.degradation import Degradation
from innersr.physics.named_degradations import parse_degradation
from innersr.physics.symmetries import central_crop

LARGEST_NUMBER, SIDE = 12, 192  # of the images, and of the square in their middle, in pixels; a multiple of 2, 3 and 4
LEAST_SIDE = 48
Case = tuple[str, int]
"""A degradation by name, and a scale."""


def read_validation(folder: Path) -> tuple[Tensor, ...]:
    """Centres, (1, 3, H, W) of at most SIDE pixels, of the first images of a folder; grey images count as RGB.

    Raises:
        InputError: the folder is missing or empty, or has an image that is too small, or neither RGB nor grey.
        ImageFileError: a file cannot be read.
    """
    images = []
    for entry in find_images([folder])[:LARGEST_NUMBER]:
        image = load_sharp(entry.path, 12)  # a side that x2, x3 and x4 divide
        if image.shape[1] not in (1, 3) or min(image.shape[-2:]) < LEAST_SIDE:
            size = f"{image.shape[-1]}x{image.shape[-2]}, {image.shape[1]} channels"
            raise InputError(f"{entry.path}: validation needs RGB or grey images of {LEAST_SIDE} pixels, got {size}")
        images.append(central_crop(image, SIDE).expand(-1, 3, -1, -1).clone())
    return tuple(images)


def validation_crop(image: Tensor, side: int) -> Tensor:
    """The upper left square of (1, 1 or 3, H, W) as RGB: at most `side` pixels a side, an even number of them."""
    side = min(side, *image.shape[-2:]) // 2 * 2
    return image[..., :side, :side].expand(-1, 3, -1, -1)


@torch.no_grad()
def measure(
    upscale: Callable[[Tensor, Degradation], Tensor], images: Sequence[Tensor], cases: Sequence[Case]
) -> dict[str, float]:
    """Mean PSNR-Y in dB of every case, by "name xscale"; LR images are rounded to 8 bit.

    `upscale` gets the LR image, (1, 3, h, w) float32 on the CPU, and its degradation.
    """
    results = {}
    for name, scale in cases:
        degradation = parse_degradation(name, scale)
        decibels = []
        for image in images:
            lr = quantized(degradation(image.double()))
            decibels.append(psnr_y(upscale(lr, degradation).clamp(0, 1).cpu(), image, scale))
        results[f"{name} x{scale}"] = round(sum(decibels) / len(decibels), 3)
    return results
