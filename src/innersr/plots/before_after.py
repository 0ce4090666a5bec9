"""A labelled picture of two results side by side, with zoomed crops where they differ."""

from __future__ import annotations

import math

import torch.nn.functional as F
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont
from torch import Tensor

from innersr.plots.sheets import to_pil

PANEL = 640  # pixels: wider images, and those of more than twice this height, are shown shrunk
CROP = 64  # pixels of the result in one zoomed crop
CROPS = 3
GAP = 8  # pixels between panels
LABEL = 26  # pixels for a line of text
PAPER, INK, FRAME = (250, 250, 250), (20, 20, 20), (230, 70, 30)


def comparison(before: Tensor, after: Tensor, labels: tuple[str, str]) -> PILImage.Image:
    """Draw two images of one size next to each other, and below each the crops that changed most, enlarged.

    Args:
        before: (1, C, H, W) in [0, 1]; the first band if there is one or two, else the first three.
        after: the same shape.
        labels: one line for each.
    """
    height, width = after.shape[-2:]
    corners = _busiest_corners(before, after)
    side = min(CROP, height, width)
    panel_width = min(PANEL, max(width, 320))
    ratio = min(panel_width / width, 2 * PANEL / height)
    shown = max(1, round(width * ratio)), max(1, round(height * ratio))
    zoom = (panel_width - GAP * (len(corners) - 1)) // len(corners)
    sheet = PILImage.new("RGB", (2 * panel_width + 3 * GAP, LABEL + shown[1] + zoom + 3 * GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, (image, label) in enumerate(zip((before, after), labels, strict=True)):
        x = GAP + column * (panel_width + GAP)
        draw.text((x, GAP), label, fill=INK, font=ImageFont.load_default(LABEL * 0.6))
        picture = to_pil(image)
        sheet.paste(picture.resize(shown, PILImage.Resampling.LANCZOS), (x, LABEL + GAP))
        for place, (top, left) in enumerate(corners):
            crop = picture.crop((left, top, left + side, top + side))
            crop = crop.resize((zoom, zoom), PILImage.Resampling.NEAREST)
            sheet.paste(crop, (x + place * (zoom + GAP), LABEL + shown[1] + 2 * GAP))
            box = [x + left * ratio, LABEL + GAP + top * ratio]
            draw.rectangle([*box, box[0] + side * ratio, box[1] + side * ratio], outline=FRAME)
    return sheet


def _busiest_corners(before: Tensor, after: Tensor) -> list[tuple[int, int]]:
    """Return the (top, left) of non-overlapping crops with the largest mean difference."""
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
