"""How long enlarging takes on this machine, learned from what it took so far."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field

from innersr.methods.options import UpscaleOptions
from innersr.metrics.recurrence import Recurrence


@dataclass(eq=False)
class Pace:
    """Seconds of each preset of the default method, and how much slower this machine is than the one they are from."""

    factor: float = 1.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def seconds(self, options: UpscaleOptions, hr_size: tuple[int, int], recurrence: Recurrence | None) -> float:
        """Estimate how long a picture takes.

        Args:
            options: of which preset and method count.
            hr_size: (height, width) of the result.
            recurrence: on which the number of steps depends.
        """
        return self.factor * _planned(options, hr_size, recurrence)

    def note(self, options: UpscaleOptions, hr_size: tuple[int, int], seconds: float) -> None:
        """Learn from a picture that took so many seconds."""
        ratio = seconds / _planned(options, hr_size, None)
        with self._lock:  # half of what it was, half of what it is, on a logarithmic scale
            self.factor = math.sqrt(self.factor * min(100.0, max(0.01, ratio)))


def _planned(options: UpscaleOptions, hr_size: tuple[int, int], recurrence: Recurrence | None) -> float:
    """Seconds on two cores of a laptop: of learning, then of each megapixel of the result (docs/web.md)."""
    megapixels = hr_size[0] * hr_size[1] / 1e6
    if options.method in ("bicubic", "pixelart", "backprojection"):
        return 0.1 + 0.5 * megapixels
    learning, applying = {"draft": (0.5, 3.0), "best": (30.0, 30.0)}.get(options.preset or "", (3.0, 6.0))
    if options.method != "tailor":
        learning *= 5
    share = 1.0 if recurrence is None else min(1.0, recurrence.score / 0.4)
    return learning * (0.2 + 0.8 * share) + applying * megapixels
