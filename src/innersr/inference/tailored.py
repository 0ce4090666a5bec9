"""A tailored network at work on one degradation: what it sees, what it gives, tile by tile."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.inference.tiling import FLOAT, apply_tiled, grown, tile_side
from innersr.networks.tailored_stack import Layers, TailoredStack, conditioning_vector, forward_folded
from innersr.physics.degradation import Degradation
from innersr.physics.pseudoinverse import RADIUS, apply_filters, correction_filters, inverse_filters, taps_of
from innersr.physics.resize import Window, cut
from innersr.physics.symmetries import SYMMETRIES, apply_symmetry, undo_symmetry
from innersr.run import Run

BUFFERS = 5  # feature maps that a convolution holds at a time, and spectra of the solution
SUMMED = 2  # results held at a time: the sum of the views, and the next of them
NEAR = 3  # LR pixels around a pixel that have to be equal for it to lie in a flat place


class Conditioning(NamedTuple):
    """What a network needs for one degradation in one orientation."""

    vector: Tensor
    """(1, CONDITIONING_SIZE)"""
    filters: Tensor
    """(1, s * s, 2 * RADIUS + 1, 2 * RADIUS + 1)"""
    scale: int


def condition_on(degradation: Degradation, device: torch.device) -> Conditioning:
    """Return what the network has to know of a degradation of one whole scale for both axes."""
    scale = round(degradation.scales[0])
    taps = taps_of(degradation)[None].to(device)
    noise = torch.tensor([degradation.noise], device=device)
    return Conditioning(conditioning_vector(taps, scale, noise), inverse_filters(taps, scale, noise), scale)


def super_resolve_padded(layers: Layers, conditioning: Conditioning, around: Tensor, run: Run | None = None) -> Tensor:
    """Return the HR image, not clipped.

    Args:
        layers: folded from a network for this conditioning.
        conditioning: to the degradation.
        around: (N, C, h + 2 * RADIUS, w + 2 * RADIUS), the LR image with its surroundings.
        run: at whose precision the network is passed; fp32 when None.

    Returns:
        (N, C, s * h, s * w).
    """
    lr = around[..., RADIUS:-RADIUS, RADIUS:-RADIUS]
    solution = apply_filters(around, conditioning.filters)
    seen = torch.cat([lr, solution], dim=1)
    with nullcontext() if run is None else run.autocast():
        lacking = forward_folded(layers, seen)
    return F.pixel_shuffle(solution + lacking.float() * texture_mask(around), conditioning.scale)


def texture_mask(around: Tensor) -> Tensor:
    """Return, (N, 1, h, w), 0 where an LR image is flat around a pixel, 1 where it varies by an 8-bit level.

    In flat places nothing is lacking, and black stays black, which a network with biases does not know exactly.
    """
    inner = slice(RADIUS - NEAR, NEAR - RADIUS)
    near = around.detach()[..., inner, inner]
    sides = 2 * NEAR + 1
    spread = F.max_pool2d(near, sides, stride=1) + F.max_pool2d(-near, sides, stride=1)
    return (255 * spread.amax(1, keepdim=True)).clamp(max=1)


@torch.no_grad()
def super_resolve_tailored(
    network: TailoredStack,
    lr: Tensor,
    degradation: Degradation,
    run: Run,
    *,
    symmetries: Sequence[int] = SYMMETRIES,
    stage: str = "upscale",
) -> Tensor:
    """Return what a network makes of an image, not clipped.

    Args:
        network: that knows the scale.
        lr: (N, C, h, w). Where its bands are not the network's colours, each is taken for a grey image.
        degradation: what made it, of one whole scale that the network knows.
        run: where; how large a tile; told the progress.
        symmetries: whose mean to take, of the image turned by each; its kernel is turned, too.
        stage: name of this work in the reports.

    Returns:
        (N, C, s * h, s * w).
    """
    fits = {k: condition_on(degradation.transformed(k), lr.device) for k in symmetries}
    images = to_network_channels(lr, network)
    layers = {k: network.folded(fit.scale, fit.vector, images.shape[1]) for k, fit in fits.items()}
    scale, lr_size = round(degradation.scales[0]), (lr.shape[-2], lr.shape[-1])
    result = lr.new_empty(*images.shape[:2], scale * lr_size[0], scale * lr_size[1])

    def view(around: Tensor, symmetry: int) -> Tensor:
        turned = super_resolve_padded(layers[symmetry], fits[symmetry], apply_symmetry(around, symmetry))
        return undo_symmetry(turned, symmetry)

    def part(tile: Window) -> Tensor:
        seen = grown(tile, network.depth, lr_size, degradation.wraps)
        around = Window(seen.top - RADIUS, seen.left - RADIUS, seen.bottom + RADIUS, seen.right + RADIUS)
        pixels = cut(images, around, degradation.wraps)
        whole = view(pixels, symmetries[0])
        for symmetry in symmetries[1:]:
            whole += view(pixels, symmetry)
        whole /= len(symmetries)
        top, left = scale * (tile.top - seen.top), scale * (tile.left - seen.left)
        rows, columns = scale * (tile.bottom - tile.top), scale * (tile.right - tile.left)
        return whole[..., top : top + rows, left : left + columns]

    results = (BUFFERS + SUMMED) * images.shape[1] * scale**2
    side = tile_side(lr_size, run, pixel_bytes=FLOAT * images.shape[0] * (BUFFERS * network.width + results))
    apply_tiled(part, lr_size, result, side=side, run=run, stage=stage)
    return result.reshape(*lr.shape[:2], *result.shape[-2:])


@torch.no_grad()
def project_to_consistency(sr: Tensor, lr: Tensor, degradation: Degradation, *, rounds: int, run: Run) -> Tensor:
    """Make `sr`, in place, shrink to `lr`, and keep it within [0, 1]: alternating projections.

    Each round adds what the operator's regularised inverse makes of the residual, and clips. One is as good as many
    steps of back-projection. An image with noise is left alone: it would come back.

    Args:
        sr: (N, C, s * h, s * w), written to.
        lr: (N, C, h, w).
        degradation: of one whole scale for both axes.
        rounds: of projections.
        run: told the progress; may cancel.

    Returns:
        `sr`, now in [0, 1].
    """
    sr.clamp_(0, 1)
    if degradation.noise > 0:
        return sr
    taps = taps_of(degradation)[None].to(lr.device)
    filters = correction_filters(taps, round(degradation.scales[0]), lr.new_zeros(1))
    size = (lr.shape[-2], lr.shape[-1])
    planes = [*zip(sr.flatten(0, 1)[:, None, None], lr.flatten(0, 1)[:, None, None], strict=True)]
    for index in run.steps("correct", rounds * len(planes), limited=False):
        plane, seen = planes[index % len(planes)]
        residual = pad_for_filters(seen - degradation.forward(plane, size), degradation.wraps)
        plane.add_(F.pixel_shuffle(apply_filters(residual, filters), round(degradation.scales[0]))).clamp_(0, 1)
    return sr


def pad_for_filters(x: Tensor, wraps: tuple[bool, bool] = (False, False)) -> Tensor:
    """Return (N, C, h, w) with what filters see around it, RADIUS pixels of its extension on each side."""
    return cut(x, Window(-RADIUS, -RADIUS, x.shape[-2] + RADIUS, x.shape[-1] + RADIUS), wraps)


def to_network_channels(x: Tensor, network: TailoredStack) -> Tensor:
    """Return (N, C, H, W) as a network sees it: as it is, or as N * C grey images."""
    return x if x.shape[1] == network.channels else x.flatten(0, 1)[:, None]
