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
from innersr.images.values.centring import check_held
from innersr.isolation import plain_tensor

# The PIL modes that are upscaled in another one, which the result has, too.
MODES = {"1": "L", "P": "RGB", "PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "HSV": "RGB", "LAB": "RGB"}
MODES_WITH_KEY = {"1": "LA", "L": "LA", "P": "RGBA", "RGB": "RGBA"}  # one colour, or palette entry, is transparent
OPAQUE_MODES = {"LA": "L", "RGBA": "RGB"}
Restore = Callable[[Image], Any]


def image_from(x: object) -> tuple[Image, Restore]:
    """Convert `x` to an image; the function returned converts results back to x's type.

    Args:
        x: an `Image`, taken as it is; a PIL image; a (H, W) or (H, W, C) array of real numbers, whose masked values are
            no data; or a floating (C, H, W) or (1, C, H, W) tensor. In arrays and tensors every channel is colour:
            split alpha off before.

    Raises:
        InputError: another type, dtype or shape, or values that 32-bit floats cannot hold.
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
    _check_shape(x.shape)
    if x.dtype == bool:
        image, restore_levels = _from_array(x * np.uint8(255))
        return image, lambda result: restore_levels(result) >= 128  # noqa: PLR2004 (half of white, rounded up)
    if x.dtype.kind not in "uif":
        raise InputError(f"an image array holds real numbers, got {x.dtype}; convert it with x.astype(...)")
    depth = x.dtype.name if x.dtype.name in DEPTHS else "float32"
    data, white = np.ma.getdata(x), DEPTHS[depth].white or 1
    if depth not in (x.dtype.name, "float16"):
        check_held(data)
    planes = np.ascontiguousarray(np.atleast_3d(data).transpose(2, 0, 1), dtype=np.float32) / np.float32(white)
    is_masked = isinstance(x, np.ma.MaskedArray)
    holes = np.atleast_3d(np.ma.getmaskarray(x)).transpose(2, 0, 1).copy() if is_masked else None

    def restore(result: Image) -> np.ndarray[Any, Any]:
        values = result.colour[0].permute(1, 2, 0).numpy()
        if x.dtype.kind != "f":
            ends = np.iinfo(x.dtype)
            values = np.clip(np.floor(values * white + 0.5), ends.min, ends.max)  # rounds halves as `save` does
        values = values.astype(x.dtype, order="C")
        if isinstance(x, np.ma.MaskedArray):
            mask = False if result.missing is None else result.missing[0].permute(1, 2, 0).numpy()
            values = np.ma.MaskedArray(values, mask, fill_value=x.fill_value)
        return values[..., 0] if x.ndim == 2 else values

    missing = None if holes is None else torch.from_numpy(holes)[None]
    return Image(colour=torch.from_numpy(planes)[None], depth=depth, missing=missing), restore


def _check_shape(shape: tuple[int, ...]) -> None:
    """Raise InputError unless an array of that shape is one picture, its bands last."""
    if len(shape) not in (2, 3) or 0 in shape:
        raise InputError(f"an image array is (H, W) or (H, W, C), got shape {shape}")
    if len(shape) == 2:  # noqa: PLR2004 (no bands)
        return
    first, second, last = shape
    is_planes = first in (1, 3, 4) and last > 4  # noqa: PLR2004 (more bands than colours)
    # Pages have about as many rows as columns, and a stack has fewer of them; spectra have bands of another number.
    are_pages = last > 16 and (first < min(second, last) and max(second, last) <= 2 * min(second, last))  # noqa: PLR2004
    if is_planes or are_pages or (last > 16 and first != second == last):  # noqa: PLR2004 (more than most cameras have)
        raise InputError(
            f"an image array is (H, W, C), and {shape} looks like (C, H, W) or a stack of pictures; give "
            "x.transpose(1, 2, 0) for bands, x[i] for a picture, or a tensor (C, H, W) if it does have "
            f"{first} rows and {last} bands"
        )


def _from_pil(x: PILImage.Image) -> tuple[Image, Restore]:
    if "transparency" in x.info and x.mode.startswith(("I", "F")):
        raise InputError(
            f"a PIL image of mode {x.mode} cannot become transparent where it has the value of its transparency; give "
            'its path, or delete x.info["transparency"] to upscale it as opaque'
        )
    modes = MODES | MODES_WITH_KEY if "transparency" in x.info else MODES
    mode = modes.get(x.mode, x.mode)
    values = np.asarray(x if x.mode == mode else x.convert(mode))
    image, restore = _from_array(values)
    if mode in OPAQUE_MODES:
        image = Image(colour=image.colour[:, :-1].contiguous(), alpha=image.colour[:, -1:].contiguous())

    def restore_pil(result: Image) -> PILImage.Image:
        kept = mode if result.alpha is not None else OPAQUE_MODES.get(mode, mode)
        if result.alpha is not None:
            result = Image(colour=torch.cat([result.colour, result.alpha], dim=1), depth=result.depth)
        values = restore(result)
        upscaled = PILImage.frombytes(kept, (values.shape[1], values.shape[0]), values.tobytes())
        upscaled.info.update({k: x.info[k] for k in ("icc_profile", "dpi", "exif") if k in x.info})
        return upscaled

    return image, restore_pil


def _from_tensor(x: Tensor) -> tuple[Image, Restore]:
    plain, wanted = plain_tensor(x), "an image tensor is floating and (C, H, W) or (1, C, H, W)"
    if x.ndim == 4 and x.shape[0] > 1:
        raise InputError(f"{wanted}, got {tuple(x.shape)}; upscale the images of a batch one by one")
    if x.ndim not in (3, 4) or 0 in x.shape:
        raise InputError(f"{wanted}, got {x.dtype} {tuple(x.shape)}; add the missing axes with x[None]")
    if not x.is_floating_point():
        remedy = "x.float() / 255" if x.dtype == torch.uint8 else "x.float()"
        raise InputError(f"{wanted}, got {x.dtype}; give {remedy}, or an array, which may hold whole numbers")
    if x.dtype == torch.float64:
        check_held(plain.cpu().numpy())
    colour = plain.cpu().float().reshape(1, *x.shape[-3:])

    def restore(result: Image) -> Tensor:
        upscaled = result.colour.to(x)
        return upscaled if x.ndim == 4 else upscaled[0]

    return Image(colour=colour, depth="float32"), restore
