"""Tailor: a prior conditioned on the image's degradation, then adapted on the image itself (`Tailor._adapt_weights`).

The prior is a small network trained on many degradations and conditioned on the one at hand. Its result, shrunk a
little, is as sharp per pixel as the HR image. Degraded again, it gives training pairs (fathers and sons) from which the
network learns what recurs in this image at several scales.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from innersr.adam import Adam
from innersr.divergence import DivergenceGuard
from innersr.errors import InputError
from innersr.inference.tailored import (
    condition_on,
    knowable_to,
    pad_for_filters,
    super_resolve_padded,
    super_resolve_tailored,
    to_network_channels,
)
from innersr.isolation import isolated
from innersr.methods.fathers import as_one_tile, detailed_part, saving_like, shrunk_copies
from innersr.methods.holdout import HoldoutRule, hold_out, interpolate_weights, line_search, training_mask
from innersr.methods.protocols import Upscaler
from innersr.methods.schedules import cosine
from innersr.methods.upscalers.tailored import VIEWS, TailoredUpscaler
from innersr.metrics.recurrence import recurrence_of, steps_for
from innersr.networks.priors import load_prior
from innersr.networks.tailored_stack import SCALES, TailoredStack
from innersr.physics.degradation import Degradation
from innersr.physics.pseudoinverse import taps_of
from innersr.physics.symmetries import SYMMETRIES, apply_symmetry, random_crop
from innersr.run import Run

PRIOR = "tailor"  # packaged prior of all degradations; those of clean images alone are tailor-clean and tailor-clean-x4
FATHER_SIZES = {2: (0.5, 0.75), 3: (0.6, 0.85), 4: (0.7, 0.9)}  # least and greatest by scale; sons must not be tiny
HOLDOUT_RULE = HoldoutRule()
LEAST_REDUCTION = 0.07  # of the error of new crops, as a share, with which further steps pay
MOST_NOISE = 10 / 255  # with which they pay; under more, an image seems to repeat itself, and its mean moves


@dataclass(frozen=True, kw_only=True)
class Tailor:
    """A prior conditioned on the degradation and adapted to the image.

    Args:
        prior: name of a packaged prior, or path of a file. If empty, the packaged prior of clean images at this scale
            for a degradation without noise and compression, or that of all degradations.
        steps: of Adam on the image itself; 0 keeps the prior unadapted, None is 15.
        further_steps: taken after them, with new fathers, where they have reduced the error of crops by
            LEAST_REDUCTION, as they do in text and patterns, and there is no more noise than MOST_NOISE. None: 60 where
            `steps` is None, else none.
        by_recurrence: take fewer of the steps, the less of the image recurs in its own smaller copies, see
            `recurrence.steps_for`. None: only where `steps` is None and the degradation was estimated, see `resolved`.
        learning_rate: of Adam at the start; it decays along a cosine.
        crop: largest side of the training crops, in LR pixels.
        batch: crops per step.
        smallest_father, largest_father: least and greatest factor by which the result is shrunk to fathers, in (0, 1];
            0 for the default of the scale, see FATHER_SIZES.
        refresh: steps after which fathers are renewed from the present result; 0 for never.
        views: turned copies of the image whose results are averaged: 1, 2, 4 or 8; 0 for two, and more for small
            images, where they cost little, see `affordable_views`.
        corrections: rounds of `project_to_consistency`; at scales that are not the network's, back-projection makes the
            result agree with the image instead. 0 for neither.
    """

    prior: str = ""
    steps: int | None = None
    further_steps: int | None = None
    by_recurrence: bool | None = None
    learning_rate: float = 8e-4
    crop: int = 32
    batch: int = 8
    smallest_father: float = 0.0
    largest_father: float = 0.0
    refresh: int = 0
    views: int = 0
    corrections: int = 1

    def __post_init__(self) -> None:
        if self.views not in (0, *VIEWS):
            raise InputError(f"views must be one of 0, {', '.join(map(str, VIEWS))}, got {self.views}")
        if min(self.crop, self.batch) < 1:
            raise InputError(f"crop and batch must be at least 1, got {self.crop} and {self.batch}")
        if min(self.steps or 0, self.further_steps or 0, self.refresh, self.corrections) < 0:
            raise InputError("steps, further_steps, refresh and corrections must not be negative")
        for smallest, largest in map(self._father_sizes, FATHER_SIZES):
            if not 0 < smallest <= largest <= 1:
                raise InputError(
                    "smallest_father and largest_father must be in (0, 1], smallest_father not above the other, "
                    f"got {smallest} and {largest}"
                )
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate must be positive and finite, got {self.learning_rate}")

    def resolved(self, *, is_estimated: bool) -> Tailor:
        """A copy without None in any setting, for an estimated degradation or a given one."""
        by_recurrence = self.steps is None and is_estimated if self.by_recurrence is None else self.by_recurrence
        further_steps = (60 if self.steps is None else 0) if self.further_steps is None else self.further_steps
        steps = 15 if self.steps is None else self.steps
        return replace(self, steps=steps, further_steps=further_steps, by_recurrence=by_recurrence)

    @isolated
    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """Condition the prior on the degradation, and adapt it to `lr`, (1, C, H, W) of any number of channels.

        Raises:
            InputError: there is no such prior, or it is another network.
            CheckpointError: the prior cannot be read.
        """
        run = run.start()
        prior = self.prior or packaged_prior_for(degradation)
        network = _load(prior).to(lr.device)
        known = knowable_to(network, degradation)
        resolved = self.resolved(is_estimated=False)
        steps = resolved.steps or 0
        if resolved.by_recurrence and steps:
            steps = steps_for(recurrence_of(lr, known.noise).score, steps)
        given, most = round(255 * degradation.noise), round(255 * known.noise)
        louder = f"noise of {given} levels is treated as {most}, the most that the prior has learnt"
        notes: tuple[str, ...] = (louder,) if degradation.noise > known.noise else ()
        if steps:
            whole = known.rescaled(_network_scale(degradation))
            notes += replace(resolved, steps=steps)._adapt_weights(network, lr, whole, run)
        return self.upscaler([network], degradation, run, lr.shape[1]).learnt_from(prior, notes)

    def upscaler(
        self,
        networks: Sequence[nn.Module],
        degradation: Degradation,
        run: Run,
        channels: int,  # noqa: ARG002 (it takes any)
    ) -> TailoredUpscaler:
        """See `Restoring`."""
        (network,) = networks
        if not isinstance(network, TailoredStack):
            raise InputError(f"Tailor applies a TailoredStack, got a {type(network).__name__}")
        return TailoredUpscaler(
            run,
            network,
            knowable_to(network, degradation),
            scale=_network_scale(degradation),
            views=self.views,
            corrections=self.corrections,
        )

    def _adapt_weights(self, network: TailoredStack, lr: Tensor, degradation: Degradation, run: Run) -> tuple[str, ...]:
        """Train all layers but FiLM to restore fathers from sons, then keep as much as the holdout allows.

        Return notes on what went wrong.
        """
        learning = _InternalLearning(self, network, lr, degradation, run)
        if not learning.fathers:
            return ()  # they would all be smaller than the kernel
        learning.take_steps(self.steps or 0)
        is_quiet = degradation.noise <= MOST_NOISE
        if self.further_steps and is_quiet and learning.reduction() >= LEAST_REDUCTION:
            learning.renew_fathers()
            learning.take_steps(self.further_steps)
        return learning.settle()

    def _result(self, network: TailoredStack, lr: Tensor, degradation: Degradation, run: Run) -> Tensor:
        """The network's present result, in [0, 1]."""
        images = to_network_channels(lr, network)
        return super_resolve_tailored(network, images, degradation, as_one_tile(run), symmetries=(0,)).clamp_(0, 1)

    def _fathers(self, result: Tensor, degradation: Degradation) -> list[Tensor]:
        """Smaller copies of a result, none smaller than the kernel, with the `training_mask` as one more channel."""
        factors = torch.linspace(*self._father_sizes(round(degradation.scales[0])), 3).tolist()
        copies = shrunk_copies(result, factors, degradation)
        masks = [training_mask(copy.shape[-2], copy.shape[-1]).to(result.device) for copy in copies]
        return [torch.cat([c, m.expand(len(c), -1, -1, -1)], dim=1) for c, m in zip(copies, masks, strict=True)]

    def _father_sizes(self, scale: int) -> tuple[float, float]:
        smallest, largest = FATHER_SIZES[scale]
        return self.smallest_father or smallest, self.largest_father or largest

    def _targets(
        self, fathers: list[Tensor], degradation: Degradation, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw the father crops of one step, each under a random symmetry, and their training mask."""
        crops = []
        scale = round(degradation.scales[0])
        wanted = scale * max(self.crop, math.ceil(degradation.reach / scale))
        side = min(wanted, *(n for father in fathers for n in father.shape[-2:]))
        for _ in range(self.batch):
            father = fathers[int(torch.randint(len(fathers), (), generator=generator))]
            symmetry = SYMMETRIES[int(torch.randint(len(SYMMETRIES), (), generator=generator))]
            image = father[int(torch.randint(len(father), (), generator=generator))][None]
            crops.append(apply_symmetry(random_crop(image, side, generator), symmetry))
        batch = torch.cat(crops)
        return batch[:, :-1], batch[:, -1:]


class _Crops(NamedTuple):
    """What one step learns from; N crops of fathers and their sons."""

    sons: Tensor
    """(N, C, h, w)"""
    targets: Tensor
    """(N, C, s * h, s * w)"""
    mask: Tensor
    """(N, 1, s * h, s * w): 0 in the held-out quarter."""


class _InternalLearning:
    """A network that learns from one image to restore fathers from sons: all its layers but FiLM."""

    def __init__(self, method: Tailor, network: TailoredStack, lr: Tensor, degradation: Degradation, run: Run) -> None:
        self._method, self._network, self._run, self._generator = method, network, run, run.generator()
        self._degradation = replace(degradation, wrap="")  # crops are not periodic
        self._conditioning = condition_on(degradation, lr.device)
        self._saved = saving_like(lr, degradation.compression, self._generator)
        parts = ("heads", "body", "tails")
        self._weights: list[Tensor] = [weight for name, weight in network.named_parameters() if name.startswith(parts)]
        self._before = [weight.clone() for weight in self._weights]
        self._part, self._part_degradation = detailed_part(lr, degradation, self._generator)
        self._first_result = self._result()
        self.fathers = self._first_fathers = method._fathers(self._first_result, self._part_degradation)
        self._optimizer = Adam(self._weights, method.learning_rate, betas=(0.9, 0.99))
        self._guard = DivergenceGuard(self._weights, [self._optimizer], limit=10.0)  # ten times the range of values
        self._last: tuple[_Crops, Tensor] | None = None  # of the latest steps, and their error

    def take_steps(self, count: int) -> None:
        """Take some steps of Adam, fewer at a time limit."""
        method, steps, self._last = self._method, self._run.steps("learn", count), None
        for weight in self._weights:
            weight.requires_grad_(True)
        for step in self._guard.guarded(steps):
            if step and method.refresh and step % method.refresh == 0:
                self.renew_fathers()
            progress = max(step / count, self._run.time_used())
            # Warm-up: one step or two at the full rate do harm.
            rate = cosine(progress, method.learning_rate) * min(1, (step + 1) / 10)
            self._optimizer.learning_rate = rate * self._guard.rate_share
            crops = self._draw()
            loss = self._error(crops)
            self._optimizer.zero_grad()
            loss.backward()
            if self._guard.is_sound(loss.detach()):
                self._optimizer.step()
            steps.note(loss.detach())
            self._last = crops, loss.detach()

    @torch.no_grad()
    def reduction(self) -> float:
        """Share of the first network's error of the last crops that the present one has not."""
        if self._last is None:
            return 0.0
        crops, error = self._last
        after = [weight.clone() for weight in self._weights]
        interpolate_weights(self._weights, self._before, after, 0.0)
        first_error = self._error(crops)
        torch._foreach_copy_(self._weights, after)
        return float(1 - error / first_error.clamp(min=1e-12))

    def renew_fathers(self) -> None:
        """Learn from the present result."""
        self.fathers = self._method._fathers(self._result(), self._part_degradation)

    def settle(self) -> tuple[str, ...]:
        """Keep as much of what was learnt as the holdout allows; return notes on what went wrong."""
        self._network.requires_grad_(False)
        notes, rule = self._guard.settle(), HOLDOUT_RULE
        # The largest father judges best: it is nearest in scale to the HR image.
        holdout = hold_out(self._first_fathers[-1][:, :-1], self._degradation, self._generator, rule)
        son = self._saved(holdout.son)

        def squared_error() -> Tensor:
            return (self._restored(son) - holdout.image)[..., holdout.top :, holdout.left :].square()

        def image_change() -> float:
            return float((self._result() - self._first_result).square().mean())

        step_sizes = rule.aliased_step_sizes if _leaves_aliases(self._part_degradation) else rule.step_sizes
        line_search(self._weights, self._before, squared_error, image_change, step_sizes, rule)
        return notes

    def _draw(self) -> _Crops:
        targets, mask = self._method._targets(self.fathers, self._degradation, self._generator)
        return _Crops(self._saved(self._degradation(targets, self._generator)), targets, mask)

    def _restored(self, sons: Tensor) -> Tensor:
        layers = self._network.folded(self._conditioning.scale, self._conditioning.vector, sons.shape[1])
        return super_resolve_padded(layers, self._conditioning, pad_for_filters(sons), self._run)

    def _error(self, crops: _Crops) -> Tensor:
        """Mean absolute error outside the held-out quarter."""
        error = (self._restored(crops.sons) - crops.targets).abs().mean(1, keepdim=True)
        return (error * crops.mask).sum() / crops.mask.sum().clamp(min=1)

    def _result(self) -> Tensor:
        return self._method._result(self._network, self._part, self._part_degradation, self._run)


def _leaves_aliases(degradation: Degradation) -> bool:
    """Whether the kernel blurs so little that the LR image has aliases, which no shrunk result shows."""
    taps = taps_of(degradation)
    displacement = (torch.arange(taps.shape[-1]) - taps.shape[-1] // 2) / degradation.scales[0]
    wave = torch.exp(-1j * math.pi * displacement)  # Nyquist frequency of the LR grid: half a cycle per LR pixel
    return max(float((taps.sum(axis) * wave).sum().abs()) for axis in (0, 1)) > 0.7


def packaged_prior_for(degradation: Degradation) -> str:
    """Name of the packaged prior of a degradation: those of clean images know neither noise nor compression."""
    if degradation.noise or degradation.compression:
        return PRIOR
    return f"{PRIOR}-clean" + ("-x4" if _network_scale(degradation) == 4 else "")


def _load(prior: str) -> TailoredStack:
    network = load_prior(prior)
    if not isinstance(network, TailoredStack):
        kind = type(network).__name__
        raise InputError(f"{prior}: must be a TailoredStack, is a {kind}; choose another prior")
    return network


def _network_scale(degradation: Degradation) -> int:
    """Scale by which the network enlarges the image before resizing: the next larger one, or the largest."""
    return next((s for s in SCALES if s >= max(degradation.scales)), SCALES[-1])
