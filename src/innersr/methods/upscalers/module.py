"""Upscalers as torch modules, which have a state and pickle. Knows no method."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from innersr.run import Run


class UpscalerModule(nn.Module):
    """An upscaler, (N, C, H, W) in [0, 1] -> (N, C, sH, sW) in [0, 1], with the networks that were learnt for it.

    Args:
        run: device, precision, tiles, progress; pickles leave its callbacks out.
        networks: that were learnt; none where there is nothing to learn, or of an upscaler made of others.
    """

    def __init__(self, run: Run, networks: Sequence[nn.Module] = ()) -> None:
        super().__init__()
        self.run = run
        self.networks = nn.ModuleList(networks)
        self.prior = ""
        self.notes: tuple[str, ...] = ()

    def learnt_from(self, prior: str, notes: tuple[str, ...] = ()) -> Self:
        """This upscaler, with name or path of the prior that its networks were learnt from, and notes on learning."""
        self.prior, self.notes = prior, notes
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "run": replace(self.run, report=None, cancelled=None)}


class FunctionUpscaler(UpscalerModule):
    """An upscaler that a method from elsewhere gave as a plain function."""

    def __init__(self, run: Run, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__(run)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function to images, (N, C, h, w)."""
        return self.function(x)


def as_module(upscaler: Callable[[Tensor], Tensor], run: Run) -> UpscalerModule:
    """An upscaler as a module: itself if it is one."""
    return upscaler if isinstance(upscaler, UpscalerModule) else FunctionUpscaler(run, upscaler)


def parts_of(upscaler: UpscalerModule) -> Iterator[UpscalerModule]:
    """Yield an upscaler and all its parts, in the order in which they were learnt."""
    yield from (module for module in upscaler.modules() if isinstance(module, UpscalerModule))


def with_run(upscaler: UpscalerModule, run: Run) -> UpscalerModule:
    """A copy of an upscaler for another run, on its device; weights already on that device are shared."""
    tensors = [*upscaler.parameters(), *upscaler.buffers()]
    device = torch.empty(0, device=run.torch_device).device  # with its index
    shared = {id(tensor): tensor for tensor in tensors if tensor.device == device}
    renewed = copy.deepcopy(upscaler, shared).to(device)
    for part in parts_of(renewed):
        part.run = run
    return renewed
