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

LOUDNESS = 0.5  # 8-bit levels, added to noise before its logarithm
LEAST_ENERGY = 1e-4  # added before a logarithm
CELL = 8  # pixels: a block of JPEG's


class Prediction(NamedTuple):
    """The network's predictions for a batch."""

    logs: Tensor  # (N, 2, 3): the blur, see `GaussianBlur.log`, for direct and for bicubic subsampling
    deviations: Tensor  # (N, 2, 2): standard deviations of size and of shape
    bicubic: Tensor  # (N,) logit of bicubic subsampling
    noise: Tensor  # (N,) log(255 * standard deviation + LOUDNESS) of everything that is not the scene
    jpeg: Tensor  # (N,) logit of traces of JPEG compression
    quality: Tensor  # (N,) its quality / 100

    @property
    def blur(self) -> GaussianBlur:
        """The blur for the more probable subsampling."""
        is_bicubic = self.bicubic > 0
        return GaussianBlur(self.logs[torch.arange(len(self.logs)), is_bicubic.long()], is_bicubic)


class DegradationPredictor(nn.Module):
    """Five convolutions, pooled over the image into mean, energy and four attention-weighted means.

    Args:
        width: features of the first two layers; the last two have twice as many.
        hidden: features after pooling.
        generator: of the initial weights.
    """

    def __init__(self, *, width: int = 28, hidden: int = 64, generator: torch.Generator) -> None:
        super().__init__()
        self.arguments = {"width": width, "hidden": hidden}
        maps = 4  # of attention
        # Of each subsampling the size, two numbers of shape and two log deviations; bicubic, noise, JPEG, its quality.
        outputs = 2 * 5 + 4
        widths = [1 + SCALE**2, width, width, 3 * width // 2, 2 * width, 2 * width]
        sides, strides = (5, 3, 3, 3, 3), (1, 1, 2, 1, 1)
        self.convolutions = nn.ModuleList(
            seeded_convolution(widths[i], widths[i + 1], 2.0, generator, side=side, stride=stride)
            for i, (side, stride) in enumerate(zip(sides, strides, strict=True))
        )
        self.look = seeded_convolution(widths[-1], maps, 0.1, generator, side=1)
        self.pooled = seeded_linear((maps + 2) * widths[-1] + 4 + 8, hidden, 2.0, generator)
        self.answer = seeded_linear(hidden, outputs, 0.1, generator)

    def forward(self, seen: Tensor, guess: GaussianBlur) -> Prediction:
        """Correct the guess that `seen`, (N, 1 + SCALE * SCALE, h, w), was made from, see `predictor_input`."""
        features = seen.contiguous(memory_format=torch.channels_last)
        for convolution in self.convolutions:
            features = F.leaky_relu_(convolution(features), 0.1)
        weights = self.look(features).float().flatten(2).softmax(-1)
        features = features.float().flatten(2)
        mean, energy = features.mean(-1), (features.square().mean(-1) + LEAST_ENERGY).log()
        looked = (weights @ features.mT).flatten(1)
        is_bicubic = guess.is_bicubic[:, None].to(guess.log)
        known = torch.cat([guess.log, is_bicubic, fine_statistics(seen[:, :1])], dim=1)
        means = torch.asinh(torch.cat([mean, looked], dim=1))  # as the logarithm for large ones
        hidden = F.leaky_relu(self.pooled(torch.cat([means, energy, known], dim=1)), 0.1)
        answer = self.answer(hidden)
        families = answer[:, :-4].unflatten(1, (2, 5))
        logs, deviations = guess.log[:, None] + families[..., :3], families[..., 3:].clamp(-4, 2).exp()
        bicubic, noise, jpeg, quality = answer[:, -4:].unbind(1)
        return Prediction(logs, deviations, bicubic, noise, jpeg, quality)


def first_guess(like: Tensor) -> GaussianBlur:
    """Initial guess for each image of a batch: isotropic, variance 1.8 HR px^2 at x2, direct subsampling."""
    log = like.new_zeros(len(like), 3)
    log[:, 0] = math.log(0.45 + FLOOR)
    return GaussianBlur(log, torch.zeros(len(like), dtype=torch.bool, device=like.device))


def predict_iteratively(network: DegradationPredictor, grey: Tensor, guesses: int) -> Prediction:
    """Correct the first guess `guesses` times, at least once; each answer is the next guess."""
    guess = first_guess(grey)
    for _ in range(guesses):
        prediction: Prediction = network(predictor_input(grey, guess), guess)
        guess = prediction.blur
    return prediction


def predictor_input(grey: Tensor, guess: GaussianBlur) -> Tensor:
    """Compute the network's input.

    Args:
        grey: (N, 1, h + 2 * RADIUS, w + 2 * RADIUS) in [0, 1], with surroundings.
        guess: one for each image.

    Returns:
        (N, 1 + SCALE * SCALE, h, w): the image minus its local means, and the detail that the guess's solution adds.
    """
    filters = inverse_filters(taps_of_blur(guess), SCALE, grey.new_full((len(grey),), 0.01))
    inner = grey[..., RADIUS:-RADIUS, RADIUS:-RADIUS]
    added = apply_filters(grey, filters) - inner
    smooth = F.avg_pool2d(grey, 3, stride=1)[..., RADIUS - 1 : 1 - RADIUS, RADIUS - 1 : 1 - RADIUS]
    return 20 * torch.cat([inner - smooth, added], dim=1)


def fine_statistics(fine: Tensor) -> Tensor:
    """Statistics of (N, 1, h, w), (N, 8): six quantiles of the local energy, and seams on JPEG's grid per axis."""
    fine = fine.float()
    quantiles = fine.new_tensor((0.02, 0.1, 0.3, 0.6, 0.9, 0.98))
    places = F.avg_pool2d(fine.square(), CELL, ceil_mode=True).flatten(1)
    energies = (torch.quantile(places, quantiles, dim=1).mT + LEAST_ENERGY).log()
    seams = []
    for axis in (-2, -1):
        steps = fine.diff(dim=axis).abs().mean((1, -3 - axis))  # (N, n - 1)
        count = steps.shape[1] // CELL * CELL
        if count == 0:
            seams.append(steps.new_zeros(len(steps)))
            continue
        phases = steps[:, :count].unflatten(1, (-1, CELL)).mean(1) + LEAST_ENERGY
        seams.append((phases.amax(1) / phases.median(1).values).log())
    return torch.cat([energies, torch.stack(seams, dim=1)], dim=1)
