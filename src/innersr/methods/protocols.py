"""What a method promises: protocols, not base classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from torch import Tensor

from innersr.physics.degradation import Degradation
from innersr.physics.resize import Scale
from innersr.run import Run

Upscaler: TypeAlias = Callable[[Tensor], Tensor]
"""(N, C, H, W) in [0, 1] -> (N, C, sH, sW) in [0, 1]. Pure."""


class Method(Protocol):
    """Learns an upscaler for one image. Keeps nothing.

    A method is a frozen dataclass of its hyperparameters; it knows no image and no device.
    """

    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """Learn from `lr`, (1, C, H, W) in [0, 1] on run's device, how to undo `degradation`."""
        ...


class DegradationEstimator(Protocol):
    """Tells from one image how it was made small. Keeps nothing.

    An estimator is a frozen dataclass of its hyperparameters; it knows no image and no device.
    """

    def estimate(self, lr: Tensor, scale: Scale, run: Run) -> Degradation:
        """Return the degradation of `scale` that has probably made `lr`, (1, C, H, W) in [0, 1] on run's device."""
        ...
