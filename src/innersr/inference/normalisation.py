"""Images as methods see them, channels in [0, 1] without holes, and results in the image's own values again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.images.formats import DEPTHS
from innersr.images.image import Image
from innersr.images.values.no_data import missing_values, with_declared
from innersr.inference.continuation import fill_unknown, largest_free
from innersr.inference.transparency import limited_near_transparency, upscaled_alpha
from innersr.inference.value_range import ValueRange, enlarged_excess, extremes, robust_range
from innersr.physics.degradation import MAX_NOISE, Degradation
from innersr.physics.noise.counting import CountingNoise
from innersr.physics.resize import image_size
from innersr.run import Run

ALPHA_CHOICES = ("auto", "same", "drop")


@dataclass(frozen=True, kw_only=True, eq=False)
class WholeImage:
    """Properties of a whole image, by which all its parts are normalised alike."""

    is_grey: bool
    """Whether all channels are equal, see `is_grey`."""
    continues_colours: bool
    """Whether colours under transparency are continuations of the visible ones."""
    loses_colours: bool
    """Whether colours under full transparency that are not all black or all white give way to others."""
    values: ValueRange | None
    """The range that is scaled to [0, 1]; None where values are left as they are."""
    extremes: tuple[float, float]
    """The least and the greatest value of all its colours that are data."""
    no_data: float | None = None
    """The value that means no data, see `missing_values`; None if there is none."""
    has_fills: bool = False
    """Whether its huge values are no data."""
    missing_share: float = 0.0
    """Share of its values that are no data."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NormalisedImage:
    """An image as methods see it, and how to undo that."""

    image: Image
    """In its own values, with all that are no data in `missing`."""
    whole: WholeImage
    """Properties of the image, or of the one that it is a part of."""
    channels: Tensor
    """(1, C, H, W) in [0, 1] on the run's device: the colours, scaled; one channel where all are equal."""
    colours: int
    """Number of channels that are colours; the others are alpha."""
    opacity: Tensor | None
    """Alpha, unless it is dropped or a channel."""
    excess: Tensor | None
    """Values outside the range, in the image's own units, see `ValueRange.excess`; None if there are none."""
    filled: Tensor | None
    """Pixels that were filled in any channel, bool, (H, W): without data, or transparent. None for none."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return image_size(self.channels)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what is not kept: colours under full transparency."""
        lost = "the colours under full transparency are not kept (--alpha same keeps them)"
        return (lost,) if self.whole.loses_colours else ()

    @property
    def known_part(self) -> Tensor:
        """The largest part, (1, C, h, w), of which nothing was filled; all if it is smaller than a quarter."""
        if self.filled is None:
            return self.channels
        least, (height, width) = 32, self.size
        part = largest_free(self.filled)
        rows, columns = part.bottom - part.top, part.right - part.left
        if min(rows, columns) < least or 4 * rows * columns < height * width:
            return self.channels
        return self.channels[..., part.top : part.bottom, part.left : part.right]

    @property
    def has_fine_levels(self) -> bool:
        """Whether the image has finer levels than 8 bits, which no unedited picture from a JPEG file has."""
        if self.image.depth == "uint8":
            return False
        most, looked_at = 256, 2**16  # levels of 8 bits; values, spread over the image
        values = self.channels[0, 0].flatten()
        return values[:: max(1, values.numel() // looked_at) | 1].unique().numel() > most

    def run_for(self, run: Run) -> Run:
        """A run precise enough for this image's levels: "auto" becomes fp32 if they are finer than 8 bits.

        Training in bf16 turns differences in the last bit of a float into differences of a thousandth of the range.
        """
        return replace(run, precision="fp32") if run.precision == "auto" and self.has_fine_levels else run

    def degradation_of_channels(self, degradation: Degradation) -> Degradation:
        """The degradation of the image with its noise in the values of the channels, not in the image's own.

        Where channels are scaled apart, the noise is taken for that of the widest.
        """
        noise, counting, values = degradation.noise, degradation.counting, self.whole.values
        if noise == 0 or (values is None and counting is None):
            return degradation
        if values is not None:
            low, spread = self._widest_range
            noise, counting = noise / spread, None if counting is None else counting.rescaled(low, spread)
        if counting is not None:
            noise = counting.deviation(self.channels)
        return replace(degradation, noise=min(noise, MAX_NOISE), counting=counting)

    def given_noise(self, noise: float | None, counting: CountingNoise | None) -> dict[str, Any]:
        """Fields of a degradation of the channels for noise as `parse_noise` gives it."""
        if counting is None:
            return {"noise": noise or 0.0, "counting": None}
        low, spread = self.stored_range
        counting = counting.rescaled(low / 255, spread / 255)
        return {"noise": min(counting.deviation(self.channels), MAX_NOISE), "counting": counting}

    @property
    def stored_range(self) -> tuple[float, float]:
        """Of the channel with the widest range, the stored value that becomes 0, and the difference that becomes 1."""
        low, spread = self._widest_range
        white = DEPTHS[self.image.depth].white or 1
        return low * white, spread * white

    @property
    def _widest_range(self) -> tuple[float, float]:
        """Low and spread, in the image's own values, of the channel that uses most of them; (0, 1) for 8 bits."""
        values = self.whole.values
        if values is None:
            return 0.0, 1.0
        widest = int(values.spread.argmax())
        return float(values.low.flatten()[widest]), float(values.spread.flatten()[widest])

    def restored(self, sr: Tensor, upscaler: Callable[[Tensor], Tensor], degradation: Degradation) -> Image:
        """The result as an image in its own values.

        Args:
            sr: the upscaled channels, which may be overwritten.
            upscaler: that made them, for alpha.
            degradation: of the channels.
        """
        alpha, wraps = None, degradation.wraps
        if self.opacity is not None:
            alpha = upscaled_alpha(self.opacity, upscaler, sr, wraps)
            sr = limited_near_transparency(sr, self.channels, self.opacity, wraps)
        elif sr.shape[1] > self.colours:
            sr, alpha = sr[:, :-1], sr[:, -1:]
        if self.whole.values is not None:
            sr = self.whole.values.unscaled(sr)
        if self.excess is not None:
            sr = sr.add_(enlarged_excess(self.excess, degradation))
        if self.image.depth == "float32":
            sr = sr.clamp_(*_natural_bounds(*self.whole.extremes))
        colour = sr.expand(-1, self.image.colour.shape[1], -1, -1).cpu()
        restored = replace(self.image, colour=colour, alpha=None if alpha is None else alpha.cpu(), missing=None)
        return restored if self.image.missing is None else _with_missing(restored, self.image, degradation)


def normalise(  # noqa: PLR0913 (an image, and what is known of it)
    image: Image,
    run: Run,
    alpha: str,
    wraps: tuple[bool, bool] = (False, False),
    *,
    is_exact: bool = False,
    whole: WholeImage | None = None,
) -> NormalisedImage:
    """Prepare an image for methods, on the run's device.

    8-bit images are seen as they are. Others rarely use their whole range (a 12-bit camera in a 16-bit file, metres of
    height in floats), and a network finds little in a hundredth of it: their `robust_range` is scaled to [0, 1].

    Args:
        image: in its own values.
        run: its device.
        alpha: "auto" continues the visible colours under transparency, "same" makes alpha another channel, "drop"
            leaves it out.
        wraps: whether the image continues on its opposite side, (vertical, horizontal).
        is_exact: for methods that only repeat pixels: no value is scaled, and alpha "auto" is another channel, too.
        whole: of the image that this is a part of, whose values without data are all in its `missing`; None for an
            image by itself.

    Raises:
        InputError: an unknown `alpha`, or an image without any data.
    """
    if alpha not in ALPHA_CHOICES:
        raise InputError(f"alpha must be one of {', '.join(ALPHA_CHOICES)}, got {alpha!r}")
    alpha = "same" if is_exact and alpha == "auto" else alpha
    if whole is None:
        image = replace(image, missing=missing_values(*with_declared(image, None)))
        whole = _whole_image(image, alpha, is_exact=is_exact)
    device, colours = run.torch_device, 1 if whole.is_grey else image.colour.shape[1]
    colour = image.colour[:, :colours].to(device)
    known = _known_values(image, colours, is_masked=whole.continues_colours)
    if known is not None:
        colour = fill_unknown(colour, known.to(device), wraps)
    values = None if whole.values is None else whole.values.to(device)
    channels = colour if values is None else values.scaled(colour)
    opacity = None if image.alpha is None or alpha == "drop" else image.alpha.to(device)
    if opacity is not None and alpha == "same":
        channels, opacity = torch.cat([channels, opacity], dim=1), None
    return NormalisedImage(
        image=image,
        whole=replace(whole, values=values),
        channels=channels,
        colours=colours,
        opacity=opacity,
        excess=None if values is None else values.excess(colour),
        filled=None if known is None or bool(known.all()) else ~known.all(1)[0],
    )


def _whole_image(image: Image, alpha: str, *, is_exact: bool) -> WholeImage:
    """The properties of an image by itself; those of one that is read in parts are found by `survey`."""
    continues = alpha == "auto" and hides_colours(image)
    is_one = is_grey(image, image.alpha if continues else None)
    values = None
    if not is_exact and image.depth != "uint8":
        colours = 1 if is_one else image.colour.shape[1]
        known = _known_values(image, colours, is_masked=continues)
        values = robust_range(image.colour[:, :colours], known)
    return WholeImage(
        is_grey=is_one,
        continues_colours=continues,
        loses_colours=continues and not is_blank(hidden_ends(image)),
        values=values,
        extremes=extremes(image.colour if image.missing is None else image.colour[~image.missing]),
    )


def _known_values(image: Image, colours: int, *, is_masked: bool) -> Tensor | None:
    """The values of the first channels that are data: bool, (1, `colours` or 1, H, W); None if all are.

    Where the image `is_masked`, those under full transparency are left out.
    """
    known = None if image.missing is None else ~image.missing[:, :colours]
    if is_masked and image.alpha is not None:
        visible = image.alpha > 0
        known = visible if known is None else known & visible
    return known


def enlarged_no_data(image: Image, degradation: Degradation, size: tuple[int, int], alpha: str) -> Image:
    """An image of no data on the grid of a result of (height, width) `size`: its values repeated, and all missing.

    For `alpha` see `normalise`.
    """
    colour = _nearest(image.colour, degradation, size)
    opacity = None if image.alpha is None or alpha == "drop" else _nearest(image.alpha, degradation, size)
    return replace(image, colour=colour, alpha=opacity, missing=torch.ones_like(colour, dtype=torch.bool))


def _nearest(x: Tensor, degradation: Degradation, size: tuple[int, int]) -> Tensor:
    """The values of the nearest pixels.

    Args:
        x: (1, C, h, w) of any type.
        degradation: whose grids those of `x` and the result are.
        size: (height, width) of the result.
    """
    for axis in (0, 1):
        places = torch.arange(size[axis], dtype=torch.float64) - degradation.offsets[axis]
        rounding = 1e-6  # pixels; places that are less than that above the middle between two are there
        index, last = (places / degradation.scales[axis] + 0.5 + rounding).floor().long(), x.shape[2 + axis] - 1
        index = index % (last + 1) if degradation.wraps[axis] else index.clamp(0, last)
        x = x.index_select(2 + axis, index.to(x.device))
    return x


def _with_missing(result: Image, image: Image, degradation: Degradation) -> Image:
    """A result whose values without data are those of the nearest pixel of the image, which has some."""
    assert image.missing is not None
    size = image_size(result.colour)
    holes = _nearest(image.missing, degradation, size)
    stored = _nearest(image.colour, degradation, size)
    return replace(result, colour=torch.where(holes, stored, result.colour), missing=holes)


def _natural_bounds(least: float, most: float) -> tuple[float, float]:
    """Natural bounds of floats: values without negative ones stay so, and values within [0, 1] stay within."""
    return 0.0 if least >= 0 else -math.inf, 1.0 if 0 <= least <= most <= 1 else math.inf


def hides_colours(image: Image) -> bool:
    """Whether an image has colours that are seen, with alpha, so that others may be hidden under it."""
    return image.alpha is not None and bool((image.alpha > 0).any())


def hidden_ends(image: Image) -> tuple[float, float]:
    """The least and the greatest value under full transparency; (inf, -inf) if there is none."""
    if image.alpha is None:
        return math.inf, -math.inf
    hidden = image.colour[:, :, image.alpha[0, 0] == 0]
    return extremes(hidden[hidden.isfinite()])


def is_blank(ends: tuple[float, float]) -> bool:
    """Whether values with these ends are none, all black or all white, as programs leave invisible ones."""
    return ends in ((math.inf, -math.inf), (0, 0), (1, 1))


def is_grey(image: Image, opacity: Tensor | None = None) -> bool:
    """Whether all channels of an image are equal: methods then see only one, and grey stays grey.

    Args:
        image: whose channels are compared, NaN with NaN.
        opacity: alpha, where only what is visible counts; None where all does.
    """
    first, others = image.colour[:, :1], image.colour[:, 1:]
    if others.shape[1] == 0:
        return False
    equal = first == others
    if not bool(equal.all()):
        equal |= first.isnan() & others.isnan()
        if opacity is not None:
            equal |= opacity == 0
    masks = image.missing
    return bool(equal.all()) and (masks is None or bool((masks[:, :1] == masks).all()))


@torch.no_grad()
def with_grain(sr: Tensor, lr: Tensor, degradation: Degradation) -> Tensor:
    """Add the grain of `lr` to `sr`: the residual that `sr` does not explain, enlarged but not sharpened.

    The result is sr + upsample(lr - K sr), clipped to [0, 1], by the cubic kernel on the degradation's grid.

    Args:
        sr: (N, C, H, W) in [0, 1], free of noise.
        lr: (N, C, h, w) in [0, 1].
        degradation: from `sr` to `lr`; its noise is ignored.
    """
    grain = lr - degradation.forward(sr, image_size(lr))
    return (sr + degradation.upsample(grain, image_size(sr))).clamp_(0, 1)
