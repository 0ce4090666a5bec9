"""A labelled picture of two results side by side, with enlarged crops where they differ."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from innersr.images.colours.screen import in_srgb, profile_of, white_of
from innersr.images.image import Image
from innersr.physics.resize import image_size, resize
from innersr.plots import sheets
from innersr.plots.sheets import GAP, Cell, Pixels, grid, picture_cell, text_cell

CROP = 64  # pixels of the side of a crop
CROPS = 3
FRAME = (230, 70, 30)  # colour of the frames around the crops


def comparable(image: Image, result: Image, *, shows_alpha: bool = True) -> tuple[Tensor, Tensor]:
    """An image enlarged bicubically and its result, at one size and in one range, as they are looked at.

    Colours that a profile describes are shown as sRGB.

    Args:
        image: of any depth.
        result: the same, upscaled.
        shows_alpha: whether transparent pixels are white; else they have the colours that they hide.

    Returns:
        Two of (1, C, H, W) in about [0, 1]; what is no data is black.
    """
    icc = profile_of(image.metadata.icc, image.colour.shape[1], is_rgb=image.is_rgb)
    known = image.colour if image.missing is None else image.colour.masked_fill(image.missing, 0.0)
    white = white_of(known, image.depth) if icc is not None else max(1.0, float(known.nan_to_num(0, 0, 0).max()))
    before, after = (_displayed_pixels(one, white, shows_alpha=shows_alpha) for one in (image, result))
    before = resize(before, size=image_size(after))
    if icc is not None:
        return in_srgb(before, icc, white), in_srgb(after, icc, white)
    low, high = (0.0, 1.0) if image.depth == "uint8" else (float(after.min()), float(after.max()))
    spread = (high - low) or 1.0
    return (before - low) / spread, (after - low) / spread


def looked_at(image: Image) -> Tensor:
    """An image as it is looked at, see `comparable`."""
    return comparable(image, image)[1]


def _displayed_pixels(image: Image, white: float, *, shows_alpha: bool) -> Tensor:
    """The colours, on white: those of transparent pixels do not show."""
    colour = image.colour if image.missing is None else image.colour.masked_fill(image.missing, 0.0)
    if image.alpha is None or not shows_alpha:
        return colour
    return colour * image.alpha + white * (1 - image.alpha)


def before_after_sheet(before: Tensor, after: Tensor, labels: tuple[str, str]) -> Pixels:
    """Draw two images of one size next to each other, and below each the crops that changed most, enlarged.

    Images are shown pixel for pixel unless they are wider than 640 or higher than 1280 pixels.

    Both are (1, C, H, W) in [0, 1]; the labels have one line each.
    """
    corners = _busiest_corners(before, after)
    columns = [_column(image, label, corners) for image, label in zip((before, after), labels, strict=True)]
    return sheets.draw_sheet([], grid(list(zip(*columns, strict=True))))


def _column(image: Tensor, label: str, corners: list[tuple[int, int]]) -> list[Cell]:
    """The label, the image with frames around its crops, and the enlarged crops."""
    side = min(CROP, *image.shape[-2:])
    picture = sheets.shown(image, least=320, most=(1280, 640))
    ratio = picture.shape[1] / image.shape[-1]
    for corner in corners:
        _frame(picture, *(round(ratio * place) for place in (*corner, side)))
    zoom = max(1, (max(320, picture.shape[1]) - GAP * (CROPS - 1)) // CROPS // side)
    crops = (sheets.to_pixels(image[..., top : top + side, left : left + side]) for top, left in corners)
    cells = [picture_cell(sheets.enlarged(crop, zoom)) for crop in crops]
    return [text_cell(label), picture_cell(picture), grid([cells])]


def _frame(pixels: Pixels, top: int, left: int, side: int) -> None:
    """Draw the border of a square."""
    square = pixels[top : top + side, left : left + side]
    square[[0, -1]] = FRAME
    square[:, [0, -1]] = FRAME


def _busiest_corners(before: Tensor, after: Tensor) -> list[tuple[int, int]]:
    """Find the (top, left) corners of the non-overlapping crops with the largest mean difference."""
    height, width = after.shape[-2:]
    side = min(CROP, height, width)
    change = (after - before).abs().mean(dim=1)[0]
    # Sums over every square at once, from a table of the sums above and to the left (Crow 1984).
    table = F.pad(change.double().cumsum(0).cumsum(1), (1, 0, 1, 0))
    scores = table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]
    corners: list[tuple[int, int]] = []
    while len(corners) < CROPS and float(scores.max()) > -math.inf:
        top, left = divmod(int(scores.argmax()), scores.shape[1])
        corners.append((top, left))
        scores[max(0, top - side + 1) : top + side, max(0, left - side + 1) : left + side] = -math.inf
    return corners
