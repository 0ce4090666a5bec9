"""The whole journey of one image, from file to file."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.arrays import image_from
from innersr.degradation import LOUDEST, Degradation
from innersr.errors import InputError
from innersr.image import Image, check_writable, read, save
from innersr.methods import Method, Upscaler, make_method
from innersr.metrics import consistency_psnr
from innersr.resize import Scale, Window, cut
from innersr.run import Run

ALPHA_CHOICES = ("auto", "same", "drop")
VISIBLE = 0.5 / 255  # a pixel of less alpha shows no colour
RINGING = 4  # LR pixels from an edge to where its overshoots are below half an 8-bit level


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """An upscaled image and how it came about."""

    image: Image
    degradation: Degradation
    seconds: float
    consistency_psnr: float
    """dB between the result shrunk again and the input; for premultiplied colours when there is alpha."""


def upscale(
    x: Any,  # noqa: ANN401 (returns the type that it is given)
    scale: Scale = 2,
    *,
    method: Method | str = "tailor",
    degradation: Degradation | None = None,
    run: Run | None = None,
    alpha: str = "auto",
    output: str | Path | None = None,
) -> Any:  # noqa: ANN401
    """Upscale one image by what can be learnt from itself; return the type that was given.

    Args:
        x: a path (the result is written beside it, or to `output`, and its path returned), a PIL image, a
            uint8, uint16 or floating array of (H, W) or (H, W, C), or a (C, H, W) or (1, C, H, W) tensor.
        scale: above 1, any real number, or (vertical, horizontal).
        method: how: `Tailor(steps=200)`, or the name of a method with its default settings.
        degradation: what made the image small; MATLAB's bicubic when None. Its scale replaces `scale`.
        run: device, precision, seed, time limit, progress; `Run()` when None.
        alpha: of files and PIL images; see `upscale_image`.
        output: for a path only: the file to write. It must not exist.

    Raises:
        InputError: an argument is wrong, or the image is too small to learn from.
        ImageFileError: a file cannot be read or written.
    """
    degradation = degradation or Degradation(scale=scale)
    method, run = make_method(method) if isinstance(method, str) else method, run or Run()
    if isinstance(x, str | Path):
        source = Path(x)
        image = read(source)
        degradation = degradation.fitted((image.colour.shape[-2], image.colour.shape[-1]))
        target = Path(output) if output is not None else default_output(source, degradation)
        _check_target(target, image, degradation, alpha)
        result = upscale_image(image, degradation, method, run, alpha=alpha)
        save(result.image, target)
        return type(x)(target)
    if output is not None:
        raise InputError("output is for paths; the result of an image in memory is returned")
    image, restore = image_from(x)
    return restore(upscale_image(image, degradation, method, run, alpha=alpha).image)


def upscale_image(image: Image, degradation: Degradation, method: Method, run: Run, *, alpha: str = "auto") -> Result:
    """Upscale an image with everything it carries.

    Args:
        image: of any depth and number of bands.
        degradation: what made it small. Along axes that wrap its scale becomes the nearest that gives whole pixels.
        method: how to undo that.
        run: circumstances.
        alpha: "auto" premultiplies the colours, upscales alpha on its own, and divides again, so that hidden
            colours do not bleed in; "same" treats alpha as one more band of data; "drop" leaves it out.

    Raises:
        InputError: an unknown `alpha`, NaN or infinite values, or the method refuses the image.
    """
    if alpha not in ALPHA_CHOICES:
        raise InputError(f"alpha must be one of {', '.join(ALPHA_CHOICES)}, got {alpha!r}")
    fitted = degradation.fitted((image.colour.shape[-2], image.colour.shape[-1]))
    with run.exact():
        return _upscaled(image, fitted, method, run, alpha)


def default_output(source: Path, degradation: Degradation) -> Path:
    """Return the name beside the source that a result gets when none is asked for: photo_x2.png."""
    vertical, horizontal = (f"{s:.4g}" for s in degradation.scales)
    scale = vertical if vertical == horizontal else f"{vertical}x{horizontal}"
    return source.with_name(f"{source.stem}_x{scale}{source.suffix}")


def _upscaled(image: Image, degradation: Degradation, method: Method, run: Run, alpha: str) -> Result:
    started = time.monotonic()
    low, high = _value_range(image)
    is_stretched = (low, high) != (0.0, 1.0)
    seen = _stretched(degradation, high - low)
    straight = ((image.colour - low) / (high - low) if is_stretched else image.colour).to(run.torch_device)
    opacity = None if image.alpha is None or alpha == "drop" else image.alpha.to(run.torch_device)
    bands = straight
    if opacity is not None:
        bands = torch.cat([straight, opacity], dim=1) if alpha == "same" else straight * opacity
    upscaler = method.adapt(bands, seen, run)
    sr = upscaler(bands)
    lr_size = (bands.shape[-2], bands.shape[-1])
    agreement = consistency_psnr(sr, bands, partial(degradation.forward, size=lr_size))
    sr_alpha = None
    if opacity is not None and alpha == "same":
        sr, sr_alpha = sr[:, :-1], sr[:, -1:]
    elif opacity is not None:
        sr_alpha = _upscaled_alpha(opacity, upscaler, sr, degradation.wraps)
        sr = _undo_premultiplication(sr, sr_alpha, straight, opacity, degradation.wraps)
    colour = (sr.mul_(high - low).add_(low) if is_stretched else sr).cpu()
    upscaled = replace(image, colour=colour, alpha=None if sr_alpha is None else sr_alpha.cpu())
    return Result(
        image=upscaled,
        degradation=degradation,
        seconds=time.monotonic() - started,
        consistency_psnr=agreement,
    )


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
