"""The guess that a search begins with: displaced, with a margin around it, enlarged from scale to scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.physics.resize import resize
from innersr.singan.patches.settings import PatchSettings
from innersr.singan.pyramid import Size


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A picture's size and the margin of its guess, in pixels.

    Args:
        size: (height, width) of the picture.
        margin: beyond every border that does not wrap.
        wraps: axes along which the picture is periodic.
    """

    size: Size
    margin: int
    wraps: tuple[bool, bool]

    @property
    def margins(self) -> tuple[int, int]:
        """Above and below; left and right."""
        down, right = (0 if joined else self.margin for joined in self.wraps)
        return down, right

    @property
    def outer(self) -> Size:
        """Size with the margin."""
        (height, width), (down, right) = self.size, self.margins
        return height + 2 * down, width + 2 * right

    def around(self, picture: Tensor) -> Tensor:
        """The picture with its margin, where it is mirrored."""
        down, right = self.margins
        return F.pad(picture, (right, right, down, down), mode="reflect")

    def inside(self, guess: Tensor) -> Tensor:
        """The guess without its margin."""
        (height, width), (down, right) = self.size, self.margins
        return guess[..., down : down + height, right : right + width]


class Guess(NamedTuple):
    """What a search begins with."""

    picture: Tensor
    """(1, C, H, W), of a frame with its margin."""
    heights: Tensor | None = None
    """(H,): where its rows lie in the subject, from 0, the upper border, to 1, and beyond; None if anywhere."""


class Perturbation(NamedTuple):
    """What the start of a result is made to differ from the picture by; all of variance 1."""

    shifts: Tensor
    """(1, 1, *cells), of columns, to the left."""
    rows: Tensor
    """(1, 1, cells, 1), how densely rows lie."""
    noise: Tensor
    """(1, 1, *frame.outer), the same in all channels."""

    @classmethod
    def drawn(cls, frame: Frame, cells: Size, generator: torch.Generator) -> Perturbation:
        """A random one, by a generator on the CPU."""
        shapes = (cells, (cells[0], 1), frame.outer)
        return cls(*(torch.randn(1, 1, *shape, generator=generator) for shape in shapes))


def cells_of(search: PatchSettings, finer: Sequence[float]) -> Size:
    """Cells of the displacement along each axis; in a finer picture each has as many pixels as at scale 0.

    Args:
        finer: pixels of the picture for one of scale 0, along each axis.
    """
    return max(2, round(search.bends * finer[0])), max(2, round(search.bends * finer[1]))


def bent(
    picture: Tensor, frame: Frame, bend: float, noise: float, finer: Sequence[float], perturbation: Perturbation
) -> Guess:
    """A picture displaced, under noise, with the margin of the frame.

    Args:
        picture: (1, C, *frame.size).
        bend: how far it is displaced, see `PatchSettings`.
        noise: standard deviation of the noise.
        finer: pixels of the picture for one of scale 0, along each axis.
        perturbation: how it is displaced; for the frame, and the cells of that size.
    """
    layout = displaced(picture, frame, bend, finer, perturbation)
    heights = None if frame.wraps[0] else layout.heights  # nothing is above or below where a picture goes on
    return Guess(layout.picture + noise * perturbation.noise.to(picture), heights)


def displaced(picture: Tensor, frame: Frame, bend: float, finer: Sequence[float], perturbation: Perturbation) -> Guess:
    """A picture, (1, C, h, w) of any size, displaced within a frame, with the margin of that; without noise.

    Rows are moved as a whole, keep their order, and stay within the picture, so that horizons stay level and nothing
    stands upside down above or below what is cut off; columns are not so bound. See `bent`.
    """
    (height, width), (down, right) = frame.size, frame.margins
    shifts = resize(perturbation.shifts, size=frame.outer, wrap=frame.wraps)[0, 0]
    rows = resize(perturbation.rows, size=(height, 1), wrap=(frame.wraps[0], False))
    rows = F.pad(rows[0, :, :, 0], (down, down), mode="replicate")[0]
    # 2: the middle row moves about as far as columns do. Many cells stray together as the root of their number.
    density = (2 * bend / finer[0] ** 0.5 * rows).exp()
    upper = density.cumsum(dim=0)
    start, end = upper[down] - density[down], upper[down + height - 1]
    heights = (upper - density / 2 - start) / (end - start)
    columns = (torch.arange(width + 2 * right) - right + 0.5) / width + bend / finer[1] * shifts
    grid = torch.stack([columns, heights[:, None].expand_as(columns)], dim=-1)[None]
    places = (2 * grid - 1).to(picture)  # -1 and 1 are the borders
    moved = F.grid_sample(picture, places, mode="bilinear", padding_mode="reflection", align_corners=False)
    return Guess(moved, heights.to(picture))


def in_finer_frame(guess: Guess, frame: Frame, finer: Frame) -> Guess:
    """A guess at the size of a finer frame, with that frame's margin."""
    scale = [fine / coarse for fine, coarse in zip(finer.size, frame.size, strict=True)]
    # The corner of the finer margin, in pixels of the guess.
    phase = [
        (0.5 - margin) / factor - 0.5 + own
        for margin, own, factor in zip(finer.margins, frame.margins, scale, strict=True)
    ]
    larger = resize(
        guess.picture, (scale[0], scale[1]), size=finer.outer, phase=(phase[0], phase[1]), wrap=frame.wraps
    ).clamp(-1, 1)
    if guess.heights is None:
        return Guess(larger)
    column = guess.heights.view(1, 1, -1, 1)
    heights = resize(column, (scale[0], 1.0), size=(finer.outer[0], 1), phase=(phase[0], 0.0))
    return Guess(larger, heights.flatten())


def places_in_finer(found: Tensor, frame: Frame, finer: Frame, source: Frame, larger: Frame, side: int) -> Tensor:
    """A field at the next finer scale: each query takes the patch that the nearest coarser query has found.

    Args:
        found: (h * w,) field of the guess in `frame`.
        source: of the picture that patches are of, at the coarser scale.
        larger: the same at the finer scale.
    """
    half = (side - 1) / 2  # from a place to the middle of its patch
    nearest: list[Tensor] = []
    shifts: list[Tensor] = []
    for axis in range(2):
        lost = 0 if frame.wraps[axis] else side - 1
        middles = torch.arange(finer.outer[axis] - lost, device=found.device) + half + 0.5 - finer.margins[axis]
        centres = middles * (frame.size[axis] / finer.size[axis]) - 0.5 + frame.margins[axis] - half
        nearest.append(centres.round().long().clamp(0, frame.outer[axis] - lost - 1))
        shifts.append(centres - nearest[axis])
    width = frame.outer[1] - (0 if frame.wraps[1] else side - 1)
    coarse = found.view(-1, width)[nearest[0]][:, nearest[1]]
    columns = source.outer[1] - side + 1
    moved = []
    for axis, place in enumerate((coarse // columns, coarse % columns)):
        factor = larger.size[axis] / source.size[axis]
        shift = shifts[axis][:, None] if axis == 0 else shifts[axis]
        middle = (place + shift + half + 0.5 - source.margins[axis]) * factor
        finest = middle - half - 0.5 + larger.margins[axis]
        moved.append(finest.round().long().clamp(0, larger.outer[axis] - side))
    return (moved[0] * (larger.outer[1] - side + 1) + moved[1]).flatten()
