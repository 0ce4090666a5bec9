"""Pictures made for tests, of which it is known whether anything in them comes again."""

import math
from functools import cache

import numpy as np
import torch

from innersr.physics.resize import resize

FINER = 4  # drawn so many times too large, then averaged: antialiased


@cache
def facade(side=192):
    """Rows of windows that all look alike, each row smaller than the one above it."""
    y, x = np.mgrid[: side * FINER, : side * FINER] / FINER
    light = np.full(x.shape, 0.7)
    top = 0.0
    for width in (26, 20, 15, 11.5, 9, 7, 5.5):
        for number in range(int(side / (width * 1.6)) + 1):
            u, v = (x - (number + 0.5) * width * 1.6) / width, (y - top - 1.25 * width) / width
            inside = (np.abs(u) < 0.5) & (np.abs(v) < 0.7)
            bars = (np.abs(u) > 0.42) | (np.abs(v) > 0.62) | (np.abs(u) < 0.04) | (np.abs(v + 0.2) < 0.04)
            light[inside] = 0.15
            light[inside & bars] = 0.95
            light[(np.abs(u) < 0.6) & (v > 0.7) & (v < 0.82)] = 0.4
        top += 2.25 * width
    return torch.from_numpy(light.reshape(side, FINER, side, FINER).mean((1, 3))).float()[None, None]


def waves(side=192, seed=1):
    """Smooth light and shade."""
    knots = torch.rand(1, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
    return resize(knots, size=(side, side)).clamp(0, 1)


def grain(side=192, seed=1):
    """A texture in which every pixel is another one."""
    return torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(seed)) * 0.8 + 0.1


def twins(large=36, small=24, seed=3):
    """A grey image with one pattern in it twice: large at (100, 100), small at (24, 20)."""
    pattern = resize(torch.rand(1, 1, 14, 14, generator=torch.Generator().manual_seed(seed)), size=(72, 72))
    picture = torch.full((1, 1, 160, 160), 0.5)
    for top, left, side in ((100, 100, large), (24, 20, small)):
        picture[..., top : top + side, left : left + side] = resize(pattern, size=(side, side)).clamp(0, 1)
    return picture


def scene(side=256):
    """Sharp things of many sizes, (1, 3, side, side): discs, bars and letters' like, in front of each other."""
    draw = torch.Generator().manual_seed(3)
    y, x = torch.meshgrid(torch.arange(2 * side) / 2, torch.arange(2 * side) / 2, indexing="ij")
    picture = torch.full((3, 2 * side, 2 * side), 0.5)
    for _ in range(150):
        row, column, size, ratio, turn = torch.rand(5, generator=draw).tolist()
        dy, dx = y - side * row, x - side * column
        along, across = (
            dx * math.cos(3 * turn) + dy * math.sin(3 * turn),
            dy * math.cos(3 * turn) - dx * math.sin(3 * turn),
        )
        length = 3 + 30 * size**2
        inside = (along.abs() < length) & (across.abs() < length * (0.1 + 0.9 * ratio))
        picture = torch.where(inside, torch.rand(3, 1, 1, generator=draw), picture)
    return torch.nn.functional.avg_pool2d(picture[None], 2)
