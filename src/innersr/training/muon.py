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
            same_shape: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    same_shape.setdefault(parameter.shape, []).append(parameter)
            for parameters in same_shape.values():
                self._update(parameters, group["lr"], group["momentum"])

    def _update(self, parameters: list[Tensor], lr: float, momentum: float) -> None:
        """Change parameters of one shape together: many small products take longer than one of a batch."""
        directions = []
        for parameter in parameters:
            gradient, state = parameter.grad, self.state[parameter]
            assert gradient is not None
            if not state:
                state["buffer"] = torch.zeros_like(parameter)
            state["buffer"].lerp_(gradient, 1 - momentum)
            directions.append(gradient.lerp(state["buffer"], momentum))
        rate = lr * math.sqrt(parameters[0].shape[0] / parameters[0][0].numel())
        updates = orthogonalised(torch.stack(directions), self._dtype)
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.add_(update, alpha=-rate)


def orthogonalised(x: Tensor, dtype: torch.dtype) -> Tensor:
    """(N, out, ...) as float32 with the singular values of each matrix (out, rest) brought to about 1.

    The largest singular value must not be above 1 for the iteration to converge; the Frobenius norm sees to it.
    """
    a, b, c = 3.4445, -4.7750, 2.0315  # Newton-Schulz: brings singular values to about 1 in 5 steps
    matrix = x.flatten(2).to(dtype)
    is_tall = matrix.shape[1] > matrix.shape[2]
    matrix = matrix.mT if is_tall else matrix  # the smaller Gram matrix
    matrix = matrix / (matrix.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = matrix @ matrix.mT
        matrix = torch.baddbmm(matrix, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), matrix, beta=a)
    return (matrix.mT if is_tall else matrix).float().reshape(x.shape)
