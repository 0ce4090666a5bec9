"""Adam for learning that takes seconds: constructing torch.optim.Adam imports PyTorch's compiler, which takes one."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.adam import adam


class Adam:
    """Adam (Kingma 2015) with one learning rate for all weights; it computes what `torch.optim.Adam` does.

    Args:
        weights: changed in place; a step skips those without a gradient.
        learning_rate: of the next steps; may be set at any time.
        betas: decay of the first and the second moment per step.
    """

    def __init__(
        self, weights: Iterable[nn.Parameter | Tensor], learning_rate: float, betas: tuple[float, float] = (0.9, 0.999)
    ) -> None:
        self.weights = [*weights]
        self.learning_rate = learning_rate
        self.betas = betas
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        """Moments by weight; a weight without an entry starts from zero."""

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Change the weights by their gradients."""
        changed = [weight for weight in self.weights if weight.grad is not None]
        for weight in changed:
            if weight not in self.state:
                self.state[weight] = _moments_of(weight)
        moments = [self.state[weight] for weight in changed]
        adam(
            changed,
            [weight.grad for weight in changed if weight.grad is not None],
            [each["exp_avg"] for each in moments],
            [each["exp_avg_sq"] for each in moments],
            [],
            [each["step"] for each in moments],
            fused=True,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=self.learning_rate,
            weight_decay=0,
            eps=1e-8,
            maximize=False,
        )


def _moments_of(weight: Tensor) -> dict[str, Tensor]:
    """Moments before the first step, in the memory layout of the weight."""
    return {
        "step": torch.zeros((), dtype=torch.float32, device=weight.device),
        "exp_avg": torch.zeros_like(weight, memory_format=torch.preserve_format),
        "exp_avg_sq": torch.zeros_like(weight, memory_format=torch.preserve_format),
    }
