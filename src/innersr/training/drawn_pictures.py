"""Pictures of text, lines, spots, sprites and patterns to learn from, drawn at random and free of rights."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont
from torch import Tensor

from innersr.errors import InputError
from innersr.training.crops import CropPool, ImageFolder

SIZE = (360, 480)  # rows and columns, in pixels


def with_drawn_pictures(pool: CropPool, count: int, seed: int, side: int) -> CropPool:
    """A pool with `count` drawn pictures among its extra images; InputError if they are smaller than its crops.

    Args:
        side: of the largest crop, in pixels.
    """
    if count == 0:
        return pool
    if side > min(SIZE):
        size = f"{SIZE[1]}x{SIZE[0]}"
        raise InputError(f"drawn pictures have {size} pixels, too few for crops of {side}; train on smaller crops")
    pictures = drawn_pictures(count, seed)
    digest = hashlib.sha256(b"".join(picture.numpy().tobytes() for picture in pictures))
    source = ImageFolder(f"drawn pictures, seed {seed}", count, digest.hexdigest())
    return pool._replace(extra=(*pool.extra, *pictures), sources=(*pool.sources, source))


def drawn_pictures(count: int, seed: int) -> tuple[Tensor, ...]:
    """Pictures, (3, H, W) uint8 of SIZE: text, drawings, fluorescent spots, sprites and patterns in turn."""
    # Both families have free licences, and come with matplotlib.
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    fonts = sorted([*folder.glob("DejaVu*.ttf"), *folder.glob("STIXGeneral*.ttf")])
    randoms = [np.random.default_rng([seed, i]) for i in range(count)]
    makers = (partial(_page, fonts=fonts), _drawing, _spots, _sprites, _pattern)
    return tuple(makers[i % len(makers)](random) for i, random in enumerate(randoms))


def _page(random: np.random.Generator, fonts: Sequence[Path]) -> Tensor:
    """Lines of random words in several fonts, dark on light or light on dark."""
    paper, ink = _two_colours(random)
    picture = PillowImage.new("RGB", SIZE[::-1], paper)
    draw = ImageDraw.Draw(picture)
    top = int(random.integers(0, 12))
    while top < SIZE[0]:
        size = int(random.choice([9, 10, 11, 12, 13, 14, 16, 18, 22, 28, 40]))
        font = ImageFont.truetype(str(fonts[int(random.integers(0, len(fonts)))]), size)
        for _ in range(int(random.integers(1, 5))):
            text = " ".join(_word(random) for _ in range(24))
            draw.text((int(random.integers(0, 20)), top), text, ink, font=font)
            top += round(size * 1.35)
        if random.random() < 0.3:
            draw.line([(0, top), (SIZE[1], top)], ink)
        top += size // 2
    return _as_tensor(picture)


def _drawing(random: np.random.Generator) -> Tensor:
    """Lines, ellipses and polygons, filled or not."""
    paper, finer = _two_colours(random)[0], 3  # drawn so much larger and averaged, for edges without steps
    height, width = (finer * n for n in SIZE)
    picture = PillowImage.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(picture)
    for _ in range(int(random.integers(15, 60))):
        points = [(float(x * width), float(y * height)) for x, y in random.random((4, 2))]
        colour = tuple(int(c) for c in random.integers(0, 256, 3))
        stroke = int(random.choice([2, 3, 4, 6, 9, 15]))
        kind = int(random.integers(0, 4))
        if kind == 0:
            draw.line(points[:2], colour, stroke)
        elif kind == 1:
            (left, top), (x, y) = points[0], points[1]
            box = (min(left, x), min(top, y), max(left, x), max(top, y))
            draw.ellipse(box, outline=colour, width=stroke)
        elif kind == 2:
            draw.polygon([(0.3 * x + 0.7 * points[0][0], 0.3 * y + 0.7 * points[0][1]) for x, y in points], colour)
        else:
            draw.line(points, colour, stroke, joint="curve")
    return _as_tensor(picture.reduce(finer))


def _spots(random: np.random.Generator) -> Tensor:
    """Round spots of similar sizes on a dark ground, as of fluorescence, white or in one colour."""
    height, width = SIZE
    picture = np.zeros(SIZE, np.float32)
    usual = random.uniform(1.0, 3.5)  # standard deviation in pixels
    for _ in range(int(random.integers(40, 400))):
        sigma, row, column = usual * random.uniform(0.8, 1.6), random.uniform(0, height), random.uniform(0, width)
        reach = 5 * sigma
        rows = np.arange(max(0, int(row - reach)), min(height, int(row + reach) + 1))
        columns = np.arange(max(0, int(column - reach)), min(width, int(column + reach) + 1))
        distance = (rows[:, None] - row) ** 2 + (columns - column) ** 2
        spot = random.uniform(0.2, 1) * np.exp(-distance / (2 * sigma**2))
        picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += spot
    picture = picture / picture.max() * random.uniform(0.57, 0.95) + random.uniform(0.01, 0.08)
    colour = np.ones(3) if random.random() < 0.6 else random.uniform(0, 1, 3)
    levels = (255 * np.clip(picture * colour[:, None, None], 0, 1)).round()
    return torch.from_numpy(levels.astype(np.uint8))


def _sprites(random: np.random.Generator) -> Tensor:
    """Rectangles and single pixels of few colours, every pixel enlarged by one factor from 1 to 6."""
    factor = int(random.integers(1, 7))
    height, width = (n // factor + 1 for n in SIZE)
    palette = random.integers(0, 256, (int(random.integers(2, 10)), 3))
    picture = np.zeros((height, width), int)
    for _ in range(int(random.integers(20, 120))):
        top, left = random.integers(0, height), random.integers(0, width)
        rows, columns = (random.integers(1, 1 + max(2, n // 4)) for n in (height, width))
        picture[top : top + rows, left : left + columns] = random.integers(0, len(palette))
    single = random.random((height, width)) < 0.05
    picture[single] = random.integers(0, len(palette), single.sum())
    large = palette[picture].repeat(factor, 0).repeat(factor, 1)[: SIZE[0], : SIZE[1]]
    return torch.from_numpy(np.ascontiguousarray(large.transpose(2, 0, 1)).astype(np.uint8))


def _pattern(random: np.random.Generator) -> Tensor:
    """Panels of checkerboards, stripes and dots of 1 to 12 pixels in two colours, which alias when they are shrunk."""
    picture, panel = np.zeros((*SIZE, 3), np.uint8), int(random.integers(60, 160))
    for top in range(0, SIZE[0], panel):
        for left in range(0, SIZE[1], panel):
            y, x = np.mgrid[:panel, :panel]
            period = int(random.integers(1, 13))
            across = period if random.random() < 0.5 else int(random.integers(1, 13))
            row, column = y // period, x // across
            kind = int(random.integers(0, 4))
            marks = ((row + column) % 2, row % 2, column % 2, (row % 2) * (column % 2))[kind]
            colours = np.array(_two_colours(random))[marks]
            place = picture[top : top + panel, left : left + panel]
            place[...] = colours[: place.shape[0], : place.shape[1]]
    return torch.from_numpy(picture.transpose(2, 0, 1).copy())


def _two_colours(random: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Draw colours of paper and ink: mostly white and black, either way round, else any with contrast."""
    kind = random.random()
    light, dark = int(random.integers(225, 256)), int(random.integers(0, 40))
    if kind < 0.5:
        return (light,) * 3, (dark,) * 3
    if kind < 0.65:
        return (dark,) * 3, (light,) * 3
    drawn = random.integers(150, 256, 3), random.integers(0, 110, 3)
    bright, deep = (tuple(int(c) for c in colour) for colour in drawn)
    return (bright, deep) if kind < 0.85 else (deep, bright)


def _word(random: np.random.Generator) -> str:
    letters = string.ascii_lowercase * 6 + string.ascii_uppercase * 2 + string.digits * 2 + ".,;:!?()-+=%&@#/"
    return "".join(random.choice(list(letters), int(random.integers(2, 10))))


def _as_tensor(picture: PillowImage.Image) -> Tensor:
    return torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy())
