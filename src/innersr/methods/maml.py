"""One step of stochastic gradient descent as a function: weights in, weights out.

The inner loop of meta-training (MAML, Finn 2017) and the update at test time (MZSR, Soh 2020, sec. 3.3) are this
same function. A network's own weights are never changed.
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

Weights: TypeAlias = Mapping[str, Tensor]
"""Every parameter of a network by its name."""


class Pairs(NamedTuple):
    """Sons and the fathers that a network shall make of them."""

    seen: Tensor
    """(N, C, h, w) or (N, C, H, W): the sons, or the interpolated ones, whichever the network sees"""
    base: Tensor
    """(N, C, H, W): the interpolated sons, which the network's detail is added to"""
    fathers: Tensor
    """(N, C, H, W)"""


def pairs_of(network: DetailStack, sons: Tensor, fathers: Tensor, degradation: Degradation) -> Pairs:
    """Return what the network sees of the sons, (N, C, h, w), that `degradation` made of fathers, (N, C, H, W)."""
    # Differs from the reference code: it interpolates on MATLAB's grid, half a pixel off for "direct" at x2.
    base = degradation.upsample(sons, (fathers.shape[-2], fathers.shape[-1]))
    return Pairs(sons if network.sees_lr else base, base, fathers)


def weights_of(network: DetailStack) -> Weights:
    """Return the weights as the network has them, gradients included."""
    return dict(network.named_parameters())


def with_weights(network: DetailStack, weights: Weights) -> DetailStack:
    """Return a copy of the network with these weights, on their device."""
    device = next(iter(weights.values())).device
    adapted = copy.deepcopy(network).to(device).requires_grad_(False)
    adapted.load_state_dict({name: weight.detach() for name, weight in weights.items()})
    return adapted


def loss_of(network: DetailStack, weights: Weights, pairs: Pairs, autocast: AbstractContextManager[object]) -> Tensor:
    """Return the mean absolute error of the fathers that the network makes with these weights; differentiable.

    Only the network's pass is cast.
    """
    with autocast:
        detail = functional_call(network, dict(weights), (pairs.seen,))
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
    """Return the weights after one step of plain gradient descent, and the loss before it.

    Args:
        network: whose layers are used, not its weights.
        weights: to begin with.
        pairs: to learn from.
        learning_rate: of the step.
        autocast: context of the network's pass.
        second_order: whether the new weights are a differentiable function of the old ones. If not, they know
            nothing of where they come from, and no memory is kept.
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
