"""Baselines without learning, for comparison with every trained method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.methods.protocols import Upscaler
from innersr.methods.upscalers.module import UpscalerModule
from innersr.physics.back_projection import back_project
from innersr.physics.degradation import Degradation
from innersr.physics.resize import image_size, resize
from innersr.run import Run
from innersr.settings import check_choices


@dataclass(frozen=True, kw_only=True)
class Bicubic:
    """Cubic interpolation.

    Args:
        phase: "repository" is MATLAB's imresize whatever the degradation, the "bicubic" row of the papers.
            "aligned" interpolates on the degradation's own grid; the two differ only where its LR pixels do not
            lie where MATLAB's do (MZSR's "direct": half an HR pixel at x2, 3.6 dB on Set5 g0.2d).
    """

    phase: str = "repository"
    unused_options: ClassVar[tuple[str, ...]] = ("kernel", "noise", "jpeg", "deblur", "keep_grain", "time_limit")

    def __post_init__(self) -> None:
        check_choices(self, phase=("repository", "aligned"))

    @isolated
    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """The interpolation as an upscaler."""
        return self.upscaler((), degradation, run, lr.shape[1])

    def upscaler(self, networks: Sequence[nn.Module], degradation: Degradation, run: Run, channels: int) -> Upscaler:  # noqa: ARG002 (nothing was learnt)
        """See `Restoring`."""
        return Interpolation(run, degradation, is_aligned=self.phase == "aligned")


class Interpolation(UpscalerModule):
    """Cubic interpolation, on MATLAB's grid or, aligned, on that of a degradation."""

    def __init__(self, run: Run, degradation: Degradation, *, is_aligned: bool) -> None:
        super().__init__(run)
        self.degradation, self.is_aligned = degradation, is_aligned

    @isolated
    def forward(self, x: Tensor) -> Tensor:
        """Interpolate images, (N, C, h, w), to HR size, clipped to [0, 1]."""
        if self.is_aligned:
            return self.degradation.upsample(x).clamp(0, 1)
        return resize(x, self.degradation.scales, size=self.degradation.hr_size(image_size(x))).clamp(0, 1)


@dataclass(frozen=True, kw_only=True)
class BackProjection:
    """The least-squares solution for a known kernel, by conjugate gradients from the aligned interpolation.

    It has no prior of images. With noise it stops early.

    Args:
        steps: of conjugate gradients. Fewer steps smooth more; see `back_project` for clipping.
    """

    steps: int = 20

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise InputError(f"steps must not be negative, got {self.steps}")

    @isolated
    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """The solver as an upscaler."""
        return self.upscaler((), degradation, run, lr.shape[1])

    def upscaler(self, networks: Sequence[nn.Module], degradation: Degradation, run: Run, channels: int) -> Upscaler:  # noqa: ARG002 (nothing was learnt)
        """See `Restoring`."""
        return Solver(run, degradation, steps=self.steps)


class Solver(UpscalerModule):
    """Steps of conjugate gradients from the aligned interpolation."""

    def __init__(self, run: Run, degradation: Degradation, *, steps: int) -> None:
        super().__init__(run)
        self.degradation, self.steps = degradation, steps

    @isolated
    def forward(self, x: Tensor) -> Tensor:
        """Solve for images, (N, C, h, w) to (N, C, H, W) in [0, 1]."""
        start = x.new_empty(*x.shape[:2], *self.degradation.hr_size(image_size(x)))
        for band, enlarged in zip(x.split(1, dim=1), start.split(1, dim=1), strict=True):
            enlarged.copy_(self.degradation.upsample(band))  # at once it would need several times the memory
        return back_project(start, x, self.degradation, steps=self.steps, run=self.run, stage="solve")
