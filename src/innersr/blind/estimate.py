"""What happened to this image: blur and noise, estimated from the image alone.

A small network (`predictor`) looks at the most detailed parts of the image and corrects a first guess a few times;
what it says of the parts is weighed by how sure it is of each.
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
from innersr.networks.degradation_predictor import CELL, LOUDNESS, DegradationPredictor, Prediction, corrected
from innersr.networks.priors import load_prior
from innersr.physics import kernels
from innersr.physics.degradation import LOUDEST, Degradation
from innersr.physics.log_covariance import covariance_of
from innersr.physics.pseudoinverse import RADIUS
from innersr.physics.resize import Scale, Window, as_pair, cut
from innersr.run import Run

CONFIDENCES = ("none", "low", "medium", "high")
PRIOR = "predictor"
WHOLE = 512  # LR pixels of the long side up to which all of an image is looked at
SIDE, PARTS, MOST_STARTS = 256, 6, 8  # LR pixels; how many of such parts of a large image are looked at, of how many
GUESSES = 2  # that are corrected
FLAT = 0.6  # 8-bit levels: root mean square of what 3x3 means lack, below which nothing can be told
SURE = (0.15, 0.25)  # standard deviations of the size, in logarithms, up to which confidence is high and medium
SHARP = 0.03  # LR px^2: less blur than this before bicubic shrinking is none
CAUTION = 1.5 / 255  # more noise than was found, that a method is told: what is sharpened wrongly hurts most
CAUTIOUS = 0.7  # of the variance that was found in a noisy or compressed image, that a method is told
SHARP_JPEG = 0.22  # LR px^2: so much blur may be what JPEG has taken away, which cannot be had back
LEAST_SIDE = 16  # LR pixels: in smaller images there is too little to see, and no room for a kernel
CALM = 0.1  # share of the places that noise is compared in
FAINT = 0.3  # px of the result: a blur that is not worth its numbers
NARROW = 0.05  # HR px^2: least variance of a kernel
QUIET = 1.0  # 8-bit levels: less noise than this is none; rounding alone makes 0.3


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """What probably happened to an image."""

    degradation: Degradation
    """What was found. Its noise is the standard deviation of all that is not the scene."""
    confidence: str
    """One of CONFIDENCES; "none" when nothing can be told, and the degradation is the safe default."""
    jpeg_quality: int | None = None
    """Of a compression that left traces, 1 to 100; None without any."""

    @property
    def given(self) -> Degradation:
        """The degradation to give to a method: of a noisy or compressed image with more noise and less blur.

        Wrong sharpening hurts most, and a scene that is soft by itself looks like a blurred one.
        """
        found = self.degradation
        if found.noise == 0 and self.jpeg_quality is None:
            return found
        noise = min(LOUDEST, found.noise + CAUTION) if found.noise > 0 else 0.0
        if found.kernel is None:
            return replace(found, noise=noise)
        long, short, angle = kernels.shape_of(found.kernel)
        kernel = kernels.gaussian(max(NARROW, CAUTIOUS * long), max(NARROW, CAUTIOUS * short), angle)
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
            angle = math.degrees(shape.angle)
            blur = "hardly any" if long < FAINT else f"{long:.1f}x{short:.1f} px at {angle:.0f} deg"
        jpeg = "" if self.jpeg_quality is None else f", JPEG quality about {self.jpeg_quality}"
        return f"blur: {blur}, noise {255 * self.degradation.noise:.1f}/255{jpeg}, confidence {self.confidence}"


class Finding(NamedTuple):
    """What the parts of an image say together."""

    log: Tensor
    """(3,), see `Blur.log`."""
    deviations: Tensor
    """(2,) of size and of shape."""
    is_bicubic: bool
    noise: float
    """Standard deviation."""
    jpeg_quality: int | None


def examine(lr: Tensor, scale: Scale, run: Run | None = None) -> Estimate:
    """Estimate what made an image small.

    Args:
        lr: (1, C, H, W) in [0, 1].
        scale: of the degradation.
        run: where; `Run()` when None.

    Raises:
        InputError: not one image.
        CheckpointError: the package is damaged.
    """
    if lr.ndim != 4 or lr.shape[0] != 1:
        raise InputError(f"examine takes one image, (1, C, H, W), got {tuple(lr.shape)}")
    run = run or Run()
    bands = lr.detach().to(run.torch_device, torch.float32)
    grey = bands.mean(1, keepdim=True)
    if min(grey.shape[-2:]) < LEAST_SIDE or _roughness(grey) * 255 < FLAT:
        return Estimate(degradation=Degradation(scale=scale), confidence="none")
    with run.exact():
        finding = _find(_detailed_parts(grey))
    noise = finding.noise * _bands_per_grey(bands, grey)
    finding = finding._replace(noise=min(noise, LOUDEST) if 255 * noise >= QUIET else 0.0)
    return Estimate(
        degradation=_degradation(finding, scale),
        confidence=_confidence(finding),
        jpeg_quality=finding.jpeg_quality,
    )


@torch.no_grad()
def _find(parts: Tensor) -> Finding:
    return _fused(corrected(_network().to(parts.device), parts, GUESSES))


def _fused(prediction: Prediction) -> Finding:
    """Return what all parts say, each weighed by its own certainty."""
    is_bicubic = bool(prediction.bicubic.mean() > 0)
    logs, deviations = prediction.logs[:, int(is_bicubic)], prediction.deviations[:, int(is_bicubic)]
    weights = deviations.square().reciprocal()
    weights = weights / weights.sum(0)
    log = (logs * weights[:, [0, 1, 1]]).sum(0)
    # Parts of one image err alike, so many of them are hardly surer than one.
    deviation = (deviations * weights).sum(0)
    quality = None
    if float(prediction.jpeg.mean()) > 0:
        quality = min(100, max(1, round(100 * float(prediction.quality.mean()))))
    noise = (float(prediction.noise.exp().median()) - LOUDNESS) / 255
    return Finding(log, deviation, is_bicubic, max(0.0, noise), quality)


def _degradation(finding: Finding, scale: Scale) -> Degradation:
    covariance = covariance_of(finding.log.cpu())
    widest = float(torch.linalg.eigvalsh(covariance).max())
    sharp = SHARP_JPEG if finding.jpeg_quality is not None else SHARP if finding.is_bicubic else 0.0
    if widest < sharp:
        return Degradation(scale=scale, noise=finding.noise)
    stretch = torch.diag(torch.tensor(as_pair(scale)[::-1], dtype=torch.float32))
    values, vectors = torch.linalg.eigh(stretch @ covariance @ stretch)
    short, long = (max(NARROW, float(v)) for v in values)
    kernel = kernels.gaussian(long, short, math.atan2(float(vectors[1, 1]), float(vectors[0, 1])))
    subsampling = "bicubic" if finding.is_bicubic else "direct"
    return Degradation(scale=scale, kernel=kernel, subsampling=subsampling, anchor="aligned", noise=finding.noise)


def _confidence(finding: Finding) -> str:
    deviation = float(finding.deviations[0])
    return "high" if deviation < SURE[0] else "medium" if deviation < SURE[1] else "low"


def _detailed_parts(grey: Tensor) -> Tensor:
    """Return (N, 1, h + 2 * RADIUS, w + 2 * RADIUS): the image, or of a large one the parts with the most detail."""
    sides = [n if max(grey.shape[-2:]) <= WHOLE else min(n, SIDE) for n in grey.shape[-2:]]
    rows, columns = (_starts(n, side) for n, side in zip(grey.shape[-2:], sides, strict=True))
    windows = [Window(top, left, top + sides[0], left + sides[1]) for top in rows for left in columns]
    windows.sort(key=lambda w: -_roughness(grey[..., w.top : w.bottom, w.left : w.right]))
    around = [Window(w.top - RADIUS, w.left - RADIUS, w.bottom + RADIUS, w.right + RADIUS) for w in windows[:PARTS]]
    return torch.cat([cut(grey, window, (False, False)) for window in around])


def _bands_per_grey(bands: Tensor, grey: Tensor) -> float:
    """Return how much more noise the bands have than their mean: 1 if it is the same in all, its root if it is not.

    Judged where the image is calm, so that there is little but noise.
    """
    fine = [F.avg_pool2d(_fine(image).square(), CELL) for image in (bands, grey)]
    calm = fine[1] <= torch.quantile(fine[1], CALM)
    ratio = float(fine[0].mean(1, keepdim=True)[calm].mean() / fine[1][calm].mean().clamp(min=1e-12))
    return math.sqrt(min(max(ratio, 1.0), float(bands.shape[1])))


def _starts(length: int, side: int) -> list[int]:
    """Return where parts begin, evenly, so that they reach both ends, and cover all of it where a few do."""
    count = min(-(-length // side), MOST_STARTS)
    return [round(i * (length - side) / max(1, count - 1)) for i in range(count)]


def _roughness(grey: Tensor) -> float:
    return float(_fine(grey).square().mean().sqrt())


def _fine(x: Tensor) -> Tensor:
    """Return what of an image its 3x3 means lack."""
    return x - F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


@lru_cache(maxsize=1)
def _network() -> DegradationPredictor:
    network = load_prior(PRIOR)
    if not isinstance(network, DegradationPredictor):
        raise InputError(f"{PRIOR}: needed is a DegradationPredictor, this is a {type(network).__name__}")
    return network
