"""Detection of counting noise in an image: the brighter its flat places are, the noisier.

The local variance of flat places is fitted by a line over the local mean (Foi 2008, "Practical Poissonian-Gaussian
noise modeling and fitting for single-image raw data"), and by a constant. Textures and the noise of cameras after
gamma correction lie on no line, and clipped noise is weak in the dark too: the line must fit, clearly better than
constant noise that was clipped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.physics.noise.counting import CountingNoise
from innersr.physics.symmetries import central_crop


@dataclass(frozen=True, kw_only=True)
class CountingSettings:
    """Settings of `find_counting_noise`, chosen in docs/experiments.md, "Counting noise"."""

    cell: int = 8  # pixels: side of the cells whose mean and variance are taken
    groups: int = 10  # of each channel's cells, by their mean
    least_cells: int = 24  # of a group
    least_groups: int = 6  # in all
    flat: float = 0.1  # quantile of the variances of a group: that of its flat cells
    bias: float = 0.63  # that quantile of white noise, as a share of its variance
    least_noise: float = 1.5 / 255  # standard deviation: less is rounding and its like
    least_gain: float = 0.1 / 255
    least_ratio: float = 2.0  # of the greatest variance on the line to the least
    most_error: float = 0.2  # RMS logarithmic error of the line
    least_error: float = 0.12  # and of constant noise
    advantage: float = 1.7  # ratio of these errors
    coherence: float = 0.7  # of the values' remainders by the gain, from 0 to 1, above which they are counts
    most_texture: float = 1.75  # ratio of a group's median variance to that of its flat cells: 1.5 for noise alone
    most_colour: float = 1.8  # ratio of the variances of first and second differences: 1 for white noise
    looked_at: int = 2**18  # pixels: of larger images only the middle is measured


SETTINGS = CountingSettings()


class FlatPlaces(NamedTuple):
    """Flat places of an image: one number for each group of cells of similar mean in one channel, (G,)."""

    mean: Tensor
    variance: Tensor
    texture: Tensor
    """Ratio of the group's median variance to that of its flat cells."""
    colour: Tensor
    """Ratio of the variances of first and second differences, 1 for white noise."""

    def chosen(self, mask: Tensor) -> FlatPlaces:
        """The groups of a mask, (G,)."""
        return FlatPlaces(*(values[mask] for values in self))


class VarianceLine(NamedTuple):
    """A variance of slope * mean + offset, and its RMS logarithmic error."""

    slope: float
    offset: float
    error: float

    def at(self, mean: Tensor) -> Tensor:
        """The variance at some means, above 0."""
        return (self.slope * mean + self.offset).clamp(min=1e-9)


@torch.no_grad()
def find_counting_noise(lr: Tensor) -> CountingNoise | None:
    """The counting noise of an image, (1, C, h, w) in [0, 1]; None unless there clearly is some."""
    flat = flat_places(lr)
    if not _is_noise(flat):  # of most images: textures
        return None
    line = fitted_line(flat)
    for _ in range(2):  # noise that was clipped at white is left out
        if len(flat.mean) < SETTINGS.least_groups:
            return None
        flat = flat.chosen(flat.mean + 2 * line.at(flat.mean).sqrt() < 1)
        line = fitted_line(flat)
    if len(flat.mean) < SETTINGS.least_groups or line.slope < SETTINGS.least_gain:
        return None
    variance = line.at(flat.mean)
    constant = error_of_constant_noise(flat)
    is_better = constant > max(SETTINGS.least_error, SETTINGS.advantage * line.error)
    is_line = line.error < SETTINGS.most_error and (is_better or is_discrete(lr, line.slope))
    is_strong = float(variance.mean()) > SETTINGS.least_noise**2 and bool(
        variance.max() > SETTINGS.least_ratio * variance.min()
    )
    if not (is_line and is_strong and _is_noise(flat)):
        return None
    black = max(0.0, -line.offset / line.slope)
    return CountingNoise(gain=min(1.0, line.slope), read=math.sqrt(max(0.0, line.offset)), black=black)


def flat_places(lr: Tensor) -> FlatPlaces:
    """Measure the flat places of an image, (1, C, h, w), float64 on the CPU."""
    planes = central_crop(lr, math.isqrt(SETTINGS.looked_at))[0, :, None]
    second = planes.new_tensor([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6  # of white noise they keep the variance
    first = planes.new_tensor([[1, -1], [-1, 1]]) / 2
    inner = planes[..., 1:-1, 1:-1]
    squares = F.conv2d(planes, second[None, None]).square(), F.conv2d(planes, first[None, None])[..., 1:, 1:].square()
    if min(inner.shape[-2:]) < SETTINGS.cell:
        return FlatPlaces(*torch.zeros(4, 0, dtype=torch.float64))
    cells = (F.avg_pool2d(x, SETTINGS.cell).flatten(1).double().cpu() for x in (inner, *squares))
    groups = [group for channel in zip(*cells, strict=True) for group in _groups(*channel)]
    return FlatPlaces(*torch.stack([torch.stack(group) for group in groups]).mT)


def fitted_line(flat: FlatPlaces) -> VarianceLine:
    """The line with the least relative error, by reweighted least squares."""
    if len(flat.mean) < 2:  # noqa: PLR2004 (two points make a line)
        return VarianceLine(0.0, 0.0, math.inf)
    rows = torch.stack([flat.mean, torch.ones_like(flat.mean)], dim=1)
    size = flat.variance.clamp(min=1e-9)
    for _ in range(6):
        slope, offset = (
            torch.linalg.lstsq(rows / size[:, None], (flat.variance / size)[:, None]).solution[:, 0].tolist()
        )
        size = VarianceLine(slope, offset, 0.0).at(flat.mean).clamp(min=1e-3 * float(flat.variance.mean()))
    return VarianceLine(slope, offset, _logarithmic_error(flat.variance, size))


def is_discrete(lr: Tensor, gain: float) -> bool:
    """Whether the values, (1, C, h, w), are whole numbers of counts of about this gain: few counts show as steps."""
    planes = central_crop(lr, math.isqrt(SETTINGS.looked_at))
    values = planes[(planes > 0) & (planes < 1)]
    values = values[:: max(1, values.numel() // 2**14) | 1].double().cpu()
    least_steps, least_values = 2.5 / 255, 500  # rounding to 8 bits hides smaller steps
    gains = gain * torch.linspace(0.7, 1.5, 81, dtype=torch.float64)
    gains = gains[gains > least_steps]
    if values.numel() < least_values or gains.numel() == 0:
        return False
    phases = (values / gains[:, None]) % 1 * (2 * math.pi)
    return float(torch.hypot(phases.cos().mean(1), phases.sin().mean(1)).max()) > SETTINGS.coherence


def error_of_constant_noise(flat: FlatPlaces) -> float:
    """RMS logarithmic error of Gaussian noise of the best constant standard deviation, clipped at black and white."""
    deviations = torch.logspace(math.log10(0.5 / 255), math.log10(0.5), 100, dtype=torch.float64)[:, None]
    dark, bright = (clipped_variance(end / deviations) for end in (flat.mean, 1 - flat.mean))
    errors = (deviations.square() * dark * bright).clamp(min=1e-12).log() - flat.variance.clamp(min=1e-12).log()
    return float(errors.square().mean(1).sqrt().min())


def clipped_variance(mean: Tensor) -> Tensor:
    """Variance of Gaussian noise of standard deviation 1 that was clipped at 0, by its mean after that."""
    centre = torch.linspace(-4, 6, 1001, dtype=torch.float64)
    share, density = torch.special.ndtr(centre), torch.exp(-centre.square() / 2) / math.sqrt(2 * math.pi)
    means = centre * share + density
    variances = (centre.square() + 1) * share + centre * density - means.square()
    place = torch.searchsorted(means, mean.contiguous()).clamp(1, len(means) - 1)
    part = ((mean - means[place - 1]) / (means[place] - means[place - 1])).clamp(0, 1)
    return variances[place - 1] + part * (variances[place] - variances[place - 1])


def _is_noise(flat: FlatPlaces) -> bool:
    """Whether the flat places hold noise: of one variance within each group, and white."""
    is_alike = bool(flat.texture.numel()) and float(flat.texture.median()) < SETTINGS.most_texture
    return is_alike and float(flat.colour.median()) < SETTINGS.most_colour


def _groups(mean: Tensor, variance: Tensor, first: Tensor) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Mean, variance, texture and colour, see `FlatPlaces`, of each group of the cells of one channel."""
    order = mean.argsort()
    count = max(1, min(SETTINGS.groups, len(order) // SETTINGS.least_cells))
    groups = []
    for part in order[: len(order) // count * count].chunk(count):
        means, variances, firsts = mean[part], variance[part], first[part]
        low, higher, middle = variances.quantile(variances.new_tensor([SETTINGS.flat, 2 * SETTINGS.flat, 0.5])).clamp(
            min=1e-12
        )
        is_flat = variances <= higher
        colour = firsts[is_flat].mean() / variances[is_flat].mean().clamp(min=1e-12)
        groups.append((means[is_flat].mean(), low / SETTINGS.bias, middle / low, colour))
    return groups


def _logarithmic_error(variance: Tensor, expected: Tensor) -> float:
    return float((variance.clamp(min=1e-12) / expected).log().square().mean().sqrt())
