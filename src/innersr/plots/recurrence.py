"""A picture of recurrence: a heat map over the image, example pairs framed in it and enlarged below it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont
from torch import Tensor

from innersr.metrics.recurrence import Box, Pair, Recurrence
from innersr.plots.sheets import FAINT, FINE, GAP, INK, PAPER, Row, table, to_pil

LARGE, SMALL = 960, 560  # pixels of the long side that an image is shown with, at most and at least
FINER = 2  # frames and lines are drawn so many times too large, then shrunk: smooth lines
ZOOM = 108  # pixels of the side of an enlarged example
DIMMED = 0.62  # brightness of the image below the heat
OPAQUE, RISE = 0.85, 0.7  # share of the heat where the map is 1, and how it rises to that
HEAT = ((52, 20, 110), (176, 42, 108), (240, 108, 36), (255, 226, 96))  # colours for 0, 1/3, 2/3 and 1
FRAMES = ((0, 214, 255), (124, 252, 92), (255, 122, 228), (170, 150, 255))  # one colour for each pair
SHADOW = (15, 15, 25)
LEGEND = 300, 14  # pixels of the bar of colours


def recurrence_sheet(picture: Tensor, found: Recurrence, lines: Sequence[str]) -> PILImage.Image:
    """Draw how well each part of an image is explained by larger parts of it.

    Args:
        picture: (1, C, H, W) in [0, 1].
        found: in it.
        lines: above everything; the first is the title.
    """
    cells = [_heated(picture, found), _legend(bool(found.pairs))]
    if found.pairs:
        cells.append(_enlarged(picture, found.pairs, max(cell.width for cell in cells)))
    return table(lines, [""], [Row("", [cell]) for cell in cells])


def _heated(picture: Tensor, found: Recurrence) -> PILImage.Image:
    """Return the grey, dimmed image with the heat over it, and the frames of the pairs joined by lines."""
    longest = max(picture.shape[-2:])
    factor = min(LARGE, max(SMALL, longest)) / longest
    size = [max(1, round(n * factor)) for n in picture.shape[-2:]]
    resampling = PILImage.Resampling.LANCZOS if factor < 1 else PILImage.Resampling.BICUBIC
    grey = to_pil(picture).convert("L").resize((size[1], size[0]), resampling)
    base = torch.frombuffer(bytearray(grey.tobytes()), dtype=torch.uint8).view(*size, 1).float()
    level = F.interpolate(found.map[None, None], size, mode="bilinear")[0, 0].clamp(0, 1)
    share = (OPAQUE * level**RISE)[..., None]
    # Heat takes the image's own light and shade along, so that what lies below it can be seen.
    shade = 0.55 + 0.45 * base / 255
    drawn = (1 - share) * DIMMED * base + share * shade * _heat_of(level)
    sheet = PILImage.fromarray(drawn.clamp(0, 255).round().to(torch.uint8).numpy())
    large = sheet.resize((sheet.width * FINER, sheet.height * FINER), PILImage.Resampling.BICUBIC)
    draw = ImageDraw.Draw(large)
    for pair, colour in reversed(list(zip(found.pairs, FRAMES, strict=False))):
        _draw_pair(draw, pair, factor * FINER, colour)
    return large.resize(sheet.size, PILImage.Resampling.LANCZOS)


def _heat_of(level: Tensor) -> Tensor:
    """Return the colours of values in [0, 1], (..., 3) from 0 to 255."""
    colours = torch.tensor(HEAT, dtype=torch.float32)
    place = level * (len(HEAT) - 1)
    below = place.floor().long().clamp(0, len(HEAT) - 2)
    rest = (place - below)[..., None]
    return (1 - rest) * colours[below] + rest * colours[below + 1]


def _draw_pair(draw: ImageDraw.ImageDraw, pair: Pair, factor: float, colour: tuple[int, int, int]) -> None:
    """Draw two frames and the line between their nearest borders, all with a dark rim."""
    middles = [(box.left + box.side / 2, box.top + box.side / 2) for box in (pair.patch, pair.source)]
    across = [b - a for a, b in zip(*middles, strict=True)]
    # From a middle to the border of its square it is half a side along the axis on which the other lies further away.
    reach = max(abs(way) for way in across) or 1.0
    ends = []
    for (x, y), box, sign in zip(middles, (pair.patch, pair.source), (1, -1), strict=True):
        part = sign * box.side / 2 / reach
        ends.append(((x + part * across[0]) * factor, (y + part * across[1]) * factor))
    for width, ink in ((5 * FINER, SHADOW), (2 * FINER, colour)):
        draw.line(ends, fill=ink, width=width)
        for box in (pair.patch, pair.source):
            left, top, side = box.left * factor, box.top * factor, box.side * factor
            rim = (width - 2 * FINER) / 2
            edges = [left - rim, top - rim, left + side + rim, top + side + rim]
            draw.rectangle(edges, outline=ink, width=width)


def _legend(has_pairs: bool) -> PILImage.Image:
    """Return the bar of colours with what its ends mean, and what frames mean."""
    font = ImageFont.load_default(FINE + 2)
    before, after = "no detail, or found nowhere else", "comes again, larger"
    frames = "frames: a patch, and the larger place that it looks like" if has_pairs else ""
    width, height = LEGEND
    start = round(font.getlength(before)) + GAP
    texts = [(0, before), (start + width + GAP, after)]
    texts.append((round(texts[1][0] + font.getlength(after) + 3 * GAP), frames))
    cell = PILImage.new("RGB", (round(texts[2][0] + font.getlength(frames)), height + 4), PAPER)
    level = torch.linspace(0, 1, width)
    share = (OPAQUE * level**RISE)[:, None]
    bar = (1 - share) * DIMMED * 128 + share * _heat_of(level)
    bar = bar.round().to(torch.uint8).expand(height, width, 3)
    cell.paste(PILImage.fromarray(bar.contiguous().numpy()), (start, 2))
    draw = ImageDraw.Draw(cell)
    for x, text in texts:
        draw.text((x, 2 + height / 2), text, fill=INK, font=font, anchor="lm")
    return cell


def _enlarged(picture: Tensor, pairs: Sequence[Pair], width: int) -> PILImage.Image:
    """Return each patch beside what it looks like, both as large, in as many rows as fit into a width."""
    font = ImageFont.load_default(FINE + 2)
    captions = [f"{1 / pair.scale:.3g}x as large, {100 * pair.explained:.0f} % alike" for pair in pairs]
    cell = max(2 * ZOOM + 4, *(round(font.getlength(caption)) for caption in captions)) + 2 * GAP
    columns = min(len(pairs), max(1, width // cell))
    rows = -(-len(pairs) // columns)
    high = ZOOM + FINE + 2 * GAP
    sheet = PILImage.new("RGB", (columns * cell, rows * high), PAPER)
    draw, drawn = ImageDraw.Draw(sheet), to_pil(picture)
    for number, (pair, colour, caption) in enumerate(zip(pairs, FRAMES, captions, strict=False)):
        left, top = number % columns * cell + GAP, number // columns * high
        for place, box in enumerate((pair.patch, pair.source)):
            x = left + place * (ZOOM + 4)
            sheet.paste(_crop(drawn, box), (x, top))
            draw.rectangle([x, top, x + ZOOM - 1, top + ZOOM - 1], outline=SHADOW, width=4)
            draw.rectangle([x, top, x + ZOOM - 1, top + ZOOM - 1], outline=colour, width=3)
        draw.text((left, top + ZOOM + 4), caption, fill=FAINT, font=font)
    return sheet


def _crop(drawn: PILImage.Image, box: Box) -> PILImage.Image:
    """Return a square of an image, enlarged."""
    right, bottom = min(box.left + box.side, drawn.width), min(box.top + box.side, drawn.height)
    edges = (max(0.0, box.left), max(0.0, box.top), right, bottom)
    return drawn.resize((ZOOM, ZOOM), PILImage.Resampling.BICUBIC, box=edges)
