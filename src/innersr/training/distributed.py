"""Several processes that learn together. The only place that knows torch.distributed.

`torchrun` starts them and tells each its place in the environment (RANK, WORLD_SIZE, MASTER_ADDR, ...).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from innersr.errors import InputError

BACKENDS = {"cuda": "nccl", "cpu": "gloo"}


class Ranks(NamedTuple):
    """Which of how many processes this is."""

    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes, validates and reports."""
        return self.rank == 0

    def share(self, count: int) -> range:
        """Return which of `count` tasks are this process's."""
        return range(self.rank, count, self.world)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace float32 tensors by their sums over all processes, in one message."""
        if self.world == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(total.view(tensor.shape))


def ranks_of_environment() -> Ranks:
    """Return this process's place as torchrun has said it; alone without torchrun."""
    return Ranks(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def device_of_environment(device: str) -> str:
    """Return the device of this process: of several GPUs its own."""
    is_cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    return f"cuda:{os.environ['LOCAL_RANK']}" if is_cuda and "LOCAL_RANK" in os.environ else device


@contextlib.contextmanager
def joined(ranks: Ranks, device: torch.device) -> Iterator[None]:
    """Connect the processes for as long as the context lasts.

    Raises:
        InputError: there are several on a device that they cannot learn on together.
    """
    if ranks.world == 1:
        yield
        return
    if device.type not in BACKENDS:
        raise InputError(f"several processes learn together on {' or '.join(BACKENDS)}, got {device}; start only one")
    if device.type == "cuda":
        torch.cuda.set_device(device)  # NCCL works on the current one
    dist.init_process_group(BACKENDS[device.type], rank=ranks.rank, world_size=ranks.world)
    try:
        yield
    finally:
        dist.destroy_process_group()
