"""Layers with seeded weights, and layers folded for grey images.

Without a generator the weights of a layer have shapes only (torch's device "meta") and take no memory.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def seeded_convolution(  # noqa: PLR0913 (what a convolution is)
    inputs: int,
    outputs: int,
    variance: float,
    generator: torch.Generator | None,
    *,
    side: int = 3,
    stride: int = 1,
    bias: bool = True,
) -> nn.Conv2d:
    """Convolution with weights N(0, variance / (side^2 * inputs)), channels last, and biases of 0, if any."""
    # On the device "meta" torch draws no initial weights of its own, from the caller's global generator.
    layer = nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, bias=bias, device="meta")
    if generator is None:
        return layer
    weight = math.sqrt(variance / (side**2 * inputs)) * torch.randn(layer.weight.shape, generator=generator)
    layer.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last))  # twice as fast on CPUs
    if bias:
        layer.bias = nn.Parameter(torch.zeros(outputs))
    return layer


def seeded_linear(inputs: int, outputs: int, variance: float, generator: torch.Generator | None) -> nn.Linear:
    """Linear layer with weights N(0, variance / inputs), and biases of 0."""
    layer = nn.Linear(inputs, outputs, device="meta")
    if generator is None:
        return layer
    layer.weight = nn.Parameter(math.sqrt(variance / inputs) * torch.randn(layer.weight.shape, generator=generator))
    layer.bias = nn.Parameter(torch.zeros(outputs))
    return layer


def fold_inputs(weight: Tensor, channels: int) -> Tensor:
    """Fold weights, (O, channels * I, k, k), of equal channels into (O, I, k, k) for one of them."""
    return weight.unflatten(1, (channels, -1)).sum(1)


def fold_outputs(parameter: Tensor, channels: int) -> Tensor:
    """Fold weights or biases, (channels * O, ...), of several channels into (O, ...) of their mean."""
    return parameter.unflatten(0, (channels, -1)).mean(0)
