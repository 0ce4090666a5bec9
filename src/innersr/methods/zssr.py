"""ZSSR: learn super-resolution of an image from smaller copies of itself (Shocher, Cohen, Irani, CVPR 2018).

The image is the father; degraded once more it becomes the son. A small network is trained to restore fathers from
sons, and then restores the HR image from the image.
"""

from __future__ import annotations

import contextlib
import math
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from innersr.adam import Adam
from innersr.divergence import DivergenceGuard
from innersr.errors import InputError, KernelError
from innersr.inference.detail import super_resolve
from innersr.isolation import isolated
from innersr.methods.fathers import RESULT_SIDE, Father, as_one_tile, least_side, shrunk
from innersr.methods.protocols import Upscaler
from innersr.methods.schedules import PlateauRule, cosine
from innersr.methods.upscalers.detail import LearnsDetail
from innersr.networks.detail_stack import DetailStack
from innersr.physics.back_projection import back_project
from innersr.physics.convolution import is_whole
from innersr.physics.degradation import MAX_NOISE, Degradation
from innersr.physics.geometry import scale_words
from innersr.physics.resize import image_size
from innersr.physics.symmetries import SYMMETRIES, apply_symmetry, central_crop, random_crop
from innersr.run import Run
from innersr.settings import check_choices

SMALLEST_SIDE = 16  # pixels: a smaller image holds too few patches to learn from
TEST_INTERVAL = 50  # steps between two tests of the plateau rule


@dataclass(frozen=True, kw_only=True)
class ZSSR(LearnsDetail):
    """Zero-shot super-resolution by internal learning.

    Args:
        steps: of Adam, at most.
        pixels: input pixels of the network per step; the number of crops follows, at least one.
        crop: side of a father crop in pixels, at most: the smallest father may be smaller.
        learning_rate: initial rate of Adam.
        schedule: "cosine" falls over `steps` (or over the time limit, whichever comes first); "plateau" is the
            paper's: divide by ten when the reconstruction error stops falling, end after three falls.
        fathers: number of copies of the image to learn from, from its own size down to `smallest_father`.
        smallest_father: scale of the smallest copy, in (0, 1].
        son_noise: standard deviation of noise on the sons, in [0, 1), besides the degradation's own: a
            network trained with it sharpens the image's noise and JPEG blocks less (Shocher 2018, sec. 4.3).
        refresh: steps after which the fathers are renewed: from twice as many steps on they are the result so
            far, shrunk a little. 0 learns from the image alone, as the paper does.
        gradual: growing scales on the way, the one asked for included; the result of each joins the fathers that
            the next begins with (gradual super-resolution, Shocher 2018, sec. 3.2), and each has its own `steps`.
            Training continues as long as the factors stay; a sub-pixel network of other factors is new.
        network: "interpolated" is the paper's, at HR resolution on the interpolated image; "subpixel" works on
            the LR image, which needs a whole scale; "auto" is subpixel where the scale is whole.
        width, depth: features of each hidden layer, and number of convolutions.
        initial_variance: of the hidden weights, see `DetailStack`.
        self_ensemble: take the median over the symmetries that the degradation allows.
        back_projection: conjugate-gradient steps that make the result agree with the image, see `back_project`.
    """

    steps: int = 2000
    pixels: int = 48 * 48
    crop: int = 96
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    fathers: int = 4
    smallest_father: float = 0.7
    son_noise: float = 0.0
    refresh: int = 250
    gradual: int = 1
    network: str = "auto"
    width: int = 64
    depth: int = 8
    initial_variance: float = 2.0
    self_ensemble: bool = True
    back_projection: int = 10

    def __post_init__(self) -> None:
        check_choices(self, schedule=("cosine", "plateau"), network=("auto", "subpixel", "interpolated"))
        if min(self.pixels, self.crop, self.fathers, self.gradual, self.width) < 1 or self.depth < 2:
            raise InputError("pixels, crop, fathers, gradual and width must be at least 1, and depth at least 2")
        if min(self.steps, self.refresh, self.back_projection) < 0:
            raise InputError("steps, refresh and back_projection must not be negative")
        if not 0 < self.smallest_father <= 1:
            raise InputError(f"smallest_father must be in (0, 1], got {self.smallest_father}")
        if not 0 <= self.son_noise < 1:
            raise InputError(f"son_noise is a standard deviation in [0, 1), got {self.son_noise}")
        if not (0 < self.learning_rate < math.inf and 0 < self.initial_variance < math.inf):
            raise InputError("learning_rate and initial_variance must be positive and finite")

    def check(self, degradation: Degradation) -> None:
        """Raise InputError for a scale that is not whole if the network has to be sub-pixel."""
        if self.network == "subpixel" and self._factors(degradation) == (1, 1):
            raise InputError(
                f"a sub-pixel network needs whole scales, got {scale_words(degradation.scale)}; use network=auto"
            )

    @isolated
    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """Train a network on father and son pairs of `lr`, (1, C, H, W) in [0, 1] of any number of channels.

        Raises:
            InputError: an image of fewer than 16 pixels on a side, or a sub-pixel network for a broken scale.
            KernelError: a kernel larger than the image.
        """
        run = run.start()
        self._check(lr, degradation)
        generator = run.generator()
        stages, sources = self._stages(degradation, image_size(lr)), [lr]
        network = self._network(lr, stages[0].degradation, generator)
        notes: tuple[str, ...] = ()
        for stage in stages:
            if network.factors != self._factors(stage.degradation):
                network = self._network(lr, stage.degradation, generator)
            notes += self._train(network, sources, stage, run, generator)
            if stage.degradation is not degradation:
                sources = [self._upscaled(network, lr, stage.degradation, run), *sources]
        return self.upscaler([network], degradation, run, lr.shape[1]).learnt_from("", notes)

    def _stages(self, degradation: Degradation, lr_size: tuple[int, int]) -> list[Stage]:
        """Scales that grow by equal factors to the one asked for, and their equal shares of the time."""
        stages = []
        for number in range(1, self.gradual + 1):
            # Differs from the paper: its code lets the two axes grow in turns.
            vertical, horizontal = (s ** (number / self.gradual) for s in degradation.scales)
            is_last = number == self.gradual
            smaller = degradation if is_last else degradation.rescaled((vertical, horizontal)).fitted(lr_size)
            name = "learn" if self.gradual == 1 else f"learn, scale {number} of {self.gradual}"
            stages.append(Stage(smaller, name, (number - 1) / self.gradual, 1 / self.gradual))
        return stages

    def _train(
        self, network: DetailStack, sources: list[Tensor], stage: Stage, run: Run, generator: torch.Generator
    ) -> tuple[str, ...]:
        """Train one stage on its sources, of which the last is the image; return notes on what went wrong."""
        degradation, lr = stage.degradation, sources[-1]
        noise = min(math.hypot(degradation.noise, self.son_noise), MAX_NOISE)
        plain = replace(degradation, wrap="", noise=noise)  # crops are not periodic
        fathers = self._fathers(sources, degradation)
        optimizer = Adam(network.parameters(), self.learning_rate)
        guard = DivergenceGuard([*network.parameters()], [optimizer], limit=10.0)  # ten times the range of values
        rule = PlateauRule(self.learning_rate)
        steps = run.steps(stage.name, self.steps)
        for step in guard.guarded(steps):
            progress = max(step / self.steps, (run.time_used() - stage.begins) / stage.lasts)
            if progress >= 1:
                break
            if self.schedule == "cosine":
                # Differs from the paper: no test decides when the rate falls; it reaches more in as many steps.
                rate = cosine(progress, self.learning_rate) * min(1, (step + 1) / 50)  # warm-up
            else:
                if step % TEST_INTERVAL == TEST_INTERVAL - 1:
                    rule.observe(_reconstruction_error(network, lr, plain))
                if rule.is_over:
                    break
                rate = rule.learning_rate
            if self.refresh and step >= 2 * self.refresh and step % self.refresh == 0:
                # Differs from the paper: an LR father is blurrier per pixel than the HR image, and teaches blur.
                # The present result, shrunk by less than the scale, is sharper.
                fathers = self._result_fathers(network, lr, degradation, run, generator) or fathers
            targets = self._targets(fathers, network, degradation, generator)
            sons = plain(targets, generator)
            optimizer.learning_rate = rate * guard.rate_share
            loss = (_enlarged(network, sons, plain, targets, run.autocast()) - targets).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            if guard.is_sound(loss.detach()):
                optimizer.step()
            steps.note(loss.detach())
        return guard.settle()

    def _fathers(self, sources: list[Tensor], degradation: Degradation) -> list[Father]:
        """The images and their smaller copies, largest first, none smaller than the kernel."""
        gaps = max(1, self.fathers - 1)
        scales = [1 - (1 - self.smallest_father) * i / gaps for i in range(self.fathers)]
        least = least_side(sources[-1], degradation)
        fathers = [
            shrunk(source, scale, degradation.wraps)
            for source in sources
            for scale in scales
            if scale == 1 or scale * min(source.shape[-2:]) >= least
        ]
        return sorted(fathers, key=lambda father: -father.image.numel())

    def _result_fathers(
        self, network: DetailStack, lr: Tensor, degradation: Degradation, run: Run, generator: torch.Generator
    ) -> list[Father]:
        """Three smaller copies of the present result, of a part of it for large images."""
        part = random_crop(lr, RESULT_SIDE, generator, degradation.wraps)
        part_degradation = degradation if part.shape == lr.shape else replace(degradation, wrap="")
        # A self-ensemble gained nothing here.
        result = replace(self, self_ensemble=False)._upscaled(network, part, part_degradation, as_one_tile(run))
        places = (torch.arange(3) + torch.rand(3, generator=generator)) / 3
        scales = (0.85 - (0.85 - 0.5) * places).tolist()
        copies = [shrunk(result, scale, part_degradation.wraps) for scale in scales]
        return [copy for copy in copies if min(copy.image.shape[-2:]) >= least_side(lr, degradation)]

    def _targets(
        self, fathers: list[Father], network: DetailStack, degradation: Degradation, generator: torch.Generator
    ) -> Tensor:
        """Draw the father crops of one step, as large as fathers and kernel allow, each under a random symmetry.

        They are degraded after that, so that the kernel keeps its orientation, as at test time.
        """
        # Differs from the paper: several crops where one sees few pixels; turned ones for a given kernel, too.
        side = min(max(self.crop, degradation.reach), *(n for father in fathers for n in father.image.shape[-2:]))
        pixels_of_crop = side**2 / (network.factors[0] * network.factors[1])
        crops = []
        for _ in range(min(64, max(1, round(self.pixels / pixels_of_crop)))):
            # Squared, the draw prefers the first fathers, which are nearest in sharpness to the HR image (Shocher
            # 2018, sec. 3.2, prefers large ones).
            place = float(torch.rand((), generator=generator)) ** 2
            symmetry = SYMMETRIES[int(torch.randint(len(SYMMETRIES), (), generator=generator))]
            father = fathers[int(place * len(fathers))]
            crops.append(apply_symmetry(random_crop(father.image, side, generator, father.wraps), symmetry))
        return torch.cat(crops)

    def _network(self, lr: Tensor, degradation: Degradation, generator: torch.Generator) -> DetailStack:
        return DetailStack(
            lr.shape[1],
            factors=self._factors(degradation),
            width=self.width,
            depth=self.depth,
            initial_variance=self.initial_variance,
            generator=generator,
        ).to(lr.device)

    def _factors(self, degradation: Degradation) -> tuple[int, int]:
        # Differs from the paper: a sub-pixel network, which costs a quarter at x2, wherever the scale is whole.
        vertical, horizontal = degradation.scales
        if self.network == "interpolated" or not (is_whole(vertical) and is_whole(horizontal)):
            return 1, 1
        return round(vertical), round(horizontal)

    def _upscaled(self, network: DetailStack, lr: Tensor, degradation: Degradation, run: Run) -> Tensor:
        sr = super_resolve(network, lr, degradation, run, ensemble=self.self_ensemble)
        return back_project(sr, lr, degradation, steps=self.back_projection, run=run)

    def _check(self, lr: Tensor, degradation: Degradation) -> None:
        self.check(degradation)
        size = f"{lr.shape[-1]}x{lr.shape[-2]}"
        if min(lr.shape[-2:]) < SMALLEST_SIDE:
            needed = f"at least {SMALLEST_SIDE} on each side"
            raise InputError(f"an image of {size} pixels is too small to learn from ({needed}); use the method bicubic")
        if min(lr.shape[-2:]) < degradation.reach:
            raise KernelError(
                f"the kernel ({degradation.reach} pixels) is larger than the image ({size}), which it must shrink "
                "again; use a smaller kernel, or the method backprojection"
            )


class Stage(NamedTuple):
    """A scale on the way to the one asked for, and its share of the time limit."""

    degradation: Degradation
    name: str
    begins: float
    lasts: float


def _enlarged(
    network: DetailStack, sons: Tensor, degradation: Degradation, like: Tensor, autocast: AbstractContextManager[object]
) -> Tensor:
    """Result for sons, as large as `like`; autocast applies to the network alone."""
    height, width = like.shape[-2:]
    interpolated = degradation.upsample(sons, (height, width))
    with autocast:
        detail = network(sons if network.sees_lr else interpolated)
    return interpolated + detail.float()[..., :height, :width]


@torch.no_grad()
def _reconstruction_error(network: DetailStack, image: Tensor, degradation: Degradation) -> float:
    """Mean squared error of the middle of the image restored from its son, for the plateau rule."""
    father = central_crop(image, 256)
    enlarged = _enlarged(network, degradation(father), degradation, father, contextlib.nullcontext())
    return float((enlarged - father).square().mean())
