"""KernelGAN's loss on the kernel, apart from the adversarial one (Bell-Kligler 2019)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class ConstraintSchedule:
    """When the bicubic constraint is relaxed, with the reference code's values unless marked."""

    # Differs from the reference code: 0.4 there, whatever the image, is about this share of its target in typical
    # ones; in a dull grey image a kernel of zeros is as near as that.
    near: float = 0.16  # bicubic error, relative to the bicubic crop's mean square in [-1, 1], that counts as near
    near_steps: int = 3  # in a row, before relaxing begins
    stages: int = 15  # of training; the constraint may be relaxed at the end of each
    relaxation: float = 100.0  # factor
    least_bicubic: float = 5e-6  # weight
    loose_bicubic: float = 5e-3  # weight below which the kernel has to be centred and sparse


class LossWeights:
    """Weights of the constraints during training.

    At first the generator is held near bicubic shrinking. Once it is there, that constraint is relaxed in steps, and
    then the kernel has to be centred and sparse.
    """

    def __init__(self) -> None:
        self.schedule = ConstraintSchedule()
        self.bicubic, self.centre, self.sparsity = 5.0, 0.0, 0.0
        self._near_steps, self._stage = 0, 0

    def penalty(self, kernel: Tensor) -> Tensor:
        """Weighted sum of all constraints but the bicubic one."""
        penalty = 0.5 * sum_penalty(kernel) + 0.5 * border_penalty(kernel)
        if self.centre or self.sparsity:
            penalty = penalty + self.centre * centre_penalty(kernel) + self.sparsity * sparsity_penalty(kernel)
        return penalty

    def observe(self, progress: float, bicubic_error: float) -> None:
        """Adjust the weights after a step, at a progress from 0 to 1.

        The error is the mean squared difference between the shrunk crop and the bicubic one, relative to the latter's
        mean square.
        """
        schedule, stage = self.schedule, math.floor(self.schedule.stages * progress)
        is_new = stage > self._stage
        self._stage = stage
        if self._near_steps < schedule.near_steps:
            self._near_steps = self._near_steps + 1 if bicubic_error < schedule.near else 0
        elif is_new and self.bicubic > schedule.least_bicubic:
            self.bicubic = max(self.bicubic / schedule.relaxation, schedule.least_bicubic)
            if self.bicubic < schedule.loose_bicubic:
                self.centre, self.sparsity = 1.0, 5.0


def sum_penalty(kernel: Tensor) -> Tensor:
    """Distance of the sum of the taps, (side, side), from 1."""
    return (1 - kernel.sum()).abs()


def border_penalty(kernel: Tensor) -> Tensor:
    """Mean |tap| outside the inner square (9x9 of 13x13), weighted by its distance from the middle."""
    side = kernel.shape[0]
    axis = torch.arange(side, device=kernel.device) - side // 2
    weights = 30 * (1 - torch.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * side**2)))
    rim = side // 4 - 1
    weights[rim : side - rim, rim : side - rim] = 0
    return (kernel * weights).abs().mean()


def centre_penalty(kernel: Tensor) -> Tensor:
    """Mean squared distance per axis between the centre of mass and the middle of an LR pixel.

    At scale 2, that middle is half a pixel below and right of the kernel's.
    """
    side = kernel.shape[0]
    axis = torch.arange(side, device=kernel.device) - (side // 2 + 0.5)
    places = torch.stack([kernel.sum(1) @ axis, kernel.sum(0) @ axis]) / kernel.sum()
    return places.square().mean()


def sparsity_penalty(kernel: Tensor) -> Tensor:
    """Mean |tap|^0.2, which is larger for many small taps than for few large ones of the same sum."""
    least = 1e-8  # at 0, |tap|^0.2 has no slope
    return (kernel.abs().clamp(min=least) ** 0.2).mean()
