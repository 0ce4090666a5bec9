"""The kinds of made pictures by name."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from innersr.benchmark.made.fields import draw_elevation, draw_fluorescence, draw_gradient
from innersr.benchmark.made.graphics import draw_checkerboard, draw_dithering, draw_lines, draw_sprites
from innersr.benchmark.made.lettering import draw_screenshot, draw_text
from innersr.errors import InputError

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray[Any, Any]]
KINDS: Mapping[str, Draw] = {
    "text": draw_text,
    "screenshot": draw_screenshot,
    "lines": draw_lines,
    "pixelart": draw_sprites,
    "dithering": draw_dithering,
    "checkerboard": draw_checkerboard,
    "fluorescence": draw_fluorescence,
    "elevation": draw_elevation,
    "gradient": draw_gradient,
}
"""Each draws (H, W) or (H, W, 3) uint8 of a size (H, W)."""


def made_picture(kind: str, number: int, size: tuple[int, int]) -> Tensor:
    """Draw one picture, (1, 1 or 3, H, W) in [0, 1] and 8 bits. Same kind, number and size, same picture.

    Args:
        kind: a key of KINDS.
        number: from 1; each is another picture.
        size: (H, W) in pixels, at least 16 each.

    Raises:
        InputError: an unknown kind, or a smaller size.
    """
    if kind not in KINDS:
        raise InputError(f"unknown kind of made pictures {kind!r}; there are {', '.join(KINDS)} and all")
    if min(size) < 16:
        raise InputError(f"made pictures have at least 16x16 pixels, got {size[1]}x{size[0]}")
    random = np.random.default_rng([zlib.crc32(f"innersr bench {kind}".encode()), number])
    levels = np.atleast_3d(KINDS[kind](random, size))
    return torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1)))[None].float() / 255
