"""A picture in few colours: a palette found by k-means, and the nearest of its colours at every pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from innersr.errors import InputError

SAMPLED = 20_000  # pixels at most that a palette is learned from


def palette_of(picture: Tensor, colours: int, generator: torch.Generator) -> Tensor:
    """Find the main colours of a picture by k-means over its pixels.

    Seeded by k-means++ (Arthur and Vassilvitskii 2007), settled by Lloyd's algorithm.

    # Differs from the reference code: whole colours are clustered, where that takes runs of three neighbours in one
    # band for colours.

    Args:
        picture: (1, C, H, W).
        colours: K.
        generator: on the CPU.

    Returns:
        (K, C) on the picture's device; fewer rows if the picture has fewer different colours.

    Raises:
        InputError: fewer than one colour.
    """
    if colours < 1:
        raise InputError(f"a palette needs a colour at least, got {colours}; 5 is usual")
    # On the CPU in double precision: every device finds the same palette.
    pixels = _pixels(picture).cpu().double()
    if len(pixels) > SAMPLED:
        pixels = pixels[torch.randperm(len(pixels), generator=generator)[:SAMPLED]]
    palette = _seeded(pixels, colours, generator)
    nearest = _nearest(pixels, palette)
    for _ in range(100):  # it has mostly settled after some ten
        palette = _means(pixels, nearest, palette)
        previous, nearest = nearest, _nearest(pixels, palette)
        if torch.equal(nearest, previous):
            break
    return palette.to(picture)


def to_palette(picture: Tensor, palette: Tensor) -> Tensor:
    """Replace every pixel of a picture, (1, C, H, W), by the nearest colour of a palette, (K, C).

    Raises:
        InputError: a palette of another number of channels.
    """
    if palette.ndim != 2 or palette.shape[1] != picture.shape[1]:
        raise InputError(
            f"a palette for {picture.shape[1]} channels must be (K, {picture.shape[1]}), got {tuple(palette.shape)}"
        )
    palette = palette.to(picture)
    mapped = palette[_nearest(_pixels(picture), palette)]
    return mapped.mT.reshape(picture.shape).contiguous()


def _pixels(picture: Tensor) -> Tensor:
    """Pixels as rows, (H * W, C)."""
    return picture[0].flatten(1).mT


def _nearest(pixels: Tensor, palette: Tensor) -> Tensor:
    """Index of the nearest colour of every pixel, the first of equals."""
    nearest = torch.zeros(len(pixels), dtype=torch.long, device=pixels.device)
    least = _squared_distance(pixels, palette[0])
    for index, colour in enumerate(palette[1:], start=1):
        distance = _squared_distance(pixels, colour)
        nearest[distance < least] = index
        least = torch.minimum(least, distance)
    return nearest


def _squared_distance(pixels: Tensor, colour: Tensor) -> Tensor:
    return (pixels - colour).square().sum(1)


def _seeded(pixels: Tensor, colours: int, generator: torch.Generator) -> Tensor:
    """Draw colours among the pixels: the first at random, others in proportion to their squared distance from those."""
    chosen = [pixels[int(torch.randint(len(pixels), (), generator=generator))]]
    least = _squared_distance(pixels, chosen[0])
    while len(chosen) < colours and bool(least.max() > 0):
        chosen.append(pixels[int(torch.multinomial(least, 1, generator=generator))])
        least = torch.minimum(least, _squared_distance(pixels, chosen[-1]))
    return torch.stack(chosen)


def _means(pixels: Tensor, nearest: Tensor, palette: Tensor) -> Tensor:
    """Mean of the pixels of every colour; a colour without pixels stays as it is."""
    counts = torch.bincount(nearest, minlength=len(palette))[:, None]
    sums = torch.zeros_like(palette).index_add_(0, nearest, pixels)
    return torch.where(counts > 0, sums / counts.clamp(min=1), palette)
