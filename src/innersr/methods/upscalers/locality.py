"""The reach of upscalers around a part of an image, for parts that join without seams."""

from __future__ import annotations

import math
from collections.abc import Iterable

from innersr.methods.baselines import Interpolation
from innersr.methods.mixture import MixedUpscaler, Stabilised
from innersr.methods.pixelart import PixelArtUpscaler
from innersr.methods.upscalers.detail import DetailUpscaler
from innersr.methods.upscalers.module import UpscalerModule, as_module
from innersr.methods.upscalers.tailored import TailoredUpscaler
from innersr.networks.detail_stack import DetailStack
from innersr.networks.tailored_stack import TailoredStack
from innersr.physics.degradation import Degradation
from innersr.physics.pseudoinverse import RADIUS


def reach_of(upscaler: UpscalerModule) -> int | None:
    """LR pixels around a part that its result depends on; None where it depends on the whole image.

    Conjugate gradients, which solve for the whole, do so, and SinGAN's noise.
    """
    cubic = 3  # LR pixels that interpolation reads beyond a part
    if isinstance(upscaler, MixedUpscaler):
        return _widest([cubic, *(reach_of(as_module(part, upscaler.run)) for part in upscaler.restorers)])
    if isinstance(upscaler, Stabilised):
        return reach_of(upscaler.restorer)
    if isinstance(upscaler, Interpolation):
        return cubic
    if isinstance(upscaler, PixelArtUpscaler):
        return 2 * max(1, len(upscaler.factors))
    if isinstance(upscaler, DetailUpscaler) and upscaler.back_projection == 0:
        stacks = [network for network in upscaler.networks if isinstance(network, DetailStack)]
        return cubic + 1 + max(stack.radius for stack in stacks)  # 1: shift of turned views
    if isinstance(upscaler, TailoredUpscaler):
        return _tailored_reach(upscaler)
    return None


def _tailored_reach(upscaler: TailoredUpscaler) -> int | None:
    degradation, (network,) = upscaler.degradation, upscaler.networks
    assert isinstance(network, TailoredStack)
    predicted, is_resized = network.depth + RADIUS, upscaler.whole is not degradation
    if upscaler.corrections == 0:
        return predicted + 3 * is_resized
    if is_resized:
        return None
    is_clipped_only = degradation.noise > 0 or degradation.compression > 0
    return predicted + (0 if is_clipped_only else upscaler.corrections * (RADIUS + shrinking_reach(degradation)))


def shrinking_reach(degradation: Degradation) -> int:
    """Reach of shrinking: LR pixels around an LR pixel whose HR pixels contribute to it."""
    cubic = 3
    return cubic + math.ceil(degradation.reach / min(degradation.scales))


def _widest(reaches: Iterable[int | None]) -> int | None:
    found = [*reaches]
    return None if None in found else max((reach for reach in found if reach is not None), default=0)
