"""Regularised pseudo-inverse of a degradation as small filters on the LR grid. Knows no network.

Where subsampling is direct and the scale s whole, an LR image is a sum of correlations, y = sum_p A_p x_p, with
x_p the HR pixels at place p of every s x s cell ("polyphase"). Interpolation on the degradation's own grid is
u_p = R_p y. The regularised pseudo-inverse adds what it lacks to explain y:

    x_p = R_p y + A_p^T (sum_q A_q A_q^T + lambda)^-1 (y - sum_q A_q R_q y) = G_p y

All of these are convolutions, so G_p is one too: s * s filters see the LR image and give the solution, cell by cell.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from innersr.physics.degradation import Degradation
from innersr.physics.kernels import normalised
from innersr.physics.resize import cubic, image_size

REACH = 6  # LR pixels from an LR pixel to the farthest HR pixel of its taps
RADIUS = 12  # LR pixels that the filters of the solution reach
GRID = 64  # LR pixels: period of the Fourier transforms that make the filters


def taps_of(degradation: Degradation, reach: int = REACH) -> Tensor:
    """Effective kernel of a degradation of one whole scale s, cut off at `reach` LR pixels.

    Returns:
        (2 * s * reach + 1, 2 * s * reach + 1), sum 1: element [s * reach + a, s * reach + b] weighs HR pixel
        (s * i + a, s * j + b) in LR pixel (i, j).
    """
    blur = degradation.effective_kernel().blur
    radius = reach * round(degradation.scales[0])
    taps = torch.zeros(2 * radius + 1, 2 * radius + 1)
    rows, columns = (
        slice(max(0, a - radius), min(n, a + radius + 1)) for a, n in zip(blur.anchor, blur.kernel.shape, strict=True)
    )
    top, left = rows.start - blur.anchor[0] + radius, columns.start - blur.anchor[1] + radius
    part = blur.kernel[rows, columns]
    taps[top : top + part.shape[0], left : left + part.shape[1]] = part
    return normalised(taps)


def inverse_filters(taps: Tensor, scale: int, noise: Tensor) -> Tensor:
    """Filters of the pseudo-inverse: they turn the LR image into the HR image.

    Args:
        taps: (N, T, T) effective kernels, see `taps_of`; T odd.
        scale: of both axes.
        noise: (N,) standard deviation of the LR images' noise; more of it makes the solution smoother.

    Returns:
        (N, s * s, 2 * RADIUS + 1, 2 * RADIUS + 1), to be convolved with the LR image, see `apply_filters`.
    """
    displacement = _displacement(scale, taps.device)
    operator, inverse = _spectra(taps, displacement, noise)
    axis = torch.arange(taps.shape[-1], device=taps.device) - taps.shape[-1] // 2
    centre = ((taps.sum(along) * axis).sum(-1) for along in (-1, -2))
    rows, columns = (cubic((displacement[None] - c[:, None, None]) / scale) for c in centre)
    interpolation = torch.fft.rfft2(torch.einsum("npi,nqj->npqij", rows, columns).flatten(1, 2).to(taps))
    lacking = 1 - (operator * interpolation).sum(1, keepdim=True)
    return _filters(interpolation + inverse * lacking)


def correction_filters(taps: Tensor, scale: int, noise: Tensor) -> Tensor:
    """Filters, of the shape of `inverse_filters`, from LR minus degraded HR image to the HR image's correction."""
    return _filters(_spectra(taps, _displacement(scale, taps.device), noise)[1])


def apply_filters(lr: Tensor, filters: Tensor) -> Tensor:
    """Convolve every channel with every filter.

    Args:
        lr: (N, C, h + 2 * RADIUS, w + 2 * RADIUS), with its surroundings.
        filters: (N, F, 2 * RADIUS + 1, 2 * RADIUS + 1).

    Returns:
        (N, C * F, h, w); with the filters of `inverse_filters` the HR solution after `pixel_unshuffle`.
    """
    height, width = image_size(lr)
    # The next multiple of 16 has a fast Fourier transform, a large prime a slow one.
    size = [-(-n // 16) * 16 for n in (height, width)]
    spectrum = torch.fft.rfft2(lr, s=size)[:, :, None] * torch.fft.rfft2(filters, s=size)[:, None]
    result = torch.fft.irfft2(spectrum, s=size)
    return result[..., 2 * RADIUS : height, 2 * RADIUS : width].flatten(1, 2)


def _displacement(scale: int, device: torch.device) -> Tensor:
    """Distance of every HR pixel of the period from the sampled one, by place in the cell: (s, GRID)."""
    places = torch.arange(GRID, device=device)
    places = torch.where(places < GRID // 2, places, places - GRID)
    return torch.arange(scale, device=device)[:, None] + scale * places[None]


def _spectra(taps: Tensor, displacement: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Transforms of the operator, A_p, and of its regularised inverse, by place in the cell."""
    operator = torch.fft.rfft2(_cells(taps, displacement)).conj()
    gram = operator.abs().square().sum(1, keepdim=True)
    detail = 0.03  # standard deviation of what interpolation lacks, in usual photographs
    regularisation = 2e-3 + (noise / detail).square()[:, None, None, None]
    return operator, operator.conj() / (gram + regularisation)


def _filters(spectra: Tensor) -> Tensor:
    """Filters of these transforms, their origin in the middle, their ends tapered to 0."""
    filters = torch.fft.irfft2(spectra, s=(GRID, GRID)).roll((RADIUS, RADIUS), (-2, -1))
    side = 2 * RADIUS + 1
    distance = (torch.arange(side, device=spectra.device) - RADIUS).abs()
    taper = 4  # the outermost pixels, over which the filters fall to 0
    fall = ((distance - (RADIUS - taper)) / (taper + 1)).clamp(0, 1)
    window = 0.5 * (1 + torch.cos(math.pi * fall)).to(filters)
    return filters[..., :side, :side] * window[:, None] * window


def _cells(taps: Tensor, displacement: Tensor) -> Tensor:
    """(N, s * s, GRID, GRID): the taps by place in the cell and by cell, around the period's origin."""
    radius = taps.shape[-1] // 2
    index = (displacement + radius).flatten()
    inside = (index >= 0) & (index < taps.shape[-1])
    index = index.clamp(0, taps.shape[-1] - 1)
    grown = taps[:, index][:, :, index] * (inside[:, None] & inside[None])
    scale = displacement.shape[0]
    return grown.reshape(-1, scale, GRID, scale, GRID).permute(0, 1, 3, 2, 4).flatten(1, 2)
