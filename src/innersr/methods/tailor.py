"""Tailor: a prior cut to what happened to the image, then adapted on the image itself.

The prior is a small network, trained on degradations of many kinds, that is told which one this is (`tailored`). Its
result is as sharp as it can make it; shrunk a little, it is an image as sharp per pixel as the one that is wanted,
and degraded again, it gives pairs to learn from: what recurs in this image at several scales, the prior learns here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.inference.tailored import (
    Conditioning,
    condition_on,
    pad_for_filters,
    project_to_consistency,
    super_resolve_padded,
    super_resolve_tailored,
    to_network_channels,
)
from innersr.methods.fathers import as_one_tile, detailed_part, rounding_like, shrunk_copies
from innersr.methods.protocols import Upscaler
from innersr.methods.schedules import cosine
from innersr.metrics.recurrence import recurrence_of, steps_for
from innersr.networks.priors import load_prior, prior_names
from innersr.networks.tailored_stack import SCALES, TailoredStack
from innersr.physics.back_projection import back_project
from innersr.physics.degradation import Degradation
from innersr.physics.pseudoinverse import taps_of
from innersr.physics.resize import resize
from innersr.physics.symmetries import SYMMETRIES, apply_symmetry, random_crop
from innersr.run import Run

PRIOR = "tailor"  # the packaged one for all scales; -x4 follows in the name of one for a scale alone
WARM_UP = 10  # steps over which the learning rate rises from 0
BETAS = (0.9, 0.99)  # of Adam
FATHERS = 3
FATHER_SIZES = {2: (0.5, 0.75), 3: (0.6, 0.85), 4: (0.7, 0.9)}  # by scale: shrunk by 0.5 at x4, sons are too small
MARGIN = 8  # LR pixels of context around what is held out
LARGEST_CHANGE = 0.5  # squared, of the image by what was learnt, in units of the squared error that there was to mend
SHARES = (0.0, 0.25, 0.5, 0.75)  # of what was learnt, that are tried
CELL, LEVEL = 8, 1 / 255**2  # pixels: a cell of what is held out counts by the logarithm of its error, plus a level's
DOUBT = 0.01  # of that logarithm: by so much forgetting all has to be better than keeping a little, which seldom harms
ALIASED = 0.7  # amplitude of a kernel at the highest frequency that LR pixels hold: above it, a little is the most
VIEWS = (1, 2, 4, 8)
VIEW_PIXELS = 2 * 256**2  # LR pixels, of all views together, up to which their number is not for the user to save
MOST_STEPS = 120
BACK_PROJECTION = 10  # steps, where the scale is not one of the network's


@dataclass(frozen=True, kw_only=True)
class Tailor:
    """A prior conditioned on the degradation, adapted internally.

    Args:
        prior: name of a packaged one, or path of a file; when empty the packaged one for the scale alone, if there
            is one, or the one for all scales.
        steps: of Adam on the image itself; 0 takes the prior as it is, None is MOST_STEPS.
        by_recurrence: take fewer of the steps, the less of the image recurs in its own smaller copies, see
            `recurrence.steps_for`. None: only where `steps` is None and the degradation was estimated, see `resolved`.
        learning_rate: of Adam, to begin with; it falls along a cosine.
        crop: side of the crops to learn from, in LR pixels, at most.
        batch: crops in one step.
        smallest_father: least factor that the result is shrunk by to learn from, in (0, 1]; 0 for that of the scale
            in FATHER_SIZES.
        largest_father: greatest such factor, likewise.
        refresh: steps after which the result that is learnt from is made anew; 0 for never.
        views: turned copies of the image whose mean the result is: 1, 2, 4 or 8; 0 for two, and more of images
            below 181x181 pixels, where they cost little.
        corrections: rounds of `project_to_consistency`; at scales that are not the network's, back-projection makes the
            result agree with the image.
    """

    prior: str = ""
    steps: int | None = None
    by_recurrence: bool | None = None
    learning_rate: float = 3e-4
    crop: int = 32
    batch: int = 1
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
                    "smallest_father and largest_father must be in (0, 1], the one not above the other, "
                    f"got {smallest} and {largest}"
                )
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate must be positive and finite, got {self.learning_rate}")

    def resolved(self, *, is_estimated: bool) -> Tailor:
        """Replace `steps` and `by_recurrence` that are None by what they stand for.

        Args:
            is_estimated: whether the degradation was estimated from the image, not given.
        """
        by_recurrence = self.steps is None and is_estimated if self.by_recurrence is None else self.by_recurrence
        return replace(self, steps=MOST_STEPS if self.steps is None else self.steps, by_recurrence=by_recurrence)

    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """Cut the prior to the degradation, and learn from `lr`.

        Args:
            lr: (1, C, H, W) in [0, 1], any number of channels.
            degradation: what made `lr`.
            run: where and how long.

        Raises:
            InputError: there is no such prior, or it holds another network.
            CheckpointError: the prior cannot be read.
        """
        run = run.start()
        head = _head(degradation)
        network = _load(_prior_for(self.prior, head)).to(lr.device)
        whole = degradation.rescaled(head)
        resolved = self.resolved(is_estimated=False)
        steps = resolved.steps or 0
        if resolved.by_recurrence and steps:
            steps = steps_for(recurrence_of(lr, degradation.noise).score, steps)
        if steps:
            replace(self, steps=steps)._learn(network, lr, whole, run)

        def upscale(x: Tensor) -> Tensor:
            views = self.views or _affordable_views(x.shape[-2] * x.shape[-1])
            sr = super_resolve_tailored(network, x, whole, run, symmetries=SYMMETRIES[:views])
            if whole is degradation:
                return project_to_consistency(sr, x, degradation, rounds=self.corrections, run=run)
            size = degradation.hr_size((x.shape[-2], x.shape[-1]))
            vertical, horizontal = (s / w for s, w in zip(degradation.scales, whole.scales, strict=True))
            resized = resize(sr, (vertical, horizontal), size=size, wrap=degradation.wraps)
            return back_project(resized, x, degradation, steps=BACK_PROJECTION, run=run)

        return upscale

    def _learn(self, network: TailoredStack, lr: Tensor, degradation: Degradation, run: Run) -> None:
        """Teach the network, of which FiLM stays as it is, to make the fathers of their sons."""
        count = self.steps or 0
        generator, conditioning = run.generator(), condition_on(degradation, lr.device)
        plain = replace(degradation, wrap="")  # crops do not continue on their other side
        rounded = rounding_like(lr)
        learnt = [p for name, p in network.named_parameters() if name.startswith(("heads", "body", "tails"))]
        before = [parameter.clone() for parameter in learnt]
        part, seen = detailed_part(lr, degradation, generator)
        before_learning = self._result(network, part, seen, run)
        first = fathers = self._fathers(before_learning, seen)
        if not fathers:
            return  # they would all be smaller than the kernel
        optimizer = torch.optim.Adam([p.requires_grad_(True) for p in learnt], betas=BETAS)
        steps = run.steps("learn", count)
        for step in steps:
            if step and self.refresh and step % self.refresh == 0:
                fathers = self._fathers(self._result(network, part, seen, run), seen)
            progress = max(step / count, run.time_used())
            for group in optimizer.param_groups:
                group["lr"] = cosine(progress, self.learning_rate) * min(1, (step + 1) / WARM_UP)
            targets, counts = self._targets(fathers, plain, generator)
            sons = rounded(plain(targets, generator))
            layers = network.folded(conditioning.scale, conditioning.vector, targets.shape[1])
            results = super_resolve_padded(layers, conditioning, pad_for_filters(sons), run)
            error = (results - targets).abs().mean(1, keepdim=True)
            loss = (error * counts).sum() / counts.sum().clamp(min=1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps.note(loss.detach())
        network.requires_grad_(False)
        # The father that was shrunk least tells best: it is nearest in scale to what is to be made.
        trial = _trial(first[-1], plain, generator, rounded)
        weights = list(zip(learnt, before, strict=True))
        shares = SHARES[:2] if _leaves_aliases(degradation) else SHARES
        to_mend = _keep_what_helps(network, weights, shares, trial, conditioning, run)
        change = self._result(network, part, seen, run) - before_learning
        if float(change.square().mean()) > LARGEST_CHANGE * to_mend:
            _keep(weights, 0.0)

    def _result(self, network: TailoredStack, lr: Tensor, degradation: Degradation, run: Run) -> Tensor:
        """Return what the network makes of an image, in [0, 1]."""
        return super_resolve_tailored(
            network, to_network_channels(lr, network), degradation, as_one_tile(run), symmetries=(0,)
        ).clamp_(0, 1)

    def _fathers(self, result: Tensor, degradation: Degradation) -> list[Father]:
        """Return smaller copies of the result so far, none smaller than the kernel."""
        factors = torch.linspace(*self._father_sizes(round(degradation.scales[0])), FATHERS).tolist()
        copies = shrunk_copies(result, factors, degradation)
        return [Father(copy, _learnt_part(copy.shape[-2], copy.shape[-1]).to(result.device)) for copy in copies]

    def _father_sizes(self, scale: int) -> tuple[float, float]:
        """Return the least and the greatest factor that a result at a scale is shrunk by."""
        smallest, largest = FATHER_SIZES[scale]
        return self.smallest_father or smallest, self.largest_father or largest

    def _targets(
        self, fathers: list[Father], degradation: Degradation, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw the father crops of one step, each turned some way, and which of their pixels count."""
        crops = []
        scale = round(degradation.scales[0])
        wanted = scale * max(self.crop, math.ceil(degradation.reach / scale))
        side = min(wanted, *(n for father in fathers for n in father.image.shape[-2:]))
        for _ in range(self.batch):
            father = fathers[int(torch.randint(len(fathers), (), generator=generator))]
            symmetry = SYMMETRIES[int(torch.randint(len(SYMMETRIES), (), generator=generator))]
            image = father.image[int(torch.randint(len(father.image), (), generator=generator))][None]
            both = random_crop(torch.cat([image, father.learnt], dim=1), side, generator)
            crops.append(apply_symmetry(both, symmetry))
        batch = torch.cat(crops)
        return batch[:, :-1], batch[:, -1:]


class Father(NamedTuple):
    """Images to learn from, (N, C, H, W), and which of their pixels, (1, 1, H, W): 1 to learn from, 0 to judge by."""

    image: Tensor
    learnt: Tensor


class Trial(NamedTuple):
    """What adapted weights are judged by: a part of a father, its son, and where in it nothing was learnt from."""

    image: Tensor
    son: Tensor
    top: int
    left: int


def _trial(
    father: Father, degradation: Degradation, generator: torch.Generator, rounded: Callable[[Tensor], Tensor]
) -> Trial:
    """Return what was held out of a father, with some pixels around it."""
    scale, reach = round(degradation.scales[0]), degradation.reach
    held = [n // 2 for n in father.image.shape[-2:]]
    starts = [min(h - scale * MARGIN, n - reach) for h, n in zip(held, father.image.shape[-2:], strict=True)]
    top, left = (max(0, start) // scale * scale for start in starts)
    image = father.image[..., top:, left:]
    return Trial(image, rounded(degradation(image, generator)), held[0] - top, held[1] - left)


def _learnt_part(height: int, width: int) -> Tensor:
    """Return 0 in the lower right quarter, the same part of the picture in every father, 1 elsewhere."""
    learnt = torch.ones(1, 1, height, width)
    learnt[..., height // 2 :, width // 2 :] = 0
    return learnt


def _leaves_aliases(degradation: Degradation) -> bool:
    """Tell whether a kernel blurs so little that the LR image has aliases, which no shrunk result has."""
    taps = taps_of(degradation)
    displacement = (torch.arange(taps.shape[-1]) - taps.shape[-1] // 2) / degradation.scales[0]
    wave = torch.exp(-1j * math.pi * displacement)  # half a cycle per LR pixel
    return max(float((taps.sum(axis) * wave).sum().abs()) for axis in (0, 1)) > ALIASED


@torch.no_grad()
def _keep_what_helps(  # noqa: PLR0913 (what is judged, and what by)
    network: TailoredStack,
    weights: Sequence[tuple[Tensor, Tensor]],
    shares: Sequence[float],
    trial: Trial,
    conditioning: Conditioning,
    run: Run,
) -> float:
    """Move the weights to where, between those before and those after, what was not learnt from is made best.

    Args:
        network: that has learnt.
        weights: of it, and what they were before.
        shares: of the way that are tried, 0 first.
        trial: to judge by.
        conditioning: to the degradation.
        run: at whose precision to judge.

    Returns:
        The mean squared error of the trial before.
    """
    learnt = [now.clone() for now, _ in weights]

    def squares(share: float) -> Tensor:
        _keep(weights, share, learnt)
        layers = network.folded(conditioning.scale, conditioning.vector, trial.image.shape[1])
        difference = super_resolve_padded(layers, conditioning, pad_for_filters(trial.son), run) - trial.image
        return difference[..., trial.top :, trial.left :].square()

    def error(of: Tensor) -> float:
        cells = F.avg_pool2d(of.mean(1, keepdim=True), CELL, ceil_mode=True)
        return float((cells + LEVEL).log().mean())

    before = squares(0.0)
    errors = {share: error(squares(share)) for share in shares[1:]}
    errors[0.0] = error(before) + DOUBT
    _keep(weights, min(shares, key=errors.__getitem__), learnt)
    return float(before.mean())


@torch.no_grad()
def _keep(weights: Sequence[tuple[Tensor, Tensor]], share: float, learnt: Sequence[Tensor] = ()) -> None:
    """Set the weights to what they were before, and a share of the way to what was learnt."""
    for index, (now, before) in enumerate(weights):
        now.copy_(before if share == 0 else before + share * (learnt[index] - before))


def _affordable_views(pixels: int) -> int:
    """Return how many views of an image of so many LR pixels the default takes."""
    return max([2, *(views for views in VIEWS if views * pixels <= VIEW_PIXELS)])


def _prior_for(prior: str, head: int) -> str:
    """Return the name or path of the prior, given what was asked for and the scale of the network's.

    Raises:
        InputError: a packaged prior for another scale was asked for.
    """
    if not prior:
        return f"{PRIOR}-x{head}" if f"{PRIOR}-x{head}" in prior_names() else PRIOR
    if prior.startswith(f"{PRIOR}-x") and prior in prior_names() and prior != f"{PRIOR}-x{head}":
        raise InputError(f"{prior}: was trained for its own scale alone, not for {head}; leave the prior out")
    return prior


def _load(prior: str) -> TailoredStack:
    network = load_prior(prior)
    if not isinstance(network, TailoredStack):
        raise InputError(
            f"{prior}: needed is a TailoredStack, this is a {type(network).__name__}; choose another prior"
        )
    return network


def _head(degradation: Degradation) -> int:
    """Return the scale of the network's that the image is enlarged by first: the next larger one, or the largest."""
    return next((s for s in SCALES if s >= max(degradation.scales)), SCALES[-1])
