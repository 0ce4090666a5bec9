"""Sheets to look at: cells with pictures, plots and text, arranged in a grid and drawn by matplotlib.

Pictures are (1, C, H, W) in [0, 1]: with one or two channels the first is drawn, otherwise the first three as colour.
Knows nothing about files or methods. The same input gives the same pixels, whatever the user's matplotlib settings.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import on_one_line
from innersr.physics.resize import resize

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pixels = np.ndarray[Any, Any]
"""(H, W, 3) uint8."""

PAPER, INK, FAINT = "#fafafa", "#191919", "#6e6e6e"
GAP = 10  # pixels between cells
TEXT = 13  # pixels of ordinary text


class Cell(NamedTuple):
    """A part of a sheet that knows its size and draws itself."""

    width: int  # in pixels, like everything here
    height: int
    draw: Callable[[Figure, int, int], None]
    """Takes the figure and where the cell's lower left corner is, counted from the figure's."""


class Panel(NamedTuple):
    """A picture of a contact sheet."""

    label: str
    picture: Tensor  # (1, C, H, W) in [0, 1]


def draw_sheet(lines: Sequence[str], content: Cell) -> Pixels:
    """Draw a cell below lines of text, the first of which is the title."""
    # Here, because it takes half a second, and most commands draw nothing.
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style.context("default"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # it draws a box instead
        whole = content
        if lines:
            heads = [[text_cell(on_one_line(line), TEXT if number else 18)] for number, line in enumerate(lines)]
            head = grid(heads, gap=GAP // 2, across="left")
            whole = grid([[head._replace(width=max(head.width, content.width))], [content]])
        # At 72 dots per inch matplotlib's points are pixels. A hundredth more, because the canvas rounds down.
        width, height = ((side + 2 * GAP + 0.01) / 72 for side in (whole.width, whole.height))
        figure = Figure(figsize=(width, height), dpi=72, facecolor=PAPER)
        canvas = FigureCanvasAgg(figure)
        whole.draw(figure, GAP, GAP)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def contact_sheet(panels: Sequence[Panel], title: str = "") -> Pixels:
    """Draw pictures in rows, each with its label below it.

    Pictures are shown pixel for pixel; those of less than 160 pixels enlarged by a whole factor, those of more than
    480 shrunk. There is one panel at least.
    """
    cells = [_labelled(panel, least=160) for panel in panels]
    widest = 1600  # pixels of the sheet, unless one picture needs more
    most = max(1, (widest - GAP) // (max(cell.width for cell in cells) + GAP))
    columns = math.ceil(len(cells) / math.ceil(len(cells) / most))  # rows as even as can be
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    return draw_sheet([title] if title else [], grid(rows))


def comparison_sheet(rows: Sequence[Sequence[Panel]]) -> Pixels:
    """Draw rows of pictures of one size that are to be compared, each with its label below it."""
    return draw_sheet([], grid([[_labelled(panel, least=256) for panel in row] for row in rows]))


def _labelled(panel: Panel, *, least: int) -> Cell:
    """A picture of at least a given number of pixels, with its label below it."""
    return grid([[picture_cell(shown(panel.picture, least=least, most=(480, 480)))], [text_cell(panel.label)]], gap=4)


def grid(rows: Sequence[Sequence[Cell | None]], *, gap: int = GAP, across: str = "centre") -> Cell:
    """Arrange cells in rows and columns, each at the top of its row and `across` ("centre" or "left") its column."""
    widths = [max(cell.width if cell else 0 for cell in column) for column in zip_longest(*rows)]
    heights = [max((cell.height for cell in row if cell), default=0) for row in rows]
    height = sum(heights) + gap * (len(rows) - 1)

    def draw(figure: Figure, left: int, bottom: int) -> None:
        top = bottom + height
        for row, tallest in zip(rows, heights, strict=True):
            x = left
            for width, cell in zip(widths, row, strict=False):
                if cell:
                    cell.draw(figure, x + (width - cell.width) // 2 * (across == "centre"), top - cell.height)
                x += width + gap
            top -= tallest + gap

    return Cell(sum(widths) + gap * (len(widths) - 1), height, draw)


def text_cell(text: str, size: int = TEXT, colour: str = INK) -> Cell:
    """Lines of text, aligned to the left, in a font of `size` pixels."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    font = FontProperties(family="DejaVu Sans", size=size)
    lines = [on_one_line(line) for line in text.split("\n")]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        measure: Any = RendererAgg(1, 1, 72).get_text_width_height_descent
        width = math.ceil(max(measure(line, font, ismath=False)[0] for line in lines))
    leading = math.ceil(1.35 * size)

    def draw(figure: Figure, left: int, bottom: int) -> None:
        for number, line in enumerate(reversed(lines)):
            baseline = bottom + number * leading + leading // 4
            figure.text(left, baseline, line, font=font, color=colour, transform=None, parse_math=False)

    return Cell(width, len(lines) * leading, draw)


def picture_cell(pixels: Pixels) -> Cell:
    """Pixels that are drawn as they are."""

    def draw(figure: Figure, left: int, bottom: int) -> None:
        figure.figimage(pixels, left, bottom, origin="upper")

    return Cell(pixels.shape[1], pixels.shape[0], draw)


def plot_cell(
    width: int, height: int, plot: Callable[[Axes], None], *, left: int = 0, right: int = 0, below: int = 0
) -> Cell:
    """Axes of a size, with room for labels around them, on which `plot` draws."""

    def draw(figure: Figure, x: int, y: int) -> None:
        w, h = figure.bbox.width, figure.bbox.height
        axes = figure.add_axes(((x + left) / w, (y + below) / h, width / w, height / h), facecolor="white")
        axes.tick_params(labelsize=TEXT - 3, labelcolor=FAINT, color=FAINT, length=0)
        for spine in axes.spines.values():
            spine.set(color=FAINT, linewidth=1)
        plot(axes)

    return Cell(width + left + right, height + below, draw)


def shown(picture: Tensor, *, least: int, most: tuple[int, int]) -> Pixels:
    """Scale a picture to the size at which it is shown.

    One with a long side below `least` is enlarged by a whole factor, without smoothing; one above `most`, (height,
    width), is shrunk into it.
    """
    height, width = picture.shape[-2:]
    factor = min(most[0] / height, most[1] / width, 1.0)
    if factor < 1:
        return to_pixels(resize(picture, size=(max(1, round(factor * height)), max(1, round(factor * width)))))
    return enlarged(to_pixels(picture), min(math.ceil(least / max(height, width)), most[0] // height, most[1] // width))


def fitted(picture: Tensor, side: int) -> Pixels:
    """Scale a picture to fit into a square; enlarged pixels stay sharp squares."""
    height, width = picture.shape[-2:]
    factor = side / max(height, width)
    size = max(1, round(factor * height)), max(1, round(factor * width))
    return to_pixels(resize(picture, size=size) if factor < 1 else F.interpolate(picture, size, mode="nearest-exact"))


def enlarged(pixels: Pixels, zoom: int) -> Pixels:
    """Repeat each pixel `zoom` times in both directions."""
    return pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)


def to_pixels(picture: Tensor) -> Pixels:
    """Convert (1, C, H, W) in [0, 1] to 8-bit colours."""
    planes = picture[0, :3] if picture.shape[1] >= 3 else picture[0, :1].expand(3, -1, -1)
    levels = (planes.detach().cpu().float().clamp(0, 1) * 255).round().byte()
    return np.ascontiguousarray(levels.permute(1, 2, 0).numpy())
