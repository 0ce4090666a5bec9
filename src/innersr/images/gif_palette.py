"""One palette for many pictures, which are dithered onto it so that a film of them does not flicker.

Pictures are uint8 arrays (H, W, 3). Knows nothing about files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image as PillowImage

Levels = np.ndarray[Any, np.dtype[np.uint8]]
FRAMES, PIXELS = 16, 2**16  # at most, that a palette is made from
ROUNDS = 3  # of k-means; they take a quarter off the error
CELL = 4  # levels of each band that share an entry of the table from colours to the palette
DITHER = 0.5  # of the distance between colours: less shows bands, more shows grain


def shared_palette(pictures: Sequence[Levels], count: int) -> Levels:
    """Return at most `count` different colours for all pictures, (n, 3), from some of their pixels."""
    some = pictures[:: -(-len(pictures) // FRAMES)]
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in some])
    pixels = pixels[:: -(-len(pixels) // PIXELS)]
    quantized = PillowImage.fromarray(pixels[None]).quantize(count, kmeans=ROUNDS)
    colours = np.array(quantized.getpalette("RGB"), np.uint8).reshape(-1, 3)
    return np.unique(colours[np.unique(np.asarray(quantized))], axis=0)


def dithered(pictures: Sequence[Levels], palette: Levels) -> Iterator[Levels]:
    """Yield every picture as places in the palette, (H, W).

    Each pixel has thresholds of its own, the same in all pictures: what stands still does not change. Error
    diffusion, whose grain is another one in every picture, flickers half as much again.
    """
    # Pillow's own search for the nearest colour makes pictures darker by a level.
    table = _nearest_places(palette)
    first = pictures[0]
    error = palette[_look_up(table, first)].astype(np.float32) - first
    step = np.sqrt(12 * np.square(error).mean((0, 1)))  # between colours as far apart as this rounding error says
    thresholds = DITHER * step * _noise(*first.shape[:2])
    for picture in pictures:
        yield _look_up(table, np.clip(np.rint(picture + thresholds), 0, 255).astype(np.uint8))


def _nearest_places(palette: Levels) -> Levels:
    """Return a table from colours, by their cells, to the nearest of the palette, (64, 64, 64)."""
    middles = np.arange(256 // CELL, dtype=np.float32) * CELL + (CELL - 1) / 2
    colours = palette.astype(np.float32)
    ends = np.square(colours).sum(1)
    table = np.empty((len(middles),) * 3, np.uint8)
    for index, red in enumerate(middles):
        cells = np.stack(np.broadcast_arrays(red, middles[:, None], middles[None]), -1)
        table[index] = (ends - 2 * cells @ colours.T).argmin(-1)
    return table


def _look_up(table: Levels, picture: Levels) -> Levels:
    cells = picture // CELL
    return table[cells[..., 0], cells[..., 1], cells[..., 2]]


def _noise(height: int, width: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return thresholds from -1/2 to 1/2, (H, W, 3): interleaved gradient noise (Jimenez 2014), shifted per band."""
    y, x = np.mgrid[:height, :width]
    bands = [
        52.9829189 * ((0.06711056 * (x + dx) + 0.00583715 * (y + dy)) % 1) % 1 for dx, dy in ((0, 0), (3, 5), (5, 2))
    ]
    return (np.stack(bands, -1) - 0.5).astype(np.float32)
