"""Counting noise, whose variance grows with the value, and the transform that makes it Gaussian.

Light is counted in quanta, and a count of n has the variance n (Poisson); reading it out adds Gaussian noise. The
generalised Anscombe transform makes both together Gaussian noise of one standard deviation, which methods know. Its
algebraic inverse would be biased after denoising: the unbiased one is used, in its closed form (Mäkitalo and Foi 2013,
"Optimal inversion of the generalized Anscombe transformation for Poisson-Gaussian noise", eq. 6 and 10).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from innersr.errors import InputError


@dataclass(frozen=True, kw_only=True)
class CountingNoise:
    """Noise of variance gain * (value - black) + read^2 on an image in [0, 1].

    Args:
        gain: value that one count adds, above 0: 0.02 where white is 50 counts.
        read: standard deviation of the Gaussian noise besides.
        black: value of no count.
        unit: stored values that a difference of 1 is, for `text`: 255 for an image of 8 bits.

    Raises:
        InputError: a number outside its range.
    """

    gain: float
    read: float = 0.0
    black: float = 0.0
    unit: float = field(default=255.0, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.gain < math.inf:
            raise InputError(f"the gain of counting noise is above 0, got {self.gain}")
        if not 0 <= self.read < math.inf:
            raise InputError(f"read noise is a standard deviation, 0 or more, got {self.read}")
        if not math.isfinite(self.black):
            raise InputError(f"the black level must be finite, got {self.black}")

    @property
    def text(self) -> str:
        """As `--noise` takes it, in stored values: poisson:5.1 or poisson:5.1:2.0."""
        return f"poisson:{self.unit * self.gain:.3g}" + (f":{self.unit * self.read:.2g}" if self.read > 0 else "")

    @property
    def sigma(self) -> float:
        """Standard deviation of the Gaussian noise that a stabilised image has, in its values."""
        return 1 / self._stabilised_range[1]

    def deviation(self, values: Tensor) -> float:
        """Root mean square of the noise on an image of these values, of any shape."""
        variance = self.gain * (values.double() - self.black).clamp(min=0) + self.read**2
        return math.sqrt(float(variance.mean()))

    def rescaled(self, low: float, spread: float) -> CountingNoise:
        """The noise of (values - low) / spread; what is too strong for that range is limited."""
        gain, read = min(1.0, self.gain / spread), min(0.99, self.read / spread)
        return CountingNoise(gain=gain, read=read, black=(self.black - low) / spread, unit=self.unit * spread)

    def draw(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """An image, of any shape on the CPU, with this noise; not clipped."""
        counts = ((image - self.black) / self.gain).clamp(min=0)
        noisy = self.black + self.gain * torch.poisson(counts, generator)
        return noisy + self.read * torch.randn(image.shape, generator=generator).to(noisy)

    def stabilise(self, image: Tensor) -> Tensor:
        """Make the noise of an image, of any shape, Gaussian; 0 and 1 become 1/12 and 11/12, and [0, 1] is kept."""
        low, spread = self._stabilised_range
        return ((self._transform((image - self.black) / self.gain) - low) / spread).clamp_(0, 1)

    def destabilise(self, stabilised: Tensor) -> Tensor:
        """Undo `stabilise` for an image from which the noise was removed: the mean of the values, at least `black`."""
        low, spread = self._stabilised_range
        least = 2 * math.sqrt(3 / 8)  # the transform of no count
        root = (stabilised * spread + low).clamp(min=least)
        half = math.sqrt(3 / 2)
        counts = root**2 / 4 + half / (4 * root) - 11 / (8 * root**2) + 5 * half / (8 * root**3) - 1 / 8
        return (counts - (self.read / self.gain) ** 2).clamp_(min=0).mul_(self.gain).add_(self.black)

    @property
    def _stabilised_range(self) -> tuple[float, float]:
        """Low and spread of the transform that become 0 and 1: of values from 0 to 1, with a tenth of headroom."""
        ends = torch.tensor([-self.black, 1 - self.black], dtype=torch.float64) / self.gain
        low, high = self._transform(ends).tolist()
        spread = max(high - low, 1e-6)  # an image below the black level has no counts at all
        return low - 0.1 * spread, 1.2 * spread

    def _transform(self, counts: Tensor) -> Tensor:
        return 2 * (counts + 3 / 8 + (self.read / self.gain) ** 2).clamp(min=0).sqrt()


def parse_noise(noise: float | str | CountingNoise | None) -> tuple[float | None, CountingNoise | None]:
    """Standard deviation in [0, 1) and counting noise that `--noise` names, one of them None; both where it is None.

    Args:
        noise: a standard deviation in 255ths of the range of the image's values (the levels of an 8-bit image), as a
            number or as text; or "poisson:GAIN" or "poisson:GAIN:READ", of variance GAIN * value + READ^2 in stored
            values, of which 255 are 1 in what is returned.

    Raises:
        InputError: not such a noise, or out of range.
    """
    if noise is None or isinstance(noise, CountingNoise):
        return None, noise
    if isinstance(noise, str) and noise.startswith("poisson"):
        return None, _parse_counting(noise)
    try:
        level = math.nan if isinstance(noise, bool) else float(noise)
    except (TypeError, ValueError):
        level = math.nan
    if not 0 <= level < 255:
        form = "a standard deviation in 255ths of the image's range, from 0 to below 255, or poisson:GAIN"
        raise InputError(f"noise is {form}, got {noise!r}")
    return level / 255, None


def _parse_counting(text: str) -> CountingNoise:
    try:
        gain, read = (float(word) for word in (*text.split(":")[1:], "0")[:2])
    except ValueError:
        gain, read = 0.0, 0.0
    if not text.startswith("poisson:") or text.count(":") > 2 or not (0 < gain < math.inf and 0 <= read < math.inf):  # noqa: PLR2004
        raise InputError(
            "counting noise is poisson:GAIN or poisson:GAIN:READ, of variance GAIN * value + READ^2 in stored values, "
            f"GAIN above 0, READ 0 or more; got {text!r}"
        )
    return CountingNoise(gain=gain / 255, read=read / 255)
