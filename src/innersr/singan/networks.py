"""The networks of SinGAN: a stack of five convolutions, alone a critic, with the picture added a generator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from innersr.networks.convolutions import run_convolutions
from innersr.physics.resize import Window, cut
from innersr.singan.settings import DEPTH, PAD

SLOPE = 0.2  # of the activations below 0
DEVIATION = 0.02  # of normalised layers' initial weights
FoldedLayers = Sequence[tuple[Tensor, Tensor]]
"""Weight and bias of every convolution, the norms folded in."""


class ConvStack(nn.Module):
    """Five 3x3 convolutions without padding, leaky ReLU between them, each normalised or none.

    Given five widths instead of four, a 1x1 convolution follows, so that the field of view stays 11x11.

    Args:
        inputs, outputs: channels.
        widths: features of the hidden layers, four or five.
        norm: whether they are normalised by batch norm.
        generator: of the initial weights.
    """

    def __init__(
        self, inputs: int, outputs: int, widths: Sequence[int], *, norm: bool, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.widths, self.norm = tuple(widths), norm
        convolutions = [
            _convolution(*layer, norm=norm, generator=generator) for layer in _layers(inputs, outputs, widths)
        ]
        norms = [_norm(width, generator) for width in widths] if norm else []
        # The same modules twice: lists with types, and what torch knows of.
        self.convolutions, self.norms = convolutions, norms
        self._convolutions, self._norms = nn.ModuleList(convolutions), nn.ModuleList(norms)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H + 10, W + 10) to (N, outputs, H, W); without norms differentiable once."""
        if not self.norms:
            return run_convolutions([*map(_weight_and_bias, self.convolutions)], x, padding=0, slope=SLOPE)
        for index, convolution in enumerate(self.convolutions[:-1]):
            x = self.norms[index](convolution(x))
            x = F.leaky_relu(x, SLOPE, inplace=True)
        return self.convolutions[-1](x)

    def folded(self) -> FoldedLayers:
        """The layers as they are in evaluation, the norms in their weights, without gradients."""
        layers: list[tuple[Tensor, Tensor]] = []
        for index, convolution in enumerate(self.convolutions):
            weight, bias = (tensor.detach() for tensor in _weight_and_bias(convolution))
            if index < len(self.norms):
                norm = self.norms[index]
                assert norm.running_mean is not None
                assert norm.running_var is not None
                gain = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
                weight = weight * gain[:, None, None, None]
                bias = (bias - norm.running_mean) * gain + norm.bias.detach()
            layers.append((weight.contiguous(memory_format=torch.channels_last), bias))
        return layers


def layer_shapes(channels: int, widths: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Shapes of the folded layers of a generator: of "0.weight", "0.bias" and so on."""
    shapes: dict[str, tuple[int, ...]] = {}
    for number, (inputs, outputs, side) in enumerate(_layers(channels, channels, widths)):
        shapes |= {f"{number}.weight": (outputs, inputs, side, side), f"{number}.bias": (outputs,)}
    return shapes


def add_residual(stack: ConvStack, x: Tensor, coarse: Tensor) -> Tensor:
    """Apply a generator: the coarse picture plus the predicted residual (Shaham 2019, eq. 5).

    Args:
        stack: the generator.
        x: (N, C, H + 10, W + 10), the padded picture with its noise.
        coarse: (N, C, H, W), the picture.
    """
    return coarse + torch.tanh(stack(x).float())


def run_layers(layers: FoldedLayers, x: Tensor, coarse: Tensor) -> Tensor:
    """Apply a folded generator, see `add_residual`; computed in the dtype of its weights."""
    made = run_convolutions(layers, x.to(layers[0][0].dtype), padding=0, slope=SLOPE)
    return coarse + torch.tanh(made.float())


def padded(x: Tensor, wraps: tuple[bool, bool] = (False, False)) -> Tensor:
    """(N, C, H, W) with what a generator sees around it: mid-grey, or the other side where an axis wraps."""
    rows, columns = (PAD if joined else 0 for joined in wraps)
    around = cut(x, Window(-rows, -columns, x.shape[-2] + rows, x.shape[-1] + columns), wraps)
    return F.pad(around, (PAD - columns, PAD - columns, PAD - rows, PAD - rows))


def continued(x: Tensor, wraps: tuple[bool, bool] = (False, False)) -> Tensor:
    """(N, C, H, W) with the border as `resize` sees it: mirrored, or the other side where an axis wraps."""
    return cut(x, Window(-PAD, -PAD, x.shape[-2] + PAD, x.shape[-1] + PAD), wraps)


def _layers(inputs: int, outputs: int, widths: Sequence[int]) -> list[tuple[int, int, int]]:
    """Inputs, outputs and side of every convolution of a stack."""
    sides = [3] * DEPTH + [1] * (len(widths) - DEPTH + 1)
    return [(*pair, side) for pair, side in zip(pairwise([inputs, *widths, outputs]), sides, strict=True)]


def _convolution(inputs: int, outputs: int, side: int, *, norm: bool, generator: torch.Generator) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, side, device="meta")  # draws no initial weights of its own
    # Without norms the features have to keep their size by themselves (He 2015).
    deviation = DEVIATION if norm else math.sqrt(2 / (1 + SLOPE**2) / (side**2 * inputs))
    drawn = deviation * torch.randn(layer.weight.shape, generator=generator)
    layer.weight = nn.Parameter(drawn.contiguous(memory_format=torch.channels_last))
    layer.bias = nn.Parameter(torch.zeros(outputs))
    return layer


def _weight_and_bias(convolution: nn.Conv2d) -> tuple[Tensor, Tensor]:
    assert convolution.bias is not None
    return convolution.weight, convolution.bias


def _norm(width: int, generator: torch.Generator) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(width)
    layer.weight.data = 1 + DEVIATION * torch.randn(width, generator=generator)
    return layer
