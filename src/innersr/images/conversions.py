"""Conversions between `Image` and arrays, PIL images and tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image as PILImage
from torch import Tensor

from innersr.errors import InputError
from innersr.images.formats import DEPTHS
from innersr.images.image import Image
from innersr.isolation import plain_tensor

# The PIL modes that are upscaled in another one, which the result has, too.
MODES = {"1": "L", "P": "RGB", "PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "HSV": "RGB", "LAB": "RGB"}
MODES_WITH_KEY = {"1": "LA", "L": "LA", "P": "RGBA", "RGB": "RGBA"}  # one colour, or palette entry, is transparent
OPAQUE_MODES = {"LA": "L", "RGBA": "RGB"}
Restore = Callable[[Image], Any]


def image_from(x: object) -> tuple[Image, Restore]:
    """Convert `x` to an image; the function returned converts results back to x's type.

    Args:
        x: an `Image`, taken as it is; a PIL image; a (H, W) or (H, W, C) array of uint8, uint16 or floats, whose
            masked values are no data; or a floating (C, H, W) or (1, C, H, W) tensor. In arrays and tensors every
            channel is colour: split alpha off before.

    Raises:
        InputError: another type, dtype or shape.
    """
    if isinstance(x, Image):
        return x, lambda image: image
    if isinstance(x, PILImage.Image):
        return _from_pil(x)
    if isinstance(x, np.ndarray):
        return _from_array(x)
    if isinstance(x, Tensor):
        return _from_tensor(x)
    kinds = "a path, an innersr.Image, a PIL image, a NumPy array or a tensor"
    raise InputError(f"cannot upscale a {type(x).__name__}; give {kinds}")


def _from_array(x: np.ndarray[Any, Any]) -> tuple[Image, Restore]:
    if x.ndim in (2, 3) and 0 in x.shape:
        raise InputError(f"the image array of shape {x.shape} is empty; give at least one pixel")
    if x.ndim not in (2, 3):
        raise InputError(f"an image array is (H, W) or (H, W, C), got shape {x.shape}")
    if x.ndim == 3 and x.shape[0] in (1, 3, 4) and x.shape[2] > 4:  # noqa: PLR2004 (more bands than colours)
        raise InputError(
            f"an image array is (H, W, C), and {x.shape} looks like (C, H, W); give x.transpose(1, 2, 0), or a tensor "
            f"(C, H, W) if it does have {x.shape[0]} rows and {x.shape[2]} bands"
        )
    depth = "float32" if x.dtype.kind == "f" else x.dtype.name
    if depth not in DEPTHS:
        raise InputError(f"an image array is uint8, uint16 or floating, got {x.dtype}; convert it with x.astype(...)")
    white = DEPTHS[depth].white or 1
    data = np.ma.getdata(x)
    planes = np.ascontiguousarray(np.atleast_3d(data).transpose(2, 0, 1), dtype=np.float32) / np.float32(white)
    is_masked = isinstance(x, np.ma.MaskedArray)
    holes = np.atleast_3d(np.ma.getmaskarray(x)).transpose(2, 0, 1).copy() if is_masked else None

    def restore(result: Image) -> np.ndarray[Any, Any]:
        values = result.colour[0].permute(1, 2, 0).numpy()
        if depth != "float32":
            values = np.clip(np.floor(values * white + 0.5), 0, white)  # rounds halves as `save` does
        values = values.astype(x.dtype, order="C")
        if isinstance(x, np.ma.MaskedArray):
            mask = False if result.missing is None else result.missing[0].permute(1, 2, 0).numpy()
            values = np.ma.MaskedArray(values, mask, fill_value=x.fill_value)
        return values[..., 0] if x.ndim == 2 else values

    missing = None if holes is None else torch.from_numpy(holes)[None]
    return Image(colour=torch.from_numpy(planes)[None], depth=depth, missing=missing), restore


def _from_pil(x: PILImage.Image) -> tuple[Image, Restore]:
    if "transparency" in x.info and x.mode.startswith(("I", "F")):
        raise InputError(
            f"a PIL image of mode {x.mode} cannot become transparent where it has the value of its transparency; give "
            'its path, or delete x.info["transparency"] to upscale it as opaque'
        )
    modes = MODES | MODES_WITH_KEY if "transparency" in x.info else MODES
    mode = modes.get(x.mode, x.mode)
    values = np.asarray(x if x.mode == mode else x.convert(mode))
    image, restore = _from_array(values.astype(np.float32) if mode == "I" else values)
    if mode in OPAQUE_MODES:
        image = Image(colour=image.colour[:, :-1].contiguous(), alpha=image.colour[:, -1:].contiguous())

    def restore_pil(result: Image) -> PILImage.Image:
        kept = mode if result.alpha is not None else OPAQUE_MODES.get(mode, mode)
        if result.alpha is not None:
            result = Image(colour=torch.cat([result.colour, result.alpha], dim=1), depth=result.depth)
        values = restore(result)
        if mode == "I":
            values = np.rint(values).astype(np.int32)
        upscaled = PILImage.frombytes(kept, (values.shape[1], values.shape[0]), values.tobytes())
        upscaled.info.update({k: x.info[k] for k in ("icc_profile", "dpi", "exif") if k in x.info})
        return upscaled

    return image, restore_pil


def _from_tensor(x: Tensor) -> tuple[Image, Restore]:
    plain = plain_tensor(x)
    if not x.is_floating_point() or x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[0] != 1) or 0 in x.shape:
        raise InputError(
            f"an image tensor is floating and (C, H, W) or (1, C, H, W), got {x.dtype} {tuple(x.shape)}; "
            "upscale the images of a batch one by one"
        )
    colour = plain.cpu().float().reshape(1, *x.shape[-3:])

    def restore(result: Image) -> Tensor:
        upscaled = result.colour.to(x)
        return upscaled if x.ndim == 4 else upscaled[0]

    return Image(colour=colour, depth="float32"), restore
