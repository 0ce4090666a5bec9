"""A method adapted to one image, and applied to it or to others that were made in the same way."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from innersr.blind.estimate import Estimate
from innersr.examination import examine_normalised
from innersr.images.graphics import graphic_notes, label_notes
from innersr.images.image import Image
from innersr.inference.judgement import consistency, reason_for_doubt
from innersr.inference.normalisation import NormalisedImage, normalise, with_grain
from innersr.isolation import isolated, isolation
from innersr.methods.baselines import Bicubic
from innersr.methods.mixture import adapt_to
from innersr.methods.options import UpscaleOptions
from innersr.methods.protocols import Method, Upscaler, copies_pixels
from innersr.methods.registry import resolve
from innersr.methods.upscalers.module import UpscalerModule, parts_of, with_run
from innersr.networks.priors import packaged_priors
from innersr.physics.degradation import Degradation
from innersr.physics.resize import Scale
from innersr.pipeline.masks import DetailMask
from innersr.pipeline.result import Result
from innersr.run import Run


def upscale_image(  # noqa: PLR0913 (an image and what was found out about it, a method and its choices)
    image: Image,
    degradation: Degradation | Estimate | None,
    method: Method,
    run: Run,
    *,
    scale: Scale = 2,
    alpha: str = "auto",
    keep_grain: bool = False,
) -> Result:
    """Upscale an image of any depth and number of channels, with its alpha.

    Args:
        image: in its own values.
        degradation: of the image, the noise in the image's own values; or an estimate, see `examine_image`,
            which is made when None. Along axes that wrap its scale becomes the nearest that gives whole pixels.
        method: with its settings.
        run: device, seed, time limit.
        scale: at which the degradation is estimated.
        alpha: "auto" continues the visible colours under transparency, so that hidden ones do not bleed in, and
            upscales alpha on its own; "same" treats alpha as one more channel of data; "drop" leaves it out.
        keep_grain: where the degradation has noise, put the image's own grain back into the result, as it is.

    Raises:
        InputError: an unknown `alpha`, an image without any data, or the method refuses the image.
    """
    started, run = time.monotonic(), run.start()
    with isolation():
        is_exact = copies_pixels(method)
        wraps = (False, False) if degradation is None else degradation.wraps
        normalised = normalise(image, run, alpha, wraps, is_exact=is_exact)
        if degradation is None and is_exact:
            degradation = Degradation(scale=scale)
        cause = examine_normalised(normalised, scale, run) if degradation is None else degradation
        result = adapt_image(normalised, cause, method, run).apply(normalised, keep_grain=keep_grain)
    return replace(result, seconds=time.monotonic() - started)


@dataclass(frozen=True, kw_only=True, eq=False)
class Adaptation:
    """A method adapted to an image, and usable for others with the same degradation: pages, frames, strips."""

    method: Method
    upscaler: UpscalerModule
    cause: Degradation | Estimate
    """As it was given or estimated; the noise of a degradation in the image's own values, unless `is_relative`."""
    fitted: Degradation | Estimate
    """The same, fitted to the size and the values of the channels that the method was adapted to."""
    channels: int
    """Number of these channels."""
    priors: Mapping[str, str | None]
    """Names of the priors that the method began with, and the SHA-256 of those that are packaged."""
    notes: tuple[str, ...] = ()
    """Sentences about what went wrong in learning."""
    is_relative: bool = False
    """Whether the noise of a degradation is in the values of the channels, as that of an estimate is."""

    @property
    def degradation(self) -> Degradation:
        """The cause, or the one with the largest share in an estimate."""
        return self.cause.given if isinstance(self.cause, Estimate) else self.cause

    def with_run(self, run: Run) -> Adaptation:
        """This adaptation for another run: its device, precision, tiles and progress."""
        return replace(self, upscaler=with_run(self.upscaler, run))

    def apply(
        self,
        normalised: NormalisedImage,
        *,
        keep_grain: bool = False,
        is_trusted: bool = False,
        mask: DetailMask | None = None,
    ) -> Result:
        """Upscale an image, of the number of channels that was learnt; interpolate it where that fails.

        Args:
            normalised: the image as methods see it, which may be another than the one that was learnt.
            keep_grain: see `upscale_image`.
            is_trusted: whether any finite result is taken, without notes about learning, as for the parts of an image
                whose sample was judged.
            mask: where the image is interpolated only; nowhere when None.
        """
        started, lr, notes = time.monotonic(), normalised.channels, normalised.notes
        cause = self.cause.fitted(normalised.size)
        degradation = _degradation_of_channels(cause, normalised, is_relative=self.is_relative)
        if not is_trusted:
            notes += self.notes
            if isinstance(cause, Estimate):
                notes += graphic_notes(normalised.image)
            if not copies_pixels(self.method):
                notes += label_notes(normalised.image)
        with isolation():
            upscaled = self._upscaled(lr, degradation, keep_grain=keep_grain, mask=mask)
            is_accepted = copies_pixels(self.method) or (is_trusted and upscaled.agreement > -math.inf)
            if not is_accepted:
                upscaled, doubts = _judged(upscaled, lr, degradation)
                notes += doubts
            image = normalised.restored(upscaled.sr, upscaled.upscaler, degradation)
        return Result(
            image=image,
            notes=notes,
            degradation=cause.given if isinstance(cause, Estimate) else cause,
            seconds=time.monotonic() - started,
            consistency_psnr=upscaled.agreement,
            method=upscaled.method,
            estimate=self.cause if isinstance(self.cause, Estimate) else None,
        )

    def _upscaled(
        self, lr: Tensor, degradation: Degradation, *, keep_grain: bool, mask: DetailMask | None
    ) -> _Upscaled:
        """Upscale channels, (1, C, h, w), with their grain and a mask if asked for."""
        sr, upscaler = self.upscaler(lr), self.upscaler
        if keep_grain and degradation.noise > 0:
            sr = with_grain(sr, lr, degradation)
        if mask is None:
            return _Upscaled(sr, upscaler, self.method, consistency(sr, lr, degradation))
        sr = mask.mixed(sr, lr, degradation)
        return _Upscaled(sr, mask.masking(upscaler, degradation), self.method, consistency(sr, lr, degradation))


class _Upscaled(NamedTuple):
    """Upscaled channels, and how they were made."""

    sr: Tensor
    """(1, C, H, W)."""
    upscaler: Upscaler
    """That made them, for alpha."""
    method: Method
    agreement: float
    """In dB, see `consistency`."""


def _judged(upscaled: _Upscaled, lr: Tensor, degradation: Degradation) -> tuple[_Upscaled, tuple[str, ...]]:
    """A result as it is, or, where it cannot be trusted, the interpolated image, with a note that says why."""
    interpolated = degradation.upsample(lr).clamp_(0, 1)
    doubt = reason_for_doubt(upscaled.sr, interpolated, lr, degradation, upscaled.agreement)
    if doubt is None:
        return upscaled, ()
    method = Bicubic(phase="aligned")
    upscaler, agreement = method.adapt(lr, degradation, Run()), consistency(interpolated, lr, degradation)
    note = f"the result cannot be trusted ({doubt}); the image was interpolated instead"
    return _Upscaled(interpolated, upscaler, method, agreement), (note,)


@isolated
def adapt_image(
    normalised: NormalisedImage,
    cause: Degradation | Estimate,
    method: Method,
    run: Run,
    *,
    is_relative: bool = False,
) -> Adaptation:
    """Adapt a method to an image.

    Args:
        normalised: the image as methods see it, see `normalise`.
        cause: the degradation of the image, its noise in the image's own values, or an estimate.
        method: with its settings.
        run: device, seed, time limit, which counts from now unless it was started.
        is_relative: whether the noise of a degradation is in the values of the channels, as that of an estimate is.
    """
    fitted = cause.fitted(normalised.size)
    if isinstance(fitted, Degradation) and not is_relative:
        fitted = normalised.degradation_of_channels(fitted)
    method = resolve(method, is_estimated=isinstance(fitted, Estimate))
    upscaler = adapt_to(method, normalised.channels, fitted, normalised.run_for(run))
    packaged = packaged_priors()
    names = sorted({part.prior for part in parts_of(upscaler)} - {""})
    return Adaptation(
        method=method,
        upscaler=upscaler,
        cause=cause,
        fitted=fitted,
        channels=normalised.channels.shape[1],
        priors={Path(name).name: packaged[name].sha256 if name in packaged else None for name in names},
        notes=tuple(dict.fromkeys(note for part in parts_of(upscaler) for note in part.notes)),
        is_relative=is_relative,
    )


def adapt_given(
    normalised: NormalisedImage, cause: Degradation | Estimate, options: UpscaleOptions, run: Run
) -> Adaptation:
    """Adapt the method that options choose, with the noise that they give, which depends on the image's range."""
    noise, is_relative = options.relative_noise, False
    if noise is not None and options.degradation is None:
        changes, is_relative = normalised.given_noise(*noise), True
        cause = cause.with_given(**changes) if isinstance(cause, Estimate) else replace(cause, **changes)
    return adapt_image(normalised, cause, options.chosen_method, run, is_relative=is_relative)


def _degradation_of_channels(
    fitted: Degradation | Estimate, normalised: NormalisedImage, *, is_relative: bool
) -> Degradation:
    """The degradation that shrinks a result again, to be compared with the image."""
    if isinstance(fitted, Estimate):
        return replace(fitted.given, noise=fitted.greatest_noise)
    return fitted if is_relative else normalised.degradation_of_channels(fitted)
