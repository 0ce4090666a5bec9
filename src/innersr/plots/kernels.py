"""Drawings of blur kernels: one with its measures, or two with their difference. Knows nothing about files."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from innersr.physics.kernel_comparison import Difference, centred_alike, second_moments
from innersr.physics.kernels import centre_of_mass, shape_of
from innersr.plots.sheets import Cell, Pixels, draw_sheet, grid, plot_cell, text_cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def kernel_sheet(kernel: Tensor, title: str) -> Pixels:
    """Draw a kernel enlarged, the ellipse of its covariance over it, its title and measures above it."""
    return _drawn([title, *measures_of(kernel)], kernel_cell(kernel))


def kernel_pair_sheet(kernels: tuple[Tensor, Tensor], names: tuple[str, str], gap: Difference) -> Pixels:
    """Draw a kernel and its reference side by side, centred, and the first minus the second."""
    first, second = centred_alike(*kernels)
    rest = first - second
    peak = float(max(first.max(), second.max()))
    headings = ["\n".join([name, *measures_of(kernel)]) for name, kernel in zip(names, kernels, strict=True)]
    headings.append(f"first - second\nlargest {float(rest.abs().max()):.2g}, of taps up to {peak:.2g}")
    cells = [kernel_cell(first, peak), kernel_cell(second, peak), kernel_cell(rest, peak, has_ellipse=False)]
    content = grid([[text_cell(heading) for heading in headings], cells])
    return _drawn([f"{names[0]} against {names[1]}", *measures_of_difference(gap)], content)


def measures_of(kernel: Tensor) -> list[str]:
    """Describe a kernel's width: standard deviations, covariance."""
    shape = shape_of(kernel)
    long, short = shape.deviations
    xx, xy, yy = second_moments(kernel)
    return [
        f"{kernel.shape[0]}x{kernel.shape[1]}, standard deviations {long:.2f} x {short:.2f} px{shape.direction}",
        f"covariance xx {xx:z.2f}, xy {xy:z.2f}, yy {yy:z.2f} px^2",
    ]


def measures_of_difference(gap: Difference) -> list[str]:
    """Describe how much two kernels differ."""
    angle = "none (one is round)" if gap.angle is None else f"{gap.angle:.0f} deg"
    return [
        f"angle between the long axes {angle}",
        f"centred: kernel PSNR {gap.psnr:.1f} dB, correlation {gap.correlation:.3f}",
    ]


def kernel_cell(kernel: Tensor, peak: float | None = None, *, has_ellipse: bool = True) -> Cell:
    """An enlarged kernel with numbered rows and columns, and the ellipse of one standard deviation with its axes.

    The darkest colour is that of the weight `peak`, the largest one when None.
    """
    rows, columns = kernel.shape
    zoom = min(40, 380 / max(rows, columns))  # pixels of one tap
    weights = (kernel / (peak or float(kernel.abs().max()) or 1.0)).numpy(force=True)

    def plot(axes: Axes) -> None:
        axes.imshow(np.sign(weights) * np.sqrt(np.abs(weights)), cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
        axes.set(xticks=_numbered(columns), yticks=_numbered(rows))
        if zoom >= 8:
            axes.set_xticks(np.arange(0.5, columns - 1), minor=True)
            axes.set_yticks(np.arange(0.5, rows - 1), minor=True)
            axes.grid(which="minor", color="#dedede", linewidth=1)
            axes.tick_params(which="minor", length=0)
        if has_ellipse:
            _plot_ellipse(axes, kernel)

    return plot_cell(round(columns * zoom), round(rows * zoom), plot, left=26, right=26, below=20)


def _plot_ellipse(axes: Axes, kernel: Tensor) -> None:
    shape, (row, column) = shape_of(kernel), centre_of_mass(kernel)
    long, short = shape.deviations
    cos, sin = math.cos(shape.angle), math.sin(shape.angle)
    for turns in (np.linspace(0, 2, 73), np.array([0, 1]), np.array([0.5, 1.5])):
        along, across = long * np.cos(math.pi * turns), short * np.sin(math.pi * turns)
        x, y = column + along * cos - across * sin, row + along * sin + across * cos
        axes.plot(x, y, color="#f06e14", linewidth=2 if len(turns) > 2 else 1, scalex=False, scaley=False)


def _numbered(length: int) -> range:
    """About six rows to number; the middle one is among them if there is one."""
    step = max(1, math.ceil(length / 6))
    return range((length // 2) % step, length, step)


def _drawn(lines: list[str], content: Cell) -> Pixels:
    legend = "blue: positive, red: negative; colours show the square root of the weight"
    return draw_sheet([*lines, legend, "ellipse: one standard deviation"], content)
