"""Correlation with a kernel over the symmetric extension of an image, and its exact transpose."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr import kernels
from innersr.resize import reflect

WHOLE = 1e-6  # a position this close to a whole pixel is on it


class Blur(NamedTuple):
    """B[j] = sum_k kernel[k] * x[j + k - anchor], with a whole anchor inside the kernel."""

    kernel: Tensor
    anchor: tuple[int, int]


def blur_from(kernel: Tensor, anchor: tuple[float, float], *, fold: bool) -> Blur:
    """Return the blur of a kernel whose anchor may be a fraction or lie outside it.

    With `fold`, the fraction of the anchor moves into the kernel; else it is dropped, for the caller to sample
    between the pixels.
    """
    whole = [whole_part(a) for a in anchor]
    if fold and not all(is_whole(a) for a in anchor):
        kernel = kernels.shifted(kernel, whole[0] - anchor[0], whole[1] - anchor[1])
        whole = [w + 2 for w in whole]
    before = [max(0, -w) for w in whole]
    after = [max(0, w + 1 - k) for w, k in zip(whole, kernel.shape, strict=True)]
    padded = F.pad(kernel, (before[1], after[1], before[0], after[0]))
    return Blur(padded, (whole[0] + before[0], whole[1] + before[1]))


def apply_blur(
    x: Tensor, blur: Blur, size: tuple[int, int], strides: tuple[int, int] = (1, 1), margin: int = 0
) -> Tensor:
    """Blur (N, C, H, W) and keep every stride-th pixel.

    Args:
        x: floating dtype.
        blur: the kernel and where it is held.
        size: (rows, columns) of the result.
        strides: between the pixels kept, from pixel (-margin, -margin) on.
        margin: pixels in front of the image that the result begins with.
    """
    for axis in (-2, -1):
        length = strides[axis] * (size[axis] - 1) + blur.kernel.shape[axis]
        x = _extended(x, axis, blur.anchor[axis] + margin, length)
    channels = x.shape[-3]
    weight = blur.kernel.to(x).expand(channels, 1, *blur.kernel.shape)
    return F.conv2d(x, weight, stride=strides, groups=channels)


def apply_blur_adjoint(
    y: Tensor, blur: Blur, size: tuple[int, int], strides: tuple[int, int] = (1, 1), margin: int = 0
) -> Tensor:
    """Apply the transpose of `apply_blur` with the same strides and margin; `size` is that of its input."""
    channels = y.shape[-3]
    weight = blur.kernel.to(y).expand(channels, 1, *blur.kernel.shape)
    x = F.conv_transpose2d(y, weight, stride=strides, groups=channels)
    for axis in (-2, -1):
        x = _folded(x, axis, blur.anchor[axis] + margin, size[axis])
    return x


def is_whole(value: float) -> bool:
    """Tell whether a position is that of a pixel."""
    return abs(value - round(value)) < WHOLE


def whole_part(value: float) -> int:
    """Return the pixel at or before a position."""
    return round(value) if is_whole(value) else math.floor(value)


def _extended(x: Tensor, axis: int, before: int, length: int) -> Tensor:
    """Return `length` samples of the symmetric extension of `axis`, from `before` in front of its first."""
    taps = torch.arange(-before, length - before, device=x.device)
    return x.index_select(axis, reflect(taps, x.shape[axis]))


def _folded(y: Tensor, axis: int, before: int, length: int) -> Tensor:
    """Apply the transpose of `_extended`: add every reflected copy back onto the `length` samples."""
    y = y.movedim(axis, -1)
    copies_before = math.ceil(before / length)
    copies = copies_before + math.ceil((y.shape[-1] - before) / length)
    front = copies_before * length - before
    chunks = F.pad(y, (front, copies * length - front - y.shape[-1])).unflatten(-1, (copies, length))
    straight = chunks[..., copies_before % 2 :: 2, :].sum(-2)
    mirrored = chunks[..., (copies_before + 1) % 2 :: 2, :].sum(-2).flip(-1)
    return (straight + mirrored).movedim(-1, axis)
