"""PSNR, SSIM and consistency of a result. Knows nothing about files or methods.

Images are (N, C, H, W) in [0, 1]; every measure is one float, the mean over the batch, and is computed on the
CPU in float64, so that it does not depend on the device.

`psnr_y` and `ssim_y` follow the protocol of the super-resolution field, so that their numbers can be held
against published tables: 8-bit rounding, rounded BT.601 luma, `shave` border pixels left out (in most papers
as many as the scale).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import require_dense
from innersr.metrics.grey_levels import PEAK, as_float64, check_image, luma, shape_text, to_grey_levels
from innersr.physics.kernels import gaussian_window

Shave = int | tuple[int, int]  # border pixels left out on each side: one number or (vertical, horizontal)
SSIM_WINDOW = 11  # pixels of the side


def psnr_y(sr: Tensor, hr: Tensor, shave: Shave) -> float:
    """PSNR of the luma in dB, by the field's protocol.

    Grey images are compared by their grey values, images of neither 1 nor 3 channels by the mean squared error over
    all channels.

    It is inf when result and truth, both (N, C, H, W) in [0, 1] and clipped to it, agree in every compared 8-bit value.

    Raises:
        InputError: not two images of the same shape in floating point, or nothing left to compare.
    """
    return _psnr(*_compared(sr, hr, shave, _luma_or_channels))


def ssim_y(sr: Tensor, hr: Tensor, shave: Shave) -> float:
    """SSIM of the luma by the field's protocol, 1 for equal images.

    Wang et al. 2004, section III-C: Gaussian window of 11x11 pixels and sigma 1.5, K1 = 0.01, K2 = 0.03,
    L = 255, mean over the positions where the window fits. Without a luma (see `psnr_y`) it is the mean over
    the channels. Arguments and errors as `psnr_y`; 11x11 pixels must be left.
    """
    return _ssim(*_compared(sr, hr, shave, _luma_or_channels, least=SSIM_WINDOW))


def psnr(sr: Tensor, hr: Tensor, shave: Shave = 0) -> float:
    """PSNR in dB from the mean squared error over all channels; arguments and errors as `psnr_y`."""
    return _psnr(*_compared(sr, hr, shave, to_grey_levels))


def ssim(sr: Tensor, hr: Tensor, shave: Shave = 0) -> float:
    """Mean SSIM of all channels; arguments and errors as `ssim_y`."""
    return _ssim(*_compared(sr, hr, shave, to_grey_levels, least=SSIM_WINDOW))


METRICS = {metric.__name__: metric for metric in (psnr_y, ssim_y, psnr, ssim)}
"""Measures that compare a result with the truth: called as (sr, hr, shave), better when higher."""


def consistency_psnr(sr: Tensor, lr: Tensor, degrade: Callable[[Tensor], Tensor]) -> float:
    """PSNR between the degraded result and the input in dB: whether the result, shrunk again, is the input.

    It needs no truth. A low value proves that the result contradicts the input; a high one proves little, as many
    images shrink to the same input. Peak 1, neither rounded nor clipped, so that it resolves differences far below
    an 8-bit level; inf when the two are equal. One channel is computed at a time, to save memory.

    Args:
        sr: the result, (N, C, sH, sW) in [0, 1].
        lr: the input it was made from, (N, C, H, W).
        degrade: shrinks one channel of a large image, (N, 1, sH, sW), as the input was shrunk, without noise.

    Raises:
        InputError: the numbers of channels differ, or degrade(sr) does not have the shape of lr.
    """
    if require_dense(sr).shape[:-2] != require_dense(lr).shape[:-2]:
        raise InputError(
            f"the result has the shape {shape_text(sr)}, the input {shape_text(lr)}; give images of the same channels"
        )
    squares = torch.zeros(len(sr), dtype=torch.float64)
    for large, small in zip(sr.split(1, dim=1), lr.split(1, dim=1), strict=True):
        check_image(large)
        check_image(small)
        with torch.no_grad():
            shrunk = degrade(large)
        if shrunk.shape != small.shape:
            raise InputError(
                f"the result shrinks to {shape_text(shrunk)}, but the input is {shape_text(small)}; "
                "give the degradation that the result was made for"
            )
        squares += (as_float64(shrunk) - as_float64(small)).square().sum(dim=(1, 2, 3))
    return float((10 * torch.log10(lr[0].numel() / squares)).mean())


def local_mean(x: Tensor, size: int, sigma: float) -> Tensor:
    """Mean of (N, C, H, W) under a Gaussian window of odd size where it fits: (N, C, H - size + 1, W - size + 1)."""
    weights = gaussian_window(sigma, size // 2).tolist()
    return _slide(_slide(x, weights, dim=-2), weights, dim=-1)


def _compared(
    sr: Tensor, hr: Tensor, shave: Shave, planes: Callable[[Tensor], Tensor], least: int = 1
) -> tuple[Tensor, Tensor]:
    """The `planes` of both images without the border, at least least x least."""
    if require_dense(sr).shape != require_dense(hr).shape:
        raise InputError(
            f"the result is {shape_text(sr)}, but the truth is {shape_text(hr)}; "
            "crop the truth to a multiple of the scale first"
        )
    vertical, horizontal = (shave, shave) if isinstance(shave, int) else shave
    if min(vertical, horizontal) < 0:
        raise InputError(f"shave must not be negative, got {shave}")
    a, b = planes(sr), planes(hr)
    height, width = a.shape[-2] - 2 * vertical, a.shape[-1] - 2 * horizontal
    if min(height, width) < least:
        raise InputError(
            f"shaving {shave} off an image of {a.shape[-1]}x{a.shape[-2]} pixels leaves less than "
            f"{least}x{least}; use a larger image"
        )
    inside = (..., slice(vertical, vertical + height), slice(horizontal, horizontal + width))
    return a[inside], b[inside]


def _luma_or_channels(x: Tensor) -> Tensor:
    return luma(x) if x.ndim == 4 and x.shape[1] == 3 else to_grey_levels(x)


def _psnr(a: Tensor, b: Tensor) -> float:
    mse = (a - b).square().mean(dim=(1, 2, 3))
    return float((10 * torch.log10(PEAK**2 / mse)).mean())


def _ssim(a: Tensor, b: Tensor) -> float:
    # Wang et al. 2004, eq. 13, with the moments of eqs. 14 to 16.
    mean_a, mean_b, square_a, square_b, product = (
        local_mean(x, SSIM_WINDOW, sigma=1.5) for x in (a, b, a * a, b * b, a * b)
    )
    variances = square_a - mean_a.square() + square_b - mean_b.square()
    covariance = product - mean_a * mean_b
    C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    luminance = (2 * mean_a * mean_b + C1) / (mean_a.square() + mean_b.square() + C1)
    structure = (2 * covariance + C2) / (variances + C2)
    return float((luminance * structure).mean())


def _slide(x: Tensor, weights: list[float], dim: int) -> Tensor:
    """Weighted sums of neighbours along `dim`, several times faster than a convolution in float64."""
    length = x.shape[dim] - len(weights) + 1
    total = weights[0] * x.narrow(dim, 0, length)
    for start, weight in enumerate(weights[1:], start=1):
        total.add_(x.narrow(dim, start, length), alpha=weight)
    return total
