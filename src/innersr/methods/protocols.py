"""Protocols of super-resolution methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from torch import Tensor

from innersr.physics.degradation import Degradation
from innersr.run import Run

Upscaler: TypeAlias = Callable[[Tensor], Tensor]
"""(N, C, H, W) in [0, 1] -> (N, C, sH, sW) in [0, 1]. Pure."""


class Method(Protocol):
    """Learns an upscaler for one image. Keeps no state.

    A method is a frozen dataclass of its hyperparameters, without image or device.
    """

    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """Learn to undo `degradation` from `lr`, (1, C, H, W) in [0, 1] on run's device."""
        ...
