"""Fathers: the images that internal learning degrades to sons and trains a network to restore.

The LR image itself, the father of published internal learning, is blurrier per pixel than the HR image, and teaches
blur. A first result, shrunk a little, is as sharp per pixel as the HR image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from innersr.metrics.grey_levels import quantized
from innersr.physics.degradation import Degradation
from innersr.physics.jpeg import jpeg, jpeg_quality
from innersr.physics.resize import image_size, resize
from innersr.physics.symmetries import random_crop
from innersr.run import Run

RESULT_SIDE = 256  # LR pixels: of larger images only a part is super-resolved to fathers


class Father(NamedTuple):
    """An image to learn from, (1, C, H, W), and the axes along which it is periodic."""

    image: Tensor
    wraps: tuple[bool, bool]


def detailed_part(lr: Tensor, degradation: Degradation, generator: torch.Generator) -> tuple[Tensor, Degradation]:
    """The image, (1, C, h, w), and its degradation; of a large one, the part with the steepest of 8 mean gradients."""
    if max(lr.shape[-2:]) <= RESULT_SIDE:
        return lr, degradation
    parts = [random_crop(lr, RESULT_SIDE, generator, degradation.wraps) for _ in range(8)]
    part = max(parts, key=lambda part: float(part.diff(dim=-1).abs().mean() + part.diff(dim=-2).abs().mean()))
    return part, replace(degradation, wrap="")  # a part is not periodic


def as_one_tile(run: Run) -> Run:
    """A run without reports and with one tile: several tiles change results by rounding, which training magnifies."""
    return replace(run, report=None, tile=RESULT_SIDE)


def shrunk_copies(result: Tensor, factors: Iterable[float], degradation: Degradation) -> list[Tensor]:
    """Copies of a result, (1, C, H, W), shrunk by factors; sides are multiples of the scale and hold the kernel."""
    cells = [max(1, round(scale)) for scale in degradation.scales]
    copies = []
    for factor in factors:
        copy = resize(result, factor).clamp_(0, 1)
        height, width = (n // cell * cell for n, cell in zip(copy.shape[-2:], cells, strict=True))
        if min(height, width) >= degradation.reach:
            copies.append(copy[..., :height, :width])
    return copies


def shrunk(image: Tensor, factor: float, wraps: tuple[bool, bool]) -> Father:
    """A copy of an image, (1, C, h, w), shrunk by a factor of at most 1 and clipped to [0, 1], as a father.

    Along periodic axes it is a whole number of pixels long.
    """
    if factor == 1:
        return Father(image, wraps)
    vertical, horizontal = (
        round(factor * side) / side if wrap else factor for side, wrap in zip(image_size(image), wraps, strict=True)
    )
    return Father(resize(image, (vertical, horizontal), wrap=wraps).clamp_(0, 1), wraps)


def least_side(lr: Tensor, degradation: Degradation) -> int:
    """Least side of a father in pixels: the kernel's, and 32 for patches unless the image has fewer."""
    return max(degradation.reach, min(32, *lr.shape[-2:]))


def saving_like(lr: Tensor, compression: float, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """A function that degrades sons, (N, C, h, w), as the LR image's file did: quantised, and compressed as strongly.

    Blocks lie at random places; unless there are three channels, each is compressed as grey.
    """
    rounded = rounding_like(lr)
    if compression == 0:
        return rounded

    def saved(sons: Tensor) -> Tensor:
        images = sons if sons.shape[1] == 3 else sons.flatten(0, 1)[:, None]
        offsets = torch.randint(8, (len(images), 2), generator=generator).tolist()
        quality = jpeg_quality(compression)
        pairs = zip(images, offsets, strict=True)
        return torch.stack([jpeg(image, quality, offset=(top, left)) for image, (top, left) in pairs]).view_as(sons)

    return saved


def rounding_like(lr: Tensor) -> Callable[[Tensor], Tensor]:
    """A function that quantises sons to 8 bits if the LR image is 8-bit, so that no network uses finer levels."""
    levels = 255 * lr
    has_8_bits = torch.allclose(levels, levels.round(), rtol=0, atol=1e-3)  # float32 values beside a level
    return quantized if has_8_bits else lambda sons: sons
