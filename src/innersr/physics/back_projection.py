"""Back-projection: corrects an HR image until its degraded copy is the LR image. Knows no network."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from innersr.physics.degradation import Degradation
from innersr.physics.jpeg import compression_error
from innersr.physics.resize import image_size
from innersr.run import Run, stage_name

CONSISTENT = 1e-6  # mean squared residual: 60 dB, below what rounding to 8 bits does


@torch.no_grad()
def back_project(
    sr: Tensor, lr: Tensor, degradation: Degradation, *, steps: int, run: Run, stage: str = "back-project"
) -> Tensor:
    """Correct `sr`, in place, until its degraded copy is `lr`: conjugate gradients on the exact operator.

    Irani and Peleg 1991 repeat x += up(lr - K x); conjugate gradients take the same residual several times as
    far (CGLS; Bjorck 1996, sec. 7.4). Each step lowers |lr - K x|; few steps leave alone what lr hardly determines.
    Where clipping to [0, 1] undoes that, up to 50 accelerated projected gradients correct within the range.

    Args:
        sr: (N, C, H, W), corrected in place, then in [0, 1].
        lr: (N, C, h, w).
        degradation: K. With noise or compression, the correction ends where the residual is as large as they are.
        steps: of conjugate gradients, at most; 0 only clips.
        run: gets the progress; may cancel.
        stage: name of this work in the reports.
    """
    if steps == 0:
        return sr.clamp_(0, 1)
    planes = [(n, c) for n in range(sr.shape[0]) for c in range(sr.shape[1])]
    norm: float | None = None
    unexplained = math.hypot(degradation.noise, compression_error(degradation.compression))
    # One plane after the other, because K knows no colour; all vectors of a solver are one plane large at most.
    for number, (n, c) in enumerate(planes):
        x, y = sr[n : n + 1, c : c + 1], lr[n : n + 1, c : c + 1]
        steps_of_plane = run.steps(stage_name(stage, number, len(planes)), steps, limited=False)
        _solve(x, y, degradation, steps_of_plane, unexplained)
        low, high = torch.aminmax(x)
        x.clamp_(0, 1)
        if (low < 0 or high > 1) and unexplained == 0 and not _is_consistent(x, y, degradation):
            norm = norm or _squared_norm(x, y, degradation, run)
            _solve_within_range(x, y, degradation, 1 / norm, run)
    return sr


def _solve(x: Tensor, lr: Tensor, degradation: Degradation, steps: Iterable[int], unexplained: float) -> None:
    """Add Kt z to one plane. CGLS finds z with vectors of LR size only, as its directions are Kt q."""
    size, lr_size = image_size(x), image_size(lr)

    def normal(y: Tensor) -> Tensor:
        return degradation.forward(degradation.adjoint(y, size), lr_size)

    residual, solution = lr - degradation.forward(x, lr_size), torch.zeros_like(lr)
    image = normal(residual)
    direction, direction_image = residual, image
    power = (residual * image).sum()  # |Kt residual|^2
    noise, goal = unexplained**2, 1e-10 * power  # float32 cannot improve on that
    for _ in steps:
        if power <= goal or residual.square().mean() <= noise:
            break
        step = power / direction_image.square().sum()
        solution = solution + step * direction
        residual = residual - step * direction_image
        image = normal(residual)
        previous, power = power, (residual * image).sum()
        direction = residual + (power / previous) * direction
        direction_image = image + (power / previous) * direction_image
    x += degradation.adjoint(solution, size)


def _solve_within_range(x: Tensor, lr: Tensor, degradation: Degradation, step: float, run: Run) -> None:
    """Move a plane, within [0, 1], until its degraded copy is nearest to lr: FISTA (Beck and Teboulle 2009, sec. 4).

    It ends early where x is consistent enough. Point-sampled images may have no exact solution in the range.
    """
    size, lr_size = image_size(x), image_size(lr)
    latest = ahead = x
    momentum, before = 1.0, math.inf
    for number in range(50):
        run.check_cancelled()
        residual = lr - degradation.forward(ahead, lr_size)
        error = float(residual.square().mean())
        if error <= CONSISTENT:
            latest = ahead.clamp_(0, 1)
            break
        # Where five steps take less than a fifth off the squared residual, perhaps no image within the range shrinks
        # to lr, and more steps would draw rings of black and white dots.
        if number % 5 == 0:
            if error > 0.8 * before:
                break
            before = error
        if number == 0:
            ahead = x.clone()
        ahead.add_(degradation.adjoint(residual, size), alpha=step).clamp_(0, 1)
        following = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        # Two planes take turns: the one before becomes the extrapolated one.
        latest.lerp_(ahead, 1 + (momentum - 1) / following)
        latest, ahead, momentum = ahead, latest, following
    if latest is not x:
        x.copy_(latest)


def _is_consistent(x: Tensor, lr: Tensor, degradation: Degradation) -> bool:
    residual = lr - degradation.forward(x, image_size(lr))
    return float(residual.square().mean()) <= CONSISTENT


def _squared_norm(x: Tensor, lr: Tensor, degradation: Degradation, run: Run) -> float:
    """Upper bound of the largest eigenvalue of K Kt for planes of this size, by power iteration."""
    size, lr_size = image_size(x), image_size(lr)
    vector = torch.rand(lr.shape, generator=torch.Generator().manual_seed(0)).to(lr)
    for _ in range(20):
        run.check_cancelled()
        vector = degradation.forward(degradation.adjoint(vector / vector.norm(), size), lr_size)
    return 1.05 * float(vector.norm())  # the iteration comes from below, to within a few per cent
