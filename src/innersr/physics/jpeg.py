"""JPEG compression of image tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyvips
import torch
from torch import Tensor

from innersr.errors import InputError


def compressed(image: Tensor, quality: int) -> Tensor:
    """Compress an image, (1, 1 or 3, H, W) in [0, 1], as an 8-bit JPEG file of quality 1 to 100, and decode it.

    Raises:
        InputError: another number of channels.
    """
    if image.shape[1] not in (1, 3):
        raise InputError(f"a JPEG has one or three channels, got {image.shape[1]}; leave +jpeg out")
    levels = (image[0] * 255).round().byte().permute(1, 2, 0).cpu().contiguous().numpy()
    file = pyvips.Image.new_from_array(levels).jpegsave_buffer(Q=quality)
    pixels: np.ndarray[Any, Any] = pyvips.Image.new_from_buffer(file, "").numpy()
    planes = np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1))
    return torch.from_numpy(planes)[None].to(image) / 255
