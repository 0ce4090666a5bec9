"""8-bit rounding and BT.601 luma."""

from __future__ import annotations

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import is_finite, require_dense

PEAK = 255.0  # of 8-bit grey levels


def luma(x: Tensor) -> Tensor:
    """Luma as the field compares it: (N, 1, H, W), whole grey levels 0..255 in float64.

    Colour: Y of ITU-R BT.601 in studio range, as MATLAB's rgb2ycbcr makes it of uint8. The image is rounded
    to 8 bits, Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255 is between 16 and 235, and rounded too.
    Grey: the grey values themselves, 0..255, as the field has it.

    Raises:
        InputError: x has neither 1 nor 3 channels.
    """
    levels = to_grey_levels(x)
    if levels.shape[1] == 1:
        return levels
    if levels.shape[1] != 3:
        raise InputError(f"luma needs 1 or 3 channels, got {levels.shape[1]}; choose channels with x[:, [i, j, k]]")
    weights = torch.tensor([65481, 128553, 24966], dtype=levels.dtype).view(1, 3, 1, 1)
    # Whole numbers until the division: halves come out exact and round up on every machine.
    return ((levels * weights).sum(dim=1, keepdim=True) / 255_000 + 16.5).floor()


def linear_luma(x: Tensor) -> Tensor:
    """BT.601 luma of RGB, (N, 1, H, W) in the range of `x`: neither rounded nor clipped, for errors too."""
    return (x * x.new_tensor((65.481 / 219, 128.553 / 219, 24.966 / 219))[:, None, None]).sum(1, keepdim=True)


def quantized(x: Tensor) -> Tensor:
    """Round an image in [0, 1] to 8 bits: multiples of 1/255 in float32, halves to even."""
    return ((x * 255).round() / 255).float()


def to_grey_levels(x: Tensor) -> Tensor:
    """Round `x` to whole grey levels 0..255, halves up as MATLAB does, in float64 on the CPU."""
    check_image(x)
    return (as_float64(x) * PEAK + 0.5).floor().clamp(0, PEAK)


def check_image(x: Tensor) -> None:
    """Raise `InputError` unless `x` is a dense batch of images in floating point without NaN."""
    require_dense(x)
    if x.ndim != 4 or x.numel() == 0:
        raise InputError(f"an image must be (N, C, H, W) and not empty, got shape {shape_text(x)}")
    if not x.is_floating_point():
        raise InputError(f"an image must be floating point in [0, 1], got {x.dtype}; divide 8-bit values by 255")
    if not is_finite(x):
        raise InputError("an image holds NaN or infinite values; measure results that converged")


def as_float64(x: Tensor) -> Tensor:
    """A tensor's values in float64 on the CPU, without gradient."""
    return x.detach().cpu().double()  # first the CPU: MPS devices have no float64


def shape_text(x: Tensor) -> str:
    """The shape of a tensor, such as "1x3x20x30"."""
    return "x".join(str(n) for n in x.shape)
