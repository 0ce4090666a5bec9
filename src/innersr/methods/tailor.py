"""Tailor: a prior conditioned on the image's degradation, then adapted on the image itself (`Tailor._adapt_weights`).

The prior is a small network trained on many degradations and conditioned on the one at hand. Its result, shrunk a
little, is as sharp per pixel as the HR image. Degraded again, it gives training pairs (fathers and sons) from which the
network learns what recurs in this image at several scales.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from innersr.methods.holdout import HoldoutRule, hold_out, line_search, training_mask
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


@dataclass(frozen=True, kw_only=True)
class Tailor:
    """A prior conditioned on the degradation and adapted to the image.

    Args:
        prior: name of a packaged prior, or path of a file. If empty, the packaged prior of clean images at this scale
            for a degradation without noise and compression, or that of all degradations.
        steps: of Adam on the image itself; 0 keeps the prior unadapted, None is 15.
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
        if min(self.crop, self.batch) < 1 or min(self.steps or 0, self.refresh, self.corrections) < 0:
            raise InputError("crop and batch must be at least 1; steps, refresh and corrections not negative")
        for smallest, largest in map(self._father_sizes, FATHER_SIZES):
            if not 0 < smallest <= largest <= 1:
                raise InputError(
                    "smallest_father and largest_father must be in (0, 1], smallest_father not above the other, "
                    f"got {smallest} and {largest}"
                )
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate must be positive and finite, got {self.learning_rate}")

    def resolved(self, *, is_estimated: bool) -> Tailor:
        """A copy without None in `steps` and `by_recurrence`, for an estimated degradation or a given one."""
        by_recurrence = self.steps is None and is_estimated if self.by_recurrence is None else self.by_recurrence
        return replace(self, steps=15 if self.steps is None else self.steps, by_recurrence=by_recurrence)

    @isolated
    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """Condition the prior on the degradation, and adapt it to `lr`, (1, C, H, W) of any number of channels.

        Raises:
            InputError: there is no such prior, or it is another network.
            CheckpointError: the prior cannot be read.
        """
        run = run.start()
        prior = _prior_for(self.prior, degradation)
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
            notes += replace(self, steps=steps)._adapt_weights(network, lr, whole, run)
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
        count = self.steps or 0
        generator, conditioning = run.generator(), condition_on(degradation, lr.device)
        plain = replace(degradation, wrap="")  # crops are not periodic
        saved = saving_like(lr, degradation.compression, generator)
        weights = [p for name, p in network.named_parameters() if name.startswith(("heads", "body", "tails"))]
        before = [weight.clone() for weight in weights]
        part, part_degradation = detailed_part(lr, degradation, generator)
        first_result = self._result(network, part, part_degradation, run)
        first = fathers = self._fathers(first_result, part_degradation)
        if not fathers:
            return ()  # they would all be smaller than the kernel

        def restored(sons: Tensor) -> Tensor:
            layers = network.folded(conditioning.scale, conditioning.vector, sons.shape[1])
            return super_resolve_padded(layers, conditioning, pad_for_filters(sons), run)

        learnt = [weight.requires_grad_(True) for weight in weights]
        optimizer = Adam(learnt, self.learning_rate, betas=(0.9, 0.99))
        guard = DivergenceGuard(weights, [optimizer], limit=10.0)  # ten times the range of values
        steps = run.steps("learn", count)
        for step in guard.guarded(steps):
            if step and self.refresh and step % self.refresh == 0:
                fathers = self._fathers(self._result(network, part, part_degradation, run), part_degradation)
            progress = max(step / count, run.time_used())
            # Warm-up: one step or two at the full rate do harm.
            rate = cosine(progress, self.learning_rate) * min(1, (step + 1) / 10)
            optimizer.learning_rate = rate * guard.rate_share
            targets, mask = self._targets(fathers, plain, generator)
            sons = saved(plain(targets, generator))
            error = (restored(sons) - targets).abs().mean(1, keepdim=True)
            loss = (error * mask).sum() / mask.sum().clamp(min=1)
            optimizer.zero_grad()
            loss.backward()
            if guard.is_sound(loss.detach()):
                optimizer.step()
            steps.note(loss.detach())
        network.requires_grad_(False)
        notes = guard.settle()
        # The largest father judges best: it is nearest in scale to the HR image.
        holdout = hold_out(first[-1][:, :-1], plain, generator, HOLDOUT_RULE)
        son = saved(holdout.son)

        def squared_error() -> Tensor:
            return (restored(son) - holdout.image)[..., holdout.top :, holdout.left :].square()

        def image_change() -> float:
            return float((self._result(network, part, part_degradation, run) - first_result).square().mean())

        rule = HOLDOUT_RULE
        step_sizes = rule.aliased_step_sizes if _leaves_aliases(degradation) else rule.step_sizes
        line_search(weights, before, squared_error, image_change, step_sizes, rule)
        return notes

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


def _leaves_aliases(degradation: Degradation) -> bool:
    """Whether the kernel blurs so little that the LR image has aliases, which no shrunk result shows."""
    taps = taps_of(degradation)
    displacement = (torch.arange(taps.shape[-1]) - taps.shape[-1] // 2) / degradation.scales[0]
    wave = torch.exp(-1j * math.pi * displacement)  # Nyquist frequency of the LR grid: half a cycle per LR pixel
    return max(float((taps.sum(axis) * wave).sum().abs()) for axis in (0, 1)) > 0.7


def _prior_for(prior: str, degradation: Degradation) -> str:
    """Name or path of the prior: the given one, or the packaged one for the degradation."""
    if prior or degradation.noise or degradation.compression:
        return prior or PRIOR
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
