"""Random degradations for training priors: kernels of many families, noise, JPEG.

A task depends on the seed, the step and its index in the batch, never on how the batch is divided.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.metrics.grey_levels import quantized
from innersr.physics import kernels
from innersr.physics.degradation import Degradation
from innersr.physics.jpeg import compressed
from innersr.physics.kernels import gaussian_window
from innersr.physics.log_covariance import GaussianBlur, blur_of_taps, taps_of_blur
from innersr.physics.pseudoinverse import REACH
from innersr.physics.resize import cubic

ANCHORS = ("centre", "aligned", "either")
KERNEL_SIDE = 15  # pixels, of MZSR's kernels


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Distribution of the random degradations that Tailor and the degradation predictor are trained on.

    Shares are probabilities. The values were chosen in docs/experiments.md, "Tailor: training the prior" and "Blind:
    telling blur and noise".

    Args:
        bicubic, blurred_bicubic, motion, disk: shares of these kernels; the rest are Gaussians with direct subsampling.
        least_variance, largest_variance: of Gaussians, in HR px^2, and in the same times the squared scale.
        least_even_variance: least one of those drawn evenly, HR px^2.
        log_variance: share of Gaussians whose variances are even in their logarithm.
        isotropic: share of Gaussians.
        disturbed: share of Gaussians whose taps are multiplied by 0.75 to 1.25, as DIV2KRK's are.
        centred, cornered: shares of kernels in the centre of an LR pixel, and on an HR pixel at its corner.
        first_corner: share of the corners that are the first pixel's, along each axis, as in MZSR's "direct".
        noisy: share of images with white noise.
        largest_noise: largest standard deviation of the noise.
        eight_bits: share of LR images that are quantised.
        covariance_error: largest standard deviation of the log-covariances that stand for estimates.
        worst_jpeg, best_jpeg: quality.
        least_width, width_range: standard deviation of the correlation of coloured noise, in LR pixels.
    """

    bicubic: float = 0.22
    blurred_bicubic: float = 0.15
    motion: float = 0.07
    disk: float = 0.03
    least_variance: float = 0.05
    largest_variance: float = 1.5
    least_even_variance: float = 0.2
    log_variance: float = 0.5
    isotropic: float = 0.4
    disturbed: float = 0.15
    centred: float = 0.45
    cornered: float = 0.45
    first_corner: float = 0.75
    noisy: float = 0.25
    largest_noise: float = 15 / 255
    eight_bits: float = 0.8
    covariance_error: float = 0.3
    worst_jpeg: int = 15
    best_jpeg: int = 95
    least_width: float = 0.1
    width_range: float = 1.1


MIXTURE = Mixture()


class Task(NamedTuple):
    """A batch of training pairs at one scale, M for each of N degradations, and what a network is given of these."""

    lr: Tensor
    """(N * M, C, h, w) in [0, 1], the M of one degradation after each other."""
    hr: Tensor
    """(N * M, C, s * h, s * w) in [0, 1]"""
    taps: Tensor
    """(N, T, T) effective kernels, see `pseudoinverse.taps_of`."""
    noise: Tensor
    """(N,) standard deviations."""
    compression: Tensor
    """(N,) strengths in [0, 1], see `jpeg.jpeg_strength`."""
    scale: int

    def to(self, device: torch.device) -> Task:
        """The task on a device."""
        lr, hr, taps, noise, compression = (part.to(device) for part in self[:5])
        return Task(lr, hr, taps, noise, compression, self.scale)


def random_scale(shares: Mapping[int, float], generator: torch.Generator) -> int:
    """Draw a scale with probabilities proportional to the shares."""
    return list(shares)[int(torch.multinomial(torch.tensor(list(shares.values())), 1, generator=generator))]


def hr_side(lr_side: int, scale: int) -> int:
    """Side of an HR crop, including the reach of the kernel around it."""
    return scale * (lr_side + 2 * REACH)


def scales_from(least: float, count: int) -> list[float]:
    """The scales of a multi-scale network: `count` of them, 0.2 apart, the least first."""
    return [round(least + 0.2 * i, 6) for i in range(count)]


def random_blur(generator: torch.Generator, scale: float, *, subsampling: str, anchor: str) -> Degradation:
    """Draw a degradation of MZSR's training: a Gaussian kernel of 15x15 pixels, no noise (Soh 2020, sec. 4.1)."""
    if anchor == "either":
        anchor = "centre" if _uniform(generator) < 0.5 else "aligned"
    kernel = kernels.random_mzsr(generator, scale, size=KERNEL_SIDE)
    # Differs from the reference code: broken scales sample between the pixels, its grid rounds to them.
    return Degradation(scale=scale, kernel=kernel, anchor=anchor, subsampling=subsampling)


def random_task(
    crops: Tensor,
    scale: int,
    generators: Sequence[torch.Generator],
    *,
    kernel_error: float = 0.0,
    coloured_noise: float = 0.0,
    jpeg: float = 0.0,
) -> Task:
    """Degrade HR crops, each in its own way.

    Args:
        crops: (N, C, S, S) in [0, 1], S of `hr_side`.
        scale: HR pixels per LR pixel.
        generators: N of them.
        kernel_error: share of images whose taps are a simulated estimate instead of the true ones.
        coloured_noise: share of images with noise that is correlated between pixels or channels.
        jpeg: share of LR images that are compressed.

    Returns:
        The task, its noise including every error of the taps.
    """
    taps = torch.stack([random_taps(scale, generator) for generator in generators]).to(crops)
    noise = torch.tensor([_random_noise(generator) for generator in generators]).to(crops)
    clean = degrade(crops, taps, scale)
    drawn = torch.stack([torch.randn(clean.shape[1:], generator=generator) for generator in generators]).to(clean)
    lr = clean + noise[:, None, None, None] * drawn
    if coloured_noise > 0:
        added = torch.stack([_random_coloured_noise(lr.shape[1:], coloured_noise, g) for g in generators]).to(lr)
        lr, noise = lr + added, torch.hypot(noise, _deviation(added))
    rounds = torch.tensor([_uniform(g) < MIXTURE.eight_bits for g in generators], device=crops.device)
    lr = lr.clamp(0, 1)
    lr = torch.where(rounds[:, None, None, None], quantized(lr), lr)
    if kernel_error > 0:
        taps = _with_kernel_error(taps, scale, kernel_error, generators)
        noise = torch.hypot(noise, _deviation(degrade(crops, taps, scale) - clean))
    if jpeg > 0:
        uncompressed = lr
        lr, _ = randomly_compressed(lr, jpeg, generators)
        noise = torch.hypot(noise, _deviation(lr - uncompressed))
    return Task(lr, hr_centre(crops, lr, scale), taps, noise, torch.zeros_like(noise), scale)


def randomly_compressed(lr: Tensor, share: float, generators: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
    """Images, (N, C, h, w), a share of them JPEG-compressed, and their qualities, (N,), 0 for the others."""
    images, qualities = [], []
    for image, generator in zip(lr[:, None], generators, strict=True):
        chance, fraction = _uniform(generator), _uniform(generator)
        quality = round(MIXTURE.worst_jpeg + (MIXTURE.best_jpeg - MIXTURE.worst_jpeg) * fraction)
        images.append(compressed(image, quality) if chance < share else image)
        qualities.append(float(quality) if chance < share else 0.0)
    return torch.cat(images), torch.tensor(qualities, device=lr.device)


def degrade(hr: Tensor, taps: Tensor, scale: int) -> Tensor:
    """The part of the LR images that depends on no pixel outside the HR images.

    Args:
        hr: (N * M, C, H, W), M successive images for each kernel.
        taps: (N, T, T) effective kernels, T at most 2 * REACH * scale + 1.
        scale: HR pixels per LR pixel.

    Returns:
        (N * M, C, h, w).
    """
    size = hr.shape[-2:]
    # Element p is the sum over the taps from pixel p on. None is taken whose taps would wrap around the edge.
    spectrum = torch.fft.rfft2(taps, s=size).conj().repeat_interleave(len(hr) // len(taps), 0)
    filtered = torch.fft.irfft2(torch.fft.rfft2(hr) * spectrum[:, None], s=size)
    margin = REACH * scale - taps.shape[-1] // 2
    counts = [n // scale - 2 * REACH for n in size]
    rows, columns = (slice(margin, margin + scale * n, scale) for n in counts)
    return filtered[..., rows, columns].contiguous()


def hr_centre(crops: Tensor, lr: Tensor, scale: int) -> Tensor:
    """The part of HR crops, (N, C, S, S), that their LR images of `degrade` show: (N, C, s * h, s * w)."""
    margin = REACH * scale
    return crops[..., margin : margin + scale * lr.shape[-2], margin : margin + scale * lr.shape[-1]]


def random_taps(scale: int, generator: torch.Generator) -> Tensor:
    """Draw an effective kernel, (2 * s * REACH + 1) squared, around the sampled HR pixel."""
    radius = scale * REACH
    axis = torch.arange(-radius, radius + 1, dtype=torch.float32)
    family = _uniform(generator)
    bounds = [*accumulate((MIXTURE.bicubic, MIXTURE.blurred_bicubic, MIXTURE.motion, MIXTURE.disk))]
    aligned = (scale - 1) / 2
    bicubic = cubic((axis - aligned).double() / scale).float()
    if family < bounds[0]:
        return _normalised(bicubic[:, None] * bicubic[None])
    place = _random_place(generator, scale)
    if family < bounds[1]:
        blurred = _random_gaussian(axis, (0.0, 0.0), scale, generator)[None, None]
        blurred = F.conv2d(blurred, bicubic.flip(0)[None, None, :, None], padding=(radius, 0))
        return _normalised(F.conv2d(blurred, bicubic.flip(0)[None, None, None], padding=(0, radius))[0, 0])
    if family < bounds[2]:
        return _random_motion(axis, place, scale, generator)
    if family < bounds[3]:
        size = scale * (0.3 + 0.9 * _uniform(generator))  # radius in HR pixels
        distance = torch.hypot(axis[:, None] - place[0], axis[None] - place[1])
        return _normalised(torch.sigmoid(4 * (size - distance)))
    taps = _random_gaussian(axis, place, scale, generator)
    if _uniform(generator) < MIXTURE.disturbed:
        taps = _normalised(taps * (0.75 + 0.5 * torch.rand(taps.shape, generator=generator)))
    return taps


def _random_gaussian(axis: Tensor, place: tuple[float, float], scale: int, generator: torch.Generator) -> Tensor:
    least, least_even, widest = MIXTURE.least_variance, MIXTURE.least_even_variance, MIXTURE.largest_variance * scale**2
    is_logarithmic, is_round = _uniform(generator) < MIXTURE.log_variance, _uniform(generator) < MIXTURE.isotropic
    fractions = _uniform(generator), _uniform(generator)
    variances = [least_even + (widest - least_even) * fraction for fraction in fractions]
    if is_logarithmic:
        variances = [least * (widest / least) ** fraction for fraction in fractions]
    if is_round:
        variances[1] = variances[0]
    angle = math.pi * _uniform(generator)
    y, x = (axis - place[0])[:, None], (axis - place[1])[None]
    along, across = math.cos(angle) * x + math.sin(angle) * y, math.cos(angle) * y - math.sin(angle) * x
    exponent = -0.5 * (along**2 / variances[0] + across**2 / variances[1])
    return _normalised(torch.exp(exponent - exponent.max()))


def _random_motion(axis: Tensor, place: tuple[float, float], scale: int, generator: torch.Generator) -> Tensor:
    """Draw the blur of a path that bends at random, at most 4 LR pixels long."""
    points = 12
    length = scale * (0.5 + 3.5 * _uniform(generator))
    bends = 0.8 * (torch.rand(points, generator=generator) - 0.5)  # radians from one point to the next
    angles = 2 * math.pi * _uniform(generator) + bends.cumsum(0)
    y, x = (torch.cumsum(f(angles) * length / points, 0) for f in (torch.sin, torch.cos))
    rows = torch.exp(-((axis[None] - place[0] - (y - y.mean())[:, None]) ** 2) / 0.7)
    columns = torch.exp(-((axis[None] - place[1] - (x - x.mean())[:, None]) ** 2) / 0.7)
    return _normalised(torch.einsum("pi,pj->ij", rows, columns))


def _random_place(generator: torch.Generator, scale: int) -> tuple[float, float]:
    """Draw where an LR pixel lies: in the centre of its cell, on a pixel at its corner, or anywhere in it.

    Mostly on the first pixel, as in MZSR's "direct"; a flipped image has it on the last.
    """
    choice, last = _uniform(generator), scale - 1.0
    if choice < MIXTURE.centred:
        return last / 2, last / 2
    rows, columns = _uniform(generator), _uniform(generator)
    if choice < MIXTURE.centred + MIXTURE.cornered:
        is_last = 1 - MIXTURE.first_corner
        return last * (rows < is_last), last * (columns < is_last)
    return last * rows, last * columns


def _random_noise(generator: torch.Generator) -> float:
    is_noisy, fraction = _uniform(generator) < MIXTURE.noisy, _uniform(generator)
    return MIXTURE.largest_noise * fraction**1.5 if is_noisy else 0.0


def _with_kernel_error(taps: Tensor, scale: int, share: float, generators: Sequence[torch.Generator]) -> Tensor:
    """Taps, a share of them replaced by those of a blur with a covariance that is slightly wrong, as estimates are."""
    blur, places = blur_of_taps(taps, scale)
    moves = torch.stack([torch.randn(3, generator=generator) for generator in generators]).to(taps)
    draws = torch.tensor([[_uniform(generator), _uniform(generator)] for generator in generators]).to(taps)
    guess = GaussianBlur(blur.log + MIXTURE.covariance_error * draws[:, 1:] * moves, blur.is_bicubic)
    return torch.where((draws[:, 0] < share)[:, None, None], taps_of_blur(guess, scale, places), taps)


def _deviation(change: Tensor) -> Tensor:
    return change.square().mean((1, 2, 3)).sqrt()


def _random_coloured_noise(size: torch.Size, share: float, generator: torch.Generator) -> Tensor:
    """Draw coloured noise, (C, h, w), correlated over a pixel or two and between channels; or none."""
    is_noisy, loudness, width, likeness = (_uniform(generator) for _ in range(4))
    noise = torch.randn(size, generator=generator)
    if is_noisy >= share:
        return torch.zeros(size)
    noise = math.sqrt(likeness) * noise[:1] + math.sqrt(1 - likeness) * noise
    deviation = MIXTURE.least_width + MIXTURE.width_range * width
    taps = gaussian_window(deviation, 4, dtype=torch.float32)
    taps = (taps / taps.norm())[None, None, :, None]
    noise = F.conv2d(F.conv2d(noise[:, None], taps, padding="same"), taps.mT, padding="same")[:, 0]
    return MIXTURE.largest_noise * loudness**1.5 * noise / noise.std().clamp(min=1e-6)


def _normalised(taps: Tensor) -> Tensor:
    return taps / taps.sum()


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))
