"""An upscaled image and how it came about."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from innersr.blind.estimate import Estimate
from innersr.images.image import Image
from innersr.methods.baselines import Bicubic
from innersr.methods.protocols import Method, copies_pixels
from innersr.physics.degradation import Degradation


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """An upscaled image and how it came about."""

    image: Image
    degradation: Degradation
    """As it was given or estimated."""
    seconds: float = 0.0
    consistency_psnr: float = math.inf
    """dB between the result shrunk again and the input, as methods see them."""
    method: Method
    """As it was applied, with the greatest number of steps of Tailor; Bicubic where its result could not be trusted."""
    estimate: Estimate | None = None
    """None where the degradation was given."""
    path: Path | None = None
    """The file that `upscale_file` wrote."""
    notes: tuple[str, ...] = ()
    """Sentences about the result, such as what the format of that file did not keep."""

    @property
    def fidelity(self) -> str:
        """One sentence about how far the result can be trusted."""
        if isinstance(self.method, Bicubic):
            return "interpolated only: nothing was sharpened, and nothing invented"
        levels = 255 * 10 ** (-self.consistency_psnr / 20)
        agreement = f"shrunk again, it is your picture within {levels:.1f} of 255 grey levels"
        if copies_pixels(self.method):
            return "the pixels are repeated as they are: nothing was sharpened, and nothing invented"
        noise = 255 * self.degradation.noise
        if levels <= 1.0 and noise < 1 and self.degradation.compression == 0:
            return f"sharpened what is there: {agreement}; fine detail is a guess that agrees with it"
        if levels <= 1.5 * noise + 4 * self.degradation.compression + 2:
            return f"cleaned and sharpened what is there: {agreement}, which is about what was removed"
        return f"details may be invented: {agreement}; compare it with the interpolated picture"
