"""Muon for convolutions; torch.optim.Muon accepts matrices only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are made orthogonal, for the weights of hidden convolutions (Jordan 2024).

    A weight is the matrix (out, in * 9). All directions of its update are equally long, so that rare ones are
    learned as fast as common ones; the length of the gradient does not matter.

    Args:
        parameters: of two axes at least, in any of torch's forms for groups.
        lr: learning rate; a step changes a weight's matrix by lr * sqrt(out / (in * 9)) along every direction.
            Differs from Jordan's code, whose root is never below 1: here wide inputs change less.
        momentum: share of the old momentum that is kept.
        dtype: that the matrices are made orthogonal in; bfloat16 is enough where the device computes it.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict[str, object]],
        lr: float = 0.02,
        *,
        momentum: float = 0.95,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})
        self._dtype = dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Change the parameters that have gradients; a closure is not supported."""
        if closure is not None:
            raise TypeError("Muon takes no closure")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["buffer"] = torch.zeros_like(parameter)
                state["buffer"].lerp_(parameter.grad, 1 - group["momentum"])
                nesterov = parameter.grad.lerp(state["buffer"], group["momentum"])
                rate = group["lr"] * math.sqrt(parameter.shape[0] / parameter[0].numel())
                parameter.add_(orthogonalised(nesterov, self._dtype), alpha=-rate)


def orthogonalised(x: Tensor, dtype: torch.dtype) -> Tensor:
    """(out, ...) as float32 with the singular values of the matrix (out, rest) brought to about 1.

    The largest singular value must not be above 1 for the iteration to converge; the Frobenius norm sees to it.
    """
    a, b, c = 3.4445, -4.7750, 2.0315  # Newton-Schulz: brings singular values to about 1 in 5 steps
    matrix = x.flatten(1).to(dtype)
    is_tall = matrix.shape[0] > matrix.shape[1]
    matrix = matrix.mT if is_tall else matrix  # the smaller Gram matrix
    matrix = matrix / (matrix.norm() + 1e-7)
    for _ in range(5):
        gram = matrix @ matrix.mT
        matrix = a * matrix + (b * gram + c * gram @ gram) @ matrix
    return (matrix.mT if is_tall else matrix).float().reshape(x.shape)
