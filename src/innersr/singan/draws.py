"""Places of SinGAN's random draws in `innersr.run.generator_of`, so that no two depend on each other."""

from __future__ import annotations

from enum import IntEnum


class Draws(IntEnum):
    """What is drawn. The numbers are part of what a seed gives: they must not change."""

    CODE = 0  # once for a model
    SAMPLES = 1
    WALKS = 2  # of an animation
    MATCHES = 3  # projections that samples are matched along

    WEIGHTS = 10  # from here on in training
    STEPS = 11
    POOL = 12
    CALIBRATION = 13
    STATISTICS = 14
    PALETTE = 20

    PATCH_NOISE = 20  # deliberately the number (so an alias) of PALETTE: patch models have no palette, none draws both
    PATCH_STEPS = 21
    PATCH_WALK = 22  # of an animation by patches
