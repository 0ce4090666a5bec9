"""What SinGAN's networks are to make small."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """Return how far the critic's slope is from 1 between real and fake (Gulrajani 2017, eq. 3).

    The slope is the length of the gradient at every pixel, over its channels, of the sum of the score map: each
    patch is to be judged with slope 1, wherever it lies and however large the picture is.

    Args:
        critic: from (1, C, H, W) to a map of scores.
        real, fake: (1, C, H, W).
        share: (), in [0, 1], how much of `real` there is.
    """
    between = fake.lerp(real, share).requires_grad_(True)
    (slopes,) = torch.autograd.grad(critic(between).float().sum(), between, create_graph=True)
    return (slopes.float().norm(dim=1) - 1).square().mean()
