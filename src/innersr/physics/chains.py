"""Links of degradation chains except compression: soft scenes, shrinking filters, sharpening, kinds of noise.

Images are (N, C, H, W) float32 in [0, 1]. What is linear up to subsampling is a blur kernel: (N, T, T) taps around the
sampled HR pixel, see `pseudoinverse.taps_of`, so that sharpening after shrinking is part of the kernel that a method
is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian_window, normalised
from innersr.physics.pseudoinverse import REACH
from innersr.physics.resize import Scale, cubic

Filter = Literal["bicubic", "lanczos", "box"]
Noise = Literal["white", "grey", "correlated", "chroma", "poisson"]


def shrinking_taps(kind: Filter, scale: int) -> Tensor:
    """Taps, (T, T) of sum 1, of antialiased shrinking that puts both images edge to edge."""
    axis = torch.arange(-scale * REACH, scale * REACH + 1, dtype=torch.float64)
    distance = (axis - (scale - 1) / 2) / scale
    lobes = 3  # of Lanczos
    if kind == "bicubic":
        taps = cubic(distance)
    elif kind == "lanczos":
        taps = torch.sinc(distance) * torch.sinc(distance / lobes) * (distance.abs() < lobes)
    else:
        taps = (distance.abs() < 0.5).double()
    return normalised(taps[:, None] * taps[None])


def unsharp_filter(sigma: float, amount: float) -> Tensor:
    """Filter, (7, 7) of sum 1, of an unsharp mask: y + amount * (y - Gaussian(y)).

    Args:
        sigma: standard deviation of the Gaussian in pixels.
        amount: 1 for the sharpening that tools call 100 %.
    """
    radius = 3
    gaussian = gaussian_window(sigma, radius)
    sharp = -amount * normalised(gaussian[:, None] * gaussian[None])
    sharp[radius, radius] += 1 + amount
    return sharp


def filtered_taps(taps: Tensor, filters: Tensor, scale: int) -> Tensor:
    """Taps, (N, T, T), of shrinking followed by filtering of the LR image.

    Args:
        taps: (N, T, T).
        filters: (N, R, R), R odd, on the LR grid.
        scale: HR pixels per LR pixel.
    """
    count, radius = len(taps), filters.shape[-1] // 2
    # lr'[i] = sum_k f[k] lr[i + k], so taps'[b] = sum_k f[k] taps[b - s k]: a convolution, not a correlation.
    flipped = filters.flip(-1, -2)[:, None]
    spread = F.conv2d(taps[None], flipped, padding=scale * radius, dilation=scale, groups=count)[0]
    return spread / spread.sum((-2, -1), keepdim=True)


def sharpened_taps(taps: Tensor, sigma: float, amount: float, scale: int) -> Tensor:
    """Taps, (T, T), of shrinking by other taps followed by an unsharp mask of the LR image, see `unsharp_filter`."""
    return filtered_taps(taps[None], unsharp_filter(sigma, amount)[None], scale)[0]


def degradation_of_taps(taps: Tensor, scale: Scale) -> Degradation:
    """The degradation whose `taps_of` are these, (T, T) around the sampled HR pixel."""
    return Degradation(scale=scale, kernel=taps, anchor=(taps.shape[0] // 2, taps.shape[1] // 2))


def softened(images: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Blur every image, (N, C, H, W), by a Gaussian of its own standard deviation in pixels; 0 for none."""
    result = images.clone()
    for index, sigma in enumerate(sigmas):
        if sigma > 0:
            result[index] = _smoothed(images[index], sigma, math.ceil(3 * sigma))
    return result


def noise_field(kind: Noise, size: torch.Size, width: float, generator: torch.Generator) -> Tensor:
    """Draw noise, (C, H, W), of standard deviation 1 over all channels together.

    Args:
        kind: "white", independent in every pixel and channel; "grey", the same in all channels; "correlated", between
            neighbours, and in part between channels; "chroma", correlated and without luma; "poisson" is drawn white.
        size: (C, H, W).
        width: standard deviation in pixels of the Gaussian that correlated noise is smoothed by.
        generator: on the CPU.
    """
    drawn = torch.randn(size, generator=generator)
    if kind == "grey":
        drawn = drawn[:1].expand(size)
    if kind in ("correlated", "chroma"):
        drawn = _smoothed(drawn, width, radius=4)
    if kind == "correlated":
        drawn = 0.7 * drawn + 0.7 * drawn[:1]
    if kind == "chroma" and size[0] == 3:
        luma = drawn.new_tensor((0.299, 0.587, 0.114))  # of JPEG's colour space
        drawn = drawn - (drawn * luma[:, None, None]).sum(0)
    return drawn / drawn.square().mean().sqrt().clamp(min=1e-6)


def with_noise(image: Tensor, kind: Noise, deviation: float, width: float, generator: torch.Generator) -> Tensor:
    """Add noise of this standard deviation to an image, (C, H, W), without clipping; see `noise_field`.

    Poisson noise grows with the root of the brightness; `deviation` is its root mean square over the image.
    """
    field = noise_field(kind, image.shape, width, generator)
    if kind == "poisson":
        field = field * (image.clamp(min=0) / image.mean().clamp(min=1e-3)).sqrt()
    return image + deviation * field


def _smoothed(image: Tensor, sigma: float, radius: int) -> Tensor:
    """Blur (C, H, W) by a Gaussian that ends at a radius; edges are replicated."""
    gaussian = gaussian_window(sigma, radius, dtype=image.dtype)[None, None, :, None]
    padded = F.pad(image[:, None], (radius,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, gaussian), gaussian.mT)[:, 0]
