"""Geometric self-ensemble: the median of results over flips and rotations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from innersr.physics.symmetries import apply_symmetry, undo_symmetry

MEDIAN_COPIES = 5  # memory of the median in units of its views': they, sorted, and their indices as int64


def self_ensemble(upscale: Callable[[Tensor, int], Tensor], x: Tensor, symmetries: Sequence[int]) -> Tensor:
    """Compute the pixelwise median of `upscale` over transformed copies of `x`, transformed back.

    ZSSR's geometric self-ensemble (Shocher 2018, sec. 3.2; Timofte 2016, sec. 3.7).

    Args:
        upscale: maps a transformed copy, (N, C, h, w), and the number of its symmetry to (N, C, sh, sw).
        x: (N, C, h, w).
        symmetries: of the degradation, `Degradation.symmetries()`.
    """
    return _median(torch.stack([undo_symmetry(upscale(apply_symmetry(x, k), k), k) for k in symmetries]))


def _median(x: Tensor) -> Tensor:
    """Median over the first axis; of an even count the mean of the two middle values.

    torch.median would take the lower one and darken the image.
    """
    ordered = x.sort(dim=0).values
    return (ordered[len(x) // 2] + ordered[(len(x) - 1) // 2]) / 2
