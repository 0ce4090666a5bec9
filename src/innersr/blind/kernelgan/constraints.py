"""What KernelGAN asks of a kernel besides fooling its discriminator (Bell-Kligler 2019)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Differs from the reference code: 0.4 there, whatever the image, is about as much of what its target has in typical
# ones; a kernel of nothing is as near to that where the image is a dull grey.
NEAR = 0.16  # of the bicubic crop's mean square, in [-1, 1]: an error below it is near
NEAR_STEPS = 3  # in a row
PARTS = 15  # of the learning; the bicubic constraint may be loosened where one ends
LOOSENED = 100.0  # times
LOOSE_BICUBIC = 5e-3  # weight below which the kernel has to be centred and sparse
LEAST_BICUBIC = 5e-6
BORDER_WEIGHT = 30.0
TINY = 1e-8  # below which a tap counts as such: at 0, |tap|^0.2 has no slope


class LossWeights:
    """The weights of the constraints, as learning goes on.

    At first the generator is held near bicubic shrinking; once it is there, that is given up in steps, and then the
    kernel has to be centred and sparse.
    """

    def __init__(self) -> None:
        self.bicubic, self.centre, self.sparsity = 5.0, 0.0, 0.0
        self._near, self._part = 0, 0

    def penalty(self, kernel: Tensor) -> Tensor:
        """Return the weighted sum of all constraints but the bicubic one."""
        penalty = 0.5 * sum_penalty(kernel) + 0.5 * border_penalty(kernel)
        if self.centre or self.sparsity:
            penalty = penalty + self.centre * centre_penalty(kernel) + self.sparsity * sparsity_penalty(kernel)
        return penalty

    def observe(self, progress: float, bicubic_error: float) -> None:
        """Adjust the weights after a step.

        Args:
            progress: how much of the learning is done, 0 to 1.
            bicubic_error: mean square difference between the shrunk crop and the bicubic one, as a share of the
                latter's mean square.
        """
        part = math.floor(PARTS * progress)
        is_new = part > self._part
        self._part = part
        if self._near < NEAR_STEPS:
            self._near = self._near + 1 if bicubic_error < NEAR else 0
        elif is_new and self.bicubic > LEAST_BICUBIC:
            self.bicubic = max(self.bicubic / LOOSENED, LEAST_BICUBIC)
            if self.bicubic < LOOSE_BICUBIC:
                self.centre, self.sparsity = 1.0, 5.0


def sum_penalty(kernel: Tensor) -> Tensor:
    """Return how far the sum of the taps is from 1."""
    return (1 - kernel.sum()).abs()


def border_penalty(kernel: Tensor) -> Tensor:
    """Return the mean |tap| outside the inner square (9x9 of 13x13), the farther from the middle the heavier."""
    side = kernel.shape[0]
    axis = torch.arange(side, device=kernel.device) - side // 2
    weights = BORDER_WEIGHT * (1 - torch.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * side**2)))
    rim = side // 4 - 1
    weights[rim : side - rim, rim : side - rim] = 0
    return (kernel * weights).abs().mean()


def centre_penalty(kernel: Tensor) -> Tensor:
    """Return the mean square distance, by axis, of the centre of mass from where an LR pixel's middle is.

    At scale 2, that is half a pixel below and right of the kernel's.
    """
    side = kernel.shape[0]
    axis = torch.arange(side, device=kernel.device) - (side // 2 + 0.5)
    places = torch.stack([kernel.sum(1) @ axis, kernel.sum(0) @ axis]) / kernel.sum()
    return places.square().mean()


def sparsity_penalty(kernel: Tensor) -> Tensor:
    """Return the mean |tap|^0.2: of the same sum, many small taps have more of it than few large ones."""
    return (kernel.abs().clamp(min=TINY) ** 0.2).mean()
