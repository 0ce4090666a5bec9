"""Seeded layers."""

from __future__ import annotations

import math

import torch
from torch import nn


def drawn_convolution(  # noqa: PLR0913 (what a convolution is)
    inputs: int, outputs: int, variance: float, generator: torch.Generator, *, side: int = 3, stride: int = 1
) -> nn.Conv2d:
    """Return a convolution with weights N(0, variance / inputs of a pixel), channels last, and biases of 0."""
    layer = nn.utils.skip_init(nn.Conv2d, inputs, outputs, side, stride=stride, padding=side // 2)
    drawn = math.sqrt(variance / (side**2 * inputs)) * torch.randn(layer.weight.shape, generator=generator)
    layer.weight.data = drawn.contiguous(memory_format=torch.channels_last)
    nn.init.zeros_(layer.bias)
    return layer


def drawn_linear(inputs: int, outputs: int, variance: float, generator: torch.Generator) -> nn.Linear:
    """Return a linear layer with weights N(0, variance / inputs), and biases of 0."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    layer.weight.data = math.sqrt(variance / inputs) * torch.randn(layer.weight.shape, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
