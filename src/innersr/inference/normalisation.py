"""Images as methods see them: channels in [0, 1], colours premultiplied by alpha; and the way back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.images.image import Image
from innersr.physics.degradation import LOUDEST, Degradation
from innersr.physics.resize import Window, cut, image_size
from innersr.run import Run

ALPHA_CHOICES = ("auto", "same", "drop")


@dataclass(frozen=True, kw_only=True, eq=False)
class NormalisedImage:
    """An image as methods see it, and how to undo that."""

    channels: Tensor
    """(1, C, H, W) in [0, 1] on the run's device: the colours, stretched, and premultiplied where there is alpha."""
    straight: Tensor
    """The stretched colours alone."""
    opacity: Tensor | None
    """Alpha, unless it is dropped."""
    is_alpha_a_channel: bool
    low: float
    spread: float
    """The colours' values are low + spread * what methods see."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return image_size(self.channels)

    def seen(self, degradation: Degradation) -> Degradation:
        """The degradation of the channels: its noise in their values, not in the image's own."""
        if degradation.noise == 0 or self.spread == 1:
            return degradation
        return replace(degradation, noise=min(degradation.noise / self.spread, LOUDEST))

    def restored(
        self, sr: Tensor, upscaler: Callable[[Tensor], Tensor], wraps: tuple[bool, bool]
    ) -> tuple[Tensor, Tensor | None]:
        """Colour and alpha of a result, in the image's own values; `sr`, the upscaled channels, may be overwritten."""
        sr_alpha = None
        if self.opacity is not None and self.is_alpha_a_channel:
            sr, sr_alpha = sr[:, :-1], sr[:, -1:]
        elif self.opacity is not None:
            sr_alpha = _upscaled_alpha(self.opacity, upscaler, sr, wraps)
            sr = _undo_premultiplication(sr, sr_alpha, self.straight, self.opacity, wraps)
        is_stretched = (self.low, self.spread) != (0.0, 1.0)
        colour = (sr.mul_(self.spread).add_(self.low) if is_stretched else sr).cpu()
        return colour, None if sr_alpha is None else sr_alpha.cpu()


def normalise(image: Image, run: Run, alpha: str) -> NormalisedImage:
    """Prepare an image for methods, on the run's device.

    `alpha` "auto" premultiplies the colours, "same" makes alpha another channel, "drop" leaves it out.

    Raises:
        InputError: an unknown `alpha`, NaN or infinite values.
    """
    if alpha not in ALPHA_CHOICES:
        raise InputError(f"alpha must be one of {', '.join(ALPHA_CHOICES)}, got {alpha!r}")
    low, high = _value_range(image)
    is_stretched = (low, high) != (0.0, 1.0)
    straight = ((image.colour - low) / (high - low) if is_stretched else image.colour).to(run.torch_device)
    opacity = None if image.alpha is None or alpha == "drop" else image.alpha.to(run.torch_device)
    channels = straight
    if opacity is not None:
        channels = torch.cat([straight, opacity], dim=1) if alpha == "same" else straight * opacity
    return NormalisedImage(
        channels=channels,
        straight=straight,
        opacity=opacity,
        is_alpha_a_channel=alpha == "same",
        low=low,
        spread=high - low,
    )


def _value_range(image: Image) -> tuple[float, float]:
    """The values that methods see as 0 and 1.

    8-bit images keep theirs, and so do floats within [0, 1]. Others rarely use their whole range (a 12-bit
    camera in a 16-bit file, metres of height in floats), and a network sees nothing in a hundredth of it.
    """
    low, high = (float(v) for v in torch.aminmax(image.colour))
    if not math.isfinite(low + high):
        raise InputError("the image holds NaN or infinite values; they have no colour, fill them first")
    if image.depth == "uint8" or (image.depth == "float32" and low >= 0 and high <= 1):
        return 0.0, 1.0
    return (low, high) if high > low else (low, low + 1.0)


def _upscaled_alpha(
    opacity: Tensor, upscaler: Callable[[Tensor], Tensor], sr: Tensor, wraps: tuple[bool, bool]
) -> Tensor:
    """Upscale alpha as the colours are, so that both have the same edges; flat areas keep their value."""
    if bool((opacity == 1).all()):
        return torch.ones_like(sr[:, :1])
    alpha = upscaler(opacity.expand(1, sr.shape[1], *opacity.shape[2:])).mean(dim=1, keepdim=True)
    low, high = _range_around(opacity, opacity, alpha, wraps, reach=1)
    return torch.where(low == high, low, alpha)


def _undo_premultiplication(
    sr: Tensor, alpha: Tensor, straight: Tensor, opacity: Tensor, wraps: tuple[bool, bool]
) -> Tensor:
    """Divide by alpha. Near transparency no colour leaves the range of the visible ones around it.

    Both overshoot at their common edge, but alpha is clipped at 1, and the quotient would have a bright seam.
    """
    ringing = 4  # LR pixels from an edge to where its overshoots are below half an 8-bit level
    least_alpha = 0.5 / 255  # a pixel of less alpha shows no colour
    visible = opacity > 0
    low, high = _range_around(
        straight.where(visible, math.inf), straight.where(visible, -math.inf), alpha, wraps, reach=ringing
    )
    least, _ = _range_around(opacity, opacity, alpha, wraps, reach=ringing)
    colour = sr / alpha.clamp(min=least_alpha)
    limited = torch.where(least == 1, colour, colour.clamp(low, high))
    return torch.where(alpha > least_alpha, limited, torch.zeros_like(sr))


def _range_around(
    lows: Tensor, highs: Tensor, sr: Tensor, wraps: tuple[bool, bool], *, reach: int
) -> tuple[Tensor, Tensor]:
    """The least and the greatest LR value within `reach` LR pixels of every pixel of `sr`."""
    window = Window(-reach, -reach, lows.shape[-2] + reach, lows.shape[-1] + reach)
    low = -F.max_pool2d(cut(-lows, window, wraps), 2 * reach + 1, stride=1)
    high = F.max_pool2d(cut(highs, window, wraps), 2 * reach + 1, stride=1)
    low, high = (F.interpolate(x, [*sr.shape[-2:]], mode="nearest-exact") for x in (low, high))
    return low, high


@torch.no_grad()
def with_grain(sr: Tensor, lr: Tensor, degradation: Degradation) -> Tensor:
    """Add to `sr` the grain of `lr`: all that `sr` does not explain, enlarged but not sharpened.

    The result is sr + upsample(lr - K sr), clipped to [0, 1], by the cubic kernel on the degradation's grid.

    Args:
        sr: (N, C, H, W) in [0, 1], free of noise.
        lr: (N, C, h, w) in [0, 1].
        degradation: from `sr` to `lr`; its noise is ignored.
    """
    grain = lr - degradation.forward(sr, image_size(lr))
    return (sr + degradation.upsample(grain, image_size(sr))).clamp_(0, 1)
