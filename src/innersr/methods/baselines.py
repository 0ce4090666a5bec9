"""Baselines without learning, for comparison with every trained method."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.methods.protocols import Upscaler
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

    def __post_init__(self) -> None:
        check_choices(self, phase=("repository", "aligned"))

    @isolated
    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:  # noqa: ARG002 (nothing to learn)
        """The interpolation as an upscaler."""

        @isolated
        def upscale(x: Tensor) -> Tensor:
            if self.phase == "aligned":
                return degradation.upsample(x).clamp(0, 1)
            return resize(x, degradation.scales, size=degradation.hr_size(image_size(x))).clamp(0, 1)

        return upscale


@dataclass(frozen=True, kw_only=True)
class BackProjection:
    """The least-squares solution for a known kernel, by conjugate gradients from the aligned interpolation.

    It knows the degradation exactly and nothing about images. Noise stops it early.

    Args:
        steps: of conjugate gradients. Fewer steps smooth more; see `back_project` for clipping.
    """

    steps: int = 20

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise InputError(f"steps must not be negative, got {self.steps}")

    @isolated
    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:  # noqa: ARG002 (nothing to learn)
        """The solver as an upscaler."""

        @isolated
        def upscale(x: Tensor) -> Tensor:
            start = x.new_empty(*x.shape[:2], *degradation.hr_size(image_size(x)))
            for band, enlarged in zip(x.split(1, dim=1), start.split(1, dim=1), strict=True):
                enlarged.copy_(degradation.upsample(band))  # at once it would need several times the memory
            return back_project(start, x, degradation, steps=self.steps, run=run, stage="solve")

        return upscale
