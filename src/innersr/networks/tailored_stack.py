"""The network of Tailor: a prior that is told what happened to the image, and folds into a plain network.

It works on the LR grid (sub-pixel convolution, Shi 2016) and sees the LR image beside the solution that the known
operator has by itself (`inverse`); its output is what that solution lacks. A kernel changes it through FiLM (Perez
2018): scale and shift of every hidden feature, computed from the kernel's Fourier transform. For one kernel they
are constants, and go into the convolutions' own weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from innersr.networks.layers import drawn_convolution, drawn_linear

SCALES = (2, 3, 4)
FREQUENCIES = 8  # per cycle per LR pixel, that the kernel's transform is sampled at
CONDITIONING_SIZE = 2 * FREQUENCIES * 2 * (FREQUENCIES + 1) + len(SCALES) + 2
Layers = Sequence[tuple[Tensor, Tensor]]  # weight and bias of every convolution
SLOPE = 0.1  # of the activation below 0
IDLE_NOISE = 0.003  # standard deviation of the weights of a layer that passes on what it sees
LAST_VARIANCE = 0.01  # of the last layer's weights to begin with: the solution itself, nearly


def conditioning_vector(taps: Tensor, scale: int, noise: Tensor) -> Tensor:
    """Return what the network is told about a degradation.

    Args:
        taps: (N, T, T) effective kernels around the sampled HR pixel, see `inverse.taps_of`.
        scale: HR pixels per LR pixel.
        noise: (N,) standard deviation of the LR image's noise.

    Returns:
        (N, CONDITIONING_SIZE): the kernel's transform up to one cycle per LR pixel, which scale, the noise.
    """
    half = FREQUENCIES
    rows = torch.arange(-half, half, device=taps.device) / half
    columns = torch.arange(half + 1, device=taps.device) / half
    displacement = (torch.arange(taps.shape[-1], device=taps.device) - taps.shape[-1] // 2) / scale
    waves = [torch.exp(-2j * math.pi * f[:, None] * displacement[None]) for f in (rows, columns)]
    transform = (waves[0] @ taps.to(waves[0].dtype) @ waves[1].mT).flatten(1)
    chosen = torch.tensor([float(scale == s) for s in SCALES], device=taps.device).expand(len(taps), -1)
    loudness = torch.stack([20 * noise, (20 * noise).sqrt()], dim=1)
    return torch.cat([transform.real, transform.imag, chosen, loudness], dim=1).to(taps.dtype)


class TailoredStack(nn.Module):
    """Convolutions with leaky ReLU and FiLM between them; first and last are each scale's own.

    Args:
        channels: of the image.
        width: features of each hidden layer.
        depth: number of convolutions, at least 3.
        hidden: features of the network that turns conditions into scales and shifts.
        generator: of the initial weights.
    """

    def __init__(
        self, channels: int = 3, *, width: int = 64, depth: int = 8, hidden: int = 96, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.channels, self.width, self.depth = channels, width, depth
        self.arguments = {"channels": channels, "width": width, "depth": depth, "hidden": hidden}
        cells = {str(s): channels * s * s for s in SCALES}
        self.heads = nn.ModuleDict(
            {s: drawn_convolution(channels + n, width, 2.0, generator) for s, n in cells.items()}
        )
        self.body = nn.ModuleList(drawn_convolution(width, width, 2.0, generator) for _ in range(depth - 2))
        self.tails = nn.ModuleDict({s: drawn_convolution(width, n, LAST_VARIANCE, generator) for s, n in cells.items()})
        self.told = drawn_linear(CONDITIONING_SIZE, hidden, 1.0, generator)
        self.film = drawn_linear(hidden, 2 * width * (depth - 1), 0.0, generator)

    def forward(self, seen: Tensor, scale: int, conditions: Tensor) -> Tensor:
        """Return what the solution lacks.

        Args:
            seen: (N, C + C * s * s, h, w): the LR image and the solution's cells.
            scale: one of SCALES.
            conditions: (N, CONDITIONING_SIZE), see `conditioning_vector`.

        Returns:
            (N, C * s * s, h, w), cells too.
        """
        features = seen.contiguous(memory_format=torch.channels_last)
        layers = [self.heads[str(scale)], *self.body]
        for layer, (gain, shift) in zip(layers, self._modulation(conditions), strict=True):
            features = _activated(layer(features) * gain[..., None, None] + shift[..., None, None])
        return self.tails[str(scale)](features)

    def folded(self, scale: int, conditions: Tensor, channels: int | None = None) -> Layers:
        """Return the layers for one degradation, FiLM in their weights.

        Args:
            scale: one of SCALES.
            conditions: (1, CONDITIONING_SIZE), see `conditioning_vector`.
            channels: 1 for the layers that see a grey image once and give the mean of what the network makes of it
                in every colour; the network's own when None.
        """
        layers: list[Any] = [self.heads[str(scale)], *self.body]
        modulated = zip(layers, self._modulation(conditions), strict=True)
        folded = [
            (layer.weight * gain[0, :, None, None, None], layer.bias * gain[0] + shift[0])
            for layer, (gain, shift) in modulated
        ]
        last: Any = self.tails[str(scale)]
        if channels in (None, self.channels):
            return [*folded, (last.weight, last.bias)]
        (first, bias), cells = folded[0], scale**2
        image, solution = first.split([self.channels, self.channels * cells], dim=1)
        seen = [image.sum(1, keepdim=True), solution.unflatten(1, (self.channels, cells)).sum(1)]
        given = (last.weight.unflatten(0, (self.channels, cells)).mean(0), last.bias.reshape(-1, cells).mean(0))
        return [(torch.cat(seen, dim=1), bias), *folded[1:], given]

    def _modulation(self, conditions: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return gain and shift, (N, width) each, of every hidden layer."""
        film = self.film(torch.relu(self.told(conditions))).reshape(len(conditions), self.depth - 1, 2, self.width)
        return [(1 + f[:, 0], f[:, 1]) for f in film.unbind(1)]


@torch.no_grad()
def insert_identity_layers(network: TailoredStack, depth: int, generator: torch.Generator) -> TailoredStack:
    """Return a deeper network that does nearly the same, to learn on from: some layers come after each hidden one.

    The new layers pass on what they see, but for faint noise; only what is below 0 gets less.

    Args:
        network: at most as deep.
        depth: of the new one.
        generator: of the noise.
    """
    deep = TailoredStack(**{**network.arguments, "depth": depth}, generator=generator)
    old, count = len(network.body), depth - network.depth
    followers = [round((i + 1) * old / count) - 1 for i in range(count)]  # the layer that each new one comes after
    kept = [i + sum(f < i for f in followers) for i in range(old)]  # where the old ones lie among all
    layers: list[Any] = list(deep.body)
    for layer in layers:
        layer.weight.copy_(IDLE_NOISE * torch.randn(layer.weight.shape, generator=generator))
        layer.weight[:, :, 1, 1] += torch.eye(network.width)
    for index, own in zip(kept, network.body, strict=True):
        layers[index].load_state_dict(own.state_dict())
    for part in ("heads", "tails", "told"):
        getattr(deep, part).load_state_dict(getattr(network, part).state_dict())
    rows = (2, network.width)
    weight, bias = (getattr(deep.film, name).zero_().unflatten(0, (-1, *rows)) for name in ("weight", "bias"))
    places = [0, *(1 + i for i in kept)]  # FiLM begins with the first layer of all, the head
    weight[places] = network.film.weight.unflatten(0, (-1, *rows))
    bias[places] = network.film.bias.unflatten(0, (-1, *rows))
    return deep


def forward_folded(layers: Layers, seen: Tensor) -> Tensor:
    """Map (N, C + C * s * s, h, w) to (N, C * s * s, h, w) as the network does that was folded into these layers."""
    features = seen.contiguous(memory_format=torch.channels_last)
    for weight, bias in layers[:-1]:
        features = _activated(F.conv2d(features, weight, bias, padding=1))
    return F.conv2d(features, *layers[-1], padding=1)


def _activated(x: Tensor) -> Tensor:
    """Return x where it is positive, and a little of it elsewhere: a ReLU that FiLM has shifted below 0 stays dead."""
    return F.leaky_relu_(x, SLOPE)
