"""Small untrained networks."""

import torch

from innersr.networks.tailored_stack import TailoredStack


def generator(seed=5):
    return torch.Generator().manual_seed(seed)


def network(channels=3, **shape):
    """An untrained network that listens to its conditions, and whose output is as large as its input."""
    stack = TailoredStack(channels, width=8, depth=4, hidden=6, **shape, generator=generator()).requires_grad_(False)
    for name, parameter in stack.named_parameters():
        if name.endswith("bias") or name == "film.weight":
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator(1)))
        if name.startswith("tails"):
            parameter.mul_(10)
    return stack
