"""NIQE, a quality score that needs no truth (Mittal, Soundararajan, Bovik 2013).

"Making a 'Completely Blind' Image Quality Analyzer", IEEE Signal Processing Letters 20(3). Statistics of the
image's blocks are compared with those of pristine photographs. The model of the latter ships in
`niqe.safetensors` beside this file; its header says where it comes from.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.metrics.fidelity import local_mean
from innersr.metrics.grey_levels import luma
from innersr.physics.resize import resize

BLOCK = 96  # pixels; the model was fitted to blocks of this size


def niqe(x: Tensor) -> float:
    """NIQE score: lower is more natural, good photographs have about 2 to 5.

    Computed as the authors' MATLAB code does, on the luma of (N, 1 or 3, H, W), in whole blocks of 96x96 pixels from
    the top left; the mean over the batch. It models photographs: drawings, text and microscopy score badly however
    sharp they are.

    Raises:
        InputError: neither 1 nor 3 channels, or fewer than two blocks with texture: one block has no covariance.
    """
    brightness = luma(x)
    rows, columns = (n // BLOCK for n in brightness.shape[-2:])
    if rows * columns < 2:
        raise InputError(
            f"NIQE needs two blocks of {BLOCK}x{BLOCK} pixels, the image has {x.shape[-1]}x{x.shape[-2]}; "
            "use a larger image, or a measure that compares with a truth"
        )
    model = safetensors.torch.load((resources.files("innersr.metrics") / "niqe.safetensors").read_bytes())
    mean, covariance = model["mean"], model["covariance"]  # (36,) and (36, 36), of pristine photographs
    blocks = brightness[..., : rows * BLOCK, : columns * BLOCK]
    scores = [_distance(_features(image), mean, covariance) for image in blocks.split(1)]
    return sum(scores) / len(scores)


def _distance(features: Tensor, mean: Tensor, covariance: Tensor) -> float:
    """Distance (eq. 10) between the model and the Gaussian fitted to `features` (blocks, 36)."""
    complete = features[~features.isnan().any(dim=1)]
    if len(complete) < 2:
        raise InputError(
            "NIQE needs two blocks with texture, this image is nearly flat; use a measure that compares with a truth"
        )
    difference = mean - features.nanmean(dim=0)
    pooled = (covariance + complete.mT.cov()) / 2
    return float((difference @ torch.linalg.pinv(pooled) @ difference).sqrt())


def _features(brightness: Tensor) -> Tensor:
    """18 features of each block of `brightness` (1, 1, H, W) at both scales: (blocks, 36)."""
    halved = resize(brightness, 0.5)
    return torch.cat([_block_features(brightness, BLOCK), _block_features(halved, BLOCK // 2)], dim=1)


def _block_features(brightness: Tensor, size: int) -> Tensor:
    """Features of each block of size x size pixels at one scale: (blocks, 18)."""
    tiles = _normalise(brightness).unfold(2, size, size).unfold(3, size, size)
    blocks = tiles.reshape(-1, size, size)
    shape, left, right = _fit_asymmetric_gaussian(blocks)
    features = [shape, (left + right) / 2]
    for neighbour in ((0, 1), (1, 0), (1, 1), (1, -1)):  # right, below, and the two diagonals
        shape, left, right = _fit_asymmetric_gaussian(blocks * blocks.roll(neighbour, dims=(1, 2)))
        mean = (right - left) * (torch.lgamma(2 / shape) - torch.lgamma(1 / shape)).exp()  # eq. 8
        features += [shape, mean, left, right]
    return torch.stack(features, dim=1)


def _normalise(brightness: Tensor) -> Tensor:
    """Brightness minus its local mean, divided by its local standard deviation + 1 (eqs. 1 to 3)."""
    window, sigma = 7, 7 / 6
    padded = F.pad(brightness, [window // 2] * 4, mode="replicate")
    mean = local_mean(padded, window, sigma)
    deviation = (local_mean(padded.square(), window, sigma) - mean.square()).abs().sqrt()
    centred = brightness - mean
    # Differs from the paper: flat areas are exactly zero. The fit counts negative and positive values, and
    # the sign of rounding noise would move the score by up to 1%, differently on each machine.
    return centred.where(centred.abs() > 1e-6, 0.0) / (deviation + 1)


def _fit_asymmetric_gaussian(blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Shape, left and right scale of the asymmetric generalised Gaussian of each block (eq. 7).

    Fitted by moments (Lasmar et al. 2009): (B,) each. A side without values has the scale NaN, and its block the least
    shape, as in MATLAB.
    """
    samples = blocks.flatten(1)
    left = _root_mean_square(samples, samples < 0)
    right = _root_mean_square(samples, samples > 0)
    balance = left / right
    ratio = samples.abs().mean(dim=1).square() / samples.square().mean(dim=1)
    ratio = ratio * (balance**3 + 1) * (balance + 1) / (balance.square() + 1).square()
    shapes, moment_ratios = _moment_ratios()
    nearest = (moment_ratios - ratio[:, None]).abs().argmin(dim=1)
    shape = shapes[nearest.where(~ratio.isnan(), 0)]
    spread = ((torch.lgamma(1 / shape) - torch.lgamma(3 / shape)) / 2).exp()
    return shape, left * spread, right * spread


@cache
def _moment_ratios() -> tuple[Tensor, Tensor]:
    """Shape parameters from 0.2 to 10, and (E|x|)^2 / E x^2 of a generalised Gaussian of each."""
    shapes = torch.arange(200, 10_001, dtype=torch.float64) / 1000
    return shapes, (2 * torch.lgamma(2 / shapes) - torch.lgamma(1 / shapes) - torch.lgamma(3 / shapes)).exp()


def _root_mean_square(samples: Tensor, chosen: Tensor) -> Tensor:
    """Root mean square of the `chosen` samples of each row, NaN where there are none."""
    return ((samples.square() * chosen).sum(dim=1) / chosen.sum(dim=1)).sqrt()
