"""Inputs of a scale in training: random coarse pictures, and the coarse reconstruction."""

from __future__ import annotations

from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from innersr.singan.model import PictureModel, white_noise
from innersr.singan.pyramid import Size


class CoarseInputs(Protocol):
    """Source of the pictures that a scale refines, (1, C, H, W) in [-1, 1] and of that scale's size."""

    def fake(self, picture: int, generator: torch.Generator) -> Tensor:
        """A random coarse picture, of the sizes that a picture of the subject has."""
        ...

    def reconstruction(self, picture: int) -> Tensor:
        """The coarse picture that a picture of the subject is to be reconstructed from."""
        ...


class TrainedScales:
    """Coarse inputs, on `device`, made by the trained scales of a model."""

    def __init__(self, model: PictureModel, device: torch.device) -> None:
        self._model, self._device = model, device

    @torch.no_grad()
    def fake(self, picture: int, generator: torch.Generator) -> Tensor:
        """A sample of the trained scales, enlarged; mid-grey at scale 0."""
        model, sizes = self._model, self._model.sizes[picture]
        index = len(model.scales)
        if index == 0:
            return torch.zeros(1, model.channels, *sizes[0], device=self._device)

        def noise(scale: int, size: Size) -> Tensor:
            return white_noise(generator, scale, model.channels, size).to(self._device)

        matching = partial(model.matched, wraps=(False, False), generator=generator)
        return model.generate(noise, sizes, last_size=sizes[index], change=matching)

    def reconstruction(self, picture: int) -> Tensor:
        """The reconstruction by the trained scales, enlarged."""
        return self._model.reconstruct(picture=picture).to(self._device)
