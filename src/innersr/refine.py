"""Better output without more training: tiles, self-ensemble, back-projection, the image's own grain."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from innersr.augment import apply_symmetry, undo_symmetry
from innersr.degradation import Degradation
from innersr.memory import free_memory, is_out_of_memory, release_cached_memory
from innersr.resize import Window
from innersr.run import Run

LARGEST_TILE = 256  # LR pixels; a network pass over more is not faster
FLOAT = 4  # bytes
SORTED = 5  # times the memory of all views that their median takes: they, sorted, and their places as int64
SMALLEST_TILE = 16  # LR pixels; halving goes no further
MEMORY_SHARE = 4  # tiles are chosen to need at most a quarter of the free memory
STEPS_WITHIN_RANGE = 50
# Five steps have to take a fifth off the squared residual. Where they do not, no picture may shrink to the image, and
# more steps would draw rings of black and white beads.
PATIENCE, STALLED = 5, 0.8
CONSISTENT = 1e-6  # mean squared residual: 60 dB, below what rounding to 8 bits does
POWER_STEPS, POWER_MARGIN = 20, 1.05  # the iteration comes from below, to within a few per cent
CONVERGED = 1e-10  # of the first squared residual: what float32 cannot improve on


def tile_side(lr_size: tuple[int, int], run: Run, *, pixel_bytes: float) -> int:
    """Return the side of the tiles in LR pixels: what the run asks for, else what the free memory allows.

    Args:
        lr_size: (h, w); a whole image is one tile where the run asks for 0.
        run: with the tile size and the device.
        pixel_bytes: that a network pass needs for every LR pixel.
    """
    if run.tile is not None:
        return run.tile or max(lr_size)
    affordable = math.isqrt(int(free_memory(run.torch_device) / MEMORY_SHARE / pixel_bytes))
    return min(LARGEST_TILE, max(SMALLEST_TILE, affordable))


def apply_tiled(
    render: Callable[[Window], Tensor],
    lr_size: tuple[int, int],
    result: Tensor,
    *,
    side: int,
    run: Run,
    stage: str = "upscale",
) -> Tensor:
    """Fill `result` tile by tile. Where memory runs out, the tiles are halved and the work goes on.

    Args:
        render: computes the part of the result that a tile of the LR image covers. If it looks as far beyond
            the tile as its network does, the tiles leave no seam.
        lr_size: (h, w) of the LR image.
        result: (N, C, H, W), written to.
        side: of a tile in LR pixels.
        run: told the progress; may cancel.
        stage: name of this work in the reports.

    Raises:
        MemoryError, torch.OutOfMemoryError, RuntimeError: tiles of 16 pixels are too large, too.
    """
    tiles = [*_split(Window(0, 0, *lr_size), side)]
    while tiles:
        done = 0
        try:
            for index in run.steps(stage, len(tiles), limited=False):
                part = hr_part(tiles[index], lr_size, (result.shape[-2], result.shape[-1]))
                result[..., part.top : part.bottom, part.left : part.right] = render(tiles[index])
                done = index + 1
            return result
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or side <= SMALLEST_TILE:
                raise
        # Outside the handler, where the failed pass no longer keeps its memory.
        release_cached_memory(result.device)
        side = max(SMALLEST_TILE, side // 2)
        tiles = [part for tile in tiles[done:] for part in _split(tile, side)]
    return result


def hr_part(tile: Window, lr_size: tuple[int, int], hr_size: tuple[int, int]) -> Window:
    """Return the part of the HR image that a tile of the LR image covers; tiles cover it all, once."""
    rows, columns = hr_size[0] / lr_size[0], hr_size[1] / lr_size[1]
    return Window(
        math.floor(tile.top * rows + 0.5),
        math.floor(tile.left * columns + 0.5),
        math.floor(tile.bottom * rows + 0.5),
        math.floor(tile.right * columns + 0.5),
    )


def grown(part: Window, halo: int, size: tuple[int, int], wraps: tuple[bool, bool]) -> Window:
    """Return a part with its halo, within the image unless that continues on its other side."""
    top, left, bottom, right = part.top - halo, part.left - halo, part.bottom + halo, part.right + halo
    if not wraps[0]:
        top, bottom = max(0, top), min(size[0], bottom)
    if not wraps[1]:
        left, right = max(0, left), min(size[1], right)
    return Window(top, left, bottom, right)


def self_ensemble(upscale: Callable[[Tensor, int], Tensor], x: Tensor, symmetries: Sequence[int]) -> Tensor:
    """Return the pixelwise median of `upscale` over turned copies of `x`, turned back.

    ZSSR's geometric self-ensemble (Shocher 2018, sec. 3.2; Timofte 2016, sec. 3.7).

    Args:
        upscale: maps a turned copy, (N, C, h, w), and the number of its symmetry to (N, C, sh, sw).
        x: (N, C, h, w).
        symmetries: those that what was learnt holds for: `Degradation.symmetries()`.
    """
    return _median(torch.stack([undo_symmetry(upscale(apply_symmetry(x, k), k), k) for k in symmetries]))


@torch.no_grad()
def back_project(
    sr: Tensor, lr: Tensor, degradation: Degradation, *, steps: int, run: Run, stage: str = "back-project"
) -> Tensor:
    """Correct `sr`, in place, until its degraded copy is `lr`: conjugate gradients on the exact operator.

    Irani and Peleg 1991 repeat x += up(lr - K x); conjugate gradients take the same residual several times as
    far (CGLS; Bjorck 1996, sec. 7.4). Each step lowers |lr - K x|; few steps leave alone what lr hardly tells.
    Where clipping to [0, 1] undoes that, up to 50 accelerated projected gradients correct within the range.

    Args:
        sr: (N, C, H, W), written to.
        lr: (N, C, h, w).
        degradation: K. With noise, the correction ends where the residual is as large as the noise.
        steps: of conjugate gradients, at most; 0 only clips.
        run: told the progress; may cancel.
        stage: name of this work in the reports.

    Returns:
        `sr`, now in [0, 1].
    """
    if steps == 0:
        return sr.clamp_(0, 1)
    planes = [(n, c) for n in range(sr.shape[0]) for c in range(sr.shape[1])]
    norm: float | None = None
    # One plane after the other, because K knows no colour; all vectors of a solver are one plane large at most.
    for number, (n, c) in enumerate(planes, start=1):
        part = slice(n, n + 1), slice(c, c + 1)
        name = stage if len(planes) == 1 else f"{stage}, band {number} of {len(planes)}"
        _solve(sr[part], lr[part], degradation, run.steps(name, steps, limited=False))
        low, high = torch.aminmax(sr[part])
        sr[part].clamp_(0, 1)
        was_clipped = bool(low < 0 or high > 1)
        if was_clipped and degradation.noise == 0 and not _is_consistent(sr[part], lr[part], degradation):
            norm = norm or _squared_norm(sr[part], lr[part], degradation, run)
            _solve_within_range(sr[part], lr[part], degradation, 1 / norm, run)
    return sr


@torch.no_grad()
def with_grain(sr: Tensor, lr: Tensor, degradation: Degradation) -> Tensor:
    """Return `sr` with the grain of `lr`, which is all that `sr` does not explain, enlarged but not sharpened.

    Args:
        sr: (N, C, H, W) in [0, 1], free of noise.
        lr: (N, C, h, w) in [0, 1].
        degradation: from the one to the other; its noise does not matter.

    Returns:
        sr + upsample(lr - K sr), clipped to [0, 1], with the cubic kernel on the degradation's grid.
    """
    grain = lr - degradation.forward(sr, (lr.shape[-2], lr.shape[-1]))
    return (sr + degradation.upsample(grain, (sr.shape[-2], sr.shape[-1]))).clamp_(0, 1)


def _solve(x: Tensor, lr: Tensor, degradation: Degradation, steps: Iterable[int]) -> None:
    """Add Kt z to one plane. CGLS finds z with vectors of LR size only, as its directions are Kt q."""
    size, lr_size = (x.shape[-2], x.shape[-1]), (lr.shape[-2], lr.shape[-1])

    def normal(y: Tensor) -> Tensor:
        return degradation.forward(degradation.adjoint(y, size), lr_size)

    residual, solution = lr - degradation.forward(x, lr_size), torch.zeros_like(lr)
    image = normal(residual)
    direction, direction_image = residual, image
    power = (residual * image).sum()  # |Kt residual|^2
    noise, goal = degradation.noise**2, CONVERGED * power
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
    size, lr_size = (x.shape[-2], x.shape[-1]), (lr.shape[-2], lr.shape[-1])
    latest = ahead = x
    momentum, before = 1.0, math.inf
    for number in range(STEPS_WITHIN_RANGE):
        run.check_cancelled()
        residual = lr - degradation.forward(ahead, lr_size)
        error = float(residual.square().mean())
        if error <= CONSISTENT:
            latest = ahead.clamp_(0, 1)
            break
        if number % PATIENCE == 0:
            if error > STALLED * before:
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
    residual = lr - degradation.forward(x, (lr.shape[-2], lr.shape[-1]))
    return float(residual.square().mean()) <= CONSISTENT


def _squared_norm(x: Tensor, lr: Tensor, degradation: Degradation, run: Run) -> float:
    """Return a bound of the largest eigenvalue of K Kt for planes of this size, by power iteration."""
    size, lr_size = (x.shape[-2], x.shape[-1]), (lr.shape[-2], lr.shape[-1])
    vector = torch.rand(lr.shape, generator=torch.Generator().manual_seed(0)).to(lr)
    norm = vector.norm()
    for _ in range(POWER_STEPS):
        run.check_cancelled()
        vector = degradation.forward(degradation.adjoint(vector / norm, size), lr_size)
        norm = vector.norm()
    return POWER_MARGIN * float(norm)


def _split(tile: Window, side: int) -> Iterator[Window]:
    for top in range(tile.top, tile.bottom, side):
        for left in range(tile.left, tile.right, side):
            yield Window(top, left, min(top + side, tile.bottom), min(left + side, tile.right))


def _median(x: Tensor) -> Tensor:
    """Return the median over the first axis, of an even count the mean of the two middle values.

    torch.median would take the lower one and darken the image.
    """
    ordered = x.sort(dim=0).values
    return (ordered[len(x) // 2] + ordered[(len(x) - 1) // 2]) / 2
