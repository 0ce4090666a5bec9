"""Correlation with a kernel over the symmetric or periodic extension of an image, and its exact transpose."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.isolation import unrounded
from innersr.physics import kernels
from innersr.physics.resize import extend

WHOLE = 1e-6  # a position this close to a whole pixel is on it


class Blur(NamedTuple):
    """B[j] = sum_k kernel[k] * x[j + k - anchor], with a whole anchor inside the kernel."""

    kernel: Tensor
    anchor: tuple[int, int]


def blur_from(kernel: Tensor, anchor: tuple[float, float], *, fold: bool) -> Blur:
    """The blur of a kernel whose anchor may be fractional or outside it.

    With `fold`, the anchor's fraction moves into the kernel; else it is dropped: the caller samples between the pixels.
    """
    whole = [whole_part(a) for a in anchor]
    if fold and not all(is_whole(a) for a in anchor):
        kernel = kernels.shifted(kernel, whole[0] - anchor[0], whole[1] - anchor[1])
        whole = [w + 2 for w in whole]
    before = [max(0, -w) for w in whole]
    after = [max(0, w + 1 - k) for w, k in zip(whole, kernel.shape, strict=True)]
    padded = F.pad(kernel, (before[1], after[1], before[0], after[0]))
    return Blur(padded, (whole[0] + before[0], whole[1] + before[1]))


@unrounded
def apply_blur(
    x: Tensor,
    blur: Blur,
    size: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    margin: int = 0,
    wrap: tuple[bool, bool] = (False, False),
) -> Tensor:
    """Blur (N, C, H, W) and keep every stride-th pixel from (-margin, -margin) on: (N, C, *size).

    Along an axis that wraps, (vertical, horizontal), the image continues on its opposite side; else it is reflected.
    """
    for axis in (-2, -1):
        length = strides[axis] * (size[axis] - 1) + blur.kernel.shape[axis]
        x = _extended(x, axis, blur.anchor[axis] + margin, length, wrap[axis])
    channels = x.shape[-3]
    weight = blur.kernel.to(x).expand(channels, 1, *blur.kernel.shape)
    return F.conv2d(x, weight, stride=strides, groups=channels)


@unrounded
def apply_blur_adjoint(
    y: Tensor,
    blur: Blur,
    size: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    margin: int = 0,
    wrap: tuple[bool, bool] = (False, False),
) -> Tensor:
    """Apply the transpose of `apply_blur` with the same strides, margin and wrap; `size` is that of its input."""
    x = _strided_transpose(y, blur.kernel.to(y), strides)
    for axis in (-2, -1):
        x = _folded(x, axis, blur.anchor[axis] + margin, size[axis], wrap[axis])
    return x


def is_whole(value: float) -> bool:
    """Whether a position is that of a pixel."""
    return abs(value - round(value)) < WHOLE


def whole_part(value: float) -> int:
    """The pixel at or before a position."""
    return round(value) if is_whole(value) else math.floor(value)


def _extended(x: Tensor, axis: int, before: int, length: int, wrap: bool) -> Tensor:
    """`length` samples of the extension of `axis`, from `before` in front of its first."""
    taps = torch.arange(-before, length - before, device=x.device)
    return x.index_select(axis, extend(taps, x.shape[axis], wrap))


def _strided_transpose(y: Tensor, kernel: Tensor, strides: tuple[int, int]) -> Tensor:
    """conv_transpose2d of every plane with the kernel, six times as fast on CPUs.

    Pixels at the same place within their stride see every stride-th tap: one small correlation per place, interleaved.
    """
    rows, columns = (-(-k // s) for k, s in zip(kernel.shape, strides, strict=True))
    padded = F.pad(kernel, (0, columns * strides[1] - kernel.shape[1], 0, rows * strides[0] - kernel.shape[0]))
    taps = padded.reshape(rows, strides[0], columns, strides[1]).permute(1, 3, 0, 2).flip(-1, -2)
    planes = y.reshape(-1, 1, *y.shape[-2:])
    parts = F.conv2d(planes, taps.reshape(-1, 1, rows, columns), padding=(rows - 1, columns - 1))
    height, width = parts.shape[-2:]
    cells = parts.reshape(-1, *strides, height, width).permute(0, 3, 1, 4, 2)
    result = cells.reshape(*y.shape[:-2], height * strides[0], width * strides[1])
    used = [s * (n - 1) + k for s, n, k in zip(strides, y.shape[-2:], kernel.shape, strict=True)]
    return result[..., : used[0], : used[1]]


def _folded(y: Tensor, axis: int, before: int, length: int, wrap: bool) -> Tensor:
    """Apply the transpose of `_extended`: add every copy back onto the `length` samples."""
    y = y.movedim(axis, -1)
    copies_before = math.ceil(before / length)
    copies = copies_before + math.ceil((y.shape[-1] - before) / length)
    front = copies_before * length - before
    chunks = F.pad(y, (front, copies * length - front - y.shape[-1])).unflatten(-1, (copies, length))
    if wrap:
        return chunks.sum(-2).movedim(-1, axis)
    straight = chunks[..., copies_before % 2 :: 2, :].sum(-2)
    mirrored = chunks[..., (copies_before + 1) % 2 :: 2, :].sum(-2).flip(-1)
    return (straight + mirrored).movedim(-1, axis)
