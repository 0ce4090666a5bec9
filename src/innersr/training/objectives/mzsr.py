"""Training objective of MZSR: weights from which few steps of gradient descent lead to good ones (Soh 2020, sec. 3.2).

A task is one scale and one kernel. Inner steps adapt the weights to its support images; the loss is that of the
adapted weights on its query images, and its gradient goes through the inner steps (MAML, Finn 2017), with the
per-step loss weights of MAML++ (Antoniou 2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.inference.detail import super_resolve
from innersr.methods.maml import Pairs, loss_of, pairs_of, sgd_step, weights_of
from innersr.methods.mzsr import adapt_network, published_rates, rates_by_step
from innersr.networks.detail_stack import DetailStack
from innersr.physics.convolution import is_whole
from innersr.physics.degradation import SUBSAMPLINGS, Degradation
from innersr.physics.named_degradations import BENCHMARK_KERNEL
from innersr.physics.symmetries import random_crop
from innersr.run import Run, generator_of
from innersr.settings import check_choices
from innersr.training.crops import CropPool, Crops
from innersr.training.degradations import ANCHORS, KERNEL_SIDE, random_blur, scales_from
from innersr.training.objective import Loss, ParameterGroup
from innersr.training.validation import measure


class InnerLoop(NamedTuple):
    """Adaptation of the weights within a task."""

    learning_rate: float
    loss_weights: tuple[float, ...]
    """Of the query loss after each step."""
    first_order: bool


@dataclass(frozen=True, kw_only=True)
class MZSRObjective:
    """Meta-trains a `DetailStack` with biases. The defaults are the paper's, except `TrainingSchedule`'s.

    Args:
        scale: HR pixels per LR pixel, or the smallest of them.
        scales: how many there are to draw from, each 0.2 above the one before; the multi-scale model has 11 from 2.
        subsampling: "direct" keeps every s-th pixel of the blurred image; "bicubic" shrinks that by antialiased cubic
            interpolation.
        anchor: where a kernel lies: "centre" on the sampled pixel, as the paper has it, "aligned" so that the images
            lie edge to edge, or "either" of them, drawn for each task.
        subpixel: whether the network works on the LR image, not on the interpolated one.
        pairs: "external" takes sharp images as fathers, other ones for the query than for the support. "recursive"
            works as at test time: sharp images are degraded to fathers, these to sons; the support are sons and
            fathers, the query fathers and sharp images.
        first_order: use the query's gradient at the adapted weights (FOMAML, Finn 2017, sec. 5.2): half the time.
        inner_steps, inner_rate: number and learning rate of the steps of gradient descent on the support images.
        batch: tasks per step.
        images: of the support, and as many of the query.
        patch: side of an image, in HR pixels of what the network makes.
        width, depth: features of each hidden layer, and number of convolutions.
        seed: of the initial weights and of every draw.

    Raises:
        InputError: a setting out of its range, or a sub-pixel network for scales that are broken or several.
    """

    scale: float = 2.0
    scales: int = 1
    subsampling: str = "direct"
    anchor: str = "centre"
    subpixel: bool = False
    pairs: str = "external"
    first_order: bool = False
    inner_steps: int = 5
    inner_rate: float = 0.01
    batch: int = 5
    images: int = 8
    patch: int = 64
    width: int = 64
    depth: int = 8
    seed: int = 0
    unit: ClassVar[str] = "dB"

    def __post_init__(self) -> None:
        check_choices(self, subsampling=SUBSAMPLINGS, anchor=ANCHORS, pairs=("external", "recursive"))
        if not 1 < self.scale < math.inf or not 0 < self.inner_rate < math.inf:
            raise InputError(f"scale must be above 1 and inner_rate above 0, got {self.scale} and {self.inner_rate}")
        if min(self.scales, self.inner_steps, self.batch, self.images, self.width) < 1 or self.depth < 2:
            raise InputError("scales, inner_steps, batch, images and width must be 1 at least, depth 2 at least")
        if self.patch < KERNEL_SIDE:
            raise InputError(f"patch must be {KERNEL_SIDE} at least, the side of the kernels, got {self.patch}")
        if self.subpixel and (self.scales > 1 or not is_whole(self.scale)):
            raise InputError(f"a sub-pixel network needs one whole scale, got {self._scales}; use subpixel=false")

    @property
    def side(self) -> int:
        """Side in pixels of the largest crop it needs."""
        return self.patch if self.pairs == "external" else _hr_side(self.patch, max(self._scales))

    def network(self) -> DetailStack:
        """A new network, its weights drawn from the seed."""
        factors = (round(self.scale), round(self.scale)) if self.subpixel else (1, 1)
        generator = torch.Generator().manual_seed(self.seed)
        return DetailStack(3, factors=factors, width=self.width, depth=self.depth, bias=True, generator=generator)

    def parameter_groups(self, network: DetailStack) -> list[ParameterGroup]:
        """All parameters in one group."""
        return [ParameterGroup([*network.parameters()])]

    def crops(self, pool: CropPool, step: int, index: Sequence[int]) -> Crops:
        """Cut the sharp crops of some tasks of a step, one task after the other."""
        generators = [generator_of(self.seed, step, i) for i in index]
        drawn = pool.crops(self.side, step, [g for g in generators for _ in range(self._crops_per_task)])
        return Crops(step, drawn.images, generators)

    def loss(self, network: DetailStack, crops: Crops, run: Run) -> Loss:
        """Meta-loss of these tasks, and its gradients. Tasks are differentiated one by one to save memory."""
        inner = InnerLoop(self.inner_rate, loss_weights(crops.step, self.inner_steps), self.first_order)
        total = torch.zeros((), device=run.torch_device)
        sums = [torch.zeros_like(parameter) for parameter in network.parameters()]
        for images, generator in zip(crops.images.split(self._crops_per_task), crops.generators, strict=True):
            support, query = self.task(network, images.to(run.torch_device).float() / 255, generator)
            error, gradients = meta_gradient(network, support, query, inner, run.autocast())
            total += error / self.batch
            for known, gradient in zip(sums, gradients, strict=True):
                known += gradient / self.batch
        return Loss(total, sums)

    def validate(self, network: DetailStack, images: Sequence[Tensor], run: Run) -> dict[str, float]:
        """PSNR-Y in dB by degradation, scale and steps of adaptation, on images that can be shrunk twice."""
        quiet = replace(run, report=None)
        names = ["g1.3b"]
        if self.subsampling == "direct":
            names = {"centre": ["g2.0d"], "aligned": ["random:0"], "either": ["g2.0d", "random:0"]}[self.anchor]
        cases = [(name, round(scale)) for scale in self._scales if is_whole(scale) for name in names]
        large = [image for image in images if min(image.shape[-2:]) >= BENCHMARK_KERNEL * max(self._scales)]
        if not large:
            return {}

        def upscale(steps: int, lr: Tensor, degradation: Degradation) -> Tensor:
            lr = lr.to(run.torch_device)
            rates = rates_by_step(published_rates("", degradation), steps)
            adapted, _ = adapt_network(network, lr, degradation, rates, quiet)
            return super_resolve(adapted, lr, degradation, quiet, ensemble=False)

        return {
            f"{case}, {steps} steps": decibels
            for steps in (0, 1, 10)
            for case, decibels in measure(partial(upscale, steps), large, cases).items()
        }

    @torch.no_grad()
    def task(self, network: DetailStack, images: Tensor, generator: torch.Generator) -> tuple[Pairs, Pairs]:
        """Support and query of a task from its sharp images, (M, 3, S, S) in [0, 1]."""
        degradation = self._degradation(generator)
        if self.pairs == "external":
            fathers, targets = images.chunk(2)
        else:
            # Differs from the paper, whose support looks sharper than what is adapted to at test time.
            side = _hr_side(self.patch, degradation.scales[0])
            sharp = images[..., :side, :side]
            fathers, targets = degradation(sharp), random_crop(sharp, self.patch, generator)
        support, query = (pairs_of(network, degradation(x), x, degradation) for x in (fathers, targets))
        return support, query

    def _degradation(self, generator: torch.Generator) -> Degradation:
        scale = self._scales[int(torch.randint(self.scales, (), generator=generator))]
        return random_blur(generator, scale, subsampling=self.subsampling, anchor=self.anchor)

    @property
    def _scales(self) -> list[float]:
        return scales_from(self.scale, self.scales)

    @property
    def _crops_per_task(self) -> int:
        return 2 * self.images if self.pairs == "external" else self.images


def loss_weights(step: int, inner_steps: int) -> tuple[float, ...]:
    """Weights, of sum 1, of the query losses after each inner step: even at first; all but the last fall to 3 %."""
    # Differs from the reference code: it never passes the step to this rule, and the weights stay even.
    even = max(1 - 3 * step / 10_000, 0.03) / inner_steps
    return (even,) * (inner_steps - 1) + (1 - (inner_steps - 1) * even,)


def meta_gradient(
    network: DetailStack, support: Pairs, query: Pairs, inner: InnerLoop, autocast: AbstractContextManager[object]
) -> tuple[Tensor, list[Tensor]]:
    """Query loss of the adapted weights, and its gradient by the network's; in first order, the sum of every step's."""
    own = weights_of(network)
    weights, total = own, torch.zeros((), device=query.base.device)
    sums = [torch.zeros_like(weight) for weight in own.values()]
    for share in inner.loss_weights:
        weights, _ = sgd_step(
            network, weights, support, inner.learning_rate, autocast, second_order=not inner.first_order
        )
        if inner.first_order:
            weights = {name: weight.requires_grad_() for name, weight in weights.items()}
        error = share * loss_of(network, weights, query, autocast)
        if inner.first_order:
            sums = [a + b for a, b in zip(sums, torch.autograd.grad(error, [*weights.values()]), strict=True)]
            error = error.detach()
        total = total + error
    if inner.first_order:
        return total, sums
    return total.detach(), [*torch.autograd.grad(total, [*own.values()])]


def _hr_side(patch: int, scale: float) -> int:
    """Side of a sharp image that becomes a father of `patch` pixels."""
    return Degradation(scale=scale).hr_size((patch, patch))[0]
