"""Differences between blur kernels. Knows nothing about images."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.physics.kernels import NEGLIGIBLE_TAP, extent, in_convention, shape_of


class Difference(NamedTuple):
    """Difference between two kernels, wherever their centres of mass lie."""

    angle: float | None  # between the long axes, in degrees from 0 to 90; None where one of the kernels is round
    psnr: float  # dB, see `difference`; infinity for equal kernels
    correlation: float  # of the taps around their means, 1 for equal kernels


def second_moments(kernel: Tensor) -> tuple[float, float, float]:
    """Covariance (xx, xy, yy) of a kernel in pixels^2: x to the right, y down."""
    shape = shape_of(kernel)
    mean, spread = (shape.long_variance + shape.short_variance) / 2, (shape.long_variance - shape.short_variance) / 2
    turn = 2 * shape.angle
    return mean + spread * math.cos(turn), spread * math.sin(turn), mean - spread * math.cos(turn)


def variance_ratio(kernel: Tensor) -> float:
    """Ratio of the variances along the long and the short axis; infinite for a straight line.

    It is 1 for a kernel of hardly any width, such as that of bicubic shrinking.
    """
    shape = shape_of(kernel)
    least = 1e-3  # pixels^2, below which rounding decides
    if shape.long_variance < least:
        return 1.0
    return shape.long_variance / shape.short_variance if shape.short_variance > least else math.inf


def angle_between(first: Tensor, second: Tensor) -> float | None:
    """Angle between the long axes of two kernels in degrees from 0 to 90; None where one of them is round.

    Nor does a kernel have one whose variances are both negative, as after sharpening.
    """
    shapes = shape_of(first), shape_of(second)
    if any(shape.is_round or shape.long_variance < 0 for shape in shapes):
        return None
    turn = abs(shapes[0].angle - shapes[1].angle)
    return math.degrees(min(turn, math.pi - turn))


def centred_alike(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Move both kernels' centres of mass to the middle of squares of the least side that holds all taps that count."""
    centred = [in_convention(kernel, "centred", 1.0) for kernel in (first, second)]
    radius = max(_radius(kernel) for kernel in centred)
    a, b = (F.pad(kernel, [radius - kernel.shape[0] // 2] * 4) for kernel in centred)
    return a, b


def difference(kernel: Tensor, reference: Tensor) -> Difference:
    """Difference between a kernel and a reference, both centred as in `centred_alike`.

    The PSNR is that of the papers: its peak is the reference's largest tap, its mean over the whole square.
    """
    a, b = (k.double() for k in centred_alike(kernel, reference))
    error = float((a - b).square().mean())
    psnr = 20 * math.log10(float(b.max()) / math.sqrt(error)) if error > 0 else math.inf
    correlation = float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]) if a.numel() > 1 else 1.0
    return Difference(angle_between(kernel, reference), psnr, correlation)


def _radius(centred: Tensor) -> int:
    """Distance from the middle to the farthest tap that counts."""
    top, bottom, left, right = extent(centred, NEGLIGIBLE_TAP)
    middle = centred.shape[0] // 2
    return max(middle - top, bottom - 1 - middle, middle - left, right - 1 - middle)
