"""JPEG and WebP compression of image tensors, and its strength."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from typing import TypeVar

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor

from innersr.errors import InputError

Level = TypeVar("Level", float, Tensor)
BLOCK = 8  # pixels a side, which are transformed together


def compressed(image: Tensor, quality: int) -> Tensor:
    """Compress an image, (1, 1 or 3, H, W) in [0, 1], as an 8-bit JPEG file of quality 1 to 100, and decode it.

    Raises:
        InputError: another number of channels.
    """
    if image.shape[1] not in (1, 3):
        raise InputError(f"a JPEG has one or three channels, got {image.shape[1]}; leave +jpeg out")
    return jpeg(image[0], quality, subsampling=0 if quality >= 90 else 2)[None]  # noqa: PLR2004 (as libvips saves)


def jpeg_strength(quality: float) -> float:
    """Strength in [0, 1] of JPEG compression of a quality from 1 to 100, by libjpeg's scale.

    Proportional to the root of the quantisation step: 0.16 at quality 95, 0.35 at 75, 0.5 at 50, 0.71 at 25. The error
    in photographs grows about as it does, see `compression_error`.
    """
    quantisation = 50 / quality if quality < 50 else 2 - quality / 50
    return strength_of_steps(quantisation)


def strength_of_steps(relative: float) -> float:
    """Strength in [0, 1], see `jpeg_strength`, of quantisation steps relative to those of quality 50."""
    worst = 4.0  # of strength 1: quality 12.5
    return min(1.0, math.sqrt(max(0.0, relative) / worst))


def jpeg_quality(strength: float) -> int:
    """Quality, 12 to 100, of the JPEG compression of a strength in [0, 1]; see `jpeg_strength`."""
    quantisation = 4 * strength**2
    return round(50 / quantisation if quantisation > 1 else 100 - 50 * quantisation)


def webp_strength(quality: float) -> float:
    """Strength in [0, 1] of lossy WebP compression of quality 0 to 100: that of the JPEG of about equal error."""
    return jpeg_strength(18.0 + 0.85 * quality)  # fitted to the RMS errors of both in photographs


def strongest_compression(
    before: Iterable[tuple[str, float]], after: Iterable[tuple[str, float]], scale: float
) -> float:
    """Strength in [0, 1] of the strongest of the compressions that an image went through; 0 without any.

    One before shrinking counts less, as its errors are averaged.

    Args:
        before, after: the files before and after shrinking, each ("jpeg" or "webp", quality); quality 0 for no file.
        scale: HR pixels per LR pixel.
    """
    kinds = {"jpeg": jpeg_strength, "webp": webp_strength}
    early, late = ([kinds[kind](quality) for kind, quality in files if quality > 0] for files in (before, after))
    return max([*late, *(strength / scale for strength in early)], default=0.0)


def compression_error(strength: Level) -> Level:
    """Standard deviation of the compression error in typical photographs, in [0, 1]; proportional to the strength."""
    return 12 / 255 * strength


def luma_steps(quality: int) -> Tensor:
    """Quantisation steps of luma at a quality from 1 to 100, (8, 8), in levels, as libjpeg scales the standard's."""
    standard = (
        (16, 11, 10, 16, 24, 40, 51, 61),
        (12, 12, 14, 19, 26, 58, 60, 55),
        (14, 13, 16, 24, 40, 57, 69, 56),
        (14, 17, 22, 29, 51, 87, 80, 62),
        (18, 22, 37, 56, 68, 109, 103, 77),
        (24, 35, 55, 64, 81, 104, 113, 92),
        (49, 64, 78, 87, 103, 121, 120, 101),
        (72, 92, 95, 98, 112, 100, 103, 99),
    )
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality  # noqa: PLR2004 (of the standard's table)
    return ((torch.tensor(standard) * percent + 50) // 100).clamp(1, 255).float()


def jpeg(image: Tensor, quality: int, *, subsampling: int = 2, offset: tuple[int, int] = (0, 0)) -> Tensor:
    """Compress one image as an 8-bit JPEG file and decode it, with a choice of subsampling and block grid.

    Args:
        image: (1 or 3, H, W) in [0, 1].
        quality: 1 to 100.
        subsampling: of the chroma: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0.
        offset: (row, column), 0 to 15, of the image's first pixel in the grid of blocks.
    """
    return _through_file(image, offset, "JPEG", quality=quality, subsampling=subsampling)


def webp(image: Tensor, quality: int, *, offset: tuple[int, int] = (0, 0)) -> Tensor:
    """Compress one image, (3, H, W) in [0, 1], as a lossy 8-bit WebP file and decode it; `offset` as for `jpeg`."""
    return _through_file(image, offset, "WEBP", quality=quality, method=0)


def _through_file(image: Tensor, offset: tuple[int, int], kind: str, **settings: int) -> Tensor:
    """Encode and decode (C, H, W); edges are replicated before the first pixel, so that blocks lie at the offset."""
    levels = (image * 255).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    padded = np.pad(levels, ((offset[0], 0), (offset[1], 0), (0, 0)), mode="edge")
    stream = io.BytesIO()
    PillowImage.fromarray(padded[..., 0] if padded.shape[-1] == 1 else padded).save(stream, kind, **settings)
    decoded = np.atleast_3d(np.asarray(PillowImage.open(stream)))[offset[0] :, offset[1] :]
    return torch.from_numpy(decoded.transpose(2, 0, 1).copy()).to(image) / 255
