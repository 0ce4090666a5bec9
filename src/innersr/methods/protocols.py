"""Protocols of super-resolution methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from torch import Tensor, nn

from innersr.physics.degradation import Degradation
from innersr.run import Run

Upscaler: TypeAlias = Callable[[Tensor], Tensor]
"""(N, C, H, W) in [0, 1] -> (N, C, sH, sW) in [0, 1]. Pure."""


class Method(Protocol):
    """Learns an upscaler for one image. Keeps no state.

    A method is a frozen dataclass of its hyperparameters, without image or device. It may have more members:

    - copies_pixels = True: it only repeats values of the image. Then nothing is estimated, values are not scaled, and
      the result is not compared with interpolation.
    - unused_options = ("noise", "time_limit"): names of options of `upscale`, or of its run, that make no difference to
      it; whoever gives them is told so.
    - check(degradation): raises InputError for one that it cannot undo, such as a fractional scale, before any image
      is read.
    - upscaler(networks, degradation, run, channels): the upscaler of networks that it learnt before, see `Restoring`.
    """

    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """Learn to undo `degradation` from `lr`, (1, C, H, W) in [0, 1] on run's device."""
        ...


def copies_pixels(method: Method) -> bool:
    """Whether a method only repeats values of the image, and uses no more of a degradation than its scale."""
    return bool(getattr(method, "copies_pixels", False))


def unused_by(method: Method) -> tuple[str, ...]:
    """Names of the options that make no difference to a method."""
    return getattr(method, "unused_options", ())


def check_degradation(method: Method, degradation: Degradation) -> None:
    """Raise InputError if a method says that it cannot undo a degradation."""
    check: Callable[[Degradation], None] | None = getattr(method, "check", None)
    if check is not None:
        check(degradation)


class Restoring(Protocol):
    """A method whose upscaler can be rebuilt from the networks that it learnt, so that files can keep it."""

    def upscaler(self, networks: Sequence[nn.Module], degradation: Degradation, run: Run, channels: int) -> Upscaler:
        """Rebuild the upscaler that `adapt` returned for this degradation.

        Args:
            networks: those of that upscaler, on run's device.
            degradation: that it was learnt for.
            run: device, precision, tiles.
            channels: of the image that it was learnt from.
        """
        ...
