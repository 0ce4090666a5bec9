"""Learning-rate schedules: cosine decay, and ZSSR's plateau rule."""

from __future__ import annotations

import math


class PlateauRule:
    """ZSSR's learning-rate rule: divide by ten when the error stops falling (Shocher 2018, sec. 3.2).

    The errors of the last `window` tests are fitted by a line. The rate falls where 1.5 times the fall per test is not
    above the standard deviation of that slope, with n - 2 degrees of freedom.

    Args:
        learning_rate: initial rate.
        smallest: training is over when the rate is below it.
        window: tests in a fit, at least 3; also the least number of tests between two falls.
    """

    def __init__(self, learning_rate: float, *, smallest: float = 9e-6, window: int = 5) -> None:
        self.learning_rate = learning_rate
        self._smallest, self._window = smallest, window
        self._errors: list[float] = []

    @property
    def is_over(self) -> bool:
        """Whether the rate has fallen below the smallest."""
        return self.learning_rate < self._smallest

    def observe(self, error: float) -> None:
        """Note the error of one test, and lower the rate if the errors have stopped falling."""
        self._errors.append(error)
        if len(self._errors) <= self._window:
            return
        slope, deviation = fit_line(self._errors[-self._window :])
        # Differs from the paper: or equals it. The error of a black image is 0 from the first test on.
        if -1.5 * slope <= deviation:
            self.learning_rate /= 10
            self._errors.clear()


def cosine(progress: float, learning_rate: float, *, floor: float = 0.01) -> float:
    """Rate at `progress` in [0, 1] of a half cosine from `learning_rate` to `floor` times it."""
    fraction = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return learning_rate * (floor + (1 - floor) * fraction)


def fit_line(values: list[float]) -> tuple[float, float]:
    """Slope of the least-squares line through (0, v0), (1, v1), ..., and its standard deviation."""
    n = len(values)
    places = [i - (n - 1) / 2 for i in range(n)]
    spread = sum(p * p for p in places)
    mean = sum(values) / n
    slope = sum(p * (v - mean) for p, v in zip(places, values, strict=True)) / spread
    rest = sum((v - mean - slope * p) ** 2 for p, v in zip(places, values, strict=True))
    return slope, math.sqrt(rest / (n - 2) / spread)
