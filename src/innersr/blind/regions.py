"""Regions of a composite image, some of which are noisier or more compressed than the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from innersr.blind.finding import Finding, combine, predictor
from innersr.networks.degradation_predictor import NOISE_OFFSET, Prediction, predictor_input
from innersr.physics.log_covariance import GaussianBlur
from innersr.physics.pseudoinverse import RADIUS
from innersr.physics.resize import Window, cut


@dataclass(frozen=True, kw_only=True)
class RegionSettings:
    """Settings of `find_regions`, chosen in docs/experiments.md, "Real files: mixed images"."""

    side: int = 64  # LR pixels of a cell, for which the predictor answers on its own
    most_cells: int = 6  # per axis; in large images they lie apart
    least_noise: float = 3.0  # 8-bit levels of the noisy cells, at least
    noise_ratio: float = 3.5  # between noisy and calm cells, in the mean, at least
    compressed: float = 1.5  # logit above which a cell is compressed,
    clean: float = -0.5  # and below which it is not
    logit_distance: float = 4.5  # between compressed and clean cells, in the mean, at least
    least_strength: float = 0.35  # of compression, in the mean of the compressed cells
    least_share: float = 0.12  # of all cells, for a region
    most_borders: float = 0.35  # of all pairs of neighbouring cells, may be of two regions


SETTINGS = RegionSettings()


class Region(NamedTuple):
    """A part of an image, and what was found in it."""

    finding: Finding
    cells: Tensor  # (rows, columns), bool, of a grid over the image


@torch.no_grad()
def find_regions(lr: Tensor, whole: Finding) -> tuple[Region, ...]:
    """Find two regions of different noise or compression, the larger first; none in an image of one piece.

    A compression that was proved for the whole image makes no regions, and holds in those of different noise.

    Args:
        lr: (1, C, h, w) in [0, 1].
        whole: finding of the whole image, whose blur is the guess for every cell.

    Raises:
        CheckpointError: the package is damaged.
    """
    (tops, rows), (lefts, columns) = (_starts(n) for n in lr.shape[-2:])
    if rows * columns < 4:  # noqa: PLR2004 (too few to tell a region from chance)
        return ()
    around = SETTINGS.side + RADIUS
    windows = [Window(top - RADIUS, left - RADIUS, top + around, left + around) for top in tops for left in lefts]
    cells = torch.cat([cut(lr, window) for window in windows])
    log = whole.log.to(cells).expand(len(cells), 3)
    guess = GaussianBlur(log, torch.full((len(cells),), whole.is_bicubic, device=cells.device))
    prediction: Prediction = predictor(cells.device)(predictor_input(cells, guess), guess)
    for marks in (_noisy(prediction), *([] if whole.is_a_file else [_compressed(prediction)])):
        is_marked = marks.view(rows, columns)
        if _is_coherent(is_marked):
            parts = sorted((is_marked, ~is_marked), key=lambda part: -int(part.sum()))
            findings = [combine(_of_cells(prediction, part)) for part in parts]
            if whole.is_a_file:
                findings = [
                    finding._replace(compression=whole.compression, is_overlooked=whole.is_overlooked)
                    for finding in findings
                ]
            return tuple(Region(finding, part.cpu()) for finding, part in zip(findings, parts, strict=True))
    return ()


def _starts(length: int) -> tuple[list[int], int]:
    """Starts along an axis of cells in the middle of equal parts, and their number."""
    count = max(1, min(SETTINGS.most_cells, length // SETTINGS.side))
    part = length / count
    return [round(i * part + (part - SETTINGS.side) / 2) for i in range(count)], count


def _noisy(prediction: Prediction) -> Tensor:
    """(N,) bool: which cells are noisy, if the others are so much calmer."""
    low, high = prediction.first_noise.quantile(prediction.first_noise.new_tensor((0.05, 0.95)))
    marks = prediction.first_noise > (low + high) / 2
    if not 0 < int(marks.sum()) < len(marks):
        return torch.zeros_like(marks)
    noisy, calm = (prediction.first_noise[part].mean().exp() for part in (marks, ~marks))
    is_clear = noisy - NOISE_OFFSET >= SETTINGS.least_noise and noisy >= SETTINGS.noise_ratio * calm
    return marks & is_clear


def _compressed(prediction: Prediction) -> Tensor:
    """(N,) bool: which cells are compressed, if others are clearly not."""
    logit = prediction.compressed
    marks = logit > SETTINGS.compressed
    clean = logit < SETTINGS.clean
    if not (marks.any() and clean.any()):
        return torch.zeros_like(marks)
    distance = logit[marks].mean() - logit[clean].mean()
    is_clear = distance >= SETTINGS.logit_distance and prediction.compression[marks].mean() >= SETTINGS.least_strength
    return marks & is_clear


def _is_coherent(marks: Tensor) -> bool:
    """Whether marked cells, (rows, columns), and the others are parts of some size, not scattered."""
    share = float(marks.float().mean())
    if not SETTINGS.least_share <= share <= 1 - SETTINGS.least_share:
        return False
    borders = torch.cat([(marks.diff(dim=axis)).flatten() for axis in (0, 1)])
    return float(borders.float().mean()) <= SETTINGS.most_borders


def _of_cells(prediction: Prediction, cells: Tensor) -> Prediction:
    chosen = cells.flatten()
    return Prediction(*(part[chosen] for part in prediction))
