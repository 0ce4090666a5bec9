"""Networks that more than one method uses."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

LAST_VARIANCE = 0.1


class ResidualStack(nn.Module):
    """3x3 convolutions with ReLU between them, whose output is added to the input.

    The network of ZSSR (Shocher 2018, sec. 3.2) and MZSR: it works at HR resolution on the interpolated image.
    Zero padding; no bias, as in ZSSR.

    Args:
        channels: of the image.
        width: features of each hidden layer.
        depth: number of convolutions, at least 2.
        initial_variance: hidden weights start as N(0, initial_variance / (9 * inputs)): 2 keeps the size of the
            features from layer to layer (He 2015), the paper's code has 0.1. The last layer always has 0.1,
            so that the network starts near the identity.
        generator: of the initial weights.
    """

    def __init__(
        self,
        channels: int,
        *,
        width: int = 64,
        depth: int = 8,
        initial_variance: float = 2.0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.channels = channels
        features = [channels, *[width] * (depth - 1), channels]
        # skip_init, because torch's own start weights would be drawn from the caller's global generator.
        layers = [
            nn.utils.skip_init(nn.Conv2d, inputs, outputs, 3, padding=1, bias=False)
            for inputs, outputs in pairwise(features)
        ]
        for layer in layers:
            variance = LAST_VARIANCE if layer is layers[-1] else initial_variance
            deviation = math.sqrt(variance / (9 * layer.in_channels))
            drawn = deviation * torch.randn(layer.weight.shape, generator=generator)
            layer.weight.data = drawn.contiguous(memory_format=torch.channels_last)  # twice as fast on CPUs
        self.convolutions = nn.ModuleList(layers)

    @property
    def radius(self) -> int:
        """How many pixels away an input pixel still matters."""
        return len(self.convolutions)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        features = x
        for convolution in self.convolutions[:-1]:
            features = torch.relu_(convolution(features))
        return x + self.convolutions[-1](features)
