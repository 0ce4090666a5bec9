"""Photographs and random images for the measures."""

import numpy as np
import torch
from skimage import data

GENERATOR_SEED = 7


def photograph(name="astronaut"):
    """A photograph that ships inside scikit-image's wheel, (1, 3, H, W)."""
    return as_image(getattr(data, name)())


def as_image(levels):
    """uint8 (H, W) or (H, W, C) to a float image (1, C, H, W)."""
    levels = np.atleast_3d(levels)
    return torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1))[None]).float() / 255


def noise_like(x, seed=GENERATOR_SEED):
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))


def random_image(*shape, seed=GENERATOR_SEED):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))
