"""The network that decides the share of each candidate's result in the result of a blind restoration."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from innersr.networks.layers import seeded_linear


class MixturePolicy(nn.Module):
    """Shares of interpolation and of the results of several candidate degradations, from features of the image.

    It is trained to maximise the expected gain over interpolation, where losses count more than gains; so a doubtful
    image keeps more of its interpolation.

    Args:
        features: of the image.
        candidates: degradations beside interpolation.
        hidden: features of the two hidden layers.
        generator: of the initial weights; None for shapes only, see `layers`.
    """

    def __init__(
        self, *, features: int = 83, candidates: int = 4, hidden: int = 64, generator: torch.Generator | None
    ) -> None:
        super().__init__()
        self.arguments = {"features": features, "candidates": candidates, "hidden": hidden}
        sizes = (features + 1, hidden, hidden)
        self.hidden = nn.ModuleList(seeded_linear(a, b, 2.0, generator) for a, b in zip(sizes, sizes[1:], strict=False))
        self.answer = seeded_linear(hidden, 1 + candidates, 0.1, generator)

    def forward(self, features: Tensor, scales: Tensor) -> Tensor:
        """Shares, (N, 1 + candidates) of sum 1, interpolation first, for features, (N, features), and (N,) scales."""
        x = torch.cat([features, scales.log2()[:, None]], dim=1) / 1.5
        for layer in self.hidden:
            x = F.leaky_relu(layer(x), 0.1)
        return self.answer(x).softmax(-1)
