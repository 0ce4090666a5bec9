"""Training objective of the mixture policy: the largest expected gain over interpolation, with few losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from innersr.blind.candidates import CANDIDATES, candidates_of
from innersr.blind.finding import find
from innersr.errors import InputError
from innersr.methods.mixture import interpolate
from innersr.methods.registry import METHOD_PRESETS
from innersr.methods.tailor import Tailor
from innersr.metrics.grey_levels import linear_luma
from innersr.networks.mixture_policy import MixturePolicy
from innersr.physics.degradation import Degradation
from innersr.run import Run, generator_of
from innersr.training.crops import CropPool, Crops
from innersr.training.degradations import hr_side, random_scale
from innersr.training.objective import Loss, ParameterGroup
from innersr.training.real_degradations import ChainMixture, degrade_by_chains, random_chain
from innersr.training.validation import validation_crop

MIXTURE = ChainMixture(
    clean=0.22,
    soft=0.3,
    blurs_soft=False,  # an elongated blur, or one of single taps, is then hardly ever the scene's own
    sharpened=0.22,
    noisy=0.4,
    compressed=0.45,
    early_jpeg=0.15,
    lanczos=0.12,
    box=0.12,
    bicubic=0.3,
)
SCALE_SHARES = {2: 0.7, 3: 0.15, 4: 0.15}


class Measured(NamedTuple):
    """Statistics of an example: the squared error of a mixture is a quadratic function of its shares."""

    features: Tensor  # (F,)
    scale: int
    error: Tensor  # (), mean squared error of interpolation
    cross: Tensor  # (K,), mean products of interpolation's error and what each candidate adds to it
    gram: Tensor  # (K, K), means of the products of these additions


@dataclass(frozen=True, kw_only=True)
class MixtureObjective:
    """Trains a `MixturePolicy` on results of Tailor's prior, which are computed once for each example.

    Args:
        hidden: of the network.
        batch: examples per step.
        examples: different ones, each a crop with a chain of its own.
        crop: side of the LR image of an example.
        aversion: factor on losses against interpolation.
        decay: weight of the sum of the squared weights.
        seed: of the initial weights and of every draw.

    Raises:
        InputError: a crop below 32, fewer examples than a batch has, a factor below 1.
    """

    hidden: int = 64
    batch: int = 256
    examples: int = 6144
    crop: int = 64
    aversion: float = 1.5
    decay: float = 3e-4
    seed: int = 0
    unit: ClassVar[str] = "dB"

    def __post_init__(self) -> None:
        if self.crop < 32:  # noqa: PLR2004 (the estimate needs some detail)
            raise InputError(f"crop must be at least 32, got {self.crop}")
        if not 1 <= self.batch <= self.examples or self.hidden < 1:
            raise InputError("hidden and batch must be at least 1, and examples at least batch")
        if not self.aversion >= 1 or not self.decay >= 0:
            raise InputError(f"aversion must be at least 1 and decay at least 0, got {self.aversion}, {self.decay}")

    @property
    def side(self) -> int:
        """Side in pixels of the largest crop it needs."""
        return hr_side(self.crop, max(SCALE_SHARES))

    def network(self) -> MixturePolicy:
        """A new network, its weights drawn from the seed."""
        generator = torch.Generator().manual_seed(self.seed)
        return MixturePolicy(candidates=len(CANDIDATES), hidden=self.hidden, generator=generator)

    def parameter_groups(self, network: MixturePolicy) -> list[ParameterGroup]:
        """All weights together."""
        return [ParameterGroup(list(network.parameters()))]

    def crops(self, pool: CropPool, step: int, index: Sequence[int]) -> Crops:
        """Cut the crops of some examples; where all were measured already, one pixel stands for each."""
        numbers = [(step * self.batch + i) % self.examples for i in index]
        generators = [generator_of(self.seed, number) for number in numbers]
        measured = pool.computed
        if measured is not None and all(generator.initial_seed() in measured for generator in generators):
            return Crops(step, torch.zeros(len(numbers), 3, 1, 1, dtype=torch.uint8), generators, measured)
        return pool.crops(self.side, step, generators)

    def loss(self, network: MixturePolicy, crops: Crops, run: Run) -> Loss:
        """Negative mean utility of the network's shares."""
        rows: list[Measured] = []
        measured: dict[int, Measured] = {} if crops.computed is None else crops.computed
        for crop, generator in zip(crops.images, crops.generators, strict=True):
            key = generator.initial_seed()
            if key not in measured:
                scale = random_scale(SCALE_SHARES, generator)
                side = hr_side(self.crop, scale)
                measured[key] = measure_example(crop[None, :, :side, :side].float() / 255, scale, generator, run)
            rows.append(measured[key])
        utility = _utility(_gains(network, rows, run), self.aversion)
        size = torch.stack([p.square().sum() for p in network.parameters() if p.ndim > 1]).sum().cpu()
        return Loss((self.decay * len(rows) * size - utility.sum()) / self.batch)

    @torch.no_grad()
    def validate(self, network: MixturePolicy, images: Sequence[Tensor], run: Run) -> dict[str, float]:
        """Mean utility, and gain over interpolation, in dB, on separate chains at x2."""
        rows = []
        for index, image in enumerate(images):
            for repeat in range(4):
                generator = generator_of(self.seed + 1, index, repeat)
                rows.append(measure_example(validation_crop(image, hr_side(self.crop, 2)), 2, generator, run))
        if not rows:
            return {}
        gains = _gains(network, rows, run)
        return {
            "utility": round(float(_utility(gains, self.aversion).mean()), 3),
            "gain": round(float(gains.mean()), 3),
        }


@torch.no_grad()
def measure_example(crop: Tensor, scale: int, generator: torch.Generator, run: Run) -> Measured:
    """Degrade a sharp crop, (1, 3, S, S) in [0, 1] on the CPU, by a random chain, and restore it by each candidate."""
    task = degrade_by_chains(crop, [random_chain(generator, MIXTURE)], scale, [generator]).task
    lr, quiet = task.lr.to(run.torch_device), replace(run, report=None)
    finding = find(lr)
    draft = Tailor(**METHOD_PRESETS["tailor"]["draft"])
    start = interpolate(lr, Degradation(scale=scale))
    candidates = candidates_of(finding, scale)
    restored = {id(c): draft.adapt(lr, c, quiet)(lr) for c in candidates}  # two may be the same
    results = [restored[id(c)] for c in candidates]
    error, *additions = (
        linear_luma(x - start.cpu())[..., scale + 2 : -scale - 2, scale + 2 : -scale - 2].flatten()
        for x in (task.hr, *(result.cpu() for result in results))
    )
    added = torch.stack(additions)
    count = error.numel()
    return Measured(finding.features, scale, error.square().mean(), added @ error / count, added @ added.mT / count)


def _gains(network: MixturePolicy, rows: Sequence[Measured], run: Run) -> Tensor:
    """Gains over interpolation, (N,) in dB, of mixtures by the network's shares.

    PSNR counts up to about 42 dB: what is closer to the truth looks the same.
    """
    features = torch.stack([row.features for row in rows]).to(run.torch_device)
    scales = features.new_tensor([row.scale for row in rows])
    shares = network(features, scales)[:, 1:].cpu()
    error = torch.stack([row.error for row in rows])
    cross, gram = (torch.stack([getattr(row, name) for row in rows]) for name in ("cross", "gram"))
    remaining = error - 2 * (shares * cross).sum(1) + torch.einsum("ni,nij,nj->n", shares, gram, shares)
    least = 10**-4.2
    return 10 * ((error + least) / (remaining.clamp(min=0) + least)).log10()


def _utility(gains: Tensor, aversion: float) -> Tensor:
    return torch.where(gains < 0, aversion * gains, gains)
