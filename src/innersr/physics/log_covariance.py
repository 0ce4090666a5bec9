"""Gaussian blurs as log-covariance matrices."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.physics.kernels import gaussian_field
from innersr.physics.pseudoinverse import REACH
from innersr.physics.resize import cubic

SCALE = 2  # of the pseudo-inverse that the predictor sees, whatever the image's own
FLOOR = 0.03  # LR px^2, added to covariances before their logarithm
NARROWEST_VARIANCE = 0.05  # HR px^2; a narrower Gaussian would fall between two pixels


class GaussianBlur(NamedTuple):
    """Gaussian blurs as the logarithm of their covariance in LR px^2, with or without cubic shrinking after them."""

    log: Tensor  # (N, 3): size l and shape a, b of log(C + FLOOR) = [[l + a, b], [b, l - a]], columns before rows
    is_bicubic: Tensor  # (N,) bool


def taps_of_blur(blur: GaussianBlur, scale: int = SCALE, places: Tensor | None = None) -> Tensor:
    """Effective kernels of blurs, (N, T, T), see `pseudoinverse.taps_of`.

    Their centres of mass are at `places`, (N, 2) rows and columns from the sampled HR pixel; aligned when None.
    """
    radius, aligned = scale * REACH, (scale - 1) / 2
    axis = torch.arange(-radius, radius + 1, device=blur.log.device).to(blur.log)
    middle = blur.log.new_full((len(blur.log), 2), aligned) if places is None else places
    # Cubic shrinking is centred on the cell by itself.
    middle = middle - aligned * blur.is_bicubic[:, None]
    y, x = (axis - middle[:, :1])[:, :, None], (axis - middle[:, 1:])[:, None]
    covariance = scale**2 * covariance_from_log(blur.log) + NARROWEST_VARIANCE * torch.eye(2).to(blur.log)
    precision = torch.linalg.inv(covariance).permute(1, 2, 0)[..., None, None]
    gaussian = gaussian_field(y, x, precision)
    shrinking = cubic((torch.arange(-2 * scale, 2 * scale + 1).to(axis) - aligned) / scale)
    rows = shrinking.flip(0)[None, None, :, None]
    blurred = F.conv2d(F.conv2d(gaussian[:, None], rows, padding="same"), rows.mT, padding="same")[:, 0]
    taps = torch.where(blur.is_bicubic[:, None, None], blurred, gaussian)
    return taps / taps.sum((-2, -1), keepdim=True)


def covariance_from_log(log: Tensor) -> Tensor:
    """Covariances (..., 2, 2) in LR px^2, [[xx, xy], [xy, yy]], of logarithms (..., 3); see `GaussianBlur.log`."""
    size, a, b = log.unbind(-1)
    radius = torch.hypot(a, b)
    mean, spread = size.exp() * radius.cosh(), size.exp() * torch.where(radius > 1e-6, radius.sinh() / radius, 1.0)
    xx, yy, xy = mean + spread * a - FLOOR, mean - spread * a - FLOOR, spread * b
    matrix = torch.stack([torch.stack([xx, xy], -1), torch.stack([xy, yy], -1)], -2)
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag_embed(values.clamp(min=0)) @ vectors.mT


def log_from_covariance(covariance: Tensor) -> Tensor:
    """Logarithms (..., 3), see `GaussianBlur.log`, of (..., 2, 2) in LR px^2; negative variances count as 0."""
    values, vectors = torch.linalg.eigh(covariance)
    log = vectors @ torch.diag_embed((values.clamp(min=0) + FLOOR).log()) @ vectors.mT
    xx, yy, xy = log[..., 0, 0], log[..., 1, 1], log[..., 0, 1]
    return torch.stack([(xx + yy) / 2, (xx - yy) / 2, xy], -1)


def blur_of_taps(taps: Tensor, scale: int = SCALE) -> tuple[GaussianBlur, Tensor]:
    """Fit blurs to effective kernels by their moments; also returns the centres of mass; see `taps_of_blur`.

    The moments of the cubic kernel itself are 0.
    """
    axis = torch.arange(taps.shape[-1]).to(taps) - taps.shape[-1] // 2
    rows, columns = (taps.sum(d) @ axis for d in (-1, -2))
    yy = taps.sum(-1) @ axis.square() - rows.square()
    xx = taps.sum(-2) @ axis.square() - columns.square()
    xy = torch.einsum("nij,i,j->n", taps, axis, axis) - rows * columns
    covariance = torch.stack([torch.stack([xx, xy], -1), torch.stack([xy, yy], -1)], -2) / scale**2
    # The lobes of a cubic kernel are negative by more than this share of the largest tap.
    is_bicubic = taps.amin((-2, -1)) < -0.004 * taps.amax((-2, -1))
    return GaussianBlur(log_from_covariance(covariance), is_bicubic), torch.stack([rows, columns], 1)
