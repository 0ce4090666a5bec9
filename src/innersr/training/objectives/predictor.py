"""Training objective of the degradation predictor: find blur, sharpening, noise and compression of degraded images."""

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
    LEAST_SHARPENING,
    NOISE_OFFSET,
    DegradationPredictor,
    Prediction,
    first_guess,
    predict_iteratively,
    predictor_input,
)
from innersr.physics.log_covariance import GaussianBlur, blur_of_taps, covariance_from_log, log_from_covariance
from innersr.physics.pseudoinverse import RADIUS
from innersr.run import Run, generator_of
from innersr.settings import check_choices
from innersr.training.crops import CropPool, Crops
from innersr.training.degradations import hr_side, random_scale
from innersr.training.objective import OPTIMIZERS, Loss, ParameterGroup
from innersr.training.real_degradations import ChainMixture, degrade_by_chains, random_chain
from innersr.training.validation import validation_crop


@dataclass(frozen=True, kw_only=True)
class PredictorTraining:
    """How guesses are drawn and errors weighted; see docs/experiments.md, "Blind: telling blur and noise".

    Args:
        first_guess: share of the tasks that see the first guess, the others one near the truth.
        guess_error: largest standard deviation of guesses, in logarithms.
        wrong_family: share of the guesses of the wrong family, times the error.
        noise_weight, compression_weight, sharpening_weight, soft_weight: of the losses beside that of the blur.
        least_deviation: added to predicted standard deviations.
        least_sharpening: LR px^2, less counts as none.
    """

    first_guess: float = 0.35
    guess_error: float = 0.8
    wrong_family: float = 0.3
    noise_weight: float = 0.7
    compression_weight: float = 0.6
    sharpening_weight: float = 1.0
    soft_weight: float = 0.5
    least_deviation: float = 0.05
    least_sharpening: float = 0.02


TRAINING = PredictorTraining()
MIXTURE = ChainMixture(
    clean=0.25, soft=0.3, sharpened=0.25, noisy=0.45, compressed=0.45, early_jpeg=0.15, lanczos=0.1, box=0.1
)
SCALE_SHARES = {2: 0.75, 3: 0.1, 4: 0.15}


class Truth(NamedTuple):
    """The true degradations of a batch."""

    blur: GaussianBlur  # of shrinking and of a soft scene, less what sharpening undid
    noise: Tensor  # (N,) log(255 * standard deviation + NOISE_OFFSET)
    compression: Tensor  # (N,) strength, 0 where there was none
    sharpening: Tensor  # (N,) LR px^2 by which an unsharp mask did more than undo the blur
    is_soft: Tensor  # (N,) bool


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
        return hr_side(self.crop, max(SCALE_SHARES))

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
        generators = [generator_of(self.seed, step, i) for i in index]
        return pool.crops(hr_side(self.crop, self._scale(step)), step, generators)

    def loss(self, network: DegradationPredictor, crops: Crops, run: Run) -> Loss:
        """Negative log-likelihood of the true degradations."""
        with torch.no_grad():
            lr, truth = example_of(crops.images.float() / 255, self._scale(crops.step), crops.generators)
            guess = _guesses(truth.blur, crops.generators)
            device = run.torch_device
            guess = GaussianBlur(*(part.to(device) for part in guess))
            inputs = predictor_input(pad_for_filters(lr.to(device)), guess)
        with run.autocast():
            prediction = network(inputs, guess)
        prediction = Prediction(*(part.float().cpu() for part in prediction))
        return Loss(_negative_log_likelihood(prediction, truth) * (len(lr) / self.batch))

    def _scale(self, step: int) -> int:
        """Scale of all tasks of a step."""
        return random_scale(SCALE_SHARES, generator_of(self.seed, step, -1))

    @torch.no_grad()
    def validate(self, network: DegradationPredictor, images: Sequence[Tensor], run: Run) -> dict[str, float]:
        """Mean errors after three guesses: of size and shape in logarithms, of orientation in degrees."""
        names = ("size", "shape", "degrees", "family", "noise", "compression", "sharpening")
        sums: dict[str, list[float]] = {name: [] for name in names}
        for index, image in enumerate(images):
            for repeat in range(6):
                generators = [generator_of(self.seed + 1, index, repeat)]
                lr, truth = example_of(validation_crop(image, hr_side(self.crop, 2)).cpu(), 2, generators)
                prediction = predict_iteratively(network, pad_for_filters(lr.to(run.torch_device)), 3)
                prediction = Prediction(*(part.cpu() for part in prediction))
                found = prediction.logs[0, int(truth.blur.is_bicubic)]
                error = (found - truth.blur.log[0]).tolist()
                sums["size"].append(abs(error[0]))
                sums["shape"].append(math.hypot(*error[1:]))
                sums["family"].append(float(prediction.blur.is_bicubic[0] != truth.blur.is_bicubic[0]))
                sums["noise"].append(abs(float(prediction.noise[0] - truth.noise[0])))
                strength = float(prediction.compression[0]) * float(prediction.compressed[0] > 0)
                sums["compression"].append(abs(strength - float(truth.compression[0])))
                sums["sharpening"].append(float((prediction.sharpened[0] > 0) != (truth.sharpening[0] > 0)))
                values = torch.linalg.eigvalsh(covariance_from_log(truth.blur.log[0]))
                if values[1] > 2 * values[0] and values[0] > 0:
                    turn = math.atan2(found[2], found[1]) - math.atan2(truth.blur.log[0, 2], truth.blur.log[0, 1])
                    sums["degrees"].append(math.degrees(abs(math.remainder(turn, 2 * math.pi))) / 2)
        return {name: round(sum(errors) / max(1, len(errors)), 3) for name, errors in sums.items()}


def example_of(sharp: Tensor, scale: int, generators: Sequence[torch.Generator]) -> tuple[Tensor, Truth]:
    """Degrade sharp crops, (N, 3, S, S) on the CPU, by random chains; return the LR images and the truth."""
    chains = [random_chain(generator, MIXTURE) for generator in generators]
    task, _, kernels = degrade_by_chains(sharp, chains, scale, generators)
    blur, _ = blur_of_taps(kernels, scale)
    soft = task.lr.new_tensor([chain.soft**2 / scale**2 for chain in chains])
    undone = task.lr.new_tensor([amount * sigma**2 for sigma, amount in (chain.sharpening for chain in chains)])
    covariance = covariance_from_log(blur.log) + (soft - undone)[:, None, None] * torch.eye(2)
    sharpening = -torch.linalg.eigvalsh(covariance).mean(-1)
    sharpening = torch.where(sharpening < TRAINING.least_sharpening, 0.0, sharpening)
    blur = GaussianBlur(log_from_covariance(covariance), blur.is_bicubic)
    return task.lr, Truth(blur, (255 * task.noise + NOISE_OFFSET).log(), task.compression, sharpening, soft > 0)


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
    deviations = prediction.deviations[index, own] + TRAINING.least_deviation
    blur = _of_blur(prediction.logs[index, own], deviations, truth)
    believed = _of_blur(prediction.believed_logs, prediction.believed_deviations, truth)
    blur = blur + believed * ~truth.blur.is_bicubic
    family = _cross_entropy(prediction.bicubic, truth.blur.is_bicubic)
    noise = _gaussian(prediction.noise - truth.noise, prediction.noise_deviation, TRAINING.least_deviation)
    first_error = prediction.first_noise - truth.noise
    noise = noise + _gaussian(first_error, prediction.first_noise_deviation, TRAINING.least_deviation)
    was_compressed, was_sharpened = (x > 0 for x in (truth.compression, truth.sharpening))
    # In tenths of the strength, and in halves of the logarithm.
    strength = _gaussian(10 * (prediction.compression - truth.compression), prediction.compression_deviation, 0.2)
    error = prediction.sharpening - (truth.sharpening + LEAST_SHARPENING).log()
    amount = _gaussian(2 * error, prediction.sharpening_deviation, 0.1)
    compression = _cross_entropy(prediction.compressed, was_compressed) + was_compressed * strength
    sharpening = _cross_entropy(prediction.sharpened, was_sharpened) + was_sharpened * amount
    total = blur + family + TRAINING.noise_weight * noise + TRAINING.compression_weight * compression
    total = total + TRAINING.sharpening_weight * sharpening
    return (total + TRAINING.soft_weight * _cross_entropy(prediction.soft, truth.is_soft)).mean()


def _of_blur(logs: Tensor, deviations: Tensor, truth: Truth) -> Tensor:
    """Negative log-likelihood of the true blurs, (N,)."""
    size, shape = deviations.unbind(1)
    error = logs - truth.blur.log
    of_shape = 0.5 * (error[:, 1:] / shape[:, None]).square().sum(1) + 2 * shape.log()
    return 0.5 * (error[:, 0] / size).square() + size.log() + of_shape


def _gaussian(error: Tensor, deviation: Tensor, least: float) -> Tensor:
    """Negative log-likelihood of Gaussian errors."""
    deviation = deviation + least
    return 0.5 * (error / deviation).square() + deviation.log()


def _cross_entropy(logit: Tensor, truth: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logit, truth.float(), reduction="none")
