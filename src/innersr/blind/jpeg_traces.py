"""JPEG compression proved from the pixels: coefficients of 8x8 blocks that lie near multiples of its steps.

A picture that was decoded from a JPEG, and then cropped, edited in parts or saved in another format, still shows the
steps in which its coefficients were stored (Fan and de Queiroz 2003), whatever it depicts. The predictor tells
compression by its artefacts, and misses it in drawings and text. Resizing and strong noise destroy the traces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from innersr.physics.jpeg import BLOCK, luma_steps, strength_of_steps


@dataclass(frozen=True, kw_only=True)
class TraceSettings:
    """Settings of `find_jpeg_traces`; see docs/experiments.md, "Real files: further training"."""

    looked_at: int = 320  # pixels of the sides of the part that is looked at, at most
    least_step: int = 3  # levels: finer ones are hidden by rounding
    bin: float = 0.25  # levels, in which coefficients are counted
    greatest: float = 128.0  # levels: larger coefficients, and larger steps, are left out
    least_phase: float = 0.6  # of a step: smaller coefficients tell nothing
    clipped: tuple[float, ...] = (0.02, 0.3, 1.0)  # of a block's values, at most, may be black or white: clipping
    # moves coefficients; the least is taken that leaves something to see, as on white paper
    enough: float = 0.7  # of the blocks: with as many no others are looked at
    least_blocks: int = 16
    least_frequencies: int = 6  # whose steps are found
    least_coefficients: int = 12  # of a frequency
    least_agreement: float = 0.36  # mean cosine of the phase: 1 for multiples of a step, 0 by chance
    sure_agreement: float = 0.6  # enough with less significance
    elsewhere: float = 0.75  # of that agreement, at most, on every other grid; 0.92 and more without compression
    least_significance: float = 18.0  # agreement times the root of the number of coefficients
    sure_significance: float = 9.0  # enough with a sure agreement


SETTINGS = TraceSettings()


class JPEGTraces(NamedTuple):
    """The last compression of an image."""

    strength: float  # in [0, 1], see `jpeg.jpeg_strength`
    offset: tuple[int, int]  # (row, column) in pixels of the first whole block
    agreement: float  # mean cosine of the coefficients' phase in the steps, up to 1
    significance: float  # agreement times the root of the number of coefficients

    @property
    def is_sure(self) -> bool:
        """Whether the strength is sure too; clipped blocks, as on white paper, leave it too small now and then."""
        return self.agreement >= SETTINGS.sure_agreement


@torch.no_grad()
def find_jpeg_traces(lr: Tensor) -> JPEGTraces | None:
    """Find the strength and the grid of a JPEG from which an image was decoded; None where nothing proves one.

    Args:
        lr: (1, 1 or 3, H, W) in [0, 1]; only what has 8 bits shows traces.
    """
    if lr.shape[1] not in (1, 3) or min(lr.shape[-2:]) < 4 * BLOCK or not _has_8_bits(lr):
        return None
    side = SETTINGS.looked_at
    top, left = (max(0, (length - side) // 2) for length in lr.shape[-2:])
    part = lr[0, :, top : top + side, left : left + side].cpu().float() * 255
    luma = part[0] if len(part) == 1 else torch.tensordot(part.new_tensor((0.299, 0.587, 0.114)), part, dims=1)
    is_clipped = ((part <= 0) | (part >= 255)).any(0).float()  # noqa: PLR2004 (white)
    clipped_shares = _blocks(is_clipped).mean((1, 2))
    for limit in SETTINGS.clipped:
        found = []
        for row in range(BLOCK):
            for column in range(BLOCK):
                blocks, clipped = (_blocks(plane[row:, column:]) for plane in (luma, is_clipped))
                blocks = blocks[clipped.mean((1, 2)) <= limit]
                if len(blocks) >= SETTINGS.least_blocks:
                    found.append(_traces(blocks, ((row + top) % BLOCK, (column + left) % BLOCK)))
        proved = _proved(found)
        if proved is not None or float((clipped_shares <= limit).float().mean()) >= SETTINGS.enough:
            return proved
    return None


def _proved(found: list[JPEGTraces]) -> JPEGTraces | None:
    """The traces on the grid that fits best, if they are beyond chance, and on that grid alone.

    Boards and the like have steps of their own, on many grids.
    """
    found.sort(key=lambda traces: -traces.significance)
    if not found:
        return None
    best, others = found[0], found[1:]
    is_alone = all(traces.agreement <= SETTINGS.elsewhere * best.agreement for traces in others)
    least = SETTINGS.sure_significance if best.is_sure else SETTINGS.least_significance
    is_proved = best.agreement >= SETTINGS.least_agreement and best.significance >= least
    return best if is_proved and is_alone else None


def _traces(blocks: Tensor, offset: tuple[int, int]) -> JPEGTraces:
    """Traces by the steps that fit (N, 8, 8) blocks best, one step for each frequency."""
    cosines, is_informative = _phases()
    counts = _histograms(blocks)
    total, number = counts @ cosines, counts @ is_informative  # (63, steps)
    mean = torch.where(number >= SETTINGS.least_coefficients, total / number.clamp(min=1), 0.0)
    significance, best = (mean * number.sqrt()).max(1)
    number = torch.where(significance > 0, number.gather(1, best[:, None])[:, 0], 0.0)
    agreement = float((mean.gather(1, best[:, None])[:, 0] * number).sum() / number.sum().clamp(min=1))
    is_found = number > 0
    if int(is_found.sum()) < SETTINGS.least_frequencies:
        return JPEGTraces(0.0, offset, 0.0, 0.0)
    standard = luma_steps(50).flatten()[1:]  # of quality 50
    steps = (best + SETTINGS.least_step)[is_found] / standard[is_found]
    strength = strength_of_steps(float(steps.median()))
    return JPEGTraces(strength, offset, agreement, agreement * math.sqrt(float(number.sum())))


def _histograms(blocks: Tensor) -> Tensor:
    """Counts, (63, bins), of the magnitudes of each coefficient but the mean."""
    cosine = _cosine_transform()
    coefficients = (cosine @ blocks @ cosine.mT).flatten(1)[:, 1:].abs().mT  # (63, N)
    bins = round(SETTINGS.greatest / SETTINGS.bin)
    places = (coefficients / SETTINGS.bin).round().long().clamp_(max=bins)
    rows = torch.arange(len(places))[:, None] * (bins + 1)
    counts = torch.bincount((rows + places).flatten(), minlength=len(places) * (bins + 1))
    return counts.view(len(places), bins + 1)[:, :bins].float()


@lru_cache(maxsize=1)
def _phases() -> tuple[Tensor, Tensor]:
    """Cosine of the phase of each bin in each step from `least_step` on, (bins, steps), and 1 where it is informative.

    Elsewhere both are 0: values near 0 are near a multiple of any step.
    """
    values = torch.arange(round(SETTINGS.greatest / SETTINGS.bin))[:, None] * SETTINGS.bin
    steps = torch.arange(SETTINGS.least_step, SETTINGS.greatest)[None]
    is_informative = (values > SETTINGS.least_phase * steps).float()
    return is_informative * torch.cos(2 * math.pi * values / steps), is_informative


@lru_cache(maxsize=1)
def _cosine_transform() -> Tensor:
    """The orthonormal discrete cosine transform of BLOCK values, (frequencies, values)."""
    frequencies, places = torch.arange(BLOCK)[:, None], torch.arange(BLOCK)[None]
    matrix = math.sqrt(2 / BLOCK) * torch.cos(math.pi * (2 * places + 1) * frequencies / (2 * BLOCK))
    matrix[0] /= math.sqrt(2)
    return matrix


def _blocks(plane: Tensor) -> Tensor:
    """The whole blocks of a plane, (N, 8, 8)."""
    return plane.unfold(0, BLOCK, BLOCK).unfold(1, BLOCK, BLOCK).reshape(-1, BLOCK, BLOCK)


def _has_8_bits(lr: Tensor) -> bool:
    levels = lr * 255
    return bool((levels - levels.round()).abs().max() < 0.01)  # noqa: PLR2004 (rounding of float32)
