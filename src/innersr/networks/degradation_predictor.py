"""The network of blind estimation, which predicts blur, noise and compression by correcting a guess of the blur.

As in iterative kernel correction (Gu 2019, IKC) it sees the LR image and its deblurred version for a guess: ringing
shows that the guess is too wide, softness that it is too narrow. Its answer is the next guess. All blurs are in LR
pixels, so it works at any scale.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from innersr.networks.layers import seeded_convolution, seeded_linear
from innersr.physics.log_covariance import FLOOR, SCALE, GaussianBlur, taps_of_blur
from innersr.physics.pseudoinverse import RADIUS, apply_filters, inverse_filters

NOISE_OFFSET = 0.5  # 8-bit levels, added to noise before its logarithm
LEAST_DEVIATION = 0.05  # of a blur that is believed: no answer is more certain
LEAST_ENERGY = 1e-4  # added before a logarithm
LEAST_SHARPENING = 0.1  # LR px^2, added before a logarithm
CELL = 8  # pixels: a block of JPEG's
CHANNELS = 1 + SCALE**2 + 3  # of the input: fine luma, added detail, fine chroma, coarser luma


class Prediction(NamedTuple):
    """The network's predictions for a batch. Deviations are standard deviations; shapes are (N,) unless stated."""

    logs: Tensor  # (N, 2, 3): blur, a soft scene's included, see `GaussianBlur.log`; direct and bicubic subsampling
    deviations: Tensor  # (N, 2, 2): of size and of shape
    bicubic: Tensor  # (N,) logit of bicubic subsampling
    noise: Tensor  # (N,) log(255 * standard deviation + NOISE_OFFSET), over all channels
    noise_deviation: Tensor
    first_noise: Tensor  # (N,) likewise, as learnt together with all else, which overlooks grain
    first_noise_deviation: Tensor
    compressed: Tensor  # (N,) logit of lossy compression
    compression: Tensor  # (N,) its strength, see `jpeg.jpeg_strength`
    compression_deviation: Tensor
    sharpened: Tensor  # (N,) logit of an unsharp mask after shrinking
    sharpening: Tensor  # (N,) log(amount * variance + LEAST_SHARPENING), the variance in LR px^2
    sharpening_deviation: Tensor
    soft: Tensor  # (N,) logit of a scene that is soft itself
    features: Tensor  # (N, hidden) of the image and the guess, for `MixturePolicy`
    believed_logs: Tensor  # (N, 3) as `logs`, of direct subsampling of an image that is certainly blurred
    believed_deviations: Tensor  # (N, 2)

    @property
    def blur(self) -> GaussianBlur:
        """The blur for the more probable subsampling."""
        is_bicubic = self.bicubic > 0
        return GaussianBlur(self.logs[torch.arange(len(self.logs)), is_bicubic.long()], is_bicubic)

    def believed(self) -> Prediction:
        """The same where the image is certainly blurred, and its scene sharp."""
        return self._replace(
            logs=torch.stack([self.believed_logs, self.logs[:, 1]], dim=1),
            deviations=torch.stack([self.believed_deviations, self.deviations[:, 1]], dim=1),
        )


class DegradationPredictor(nn.Module):
    """Five convolutions, pooled over the image into mean, energy and four attention-weighted means.

    Args:
        width: features of the first two layers; the last two have twice as many.
        hidden: features after pooling, and of the late layers; those of the blur have twice as many.
        generator: of the initial weights; None for shapes only, see `layers`.
    """

    def __init__(self, *, width: int = 28, hidden: int = 64, generator: torch.Generator | None) -> None:
        super().__init__()
        self.arguments = {"width": width, "hidden": hidden}
        maps = 4  # of attention
        widths = [CHANNELS, width, width, 3 * width // 2, 2 * width, 2 * width]
        sides, strides = (5, 3, 3, 3, 3), (1, 1, 2, 1, 1)
        self.convolutions = nn.ModuleList(
            seeded_convolution(widths[i], widths[i + 1], 2.0, generator, side=side, stride=stride)
            for i, (side, stride) in enumerate(zip(sides, strides, strict=True))
        )
        self.look = seeded_convolution(widths[-1], maps, 0.1, generator, side=1)
        pooled = (maps + 2) * widths[-1] + 4 + 16
        self.pooled = seeded_linear(pooled, hidden, 2.0, generator)
        # Of each subsampling the size, two numbers of shape and two log deviations, then the ten others.
        self.answer = seeded_linear(hidden, 2 * 5 + 10, 0.1, generator)
        self.noise = LateLayers(pooled + hidden, hidden, 2, generator=generator)
        self.blur = LateLayers(pooled + hidden, 2 * hidden, 5, generator=generator)

    def forward(self, inputs: Tensor, guess: GaussianBlur) -> Prediction:
        """Correct the guess that `inputs`, (N, CHANNELS, h, w), was made from, see `predictor_input`."""
        features = inputs.contiguous(memory_format=torch.channels_last)
        for convolution in self.convolutions:
            features = F.leaky_relu_(convolution(features), 0.1)
        weights = self.look(features).float().flatten(2).softmax(-1)
        features = features.float().flatten(2)
        mean, energy = features.mean(-1), (features.square().mean(-1) + LEAST_ENERGY).log()
        looked = (weights @ features.mT).flatten(1)
        is_bicubic = guess.is_bicubic[:, None].to(guess.log)
        statistics = [fine_statistics(inputs[:, :1]), chroma_noise(inputs[:, -3:-1]), energy_quantiles(inputs[:, -1:])]
        known = torch.cat([guess.log, is_bicubic, *statistics], dim=1)
        means = torch.asinh(torch.cat([mean, looked], dim=1))  # as the logarithm for large ones
        pooled = torch.cat([means, energy, known], dim=1)
        hidden = F.leaky_relu(self.pooled(pooled), 0.1).float()
        answer = self.answer(hidden).float()
        families, others = answer[:, :10].unflatten(1, (2, 5)), answer[:, 10:].unbind(1)
        logs, deviations = guess.log[:, None] + families[..., :3], _deviation(families[..., 3:])
        bicubic, first_noise, compressed, compression, first_noise_log, compression_log, *rest = others
        found = torch.cat([pooled, hidden], dim=1).detach()  # all else learns as without the late layers
        noise, noise_log = self.noise(found).float().unbind(1)
        blur = self.blur(found).float()
        sharpened, sharpening, sharpening_log, soft = rest
        return Prediction(
            logs=logs,
            deviations=deviations,
            bicubic=bicubic,
            noise=noise,
            noise_deviation=_deviation(noise_log),
            first_noise=first_noise,
            first_noise_deviation=_deviation(first_noise_log),
            compressed=compressed,
            compression=compression,
            compression_deviation=_deviation(compression_log),
            sharpened=sharpened,
            sharpening=sharpening,
            sharpening_deviation=_deviation(sharpening_log),
            soft=soft,
            features=hidden,
            believed_logs=logs[:, 0].detach() + blur[:, :3],
            believed_deviations=_deviation(blur[:, 3:]) + LEAST_DEVIATION,
        )


class LateLayers(nn.Module):
    """Three linear layers on what the predictor pools, normalised, as its parts differ in size.

    They are trained after the convolutions: those that find noise with more grain, chroma noise and noise of grey,
    those that find blur with blurred images of sharp scenes alone.

    Args:
        inputs: pooled features, and those of the predictor's hidden layer.
        hidden: features of both hidden layers.
        outputs: what is found, and logarithms of its deviations.
        generator: of the initial weights; None for shapes only, see `layers`.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, inputs: int, hidden: int, outputs: int, *, generator: torch.Generator | None) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(inputs))
        self.register_buffer("spread", torch.ones(inputs))
        self.layers = nn.ModuleList(
            seeded_linear(a, b, variance, generator)
            for a, b, variance in ((inputs, hidden, 2.0), (hidden, hidden, 2.0), (hidden, outputs, 0.1))
        )

    def forward(self, pooled: Tensor) -> Tensor:
        """Compute (N, outputs) from (N, inputs)."""
        x = (pooled - self.centre) / self.spread
        first, second, last = self.layers
        result: Tensor = last(F.leaky_relu(second(F.leaky_relu(first(x), 0.1)), 0.1))
        return result


def first_guess(like: Tensor) -> GaussianBlur:
    """Initial guess for each image of a batch: isotropic, variance 1.8 HR px^2 at x2, direct subsampling."""
    log = like.new_zeros(len(like), 3)
    log[:, 0] = math.log(0.45 + FLOOR)
    return GaussianBlur(log, torch.zeros(len(like), dtype=torch.bool, device=like.device))


def predict_iteratively(network: DegradationPredictor, around: Tensor, guesses: int) -> Prediction:
    """Correct the first guess `guesses` times, at least once; each answer is the next guess."""
    guess = first_guess(around)
    for _ in range(guesses):
        prediction: Prediction = network(predictor_input(around, guess), guess)
        guess = prediction.blur
    return prediction


def predictor_input(around: Tensor, guess: GaussianBlur) -> Tensor:
    """Compute the network's input.

    Args:
        around: (N, C, h + 2 * RADIUS, w + 2 * RADIUS) in [0, 1], with surroundings.
        guess: one for each image.

    Returns:
        (N, CHANNELS, h, w): the mean of the channels minus its local means, the detail that the guess's solution adds
        to it; the first and the last channel minus it, likewise without local means: 0 in grey images; and the mean of
        the channels minus its means over 7x7 pixels, where sharpening leaves halos.
    """
    grey = around.mean(1, keepdim=True)
    edge = around.shape[1] - 1 if around.shape[1] == 3 else 0  # noqa: PLR2004 (red and blue; other bands have no chroma)
    chroma = around[:, [0, edge]] - grey if edge else grey.new_zeros(len(grey), 2, *grey.shape[-2:])
    filters = inverse_filters(taps_of_blur(guess), SCALE, grey.new_full((len(grey),), 0.01))
    added = apply_filters(grey, filters) - grey[..., RADIUS:-RADIUS, RADIUS:-RADIUS]
    return 20 * torch.cat([_without_means(grey), added, _without_means(chroma), _without_means(grey, 7) / 4], dim=1)


def chroma_noise(chroma: Tensor) -> Tensor:
    """Logarithm of the local energy of fine chroma, (N, 2, h, w), in calm places, (N, 2): its quantile of 0.2."""
    places = F.avg_pool2d(chroma.float().square(), CELL, ceil_mode=True).flatten(2)
    return (places + LEAST_ENERGY).log().quantile(0.2, dim=-1)


def fine_statistics(fine: Tensor) -> Tensor:
    """Statistics of (N, 1, h, w), (N, 8): six quantiles of the local energy, and seams on JPEG's grid per axis."""
    fine = fine.float()
    seams = []
    for axis in (-2, -1):
        steps = fine.diff(dim=axis).abs().mean((1, -3 - axis))  # (N, n - 1)
        count = steps.shape[1] // CELL * CELL
        if count == 0:
            seams.append(steps.new_zeros(len(steps)))
            continue
        phases = steps[:, :count].unflatten(1, (-1, CELL)).mean(1) + LEAST_ENERGY
        seams.append((phases.amax(1) / phases.median(1).values).log())
    return torch.cat([energy_quantiles(fine), torch.stack(seams, dim=1)], dim=1)


def energy_quantiles(x: Tensor) -> Tensor:
    """Logarithms of six quantiles of the local energy of (N, 1, h, w), (N, 6)."""
    x = x.float()
    quantiles = x.new_tensor((0.02, 0.1, 0.3, 0.6, 0.9, 0.98))
    places = F.avg_pool2d(x.square(), CELL, ceil_mode=True).flatten(1)
    return (torch.quantile(places, quantiles, dim=1).mT + LEAST_ENERGY).log()


def _without_means(around: Tensor, side: int = 3) -> Tensor:
    """Subtract the means over side x side pixels, and cut off the surroundings."""
    margin = RADIUS - side // 2
    smooth = F.avg_pool2d(around, side, stride=1)[..., margin:-margin, margin:-margin]
    return around[..., RADIUS:-RADIUS, RADIUS:-RADIUS] - smooth


def _deviation(log: Tensor) -> Tensor:
    return log.clamp(-4, 2).exp()
