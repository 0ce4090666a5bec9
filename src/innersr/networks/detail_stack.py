"""The plain convolutional network of ZSSR, MZSR and the supervised baseline."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from innersr.networks.layers import fold_inputs, fold_outputs, seeded_convolution


class DetailStack(nn.Module):
    """3x3 convolutions with ReLU between them; predicts the detail that interpolation lacks.

    With factors (1, 1) it is the network of ZSSR (Shocher 2018, sec. 3.2) and MZSR, which sees the image
    interpolated to HR resolution. With whole factors above 1 it sees the LR image itself, and its last layer
    makes vertical * horizontal HR pixels of every LR pixel (sub-pixel convolution, Shi 2016): four times
    cheaper at x2, with twice the receptive field in HR pixels. Zero padding. ZSSR has no biases, MZSR has.

    Args:
        channels: of the image.
        factors: (vertical, horizontal) HR pixels per pixel of the input.
        width: features of each hidden layer.
        depth: number of convolutions, at least 2.
        initial_variance: hidden weights are drawn from N(0, initial_variance / (9 * inputs)): 2 keeps the size of
            the features from layer to layer (He 2015). The last layer always has 0.1, for little initial detail.
        bias: whether the convolutions have biases, initially 0.
        generator: of the initial weights; None for shapes only, see `layers`.
    """

    def __init__(
        self,
        channels: int,
        *,
        factors: tuple[int, int] = (1, 1),
        width: int = 64,
        depth: int = 8,
        initial_variance: float = 2.0,
        bias: bool = False,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.channels, self.factors, self.width = channels, factors, width
        self.arguments = {"channels": channels, "factors": factors, "width": width, "depth": depth, "bias": bias}
        features = [channels, *[width] * (depth - 1), channels * factors[0] * factors[1]]
        # Differs from the paper, whose code has 0.1 for every layer: training takes half as many steps.
        variances = [*[initial_variance] * (depth - 1), 0.1]
        self.convolutions = nn.ModuleList(
            seeded_convolution(inputs, outputs, variance, generator, bias=bias)
            for (inputs, outputs), variance in zip(pairwise(features), variances, strict=True)
        )

    @property
    def sees_lr(self) -> bool:
        """Whether the input is the LR image, not the interpolated one."""
        return self.factors != (1, 1)

    @property
    def radius(self) -> int:
        """Radius of the receptive field in input pixels."""
        return len(self.convolutions)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the detail, (N, C, vertical * H, horizontal * W)."""
        features = x.contiguous(memory_format=torch.channels_last)
        for convolution in self.convolutions[:-1]:
            features = torch.relu_(convolution(features))
        return _spread(self.convolutions[-1](features), self.factors)

    def grey(self) -> DetailStack:
        """Fold into a network of one channel, which gives the mean of this one's outputs for equal channels.

        Exact, because this network is linear in the inputs of its first layer and the outputs of its last.
        """
        arguments: dict[str, Any] = {**self.arguments, "channels": 1}
        folded = DetailStack(**arguments, generator=torch.Generator())
        last = f"convolutions.{len(self.convolutions) - 1}."
        state = self.state_dict()
        state["convolutions.0.weight"] = fold_inputs(state["convolutions.0.weight"], self.channels)
        state |= {k: fold_outputs(v, self.channels) for k, v in state.items() if k.startswith(last)}
        folded.load_state_dict(state)
        return folded.to(state[f"{last}weight"].device).requires_grad_(False)


def _spread(x: Tensor, factors: tuple[int, int]) -> Tensor:
    """Rearrange (N, C * v * h, H, W) into (N, C, v * H, h * W): torch's pixel_shuffle, for two factors."""
    if factors == (1, 1):
        return x
    count, _, height, width = x.shape
    cells = x.reshape(count, -1, *factors, height, width).permute(0, 1, 4, 2, 5, 3)
    return cells.reshape(count, -1, factors[0] * height, factors[1] * width)
