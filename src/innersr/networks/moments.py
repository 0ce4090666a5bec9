"""Moments of optimizers in checkpoints.

They are named by parameter: "adam.3.exp_avg" is the first moment of Adam's fourth parameter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from innersr.adam import Adam


def moments_of(prefix: str, optimizer: torch.optim.Optimizer | Adam) -> dict[str, Tensor]:
    """The moments of every parameter; those of a parameter without a gradient so far are zero, the initial value.

    Args:
        prefix: "adam" or "muon", and the number of the optimizer if there are several: "adam.1".
    """
    return {
        f"{prefix}.{index}.{name}": optimizer.state[parameter].get(name, zero) if parameter in optimizer.state else zero
        for index, parameter, name, zero in _zero_moments(prefix, optimizer)
    }


def check_moments(tensors: Mapping[str, Tensor], most: int) -> None:
    """Raise ValueError, with the name, if a moment among the tensors is impossible after at most `most` steps.

    Names, shapes, types and finite values are checked by `check_tensors`.
    """
    for name, tensor in tensors.items():
        if not name.startswith("adam.") or tensor.is_meta:
            continue
        kind = name.rpartition(".")[2]
        if kind == "step" and not (0 <= float(tensor) <= most and float(tensor).is_integer()):
            raise ValueError(f"{name!r} is {float(tensor):g}, not a number of steps from 0 to {most}")
        if kind == "exp_avg_sq" and bool((tensor < 0).any()):
            raise ValueError(f"{name!r}, a mean of squares, is negative")


def restore_moments(prefix: str, optimizer: torch.optim.Optimizer | Adam, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimizer its moments from these tensors; parameters without any start from zero."""
    for index, parameter, name, zero in _zero_moments(prefix, optimizer):
        tensor = tensors.get(f"{prefix}.{index}.{name}")
        if tensor is not None:
            # In the memory layout of the parameter: another one is rounded differently by vector instructions.
            optimizer.state.setdefault(parameter, {})[name] = zero.copy_(tensor)


def _zero_moments(prefix: str, optimizer: torch.optim.Optimizer | Adam) -> Iterator[tuple[int, Tensor, str, Tensor]]:
    """Index, parameter, name and first value of every moment."""
    is_adam = prefix.partition(".")[0] == "adam"
    if isinstance(optimizer, Adam):
        parameters, is_fused = optimizer.weights, True
    else:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        is_fused = bool(optimizer.defaults.get("fused"))
    for index, parameter in enumerate(parameters):
        if is_adam:  # the fused one counts its steps on the device
            device = parameter.device if is_fused else "cpu"
            yield index, parameter, "step", torch.zeros((), dtype=torch.float32, device=device)
        for name in ("exp_avg", "exp_avg_sq") if is_adam else ("buffer",):
            yield index, parameter, name, torch.zeros_like(parameter, requires_grad=False)
