"""The two networks of KernelGAN (Bell-Kligler 2019): what shrinks the image, what judges patches."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GENERATOR_SIDES = (7, 5, 3, 1, 1, 1)  # of the convolutions
KERNEL_SIDE = 1 + sum(side - 1 for side in GENERATOR_SIDES)  # 13: what they are together
STRIDE = 2
PATCH = 7  # pixels on a side that the discriminator judges at once
JUDGE_DEPTH = 5  # convolutions between its first and its last
GAIN = 0.1  # of the initial weights (Glorot 2010, normal)
NORM_DEVIATION = 0.02  # of the initial slopes of the normalisation, around 1
FIRST_ITERATIONS = 15  # of the power method; one a step afterwards


class DeepLinearGenerator(nn.Module):
    """Six convolutions without biases or activations, which together are one kernel at stride 2.

    One kernel could be learnt directly, but gradient descent finds it far better in this form.

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
        """Return the correlation that all layers are together, (13, 13). Differentiable.

        The layers are applied to it from the last to the first, on the transposed side: a thousandth of the work
        of sending a crop through them, for the same output and the same gradients.
        """
        kernel = self.weights[-1].new_ones(1, 1, 1, 1)
        for weight in reversed(self.weights):
            kernel = F.conv_transpose2d(kernel, weight)
        return kernel[0, 0]


class DiscriminatorWeights(NamedTuple):
    """Weights of a discriminator, each convolution's with a largest singular value of 1."""

    first: Tensor
    """(width, C, 7, 7)."""
    inner: Tensor
    """(5, width, width, 1, 1)."""
    last: Tensor
    """(1, width, 1, 1)."""


class PatchDiscriminator(nn.Module):
    """Tells for every 7x7 patch how much it looks like one of the image, between 0 and 1.

    A 7x7 convolution, then 1x1 convolutions, so that nothing larger than a patch is seen; every weight is divided by
    its largest singular value (Miyato 2018). Images are normalised one by one, as by batch normalisation in batches
    of one.

    Args:
        channels: of the images.
        width: features of the hidden layers.
        generator: of the initial weights.
    """

    def __init__(self, channels: int, *, width: int = 64, generator: torch.Generator) -> None:
        super().__init__()
        self.first = nn.Parameter(_drawn(width, channels, PATCH, generator))
        self.inner = nn.Parameter(torch.stack([_drawn(width, width, 1, generator) for _ in range(JUDGE_DEPTH)]))
        self.last = nn.Parameter(_drawn(1, width, 1, generator))
        self.first_bias, self.last_bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(1))
        self.inner_biases = nn.Parameter(torch.zeros(JUDGE_DEPTH, width))
        self.slopes = nn.Parameter(1 + NORM_DEVIATION * torch.randn(JUDGE_DEPTH, width, generator=generator))
        self.shifts = nn.Parameter(torch.zeros(JUDGE_DEPTH, width))
        self.register_buffer("_directions", torch.randn(JUDGE_DEPTH + 2, width, generator=generator))
        for _ in range(FIRST_ITERATIONS):
            self.spectrally_normalised_weights()

    def spectrally_normalised_weights(self) -> DiscriminatorWeights:
        """Return the weights to judge with, after one more iteration towards their largest singular values."""
        # Differs from the reference code: one iteration for a step of learning, not one for each pass in it.
        directions = self.get_buffer("_directions")
        return DiscriminatorWeights(
            first=_bounded(self.first[None], directions[:1])[0],
            inner=_bounded(self.inner, directions[1:-1]),
            last=_bounded(self.last[None], directions[-1:, :1])[0],
        )

    def forward(self, images: Tensor, judging: DiscriminatorWeights) -> Tensor:
        """Judge (N, C, H, W) images: (N, 1, H - 6, W - 6) in (0, 1)."""
        features = F.conv2d(images, judging.first, self.first_bias)
        for layer in zip(judging.inner, self.inner_biases, self.slopes, self.shifts, strict=True):
            weight, bias, slope, shift = layer
            features = F.instance_norm(F.conv2d(features, weight, bias), weight=slope, bias=shift).relu_()
        return F.conv2d(features, judging.last, self.last_bias).sigmoid()


def _drawn(outputs: int, inputs: int, side: int, generator: torch.Generator) -> Tensor:
    deviation = GAIN * math.sqrt(2 / ((inputs + outputs) * side**2))
    return deviation * torch.randn(outputs, inputs, side, side, generator=generator)


def _bounded(weights: Tensor, directions: Tensor) -> Tensor:
    """Return B weights divided by their largest singular values, by one iteration of the power method.

    Args:
        weights: (B, outputs, inputs, rows, columns).
        directions: (B, outputs), of the largest singular values; improved in place.
    """
    matrices = weights.flatten(2)
    with torch.no_grad():
        right = F.normalize(directions[:, None] @ matrices, dim=2).mT
        directions.copy_(F.normalize((matrices @ right)[..., 0], dim=1))
    # A copy, because the next iteration may come before the gradients do.
    largest = directions.clone()[:, None] @ matrices @ right
    return weights / largest[..., None, None]
