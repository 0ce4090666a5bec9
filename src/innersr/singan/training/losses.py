"""The losses of SinGAN's training; that of reconstruction is the mean squared error."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.singan.networks import ConvStack
from innersr.singan.training.critic_gradient import input_gradient


def critic_gap(critic: ConvStack, real: Tensor, fake: Tensor) -> Tensor:
    """The critic's estimate of the Wasserstein distance, which it maximises: its mean score of real less fake."""
    if critic.norms:  # they would take both for one picture
        return critic(real).float().mean() - critic(fake).float().mean()
    scores = critic(torch.cat([real, fake])).float().mean(dim=(1, 2, 3))
    return scores[0] - scores[1]


def adversarial_loss(critic: ConvStack, fake: Tensor) -> Tensor:
    """The generator's loss: the negative mean score of a fake (Arjovsky 2017)."""
    return -critic(fake).float().mean()


def gradient_penalty(critic: ConvStack, real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """Mean squared distance of the critic's slope from 1 between real and fake (Gulrajani 2017, eq. 3).

    The slope is the length of the gradient at every pixel, over its channels, of the sum of the score map: each
    patch is to be judged with slope 1, wherever it lies and however large the picture is.

    Args:
        critic: from (1, C, H, W) to a map of scores.
        real, fake: (1, C, H, W).
        share: (), in [0, 1], how much of `real` there is.
    """
    return (input_gradient(critic, fake.lerp(real, share)).float().norm(dim=1) - 1).square().mean()


def statistics_distance(fake: Tensor, real: Tensor, projections: Tensor) -> Tensor:
    """Sliced Wasserstein-1 distance of the patches of two pictures of one size (Elnekave 2022, eq. 2).

    Args:
        fake: (1, C, H, W), with gradients.
        real: (1, C, H, W).
        projections: (P, C, side, side) of unit length.
    """
    fake_values, real_values = (_projected(picture, projections) for picture in (fake, real))
    if fake_values.device.type == "cpu":  # where numpy sorts several times as fast
        order = torch.from_numpy(np.argsort(fake_values.detach().numpy(), axis=1))
        ranked = torch.from_numpy(np.sort(real_values.detach().numpy(), axis=1))
    else:
        order, ranked = fake_values.detach().argsort(dim=1), real_values.sort(dim=1).values
    return (fake_values.gather(1, order) - ranked).abs().mean()


def _projected(picture: Tensor, projections: Tensor) -> Tensor:
    """Projections of a picture's patches, (P, n); a large picture is sampled with a stride."""
    patches = 4096  # about; bounds the cost of sorting
    stride = max(1, round(math.sqrt(math.prod(picture.shape[-2:]) / patches)))
    return F.conv2d(picture, projections, stride=stride).flatten(2)[0]
