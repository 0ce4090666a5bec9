"""Fathers as sharp per pixel as the picture that is wanted: a first result, shrunk a little.

The LR image itself, the father of published internal learning, is blurrier per pixel than that picture, and teaches
blur.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from torch import Tensor

from innersr.metrics.grey_levels import quantized
from innersr.physics.degradation import Degradation
from innersr.physics.resize import resize
from innersr.physics.symmetries import random_crop
from innersr.run import Run

RESULT_SIDE = 256  # LR pixels: of large images a part is learnt from
CANDIDATES = 8  # parts, of which the most detailed is taken
LEVEL_SLACK = 1e-3  # 8-bit levels that float32 values may be beside them


def detailed_part(lr: Tensor, degradation: Degradation, generator: torch.Generator) -> tuple[Tensor, Degradation]:
    """Return what is learnt from, of a large image the most detailed of some random parts, and what made that."""
    if max(lr.shape[-2:]) <= RESULT_SIDE:
        return lr, degradation
    parts = [random_crop(lr, RESULT_SIDE, generator, degradation.wraps) for _ in range(CANDIDATES)]
    part = max(parts, key=lambda part: float(part.diff(dim=-1).abs().mean() + part.diff(dim=-2).abs().mean()))
    return part, replace(degradation, wrap="")  # a part does not continue on its other side


def as_one_tile(run: Run) -> Run:
    """Return how a first result is made: in silence, and whatever memory is free in one tile.

    What tiles change by rounding, learning would magnify.
    """
    return replace(run, report=None, tile=RESULT_SIDE)


def shrunk_copies(result: Tensor, factors: Iterable[float], degradation: Degradation) -> list[Tensor]:
    """Return smaller copies of a result, of whole cells of HR pixels, none smaller than the kernel.

    Args:
        result: (N, C, H, W) in [0, 1].
        factors: that it is shrunk by, one for each copy.
        degradation: that will make sons of the copies.
    """
    cells = [max(1, round(scale)) for scale in degradation.scales]
    copies = []
    for factor in factors:
        copy = resize(result, factor).clamp_(0, 1)
        height, width = (n // cell * cell for n, cell in zip(copy.shape[-2:], cells, strict=True))
        if min(height, width) >= degradation.reach:
            copies.append(copy[..., :height, :width])
    return copies


def rounding_like(lr: Tensor) -> Callable[[Tensor], Tensor]:
    """Return what rounds sons to 8 bits if the image is: what is finer in them, the network must not learn to use."""
    levels = 255 * lr
    has_8_bits = torch.allclose(levels, levels.round(), rtol=0, atol=LEVEL_SLACK)
    return quantized if has_8_bits else lambda sons: sons
