"""Networks of three channels applied to images of any number of channels."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from innersr.inference.detail import super_resolve
from innersr.networks.detail_stack import DetailStack
from innersr.physics.degradation import Degradation
from innersr.physics.resize import image_size
from innersr.run import Run, stage_name

COLOURS = 3


def channel_groups(x: Tensor) -> list[Tensor]:
    """Split (N, C, h, w) into inputs for networks of three channels: one if C is 3, else each channel by itself."""
    return [x] if x.shape[1] == COLOURS else [*x.split(1, dim=1)]


def as_rgb(plane: Tensor) -> Tensor:
    """Repeat a channel, (N, 1, h, w), as three equal ones."""
    return plane.expand(-1, COLOURS, -1, -1)


def super_resolve_channels(
    networks: Sequence[DetailStack], x: Tensor, degradation: Degradation, run: Run, *, ensemble: bool
) -> Tensor:
    """Interpolate (N, C, h, w) and add the detail of networks of three channels, see `super_resolve`; not clipped.

    There is one network for each of `channel_groups(x)`. A channel by itself gets the mean of the three results.
    """
    if x.shape[1] == COLOURS:
        return super_resolve(networks[0], x, degradation, run, ensemble=ensemble)
    result = x.new_empty(*x.shape[:2], *degradation.hr_size(image_size(x)))
    # One channel after the other, so that only one is in memory twice.
    for number, (network, channel, plane) in enumerate(zip(networks, x.split(1, 1), result.split(1, 1), strict=True)):
        stage = stage_name("upscale", number, x.shape[1])
        plane.copy_(super_resolve(network.grey(), channel, degradation, run, ensemble=ensemble, stage=stage))
    return result
