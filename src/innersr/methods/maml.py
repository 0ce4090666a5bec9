"""One step of stochastic gradient descent as a function: weights in, weights out.

Used by the inner loop of meta-training (MAML, Finn 2017) and by the update at test time (MZSR, Soh 2020, sec. 3.3).
A network's own weights are never changed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.func import functional_call

from innersr.networks.detail_stack import DetailStack
from innersr.physics.degradation import Degradation
from innersr.physics.resize import image_size

Weights: TypeAlias = Mapping[str, Tensor]
"""Every parameter of a network by its name."""


class Pairs(NamedTuple):
    """Training pairs of sons and fathers."""

    inputs: Tensor
    """(N, C, h, w) or (N, C, H, W): input of the network, the sons or the interpolated sons"""
    base: Tensor
    """(N, C, H, W): interpolated sons, to which the network's detail is added"""
    fathers: Tensor
    """(N, C, H, W)"""


def pairs_of(network: DetailStack, sons: Tensor, fathers: Tensor, degradation: Degradation) -> Pairs:
    """Training pairs of sons, (N, C, h, w), that `degradation` made of fathers, (N, C, H, W)."""
    # Differs from the reference code: it interpolates on MATLAB's grid, half a pixel off for "direct" at x2.
    base = degradation.upsample(sons, image_size(fathers))
    return Pairs(sons if network.sees_lr else base, base, fathers)


def weights_of(network: DetailStack) -> Weights:
    """Present weights of the network, differentiable."""
    return dict(network.named_parameters())


def with_weights(network: DetailStack, weights: Weights) -> DetailStack:
    """A copy of the network with these weights, on their device."""
    device = next(iter(weights.values())).device
    adapted = copy.deepcopy(network).to(device).requires_grad_(False)
    adapted.load_state_dict({name: weight.detach() for name, weight in weights.items()})
    return adapted


def loss_of(network: DetailStack, weights: Weights, pairs: Pairs, autocast: AbstractContextManager[object]) -> Tensor:
    """Mean absolute error of the fathers restored with these weights; autocast applies to the network alone."""
    with autocast:
        detail = functional_call(network, dict(weights), (pairs.inputs,))
    height, width = pairs.base.shape[-2:]
    return (pairs.base + detail.to(pairs.base.dtype)[..., :height, :width] - pairs.fathers).abs().mean()


@torch.enable_grad()
def sgd_step(
    network: DetailStack,
    weights: Weights,
    pairs: Pairs,
    learning_rate: float,
    autocast: AbstractContextManager[object],
    *,
    second_order: bool = False,
) -> tuple[Weights, Tensor]:
    """The weights after one step of plain gradient descent, and the loss before it.

    In second order the new weights are a differentiable function of the old ones; otherwise no graph is kept.
    """
    if not second_order:
        weights = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
    loss = loss_of(network, weights, pairs, autocast)
    gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=second_order)
    stepped = {
        name: (weight if second_order else weight.detach()) - learning_rate * gradient
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
    }
    return stepped, loss.detach()
