"""Pixel art enlarged without new colours: nearest neighbour, and EPX, also known as Scale2x and Scale3x.

EPX (Johnston 1992) rounds corners: a part of a pixel takes the colour of two neighbours that meet at its corner, if
those are equal and the other two are not. Scale3x (Mazzoleni 2001) does so with nine parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.methods.protocols import Upscaler
from innersr.methods.upscalers.module import UpscalerModule
from innersr.physics.convolution import is_whole
from innersr.physics.degradation import Degradation
from innersr.physics.geometry import scale_words
from innersr.physics.resize import Window, cut
from innersr.run import Run
from innersr.settings import check_choices


@dataclass(frozen=True, kw_only=True)
class PixelArt:
    """Enlargement by a whole scale in which every pixel has a colour of the image; learns nothing.

    Args:
        mode: "epx" rounds corners where the scale is made of twos and threes (2, 3, 4, 6, 8, 9); "nearest" repeats
            pixels, which all other whole scales do too.
    """

    mode: str = "epx"
    copies_pixels: ClassVar[bool] = True
    unused_options: ClassVar[tuple[str, ...]] = ("time_limit",)

    def __post_init__(self) -> None:
        check_choices(self, mode=("epx", "nearest"))

    def check(self, degradation: Degradation) -> None:
        """Raise InputError for a scale that is not whole."""
        if not all(is_whole(s) for s in degradation.scales):
            raise InputError(
                f"pixelart enlarges by whole scales, got {scale_words(degradation.scale)}; use -s 2, 3 or 4"
            )

    @isolated
    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """The enlargement as an upscaler; of the degradation it uses the scale and the axes that wrap.

        Raises:
            InputError: a scale that is not whole.
        """
        return self.upscaler((), degradation, run, lr.shape[1])

    def upscaler(self, networks: Sequence[nn.Module], degradation: Degradation, run: Run, channels: int) -> Upscaler:  # noqa: ARG002 (nothing was learnt)
        """See `Restoring`."""
        self.check(degradation)
        return PixelArtUpscaler(run, degradation, rounds_corners=self.mode == "epx")


class PixelArtUpscaler(UpscalerModule):
    """Enlarges by a whole scale, with rounded corners where that is made of twos and threes."""

    def __init__(self, run: Run, degradation: Degradation, *, rounds_corners: bool) -> None:
        super().__init__(run)
        self.degradation = degradation
        self.scales = tuple(round(s) for s in degradation.scales)
        is_even = self.scales[0] == self.scales[1]
        self.factors = _factors(self.scales[0]) if is_even and rounds_corners else ()

    @isolated
    def forward(self, x: Tensor) -> Tensor:
        """Enlarge images, (N, C, h, w), whose values are repeated, not changed."""
        if not self.factors:
            return x.repeat_interleave(self.scales[0], -2).repeat_interleave(self.scales[1], -1)
        for factor in self.factors:
            x = (scale2x if factor == 2 else scale3x)(x, self.degradation.wraps)
        return x


def scale2x(x: Tensor, wraps: tuple[bool, bool] = (False, False)) -> Tensor:
    """EPX: (N, C, h, w) to (N, C, 2 h, 2 w). Pixels are equal where all their channels are."""
    centre = x
    (_, up, _), (left, _, right), (_, down, _) = _neighbours(x, wraps)
    unlike = ~_equal(left, right) & ~_equal(up, down)
    return _interleaved(
        [
            [
                torch.where(unlike & _equal(left, up), up, centre),
                torch.where(unlike & _equal(up, right), right, centre),
            ],
            [
                torch.where(unlike & _equal(down, left), left, centre),
                torch.where(unlike & _equal(right, down), down, centre),
            ],
        ]
    )


def scale3x(x: Tensor, wraps: tuple[bool, bool] = (False, False)) -> Tensor:
    """Scale3x: (N, C, h, w) to (N, C, 3 h, 3 w). Pixels are equal where all their channels are."""
    (a, b, c), (d, e, f), (g, h, i) = _neighbours(x, wraps)  # as in its definition, row by row
    unlike = ~_equal(d, f) & ~_equal(b, h)
    top_left, top_right = unlike & _equal(d, b), unlike & _equal(b, f)
    low_left, low_right = unlike & _equal(d, h), unlike & _equal(h, f)
    top = (top_left & ~_equal(e, c)) | (top_right & ~_equal(e, a))
    left = (top_left & ~_equal(e, g)) | (low_left & ~_equal(e, a))
    right = (top_right & ~_equal(e, i)) | (low_right & ~_equal(e, c))
    low = (low_left & ~_equal(e, i)) | (low_right & ~_equal(e, g))
    return _interleaved(
        [
            [torch.where(top_left, d, e), torch.where(top, b, e), torch.where(top_right, f, e)],
            [torch.where(left, d, e), e, torch.where(right, f, e)],
            [torch.where(low_left, d, e), torch.where(low, h, e), torch.where(low_right, f, e)],
        ]
    )


def _factors(scale: int) -> tuple[int, ...]:
    """Twos and threes whose product is the scale; none if there is no such product."""
    factors = []
    for factor in (2, 3):
        while scale % factor == 0:
            factors.append(factor)
            scale //= factor
    return tuple(factors) if scale == 1 else ()


def _neighbours(x: Tensor, wraps: tuple[bool, bool]) -> list[list[Tensor]]:
    """The image shifted by a pixel in each direction: three rows of three."""
    height, width = x.shape[-2:]
    around = cut(x, Window(-1, -1, height + 1, width + 1), wraps)
    return [[around[..., i : i + height, j : j + width] for j in range(3)] for i in range(3)]


def _equal(x: Tensor, y: Tensor) -> Tensor:
    return (x == y).all(dim=1, keepdim=True)


def _interleaved(parts: list[list[Tensor]]) -> Tensor:
    """Put s x s parts of every pixel, rows of columns, together."""
    rows = [torch.stack(row, dim=-1).flatten(-2) for row in parts]
    return torch.stack(rows, dim=-2).flatten(-3, -2)
