"""Better output without more training: tiles, self-ensemble, back-projection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from innersr.augment import apply_symmetry, undo_symmetry
from innersr.degradation import Degradation
from innersr.run import Run

TILE = 256  # pixels: a network pass over one tile takes well under a second on a CPU
CONVERGED = 1e-10  # of the first squared residual: what float32 cannot improve on


def apply_tiled(
    network: Callable[[Tensor], Tensor], x: Tensor, *, halo: int, run: Run, tile: int = TILE, stage: str = "upscale"
) -> Tensor:
    """Apply a network that keeps the size of its input, tile by tile.

    With a halo of the network's radius the result is that of one pass over the whole image.

    Args:
        network: maps (N, C, h, w) to the same shape.
        x: (N, C, H, W).
        halo: pixels around each tile that the network sees too.
        run: told the progress; may cancel.
        tile: side of a tile in pixels, without its halo.
        stage: name of this work in the reports.
    """
    height, width = x.shape[-2:]
    corners = [(top, left) for top in range(0, height, tile) for left in range(0, width, tile)]
    result = torch.empty_like(x)
    for index in run.steps(stage, len(corners), limited=False):
        top, left = corners[index]
        bottom, right = min(top + tile, height), min(left + tile, width)
        first, begin = max(0, top - halo), max(0, left - halo)
        part = network(x[..., first : bottom + halo, begin : right + halo])
        result[..., top:bottom, left:right] = part[..., top - first : bottom - first, left - begin : right - begin]
    return result


def self_ensemble(upscale: Callable[[Tensor], Tensor], x: Tensor, symmetries: Sequence[int]) -> Tensor:
    """Return the pixelwise median of `upscale` over turned copies of `x`, turned back.

    ZSSR's geometric self-ensemble (Shocher 2018, sec. 3.2; Timofte 2016, sec. 3.7).

    Args:
        upscale: maps (N, C, h, w) to (N, C, sh, sw), for the turned copies too.
        x: (N, C, h, w).
        symmetries: those that what was learnt holds for: `Degradation.symmetries()`.
    """
    if len(symmetries) == 1:
        return undo_symmetry(upscale(apply_symmetry(x, symmetries[0])), symmetries[0])
    results = torch.stack([undo_symmetry(upscale(apply_symmetry(x, k)), k) for k in symmetries])
    # In strips, because sorting needs three times the memory of what it sorts.
    return torch.cat([_median(strip) for strip in results.split(TILE, dim=-2)], dim=-2)


def back_project(
    sr: Tensor, lr: Tensor, degradation: Degradation, *, steps: int, run: Run, stage: str = "back-project"
) -> Tensor:
    """Correct `sr` until its degraded copy is `lr`: conjugate gradients on the exact operator.

    Irani and Peleg 1991 repeat x += up(lr - K x); conjugate gradients take the same residual several times as
    far (CGLS; Bjorck 1996, sec. 7.4). Each step lowers |lr - K x|; few steps leave alone what lr hardly tells.

    Args:
        sr: (N, C, H, W).
        lr: (N, C, h, w).
        degradation: K. With noise, the correction ends where the residual is as large as the noise.
        steps: at most so many; 0 returns `sr`.
        run: told the progress; may cancel.
        stage: name of this work in the reports.

    Returns:
        (N, C, H, W), not clipped.
    """
    size = (sr.shape[-2], sr.shape[-1])
    lr_size = (lr.shape[-2], lr.shape[-1])
    forward = partial(degradation.forward, size=lr_size)
    x, residual = sr, lr - forward(sr)
    gradient = degradation.adjoint(residual, size)
    direction, power = gradient, gradient.square().sum()
    noise, goal = degradation.noise**2, CONVERGED * power
    for _ in run.steps(stage, steps, limited=False):
        if power <= goal or residual.square().mean() <= noise:
            break
        image = forward(direction)
        step = power / image.square().sum()
        x = x + step * direction
        residual = residual - step * image
        gradient = degradation.adjoint(residual, size)
        previous, power = power, gradient.square().sum()
        direction = gradient + (power / previous) * direction
    return x


def _median(x: Tensor) -> Tensor:
    """Return the median over the first axis, of an even count the mean of the two middle values.

    torch.median would take the lower one and darken the image.
    """
    ordered = x.sort(dim=0).values
    return (ordered[len(x) // 2] + ordered[(len(x) - 1) // 2]) / 2
