"""Hyperparameters of SinGAN, and their presets."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from innersr.errors import InputError

DEPTH = 5  # convolutions of 3x3 in a generator or a critic
PAD = DEPTH  # pixels that they lose at each border
FIELD = 2 * PAD + 1  # receptive field, in pixels
RESCALINGS = ("geometric", "consingan")


@dataclass(frozen=True, kw_only=True)
class SinGAN:
    """Learns the patches of one picture at every scale (Shaham 2019).

    Scale 0 is the coarsest; the paper counts the other way.

    Args:
        min_size: short side of the picture at scale 0, in pixels.
        max_size: long side at the last scale; larger pictures are shrunk to it, smaller ones stay.
        ratio: wanted size of a scale against the next finer one, in (0, 1); the one that is used is somewhat
            nearer to 1, so that the sizes come out.
        rescaling: "geometric" as in the paper, or "consingan": more of the coarse scales (Hinz 2021, eq. 5).
        scales: how many; 0 lets `ratio` decide.
        width: features of the generators and critics of the first scales.
        doubling: scales after which the width doubles; 0 for never.
        widest: features at most.
        block_widths: features of each of the five convolutions instead, at every scale; a 1x1 convolution follows.
        critic_norm: whether critics normalise their features over the picture, as generators do.
        inherit: whether a scale starts with the weights of the previous one, where their widths agree.
        iterations: of a scale.
        critic_steps, generator_steps: in one iteration.
        learning_rate: of Adam, for both.
        milestone: share of the iterations after which the rate falls to a tenth.
        penalty: weight of the gradient penalty (Gulrajani 2017).
        penalty_every: critic steps from one gradient penalty to the next, which weighs as much more.
        reconstruction: weight of the squared error of the reconstruction.
        noise: standard deviation of a scale's noise, relative to the error of the enlarged coarser reconstruction.
        crop: side of the crops that a step learns from at the finer scales, in pixels; 0 for the whole picture.
        pool: coarse fakes that are kept and used again; 0 makes new ones at every step.
        pool_steps: iterations after which one of the pool is replaced.
        statistics: weight of the sliced Wasserstein distance between patches of fake and real (Elnekave 2022), at the
            scales that are trained on the whole picture.
        matching: steps that match the coarse patches of random outputs to the picture's (Elnekave 2022).

    Raises:
        InputError: a setting out of its range.
    """

    min_size: int = 25
    max_size: int = 250
    ratio: float = 0.75
    rescaling: str = "geometric"
    scales: int = 0
    width: int = 32
    doubling: int = 4
    widest: int = 128
    block_widths: tuple[int, ...] = ()
    critic_norm: bool = True
    inherit: bool = True
    iterations: int = 2000
    critic_steps: int = 3
    generator_steps: int = 3
    learning_rate: float = 5e-4
    milestone: float = 0.8
    penalty: float = 0.1
    penalty_every: int = 1
    reconstruction: float = 10.0
    noise: float = 0.1
    crop: int = 0
    pool: int = 0
    pool_steps: int = 20
    statistics: float = 0.0
    matching: int = 0

    def __post_init__(self) -> None:
        self._check_sizes()
        counts = (self.iterations, self.critic_steps, self.generator_steps, self.penalty_every, self.pool_steps)
        if min(counts) < 1:
            raise InputError(
                "iterations, critic_steps, generator_steps, penalty_every and pool_steps must be 1 at least"
            )
        if min(self.scales, self.doubling, self.crop, self.pool, self.matching) < 0:
            raise InputError("scales, doubling, crop, pool and matching must not be negative")
        if not (0 < self.learning_rate < math.inf and 0 < self.milestone <= 1):
            raise InputError("learning_rate must be positive and finite, milestone above 0 and at most 1")
        weights = (self.penalty, self.reconstruction, self.noise, self.statistics)
        if not all(0 <= weight < math.inf for weight in weights):
            raise InputError("penalty, reconstruction, noise and statistics must be 0 or positive, and finite")

    def _check_sizes(self) -> None:
        if not FIELD <= self.min_size <= self.max_size:
            raise InputError(
                f"min_size must be at least {FIELD}, the pixels that a generator sees, and at most max_size, "
                f"got {self.min_size} and {self.max_size}"
            )
        if 0 < self.crop < FIELD:
            raise InputError(f"crop must be 0 or at least {FIELD}, the pixels that a critic sees, got {self.crop}")
        if not 0 < self.ratio < 1:
            raise InputError(f"ratio must be between 0 and 1, got {self.ratio}; the paper has 0.75")
        if self.rescaling not in RESCALINGS:
            raise InputError(f"rescaling must be one of {', '.join(RESCALINGS)}, got {self.rescaling!r}")
        if self.block_widths and len(self.block_widths) != DEPTH:
            raise InputError(f"block_widths must be {DEPTH} numbers, one for each convolution, or none at all")
        widest = 1024
        if not all(1 <= width <= widest for width in (self.width, self.widest, *self.block_widths)):
            raise InputError(f"widths must be from 1 to {widest}")

    def widths_at(self, scale: int) -> tuple[int, ...]:
        """Features of the hidden layers at a scale, 0 the coarsest: four, or five block widths."""
        if self.block_widths:
            return self.block_widths
        doublings = scale // self.doubling if self.doubling else 0
        return (min(self.width * 2**doublings, max(self.width, self.widest)),) * (DEPTH - 1)


def _quick(iterations: int) -> Mapping[str, Any]:
    """Settings that differ from the paper's so that training takes minutes; docs/singan.md explains them."""
    return {
        "max_size": 250,
        "doubling": 0,
        "critic_norm": False,
        "iterations": iterations,
        "critic_steps": 1,
        "generator_steps": 1,
        "crop": 256,
        "pool": 24,
        "matching": 10,
    }


SINGAN_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "draft": {**_quick(150), "statistics": 3.0},
    "balanced": _quick(500),
    "best": {**_quick(1500), "width": 64},
    "paper": {},
}


def current_preset(name: str) -> str:
    """The present name of a preset: "fast" was that of "balanced" up to version 0.1."""
    return {"fast": "balanced"}.get(name, name)


def described(settings: SinGAN) -> str:
    """The nearest preset and the differences from it, such as "balanced, max_size=500"."""
    given = dataclasses.asdict(settings)

    def changes(preset: str) -> list[str]:
        own = dataclasses.asdict(SinGAN(**SINGAN_PRESETS[preset]))
        return [f"{name}={_plain(value)}" for name, value in given.items() if own[name] != value]

    preset = min(SINGAN_PRESETS, key=lambda name: len(changes(name)))
    return ", ".join([preset, *changes(preset)])


def _plain(value: object) -> str:
    return ",".join(str(part) for part in value) if isinstance(value, tuple) else str(value)
