"""The report on a SinGAN model: a column for each scale, with its pictures, samples and curves."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor

from innersr.metrics.grey_levels import PEAK
from innersr.plots.sheets import TEXT, Cell, Pixels, draw_sheet, fitted, grid, picture_cell, plot_cell, text_cell
from innersr.run import Run
from innersr.singan.folder.reading import SavedModel
from innersr.singan.model import PictureModel, reconstruction_at
from innersr.singan.pictures import PictureSource, visible
from innersr.singan.pyramid import Size, pictures_of
from innersr.singan.scores import PATCH, SCALES, diversity, rmse, scores_of
from innersr.singan.settings import described

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAMPLES = 3  # of each start scale

Points = Sequence[tuple[float, float]]


def report_sheet(name: str, saved: SavedModel, log: Sequence[Mapping[str, Any]], run: Run) -> Pixels:
    """Draw a model, trained or not yet: pictures, reconstructions, samples, and the curves of its training log.

    The run gives the seed of the samples, and reports the progress.
    """
    model, source = saved.model, saved.record.source
    sizes, trained = model.sizes[0], len(model.scales)
    side = min(220, max(90, 2000 // len(sizes)))  # pixels of a cell, so that all together have about 2000
    headings = [text_cell(f"scale {scale}\n{_pixels(size)}") for scale, size in enumerate(sizes)]
    rows: list[Sequence[Cell | None]] = [[None, *headings]]
    for number, picture in enumerate(saved.pictures[:3]):
        which = f" {number + 1}" if len(saved.pictures) > 1 else ""
        reconstruction = [reconstruction_at(model, number, scale) for scale in range(trained)]
        pyramid = pictures_of(picture, model.sizes[number])
        rows.append([text_cell(f"picture{which}"), *_cells(pyramid, source, side)])
        rows.append([text_cell(f"reconstruction{which}"), *_cells(reconstruction, source, side)])
    figures = []
    if model.is_complete:
        figures = [_figures(saved, run)]
        rows += _samples(model, source, side, run)
    if log:
        rows += _curves(log, len(sizes), saved.record.settings.iterations, side)
    return draw_sheet([name, *_facts(saved, log), *figures], grid(rows, across="left"))


def _cells(pictures: Sequence[Tensor], source: PictureSource, side: int) -> list[Cell]:
    return [picture_cell(fitted(visible(picture, source), side)) for picture in pictures]


def _samples(model: PictureModel, source: PictureSource, side: int, run: Run) -> list[Sequence[Cell]]:
    columns = []
    for start in run.steps("report", len(model.scales), limited=False):
        drawn = model.sample(SAMPLES, start=start, run=dataclasses.replace(run, report=None))
        columns.append(_cells(drawn.split(1), source, side))
    heads = (text_cell(f"sample {number},\nrandom from\nthis scale on") for number in range(1, SAMPLES + 1))
    return [[head, *cells] for head, *cells in zip(heads, *columns, strict=True)]


def _curves(log: Sequence[Mapping[str, Any]], count: int, iterations: int, width: int) -> list[Sequence[Cell]]:
    scales = [[line for line in log if line["scale"] == scale] for scale in range(count)]
    critic = [[(line["iteration"], line["critic"]) for line in lines] for lines in scales]
    # The log has the mean square in [-1, 1]; RMS in levels of 255 is easier to picture.
    errors = [[(line["iteration"], PEAK / 2 * line["reconstruction"] ** 0.5) for line in lines] for lines in scales]
    error = text_cell("reconstruction\nerror, RMS, in\nlevels of 255")
    return [
        [text_cell("critic's score,\nreal - fake"), *curve_cells(critic, iterations, width)],
        [error, *curve_cells(errors, iterations, width, is_logarithmic=True)],
    ]


def curve_cells(curves: Sequence[Points], last: int, width: int, *, is_logarithmic: bool = False) -> list[Cell]:
    """A plot for each curve, (x, y) in the order of x; all have one vertical axis, with its values in the first plot.

    x goes from 0 to `last`; 0 is on the vertical axis, too, unless it is logarithmic. The last value stands above the
    curve. An empty curve leaves its plot empty.
    """
    # With room at the top, where the last value stands.
    values = [y for points in curves for _, y in points if y > 0 or not is_logarithmic]
    if is_logarithmic:
        low, high = min(values, default=1.0) / 1.1, max(values, default=10.0) * 1.3
    else:
        low, high = min([0.0, *values]), max([0.0, *values])
        low, high = low - 0.05 * (high - low), high + 0.2 * (high - low) or 1.0

    def plot(axes: Axes, points: Points, is_first: bool) -> None:
        from matplotlib.ticker import LogLocator, MaxNLocator

        axes.plot(*zip(*points, strict=True) if points else ([], []), color="#1e5aa0", linewidth=1.3)
        axes.set(xlim=(0, last), ylim=(low, high), xticks=[])
        if is_logarithmic:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.minorticks_off()
        else:
            axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter("{x:.4g}" if is_first else "")
        axes.tick_params(axis="y", pad=-4)  # into the plot
        for label in axes.get_yticklabels():
            label.set_horizontalalignment("left")
        axes.grid(axis="y", color="#dedede", linewidth=1)
        if points:
            axes.text(0.97, 0.95, f"{points[-1][1]:.3g}", ha="right", va="top", size=TEXT - 2, transform=axes.transAxes)

    return [
        plot_cell(width, round(0.6 * width), partial(plot, points=points, is_first=number == 0))
        for number, points in enumerate(curves)
    ]


def _facts(saved: SavedModel, log: Sequence[Mapping[str, Any]]) -> list[str]:
    model, record = saved.model, saved.record
    given = ", ".join(_pixels(picture.size) for picture in record.pictures)
    state = "" if model.is_complete else f"{len(model.scales)} of {len(model.sizes[0])} scales trained, "
    seconds = f"{log[-1]['seconds']:.0f} s of training on {record.device} in {record.precision}, " if log else ""
    return [
        f"{state}trained at {_pixels(model.size)} pixels (picture: {given}), {seconds}seed {record.seed}",
        f"settings: {described(record.settings)}",
    ]


def _figures(saved: SavedModel, run: Run) -> str:
    """Describe the scores that are cheap to compute."""
    model = saved.model
    drawn = model.sample(SAMPLES, run=dataclasses.replace(run, report=None))
    pictures = drawn, reconstruction_at(model, 0, len(model.scales) - 1), saved.pictures[0]
    samples, reconstruction, real = ((picture.cpu() + 1) / 2 for picture in pictures)
    figures = [f"reconstruction {rmse(reconstruction, real):.2f} levels RMS"]
    varied = diversity(samples, real)
    if varied is not None:
        figures.append(f"diversity {varied:.3f}")
    if math.ceil(min(model.size) / 2 ** (SCALES - 1)) >= PATCH:
        figures.append(f"patch distance {scores_of(samples, real).patch_distance:.2f} levels, optimised by matching")
    return f"{', '.join(figures)} ({SAMPLES} samples from scale 0)"


def _pixels(size: Size) -> str:
    return f"{size[1]}x{size[0]}"
