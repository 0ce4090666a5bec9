"""The whole journey of one image, from file to file."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.blind.estimate import Estimate, examine
from innersr.errors import InputError
from innersr.images.conversions import image_from
from innersr.images.image import Image
from innersr.images.io import check_writable, read, save
from innersr.methods.protocols import Method, Upscaler
from innersr.methods.registry import make_method, resolve
from innersr.metrics.fidelity import consistency_psnr
from innersr.physics.degradation import LOUDEST, Degradation
from innersr.physics.resize import Scale, Window, cut
from innersr.run import Run

ALPHA_CHOICES = ("auto", "same", "drop")
VISIBLE = 0.5 / 255  # a pixel of less alpha shows no colour
RINGING = 4  # LR pixels from an edge to where its overshoots are below half an 8-bit level


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """An upscaled image and how it came about."""

    image: Image
    degradation: Degradation
    """What was undone, as it was given or estimated."""
    seconds: float
    consistency_psnr: float
    """dB between the result shrunk again and the input; for premultiplied colours when there is alpha."""
    method: Method
    """As it was applied, with the number of steps that Tailor took at most."""
    estimate: Estimate | None = None
    """What was found out about the image; None where its degradation was given. See `examine_image`."""


def upscale(  # noqa: PLR0913 (all that one image may need, with one name each)
    x: Any,  # noqa: ANN401 (returns the type that it is given)
    scale: Scale = 2,
    *,
    method: Method | str = "tailor",
    degradation: Degradation | Estimate | None = None,
    run: Run | None = None,
    alpha: str = "auto",
    keep_grain: bool = False,
    output: str | Path | None = None,
) -> Any:  # noqa: ANN401
    """Upscale one image by what can be learnt from itself; return the type that was given.

    Args:
        x: a path (the result is written beside it, or to `output`, and its path returned), a PIL image, a
            uint8, uint16 or floating array of (H, W) or (H, W, C), or a (C, H, W) or (1, C, H, W) tensor.
        scale: above 1, any real number, or (vertical, horizontal).
        method: how: `Tailor(steps=200)`, or the name of a method with its default settings.
        degradation: what made the image small, and its scale replaces `scale`; what can be found out from the image
            when None. `Degradation(scale=2)` is MATLAB's bicubic without noise.
        run: device, precision, seed, time limit, progress; `Run()` when None.
        alpha: of files and PIL images; see `upscale_image`.
        keep_grain: put the image's own grain, which is removed with its noise, back into the result.
        output: for a path only: the file to write. It must not exist.

    Raises:
        InputError: an argument is wrong, or the image is too small to learn from.
        ImageFileError: a file cannot be read or written.
    """
    planned = degradation.degradation if isinstance(degradation, Estimate) else degradation or Degradation(scale=scale)
    run = run or Run()
    if isinstance(method, str):
        method = make_method(method)
    if isinstance(x, str | Path):
        source = Path(x)
        image = read(source)
        planned = planned.fitted((image.colour.shape[-2], image.colour.shape[-1]))
        target = Path(output) if output is not None else default_output(source, planned)
        _check_target(target, image, planned, alpha)
        result = upscale_image(image, degradation, method, run, scale=scale, alpha=alpha, keep_grain=keep_grain)
        save(result.image, target)
        return type(x)(target)
    if output is not None:
        raise InputError("output is for paths; the result of an image in memory is returned")
    image, restore = image_from(x)
    result = upscale_image(image, degradation, method, run, scale=scale, alpha=alpha, keep_grain=keep_grain)
    return restore(result.image)


def upscale_image(
    image: Image,
    degradation: Degradation | Estimate | None,
    method: Method,
    run: Run,
    *,
    scale: Scale = 2,
    alpha: str = "auto",
    keep_grain: bool = False,
) -> Result:
    """Upscale an image with everything it carries.

    Args:
        image: of any depth and number of bands.
        degradation: what made it small, the noise in the image's own values; or an estimate, see `examine_image`,
            which is made when None. Along axes that wrap its scale becomes the nearest that gives whole pixels.
        method: how to undo that.
        run: circumstances.
        scale: to estimate the degradation at; nothing else.
        alpha: "auto" premultiplies the colours, upscales alpha on its own, and divides again, so that hidden
            colours do not bleed in; "same" treats alpha as one more band of data; "drop" leaves it out.
        keep_grain: where the degradation has noise, put the image's own grain back into the result, as it is.

    Raises:
        InputError: an unknown `alpha`, NaN or infinite values, or the method refuses the image.
    """
    started, run = time.monotonic(), run.start()
    with run.exact():
        sight = _sight_of(image, run, alpha)
        cause = _examined(sight, scale, run) if degradation is None else degradation
        if isinstance(cause, Estimate):
            fitted = seen = cause.given.fitted(sight.size)
        else:
            fitted = cause.fitted(sight.size)
            seen = _stretched(fitted, sight.spread)
        method = resolve(method, is_estimated=isinstance(cause, Estimate))
        upscaled, agreement = _upscaled(sight, seen, method, run, keep_grain)
    return Result(
        image=replace(image, colour=upscaled.colour, alpha=upscaled.alpha),
        degradation=fitted,
        seconds=time.monotonic() - started,
        consistency_psnr=agreement,
        method=method,
        estimate=cause if isinstance(cause, Estimate) else None,
    )


def examine_image(image: Image, scale: Scale, run: Run, *, alpha: str = "auto") -> Estimate:
    """Estimate what made an image small, from just what methods would see of it.

    Args:
        image: of any depth and number of bands.
        scale: of the degradation.
        run: circumstances.
        alpha: see `upscale_image`.

    Returns:
        An estimate whose noise is a part of the range of values that methods see: all of it for 8 bits and for
        floats within [0, 1], else what the image uses.

    Raises:
        InputError: an unknown `alpha`, a scale below 1, NaN or infinite values.
    """
    with run.exact():
        return _examined(_sight_of(image, run, alpha), scale, run)


def bands_of(image: Image, run: Run, *, alpha: str = "auto") -> Tensor:
    """Return what methods see of an image, (1, C, H, W) in [0, 1] on the run's device; see `upscale_image`."""
    return _sight_of(image, run, alpha).bands


def default_output(source: Path, degradation: Degradation) -> Path:
    """Return the name beside the source that a result gets when none is asked for: photo_x2.png."""
    vertical, horizontal = (f"{s:.4g}" for s in degradation.scales)
    scale = vertical if vertical == horizontal else f"{vertical}x{horizontal}"
    return source.with_name(f"{source.stem}_x{scale}{source.suffix}")


class _Sight(NamedTuple):
    """What methods see of an image, and what it takes to undo that."""

    bands: Tensor
    """(1, C, H, W) in [0, 1] on the run's device: the colours, stretched, and premultiplied where there is alpha."""
    straight: Tensor
    """The stretched colours alone."""
    opacity: Tensor | None
    """Alpha; None where there is none or it is dropped."""
    is_alpha_a_band: bool
    low: float
    spread: float
    """The colours' values are low + spread * what methods see."""

    @property
    def size(self) -> tuple[int, int]:
        return self.bands.shape[-2], self.bands.shape[-1]


class _Planes(NamedTuple):
    colour: Tensor
    alpha: Tensor | None


def _sight_of(image: Image, run: Run, alpha: str) -> _Sight:
    if alpha not in ALPHA_CHOICES:
        raise InputError(f"alpha must be one of {', '.join(ALPHA_CHOICES)}, got {alpha!r}")
    low, high = _value_range(image)
    is_stretched = (low, high) != (0.0, 1.0)
    straight = ((image.colour - low) / (high - low) if is_stretched else image.colour).to(run.torch_device)
    opacity = None if image.alpha is None or alpha == "drop" else image.alpha.to(run.torch_device)
    bands = straight
    if opacity is not None:
        bands = torch.cat([straight, opacity], dim=1) if alpha == "same" else straight * opacity
    return _Sight(bands, straight, opacity, alpha == "same", low, high - low)


def _examined(sight: _Sight, scale: Scale, run: Run) -> Estimate:
    Degradation(scale=scale)  # refuses what is no scale
    return examine(sight.bands, scale, run)


def _upscaled(sight: _Sight, seen: Degradation, method: Method, run: Run, keep_grain: bool) -> tuple[_Planes, float]:
    """Return the upscaled planes in the image's own values, and the consistency."""
    bands, opacity = sight.bands, sight.opacity
    upscaler = method.adapt(bands, seen, run)
    sr = upscaler(bands)
    if keep_grain and seen.noise > 0:
        sr = with_grain(sr, bands, seen)
    agreement = consistency_psnr(sr, bands, partial(seen.forward, size=sight.size))
    sr_alpha = None
    if opacity is not None and sight.is_alpha_a_band:
        sr, sr_alpha = sr[:, :-1], sr[:, -1:]
    elif opacity is not None:
        sr_alpha = _upscaled_alpha(opacity, upscaler, sr, seen.wraps)
        sr = _undo_premultiplication(sr, sr_alpha, sight.straight, opacity, seen.wraps)
    is_stretched = (sight.low, sight.spread) != (0.0, 1.0)
    colour = (sr.mul_(sight.spread).add_(sight.low) if is_stretched else sr).cpu()
    return _Planes(colour, None if sr_alpha is None else sr_alpha.cpu()), agreement


def _value_range(image: Image) -> tuple[float, float]:
    """Return the values that methods shall see as 0 and 1.

    8-bit images keep theirs, and so do floats within [0, 1]. Others rarely use their whole range (a 12-bit
    camera in a 16-bit file, metres of height in floats), and a network sees nothing in a hundredth of it.
    """
    low, high = (float(v) for v in torch.aminmax(image.colour))
    if not math.isfinite(low + high):
        raise InputError("the image holds NaN or infinite values; they have no colour, fill them first")
    if image.depth == "uint8" or (image.depth == "float32" and low >= 0 and high <= 1):
        return 0.0, 1.0
    return (low, high) if high > low else (low, low + 1.0)


def _stretched(degradation: Degradation, spread: float) -> Degradation:
    """Return the degradation of the image whose values were divided by `spread`."""
    if degradation.noise == 0 or spread == 1:
        return degradation
    return replace(degradation, noise=min(degradation.noise / spread, LOUDEST))


def _upscaled_alpha(opacity: Tensor, upscaler: Upscaler, sr: Tensor, wraps: tuple[bool, bool]) -> Tensor:
    """Upscale alpha by what was learnt from the colours, so that both have the same edges.

    Where a pixel and its neighbours are equal, opaque or not, their value stays.
    """
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
    visible = opacity > 0
    low, high = _range_around(
        straight.where(visible, math.inf), straight.where(visible, -math.inf), alpha, wraps, reach=RINGING
    )
    least, _ = _range_around(opacity, opacity, alpha, wraps, reach=RINGING)
    colour = sr / alpha.clamp(min=VISIBLE)
    limited = torch.where(least == 1, colour, colour.clamp(low, high))
    return torch.where(alpha > VISIBLE, limited, torch.zeros_like(sr))


def _range_around(
    lows: Tensor, highs: Tensor, sr: Tensor, wraps: tuple[bool, bool], *, reach: int
) -> tuple[Tensor, Tensor]:
    """Return, at every pixel of `sr`, the least and the greatest LR value within `reach` LR pixels."""
    window = Window(-reach, -reach, lows.shape[-2] + reach, lows.shape[-1] + reach)
    low = -F.max_pool2d(cut(-lows, window, wraps), 2 * reach + 1, stride=1)
    high = F.max_pool2d(cut(highs, window, wraps), 2 * reach + 1, stride=1)
    size = [*sr.shape[-2:]]
    return F.interpolate(low, size, mode="nearest-exact"), F.interpolate(high, size, mode="nearest-exact")


def _check_target(target: Path, image: Image, degradation: Degradation, alpha: str) -> None:
    """Make sure, before minutes of work, that the result can be saved."""
    lr_size = (image.colour.shape[-2], image.colour.shape[-1])
    rows, columns = degradation.hr_size(lr_size)
    check_writable(
        target,
        depth=image.depth,
        bands=image.colour.shape[1],
        has_alpha=image.alpha is not None and alpha != "drop",
        overwrite=False,
        size=(columns, rows),
    )


@torch.no_grad()
def with_grain(sr: Tensor, lr: Tensor, degradation: Degradation) -> Tensor:
    """Return `sr` with the grain of `lr`, which is all that `sr` does not explain, enlarged but not sharpened.

    Args:
        sr: (N, C, H, W) in [0, 1], free of noise.
        lr: (N, C, h, w) in [0, 1].
        degradation: from the one to the other; its noise does not matter.

    Returns:
        sr + upsample(lr - K sr), clipped to [0, 1], with the cubic kernel on the degradation's grid.
    """
    grain = lr - degradation.forward(sr, (lr.shape[-2], lr.shape[-1]))
    return (sr + degradation.upsample(grain, (sr.shape[-2], sr.shape[-1]))).clamp_(0, 1)
