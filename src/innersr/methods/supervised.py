"""Supervised baseline: a network trained on many images, not adapted to the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from innersr.errors import InputError
from innersr.inference.channels import COLOURS
from innersr.isolation import isolated
from innersr.methods.protocols import Upscaler
from innersr.methods.upscalers.detail import DetailUpscaler
from innersr.networks.detail_stack import DetailStack
from innersr.networks.priors import load_prior, prior_names
from innersr.physics.convolution import WHOLE
from innersr.physics.degradation import Degradation
from innersr.physics.geometry import scale_words
from innersr.run import Run

PREFIX = "supervised-x"  # of packaged priors; the scale follows


@dataclass(frozen=True, kw_only=True)
class Supervised:
    """An externally trained network, not adapted.

    It was trained to undo bicubic downsampling. Of the degradation it uses the scale and the positions of the LR
    pixels, but not the kernel.

    Args:
        prior: name of a packaged prior, or path of a file; if empty, the packaged prior of the scale.
        self_ensemble: take the median over the symmetries that the degradation allows.
    """

    prior: str = ""
    self_ensemble: bool = False
    unused_options: ClassVar[tuple[str, ...]] = ("kernel", "noise", "jpeg", "deblur", "time_limit")

    def check(self, degradation: Degradation) -> None:
        """Raise InputError for a scale that no packaged prior has."""
        if not self.prior:
            _packaged(degradation)

    @isolated
    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """The network as an upscaler, on `lr`'s device.

        Raises:
            InputError: no prior is packaged for this scale, or the one given is for another.
            CheckpointError: the prior cannot be read.
        """
        prior = self.prior or _packaged(degradation)
        network = load_stack(prior, degradation).to(lr.device)
        return self.upscaler([network], degradation, run, lr.shape[1]).learnt_from(prior)

    def upscaler(
        self,
        networks: Sequence[nn.Module],
        degradation: Degradation,
        run: Run,
        channels: int,  # noqa: ARG002 (it takes any)
    ) -> DetailUpscaler:
        """See `Restoring`."""
        return DetailUpscaler(run, networks, degradation, channels=None, ensemble=self.self_ensemble, back_projection=0)


def load_stack(prior: str, degradation: Degradation) -> DetailStack:
    """The network of a prior, checked to have three channels and the scale of `degradation`."""
    network = load_prior(prior)
    if not isinstance(network, DetailStack) or network.channels != COLOURS:
        kind = type(network).__name__ + (f" of {network.channels} channels" if isinstance(network, DetailStack) else "")
        raise InputError(f"{prior}: must be a DetailStack of {COLOURS} channels, is a {kind}; choose another prior")
    misfit = max(abs(s - f) for s, f in zip(degradation.scales, network.factors, strict=True))
    if network.sees_lr and misfit > WHOLE:
        made_for = " by ".join(map(str, network.factors))
        requested = " by ".join(f"{s:g}" for s in degradation.scales)
        raise InputError(f"{prior}: enlarges {made_for} times, asked for is {requested}; choose another prior or scale")
    return network


def _packaged(degradation: Degradation) -> str:
    """Name of the packaged prior for this scale."""
    scales = [name.removeprefix(PREFIX) for name in prior_names() if name.startswith(PREFIX)]
    for scale in scales:
        if scale.isdecimal() and all(abs(s - int(scale)) < WHOLE for s in degradation.scales):
            return PREFIX + scale
    there = ", ".join(scales) or "none"
    remedy = "use the method zssr, or give a file as prior"
    raise InputError(
        f"no supervised prior is packaged for scale {scale_words(degradation.scale)}, only for {there}; {remedy}"
    )
