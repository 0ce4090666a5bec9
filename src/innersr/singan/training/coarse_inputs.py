"""Inputs of a scale in training: random coarse pictures, and the coarse reconstruction."""

from __future__ import annotations

from dataclasses import replace
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
    """Coarse inputs made by the trained scales of a model.

    Args:
        model: of the scales.
        device: of the inputs.
        dtype: that fakes are computed in; reconstructions in float32, as the amplitude of the noise is taken from them.
    """

    def __init__(self, model: PictureModel, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        self._model, self._device = model, device
        rounded = tuple(
            scale._replace(layers=[(weight.to(dtype), bias.to(dtype)) for weight, bias in scale.layers])
            for scale in model.scales
        )
        self._rounded = replace(model, scales=rounded)

    @torch.no_grad()
    def fake(self, picture: int, generator: torch.Generator) -> Tensor:
        """A sample of the trained scales, enlarged; mid-grey at scale 0."""
        model, sizes = self._rounded, self._model.sizes[picture]
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
