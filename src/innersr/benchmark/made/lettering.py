"""Pages of text and screenshots, in the free fonts that come with Matplotlib."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

Colour = tuple[int, int, int]


def draw_text(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """A page in one typeface: a heading, then paragraphs in sizes from 10 to 26 pixels."""
    faces = ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "STIXGeneral", "cmr10", "cmss10", "cmtt10")
    heavy = {"DejaVuSans": "DejaVuSans-Bold", "DejaVuSerif": "DejaVuSerif-Bold", "STIXGeneral": "STIXGeneralBol"}
    face = str(random.choice(faces))
    paper, ink = _paper_and_ink(random)
    height, width = size
    page = PillowImage.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(page)
    margin = max(2, width // 20)
    top = margin
    draw.text((margin, top), _words(random, 3).title(), ink, font=_font(heavy.get(face, face), 28))
    top += 44
    while top < height:
        letters = int(random.choice([10, 12, 13, 15, 18, 22, 26]))
        font = _font(face, letters)
        for line in _lines(random, font, width - 2 * margin, int(random.integers(2, 6))):
            draw.text((margin, top), line, ink, font=font)
            top += round(1.3 * letters)
        top += letters
    return np.asarray(page)


def draw_screenshot(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """A desktop with windows: title bars, menus, a list, buttons, and lines of code in colours."""
    height, width = size
    desktop = PillowImage.new("RGB", (width, height), _colour(random, 40, 140))
    draw = ImageDraw.Draw(desktop)
    is_dark = bool(random.random() < 0.4)
    for _ in range(2 + height * width // 100_000):
        left, top = int(random.integers(-20, width // 2)), int(random.integers(-10, height // 2))
        right, bottom = left + int(random.integers(150, 420)), top + int(random.integers(120, 320))
        _draw_window(draw, random, (left, top, right, bottom), is_dark=is_dark)
    draw.rectangle((0, height - 14, width, height), (32, 34, 38))
    draw.text((6, height - 13), "Files   Edit   View   12:47", (225, 225, 225), font=_font("DejaVuSans", 9))
    return np.asarray(desktop)


def _draw_window(
    draw: ImageDraw.ImageDraw, random: np.random.Generator, box: tuple[int, int, int, int], *, is_dark: bool
) -> None:
    left, top, right, bottom = box
    back, ink, rim = (
        ((43, 43, 46), (220, 220, 220), (90, 90, 95)) if is_dark else ((250, 250, 250), (25, 25, 30), (150,) * 3)
    )
    accent = _colour(random, 30, 220)
    draw.rectangle(box, back, outline=rim)
    draw.rectangle((left + 1, top + 1, right - 1, top + 22), accent)
    draw.text((left + 8, top + 4), _words(random, 2).title(), (255, 255, 255), font=_font("DejaVuSans-Bold", 12))
    for place in range(3):
        x = right - 16 - 16 * place
        draw.ellipse((x, top + 6, x + 10, top + 16), _colour(random, 120, 255))
    draw.text((left + 8, top + 27), "File  Edit  Select  Help", ink, font=_font("DejaVuSans", 11))
    draw.line((left, top + 44, right, top + 44), rim)
    row, split = top + 50, left + (right - left) // 3
    while row < bottom - 40:
        draw.text((left + 8, row), _words(random, 1), ink, font=_font("DejaVuSans", 11))
        code, x = _font("DejaVuSansMono", 11), split + 8 + 14 * int(random.integers(0, 3))
        for word in _words(random, 3).split():
            if x + code.getlength(word) < right - 8:
                draw.text((x, row), word, accent if random.random() < 0.3 else ink, font=code)
            x += int(code.getlength(word + " "))
        row += 16
    draw.line((split, top + 44, split, bottom), rim)
    draw.rounded_rectangle((right - 74, bottom - 28, right - 10, bottom - 8), 5, accent, outline=rim)
    draw.text((right - 60, bottom - 25), "Apply", (255, 255, 255), font=_font("DejaVuSans", 11))


def _lines(random: np.random.Generator, font: ImageFont.FreeTypeFont, width: int, count: int) -> list[str]:
    """Lines of words, each as long as fits into a width in pixels."""
    lines = []
    for _ in range(count):
        words = _words(random, 30).split()
        while len(words) > 1 and font.getlength(" ".join(words)) > width:
            words.pop()
        lines.append(" ".join(words))
    return lines


def _words(random: np.random.Generator, count: int) -> str:
    vocabulary = (
        "a of in is to at by it as the and for not with from that this under over light dark image field signal river "
        "stone glass window number letter, table; figure (see measure sharp) edge: line. curve plane quickly between "
        "without journal 1998 2.5 37 x=y volume weather engine machine yellow jumping oxygen quartz Vienna"
    )
    return " ".join(str(word) for word in random.choice(vocabulary.split(), count))


def _paper_and_ink(random: np.random.Generator) -> tuple[Colour, Colour]:
    pairs: list[tuple[Colour, Colour]] = [
        ((255, 255, 255), (0, 0, 0)),
        ((252, 248, 238), (40, 32, 28)),
        ((24, 26, 30), (232, 232, 228)),
        ((236, 242, 250), (20, 50, 120)),
        ((250, 222, 90), (120, 20, 20)),
    ]
    return pairs[int(random.integers(0, len(pairs)))]


def _colour(random: np.random.Generator, least: int, most: int) -> Colour:
    red, green, blue = (int(level) for level in random.integers(least, most, 3))
    return red, green, blue


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    file = Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"
    # The basic layout does not depend on what else is installed.
    return ImageFont.truetype(str(file), size, layout_engine=ImageFont.Layout.BASIC)
