"""Super-resolution with a DetailStack: interpolation plus the detail that the network predicts, tile by tile."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from innersr.inference.self_ensemble import MEDIAN_COPIES, self_ensemble
from innersr.inference.tiling import apply_tiled, hr_part, tile_side, with_halo
from innersr.networks.detail_stack import DetailStack
from innersr.physics.degradation import Degradation
from innersr.physics.resize import Window, cut, image_size
from innersr.run import Run


@torch.no_grad()
def super_resolve(
    network: DetailStack, lr: Tensor, degradation: Degradation, run: Run, *, ensemble: bool, stage: str = "upscale"
) -> Tensor:
    """Interpolate an image and add the detail that a network predicts; not clipped.

    Args:
        network: trained for this degradation; its factors are (1, 1) or the scale.
        lr: (N, C, h, w).
        degradation: of `lr`.
        run: device, tile size, progress.
        ensemble: whether to take the median over the symmetries that the degradation allows.
        stage: name of this work in progress reports.

    Returns:
        (N, C, H, W), `degradation.hr_size` of lr's.
    """
    lr_size = image_size(lr)
    size = degradation.hr_size(lr_size)
    result = lr.new_empty(*lr.shape[:2], *size)
    views = view_shifts(network, degradation) if ensemble else {0: (0, 0)}
    farthest = max(-(-abs(m) // f) for moves in views.values() for m, f in zip(moves, network.factors, strict=True))

    def part(tile: Window) -> Tensor:
        window = hr_part(tile, lr_size, size)
        base = degradation.upsample(lr, size, window)
        place, whole = (tile, lr_size) if network.sees_lr else (window, size)
        outer = with_halo(place, network.radius + farthest, whole, degradation.wraps)
        source = cut(lr, outer, degradation.wraps) if network.sees_lr else degradation.upsample(lr, size, outer)
        detail = self_ensemble(lambda turned, k: _moved(network(turned), views[k]), source, tuple(views))
        top, left = ((a - b) * f for a, b, f in zip(place, outer, network.factors, strict=False))
        return base + detail[..., top : top + base.shape[-2], left : left + base.shape[-1]]

    enlarged = degradation.scales[0] * degradation.scales[1]
    buffers = 4  # feature maps that a convolution holds at a time: its input, its output and a rearranged copy
    features = buffers * network.width * (1 if network.sees_lr else enlarged)
    results = MEDIAN_COPIES * lr.shape[1] * enlarged * len(views)
    side = tile_side(lr_size, run, pixel_floats=lr.shape[0] * (features + results))
    return apply_tiled(part, lr_size, result, side=side, run=run, stage=stage)


def view_shifts(network: DetailStack, degradation: Degradation) -> Mapping[int, tuple[int, int]]:
    """Map the symmetries of the degradation to the shifts of the detail that the network predicts.

    In a transformed image the LR pixels may lie whole HR pixels away from where they were. The interpolated image
    contains that shift; the LR image does not, so the detail of a network on the LR image is shifted back.
    """
    if not network.sees_lr:
        return dict.fromkeys(degradation.symmetries(), (0, 0))
    top, left = degradation.offsets
    offsets = {symmetry: degradation.transformed(symmetry).offsets for symmetry in degradation.symmetries()}
    return {symmetry: (round(moved[0] - top), round(moved[1] - left)) for symmetry, moved in offsets.items()}


def _moved(x: Tensor, by: tuple[int, int]) -> Tensor:
    """Shift x by whole pixels, with replicated borders."""
    for axis, shift in zip((-2, -1), by, strict=True):
        if shift:
            places = (torch.arange(x.shape[axis], device=x.device) - shift).clamp(0, x.shape[axis] - 1)
            x = x.index_select(axis, places)
    return x
