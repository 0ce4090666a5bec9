"""The generator and the discriminator of KernelGAN (Bell-Kligler 2019)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GENERATOR_SIDES = (7, 5, 3, 1, 1, 1)  # of the convolutions
KERNEL_SIDE = 1 + sum(side - 1 for side in GENERATOR_SIDES)  # 13, of the kernel that they compose
STRIDE = 2
INNER_LAYERS = 5  # of the discriminator, between its first and its last convolution


class DeepLinearGenerator(nn.Module):
    """Six convolutions without biases or activations: together one kernel at stride 2.

    The kernel could be trained directly, but gradient descent finds it far better in this form.

    Args:
        width: features of the hidden layers.
        generator: of the initial weights.
    """

    def __init__(self, *, width: int = 64, generator: torch.Generator) -> None:
        super().__init__()
        features = [1, *[width] * (len(GENERATOR_SIDES) - 1), 1]
        self.weights = nn.ParameterList(
            _drawn(outputs, inputs, side, generator)
            for (inputs, outputs), side in zip(pairwise(features), GENERATOR_SIDES, strict=True)
        )

    def kernel(self) -> Tensor:
        """Compose the kernel of all layers, (13, 13), for correlation. Differentiable.

        Transposed convolutions from the last layer to the first: a thousandth of the work of sending a crop through
        them, for the same output and the same gradients.
        """
        kernel = self.weights[-1].new_ones(1, 1, 1, 1)
        for weight in reversed(self.weights):
            kernel = F.conv_transpose2d(kernel, weight)
        return kernel[0, 0]


class DiscriminatorWeights(NamedTuple):
    """Weights of a discriminator, divided by their largest singular values."""

    first: Tensor  # (width, C, 7, 7)
    inner: Tensor  # (5, width, width, 1, 1)
    last: Tensor  # (1, width, 1, 1)


class PatchDiscriminator(nn.Module):
    """Patch discriminator: for every 7x7 patch, the probability that it comes from the image.

    A 7x7 convolution, then 1x1 convolutions, so that the receptive field is one patch, with spectral normalisation
    (Miyato 2018). Images are normalised one by one, as by batch normalisation in batches of one.

    Args:
        channels: of the images.
        width: features of the hidden layers.
        generator: of the initial weights.
    """

    def __init__(self, channels: int, *, width: int = 64, generator: torch.Generator) -> None:
        super().__init__()
        self.first = nn.Parameter(_drawn(width, channels, 7, generator))
        self.inner = nn.Parameter(torch.stack([_drawn(width, width, 1, generator) for _ in range(INNER_LAYERS)]))
        self.last = nn.Parameter(_drawn(1, width, 1, generator))
        self.first_bias, self.last_bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(1))
        self.inner_biases = nn.Parameter(torch.zeros(INNER_LAYERS, width))
        self.slopes = nn.Parameter(1 + 0.02 * torch.randn(INNER_LAYERS, width, generator=generator))
        self.shifts = nn.Parameter(torch.zeros(INNER_LAYERS, width))
        self.register_buffer("_directions", torch.randn(INNER_LAYERS + 2, width, generator=generator))
        for _ in range(15):
            self.spectrally_normalised_weights()

    def spectrally_normalised_weights(self) -> DiscriminatorWeights:
        """Improve the estimates of the largest singular values by one iteration, and divide the weights by them."""
        # Differs from the reference code: one iteration per training step, not one per pass.
        directions = self.get_buffer("_directions")
        return DiscriminatorWeights(
            first=_spectrally_normalised(self.first[None], directions[:1])[0],
            inner=_spectrally_normalised(self.inner, directions[1:-1]),
            last=_spectrally_normalised(self.last[None], directions[-1:, :1])[0],
        )

    def forward(self, images: Tensor, weights: DiscriminatorWeights) -> Tensor:
        """Map (N, C, H, W) images to probabilities, (N, 1, H - 6, W - 6)."""
        features = F.conv2d(images, weights.first, self.first_bias)
        layers = zip(weights.inner, self.inner_biases, self.slopes, self.shifts, strict=True)
        for weight, bias, slope, shift in layers:
            features = F.instance_norm(F.conv2d(features, weight, bias), weight=slope, bias=shift).relu_()
        return F.conv2d(features, weights.last, self.last_bias).sigmoid()


def _drawn(outputs: int, inputs: int, side: int, generator: torch.Generator) -> Tensor:
    """Draw weights as Glorot 2010, with a gain of 0.1."""
    deviation = 0.1 * math.sqrt(2 / ((inputs + outputs) * side**2))
    return deviation * torch.randn(outputs, inputs, side, side, generator=generator)


def _spectrally_normalised(weights: Tensor, directions: Tensor) -> Tensor:
    """Divide B weights by their largest singular values, with one iteration of the power method.

    Args:
        weights: (B, outputs, inputs, rows, columns).
        directions: (B, outputs), singular vectors of the largest singular values; improved in place.
    """
    matrices = weights.flatten(2)
    with torch.no_grad():
        right = F.normalize(directions[:, None] @ matrices, dim=2).mT
        directions.copy_(F.normalize((matrices @ right)[..., 0], dim=1))
    # A copy, because the next iteration may come before the gradients do.
    largest = directions.clone()[:, None] @ matrices @ right
    return weights / largest[..., None, None]
