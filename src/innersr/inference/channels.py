"""Images of any number of bands through networks of three."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from innersr.inference.detail import super_resolve
from innersr.networks.detail_stack import DetailStack
from innersr.physics.degradation import Degradation
from innersr.run import Run

COLOURS = 3


def channel_groups(x: Tensor) -> list[Tensor]:
    """Return (N, C, h, w) as what networks of three bands learn from: as it is where C is 3, else each band alone."""
    return [x] if x.shape[1] == COLOURS else [*x.split(1, dim=1)]


def as_rgb(plane: Tensor) -> Tensor:
    """Return one of `channel_groups` an image with three bands: one alone three times."""
    return plane.expand(-1, COLOURS, -1, -1)


def stage_name(stage: str, number: int, count: int) -> str:
    """Return the name of a stage of work for picture `number`, from 0, of `count`."""
    return stage if count == 1 else f"{stage}, band {number + 1} of {count}"


def super_resolve_channels(
    networks: Sequence[DetailStack], x: Tensor, degradation: Degradation, run: Run, *, ensemble: bool
) -> Tensor:
    """Return the interpolated image plus the detail of networks of three channels, not clipped; see `super_resolve`.

    A band that is alone gets the mean of the three results.

    Args:
        networks: one for each of `channel_groups(x)`.
        x: (N, C, h, w).
        degradation: what made x.
        run: where; how large a tile; told the progress.
        ensemble: whether to take the median over the symmetries that the degradation allows.

    Returns:
        (N, C, H, W).
    """
    if x.shape[1] == COLOURS:
        return super_resolve(networks[0], x, degradation, run, ensemble=ensemble)
    result = x.new_empty(*x.shape[:2], *degradation.hr_size((x.shape[-2], x.shape[-1])))
    # One band after the other, so that one plane at a time is there twice.
    for number, (network, band, plane) in enumerate(zip(networks, x.split(1, 1), result.split(1, 1), strict=True)):
        stage = stage_name("upscale", number, x.shape[1])
        plane.copy_(super_resolve(grey(network), band, degradation, run, ensemble=ensemble, stage=stage))
    return result


def grey(network: DetailStack) -> DetailStack:
    """Return the network of one band that gives the mean of what this one makes of the band three times.

    Both are linear in the first layer's inputs and in the last one's outputs, so nothing is approximated.
    """
    arguments: dict[str, Any] = {**network.arguments, "channels": 1}
    alone = DetailStack(**arguments, generator=torch.Generator())
    last = f"convolutions.{len(network.convolutions) - 1}"
    state = dict(network.state_dict())
    state["convolutions.0.weight"] = state["convolutions.0.weight"].sum(1, keepdim=True)
    for name in (f"{last}.weight", f"{last}.bias"):
        if name in state:
            state[name] = state[name].unflatten(0, (COLOURS, -1)).mean(0)
    alone.load_state_dict(state)
    return alone.to(state[f"{last}.weight"].device).requires_grad_(False)
