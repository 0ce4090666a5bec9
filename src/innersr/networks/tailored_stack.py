"""The network of Tailor, conditioned on the degradation; for a given one it folds into a plain network.

It works on the LR grid (sub-pixel convolution, Shi 2016). It sees the LR image and the regularised pseudo-inverse
(`physics.pseudoinverse`), and predicts the detail that this solution lacks. The kernel acts through FiLM (Perez 2018):
scale and shift of every hidden feature, computed from its Fourier transform. For one kernel they are constants, which
are folded into the convolutions' weights.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from innersr.networks.convolutions import SLOPE, Layers, run_convolutions
from innersr.networks.layers import fold_inputs, fold_outputs, seeded_convolution, seeded_linear

SCALES = (2, 3, 4)
FREQUENCIES = 8  # samples of the kernel's transform per cycle per LR pixel
CONDITIONING_SIZE = 2 * FREQUENCIES * 2 * (FREQUENCIES + 1) + len(SCALES) + 2
COMPRESSION_SIZE = 2  # further entries of the vector, of the compression
MAX_TRAINED_NOISE = 50 / 255  # standard deviation that the packaged priors have learnt


def conditioning_vector(taps: Tensor, scale: int, noise: Tensor, compression: Tensor | None = None) -> Tensor:
    """Compute the conditioning vector of each degradation.

    Args:
        taps: (N, T, T) effective kernels around the sampled HR pixel, see `pseudoinverse.taps_of`.
        scale: HR pixels per LR pixel.
        noise: (N,) standard deviation of the LR image's noise.
        compression: (N,) strength in [0, 1], see `jpeg.jpeg_strength`; None leaves its entries out.

    Returns:
        (N, CONDITIONING_SIZE): the kernel's transform up to one cycle per LR pixel, the scale, the noise; with a
        compression COMPRESSION_SIZE further entries, 0 where there is none.
    """
    half = FREQUENCIES
    rows = torch.arange(-half, half, device=taps.device) / half
    columns = torch.arange(half + 1, device=taps.device) / half
    displacement = (torch.arange(taps.shape[-1], device=taps.device) - taps.shape[-1] // 2) / scale
    waves = [torch.exp(-2j * math.pi * f[:, None] * displacement[None]) for f in (rows, columns)]
    transform = (waves[0] @ taps.to(waves[0].dtype) @ waves[1].mT).flatten(1)
    chosen = torch.tensor([float(scale == s) for s in SCALES], device=taps.device).expand(len(taps), -1)
    levels = torch.stack([20 * noise, (20 * noise).sqrt()], dim=1)
    parts = [transform.real, transform.imag, chosen, levels]
    if compression is not None:
        parts.append(torch.stack([compression, compression.sqrt()], dim=1))
    return torch.cat(parts, dim=1).to(taps.dtype)


class TailoredStack(nn.Module):
    """Convolutions with leaky ReLU and FiLM between them; each scale has its own first and last.

    Args:
        channels: of the image.
        width: features of each hidden layer.
        depth: number of convolutions, at least 3.
        hidden: features of the network that computes scales and shifts.
        compression: whether it is conditioned on the strength of compression.
        generator: of the initial weights; None for shapes only, see `layers`.
    """

    def __init__(  # noqa: PLR0913 (the shape of a network)
        self,
        channels: int = 3,
        *,
        width: int = 64,
        depth: int = 8,
        hidden: int = 96,
        compression: bool = False,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.channels, self.width, self.depth, self.knows_compression = channels, width, depth, compression
        self.arguments: dict[str, Any] = {
            "channels": channels,
            "width": width,
            "depth": depth,
            "hidden": hidden,
            "compression": compression,
        }
        cells = {str(s): channels * s * s for s in SCALES}
        self.heads = nn.ModuleDict(
            {s: seeded_convolution(channels + n, width, 2.0, generator) for s, n in cells.items()}
        )
        self.body = nn.ModuleList(seeded_convolution(width, width, 2.0, generator) for _ in range(depth - 2))
        self.tails = nn.ModuleDict({s: seeded_convolution(width, n, 0.01, generator) for s, n in cells.items()})
        known = CONDITIONING_SIZE + COMPRESSION_SIZE * compression
        self.told = seeded_linear(known, hidden, 1.0, generator)  # its name in checkpoints
        self.film = seeded_linear(hidden, 2 * width * (depth - 1), 0.0, generator)

    def forward(self, inputs: Tensor, scale: int, vector: Tensor) -> Tensor:
        """Predict the detail that the solution lacks.

        Args:
            inputs: (N * M, C + C * s * s, h, w): LR images and their solutions' cells, M successive ones of each
                degradation.
            scale: s, one of SCALES.
            vector: (N, CONDITIONING_SIZE), or with the entries of compression, see `conditioning_vector`.

        Returns:
            (N * M, C * s * s, h, w), cells too.
        """
        if len(vector) < len(inputs):  # folding pays for as few as four images
            return self._folded_forward(inputs, scale, vector)
        features = inputs.contiguous(memory_format=torch.channels_last)
        layers = [self.heads[str(scale)], *self.body]
        for layer, (gain, shift) in zip(layers, self.modulation(vector), strict=True):
            features = modulate(layer(features), gain, shift)
        return self.tails[str(scale)](features)

    def folded(self, scale: int, vector: Tensor, channels: int | None = None) -> Layers:
        """Fold FiLM into the weights, for one conditioning vector, (1, CONDITIONING_SIZE) or longer.

        With 1 channel the channels are folded too: the layers see a grey image once, and give the mean of the
        network's outputs for it.
        """
        layers: list[Any] = [self.heads[str(scale)], *self.body]
        folded = [
            (layer.weight * gain[0, :, None, None, None], layer.bias * gain[0] + shift[0])
            for layer, (gain, shift) in zip(layers, self.modulation(vector), strict=True)
        ]
        last: Any = self.tails[str(scale)]
        if channels in (None, self.channels):
            return [*folded, (last.weight, last.bias)]
        first, bias = folded[0]
        inputs = first.split([self.channels, self.channels * scale**2], dim=1)  # of the image, of the solution
        grey = torch.cat([fold_inputs(weight, self.channels) for weight in inputs], dim=1)
        outputs = fold_outputs(last.weight, self.channels), fold_outputs(last.bias, self.channels)
        return [(grey, bias), *folded[1:], outputs]

    def _folded_forward(self, inputs: Tensor, scale: int, vector: Tensor) -> Tensor:
        parts = inputs.split(len(inputs) // len(vector))
        with torch.autocast(inputs.device.type, enabled=False):
            layers = [self.folded(scale, each[None]) for each in vector]
        return torch.cat([run_convolutions(*each) for each in zip(layers, parts, strict=True)])

    def modulation(self, vector: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Compute gain and shift, (N, width) each, of every hidden layer; a missing compression is none."""
        known = self.told.in_features
        vector = F.pad(vector[:, :known], (0, max(0, known - vector.shape[1])))
        film = self.film(torch.relu(self.told(vector))).reshape(len(vector), self.depth - 1, 2, self.width)
        return [(1 + f[:, 0], f[:, 1]) for f in film.unbind(1)]


class _Modulate(torch.autograd.Function):
    """Gain, shift and leaky ReLU as one node: fewer passes over the features, forward and backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:  # noqa: ANN401
        gain, shift = (part.to(x.dtype)[..., None, None] for part in (gain, shift))
        activated = F.leaky_relu_(torch.addcmul(shift, x, gain), SLOPE)
        ctx.save_for_backward(x, activated, gain)
        return activated

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ANN401
        x, activated, gain = ctx.saved_tensors
        # The activated value has the sign of what was activated.
        gradient = torch.ops.aten.leaky_relu_backward(gradient, activated, SLOPE, True)
        flat, values = (t.permute(0, 2, 3, 1).flatten(1, 2) for t in (gradient, x))
        ones = flat.new_ones(len(flat), 1, flat.shape[1])  # a product sums up in float32, and fast
        return gradient * gain, (ones @ (flat * values))[:, 0].float(), (ones @ flat)[:, 0].float()


def modulate(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """Compute leaky_relu(gain * x + shift), differentiable once; x (N, C, h, w), gain and shift (N, C) float32."""
    result: Tensor = _Modulate.apply(x, gain, shift)  # type: ignore[no-untyped-call]
    return result
