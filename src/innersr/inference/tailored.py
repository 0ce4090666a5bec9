"""Super-resolution with a TailoredStack, conditioned on the degradation, tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.inference.tiling import apply_tiled, tile_side, with_halo
from innersr.networks.convolutions import Layers, run_convolutions
from innersr.networks.tailored_stack import MAX_TRAINED_NOISE, TailoredStack, conditioning_vector
from innersr.physics.degradation import Degradation
from innersr.physics.jpeg import compression_error
from innersr.physics.pseudoinverse import RADIUS, apply_filters, correction_filters, inverse_filters, taps_of
from innersr.physics.resize import Window, cut, image_size
from innersr.physics.symmetries import SYMMETRIES, apply_symmetry, undo_symmetry
from innersr.run import Run


class Conditioning(NamedTuple):
    """Inputs that condition a network on degradations, one for each image, or N of 1 for all of them."""

    vector: Tensor  # (N, CONDITIONING_SIZE + COMPRESSION_SIZE)
    filters: Tensor  # (N, s * s, 2 * RADIUS + 1, 2 * RADIUS + 1), of the regularised pseudo-inverse
    scale: int


def knowable_to(network: TailoredStack, degradation: Degradation) -> Degradation:
    """The degradation within what a network has learnt: without compression it does not know, or louder noise."""
    compression = degradation.compression if network.knows_compression else 0.0
    return replace(degradation, compression=compression, noise=min(degradation.noise, MAX_TRAINED_NOISE))


def condition_on(degradation: Degradation, device: torch.device) -> Conditioning:
    """Compute the conditioning on a degradation of one whole scale for both axes."""
    scale = round(degradation.scales[0])
    taps = taps_of(degradation)[None].to(device)
    levels = (torch.tensor([level], device=device) for level in (degradation.noise, degradation.compression))
    return condition_on_taps(taps, scale, *levels)


def condition_on_taps(taps: Tensor, scale: int, noise: Tensor, compression: Tensor) -> Conditioning:
    """Compute the conditioning on degradations, one for each image of a batch.

    Args:
        taps: (N, T, T) effective kernels, see `pseudoinverse.taps_of`.
        scale: HR pixels per LR pixel.
        noise: (N,) standard deviations.
        compression: (N,) strengths in [0, 1]; sharpening must not amplify compression artefacts either.
    """
    vector = conditioning_vector(taps, scale, noise, compression)
    unexplained = torch.hypot(noise, compression_error(compression))
    return Conditioning(vector, inverse_filters(taps, scale, unexplained), scale)


def super_resolve_padded(layers: Layers, conditioning: Conditioning, around: Tensor, run: Run | None = None) -> Tensor:
    """Compute the HR image, (N, C, s * h, s * w): the pseudo-inverse plus the predicted detail; not clipped.

    Args:
        layers: folded from a network for this conditioning.
        conditioning: on the degradation.
        around: (N, C, h + 2 * RADIUS, w + 2 * RADIUS), the LR image with its surroundings, see `pad_for_filters`.
        run: precision of the network; fp32 when None.
    """
    lr = around[..., RADIUS:-RADIUS, RADIUS:-RADIUS]
    solution = apply_filters(around, conditioning.filters)
    inputs = torch.cat([lr, solution], dim=1)
    with nullcontext() if run is None else run.autocast():
        lacking = run_convolutions(layers, inputs)
    return F.pixel_shuffle(solution + lacking.float() * texture_mask(around), conditioning.scale)


def texture_mask(around: Tensor) -> Tensor:
    """Compute (N, 1, h, w): 0 in flat places of an LR image, 1 where 7x7 pixels vary by an 8-bit level or more.

    Flat places lack nothing, and black stays black, which a network with biases does not know exactly.
    """
    inner = slice(RADIUS - 3, 3 - RADIUS)
    near = around.detach()[..., inner, inner]
    spread = _extreme_of_7x7(near, torch.maximum) - _extreme_of_7x7(near, torch.minimum)
    return (255 * spread.amax(1, keepdim=True)).clamp(max=1)


def _extreme_of_7x7(x: Tensor, extreme: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Maximum or minimum of every 7x7 window, (..., h - 6, w - 6), by spans of 2, 4 and 7: `max_pool2d` is slower."""
    for axis in (-2, -1):
        for step in (1, 2, 3):
            size = x.shape[axis] - step
            x = extreme(x.narrow(axis, 0, size), x.narrow(axis, step, size))
    return x


@torch.no_grad()
def super_resolve_tailored(
    network: TailoredStack,
    lr: Tensor,
    degradation: Degradation,
    run: Run,
    *,
    symmetries: Sequence[int] = SYMMETRIES,
) -> Tensor:
    """Super-resolve an image with a network conditioned on its degradation; not clipped.

    Args:
        network: trained for the scale.
        lr: (N, C, h, w). Channels of another number than the network's are super-resolved as grey images.
        degradation: of `lr`, of one whole scale for both axes.
        run: device, precision, tile size, progress.
        symmetries: over which the mean is taken; the kernel is transformed with the image.
    """
    fits = {k: condition_on(degradation.transformed(k), lr.device) for k in symmetries}
    images = to_network_channels(lr, network)
    layers = {k: network.folded(fit.scale, fit.vector, images.shape[1]) for k, fit in fits.items()}
    scale, lr_size = round(degradation.scales[0]), image_size(lr)
    result = lr.new_empty(*images.shape[:2], scale * lr_size[0], scale * lr_size[1])

    def view(around: Tensor, symmetry: int) -> Tensor:
        turned = super_resolve_padded(layers[symmetry], fits[symmetry], apply_symmetry(around, symmetry), run)
        return undo_symmetry(turned, symmetry)

    def part(tile: Window) -> Tensor:
        outer = with_halo(tile, network.depth, lr_size, degradation.wraps)
        around = Window(outer.top - RADIUS, outer.left - RADIUS, outer.bottom + RADIUS, outer.right + RADIUS)
        pixels = cut(images, around, degradation.wraps)
        whole = view(pixels, symmetries[0])
        for symmetry in symmetries[1:]:
            whole += view(pixels, symmetry)
        whole /= len(symmetries)
        top, left = scale * (tile.top - outer.top), scale * (tile.left - outer.left)
        rows, columns = scale * (tile.bottom - tile.top), scale * (tile.right - tile.left)
        return whole[..., top : top + rows, left : left + columns]

    buffers = 5  # feature maps that a convolution holds at a time, and spectra of the solution
    results = (buffers + 2) * images.shape[1] * scale**2  # 2: the sum of the views, and the next of them
    side = tile_side(lr_size, run, pixel_floats=images.shape[0] * (buffers * network.width + results))
    apply_tiled(part, lr_size, result, side=side, run=run, stage="upscale")
    return result.reshape(*lr.shape[:2], *result.shape[-2:])


@torch.no_grad()
def project_to_consistency(sr: Tensor, lr: Tensor, degradation: Degradation, *, rounds: int, run: Run) -> Tensor:
    """Project `sr`, in place, alternately onto the images that shrink to `lr` and onto [0, 1].

    Each round adds the regularised pseudo-inverse of the residual, and clips. One is as good as many steps of
    back-projection. Of a noisy or compressed image `sr` is only clipped, because noise and artefacts would come back.

    Args:
        sr: (N, C, s * h, s * w), written to.
        lr: (N, C, h, w).
        degradation: of one whole scale for both axes.
        rounds: of projections.
        run: progress, cancelling.
    """
    sr.clamp_(0, 1)
    if degradation.noise > 0 or degradation.compression > 0:
        return sr
    scale = round(degradation.scales[0])
    filters = correction_filters(taps_of(degradation)[None].to(lr.device), scale, lr.new_zeros(1))
    planes = [*zip(sr.flatten(0, 1)[:, None, None], lr.flatten(0, 1)[:, None, None], strict=True)]
    for index in run.steps("correct", rounds * len(planes), limited=False):
        plane, lr_plane = planes[index % len(planes)]
        residual = pad_for_filters(lr_plane - degradation.forward(plane, image_size(lr)), degradation.wraps)
        plane.add_(F.pixel_shuffle(apply_filters(residual, filters), scale)).clamp_(0, 1)
    return sr


def pad_for_filters(x: Tensor, wraps: tuple[bool, bool] = (False, False)) -> Tensor:
    """Pad (N, C, h, w) with RADIUS pixels of its extension on each side, as the filters need."""
    return cut(x, Window(-RADIUS, -RADIUS, x.shape[-2] + RADIUS, x.shape[-1] + RADIUS), wraps)


def to_network_channels(x: Tensor, network: TailoredStack) -> Tensor:
    """Reshape (N, C, H, W) for a network: N * C grey images, if C is not its number of channels."""
    return x if x.shape[1] == network.channels else x.flatten(0, 1)[:, None]
