"""Learning a picture: all its scales, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from innersr.methods.singan.learning import Losses, ScaleLearner
from innersr.methods.singan.model import PictureModel
from innersr.methods.singan.pyramid import pictures_of, scale_count, sizes_of
from innersr.methods.singan.settings import SinGAN
from innersr.run import Run

Watch = Callable[[ScaleLearner, Losses], None]
"""Called after every iteration."""


def begun(pictures: Sequence[Tensor], settings: SinGAN, seed: int) -> PictureModel:
    """Return a model of pictures, (1, C, H, W) in [-1, 1], that has learnt nothing yet."""
    count = scale_count((pictures[0].shape[-2], pictures[0].shape[-1]), settings)
    sizes = tuple(sizes_of((p.shape[-2], p.shape[-1]), settings, count) for p in pictures)
    return PictureModel(settings=settings, sizes=sizes, channels=pictures[0].shape[1], seed=seed)


def fit(pictures: Sequence[Tensor], settings: SinGAN, run: Run, watch: Watch | None = None) -> PictureModel:
    """Learn pictures, (1, C, H, W) in [-1, 1], of one subject."""
    model = begun(pictures, settings, run.seed)
    pyramids = [pictures_of(p, sizes) for p, sizes in zip(pictures, model.sizes, strict=True)]
    weights = None
    for index in range(len(model.sizes[0])):
        inherits = settings.inherit and index and settings.widths_at(index) == settings.widths_at(index - 1)
        learner = ScaleLearner(model, [p[index] for p in pyramids], run, initial=weights if inherits else None)
        for _ in run.steps(f"scale {index + 1} of {len(model.sizes[0])}", settings.iterations):
            losses = learner.iterate()
            if watch is not None:
                watch(learner, losses)
        model = replace(model, scales=(*model.scales, learner.finished()))
        weights = learner.weights()
    return model
