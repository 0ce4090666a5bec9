"""Recovery from divergence: back to the last sound weights, and on at a lower learning rate. Knows no method."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor


class Optimizer(Protocol):
    """An optimizer, of which only the state is needed here."""

    @property
    def state(self) -> MutableMapping[Any, Any]:
        """Moments and the like, by weight."""


class DivergenceGuard:
    """Watches the losses of weights that optimizers change in place.

    The weights of the last finite loss are remembered. After a loss that is NaN, infinite or above `limit` they are
    restored, the optimizers' moments are cleared, and the caller multiplies the learning rate by `rate_share`. As long
    as all losses are sound, nothing changes.

    Args:
        weights: all weights and buffers that are learned together.
        optimizers: of these weights.
        limit: largest sound loss.
        patience: how often learning continues after divergence; the next time it ends with the last sound weights.
        interval: steps between two checks; None for 1 on CPUs and 25 elsewhere, where each check waits for the device.
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
        """How often the weights were restored."""

    @property
    def rate_share(self) -> float:
        """Factor on the learning rate: a tenth for each time that the weights were restored."""
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
        """Whether this loss of the present weights is sound; if not, the last sound weights are restored."""
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
        """Make sure that the weights are finite at the end; return a sentence for the user if learning diverged."""
        if not all(bool(weight.isfinite().all()) for weight in self._weights):
            self.restore()
        if self.count == 0:
            return ()
        times = "once" if self.count == 1 else f"{self.count} times"
        end = "ended there" if self.is_over else f"went on at {self.rate_share:g} of its rate"
        return (f"learning diverged {times}: the last sound weights were restored, and it {end}",)

    def resume(self, count: int) -> None:
        """Continue with the present weights, which are sound, after `count` earlier restorations."""
        self.count = count
        with torch.no_grad():
            torch._foreach_copy_(self._sound, self._weights)

    @torch.no_grad()
    def restore(self) -> None:
        """Restore the last sound weights, and count that."""
        torch._foreach_copy_(self._weights, self._sound)
        for optimizer in self._optimizers:
            optimizer.state.clear()
        self.count += 1
