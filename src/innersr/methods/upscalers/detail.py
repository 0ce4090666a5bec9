"""The upscaler of ZSSR, MZSR and the supervised baseline: interpolation plus the detail of DetailStacks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from innersr.errors import InputError
from innersr.inference.channels import COLOURS, channel_groups, super_resolve_channels
from innersr.inference.detail import super_resolve
from innersr.isolation import isolated
from innersr.methods.upscalers.module import UpscalerModule
from innersr.networks.detail_stack import DetailStack
from innersr.physics.back_projection import back_project
from innersr.physics.degradation import Degradation
from innersr.run import Run


class DetailUpscaler(UpscalerModule):
    """Adds the detail that networks predict, and back-projects.

    Args:
        run: device, tiles, progress.
        networks: one of the images' number of channels; or networks of three channels, for each of `channel_groups`
            one, or one for all.
        degradation: of the images.
        channels: that were learnt; None for any number.
        ensemble: whether to take the median over the symmetries that the degradation allows.
        back_projection: conjugate-gradient steps; 0 only clips.
    """

    def __init__(  # noqa: PLR0913 (networks, and how they are applied)
        self,
        run: Run,
        networks: Sequence[nn.Module],
        degradation: Degradation,
        *,
        channels: int | None,
        ensemble: bool,
        back_projection: int,
    ) -> None:
        super().__init__(run, networks)
        if not networks or not all(isinstance(network, DetailStack) for network in networks):
            raise InputError(f"DetailStacks are applied here, got {[type(each).__name__ for each in networks]}")
        self.degradation, self.channels = degradation, channels
        self.ensemble, self.back_projection = ensemble, back_projection

    @isolated
    def forward(self, x: Tensor) -> Tensor:
        """Upscale images, of the number of channels that was learnt; where that is three, grey images too.

        Raises:
            InputError: another number of channels.
        """
        stacks = [network for network in self.networks if isinstance(network, DetailStack)]
        if self.channels not in (None, x.shape[1]) and (self.channels, x.shape[1]) != (COLOURS, 1):
            remedy = "learn anew from an image of as many"
            raise InputError(f"this upscaler was trained on {self.channels} channels, got {x.shape[1]}; {remedy}")
        if x.shape[1] == stacks[0].channels:
            sr = super_resolve(stacks[0], x, self.degradation, self.run, ensemble=self.ensemble)
        else:
            stacks = stacks if self.channels else stacks * len(channel_groups(x))
            sr = super_resolve_channels(stacks, x, self.degradation, self.run, ensemble=self.ensemble)
        return back_project(sr, x, self.degradation, steps=self.back_projection, run=self.run)


class LearnsDetail:
    """What ZSSR and MZSR share: networks of the image's channels, applied as their settings say."""

    self_ensemble: bool
    back_projection: int

    def upscaler(
        self, networks: Sequence[nn.Module], degradation: Degradation, run: Run, channels: int
    ) -> DetailUpscaler:
        """See `Restoring`."""
        return DetailUpscaler(
            run,
            networks,
            degradation,
            channels=channels,
            ensemble=self.self_ensemble,
            back_projection=self.back_projection,
        )
