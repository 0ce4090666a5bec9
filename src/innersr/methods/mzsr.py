"""MZSR: a prior that a few steps of gradient descent on the image adapt to it (Soh, Cho, Cho, CVPR 2020).

As in ZSSR, the image is the father; degraded once more it becomes the son, and a network learns to turn sons into
fathers. ZSSR's network begins with random weights and needs thousands of steps. This one begins with weights that
were meta-trained, over many kernels, to be a few steps away from good ones (`pretraining.mzsr`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor

from innersr import kernels
from innersr.augment import random_crop
from innersr.blur import WHOLE, is_whole
from innersr.degradation import Degradation
from innersr.errors import InputError, KernelError
from innersr.methods.adaptation import Weights, pairs_of, sgd_step, weights_of, with_weights
from innersr.methods.bands import enlarge, pictures_of, stage_of
from innersr.methods.protocols import Upscaler
from innersr.methods.supervised import load_stack
from innersr.networks import DetailStack
from innersr.priors import prior_names
from innersr.refine import back_project
from innersr.run import Run

NETWORKS = ("auto", "paper", "subpixel")
LARGEST_FATHER = 256  # LR pixels: of larger images a part is learnt from, in every step another

# The published learning rates by step; the last holds for all further ones (the paper's code, test.py).
DIRECT_X2 = (2e-2, 1e-2, 1e-2, 1e-2, 5e-3)
BICUBIC_X2 = (1e-2, 1e-2, 1e-2, 1e-3)
DIRECT_X4 = (1e-2, 5e-3, 5e-3, 5e-3, 5e-3, 1e-3)
MULTI_SCALE = (1e-2, 1e-2, 1e-2, 5e-3)


class Packaged(NamedTuple):
    """A prior that may be packaged, and what it was made for."""

    name: str
    network: str
    """ "paper" or "subpixel"."""
    model: str
    """Where the LR pixels lie: "direct", on HR pixels, or "bicubic", in the middle of s x s of them."""
    scales: tuple[float, float]
    """Least and greatest."""
    learning_rates: tuple[float, ...]


LEAST_VARIANCE = 1.0  # HR px^2, of the long axis: sharper kernels were not in meta-training (Soh 2020, sec. 4.1)

# The first one that fits the degradation and is packaged is taken.
PRIORS = (
    Packaged("mzsr-direct-x2", "paper", "direct", (2, 2), DIRECT_X2),
    Packaged("mzsr-bicubic-x2", "paper", "bicubic", (2, 2), BICUBIC_X2),
    Packaged("mzsr-direct-x4", "paper", "direct", (4, 4), DIRECT_X4),
    Packaged("mzsr-direct-x2-lr", "subpixel", "direct", (2, 2), DIRECT_X2),
    Packaged("mzsr-bicubic-x2-lr", "subpixel", "bicubic", (2, 2), BICUBIC_X2),
    Packaged("mzsr-direct-x4-lr", "subpixel", "direct", (4, 4), DIRECT_X4),
    Packaged("mzsr-bicubic-x4-lr", "subpixel", "bicubic", (4, 4), DIRECT_X4),  # beyond the paper
    Packaged("mzsr-multi", "paper", "direct", (2, 4), MULTI_SCALE),
)
LARGE_SCALE = Packaged("supervised-x2", "paper", "bicubic", (2, 2), BICUBIC_X2)


@dataclass(frozen=True, kw_only=True)
class MZSR:
    """Meta-transfer learning for zero-shot super-resolution.

    Args:
        steps: of gradient descent on the image; the paper has 1 and 10. 0 takes the prior as it is.
        prior: name of a packaged one, or path of a file. When empty, the first of PRIORS that is packaged and was
            made for this network, these scales and such LR pixels. Where there is none, the first that was made
            for this network and these scales and works at HR resolution: the interpolated image shows it where
            the LR pixels lie, and it is adapted to them. For images sharper than those of meta-training, as bicubic
            shrinking makes them, the weights that meta-training began with.
        learning_rates: of the steps, the last one for all that follow; those published for the model when empty.
        network: of the prior: "paper" works at HR resolution on the interpolated image, "subpixel" on the LR image,
            which needs a whole scale; "auto" takes either.
        self_ensemble: take the median over the symmetries that the degradation allows.
        back_projection: conjugate-gradient steps that make the result agree with the image, see `back_project`.
    """

    steps: int = 10
    prior: str = ""
    learning_rates: tuple[float, ...] = ()
    network: str = "auto"
    self_ensemble: bool = False
    back_projection: int = 0

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise InputError(f"network must be one of {', '.join(NETWORKS)}, got {self.network!r}")
        if min(self.steps, self.back_projection) < 0:
            raise InputError("steps and back_projection must not be negative")
        if not all(0 < rate < math.inf for rate in self.learning_rates):
            raise InputError(f"learning_rates must be positive and finite, got {self.learning_rates}")

    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """Adapt the prior to `lr`.

        Args:
            lr: (1, C, H, W) in [0, 1]. The networks have three bands; of any other number, each is adapted to
                alone, as grey.
            degradation: what made `lr`; it is degraded the same way again.
            run: where and how long.

        Raises:
            InputError: no packaged prior fits, or the one given does not.
            KernelError: a kernel larger than the image.
            CheckpointError: the prior cannot be read.
        """
        self._check(lr, degradation)
        prior = self.prior or packaged_prior(degradation, self.network)
        network = load_stack(prior, degradation)
        if self.network not in ("auto", "subpixel" if network.sees_lr else "paper"):
            raise InputError(f"{prior}: is no prior for network={self.network}; use network=auto or another prior")
        rates = rates_by_step(self.learning_rates or published_rates(prior, degradation), self.steps)
        pictures, bands = pictures_of(lr), lr.shape[1]
        networks = [
            adapt_network(network, picture, degradation, rates, run, stage_of("learn", number, len(pictures)))
            for number, picture in enumerate(pictures)
        ]

        def upscale(x: Tensor) -> Tensor:
            if x.shape[1] != bands:
                raise InputError(f"this upscaler has learnt from {bands} channels, got {x.shape[1]}")
            sr = enlarge(networks, x, degradation, run, ensemble=self.self_ensemble)
            return back_project(sr, x, degradation, steps=self.back_projection, run=run)

        return upscale

    def _check(self, lr: Tensor, degradation: Degradation) -> None:
        if self.network == "subpixel" and not all(is_whole(s) for s in degradation.scales):
            raise InputError(f"a sub-pixel network needs whole scales, got {degradation.scale}; use network=auto")
        if self.steps and min(lr.shape[-2:]) < degradation.reach:
            raise KernelError(
                f"the kernel ({degradation.reach} pixels) is larger than the image ({lr.shape[-1]}x{lr.shape[-2]}), "
                "which it has to shrink again to learn from; use a smaller kernel, or steps=0"
            )


def adapt_network(
    network: DetailStack, lr: Tensor, degradation: Degradation, rates: Sequence[float], run: Run, stage: str = "learn"
) -> DetailStack:
    """Return a copy of the network that has learnt to make an image of its son.

    Args:
        network: meta-trained; not changed.
        lr: (1, 3, h, w) in [0, 1].
        degradation: what made `lr`.
        rates: learning rate of each step of gradient descent.
        run: where and how long.
        stage: name of this work in the reports.
    """
    plain = replace(degradation, wrap="")  # a father's son does not continue on its other side
    side = max(LARGEST_FATHER, degradation.reach)
    generator, pairs = run.generator(), None
    weights: Weights = {name: weight.to(lr.device) for name, weight in weights_of(network).items()}
    steps = run.steps(stage, len(rates))
    for step in steps:
        # Differs from the paper: of large images a part, so that time and memory are bounded.
        if pairs is None or max(lr.shape[-2:]) > side:
            father = random_crop(lr, side, generator, degradation.wraps)
            pairs = pairs_of(network, plain(father, generator), father, plain)
        weights, loss = sgd_step(network, weights, pairs, rates[step], run.autocast())
        steps.note(loss)
    return with_weights(network, weights)


def packaged_prior(degradation: Degradation, network: str = "auto") -> str:
    """Return the name of the packaged prior that is taken for a degradation, see `MZSR`.

    Raises:
        InputError: none fits.
    """
    there, wanted = prior_names(), [prior.name for prior in _fitting(degradation, network)]
    for name in wanted:
        if name in there:
            return name
    looked = f"looked for {', '.join(wanted)}" if wanted else f"they are for scales from 2 to 4, network={network}"
    raise InputError(
        f"no packaged prior of mzsr fits scale {degradation.scale} ({looked}); use the method zssr, or give a file as "
        "prior"
    )


def published_rates(prior: str, degradation: Degradation) -> tuple[float, ...]:
    """Return the published learning rates of a packaged prior, of a file those of what would fit the degradation."""
    by_name = {packaged.name: packaged.learning_rates for packaged in PRIORS}
    fitting = [packaged.learning_rates for packaged in _fitting(degradation, "auto")]
    return by_name.get(prior, fitting[0] if fitting else MULTI_SCALE)


def rates_by_step(rates: Sequence[float], steps: int) -> list[float]:
    """Return one learning rate for each step, the last one again where there are more steps."""
    return [rates[min(step, len(rates) - 1)] for step in range(steps)]


def _fitting(degradation: Degradation, network: str) -> list[Packaged]:
    """Return the priors for these scales: first those made for such LR pixels, then those that can adapt to them.

    Where the image is sharper than meta-training knows, the weights of large-scale training come before all: the
    others would sharpen it once more.
    """
    model = _model_of(degradation)
    kernel = degradation.kernel
    is_sharp = kernel is None or kernels.shape_of(kernel).long_variance < LEAST_VARIANCE
    large_scale = [LARGE_SCALE] if is_sharp and network != "subpixel" and degradation.scales == (2, 2) else []
    fitting = [prior for prior in PRIORS if network in ("auto", prior.network) and _spans(prior, degradation.scales)]
    others = [prior for prior in fitting if prior.model != model and prior.network == "paper"]
    return large_scale + [prior for prior in fitting if prior.model == model] + others


def _spans(prior: Packaged, scales: tuple[float, float]) -> bool:
    least, greatest = prior.scales
    return all(least - WHOLE < s < greatest + WHOLE for s in scales)


def _model_of(degradation: Degradation) -> str:
    """Return which published model's LR pixels lie nearer to where those of this degradation lie.

    Differs from the paper, whose kernels are all centred: with an aligned kernel, LR pixels of direct subsampling lie
    where those of bicubic subsampling do.
    """
    to_direct = max(abs(o) for o in degradation.offsets)
    to_bicubic = max(abs(o - (s - 1) / 2) for o, s in zip(degradation.offsets, degradation.scales, strict=True))
    return "direct" if to_direct < to_bicubic else "bicubic"
