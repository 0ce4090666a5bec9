"""SinGAN models so small that a test can train one in a moment."""

import dataclasses
import functools

import torch

from innersr.physics.resize import resize
from innersr.run import Run
from innersr.singan.fit import fit
from innersr.singan.settings import SinGAN

RUN = Run(device="cpu", precision="fp32", seed=3)
TINY = SinGAN(min_size=11, max_size=24, ratio=0.6, width=4, iterations=3, critic_steps=1, generator_steps=1)


def tiny(**others):
    """Return the tiny settings, some of them changed."""
    return dataclasses.replace(TINY, **others)


def picture(channels=3, sides=(20, 24), seed=6):
    """Return (1, channels, *sides) in [-1, 1]: smooth noise, every frequency and no two places alike."""
    noise = torch.rand(1, channels, *sides, generator=torch.Generator().manual_seed(seed))
    return ((resize(resize(noise, 0.5), size=sides) * 0.6 + noise * 0.4) * 2 - 1).clamp(-1, 1)


@functools.cache
def trained(channels=3, sides=(20, 24), settings=TINY, count=1):
    """Return a model of `count` pictures that went through its few iterations; the same one every time, so leave it."""
    return fit([picture(channels, sides, seed=6 + k) for k in range(count)], settings, RUN)
