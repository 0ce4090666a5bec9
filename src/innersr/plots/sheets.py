"""Sheets to look at: labelled pictures in a grid or a table, and curves beside them.

Pictures are (1, C, H, W) in [0, 1]: of one or two bands the first is drawn, of others the first three as colours.
Knows nothing about files or methods. The same input gives the same pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont
from torch import Tensor

Box = tuple[int, int]
"""(width, height) in pixels, as Pillow has it."""

Points = Sequence[tuple[float, float]]
WIDEST = 1600  # pixels of a contact sheet, unless one picture needs more
SMALL, LARGE = 160, 480  # pixels of the long side that pictures of a contact sheet are shown with, at least and at most
GAP = 10  # pixels between all things
TITLE, TEXT, FINE = 19, 14, 11  # pixels of the fonts
LEADING = 1.35  # from one line of text to the next, in font sizes
FINER = 3  # curves are drawn so many times too large, then shrunk: smooth lines
PAPER, INK, FAINT, GRID, LINE = (250, 250, 250), (25, 25, 25), (110, 110, 110), (222, 222, 222), (30, 90, 160)
PLOT = (255, 255, 255)


class Panel(NamedTuple):
    """A picture of a contact sheet."""

    label: str
    picture: Tensor
    """(1, C, H, W) in [0, 1]."""


class Row(NamedTuple):
    """A row of a table: what stands before it, and a cell for each column, None where there is nothing."""

    label: str
    cells: Sequence[PILImage.Image | None]


class Axis(NamedTuple):
    """The values that curves are drawn between."""

    low: float
    high: float
    is_logarithmic: bool = False

    def height_of(self, value: float) -> float:
        """Return where a value lies, from 0 at the bottom to 1 at the top."""
        low, high, value = (self._scaled(v) for v in (self.low, self.high, value))
        return min(1.0, max(0.0, (value - low) / (high - low)))

    def ticks(self) -> list[float]:
        """Return a few round values within the axis."""
        if self.is_logarithmic:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for digits in ((1, 2, 5), (1,)):
                values = [digit * 10.0**power for power in powers for digit in digits]
                values = [value for value in values if self.low <= value <= self.high]
                if 2 <= len(values) <= 5:
                    return values
        step = 10.0 ** math.floor(math.log10(self.high - self.low))
        step *= next(part for part in (0.2, 0.5, 1, 2) if (self.high - self.low) / (step * part) <= 6)
        return [step * n for n in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]

    def _scaled(self, value: float) -> float:
        return math.log(max(value, self.low)) if self.is_logarithmic else value


def contact_sheet(panels: Sequence[Panel], title: str = "") -> PILImage.Image:
    """Draw pictures in rows, each with its label below it.

    Pictures of less than 160 pixels are enlarged by a whole factor, without smoothing; large ones are shrunk.

    Args:
        panels: one at least, of any sizes.
        title: a line above them.
    """
    cells = [picture_cell(panel.picture, _box_for(panel.picture)) for panel in panels]
    width = max([*(cell.width for cell in cells), *(_extent(panel.label, TEXT)[0] for panel in panels)])
    most = max(1, (WIDEST - GAP) // (width + GAP))
    columns = math.ceil(len(cells) / math.ceil(len(cells) / most))  # rows as even as can be
    rows = []
    for first in range(0, len(cells), columns):
        part = slice(first, first + columns)
        rows.append([_captioned(cell, panel.label) for cell, panel in zip(cells[part], panels[part], strict=True)])
    return _stacked(rows, [width] * columns, [title] if title else [])


def table(lines: Sequence[str], headings: Sequence[str], rows: Sequence[Row]) -> PILImage.Image:
    """Draw rows of pictures below the headings of their columns, each with its label before it.

    Args:
        lines: above everything; the first is the title.
        headings: of the columns, of any number of lines.
        rows: of cells, see `picture_cell` and `curve_cell`, as many as there are headings.
    """
    first = max((_extent(row.label, TEXT)[0] for row in rows), default=0)
    widths = [_extent(heading, TEXT)[0] for heading in headings]
    for row in rows:
        widths = [max(a, 0 if cell is None else cell.width) for a, cell in zip(widths, row.cells, strict=True)]
    grid: list[list[PILImage.Image | None]] = [[None, *(_text_cell(heading, TEXT) for heading in headings)]]
    grid += [[_text_cell(row.label, TEXT, width=first), *row.cells] for row in rows]
    return _stacked(grid, [first, *widths], lines)


def picture_cell(picture: Tensor, box: Box) -> PILImage.Image:
    """Return a picture, (1, C, H, W) in [0, 1], as large as fits into a box; where it is enlarged, its pixels show."""
    drawn = to_pil(picture)
    factor = min(box[0] / drawn.width, box[1] / drawn.height)
    size = max(1, round(drawn.width * factor)), max(1, round(drawn.height * factor))
    return drawn.resize(size, PILImage.Resampling.LANCZOS if factor < 1 else PILImage.Resampling.NEAREST)


def curve_cell(points: Points, axis: Axis, box: Box, *, until: float, is_labelled: bool = False) -> PILImage.Image:
    """Return a curve in a box; its last value is written above it.

    Args:
        points: (x, y), x ascending; none leave the box empty.
        axis: of y.
        box: its size.
        until: x at the right border; it is 0 at the left one.
        is_labelled: whether the lines of the grid have their values.
    """
    width, height = box
    top, bottom = FINE + 4, height - 4
    drawn = PILImage.new("RGB", (width * FINER, height * FINER), PLOT)
    draw = ImageDraw.Draw(drawn)

    def place(x: float, y: float) -> tuple[float, float]:
        return x * (width - 1) * FINER, (bottom - axis.height_of(y) * (bottom - top)) * FINER

    for tick in axis.ticks():
        draw.line([place(0, tick), place(1, tick)], fill=GRID, width=FINER)
    draw.line([place(x / until, y) for x, y in points], fill=LINE, width=FINER + 1, joint="curve")
    drawn = drawn.resize(box, PILImage.Resampling.LANCZOS)
    font = ImageFont.load_default(FINE)
    draw = ImageDraw.Draw(drawn)
    draw.rectangle([0, 0, width - 1, height - 1], outline=GRID)
    if is_labelled:
        for tick in axis.ticks():
            draw.text((4, place(0, tick)[1] / FINER), f"{tick:.4g}", fill=FAINT, font=font, anchor="lm")
    if points:
        draw.text((width - 4, 2), f"{points[-1][1]:.3g}", fill=INK, font=font, anchor="ra")
    return drawn


def axis_of(curves: Sequence[Points], *, is_logarithmic: bool = False) -> Axis:
    """Return an axis that all curves fit on; with 0 on it unless it is logarithmic."""
    values = [y for points in curves for _, y in points]
    if is_logarithmic:
        values = [y for y in values if y > 0]
        low, high = (min(values), max(values)) if values else (1.0, 10.0)
        return Axis(low / 1.1, high * 1.1, True)
    low, high = min([0.0, *values]), max([0.0, *values])
    return Axis(low, high if high > low else low + 1.0)


def to_pil(picture: Tensor) -> PILImage.Image:
    """Return (1, C, H, W) in [0, 1] as Pillow has 8-bit colours."""
    planes = picture[0, :3] if picture.shape[1] >= 3 else picture[0, :1].expand(3, -1, -1)
    levels = (planes.detach().cpu().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return PILImage.fromarray(levels.permute(1, 2, 0).contiguous().numpy())


def _box_for(picture: Tensor) -> Box:
    longest = max(picture.shape[-2:])
    side = min(longest * max(1, math.ceil(SMALL / longest)), LARGE)
    return side, side


def _stacked(
    rows: Sequence[Sequence[PILImage.Image | None]], widths: Sequence[int], lines: Sequence[str]
) -> PILImage.Image:
    """Paste rows of cells below lines of text; every cell in the middle of its column, at the top of its row."""
    heads = [_text_cell(line, TEXT if number else TITLE) for number, line in enumerate(lines)]
    heights = [max((cell.height for cell in row if cell is not None), default=0) for row in rows]
    width = max(sum(widths) + GAP * (len(widths) - 1), *(head.width for head in heads), 1) + 2 * GAP
    above = sum(head.height + GAP // 2 for head in heads) + GAP * bool(heads)
    sheet = PILImage.new("RGB", (width, GAP + above + sum(heights) + GAP * len(rows)), PAPER)
    y = GAP
    for head in heads:
        sheet.paste(head, (GAP, y))
        y += head.height + GAP // 2
    y += GAP * bool(heads)
    for row, height in zip(rows, heights, strict=True):
        x = GAP
        for cell, column in zip(row, widths, strict=False):
            if cell is not None:
                sheet.paste(cell, (x + (column - cell.width) // 2, y))
            x += column + GAP
        y += height + GAP
    return sheet


def _captioned(cell: PILImage.Image, label: str) -> PILImage.Image:
    """Return a cell with a line of text below it."""
    text = _text_cell(label, TEXT)
    whole = PILImage.new("RGB", (max(cell.width, text.width), cell.height + 4 + text.height), PAPER)
    whole.paste(cell, ((whole.width - cell.width) // 2, 0))
    whole.paste(text, ((whole.width - text.width) // 2, cell.height + 4))
    return whole


def _text_cell(text: str, size: int, *, width: int = 0) -> PILImage.Image:
    extent = _extent(text, size)
    cell = PILImage.new("RGB", (max(width, extent[0]), extent[1]), PAPER)
    draw = ImageDraw.Draw(cell)
    for number, line in enumerate(text.split("\n")):
        draw.text((0, round(number * size * LEADING)), line, fill=INK, font=ImageFont.load_default(size))
    return cell


def _extent(text: str, size: int) -> Box:
    """Return the pixels that a text of one or more lines takes."""
    font = ImageFont.load_default(size)
    lines = text.split("\n")
    return math.ceil(max(1.0, *(font.getlength(line) for line in lines))), math.ceil(len(lines) * size * LEADING)
