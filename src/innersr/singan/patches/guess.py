"""The guess that a search begins with: bent, with a margin around it, enlarged from scale to scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.physics.resize import image_size, resize
from innersr.singan.patches.settings import PatchSettings
from innersr.singan.pyramid import Size


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A picture's size and the margin of its guess, in pixels.

    Args:
        size: (height, width) of the picture.
        margin: beyond every border that does not wrap.
        wraps: axes that the picture goes on at its other side along.
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


def bend_of(picture: Tensor, search: PatchSettings, generator: torch.Generator) -> float:
    """The displacement that gives the layouts of a picture their wanted variety, see `PatchSettings`.

    Args:
        picture: (1, C, H, W), of scale 0.
        generator: on the CPU.
    """
    size = image_size(picture)
    frame = Frame(size=size, margin=0, wraps=(False, False))
    cells = (max(2, search.bends),) * 2
    fields = [resize(torch.randn(1, 2, *cells, generator=generator), size=size)[0] for _ in range(16)]
    wanted = search.variety * float(picture.std())
    low, high = 0.0, search.bend
    for _ in range(8):  # to less than a hundredth of the largest
        middle = (low + high) / 2
        layouts = torch.cat([_displaced(picture, frame, middle, one, (1, 1)) for one in fields])
        low, high = (middle, high) if float(layouts.std(dim=0).mean()) < wanted else (low, middle)
    return (low + high) / 2


def bent(
    picture: Tensor,
    frame: Frame,
    search: PatchSettings,
    bend: float,
    finer: Sequence[float],
    generator: torch.Generator,
) -> Tensor:
    """A picture displaced at random, under noise, with the margin of the frame.

    Args:
        picture: (1, C, *frame.size).
        search: its bends and noise are used.
        bend: standard deviation of the displacement, as a share of the picture's size.
        finer: pixels of the picture for one of scale 0, along each axis.
        generator: on the CPU.
    """
    cells = [max(2, round(search.bends * factor)) for factor in finer]
    drawn = resize(torch.randn(1, 2, *cells, generator=generator), size=frame.outer, wrap=frame.wraps)[0]
    noise = torch.randn(1, 1, *frame.outer, generator=generator)
    return _displaced(picture, frame, bend, drawn, finer) + search.noise * noise.to(picture)


def _displaced(picture: Tensor, frame: Frame, bend: float, drawn: Tensor, finer: Sequence[float]) -> Tensor:
    """A picture, with the margin of the frame, displaced by a field, (2, *frame.outer), of variance 1."""
    places = []
    for dim, (length, margin, factor) in enumerate(zip(frame.size, frame.margins, finer, strict=True)):
        line = (torch.arange(length + 2 * margin) - margin + 0.5) / length
        straight = line[:, None] if dim == 0 else line
        places.append(2 * (straight + bend / factor * drawn[dim]) - 1)  # -1 and 1 are the borders
    grid = torch.stack(places[::-1], dim=-1)[None].to(picture)
    return F.grid_sample(picture, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def in_finer_frame(guess: Tensor, frame: Frame, finer: Frame) -> Tensor:
    """A guess at the size of a finer frame, with that frame's margin."""
    scale = [fine / coarse for fine, coarse in zip(finer.size, frame.size, strict=True)]
    # The corner of the finer margin, in pixels of the guess.
    phase = [
        (0.5 - margin) / factor - 0.5 + own
        for margin, own, factor in zip(finer.margins, frame.margins, scale, strict=True)
    ]
    return resize(guess, (scale[0], scale[1]), size=finer.outer, phase=(phase[0], phase[1]), wrap=frame.wraps).clamp(
        -1, 1
    )


def places_in_finer(found: Tensor, frame: Frame, finer: Frame, source: Size, places: Size, side: int) -> Tensor:
    """A field at the next finer scale: each query takes the patch that the nearest coarser query has found.

    Args:
        found: (h * w,) field of the guess in `frame`.
        source: size of the picture at the coarser scale.
        places: (h, w), grid of the keys at the finer scale.
    """
    half = (side - 1) / 2  # from a place to the middle of its patch
    nearest: list[Tensor] = []
    shifts: list[Tensor] = []
    for axis in range(2):
        lost = 0 if frame.wraps[axis] else side - 1
        middles = torch.arange(finer.outer[axis] - lost, device=found.device) + half + 0.5 - finer.margins[axis]
        wanted = middles * (frame.size[axis] / finer.size[axis]) - 0.5 + frame.margins[axis] - half
        nearest.append(wanted.round().long().clamp(0, frame.outer[axis] - lost - 1))
        shifts.append(wanted - nearest[axis])
    width = frame.outer[1] - (0 if frame.wraps[1] else side - 1)
    coarse = found.view(-1, width)[nearest[0]][:, nearest[1]]
    columns = source[1] - side + 1
    moved = []
    for axis, place in enumerate((coarse // columns, coarse % columns)):
        factor = (places[axis] + side - 1) / source[axis]
        shift = shifts[axis][:, None] if axis == 0 else shifts[axis]
        finest = (place + shift + half + 0.5) * factor - half - 0.5
        moved.append(finest.round().long().clamp(0, places[axis] - 1))
    return (moved[0] * places[1] + moved[1]).flatten()
