"""The linear change between values that a source stores and those that its result stores."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LinearChange:
    """A stored value becomes factor * value + shift."""

    factor: float = 1.0
    shift: float = 0.0

    def of(self, value: float) -> float:
        """What a value of the source is in the result."""
        return self.factor * value + self.shift

    def calibration(self, scale: float, offset: float) -> tuple[float, float]:
        """Scale and offset that give the physical values of the result, from those of the source."""
        return scale / self.factor, offset - scale * self.shift / self.factor


UNCHANGED = LinearChange()
