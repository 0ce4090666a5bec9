"""Pictures of text and of lines to learn from, drawn at random and free of rights."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont
from torch import Tensor

from innersr.training.crops import CropPool, ImageFolder

SIZE = (360, 480)  # rows and columns, in pixels


def with_drawn_pictures(pool: CropPool, count: int, seed: int) -> CropPool:
    """A pool with so many drawn pictures among its extra images."""
    if count == 0:
        return pool
    pictures = drawn_pictures(count, seed)
    digest = hashlib.sha256(b"".join(picture.numpy().tobytes() for picture in pictures))
    source = ImageFolder(f"drawn pictures, seed {seed}", count, digest.hexdigest())
    return pool._replace(extra=(*pool.extra, *pictures), sources=(*pool.sources, source))


def drawn_pictures(count: int, seed: int) -> tuple[Tensor, ...]:
    """Pictures, (3, H, W) uint8 of SIZE: text and drawings in turn."""
    # Both families have free licences, and come with matplotlib.
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    fonts = sorted([*folder.glob("DejaVu*.ttf"), *folder.glob("STIXGeneral*.ttf")])
    randoms = [np.random.default_rng([seed, i]) for i in range(count)]
    return tuple(_drawing(random) if i % 2 else _page(random, fonts) for i, random in enumerate(randoms))


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
