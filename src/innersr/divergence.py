"""Learning that diverges: the last sound weights come back, and it goes on at a lower rate. Knows no method."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor


class Optimizer(Protocol):
    """What changes weights by their gradients, and remembers something of each of them."""

    @property
    def state(self) -> MutableMapping[Any, Any]:
        """What is remembered, by weight."""


class DivergenceGuard:
    """Watches the losses of weights that optimizers change in place.

    The weights of a finite loss are remembered. Where a loss is NaN, infinite or above `limit`, they come back, the
    optimizers forget their moments, and the rate is to fall to a tenth. Where all losses are sound, nothing changes.

    Args:
        weights: and buffers of everything that is learnt together.
        optimizers: of these weights.
        limit: of sound losses.
        patience: times that learning goes on; the next time it ends with the last sound weights.
        interval: steps between two looks; None for 1 on CPUs and 25 elsewhere, where each look waits for the device.
    """

    def __init__(
        self,
        weights: Sequence[Tensor],
        optimizers: Sequence[Optimizer] = (),
        *,
        limit: float = math.inf,
        patience: int = 3,
        interval: int | None = None,
    ) -> None:
        self._weights, self._optimizers = [*weights], [*optimizers]
        is_cpu = all(weight.device.type == "cpu" for weight in self._weights)
        self._interval = interval or (1 if is_cpu else 25)
        self._limit, self._patience = limit, patience
        self._sound = [weight.detach().clone() for weight in self._weights]
        self._losses = 0
        self.count = 0
        """Times that learning was taken back."""

    @property
    def rate_share(self) -> float:
        """Factor on the learning rate: a tenth for each time that learning was taken back."""
        return 10.0**-self.count

    @property
    def is_over(self) -> bool:
        """Whether learning has diverged too often to go on."""
        return self.count > self._patience

    def guarded(self, steps: Iterable[int]) -> Iterator[int]:
        """Yield the steps of a loop until learning has diverged too often."""
        for step in steps:
            yield step
            if self.is_over:
                break

    def is_sound(self, loss: Tensor) -> bool:
        """Whether the present weights, whose loss this is, may be changed by a step; else they are taken back."""
        self._losses += 1
        if self._losses % self._interval:
            return True
        if float(loss) <= self._limit and math.isfinite(loss):
            with torch.no_grad():
                torch._foreach_copy_(self._sound, self._weights)
            return True
        self.restore()
        return False

    def settle(self) -> tuple[str, ...]:
        """Make sure that the last step left finite weights; return a sentence for the user if learning diverged."""
        if not all(bool(weight.isfinite().all()) for weight in self._weights):
            self.restore()
        if self.count == 0:
            return ()
        times = "once" if self.count == 1 else f"{self.count} times"
        end = "ended there" if self.is_over else f"went on at {self.rate_share:g} of its rate"
        return (f"learning diverged {times}: the last sound weights were restored, and it {end}",)

    def resume(self, count: int) -> None:
        """Go on with the present weights, which are sound, after learning was taken back so many times."""
        self.count = count
        with torch.no_grad():
            torch._foreach_copy_(self._sound, self._weights)

    @torch.no_grad()
    def restore(self) -> None:
        """Bring the last sound weights back, and count that."""
        torch._foreach_copy_(self._weights, self._sound)
        for optimizer in self._optimizers:
            optimizer.state.clear()
        self.count += 1
