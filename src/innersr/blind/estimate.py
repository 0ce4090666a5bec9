"""Blind estimation: blur, noise and compression, from the image alone.

A small network (`DegradationPredictor`) looks at the most detailed parts of the image and corrects a first guess a few
times; its answers for the parts are averaged, weighted by their certainty.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.networks.degradation_predictor import CELL, LOUDNESS, DegradationPredictor, predict_iteratively
from innersr.networks.priors import load_prior
from innersr.physics import kernels
from innersr.physics.degradation import LOUDEST, Degradation
from innersr.physics.log_covariance import covariance_from_log
from innersr.physics.pseudoinverse import RADIUS
from innersr.physics.resize import Scale, Window, as_pair, cut
from innersr.run import Run

CONFIDENCES = ("none", "low", "medium", "high")


@dataclass(frozen=True, kw_only=True)
class BlindSettings:
    """Settings of `examine`, tuned together: `docs/experiments.md`, "Blind: telling blur and noise"."""

    whole_side: int = 512  # LR pixels of the long side up to which the whole image is looked at
    part_side: int = 256  # LR pixels, of the parts of a larger image that are looked at
    parts: int = 6  # how many
    most_starts: int = 8  # parts per axis from which those with the most detail are chosen
    guesses: int = 2  # passes of the network, each of which corrects the guess of the one before
    least_side: int = 16  # LR pixels: smaller images show too little, and have no room for a kernel
    least_roughness: float = 0.6  # 8-bit levels: RMS difference from 3x3 means that an estimate needs
    high_confidence: float = 0.15  # below this standard deviation of the logarithmic size
    medium_confidence: float = 0.25  # likewise
    sharp: float = 0.03  # LR px^2: a narrower blur before bicubic shrinking counts as none
    sharp_jpeg: float = 0.22  # LR px^2: so much may be detail that JPEG removed, which cannot be restored
    least_variance: float = 0.05  # HR px^2, of a kernel
    least_noise: float = 1.0  # 8-bit levels: less counts as none; rounding alone makes 0.3
    calm_share: float = 0.1  # of the places, the calmest, in which channels' noise is compared
    extra_noise: float = 1.5 / 255  # given to a method in addition to the noise found
    given_variance: float = 0.7  # share of the blur's variance given for a noisy or compressed image


SETTINGS = BlindSettings()


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """The probable degradation of an image."""

    degradation: Degradation
    """As found. Its noise is the standard deviation of everything that is not the scene."""
    confidence: str
    """One of CONFIDENCES; "none" if the image shows too little; then the degradation is bicubic."""
    jpeg_quality: int | None = None
    """1 to 100, of a compression that left traces; None without any."""

    @property
    def given(self) -> Degradation:
        """The degradation to give to a method: of a noisy or compressed image with more noise and less blur.

        Wrong sharpening hurts most, and a scene that is soft by itself looks like a blurred one.
        """
        found = self.degradation
        if found.noise == 0 and self.jpeg_quality is None:
            return found
        noise = min(LOUDEST, found.noise + SETTINGS.extra_noise) if found.noise > 0 else 0.0
        if found.kernel is None:
            return replace(found, noise=noise)
        *variances, angle = kernels.shape_of(found.kernel)
        long, short = (max(SETTINGS.least_variance, SETTINGS.given_variance * v) for v in variances)
        kernel = kernels.gaussian(long, short, angle)
        return replace(found, kernel=kernel, anchor="aligned", noise=noise)

    @property
    def told(self) -> Degradation:
        """Deprecated name of `given`."""
        warnings.warn("Estimate.told is now Estimate.given", DeprecationWarning, stacklevel=2)
        return self.given

    @property
    def summary(self) -> str:
        """One line: standard deviations of the blur in pixels of the result, noise in 8-bit levels, confidence."""
        if self.confidence == "none":
            blur = "cannot tell (no edges to judge by), bicubic assumed"
        elif self.degradation.kernel is None:
            blur = "none beyond shrinking"
        else:
            shape = kernels.shape_of(self.degradation.kernel)
            long, short = shape.deviations
            blur = f"{long:.1f}x{short:.1f} px at {math.degrees(shape.angle):.0f} deg" if long >= 0.3 else "hardly any"
        jpeg = "" if self.jpeg_quality is None else f", JPEG quality about {self.jpeg_quality}"
        return f"blur: {blur}, noise {255 * self.degradation.noise:.1f}/255{jpeg}, confidence {self.confidence}"


class Finding(NamedTuple):
    """The predictions for all parts of an image, combined."""

    log: Tensor  # (3,), see `GaussianBlur.log`
    deviations: Tensor  # (2,) of size and of shape
    is_bicubic: bool
    noise: float  # Standard deviation
    jpeg_quality: int | None


def examine(lr: Tensor, scale: Scale, run: Run | None = None) -> Estimate:
    """Estimate the degradation of an image, (1, C, H, W) in [0, 1].

    Raises:
        InputError: more or fewer than one image.
        CheckpointError: the package is damaged.
    """
    if lr.ndim != 4 or lr.shape[0] != 1:
        raise InputError(f"examine takes one image, (1, C, H, W), got {tuple(lr.shape)}")
    run = run or Run()
    x = lr.detach().to(run.torch_device, torch.float32)
    grey = x.mean(1, keepdim=True)
    if min(grey.shape[-2:]) < SETTINGS.least_side or _roughness(grey) * 255 < SETTINGS.least_roughness:
        return Estimate(degradation=Degradation(scale=scale), confidence="none")
    with run.exact():
        finding = _find(_detailed_parts(grey))
    noise = finding.noise * _channel_noise_ratio(x, grey)
    finding = finding._replace(noise=min(noise, LOUDEST) if 255 * noise >= SETTINGS.least_noise else 0.0)
    return Estimate(
        degradation=_degradation(finding, scale), confidence=_confidence(finding), jpeg_quality=finding.jpeg_quality
    )


@torch.no_grad()
def _find(parts: Tensor) -> Finding:
    """Combine the predictions for all parts, weighted by their certainty."""
    prediction = predict_iteratively(_network().to(parts.device), parts, SETTINGS.guesses)
    is_bicubic = bool(prediction.bicubic.mean() > 0)
    logs, deviations = prediction.logs[:, int(is_bicubic)], prediction.deviations[:, int(is_bicubic)]
    weights = deviations.square().reciprocal()
    weights = weights / weights.sum(0)
    log = (logs * weights[:, [0, 1, 1]]).sum(0)
    # Errors in parts of one image are correlated, so many parts are hardly more certain than one.
    deviation = (deviations * weights).sum(0)
    is_jpeg = float(prediction.jpeg.mean()) > 0
    quality = min(100, max(1, round(100 * float(prediction.quality.mean())))) if is_jpeg else None
    noise = (float(prediction.noise.exp().median()) - LOUDNESS) / 255
    return Finding(log, deviation, is_bicubic, max(0.0, noise), quality)


def _degradation(finding: Finding, scale: Scale) -> Degradation:
    covariance = covariance_from_log(finding.log.cpu())
    widest = float(torch.linalg.eigvalsh(covariance).max())
    sharp = SETTINGS.sharp if finding.is_bicubic else 0.0
    if widest < (sharp if finding.jpeg_quality is None else SETTINGS.sharp_jpeg):
        return Degradation(scale=scale, noise=finding.noise)
    stretch = torch.diag(torch.tensor(as_pair(scale)[::-1], dtype=torch.float32))
    values, vectors = torch.linalg.eigh(stretch @ covariance @ stretch)
    short, long = (max(SETTINGS.least_variance, float(v)) for v in values)
    kernel = kernels.gaussian(long, short, math.atan2(float(vectors[1, 1]), float(vectors[0, 1])))
    subsampling = "bicubic" if finding.is_bicubic else "direct"
    return Degradation(scale=scale, kernel=kernel, subsampling=subsampling, anchor="aligned", noise=finding.noise)


def _confidence(finding: Finding) -> str:
    deviation = float(finding.deviations[0])
    if deviation < SETTINGS.high_confidence:
        return "high"
    return "medium" if deviation < SETTINGS.medium_confidence else "low"


def _detailed_parts(grey: Tensor) -> Tensor:
    """Cut out (N, 1, h + 2 * RADIUS, w + 2 * RADIUS): the image, or of a large one the parts with the most detail."""
    is_small = max(grey.shape[-2:]) <= SETTINGS.whole_side
    sides = [n if is_small else min(n, SETTINGS.part_side) for n in grey.shape[-2:]]
    rows, columns = (_starts(n, side) for n, side in zip(grey.shape[-2:], sides, strict=True))
    windows = [Window(top, left, top + sides[0], left + sides[1]) for top in rows for left in columns]
    windows.sort(key=lambda w: -_roughness(grey[..., w.top : w.bottom, w.left : w.right]))
    chosen = windows[: SETTINGS.parts]
    around = [Window(w.top - RADIUS, w.left - RADIUS, w.bottom + RADIUS, w.right + RADIUS) for w in chosen]
    return torch.cat([cut(grey, window, (False, False)) for window in around])


def _channel_noise_ratio(x: Tensor, grey: Tensor) -> float:
    """Ratio of per-channel to grey noise: 1 if the channels' noise is identical, sqrt(C) if independent.

    Measured in the calmest places, where there is little but noise.
    """
    fine = [F.avg_pool2d(_fine(image).square(), CELL) for image in (x, grey)]
    calm = fine[1] <= torch.quantile(fine[1], SETTINGS.calm_share)
    ratio = float(fine[0].mean(1, keepdim=True)[calm].mean() / fine[1][calm].mean().clamp(min=1e-12))
    return math.sqrt(min(max(ratio, 1.0), float(x.shape[1])))


def _starts(length: int, side: int) -> list[int]:
    """Evenly spaced starts of parts that reach both ends, and cover the whole length if few suffice."""
    count = min(-(-length // side), SETTINGS.most_starts)
    return [round(i * (length - side) / max(1, count - 1)) for i in range(count)]


def _roughness(grey: Tensor) -> float:
    return float(_fine(grey).square().mean().sqrt())


def _fine(x: Tensor) -> Tensor:
    """Subtract the 3x3 means of an image."""
    return x - F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


@lru_cache(maxsize=1)
def _network() -> DegradationPredictor:
    network = load_prior("predictor")
    assert isinstance(network, DegradationPredictor)  # the package's own file, checked by its hash
    return network
