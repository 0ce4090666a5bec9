"""Line search between the weights before and after adaptation, by the error on a held-out quarter of the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.physics.degradation import Degradation


@dataclass(frozen=True, kw_only=True)
class HoldoutRule:
    """How much of an adaptation is kept.

    The values were chosen in docs/experiments.md, "Tailor: adaptation", "Tailor at x4: a deeper prior" and "Tailor:
    what must not be learnt".

    Args:
        step_sizes: tried by the line search, 0 first; 0 reverts the adaptation.
        aliased_step_sizes: the same for LR images with aliases, which no shrunk result shows to the network.
        revert_margin: mean log error by which reverting must beat every partial update; small ones seldom harm.
        largest_change: of the image by the adaptation, as a multiple of the held-out squared error; above it the
            adaptation is reverted.
        cell: side in pixels of the cells whose log errors are averaged.
        error_floor: added to squared errors before the logarithm, one 8-bit level.
        margin: LR pixels of context around the held-out quarter.
    """

    step_sizes: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75)
    aliased_step_sizes: tuple[float, ...] = (0.0, 0.25)
    revert_margin: float = 0.01
    largest_change: float = 0.5
    cell: int = 8
    error_floor: float = 1 / 255**2
    margin: int = 8

    def log_error(self, squares: Tensor) -> float:
        """Mean over the cells of the logarithm of their squared error; squares (N, C, H, W)."""
        cells = F.avg_pool2d(squares.mean(1, keepdim=True), self.cell, ceil_mode=True)
        return float((cells + self.error_floor).log().mean())


class Holdout(NamedTuple):
    """Held-out quarter of a father with some context, and the son of both."""

    image: Tensor
    son: Tensor
    top: int
    left: int
    """Where the held-out pixels begin in the image."""


def training_mask(height: int, width: int) -> Tensor:
    """(1, 1, H, W): 0 in the lower right quarter, which is held out of every father, 1 elsewhere."""
    mask = torch.ones(1, 1, height, width)
    mask[..., height // 2 :, width // 2 :] = 0
    return mask


def hold_out(father: Tensor, degradation: Degradation, generator: torch.Generator, rule: HoldoutRule) -> Holdout:
    """Cut the held-out quarter out of a father, (N, C, H, W), and degrade it."""
    scale, reach, size = round(degradation.scales[0]), degradation.reach, father.shape[-2:]
    starts = [min(n // 2 - scale * rule.margin, n - reach) for n in size]
    top, left = (max(0, start) // scale * scale for start in starts)
    image = father[..., top:, left:]
    return Holdout(image, degradation(image, generator), size[0] // 2 - top, size[1] // 2 - left)


@torch.no_grad()
def line_search(  # noqa: PLR0913 (weights at both ends, and what judges them)
    weights: Sequence[Tensor],
    before: Sequence[Tensor],
    squared_error: Callable[[], Tensor],
    image_change: Callable[[], float],
    step_sizes: Sequence[float],
    rule: HoldoutRule,
) -> None:
    """Set adapted weights to the point on the line from `before` that has the least held-out error.

    Args:
        weights: after adaptation; changed in place.
        before: the same weights before.
        squared_error: of the held-out pixels, (N, C, H, W), at the present weights.
        image_change: mean squared change of the result at the present weights.
        step_sizes: to try, 0 first.
        rule: thresholds.
    """
    after = [weight.clone() for weight in weights]
    errors, mean_square = {}, 0.0
    for step_size in step_sizes:
        interpolate_weights(weights, before, after, step_size)
        squares = squared_error()
        errors[step_size] = rule.log_error(squares)
        if step_size == 0:
            errors[step_size] += rule.revert_margin
            mean_square = float(squares.mean())
    best = min(step_sizes, key=errors.__getitem__)
    interpolate_weights(weights, before, after, best)
    if best > 0 and image_change() > rule.largest_change * mean_square:
        interpolate_weights(weights, before, after, 0.0)


def interpolate_weights(
    weights: Sequence[Tensor], before: Sequence[Tensor], after: Sequence[Tensor], step_size: float
) -> None:
    """Set weights to `before + step_size * (after - before)`."""
    for weight, start, end in zip(weights, before, after, strict=True):
        weight.copy_(start if step_size == 0 else start + step_size * (end - start))
