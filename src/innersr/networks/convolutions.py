"""A chain of convolutions with leaky ReLU between them, as one node for autograd.

Nearly all time of Tailor goes here, and much of SinGAN's. On the CPU the activation is computed where the convolution
writes its result (oneDNN), and the weights are rounded to bf16 once; separate operations read and write all features
once more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

SLOPE = 0.1  # of leaky ReLU below 0: features that FiLM has shifted there would stay dead under a plain one
Layers = Sequence[tuple[Tensor, Tensor]]  # weight and bias of every convolution


def run_convolutions(layers: Layers, x: Tensor, *, padding: int = 1, slope: float = SLOPE) -> Tensor:
    """Apply the layers to (N, C, h, w), with leaky ReLU after all but the last; differentiable once.

    Under autocast they are computed in its dtype, and the result is of it; weights keep theirs.

    Args:
        layers: with kernels of any size.
        x: of as many channels as the first layer reads.
        padding: zeros beyond every border, at every layer.
        slope: of leaky ReLU below 0.
    """
    kind = x.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
    tensors = [tensor.to(dtype) for layer in layers for tensor in layer]
    x = x.to(dtype).contiguous(memory_format=torch.channels_last)
    with torch.autocast(kind, enabled=False):
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *tensors)):
            result: Tensor = _Convolutions.apply(x, padding, slope, *tensors)  # type: ignore[no-untyped-call]
            return result
        x = deque(_read_by_layers(tensors, x, padding, slope), maxlen=1).pop()  # what earlier layers read is let go
        return F.conv2d(x, tensors[-2], tensors[-1], padding=padding)


class _Convolutions(torch.autograd.Function):
    """The chain, which keeps what each layer reads: that also has the sign of what was activated before."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, padding: int, slope: float, *tensors: Tensor) -> Tensor:  # noqa: ANN401
        read = [*_read_by_layers(tensors, x, padding, slope)]
        ctx.padding, ctx.slope = padding, slope
        ctx.save_for_backward(*read, *tensors[::2])
        return F.conv2d(read[-1], tensors[-2], tensors[-1], padding=padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        count = len(ctx.saved_tensors) // 2
        read, weights = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        gradients: list[Tensor | None] = []
        for index in reversed(range(count)):
            bias_size, ones, around = [len(weights[index])], [1, 1], [ctx.padding] * 2
            needs_gradient = [index > 0 or ctx.needs_input_grad[0], *ctx.needs_input_grad[3 + 2 * index :][:2]]
            below, *of_layer = torch.ops.aten.convolution_backward(
                gradient, read[index], weights[index], bias_size, ones, around, ones, False, [0, 0], 1, needs_gradient
            )
            gradients = [*of_layer, *gradients]
            gradient = torch.ops.aten.leaky_relu_backward(below, read[index], ctx.slope, True) if index else below
        return gradient, None, None, *gradients


def _read_by_layers(tensors: Sequence[Tensor], x: Tensor, padding: int, slope: float) -> Iterator[Tensor]:
    """Yield what each layer reads, `x` first; `tensors` are weight and bias of each, the last layer's too."""
    yield x
    for weight, bias in zip(tensors[:-2:2], tensors[1:-2:2], strict=True):
        x = _activated(x, weight, bias, padding, slope)
        yield x


def _activated(x: Tensor, weight: Tensor, bias: Tensor, padding: int, slope: float) -> Tensor:
    """Convolution and leaky ReLU, in one pass over the features where oneDNN can."""
    if x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16) and torch.backends.mkldnn.is_available():
        ones, around = [1, 1], [padding, padding]
        fused: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, weight, bias, around, ones, ones, 1, "leaky_relu", [slope], ""
        )
        return fused
    return F.leaky_relu_(F.conv2d(x, weight, bias, padding=padding), slope)
