"""Animation of a picture: a random walk around its representation (Shaham 2019, sec. 4).

By a network, the noise of every scale walks around the noise of the picture; by patches, the layout around its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.physics.resize import resize
from innersr.run import Run, generator_of
from innersr.singan.draws import Draws
from innersr.singan.model import PictureModel, white_noise, wraps_of
from innersr.singan.patches.animation import patch_frames
from innersr.singan.patches.model import PatchModel, SubjectModel
from innersr.singan.pyramid import Size
from innersr.singan.walk import Push, Walk


def animate(  # noqa: PLR0913 (how the noise moves, and what of the picture moves)
    model: SubjectModel,
    *,
    frames: int = 100,
    start: int = 0,
    strength: float = 1.0,
    smoothness: float = 0.9,
    size: Size | None = None,
    loop: bool = True,
    wrap: str = "",
    run: Run | None = None,
) -> Iterator[Tensor]:
    """The frames of an animation of the picture, one by one: (1, C, H, W) in [-1, 1], on the model's device.

    By a network each is made on demand, and only two noises of every scale are kept. By patches all are made when the
    first is asked for.

    Args:
        start: scale at which the motion starts; 0 moves everything, finer scales only what is smaller. Coarser scales
            show the picture itself.
        strength: of the motion, 0 or more: 0 stands still, 1 strays as far as published, where alpha is 0.1. In
            between and beyond, alpha = 1 / (1 + 9 strength). At smoothness 0.9 noise deviates from the picture's by
            0.25 with 0.44, by 0.5 with 1, and with 3.6 by 1.1, more than the noise that was learned.
        smoothness: beta of the paper, in [0, 1): the share of its motion that the noise keeps. Larger is calmer.
        size: (height, width) of the frames; of any aspect. The picture from below `start`, or what scale 0 makes of
            its code, is stretched to it.
        loop: whether the first frame follows the last one. Otherwise the walk starts beside the picture.
        wrap: "x", "y" or "xy" for frames that continue on their opposite side.

    Raises:
        InputError: a setting out of its range, a size below the receptive field, an unfinished model, or, by patches,
            more frames than the memory holds.
    """
    if not 0 <= strength < math.inf:
        raise InputError(f"strength must be 0, where nothing moves, or more, got {strength}; 1 is as published")
    walk = Walk(frames=frames, pull=1 / (1 + 9 * strength), smoothness=smoothness, loop=loop)
    model.check_start(start)
    sizes, wraps, run = model.sizes_for(size), wraps_of(wrap), run or Run()
    if isinstance(model, PatchModel):
        return _frames_of_patches(model, walk, start, sizes, wraps, run)
    return _frames(model, walk, start, sizes, wraps, run)


def _frames_of_patches(
    model: PatchModel, walk: Walk, start: int, sizes: tuple[Size, ...], wraps: tuple[bool, bool], run: Run
) -> Iterator[Tensor]:
    yield from patch_frames(model, walk, start, sizes, wraps, run)


def _frames(
    model: PictureModel, walk: Walk, start: int, sizes: tuple[Size, ...], wraps: tuple[bool, bool], run: Run
) -> Iterator[Tensor]:
    next_frame = _frame_maker(model, walk, start, sizes, wraps, run)
    for _ in run.steps("animate", walk.frames, limited=False):
        yield next_frame()


@isolated
def _frame_maker(
    model: PictureModel, walk: Walk, start: int, sizes: tuple[Size, ...], wraps: tuple[bool, bool], run: Run
) -> Callable[[], Tensor]:
    coarse = resize(model.reconstruct(scales=start), size=sizes[start], wrap=wraps) if start else None
    # Differs from the paper: models are not trained anew with borders of noise (its "animation" training); any model
    # is animated.
    # Differs from the reference code: that knows one size only. At another one, the coarsest scale keeps its size, and
    # what it makes is stretched: a code that is stretched itself is no white noise any more, and the picture is lost.
    walked = (model.sizes[0][0], *sizes[1:])
    noises = [walk.noises(_centre(model, k, size), _push(model, k, size, run)) for k, size in enumerate(walked)]

    def noise(scale: int, _size: Size) -> Tensor:
        return next(noises[scale]).to(model.device)

    @isolated
    @torch.no_grad()
    def next_frame() -> Tensor:
        return model.generate(noise, walked, coarse=coarse, start=start, wraps=wraps, last_size=sizes[-1])

    return next_frame


def _centre(model: PictureModel, scale: int, size: Size) -> Tensor:
    """The noise that stands for the picture at a scale, (1, C, H, W) on the CPU."""
    return torch.zeros(1, model.channels, *size) if scale else model.code()


def _push(model: PictureModel, scale: int, size: Size, run: Run) -> Push:
    def push(frame: int) -> Tensor:
        run.check_cancelled()
        return white_noise(generator_of(run.seed, Draws.WALKS, scale, frame), scale, model.channels, size)

    return push
