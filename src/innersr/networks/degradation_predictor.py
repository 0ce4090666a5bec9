"""The network that tells blur and noise from an LR image, correcting a first guess.

As in iterative kernel correction (Gu 2019, IKC) it sees the LR image beside what undoing a guessed blur makes of it:
rings tell that the guess is too wide, softness that it is too narrow. Its answer is the next guess. All of it is in
LR pixels, so it holds for any scale.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from innersr.networks.layers import drawn_convolution, drawn_linear
from innersr.physics.log_covariance import FLOOR, SCALE, Blur, taps_of_blur
from innersr.physics.pseudoinverse import RADIUS, apply_filters, inverse_filters

FIRST_SIZE = math.log(0.45 + FLOOR)  # of the first guess: isotropic, variance 1.8 HR px^2 at x2
BLUR, FAMILIES = 5, 2  # outputs of each family: size, two of shape, and the logarithms of two deviations
OUTPUTS = FAMILIES * BLUR + 4
HEADS = 4  # maps of where to look
SLOPE = 0.1
LOUDNESS = 0.5  # 8-bit levels, added to noise before its logarithm
LEAST_ENERGY = 1e-4
CELL = 8  # pixels: a block of JPEG's
QUANTILES = (0.02, 0.1, 0.3, 0.6, 0.9, 0.98)
STATISTICS = len(QUANTILES) + 2
CONTRAST = 20.0  # factor on what the network sees


class Prediction(NamedTuple):
    """What the network says of a batch."""

    logs: Tensor
    """(N, 2, 3): the blur, see `Blur.log`, if subsampling was direct, and if it was bicubic."""
    deviations: Tensor
    """(N, 2, 2): standard deviations of size and of shape."""
    bicubic: Tensor
    """(N,) logit of bicubic subsampling."""
    noise: Tensor
    """(N,) log(255 * standard deviation + LOUDNESS) of all that is not the scene."""
    jpeg: Tensor
    """(N,) logit of traces of JPEG compression."""
    quality: Tensor
    """(N,) its quality / 100."""

    @property
    def blur(self) -> Blur:
        """The more probable family."""
        is_bicubic = self.bicubic > 0
        return Blur(self.logs[torch.arange(len(self.logs)), is_bicubic.long()], is_bicubic)


class DegradationPredictor(nn.Module):
    """Five convolutions, pooled over the image: its mean, its spread, and four weighted means.

    Args:
        width: features of the first two layers; the last two have twice as many.
        hidden: features after pooling.
        generator: of the initial weights.
    """

    def __init__(self, *, width: int = 28, hidden: int = 64, generator: torch.Generator) -> None:
        super().__init__()
        self.arguments = {"width": width, "hidden": hidden}
        widths = [1 + SCALE**2, width, width, 3 * width // 2, 2 * width, 2 * width]
        sides, strides = (5, 3, 3, 3, 3), (1, 1, 2, 1, 1)
        self.convolutions = nn.ModuleList(
            drawn_convolution(widths[i], widths[i + 1], 2.0, generator, side=side, stride=stride)
            for i, (side, stride) in enumerate(zip(sides, strides, strict=True))
        )
        self.look = drawn_convolution(widths[-1], HEADS, 0.1, generator, side=1)
        self.pooled = drawn_linear((HEADS + 2) * widths[-1] + 4 + STATISTICS, hidden, 2.0, generator)
        self.answer = drawn_linear(hidden, OUTPUTS, 0.1, generator)

    def forward(self, seen: Tensor, guess: Blur) -> Prediction:
        """Return what follows from a guess.

        Args:
            seen: (N, 1 + SCALE * SCALE, h, w), see `seen_with`.
            guess: that it was made with.
        """
        features = seen.contiguous(memory_format=torch.channels_last)
        for convolution in self.convolutions:
            features = F.leaky_relu_(convolution(features), SLOPE)
        weights = self.look(features).float().flatten(2).softmax(-1)
        features = features.float().flatten(2)
        mean, energy = features.mean(-1), (features.square().mean(-1) + LEAST_ENERGY).log()
        looked = (weights @ features.mT).flatten(1)
        told = torch.cat([guess.log, guess.is_bicubic[:, None].to(guess.log), statistics_of(seen[:, :1])], dim=1)
        means = torch.asinh(torch.cat([mean, looked], dim=1))  # as the logarithm for large ones
        hidden = F.leaky_relu(self.pooled(torch.cat([means, energy, told], dim=1)), SLOPE)
        answer = self.answer(hidden)
        families = answer[:, : FAMILIES * BLUR].unflatten(1, (FAMILIES, BLUR))
        logs, deviations = guess.log[:, None] + families[..., :3], families[..., 3:].clamp(-4, 2).exp()
        bicubic, noise, jpeg, quality = answer[:, FAMILIES * BLUR :].unbind(1)
        return Prediction(logs, deviations, bicubic, noise, jpeg, quality)


def first_guess(like: Tensor) -> Blur:
    """Return, for each image of a batch, what to assume before anything is known: isotropic, direct."""
    log = like.new_zeros(len(like), 3)
    log[:, 0] = FIRST_SIZE
    return Blur(log, torch.zeros(len(like), dtype=torch.bool, device=like.device))


def corrected(network: DegradationPredictor, grey: Tensor, guesses: int) -> Prediction:
    """Return what the network says after so many guesses, each of which is its last answer.

    Args:
        network: that corrects them.
        grey: see `seen_with`.
        guesses: at least 1.
    """
    guess = first_guess(grey)
    prediction = network(seen_with(grey, guess), guess)
    for _ in range(guesses - 1):
        guess = prediction.blur
        prediction = network(seen_with(grey, guess), guess)
    return prediction


def seen_with(grey: Tensor, guess: Blur) -> Tensor:
    """Return what the network sees.

    Args:
        grey: (N, 1, h + 2 * RADIUS, w + 2 * RADIUS) in [0, 1], with surroundings.
        guess: one for each image.

    Returns:
        (N, 1 + SCALE * SCALE, h, w): the image less its surroundings, and what the solution for the guess adds to it.
    """
    filters = inverse_filters(taps_of_blur(guess), SCALE, grey.new_full((len(grey),), 0.01))
    inner = grey[..., RADIUS:-RADIUS, RADIUS:-RADIUS]
    added = apply_filters(grey, filters) - inner
    smooth = F.avg_pool2d(grey, 3, stride=1)[..., RADIUS - 1 : 1 - RADIUS, RADIUS - 1 : 1 - RADIUS]
    return CONTRAST * torch.cat([inner - smooth, added], dim=1)


def statistics_of(fine: Tensor) -> Tensor:
    """Return (N, STATISTICS) of the finest structure, (N, 1, h, w): in calm and in busy places, on JPEG's grid."""
    fine = fine.float()
    places = F.avg_pool2d(fine.square(), CELL, ceil_mode=True).flatten(1)
    energies = (torch.quantile(places, places.new_tensor(QUANTILES), dim=1).mT + LEAST_ENERGY).log()
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
