"""Data-parallel training in several processes. The only file that uses torch.distributed.

`torchrun` starts the processes and sets RANK, WORLD_SIZE, MASTER_ADDR, ... in the environment of each.
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


class ProcessGroup(NamedTuple):
    """Rank of this process among all that train together."""

    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes, validates and reports."""
        return self.rank == 0

    def share(self, count: int) -> range:
        """Indices of this process's part of `count` tasks."""
        return range(self.rank, count, self.world)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace float32 tensors by their sums over all processes, in one all-reduce."""
        if self.world == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(total.view(tensor.shape))


def process_group_of_environment() -> ProcessGroup:
    """The process group that torchrun has set up; one process without torchrun."""
    return ProcessGroup(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def device_of_environment(device: str) -> str:
    """Device of this process: its own one of several GPUs."""
    is_cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    return f"cuda:{os.environ['LOCAL_RANK']}" if is_cuda and "LOCAL_RANK" in os.environ else device


@contextlib.contextmanager
def joined(group: ProcessGroup, device: torch.device) -> Iterator[None]:
    """Connect the processes while the context lasts; on cuda or cpu only."""
    if group.world == 1:
        yield
        return
    backend = {"cuda": "nccl", "cpu": "gloo"}.get(device.type)
    if backend is None:
        raise InputError(f"several processes train together on cuda or cpu, got {device}; start only one")
    if device.type == "cuda":
        torch.cuda.set_device(device)  # NCCL works on the current one
    dist.init_process_group(backend, rank=group.rank, world_size=group.world)
    try:
        yield
    finally:
        dist.destroy_process_group()
