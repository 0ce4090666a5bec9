"""Colours of images as screens show them, in sRGB. Knows nothing about files."""

from __future__ import annotations

import numpy as np
import pyvips
import torch
from torch import Tensor

from innersr.libvips import libvips_alone


def profile_of(icc: bytes | None, bands: int, *, is_rgb: bool | None) -> bytes | None:
    """The profile of an image of so many bands, if it says what the grey or RGB values look like; else None."""
    space = {b"GRAY": 1, b"RGB ": 3}.get((icc or b"")[16:20])
    fits = space == bands or (space == 3 and bands > 3 and bool(is_rgb))  # noqa: PLR2004 (RGB)
    return icc if fits else None


def white_of(colour: Tensor, depth: str) -> float:
    """The value of (1, C, H, W) that is shown as white.

    It is 1, or, of floats that are far brighter or darker, a value above nearly all others.
    """
    if depth != "float32":
        return 1.0
    brightest = colour[0, :3].nan_to_num(0, 0, 0).amax(dim=0).flatten()
    step = max(1, brightest.numel() >> 20)  # a million values tell
    high = float(brightest[::step].quantile(0.99))
    return high if high > 1 or 0 < high < 0.25 else 1.0  # noqa: PLR2004 (darker than any well exposed picture)


@libvips_alone()
def in_srgb(colour: Tensor, icc: bytes, white: float) -> Tensor:
    """Colours, (1, C, H, W), of a space that a profile describes, `white` in it being 1, as sRGB, (1, 3, H, W).

    Values outside [0, 1] are clipped. If the profile is damaged, values are left as they are.
    """
    values = (colour[:, :3] if colour.shape[1] >= 3 else colour[:, :1]) / white  # noqa: PLR2004 (RGB)
    levels = (values[0] * 65535).round().clamp(0, 65535).permute(1, 2, 0).cpu().numpy().astype(np.uint16)
    image = pyvips.Image.new_from_array(levels).copy(interpretation="grey16" if levels.shape[2] == 1 else "rgb16")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
    try:
        shown = image.icc_transform("srgb", embedded=True, depth=16).numpy()
    except pyvips.Error:
        return values
    return torch.from_numpy(shown.astype(np.float32) / 65535).permute(2, 0, 1)[None]
