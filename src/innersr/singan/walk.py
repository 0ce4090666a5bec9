"""A random walk around a centre that may close: how the frames of an animation move (Shaham 2019, sec. 4).

It is drawn back to the centre, goes on as it went, and is pushed at random:

    z[t+1] = alpha centre + (1 - alpha) (z[t] + d[t+1]),    d[t+1] = beta (z[t] - z[t-1]) + (1 - beta) u[t]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from innersr.errors import InputError

Push = Callable[[int], Tensor]
"""From a frame, -1 for the one before the first, to its random push u, (1, C, H, W) of variance 1."""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """How the noise of every scale, or a start of patches, moves; see `innersr.singan.animation.animate`."""

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
        """Yield where the walk is in every frame, (1, C, H, W); only the last two are kept.

        Args:
            centre: what stands for the picture.
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
