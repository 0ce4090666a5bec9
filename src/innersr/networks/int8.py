"""Weights in 8 bits: integers, and a scale for each output channel, the largest magnitude, which is 127.

Half the bytes of float16; on the packaged priors the difference is below 0.002 dB (`docs/experiments.md`).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

PEAKS = ".peaks"  # suffix of the tensor of the largest magnitudes
LEVELS = 127


def to_int8(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert tensors for a file.

    Floating ones of two dimensions and more become int8 of the same shape beside NAME.peaks, (output channels,)
    float16. Other floating ones, such as biases, become float16, and integers stay as they are.
    """
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.dim() > 1:
            peaks = tensor.flatten(1).abs().amax(1).to(torch.float16)
            steps = _along(peaks, tensor).clamp(min=torch.finfo(torch.float32).tiny) / LEVELS
            # Integers have no NaN; the peak, which is NaN as well, preserves it.
            levels = (tensor.float() / steps).nan_to_num().round().clamp(-LEVELS, LEVELS)
            stored |= {name: levels.to(torch.int8), name + PEAKS: peaks}
        else:
            stored[name] = tensor.to(torch.float16) if tensor.is_floating_point() else tensor
    return stored


def from_int8(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Undo `to_int8`: those of 8 bits become float32, all others stay; ValueError if peaks do not fit their tensor."""
    weights = {}
    for name, tensor in tensors.items():
        peaks = tensors.get(name + PEAKS)
        if peaks is not None:
            if tensor.dtype != torch.int8 or not peaks.is_floating_point() or peaks.shape != tensor.shape[:1]:
                raise ValueError(f"{name + PEAKS!r} does not fit {name!r}")
            weights[name] = tensor * (_along(peaks, tensor) / LEVELS)
        elif not (name.endswith(PEAKS) and name.removesuffix(PEAKS) in tensors):
            weights[name] = tensor
    return weights


def _along(peaks: Tensor, tensor: Tensor) -> Tensor:
    """Shape one number per output channel to multiply the tensor, in float32."""
    return peaks.float().view(-1, *[1] * (tensor.dim() - 1))
