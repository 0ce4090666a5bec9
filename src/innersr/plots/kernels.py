"""Pictures of blur kernels: one with its measures, or two with their difference. Knows nothing about files."""

from __future__ import annotations

import math

import torch
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont
from torch import Tensor

from innersr.physics.kernel_comparison import Difference, centred_alike, covariance_of
from innersr.physics.kernels import centre_of_mass, shape_of
from innersr.plots.sheets import FAINT, FINE, FINER, GRID, PAPER, PLOT, Row, table

SIDE = 380  # pixels of the side that a kernel is drawn with, at most
LARGEST_ZOOM = 40  # pixels of one tap
GRIDDED = 8  # pixels of a tap from which lines between the taps are drawn
TICKS = 6  # numbers along an axis, about
MARGIN = 26  # pixels beside the kernel, for the numbers
POSITIVE, NEGATIVE, ELLIPSE = (10, 40, 95), (170, 20, 50), (240, 110, 20)
LEGEND = ("blue above 0, red below: the square root of the weight", "ellipse: one standard deviation")


def kernel_sheet(kernel: Tensor, title: str) -> PILImage.Image:
    """Draw a kernel enlarged, the ellipse of its covariance over it, its measures above it.

    Args:
        kernel: (rows, columns).
        title: what it is.
    """
    lines = [title, *measures_of(kernel), *LEGEND]
    return table(lines, [""], [Row("", [kernel_cell(kernel)])])


def comparison_sheet(kernels: tuple[Tensor, Tensor], names: tuple[str, str], gap: Difference) -> PILImage.Image:
    """Draw two kernels side by side, centred, and what is left when the second is taken from the first.

    Args:
        kernels: the second is what the first is measured by.
        names: one line for each.
        gap: how they differ.
    """
    first, second = centred_alike(*kernels)
    rest = first - second
    peak = float(max(first.max(), second.max()))
    headings = ["\n".join([name, *measures_of(kernel)]) for name, kernel in zip(names, kernels, strict=True)]
    headings.append(f"first - second\nlargest {float(rest.abs().max()):.2g}, of taps up to {peak:.2g}")
    cells = [
        kernel_cell(first, peak=peak),
        kernel_cell(second, peak=peak),
        kernel_cell(rest, peak=peak, has_ellipse=False),
    ]
    return table([f"{names[0]} against {names[1]}", *measures_of_difference(gap), *LEGEND], headings, [Row("", cells)])


def measures_of(kernel: Tensor) -> list[str]:
    """Return lines that say how wide a kernel is: standard deviations, covariance."""
    shape = shape_of(kernel)
    long, short = shape.deviations
    xx, xy, yy = covariance_of(kernel)
    return [
        f"{kernel.shape[0]}x{kernel.shape[1]}, deviations {long:.2f} x {short:.2f} px "
        f"at {math.degrees(shape.angle):.0f} deg",
        f"covariance xx {xx:z.2f}, xy {xy:z.2f}, yy {yy:z.2f} px^2",
    ]


def measures_of_difference(gap: Difference) -> list[str]:
    """Return lines that say how far two kernels are apart."""
    angle = "none (one is round)" if gap.angle is None else f"{gap.angle:.0f} deg"
    return [
        f"angle between the long axes {angle}",
        f"centred: kernel PSNR {gap.psnr:.1f} dB, correlation {gap.correlation:.3f}",
    ]


def kernel_cell(kernel: Tensor, *, peak: float | None = None, has_ellipse: bool = True) -> PILImage.Image:
    """Return an enlarged kernel with numbered rows and columns.

    Args:
        kernel: (rows, columns).
        peak: weight of the darkest colour; the largest one when None.
        has_ellipse: draw the ellipse of one standard deviation, its axes and its centre.
    """
    rows, columns = kernel.shape
    zoom = min(LARGEST_ZOOM, max(1, SIDE // max(rows, columns)))
    drawn = to_colours(kernel, peak).resize((columns * zoom * FINER, rows * zoom * FINER), PILImage.Resampling.NEAREST)
    draw = ImageDraw.Draw(drawn)
    fine = zoom * FINER
    if zoom >= GRIDDED:
        for row in range(1, rows):
            draw.line([(0, row * fine), (drawn.width, row * fine)], fill=GRID)
        for column in range(1, columns):
            draw.line([(column * fine, 0), (column * fine, drawn.height)], fill=GRID)
    if has_ellipse:
        _draw_ellipse(draw, kernel, fine)
    small = drawn.resize((columns * zoom, rows * zoom), PILImage.Resampling.LANCZOS)
    cell = PILImage.new("RGB", (small.width + 2 * MARGIN, small.height + MARGIN), PAPER)
    cell.paste(small, (MARGIN, 0))
    draw, font = ImageDraw.Draw(cell), ImageFont.load_default(FINE)
    draw.rectangle([MARGIN, 0, MARGIN + small.width - 1, small.height - 1], outline=FAINT)
    for row in _ticks(rows):
        draw.text((MARGIN - 5, (row + 0.5) * zoom), str(row), fill=FAINT, font=font, anchor="rm")
    for column in _ticks(columns):
        draw.text((MARGIN + (column + 0.5) * zoom, small.height + 4), str(column), fill=FAINT, font=font, anchor="ma")
    return cell


def to_colours(kernel: Tensor, peak: float | None = None) -> PILImage.Image:
    """Return one pixel for each tap, from white for nothing to the darkest for `peak`.

    The square root shows the tails.
    """
    largest = peak or float(kernel.abs().max()) or 1.0
    depth = (kernel.abs() / largest).clamp(0, 1).sqrt()[..., None]
    darkest = torch.where((kernel < 0)[..., None], torch.tensor(NEGATIVE), torch.tensor(POSITIVE))
    levels = (1 - depth) * torch.tensor(PLOT) + depth * darkest
    return PILImage.fromarray(levels.round().to(torch.uint8).numpy())


def _draw_ellipse(draw: ImageDraw.ImageDraw, kernel: Tensor, zoom: int) -> None:
    """Draw the ellipse of one standard deviation around the centre of mass, and its two axes."""
    shape, (row, column) = shape_of(kernel), centre_of_mass(kernel)
    long, short = shape.deviations

    def place(turn: float) -> tuple[float, float]:
        along, across = long * math.cos(turn), short * math.sin(turn)
        x = column + along * math.cos(shape.angle) - across * math.sin(shape.angle)
        y = row + along * math.sin(shape.angle) + across * math.cos(shape.angle)
        return (x + 0.5) * zoom, (y + 0.5) * zoom

    width = 2 * FINER
    draw.line([place(2 * math.pi * n / 72) for n in range(73)], fill=ELLIPSE, width=width, joint="curve")
    for turn in (0.0, math.pi / 2):
        draw.line([place(turn), place(turn + math.pi)], fill=ELLIPSE, width=FINER)


def _ticks(length: int) -> range:
    """Return the numbers of the rows that are numbered, the middle one of odd ones among them."""
    step = max(1, math.ceil(length / TICKS))
    return range((length // 2) % step, length, step)
