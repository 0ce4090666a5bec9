"""Training objective of the degradation predictor: estimate blur, noise and JPEG quality of degraded images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.inference.tailored import pad_for_filters
from innersr.networks.degradation_predictor import (
    LOUDNESS,
    DegradationPredictor,
    Prediction,
    first_guess,
    predict_iteratively,
    predictor_input,
)
from innersr.physics.log_covariance import SCALE, GaussianBlur, blur_of_taps, covariance_from_log
from innersr.physics.pseudoinverse import RADIUS
from innersr.run import Run, generator_of
from innersr.settings import check_choices
from innersr.training.crops import CropPool, Crops
from innersr.training.degradations import degrade, hr_side, random_task, randomly_compressed
from innersr.training.objective import OPTIMIZERS, Loss, ParameterGroup


@dataclass(frozen=True, kw_only=True)
class PredictorTraining:
    """How guesses are drawn and errors weighted; see docs/experiments.md, "Blind: telling blur and noise".

    Args:
        coloured_noise, jpeg: shares of the images that have it.
        first_guess: share of the tasks that see the first guess, the others one near the truth.
        guess_error: largest standard deviation of guesses, in logarithms.
        wrong_family: share of the guesses of the wrong family, times the error.
        noise_weight, jpeg_weight, quality_weight: of the losses; the quality's is within JPEG's.
        least_deviation: added to predicted standard deviations.
    """

    coloured_noise: float = 0.2
    jpeg: float = 0.3
    first_guess: float = 0.35
    guess_error: float = 0.8
    wrong_family: float = 0.3
    noise_weight: float = 0.5
    jpeg_weight: float = 0.2
    quality_weight: float = 4.0
    least_deviation: float = 0.05


TRAINING = PredictorTraining()


class Truth(NamedTuple):
    """The true degradations of a batch."""

    blur: GaussianBlur
    noise: Tensor
    """(N,) log(255 * standard deviation + LOUDNESS)."""
    quality: Tensor
    """(N,) of JPEG / 100, 0 where there was none."""


@dataclass(frozen=True, kw_only=True)
class PredictorObjective:
    """Trains a `DegradationPredictor`.

    Args:
        width, hidden: of the network.
        batch: crops per step, each with a degradation of its own.
        crop: side of a crop in LR pixels.
        optimizer: of the convolutions but the first, "muon" or "adam".
        seed: of the initial weights and of every draw.

    Raises:
        InputError: a crop that is too small, an unknown optimizer, an empty batch.
    """

    width: int = 28
    hidden: int = 64
    batch: int = 16
    crop: int = 64
    optimizer: str = "muon"
    seed: int = 0
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.crop <= RADIUS:
            raise InputError(f"crop must be above {RADIUS}, got {self.crop}")
        check_choices(self, optimizer=OPTIMIZERS)
        if min(self.batch, self.width, self.hidden) < 1:
            raise InputError("batch, width and hidden must be 1 at least")

    @property
    def side(self) -> int:
        """Side in pixels of the crops it needs."""
        return hr_side(self.crop, SCALE)

    def network(self) -> DegradationPredictor:
        """A new network, its weights drawn from the seed."""
        generator = torch.Generator().manual_seed(self.seed)
        return DegradationPredictor(width=self.width, hidden=self.hidden, generator=generator)

    def parameter_groups(self, network: DegradationPredictor) -> list[ParameterGroup]:
        """The weights of all convolutions but the first, and the rest."""
        hidden = [layer.weight for layer in list(network.convolutions)[1:]]
        rest = [parameter for parameter in network.parameters() if all(parameter is not weight for weight in hidden)]
        return [ParameterGroup(hidden, self.optimizer), ParameterGroup(rest)]  # type: ignore[arg-type]

    def crops(self, pool: CropPool, step: int, index: Sequence[int]) -> Crops:
        """Cut the sharp crops of some tasks of a step."""
        return pool.crops(self.side, step, [generator_of(self.seed, step, i) for i in index])

    def loss(self, network: DegradationPredictor, crops: Crops, run: Run) -> Loss:
        """Negative log-likelihood of the true degradations."""
        with torch.no_grad():
            sharp = crops.images.to(run.torch_device).float() / 255
            grey, truth = example_of(sharp, crops.generators)
            guess = _guesses(truth.blur, crops.generators)
            seen = predictor_input(pad_for_filters(grey), guess)
        with run.autocast():
            prediction = network(seen, guess)
        return Loss(_negative_log_likelihood(prediction, truth) * (len(sharp) / self.batch))

    @torch.no_grad()
    def validate(self, network: DegradationPredictor, images: Sequence[Tensor], run: Run) -> dict[str, float]:
        """Mean errors after three guesses: of size and shape in logarithms, of orientation in degrees."""
        sums: dict[str, list[float]] = {"size": [], "shape": [], "degrees": [], "family": [], "noise": []}
        for index, image in enumerate(images):
            for repeat in range(6):
                side = min(self.side, *image.shape[-2:]) // SCALE * SCALE
                generators = [generator_of(self.seed + 1, index, repeat)]
                grey, truth = example_of(image[..., :side, :side].to(run.torch_device), generators)
                prediction = predict_iteratively(network, pad_for_filters(grey), 3)
                found = prediction.logs[0, int(truth.blur.is_bicubic)]
                error = (found - truth.blur.log[0]).tolist()
                sums["size"].append(abs(error[0]))
                sums["shape"].append(math.hypot(*error[1:]))
                sums["family"].append(float(prediction.blur.is_bicubic[0] != truth.blur.is_bicubic[0]))
                sums["noise"].append(abs(float(prediction.noise[0] - truth.noise[0])))
                values = torch.linalg.eigvalsh(covariance_from_log(truth.blur.log[0]))
                if values[1] > 2 * values[0] and values[0] > 0:
                    turn = math.atan2(found[2], found[1]) - math.atan2(truth.blur.log[0, 2], truth.blur.log[0, 1])
                    sums["degrees"].append(math.degrees(abs(math.remainder(turn, 2 * math.pi))) / 2)
        return {name: round(sum(errors) / max(1, len(errors)), 3) for name, errors in sums.items()}


def example_of(sharp: Tensor, generators: Sequence[torch.Generator]) -> tuple[Tensor, Truth]:
    """Degrade sharp crops, (N, 3, S, S); return the grey LR images, (N, 1, h, w), and the truth."""
    task = random_task(sharp, SCALE, generators, coloured_noise=TRAINING.coloured_noise)
    lr, quality = randomly_compressed(task.lr, TRAINING.jpeg, generators)
    deviation = (lr - degrade(sharp, task.taps, SCALE)).mean(1).square().mean((1, 2)).sqrt()
    blur, _ = blur_of_taps(task.taps)
    return lr.mean(1, keepdim=True), Truth(blur, (255 * deviation + LOUDNESS).log(), quality / 100)


def _guesses(truth: GaussianBlur, generators: Sequence[torch.Generator]) -> GaussianBlur:
    """Draw a guess for each image: the first guess, or one near the truth, perhaps of the wrong family."""
    first, draws = first_guess(truth.log), [torch.rand(3, generator=g).tolist() for g in generators]
    moves = torch.stack([torch.randn(3, generator=g) for g in generators]).to(truth.log)
    starts = torch.tensor([d[0] < TRAINING.first_guess for d in draws], device=truth.log.device)
    wrong = torch.tensor([TRAINING.guess_error * d[1] for d in draws], device=truth.log.device)
    other = torch.tensor([d[2] < TRAINING.wrong_family * d[1] for d in draws], device=truth.log.device)
    near = truth.log + wrong[:, None] * moves
    near[:, 0].clamp_(-4, 1)  # from nearly no blur to more than any kernel has
    return GaussianBlur(
        torch.where(starts[:, None], first.log, near), torch.where(starts, first.is_bicubic, truth.is_bicubic ^ other)
    )


def _negative_log_likelihood(prediction: Prediction, truth: Truth) -> Tensor:
    """Mean negative log-likelihood of the true degradations."""
    own = truth.blur.is_bicubic.long()
    index = torch.arange(len(own), device=own.device)
    logs = prediction.logs[index, own]
    size, shape = (prediction.deviations[index, own] + TRAINING.least_deviation).unbind(1)
    error = logs - truth.blur.log
    blur = 0.5 * (error[:, 0] / size).square() + size.log()
    blur = blur + 0.5 * (error[:, 1:] / shape[:, None]).square().sum(1) + 2 * shape.log()
    family = F.binary_cross_entropy_with_logits(prediction.bicubic, truth.blur.is_bicubic.float(), reduction="none")
    noise = F.smooth_l1_loss(prediction.noise, truth.noise, beta=0.2, reduction="none")
    was_compressed = (truth.quality > 0).float()
    jpeg = F.binary_cross_entropy_with_logits(prediction.jpeg, was_compressed, reduction="none")
    jpeg = jpeg + TRAINING.quality_weight * was_compressed * (prediction.quality - truth.quality).abs()
    return (blur + family + TRAINING.noise_weight * noise + TRAINING.jpeg_weight * jpeg).mean()
