"""Animation of a learned picture: a walk of its noise around the code that stands for it (Shaham 2019, sec. 4).

At every scale the noise is drawn back to the noise of the picture, goes on as it went, and is pushed at random:

    z[t+1] = alpha z_rec + (1 - alpha) (z[t] + d[t+1]),    d[t+1] = beta (z[t] - z[t-1]) + (1 - beta) u[t]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.physics.resize import resize
from innersr.run import Run, generator_of
from innersr.singan.draws import Draws
from innersr.singan.model import PictureModel, white_noise, wraps_of
from innersr.singan.pyramid import Size

Push = Callable[[int], Tensor]
"""From a frame, -1 for the one before the first, to its random push u, (1, C, H, W) of variance 1."""


@dataclass(frozen=True, kw_only=True)
class _Walk:
    """How the noise of every scale moves, see `animate`."""

    frames: int
    pull: float
    """alpha of the paper: how strongly the noise is drawn back to that of the picture, 1 where nothing moves."""
    smoothness: float
    loop: bool

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise InputError(f"frames must be 1 or more, got {self.frames}; 100 are usual")
        if not 0 <= self.smoothness < 1:
            raise InputError(
                f"smoothness must be 0 or more, and below 1, where nothing moves, got {self.smoothness}; "
                "the paper has 0.8 to 0.95"
            )

    def noises(self, centre: Tensor, push: Push) -> Iterator[Tensor]:
        """Yield the noise of one scale in every frame, (1, C, H, W); only the last two are kept.

        Args:
            centre: noise that stands for the picture.
            push: gives the same for a frame whenever it is asked.
        """
        # Both are kept as deviations from the centre, which the recurrence is linear in.
        # A walk that does not close begins near the picture: 5 % of its first noise is random.
        now, before = self._closing(centre, push) if self.loop else (0.05 * (push(-1) - centre), 0 * centre)
        for frame in range(self.frames):
            yield centre + now
            now, before = self._next(now, before, push(frame)), now

    def _next(self, now: Tensor, before: Tensor, push: Tensor) -> Tensor:
        # Differs from the reference code: with the alpha that it is told, where that always takes 0.1.
        stride = self.smoothness * (now - before) + (1 - self.smoothness) * push
        return (1 - self.pull) * (now + stride)

    def _closing(self, centre: Tensor, push: Push) -> tuple[Tensor, Tensor]:
        """The deviations of the first frame and the one before that all pushes of a round lead back to."""
        # Differs from the paper: a walk whose pushes come again after the last frame is the same walk at every frame,
        # so its end meets its beginning as smoothly as any two frames meet. A round leads from a state s to M^n s + r,
        # where r is what the pushes lead to from 0; so s = (1 - M^n)^-1 r is the state that comes back.
        now = before = torch.zeros_like(centre)
        for frame in range(self.frames):
            now, before = self._next(now, before, push(frame)), now
        kept = 1 - self.pull
        step = torch.tensor([[kept * (1 + self.smoothness), -kept * self.smoothness], [1, 0]], dtype=torch.float64)
        left = torch.eye(2, dtype=torch.float64) - torch.linalg.matrix_power(step, self.frames)
        (a, b), (c, d) = torch.linalg.inv(left).tolist()
        return a * now + b * before, c * now + d * before


def animate(  # noqa: PLR0913 (how the noise moves, and what of the picture moves)
    model: PictureModel,
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

    They are made as they are asked for. What is kept between them is two noises of every scale.

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
        InputError: a setting out of its range, a size below the receptive field, or an unfinished model.
    """
    if not 0 <= strength < math.inf:
        raise InputError(f"strength must be 0, where nothing moves, or more, got {strength}; 1 is as published")
    walk = _Walk(frames=frames, pull=1 / (1 + 9 * strength), smoothness=smoothness, loop=loop)
    model.check_start(start)
    return _frames(model, walk, start, model.sizes_for(size), wraps_of(wrap), run or Run())


def _frames(
    model: PictureModel, walk: _Walk, start: int, sizes: tuple[Size, ...], wraps: tuple[bool, bool], run: Run
) -> Iterator[Tensor]:
    next_frame = _frame_maker(model, walk, start, sizes, wraps, run)
    for _ in run.steps("animate", walk.frames, limited=False):
        yield next_frame()


@isolated
def _frame_maker(
    model: PictureModel, walk: _Walk, start: int, sizes: tuple[Size, ...], wraps: tuple[bool, bool], run: Run
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
