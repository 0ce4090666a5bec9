"""Findings of the predictor in an image: its answers for the most detailed parts, combined."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.blind.jpeg_traces import find_jpeg_traces
from innersr.networks.degradation_predictor import (
    LEAST_SHARPENING,
    NOISE_OFFSET,
    DegradationPredictor,
    Prediction,
    predict_iteratively,
)
from innersr.networks.priors import load_prior
from innersr.physics.noise.counting import CountingNoise
from innersr.physics.pseudoinverse import RADIUS
from innersr.physics.resize import Window, cut
from innersr.physics.symmetries import SYMMETRIES, apply_symmetry, flipped_axes


@dataclass(frozen=True, kw_only=True)
class FindingSettings:
    """Settings of `find`, chosen in docs/experiments.md, "Blind: telling blur and noise"."""

    whole_side: int = 512  # LR pixels of the long side up to which the whole image is looked at
    part_side: int = 256  # LR pixels, of the parts of a larger image that are looked at
    parts: int = 6  # how many
    most_starts: int = 8  # parts per axis from which those with the most detail are chosen
    guesses: int = 2  # passes of the network, each of which corrects the guess of the one before
    least_noise: float = 0.7  # 8-bit levels: less counts as none; rounding alone makes 0.3


SETTINGS = FindingSettings()


class Finding(NamedTuple):
    """The probable degradation of an image in numbers, in LR pixels."""

    log: Tensor  # (3,), see `GaussianBlur.log`
    deviations: Tensor  # (2,), standard deviations of size and of shape
    is_bicubic: bool
    noise: float  # Standard deviation over all channels, in [0, 1]
    compression: float  # Strength, see `jpeg.jpeg_strength`; 0 for none
    sharpening: float  # Amount times variance, LR px^2, of an unsharp mask if there was one
    is_sharpened: bool
    features: Tensor  # (F,), input of `MixturePolicy`
    is_overlooked: bool = False  # Whether the predictor missed a compression that was proved
    is_a_file: bool = False  # Whether that has the grid of a whole file, and so concerns all of the image


def find(lr: Tensor, *, is_thorough: bool = False) -> Finding:
    """Predict the degradation of an image, (1, C, h, w) in [0, 1]; of a large one from its most detailed parts.

    Compression that its traces prove, see `find_jpeg_traces`, takes the place of the predictor's answer. `is_thorough`
    averages over mirrored and transposed views too, whose errors differ, and takes the scene as sharp and its image as
    blurred: for a blur that is removed in full.

    Raises:
        CheckpointError: the package is damaged.
    """
    parts, traces = detailed_parts(lr), find_jpeg_traces(lr)
    with torch.no_grad():
        finding = combine(_predicted(parts, is_thorough=is_thorough))
        if traces is None:
            return finding
        strength = traces.strength if traces.is_sure else max(traces.strength, finding.compression)
        is_a_file = traces.is_sure and traces.offset == (0, 0)
        return finding._replace(compression=strength, is_overlooked=finding.compression == 0, is_a_file=is_a_file)


def find_stabilised(lr: Tensor, noise: CountingNoise) -> Finding:
    """As `find`, of an image with known counting noise: of the stabilised image, whose noise is Gaussian.

    No compression is taken over: white noise destroys its traces.
    """
    return find(noise.stabilise(lr))._replace(noise=noise.sigma, compression=0.0)


def _predicted(parts: Tensor, *, is_thorough: bool) -> Prediction:
    """Predictions for parts, (N, C, h, w); if thorough, 8 N of them, for every symmetry of each."""
    predictions = [_of_view(parts, symmetry) for symmetry in (SYMMETRIES if is_thorough else (0,))]
    prediction = Prediction(*(torch.cat(answers) for answers in zip(*predictions, strict=True)))
    return prediction.believed() if is_thorough else prediction


def _of_view(parts: Tensor, symmetry: int) -> Prediction:
    """Predictions for a view of parts, see `apply_symmetry`; blurs are those of the parts."""
    view = apply_symmetry(parts, symmetry)
    prediction = predict_iteratively(predictor(parts.device), view, SETTINGS.guesses)
    is_mirrored = len(flipped_axes(symmetry)) == 1
    signs = prediction.logs.new_tensor([1.0, -1.0 if symmetry & 4 else 1.0, -1.0 if is_mirrored else 1.0])
    return prediction._replace(logs=prediction.logs * signs, believed_logs=prediction.believed_logs * signs)


def combine(prediction: Prediction) -> Finding:
    """The finding of predictions for parts of one image; blurs are weighted by their certainty."""
    is_bicubic = bool(prediction.bicubic.mean() > 0)
    logs, deviations = prediction.logs[:, int(is_bicubic)], prediction.deviations[:, int(is_bicubic)]
    weights = deviations.square().reciprocal()
    weights = weights / weights.sum(0)
    noise = float(prediction.noise.exp().median()) - NOISE_OFFSET
    is_compressed, is_sharpened = (bool(p.mean() > 0) for p in (prediction.compressed, prediction.sharpened))
    sharpening = float(prediction.sharpening.exp().mean()) - LEAST_SHARPENING
    return Finding(
        log=(logs * weights[:, [0, 1, 1]]).sum(0).cpu(),
        # Errors in parts of one image are correlated, so many parts are hardly more certain than one.
        deviations=(deviations * weights).sum(0).cpu(),
        is_bicubic=is_bicubic,
        noise=noise / 255 if noise >= SETTINGS.least_noise else 0.0,
        compression=min(1.0, max(0.0, float(prediction.compression.mean()))) if is_compressed else 0.0,
        sharpening=max(0.05, sharpening),
        is_sharpened=is_sharpened,
        features=_features(prediction).mean(0).cpu(),
    )


def detailed_parts(lr: Tensor) -> Tensor:
    """Cut out (N, C, h + 2 * RADIUS, w + 2 * RADIUS): the image, or of a large one the parts with the most detail."""
    is_small = max(lr.shape[-2:]) <= SETTINGS.whole_side
    sides = [n if is_small else min(n, SETTINGS.part_side) for n in lr.shape[-2:]]
    rows, columns = (_starts(n, side) for n, side in zip(lr.shape[-2:], sides, strict=True))
    windows = [Window(top, left, top + sides[0], left + sides[1]) for top in rows for left in columns]
    grey = lr.mean(1, keepdim=True)
    windows.sort(key=lambda w: -roughness(grey[..., w.top : w.bottom, w.left : w.right]))
    chosen = windows[: SETTINGS.parts]
    around = [Window(w.top - RADIUS, w.left - RADIUS, w.bottom + RADIUS, w.right + RADIUS) for w in chosen]
    return torch.cat([cut(lr, window) for window in around])


def roughness(grey: Tensor) -> float:
    """Root mean square difference of an image from its 3x3 means."""
    means = F.avg_pool2d(grey, 3, stride=1, padding=1, count_include_pad=False)
    return float((grey - means).square().mean().sqrt())


def _features(p: Prediction) -> Tensor:
    """Input of `MixturePolicy`, (N, F): features and answers of the predictor, limited in size."""
    deviations = [p.deviations.flatten(1), *(d[:, None] for d in (p.first_noise_deviation, p.compression_deviation))]
    others = (p.bicubic, p.first_noise, p.compressed, p.compression, p.sharpened, p.sharpening, p.soft)
    answers = torch.cat([p.logs.flatten(1), *(d.log() for d in deviations), torch.stack(others, dim=1)], dim=1)
    return torch.cat([torch.asinh(p.features), answers.clamp(-6, 6)], dim=1).float()


def _starts(length: int, side: int) -> list[int]:
    """Evenly spaced starts of parts that reach both ends, and cover the whole length if few suffice."""
    count = min(-(-length // side), SETTINGS.most_starts)
    return [round(i * (length - side) / max(1, count - 1)) for i in range(count)]


@lru_cache(maxsize=4)  # one for each device: moving one network would disturb another thread that uses it
def predictor(device: torch.device) -> DegradationPredictor:
    """The packaged network, on a device."""
    network = load_prior("predictor")
    assert isinstance(network, DegradationPredictor)  # the package's own file, checked by its hash
    return network.to(device)
