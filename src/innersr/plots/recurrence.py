"""A drawing of recurrence: a heat map over the image, example pairs framed in it and enlarged below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from innersr.metrics.recurrence import Box, Pair, Recurrence
from innersr.plots.sheets import FAINT, TEXT, Cell, Pixels, draw_sheet, grid, plot_cell, text_cell, to_pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRAMES = ("#00d6ff", "#7cfc5c", "#ff7ade", "#aa96ff")  # one colour for each pair


def recurrence_sheet(picture: Tensor, found: Recurrence, lines: Sequence[str]) -> Pixels:
    """Draw how well larger parts of a picture, (1, C, H, W) in [0, 1], explain each part; below a title and lines."""
    pixels = to_pixels(picture)
    cells = [_heated(pixels, found), _legend(bool(found.pairs))]
    if found.pairs:
        pairs = [_enlarged(pixels, pair, frame) for pair, frame in zip(found.pairs, FRAMES, strict=False)]
        columns = min(len(pairs), max(1, max(cell.width for cell in cells) // pairs[0].width))
        cells.append(grid([pairs[start : start + columns] for start in range(0, len(pairs), columns)], gap=24))
    return draw_sheet(lines, grid([[cell] for cell in cells]))


def recurrence_map(picture: Tensor, found: Recurrence) -> Pixels:
    """Draw the same without a word: the heat over the picture, and the framed pairs."""
    return draw_sheet([], _heated(to_pixels(picture), found))


def _heated(pixels: Pixels, found: Recurrence) -> Cell:
    """The grey, dimmed image with the heat over it, and the frames of the pairs joined by arrows."""
    height, width = pixels.shape[:2]
    factor = min(960, max(560, height, width)) / max(height, width)

    def plot(axes: Axes) -> None:
        place = (0, width, height, 0)
        grey = pixels @ np.array([0.299, 0.587, 0.114])
        axes.imshow(grey, cmap="gray", vmin=0, vmax=410, extent=place, aspect="auto")  # 410 for 255: dimmed
        _plot_heat(axes, found.map.numpy(force=True), place)
        axes.set_axis_off()
        for pair, colour in reversed(list(zip(found.pairs, FRAMES, strict=False))):
            _plot_pair(axes, pair, colour)

    return plot_cell(max(1, round(width * factor)), max(1, round(height * factor)), plot)


def _plot_heat(axes: Axes, level: Pixels, place: tuple[float, float, float, float]) -> None:
    """Plot values in [0, 1] as heat, the more transparent the lower they are."""
    heat = axes.imshow(level, "inferno", alpha=0.8 * level**0.7, extent=place, aspect="auto", interpolation="bilinear")
    heat.set_clim(-0.1, 1.1)


def _plot_pair(axes: Axes, pair: Pair, colour: str) -> None:
    """Plot two frames and an arrow from the patch to its source, all with a dark rim."""
    from matplotlib.patches import FancyArrowPatch, Rectangle
    from matplotlib.patheffects import withStroke

    boxes = pair.patch, pair.source
    a, b = (Rectangle((box.left, box.top), box.side, box.side, fill=False) for box in boxes)
    middles = [(box.left + box.side / 2, box.top + box.side / 2) for box in boxes]
    arrow = FancyArrowPatch(*middles, patchA=a, patchB=b, arrowstyle="->", mutation_scale=14, shrinkA=0, shrinkB=1)
    for patch in (a, b, arrow):
        patch.set(edgecolor=colour, linewidth=2, path_effects=[withStroke(linewidth=5, foreground="#0f0f19")])
        axes.add_patch(patch)


def _legend(has_pairs: bool) -> Cell:
    """The colour bar with its meaning, and that of the frames."""

    def plot(axes: Axes) -> None:
        _plot_heat(axes, np.linspace(0, 1, 300)[None], (0, 1, 0, 1))
        axes.set(facecolor="#505050", xticks=[], yticks=[])

    cells = [text_cell("no detail, or does not recur"), plot_cell(300, 14, plot), text_cell("recurs, larger")]
    rows = [[grid([cells])]]
    if has_pairs:
        rows.append([text_cell("arrows: from a patch to the larger place that looks like it")])
    return grid(rows)


def _enlarged(pixels: Pixels, pair: Pair, colour: str) -> Cell:
    """A patch beside its source, both enlarged to one size."""

    def crop(box: Box) -> Cell:
        def plot(axes: Axes) -> None:
            height, width = pixels.shape[:2]
            axes.imshow(pixels, interpolation="catrom", extent=(0, width, height, 0), aspect="auto")
            axes.set(xticks=[], yticks=[], xlim=(box.left, box.left + box.side), ylim=(box.top + box.side, box.top))
            for spine in axes.spines.values():
                spine.set(color=colour, linewidth=3)

        return plot_cell(108, 108, plot)

    caption = f"{1 / pair.scale:.3g}x as large, {100 * pair.explained:.0f} % explained"
    return grid([[grid([[crop(pair.patch), crop(pair.source)]], gap=6)], [text_cell(caption, TEXT - 1, FAINT)]], gap=4)
