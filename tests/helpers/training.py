"""Trainings so small that a test can go through one in a moment."""

import numpy as np
import torch
from PIL import Image as PillowImage

from helpers.methods import RUN, image
from innersr.training.crops import CropPool, ImageFolder
from innersr.training.learner import TrainingSchedule
from innersr.training.objectives.mixture import MixtureObjective
from innersr.training.objectives.mzsr import MZSRObjective
from innersr.training.objectives.predictor import PredictorObjective
from innersr.training.objectives.supervised import SupervisedObjective
from innersr.training.objectives.tailor import TailorObjective
from innersr.training.session import Outputs, Session

OBJECTIVES = {
    "supervised": SupervisedObjective(width=6, depth=3, batch=3, crop=16),
    "supervised, muon": SupervisedObjective(width=6, depth=4, batch=3, crop=16, subpixel=True, optimizer="muon"),
    "mzsr": MZSRObjective(width=6, depth=3, batch=2, images=2, patch=20, inner_steps=2),
    "tailor": TailorObjective(width=6, depth=4, hidden=8, batch=3, crop=16, small_crop=13),
    "tailor, logarithmic": TailorObjective(width=6, depth=4, hidden=8, batch=2, crop=14, x3=0, error="logarithmic"),
    "tailor, adam": TailorObjective(width=6, depth=4, hidden=8, batch=2, crop=14, x3=0, x4=0, optimizer="adam"),
    "tailor, kernel error": TailorObjective(
        width=6, depth=4, hidden=8, batch=3, crop=16, small_crop=13, kernel_error=0.5
    ),
    "tailor, chains": TailorObjective(
        width=6, depth=4, hidden=8, batch=3, crops_each=2, crop=16, small_crop=13, chains=True, fourier=0.01
    ),
    "predictor": PredictorObjective(width=4, hidden=8, batch=3, crop=16),
    "mixture": MixtureObjective(hidden=8, batch=2, examples=4, crop=32),
}
SCHEDULE = TrainingSchedule(steps=6, warm_up=3)


def photo(height, width, seed=0):
    """Return (3, height, width) uint8: smooth noise in three bands."""
    return (255 * image(3, (height, width), seed)[0]).round().byte()


def pool(count=2, sides=(200, 180), sha256="0"):
    return CropPool(tuple(photo(*sides, seed) for seed in range(count)), (), (ImageFolder("photos", count, sha256),), 0)


def write_photos(folder, count=2, sides=(200, 180)):
    """Write PNG files into a new folder, and return it."""
    folder.mkdir()
    for seed in range(count):
        pixels = photo(*sides, seed).permute(1, 2, 0).numpy()
        PillowImage.fromarray(np.ascontiguousarray(pixels)).save(folder / f"{seed}.png")
    return folder


def session(folder, objective="tailor", **others):
    """Return a training of six steps whose files go into a folder."""
    given = {"schedule": SCHEDULE, "pool": pool(), "outputs": Outputs(prior=folder / "prior.safetensors"), "run": RUN}
    return Session(objective=OBJECTIVES[objective], **given | others)


def stop_after(steps):
    """Return what a session asks whether to stop: it does after so many steps."""
    asked = iter([False] * (steps - 1) + [True] * 1000)
    return lambda: next(asked)


def largest_difference(a, b):
    """Return the largest difference of two dicts of tensors, which must have the same names."""
    assert a.keys() == b.keys()
    return max(float((a[name].double() - b[name].double()).abs().max()) for name in a)


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]
