"""MZSR: a meta-trained prior, adapted to the image by a few steps of gradient descent (Soh, Cho, Cho, CVPR 2020).

As in ZSSR, a network is trained to restore the image, the father, from its degraded copy, the son. ZSSR starts from
random weights; MZSR from weights meta-trained to be a few steps from good ones (`training.objectives.mzsr`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from innersr.adam import Adam
from innersr.divergence import DivergenceGuard
from innersr.errors import InputError, KernelError
from innersr.inference.channels import as_rgb, channel_groups, super_resolve_channels
from innersr.isolation import isolated
from innersr.methods.fathers import as_one_tile, detailed_part, rounding_like, shrunk_copies
from innersr.methods.maml import Weights, loss_of, pairs_of, sgd_step, weights_of, with_weights
from innersr.methods.protocols import Upscaler
from innersr.methods.schedules import cosine
from innersr.methods.supervised import load_stack
from innersr.methods.upscalers.detail import LearnsDetail
from innersr.networks.detail_stack import DetailStack
from innersr.networks.priors import prior_names
from innersr.physics import kernels
from innersr.physics.back_projection import back_project
from innersr.physics.convolution import WHOLE, is_whole
from innersr.physics.degradation import Degradation
from innersr.physics.geometry import scale_words
from innersr.physics.symmetries import random_crop
from innersr.run import Run, stage_name
from innersr.settings import check_choices

LARGEST_FATHER = 256  # LR pixels: of larger images a part is learned from, another in every step
LARGEST_CROP = 160  # pixels, of each sharpened father in each step; chosen on Kodak 24


class Packaged(NamedTuple):
    """A prior that may be packaged, and the images it was trained for."""

    name: str
    network: str
    """ "paper" or "subpixel"."""
    model: str
    """Where the LR pixels lie: "direct", on HR pixels, or "bicubic", in the centre of s x s of them."""
    scales: tuple[float, float]
    """Least and greatest."""

    def spans(self, scales: tuple[float, float]) -> bool:
        """Whether it was trained for these scales."""
        return all(self.scales[0] - WHOLE < scale < self.scales[1] + WHOLE for scale in scales)

    @property
    def learning_rates(self) -> tuple[float, ...]:
        """Published rates by step; the last holds for all further steps (the paper's code, test.py)."""
        if self.scales == (2, 4):
            return 1e-2, 1e-2, 1e-2, 5e-3
        if self.scales == (4, 4):
            return 1e-2, 5e-3, 5e-3, 5e-3, 5e-3, 1e-3
        return (2e-2, 1e-2, 1e-2, 1e-2, 5e-3) if self.model == "direct" else (1e-2, 1e-2, 1e-2, 1e-3)


# The first one that fits the degradation and is packaged is taken.
PRIORS = (
    Packaged("mzsr-direct-x2", "paper", "direct", (2, 2)),
    Packaged("mzsr-bicubic-x2", "paper", "bicubic", (2, 2)),
    Packaged("mzsr-direct-x4", "paper", "direct", (4, 4)),
    Packaged("mzsr-direct-x2-lr", "subpixel", "direct", (2, 2)),
    Packaged("mzsr-bicubic-x2-lr", "subpixel", "bicubic", (2, 2)),
    Packaged("mzsr-direct-x4-lr", "subpixel", "direct", (4, 4)),
    Packaged("mzsr-bicubic-x4-lr", "subpixel", "bicubic", (4, 4)),  # beyond the paper
    Packaged("mzsr-multi", "paper", "direct", (2, 4)),
)

LARGE_SCALE = Packaged("supervised-x2", "paper", "bicubic", (2, 2))


@dataclass(frozen=True, kw_only=True)
class MZSR(LearnsDetail):
    """Meta-transfer learning for zero-shot super-resolution.

    Args:
        steps: of gradient descent on the image; the paper has 1 and 10. 0 takes the prior as it is.
        prior: name of a packaged one, or path of a file. When empty, the first of PRIORS that is packaged and was
            made for this network, these scales and such LR pixels; else the first for this network and these scales
            at HR resolution, whose input shows where the LR pixels lie. For images sharper than those of
            meta-training, as bicubic shrinking makes them, the initial weights of meta-training.
        father: target of the training: "image", as published, the image of its son, by plain gradient
            descent; or "sharpened", its own first result, back-projected and shrunk a little, of sons of that, by Adam.
        learning_rates: of the steps, the last one for all that follow; when empty those published for the model, for
            sharpened fathers `sharpened_rates`.
        network: of the prior: "paper" works at HR resolution on the interpolated image, "subpixel" on the LR image,
            which needs a whole scale; "auto" takes either.
        self_ensemble: take the median over the symmetries that the degradation allows.
        back_projection: conjugate-gradient steps that make the result agree with the image, see `back_project`.
    """

    steps: int = 10
    prior: str = ""
    father: str = "image"
    learning_rates: tuple[float, ...] = ()
    network: str = "auto"
    self_ensemble: bool = False
    back_projection: int = 0

    def __post_init__(self) -> None:
        check_choices(self, network=("auto", "paper", "subpixel"), father=("image", "sharpened"))
        if min(self.steps, self.back_projection) < 0:
            raise InputError("steps and back_projection must not be negative")
        if not all(0 < rate < math.inf for rate in self.learning_rates):
            raise InputError(f"learning_rates must be positive and finite, got {self.learning_rates}")

    def check(self, degradation: Degradation) -> None:
        """Raise InputError for a scale that no packaged prior has, or no sub-pixel network."""
        if self.network == "subpixel" and not all(is_whole(s) for s in degradation.scales):
            raise InputError(
                f"a sub-pixel network needs whole scales, got {scale_words(degradation.scale)}; use network=auto"
            )
        if not self.prior:
            packaged_prior(degradation, self.network)

    @isolated
    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """Adapt the prior to `lr`, (1, C, H, W) in [0, 1]; unless C is 3, to each channel alone, as grey.

        Raises:
            InputError: no packaged prior fits, or the one given does not.
            KernelError: a kernel larger than the image.
            CheckpointError: the prior cannot be read.
        """
        run = run.start()
        self._check(lr, degradation)
        prior = self.prior or packaged_prior(degradation, self.network)
        network = load_stack(prior, degradation)
        if self.network not in ("auto", "subpixel" if network.sees_lr else "paper"):
            raise InputError(f"{prior}: is not a prior for network={self.network}; use network=auto or another prior")
        is_sharpened = self.father == "sharpened"
        published = sharpened_rates(self.steps) if is_sharpened else published_rates(prior, degradation)
        rates = rates_by_step(self.learning_rates or published, self.steps)
        planes = channel_groups(lr)
        adapt = self._learn_result if is_sharpened else adapt_network
        learnt = [
            adapt(network, plane, degradation, rates, run, stage_name("learn", number, len(planes)))
            for number, plane in enumerate(planes)
        ]
        networks = [network for network, _ in learnt]
        notes = tuple(dict.fromkeys(note for _, notes in learnt for note in notes))
        return self.upscaler(networks, degradation, run, lr.shape[1]).learnt_from(prior, notes)

    def _learn_result(  # noqa: PLR0913 (those of adapt_network)
        self, network: DetailStack, lr: Tensor, degradation: Degradation, rates: Sequence[float], run: Run, stage: str
    ) -> tuple[DetailStack, tuple[str, ...]]:
        """A copy of the network, trained on its own result of an image of one channel or three, and notes on that."""
        learner, generator, rounded = copy.deepcopy(network).to(lr.device), run.generator(), rounding_like(lr)
        plain = replace(degradation, wrap="")  # crops are not periodic
        fathers = self._sharpened(learner, lr, degradation, run, generator) if rates else []
        if not fathers:
            return learner, ()  # they would all be smaller than the kernel
        side = max(LARGEST_CROP, degradation.reach)
        optimizer = Adam(learner.requires_grad_(True).parameters(), max(rates), betas=(0.9, 0.99))
        guard = DivergenceGuard([*learner.parameters()], [optimizer], limit=10.0)  # ten times the range of values
        steps = run.steps(stage, len(rates))
        for step in guard.guarded(steps):
            optimizer.learning_rate = rates[step] * guard.rate_share
            optimizer.zero_grad()
            losses = []
            for father in fathers:
                crop = as_rgb(random_crop(father, side, generator))
                pairs = pairs_of(learner, rounded(plain(crop, generator)), crop, plain)
                loss = loss_of(learner, weights_of(learner), pairs, run.autocast()) / len(fathers)
                loss.backward()
                losses.append(loss.detach())
            loss = torch.stack(losses).sum()
            if guard.is_sound(loss):
                optimizer.step()
            steps.note(loss)
        notes = guard.settle()
        return learner.requires_grad_(False), notes

    def _sharpened(
        self, network: DetailStack, lr: Tensor, degradation: Degradation, run: Run, generator: torch.Generator
    ) -> list[Tensor]:
        """Fathers: the present result for an image, back-projected and shrunk."""
        part, part_degradation = detailed_part(lr, degradation, generator)
        quiet = as_one_tile(run)
        result = super_resolve_channels([network], part, part_degradation, quiet, ensemble=False)
        back_project(result, part, part_degradation, steps=self.back_projection, run=quiet)
        return shrunk_copies(result, (0.7, 0.8, 0.9), part_degradation)  # chosen on Kodak 24

    def _check(self, lr: Tensor, degradation: Degradation) -> None:
        self.check(degradation)
        if self.steps and self.father == "image" and min(lr.shape[-2:]) < degradation.reach:
            raise KernelError(
                f"the kernel ({degradation.reach} pixels) is larger than the image ({lr.shape[-1]}x{lr.shape[-2]}), "
                "which it has to shrink again to learn from; use a smaller kernel, or steps=0"
            )


def adapt_network(
    network: DetailStack, lr: Tensor, degradation: Degradation, rates: Sequence[float], run: Run, stage: str = "learn"
) -> tuple[DetailStack, tuple[str, ...]]:
    """A copy of a meta-trained network, trained to restore an image from its son, and notes on divergence.

    Args:
        network: not changed.
        lr: (1, 1 or 3, h, w) in [0, 1].
        degradation: what made `lr`.
        rates: learning rate of each step of gradient descent.
        run: device, precision, time limit.
        stage: name in the reports.
    """
    lr = as_rgb(lr)
    plain = replace(degradation, wrap="")  # crops are not periodic
    side = max(LARGEST_FATHER, degradation.reach)
    generator, pairs = run.generator(), None
    weights: Weights = {name: weight.detach().to(lr.device, copy=True) for name, weight in weights_of(network).items()}
    guard = DivergenceGuard([*weights.values()], limit=10.0)  # ten times the range of values
    steps = run.steps(stage, len(rates))
    for step in guard.guarded(steps):
        # Differs from the paper: of large images a part, so that time and memory are bounded.
        if pairs is None or max(lr.shape[-2:]) > side:
            father = random_crop(lr, side, generator, degradation.wraps)
            pairs = pairs_of(network, plain(father, generator), father, plain)
        stepped, loss = sgd_step(network, weights, pairs, rates[step] * guard.rate_share, run.autocast())
        if guard.is_sound(loss):
            torch._foreach_copy_([*weights.values()], [*stepped.values()])
        steps.note(loss)
    notes = guard.settle()
    return with_weights(network, weights), notes


def packaged_prior(degradation: Degradation, network: str = "auto") -> str:
    """Name of the packaged prior for a degradation, see `MZSR`; raises InputError if none fits."""
    packaged, fitting = prior_names(), [prior.name for prior in _fitting(degradation, network)]
    for name in fitting:
        if name in packaged:
            return name
    looked = f"looked for {', '.join(fitting)}" if fitting else f"they are for scales from 2 to 4, network={network}"
    remedy = "use the method zssr, or give a file as prior"
    raise InputError(f"no packaged prior of mzsr fits scale {scale_words(degradation.scale)} ({looked}); {remedy}")


def published_rates(prior: str, degradation: Degradation) -> tuple[float, ...]:
    """Published learning rates of a packaged prior; for a file, those of the prior that fits the degradation."""
    by_name = {packaged.name: packaged.learning_rates for packaged in PRIORS}
    fitting = [packaged.learning_rates for packaged in _fitting(degradation, "auto")]
    return by_name.get(prior, fitting[0] if fitting else PRIORS[-1].learning_rates)


def sharpened_rates(steps: int) -> tuple[float, ...]:
    """Rates of Adam on sharpened fathers, chosen on Kodak 24: four steps of warm-up, then a cosine."""
    return tuple(cosine(step / steps, 7e-4) * min(1, (step + 1) / 4) for step in range(steps))


def rates_by_step(rates: Sequence[float], steps: int) -> list[float]:
    """One learning rate for each step; the last is repeated."""
    return [rates[min(step, len(rates) - 1)] for step in range(steps)]


def _fitting(degradation: Degradation, network: str) -> list[Packaged]:
    """The priors for these scales: first those for such LR pixels, then those that can adapt to them.

    For images sharper than those of meta-training, the weights of large-scale training come first: the others would
    sharpen twice.
    """
    model = _model_of(degradation)
    kernel = degradation.kernel
    # Meta-training has kernels of at least 1 HR px^2 along the long axis (Soh 2020, sec. 4.1).
    is_sharp = kernel is None or kernels.shape_of(kernel).long_variance < 1.0
    large_scale = [LARGE_SCALE] if is_sharp and network != "subpixel" and degradation.scales == (2, 2) else []
    fitting = [prior for prior in PRIORS if network in ("auto", prior.network) and prior.spans(degradation.scales)]
    others = [prior for prior in fitting if prior.model != model and prior.network == "paper"]
    return large_scale + [prior for prior in fitting if prior.model == model] + others


def _model_of(degradation: Degradation) -> str:
    """The published model whose LR pixels lie nearer to those of this degradation.

    Differs from the paper, whose kernels are all centred: with an aligned kernel, LR pixels of direct subsampling lie
    where those of bicubic subsampling do.
    """
    to_direct = max(abs(o) for o in degradation.offsets)
    to_bicubic = max(abs(o - (s - 1) / 2) for o, s in zip(degradation.offsets, degradation.scales, strict=True))
    return "direct" if to_direct < to_bicubic else "bicubic"
