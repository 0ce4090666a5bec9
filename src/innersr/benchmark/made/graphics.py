"""Line drawings, pixel art, dithering and checkerboards."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw


def draw_lines(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Ink on paper: rosettes, spirals, hatched circles and graphs, with smooth edges."""
    finer = 4  # so many times larger it is drawn, and then averaged
    height, width = (finer * n for n in size)
    paper = PillowImage.new("RGB", (width, height), (255, 255, 255) if random.random() < 0.7 else (246, 240, 222))
    draw = ImageDraw.Draw(paper)
    for index in range(max(4, size[0] * size[1] // 6000)):
        centre, reach = random.random(2) * (width, height), finer * float(random.uniform(15, 60))
        ink = (20, 20, 24) if random.random() < 0.7 else tuple(int(c) for c in random.integers(0, 180, 3))
        stroke = round(finer * float(random.choice([0.7, 1.0, 1.5, 2.5, 4.0])))
        for curve in (_rosette, _spiral, _hatching, _graph)[index % 4](random, reach):
            draw.line([(float(x), float(y)) for x, y in curve + centre], ink, max(1, stroke), joint="curve")
    return np.asarray(paper.reduce(finer))


def draw_sprites(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Pixel art: symmetric figures and tiles of few colours, each of its pixels 2x2 or 4x4 pixels."""
    block = int(random.choice([2, 4]))
    rows, columns = (-(-n // block) for n in size)
    palette = random.integers(0, 256, (10, 3), dtype=np.uint8)
    palette[9] = 12  # of outlines
    art = np.zeros((rows, columns), dtype=np.uint8)
    art[2 * rows // 3 :] = 1  # the ground
    marks = random.random((rows, columns)) < 0.04
    art[marks] += 2
    for _ in range(max(2, rows * columns // 500)):
        figure = _figure(random, int(random.choice([8, 12, 16])))
        top, left = int(random.integers(0, rows)), int(random.integers(0, columns))
        place = art[top : top + len(figure), left : left + len(figure)]
        figure = figure[: place.shape[0], : place.shape[1]]
        place[figure > 0] = figure[figure > 0]
    return _enlarged(palette[art], block, size)


def draw_dithering(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """A shaded scene in black and white, by ordered dithering or error diffusion, in dots of 2x2 pixels."""
    block = 2
    rows, columns = (-(-n // block) for n in size)
    y, x = np.mgrid[:rows, :columns] / max(rows, columns)
    shade = 0.5 + 0.35 * np.sin(2 * math.pi * (random.uniform(0.5, 2) * x + random.uniform(0.5, 2) * y))
    for _ in range(6):
        row, column, radius = random.random(3) * (1, 1, 0.25)
        depth = 1 - ((y - row) ** 2 + (x - column) ** 2) / (radius**2 + 1e-9)
        shade = np.where(depth > 0, 0.15 + 0.75 * np.sqrt(depth.clip(0)), shade)
    dots = _ordered(shade) if random.random() < 0.5 else _diffused(shade)
    return _enlarged(dots * np.uint8(255), block, size)


def draw_checkerboard(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Squares of 2, 4, 8 and 16 pixels in the four quarters, in two colours."""
    first, second = random.integers(0, 90, 3), random.integers(160, 256, 3)
    if random.random() < 0.5:
        first, second = np.array([0, 0, 0]), np.array([255, 255, 255])
    y, x = np.mgrid[: size[0], : size[1]]
    quarter = 2 * (y >= size[0] // 2) + (x >= size[1] // 2)
    side = random.permutation([2, 4, 8, 16])[quarter]
    is_second = (y // side + x // side) % 2 == 1
    return np.where(is_second[..., None], second, first).astype(np.uint8)


def _figure(random: np.random.Generator, side: int) -> np.ndarray[Any, Any]:
    """A symmetric figure in stripes of colours 4 to 8 with an outline of colour 9: (side, side), 0 around it."""
    half = np.pad(random.random((side - 2, side // 2 - 1)), ((1, 1), (1, 0)))
    smooth = (half + np.roll(half, 1, 0) + np.roll(half, -1, 0) + np.roll(half, 1, 1)) / 4
    smooth[0] = smooth[-1] = smooth[:, 0] = 0
    body = np.concatenate([smooth, smooth[:, ::-1]], axis=1) > 0.42
    stripes = random.integers(4, 9, side, dtype=np.uint8)[:, None]
    around = sum(np.roll(body, move, axis) for move in (-1, 1) for axis in (0, 1)) > 0
    return np.where(body, stripes, np.where(around, 9, 0)).astype(np.uint8)


def _rosette(random: np.random.Generator, reach: float) -> list[np.ndarray[Any, Any]]:
    turn = np.linspace(0, 2 * math.pi, 400)
    radius = reach * np.cos(int(random.integers(2, 8)) * turn)
    return [np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1)]


def _spiral(random: np.random.Generator, reach: float) -> list[np.ndarray[Any, Any]]:
    turn = np.linspace(0, 2 * math.pi * float(random.uniform(3, 8)), 500)
    return [np.stack([np.cos(turn), np.sin(turn)], 1) * (reach * turn / turn[-1])[:, None]]


def _hatching(random: np.random.Generator, reach: float) -> list[np.ndarray[Any, Any]]:
    turn = np.linspace(0, 2 * math.pi, 200)
    angle, lines = float(random.uniform(0, math.pi)), [np.stack([np.cos(turn), np.sin(turn)], 1) * reach]
    across, along = np.array([-math.sin(angle), math.cos(angle)]), np.array([math.cos(angle), math.sin(angle)])
    for offset in np.arange(-0.9, 0.95, float(random.uniform(0.12, 0.3))):
        half = math.sqrt(1 - offset**2)
        lines.append(reach * np.stack([offset * across - half * along, offset * across + half * along]))
    return lines


def _graph(random: np.random.Generator, reach: float) -> list[np.ndarray[Any, Any]]:
    x = np.linspace(-1, 1, 300)
    y = 0.5 * np.sin(float(random.uniform(3, 14)) * x) * np.exp(-float(random.uniform(0, 2)) * x)
    axes = [np.array([[-1, 0.9], [1, 0.9]]), np.array([[-0.95, 1.0], [-0.95, -1.0]])]
    return [reach * line for line in [*axes, np.stack([x, y.clip(-0.9, 0.9)], 1)]]


def _ordered(shade: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Bayer's matrix of 8x8 thresholds: (rows, columns), 0 or 1."""
    bayer = np.zeros((1, 1))
    for _ in range(3):
        bayer = np.block([[4 * bayer, 4 * bayer + 2], [4 * bayer + 3, 4 * bayer + 1]])
    thresholds = np.tile((bayer + 0.5) / 64, [-(-n // 8) for n in shade.shape])
    return (shade > thresholds[: shade.shape[0], : shade.shape[1]]).astype(np.uint8)


def _diffused(shade: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Error diffusion by Floyd and Steinberg: (rows, columns), 0 or 1."""
    picture = PillowImage.fromarray((255 * shade).round().clip(0, 255).astype(np.uint8))
    return np.asarray(picture.convert("1")).astype(np.uint8)


def _enlarged(art: np.ndarray[Any, Any], block: int, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Every pixel as a block of pixels, cropped to a size."""
    return art.repeat(block, 0).repeat(block, 1)[: size[0], : size[1]]
