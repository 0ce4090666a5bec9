"""From a trained network to an upscaler: interpolation plus the detail that the network sees in it, tile by tile."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from innersr.inference.self_ensemble import SORTED, self_ensemble
from innersr.inference.tiling import FLOAT, apply_tiled, grown, hr_part, tile_side
from innersr.networks.detail_stack import DetailStack
from innersr.physics.degradation import Degradation
from innersr.physics.resize import Window, cut
from innersr.run import Run

BUFFERS = 4  # feature maps that a convolution holds at a time: what it reads, writes and rearranges


@torch.no_grad()
def super_resolve(
    network: DetailStack, lr: Tensor, degradation: Degradation, run: Run, *, ensemble: bool, stage: str = "upscale"
) -> Tensor:
    """Return the interpolated image with the detail of a network, not clipped.

    Args:
        network: that has learnt this degradation; its factors are (1, 1) or the scale.
        lr: (N, C, h, w).
        degradation: what made `lr`.
        run: where; how large a tile; told the progress.
        ensemble: whether to take the median over the symmetries that the degradation allows.
        stage: name of this work in the reports.

    Returns:
        (N, C, H, W), `degradation.hr_size` of lr's.
    """
    lr_size = (lr.shape[-2], lr.shape[-1])
    size = degradation.hr_size(lr_size)
    result = lr.new_empty(*lr.shape[:2], *size)
    views = _views(network, degradation) if ensemble else {0: (0, 0)}
    farthest = max(-(-abs(m) // f) for moves in views.values() for m, f in zip(moves, network.factors, strict=True))

    def detail_of(turned: Tensor, symmetry: int) -> Tensor:
        return _moved(network(turned), views[symmetry])

    def part(tile: Window) -> Tensor:
        window = hr_part(tile, lr_size, size)
        base = degradation.upsample(lr, size, window)
        place, whole = (tile, lr_size) if network.sees_lr else (window, size)
        seen = grown(place, network.radius + farthest, whole, degradation.wraps)
        source = cut(lr, seen, degradation.wraps) if network.sees_lr else degradation.upsample(lr, size, seen)
        detail = self_ensemble(detail_of, source, tuple(views))
        top, left = ((a - b) * f for a, b, f in zip(place, seen, network.factors, strict=False))
        return base + detail[..., top : top + base.shape[-2], left : left + base.shape[-1]]

    enlarged = degradation.scales[0] * degradation.scales[1]
    features = BUFFERS * network.width * (1 if network.sees_lr else enlarged)
    results = SORTED * lr.shape[1] * enlarged * len(views)
    side = tile_side(lr_size, run, pixel_bytes=FLOAT * lr.shape[0] * (features + results))
    return apply_tiled(part, lr_size, result, side=side, run=run, stage=stage)


def _views(network: DetailStack, degradation: Degradation) -> Mapping[int, tuple[int, int]]:
    """Return the symmetries of the degradation, and how far each moves the detail that the network gives.

    A turned image may have its LR pixels elsewhere on the HR grid, whole pixels away. The interpolated image
    tells a network where they are; the LR image itself does not, and the network takes them for unmoved.
    """
    if not network.sees_lr:
        return dict.fromkeys(degradation.symmetries(), (0, 0))
    views = {}
    for symmetry in degradation.symmetries():
        moves = [b - a for a, b in zip(degradation.offsets, degradation.transformed(symmetry).offsets, strict=True)]
        views[symmetry] = (round(moves[0]), round(moves[1]))
    return views


def _moved(x: Tensor, by: tuple[int, int]) -> Tensor:
    """Return x moved by whole pixels; what comes in over the border repeats it."""
    for axis, shift in zip((-2, -1), by, strict=True):
        if shift:
            places = (torch.arange(x.shape[axis], device=x.device) - shift).clamp(0, x.shape[axis] - 1)
            x = x.index_select(axis, places)
    return x
