"""ZSSR: learn to upscale an image from smaller copies of itself (Shocher, Cohen, Irani, CVPR 2018).

The image is the father; degraded once more it becomes the son. A small network that learns to turn sons into
fathers has learnt how this image's details look at two scales, and turns the image itself into what it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor

from innersr.augment import SYMMETRIES, apply_symmetry, random_crop
from innersr.degradation import Degradation
from innersr.errors import InputError, KernelError
from innersr.methods.protocols import Upscaler
from innersr.networks import ResidualStack
from innersr.refine import apply_tiled, back_project, self_ensemble
from innersr.resize import resize
from innersr.run import Run
from innersr.training import PlateauRule, cosine

SMALLEST_SIDE = 16  # pixels: a smaller image holds too few patches to learn from
SMALLEST_FATHER = 32  # pixels, unless the image itself is smaller
SCHEDULES = ("cosine", "plateau")
RESULT_FATHERS = (0.75, 0.6, 0.5)  # scales of the result that later passes learn from
LATER = 0.5  # share of the steps and of the learning rate that a later pass has
WARM_UP = 50  # steps over which the cosine schedule's rate rises from 0
TEST_INTERVAL = 50  # steps between two tests of the plateau rule
TEST_SIDE = 256  # pixels: large images are tested on their middle


@dataclass(frozen=True, kw_only=True)
class ZSSR:
    """Zero-shot super-resolution by internal learning.

    Args:
        steps: of Adam, at most.
        crop: side of the father crop that one step learns from, in pixels.
        learning_rate: of Adam, to begin with.
        schedule: "cosine" falls over `steps` (or over the time limit, whichever comes first); "plateau" is the
            paper's: divide by ten when the reconstruction error stops falling, end after three falls.
        fathers: number of copies of the image to learn from, from its own size down to `smallest_father`.
        smallest_father: scale of the smallest copy, in (0, 1].
        passes: rounds of learning. From the second on, half as long each, the fathers are the result so far,
            shrunk a little, which is sharper than the image.
        width: features of each hidden layer.
        depth: number of convolutions.
        initial_variance: of the hidden weights, see `ResidualStack`.
        self_ensemble: take the median over the symmetries that the degradation allows.
        back_projection: conjugate-gradient steps that make the result agree with the image.
    """

    steps: int = 1000
    crop: int = 96
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    fathers: int = 4
    smallest_father: float = 0.7
    passes: int = 1
    width: int = 64
    depth: int = 8
    initial_variance: float = 2.0
    self_ensemble: bool = True
    back_projection: int = 10

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise InputError(f"schedule must be one of {', '.join(SCHEDULES)}, got {self.schedule!r}")
        if min(self.crop, self.fathers, self.passes, self.width) < 1 or self.depth < 2:
            raise InputError("crop, fathers, passes and width must be at least 1, and depth at least 2")
        if self.steps < 0 or self.back_projection < 0:
            raise InputError("steps and back_projection must not be negative")
        if not 0 < self.smallest_father <= 1:
            raise InputError(f"smallest_father must be in (0, 1], got {self.smallest_father}")
        if not (0 < self.learning_rate < math.inf and 0 < self.initial_variance < math.inf):
            raise InputError("learning_rate and initial_variance must be positive and finite")

    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:
        """Train a network on `lr`'s own father and son pairs.

        Args:
            lr: (1, C, H, W) in [0, 1], any number of channels.
            degradation: what made `lr`; fathers are degraded the same way again.
            run: where and how long.

        Raises:
            InputError: an image of fewer than 16 pixels on a side.
            KernelError: a kernel larger than the image.
        """
        size = f"{lr.shape[-1]}x{lr.shape[-2]}"
        if min(lr.shape[-2:]) < SMALLEST_SIDE:
            raise InputError(
                f"an image of {size} pixels is too small to learn from (at least {SMALLEST_SIDE} on each side); "
                "use the method bicubic"
            )
        if min(lr.shape[-2:]) < degradation.reach:
            raise KernelError(
                f"the kernel ({degradation.reach} pixels) is larger than the image ({size}), which it has to shrink "
                "again to learn from; use a smaller kernel, or the method backprojection"
            )
        generator = run.generator()
        network = ResidualStack(
            lr.shape[1],
            width=self.width,
            depth=self.depth,
            initial_variance=self.initial_variance,
            generator=generator,
        ).to(lr.device)
        upscale = self._upscaler(network, degradation, run)
        fathers = self._father_pyramid(lr, degradation.reach)
        for turn in range(self.passes):
            if turn > 0:
                # Differs from the paper: an LR father is blurrier, pixel by pixel, than what is to be made, and
                # teaches blur. The result shrunk less than all the way back is not.
                result = upscale(lr)
                fathers = [resize(result, scale).clamp(0, 1) for scale in RESULT_FATHERS]
            self._train(network, fathers, degradation, run, generator, turn)
        return upscale

    def _train(
        self,
        network: ResidualStack,
        fathers: list[Tensor],
        degradation: Degradation,
        run: Run,
        generator: torch.Generator,
        turn: int,
    ) -> None:
        count_of_steps = self.steps if turn == 0 else round(self.steps * LATER)
        first_rate = self.learning_rate if turn == 0 else self.learning_rate * LATER
        crop = max(self.crop, degradation.reach)
        optimizer = torch.optim.Adam(network.parameters(), lr=first_rate)
        rule = PlateauRule(first_rate)
        steps = run.steps("learn" if turn == 0 else f"learn from result {turn}", count_of_steps)
        for step in steps:
            progress = max(step / count_of_steps, run.time_used() * self.passes - turn)
            if progress >= 1:
                break
            if self.schedule == "cosine":
                rate = cosine(progress, first_rate) * min(1, (step + 1) / WARM_UP)
            else:
                if step % TEST_INTERVAL == TEST_INTERVAL - 1:
                    rule.observe(_reconstruction_error(network, fathers[0], degradation))
                if rule.is_over:
                    break
                rate = rule.learning_rate
            son, father = _random_pair(fathers, degradation, crop, generator)
            for group in optimizer.param_groups:
                group["lr"] = rate
            with run.autocast():
                upscaled = network(son)
            loss = (upscaled.float() - father).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps.note(loss.detach())

    def _father_pyramid(self, lr: Tensor, reach: int) -> list[Tensor]:
        """Return the image and its smaller copies, largest first, none smaller than the kernel."""
        gaps = max(1, self.fathers - 1)
        scales = [1 - (1 - self.smallest_father) * i / gaps for i in range(self.fathers)]
        least = max(reach, min(SMALLEST_FATHER, *lr.shape[-2:]))
        return [lr] + [resize(lr, scale) for scale in scales[1:] if scale * min(lr.shape[-2:]) >= least]

    def _upscaler(self, network: ResidualStack, degradation: Degradation, run: Run) -> Upscaler:
        symmetries = degradation.symmetries() if self.self_ensemble else (0,)
        channels = network.channels

        @torch.no_grad()
        def upscale(x: Tensor) -> Tensor:
            if x.shape[1] != channels:
                raise InputError(f"this upscaler has learnt from {channels} channels, got {x.shape[1]}")
            views = count(1)

            def apply(turned: Tensor) -> Tensor:
                stage = f"upscale, view {next(views)} of {len(symmetries)}"
                return apply_tiled(network, turned, halo=network.radius, run=run, stage=stage)

            sr = self_ensemble(apply, degradation.upsample(x), symmetries)
            return back_project(sr, x, degradation, steps=self.back_projection, run=run).clamp(0, 1)

        return upscale


def _random_pair(
    fathers: list[Tensor], degradation: Degradation, crop: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw a father crop and the son that it degrades to, interpolated to the father's size.

    The father is turned first and degraded then: the kernel keeps its own direction, as it does at test time.
    """
    # Squared, the draw prefers large fathers (Shocher 2018, sec. 3.2), whose sharpness is nearest to the goal's.
    place = float(torch.rand((), generator=generator)) ** 2
    symmetry = SYMMETRIES[int(torch.randint(len(SYMMETRIES), (), generator=generator))]
    father = apply_symmetry(random_crop(fathers[int(place * len(fathers))], crop, generator), symmetry)
    son = degradation(father, generator)
    upscaled = degradation.upsample(son, (father.shape[-2], father.shape[-1]))
    return upscaled.contiguous(memory_format=torch.channels_last), father


@torch.no_grad()
def _reconstruction_error(network: ResidualStack, image: Tensor, degradation: Degradation) -> float:
    """Return what the plateau rule watches: the mean squared error of the image made again from its son.

    Of a large image the middle stands for all of it.
    """
    top, left = (max(0, (n - TEST_SIDE) // 2) for n in image.shape[-2:])
    father = image[..., top : top + TEST_SIDE, left : left + TEST_SIDE]
    son = degradation.upsample(degradation(father), (father.shape[-2], father.shape[-1]))
    return float((network(son) - father).square().mean())
