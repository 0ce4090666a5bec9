"""One sheet on what SinGAN learnt: a column for each scale, with its pictures, samples, curves."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image as PILImage
from torch import Tensor

from innersr.metrics.grey_levels import PEAK
from innersr.plots.sheets import Points, Row, axis_of, curve_cell, picture_cell, table
from innersr.run import Run
from innersr.singan.folder.files import SavedModel
from innersr.singan.model import PictureModel, rebuilt_at
from innersr.singan.pictures import Source, visible
from innersr.singan.pyramid import Size, pictures_of
from innersr.singan.scores import PATCH, SCALES, diversity, rmse, scores_of
from innersr.singan.settings import described

SAMPLES = 3  # of each start scale
PICTURES = 3  # of a subject at most
LARGEST, SMALLEST, WIDTH = 220, 90, 2000  # pixels of a cell; and of all of them together, about
CURVE = 0.6  # height of the curves, in units of their width


def report_sheet(name: str, saved: SavedModel, log: Sequence[Mapping[str, Any]], run: Run) -> PILImage.Image:
    """Draw what a folder holds, as far as it is trained.

    Args:
        name: of the model, for the title.
        saved: see `files.load_folder`.
        log: see `journal.read_lines`.
        run: whose seed the samples are of, and who is told the progress.
    """
    model, source = saved.model, saved.record.source
    sizes, trained = model.sizes[0], len(model.scales)
    cell = min(LARGEST, max(SMALLEST, WIDTH // len(sizes)))
    rows = []
    for number, picture in enumerate(saved.pictures[:PICTURES]):
        which = f" {number + 1}" if len(saved.pictures) > 1 else ""
        rebuilt = [rebuilt_at(model, number, scale) for scale in range(trained)]
        pyramid = pictures_of(picture, model.sizes[number])
        rows.append(Row(f"picture{which}", _cells(pyramid, source, cell, len(sizes))))
        rows.append(Row(f"reconstruction{which}", _cells(rebuilt, source, cell, len(sizes))))
    figures = []
    if model.is_complete:
        figures = [_figures(saved, run)]
        rows += _samples(model, source, cell, run)
    rows += _curves(log, len(sizes), saved.record.settings.iterations, cell)
    lines = [name, *_facts(saved, log), *figures]
    return table(lines, [f"scale {scale}\n{_pixels(size)}" for scale, size in enumerate(sizes)], rows)


def _cells(pictures: Sequence[Tensor], source: Source, side: int, count: int) -> list[PILImage.Image | None]:
    drawn = [picture_cell(visible(picture, source), (side, side)) for picture in pictures]
    return [*drawn, *[None] * (count - len(drawn))]


def _samples(model: PictureModel, source: Source, side: int, run: Run) -> list[Row]:
    columns = []
    for start in run.steps("report", len(model.scales), limited=False):
        drawn = model.sample(SAMPLES, start=start, run=dataclasses.replace(run, report=None))
        columns.append(_cells(drawn.split(1), source, side, SAMPLES))
    return [
        Row(f"sample {number + 1},\nrandom from\nthis scale on", cells)
        for number, cells in enumerate(zip(*columns, strict=True))
    ]


def _curves(log: Sequence[Mapping[str, Any]], count: int, iterations: int, width: int) -> list[Row]:
    critic: list[Points] = [_points(log, scale, "critic", 1.0) for scale in range(count)]
    errors: list[Points] = [_points(log, scale, "reconstruction", 0.5) for scale in range(count)]
    errors = [[(x, PEAK / 2 * y) for x, y in points] for points in errors]  # of [-1, 1], in levels
    rows = []
    for label, curves, is_logarithmic in (
        ("critic's score,\nreal - fake", critic, False),
        ("reconstruction\nerror, RMS, in\nlevels of 255", errors, True),
    ):
        axis = axis_of(curves, is_logarithmic=is_logarithmic)
        box = (width, round(CURVE * width))
        cells = [
            curve_cell(points, axis, box, until=iterations, is_labelled=number == 0)
            for number, points in enumerate(curves)
        ]
        rows.append(Row(label, cells))
    return rows if log else []


def _points(log: Sequence[Mapping[str, Any]], scale: int, name: str, power: float) -> list[tuple[float, float]]:
    return [(line["iteration"], float(line[name]) ** power) for line in log if line["scale"] == scale]


def _facts(saved: SavedModel, log: Sequence[Mapping[str, Any]]) -> list[str]:
    model, record = saved.model, saved.record
    given = ", ".join(_pixels(picture.size) for picture in record.pictures)
    state = "" if model.is_complete else f"{len(model.scales)} of {len(model.sizes[0])} scales trained, "
    seconds = f"{log[-1]['seconds']:.0f} s of learning on {record.device} in {record.precision}, " if log else ""
    return [
        f"{state}learnt at {_pixels(model.size)} pixels of {given}, {seconds}seed {record.seed}",
        f"settings: {described(record.settings)}",
    ]


def _figures(saved: SavedModel, run: Run) -> str:
    """Return a line of scores, of those that cost little."""
    model = saved.model
    drawn = model.sample(SAMPLES, run=dataclasses.replace(run, report=None))
    samples, rebuilt, real = (
        (picture.cpu() + 1) / 2 for picture in (drawn, rebuilt_at(model, 0, len(model.scales) - 1), saved.pictures[0])
    )
    figures = [f"reconstruction {rmse(rebuilt, real):.2f} levels RMS"]
    varied = diversity(samples, real)
    if varied is not None:
        figures.append(f"diversity {varied:.3f}")
    if math.ceil(min(model.size) / 2 ** (SCALES - 1)) >= PATCH:
        figures.append(f"patch distance {scores_of(samples, real).patch_distance:.2f} levels")
    return f"{', '.join(figures)} ({SAMPLES} samples from scale 0)"


def _pixels(size: Size) -> str:
    return f"{size[1]}x{size[0]}"
