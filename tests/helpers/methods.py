"""Images and settings so small that any method is through in a moment."""

import dataclasses

import numpy as np
import torch

from helpers.priors import prior_for
from innersr.blind.estimate import Estimate
from innersr.methods.registry import METHODS, make_method
from innersr.physics.degradation import Degradation
from innersr.physics.resize import resize
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32")
SIDES = (22, 18)  # pixels
SINGLE = 1e-6  # float32: values of about 1, each a sum of some hundred products

# Settings that make any method small. One that lacks a field goes without.
SMALL = {"steps": "8", "pixels": "1000", "crop": "24", "fathers": "3", "smallest_father": "0.7", "refresh": "3"} | {
    "width": "8",
    "depth": "3",
    "back_projection": "4",
}


def assumed(_lr, scale, _run=None, **_):
    """Stand in for `examine` where a test is not about what can be found out from an image."""
    return Estimate(degradation=Degradation(scale=scale), confidence="none")


def has(name, field):
    """Return whether the method of this name has such a setting."""
    return field in {field.name for field in dataclasses.fields(METHODS[name])}


def made(name, settings=SMALL, **others):
    """Return a method with those of the settings that it has, and a tiny prior; `others` are values, not text."""
    if name == "singan":  # takes its steps at each of its scales
        settings = settings | {"steps": str(int(settings["steps"]) // 4)}
    method = make_method(name, settings={key: text for key, text in settings.items() if has(name, key)})
    prior = {"prior": prior_for(name)} if has(name, "prior") else {}
    return dataclasses.replace(method, **prior | others)


def upscaled(method, x, degradation=None, run=RUN):
    return method.adapt(x, degradation or Degradation(scale=2), run)(x)


def image(channels=1, sides=SIDES, seed=6):
    """Smooth noise: every frequency, and no two places alike."""
    noise = torch.rand(1, channels, *sides, generator=torch.Generator().manual_seed(seed))
    return (resize(resize(noise, 0.5), size=sides) * 0.6 + noise * 0.4).clamp(0, 1)


def seamless(sides=(24, 32), seed=6):
    """Smooth noise that continues on its opposite side."""
    noise = torch.rand(1, 1, sides[0] // 4, sides[1] // 4, generator=torch.Generator().manual_seed(seed))
    return (resize(noise, 4, wrap=(True, True)) * 0.8 + 0.1).clamp(0, 1)


def edges(side):
    """A rough chequerboard with slanted, antialiased sides: the same edges everywhere, at every scale."""
    y, x = np.mgrid[: side * 4, : side * 4] / 4
    light = (np.sin(x / 9 + y / 23) > 0) ^ (np.sin(y / 11 - x / 31) > 0)
    return torch.from_numpy(light.reshape(side, 4, side, 4).mean((1, 3)) * 0.7 + 0.15).float()[None, None]
