"""Resampling, the only implementation in the project. Knows nothing about files or colour.

`resize` is MATLAB's `imresize(x, scale, "bicubic")`: cubic kernel with a = -0.5 (Keys 1981), widened when it
shrinks (antialiasing), symmetric border, output length ceil(scale * n), and a grid that follows from the scale
alone. An axis that wraps has no border: the image continues on its opposite side, as a seamless texture does.
Each axis is one banded matrix, applied in blocks, so the map is linear, differentiable, the same on every
device, and its adjoint is the transposed matrix.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import require_tensor, unrounded

Scale = float | tuple[float, float]
BLOCK = 64  # output samples that share one small dense matrix
ROUNDING_SLACK = 1e-9  # 1.1 * 50 is 55.00000000000001, and its ceiling should be 55


class Window(NamedTuple):
    """Rows [top, bottom) and columns [left, right) of an image."""

    top: int
    left: int
    bottom: int
    right: int


class Grid(NamedTuple):
    """One resampled axis: output sample i reads the input at i / scale + phase (pixel centres, from 0)."""

    length_in: int
    length_out: int
    scale: float
    phase: float
    antialias: bool
    wrap: bool


class Block(NamedTuple):
    """Outputs [out_start, out_stop) as a dense matrix over inputs [in_start, in_stop).

    Where an axis wraps, in_stop may lie beyond its end: those inputs are the first ones.
    """

    out_start: int
    out_stop: int
    in_start: int
    in_stop: int
    weights: Tensor


@unrounded
def resize(
    x: Tensor,
    scale: Scale | None = None,
    *,
    size: tuple[int, int] | None = None,
    phase: float | tuple[float, float] | None = None,
    antialias: bool = True,
    wrap: tuple[bool, bool] = (False, False),
    window: Window | None = None,
) -> Tensor:
    """Resample the last two axes of `x`.

    Args:
        x: (..., H, W) of any real dtype, which the result keeps. Integers of up to 16 bits are computed in float32,
            wider ones in float64 (exact below 2^53), then rounded and clipped to their range.
        scale: output pixels per input pixel, one number or (vertical, horizontal); from `size` when None.
        size: output (H, W); ceil(scale * length) when None. It does not change the grid that `scale` gives.
        phase: input coordinate of output pixel 0; (1 / scale - 1) / 2 when None, which aligns the outer edges
            of the two images as MATLAB and every image tool do.
        antialias: widen the kernel when shrinking. False samples the cubic interpolation at points.
        wrap: (vertical, horizontal), whether the image continues on its opposite side; else it is reflected.
        window: part of the output to compute. Along an axis that wraps it may reach beyond the output.

    Raises:
        InputError: neither scale nor size, a scale that is not positive, a window that is empty or outside the output,
            an empty image, or one of booleans or complex numbers.
    """
    if require_tensor(x).dtype == torch.bool or x.is_complex():
        raise InputError(f"resize computes with real numbers, got {x.dtype}; convert the image first")
    rows, columns = grids(_size_of(x), scale, size=size, phase=phase, antialias=antialias, wrap=wrap)
    if window is not None:
        x, rows, columns = _through_window(x, rows, columns, window)
    if not x.is_floating_point():
        limits = torch.iinfo(x.dtype)
        resampled = _resample(x.float() if limits.bits <= 16 else x.double(), rows, columns)
        return resampled.round().clamp(limits.min, limits.max).to(x.dtype)
    if x.dtype in (torch.float16, torch.bfloat16):
        return _resample(x.float(), rows, columns).to(x.dtype)
    return _resample(x, rows, columns)


imresize = resize  # the public name, after MATLAB's function


@unrounded
def resize_adjoint(
    y: Tensor,
    size: tuple[int, int],
    scale: Scale,
    *,
    phase: float | tuple[float, float] | None = None,
    antialias: bool = True,
    wrap: tuple[bool, bool] = (False, False),
) -> Tensor:
    """Apply the transpose of the `resize` with these arguments that maps images of `size` to images of y's size."""
    rows, columns = grids(size, scale, size=_size_of(y), phase=phase, antialias=antialias, wrap=wrap)
    return _transposed_rows(_transposed_rows(y, rows).mT, columns).mT


def cut(x: Tensor, window: Window, wrap: tuple[bool, bool] = (False, False)) -> Tensor:
    """Crop a window of (..., H, W) that may reach beyond the image, which continues there as in `resize`.

    The result is a view where the window lies inside the image.
    """
    top, left, bottom, right = window
    if top >= 0 and left >= 0 and bottom <= x.shape[-2] and right <= x.shape[-1]:
        return x[..., top:bottom, left:right]
    rows = extend(torch.arange(top, bottom, device=x.device), x.shape[-2], wrap[0])
    columns = extend(torch.arange(left, right, device=x.device), x.shape[-1], wrap[1])
    return x[..., rows[:, None], columns]


def image_size(x: Tensor) -> tuple[int, int]:
    """(H, W) of images (..., H, W).

    Raises:
        InputError: they are no tensor.
    """
    height, width = require_tensor(x).shape[-2:]
    return height, width


def output_size(size: tuple[int, int], scale: Scale) -> tuple[int, int]:
    """MATLAB's output size: ceil(scale * length) for each axis."""
    vertical, horizontal = as_pair(scale)
    return math.ceil(size[0] * vertical - ROUNDING_SLACK), math.ceil(size[1] * horizontal - ROUNDING_SLACK)


def whole_scale(scale: float, length: int) -> float:
    """The scale nearest to this one that makes `length` whole, above 1 if this one is."""
    product = scale * length
    if abs(product - round(product)) <= ROUNDING_SLACK:
        return scale
    return max(round(product), length + 1) / length


def as_pair(value: float | tuple[float, float]) -> tuple[float, float]:
    """A number as the pair (vertical, horizontal); a pair as it is."""
    first, second = value if isinstance(value, tuple | list) and len(value) == 2 else (value, value)  # noqa: PLR2004
    try:
        return float(first), float(second)
    except (TypeError, ValueError):
        raise InputError(f"must be a number, or a pair of them, got {value!r}") from None


def grids(
    size_in: tuple[int, int],
    scale: Scale | None,
    *,
    size: tuple[int, int] | None,
    phase: float | tuple[float, float] | None,
    antialias: bool,
    wrap: tuple[bool, bool] = (False, False),
) -> tuple[Grid, Grid]:
    """The vertical and the horizontal grid of a resampling; see `resize`."""
    if scale is None:
        if size is None:
            raise InputError("resize needs a scale or a size")
        scale = (size[0] / size_in[0], size[1] / size_in[1])
    scales = as_pair(scale)
    if not all(0 < s < math.inf for s in scales):
        raise InputError(f"scale must be positive, got {scale}")
    lengths = size if size is not None else output_size(size_in, scales)
    phases = as_pair(phase) if phase is not None else tuple((1 / s - 1) / 2 for s in scales)
    if not all(math.isfinite(p) for p in phases):
        raise InputError(f"phase must be finite, got {phases}")
    if min(*size_in, *lengths) < 1:
        raise InputError(f"cannot resize an image of {size_in[0]}x{size_in[1]} pixels to {lengths[0]}x{lengths[1]}")
    return (
        Grid(size_in[0], lengths[0], scales[0], phases[0], antialias, wrap[0]),
        Grid(size_in[1], lengths[1], scales[1], phases[1], antialias, wrap[1]),
    )


def cubic(x: Tensor) -> Tensor:
    """Cubic interpolation kernel with a = -0.5 at the distances `x` (Keys 1981, eq. 15)."""
    d = x.abs()
    near = (1.5 * d - 2.5) * d * d + 1
    far = ((-0.5 * d + 2.5) * d - 4) * d + 2
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))


def _size_of(x: Tensor) -> tuple[int, int]:
    if x.ndim < 2 or 0 in x.shape[-2:]:
        raise InputError(f"an image needs two axes and a pixel at least, got shape {tuple(x.shape)}")
    return image_size(x)


def _through_window(x: Tensor, rows: Grid, columns: Grid, window: Window) -> tuple[Tensor, Grid, Grid]:
    """The part of the image that a window of the output reads, and the grids on that part."""
    for grid, start, stop in zip((rows, columns), window[:2], window[2:], strict=True):
        if start >= stop or (not grid.wrap and (start < 0 or stop > grid.length_out)):
            raise InputError(
                f"a window is (top, left, bottom, right) inside the {rows.length_out}x{columns.length_out} pixels of "
                f"the output, got {window}; only along an axis that wraps may it reach beyond"
            )
    top, part_rows = _grid_between(rows, window[0], window[2])
    left, part_columns = _grid_between(columns, window[1], window[3])
    read = Window(top, left, top + part_rows.length_in, left + part_columns.length_in)
    return cut(x, read, (rows.wrap, columns.wrap)), part_rows, part_columns


def _grid_between(grid: Grid, start: int, stop: int) -> tuple[int, Grid]:
    """The first input that outputs [start, stop) read, and the grid of the inputs from it on."""
    reach = 2 / _shrink(grid)
    place = start / grid.scale + grid.phase
    # Rounded here and below, so that windows of one size share their matrices wherever they lie.
    first = math.floor(round(place - reach, 9)) + 1
    length_in = math.ceil((stop - start - 1) / grid.scale + 2 * reach)
    return first, Grid(length_in, stop - start, grid.scale, round(place - first, 9), grid.antialias, wrap=False)


def _resample(x: Tensor, rows: Grid, columns: Grid) -> Tensor:
    # The axis that shrinks most goes first: fewer pixels are left for the other.
    if rows.scale <= columns.scale:
        return _rows(_rows(x, rows).mT, columns).mT
    return _rows(_rows(x.mT, columns).mT, rows)


def _rows(x: Tensor, grid: Grid) -> Tensor:
    if grid.length_in == grid.length_out and grid.scale == 1 and grid.phase == 0:
        return x
    parts = [block.weights.to(x) @ _inputs(x, block) for block in _blocks(grid)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2)


def _inputs(x: Tensor, block: Block) -> Tensor:
    inside = x[..., block.in_start : block.in_stop, :]
    beyond = block.in_stop - x.shape[-2]
    return inside if beyond <= 0 else torch.cat([inside, x[..., :beyond, :]], dim=-2)


def _transposed_rows(y: Tensor, grid: Grid) -> Tensor:
    x = y.new_zeros(*y.shape[:-2], grid.length_in, y.shape[-1])
    for block in _blocks(grid):
        part = block.weights.to(y).mT @ y[..., block.out_start : block.out_stop, :]
        inside = min(block.in_stop, grid.length_in) - block.in_start
        x[..., block.in_start : block.in_stop, :] += part[..., :inside, :]
        x[..., : part.shape[-2] - inside, :] += part[..., inside:, :]
    return x


@lru_cache(maxsize=256)
@torch.inference_mode(False)  # a tensor made in inference mode could not be used for learning later
def _blocks(grid: Grid) -> tuple[Block, ...]:
    taps, weights = _taps(grid)
    blocks = []
    for start in range(0, grid.length_out, BLOCK):
        stop = min(start + BLOCK, grid.length_out)
        inputs = _folded_taps(taps[start:stop], grid)
        first, last = int(inputs.min()), int(inputs.max())
        dense = torch.zeros(stop - start, last - first + 1, dtype=torch.float64)
        dense.scatter_add_(1, inputs - first, weights[start:stop])
        blocks.append(Block(start, stop, first, last + 1, dense))
    return tuple(blocks)


def _taps(grid: Grid) -> tuple[Tensor, Tensor]:
    """Input indices, some outside the image, and their weights for each output sample: (out, taps) each."""
    shrink = _shrink(grid)
    width = 4 / shrink
    centres = torch.arange(grid.length_out, dtype=torch.float64) / grid.scale + grid.phase
    left = torch.floor(centres - width / 2)
    taps = left[:, None] + torch.arange(math.ceil(width) + 2, dtype=torch.float64)
    weights = cubic((centres[:, None] - taps) * shrink)
    return taps.long(), weights / weights.sum(dim=1, keepdim=True)


def _shrink(grid: Grid) -> float:
    return min(1.0, grid.scale) if grid.antialias else 1.0


def _folded_taps(taps: Tensor, grid: Grid) -> Tensor:
    if not grid.wrap:
        return reflect(taps, grid.length_in)
    # Folded behind their first, not into the image: a block that crosses the seam stays one short run of inputs.
    first = int(taps.min())
    return first % grid.length_in + (taps - first).remainder(grid.length_in)


def reflect(index: Tensor, length: int) -> Tensor:
    """Fold indices outside [0, length) back by half-sample symmetric reflection (…1 0 | 0 1 2…)."""
    folded = index.remainder(2 * length)
    return torch.minimum(folded, 2 * length - 1 - folded)


def extend(index: Tensor, length: int, wrap: bool) -> Tensor:
    """Sources of samples outside [0, length) of an extended axis: wrapped or reflected."""
    return index.remainder(length) if wrap else reflect(index, length)
