"""An upscaled image and how it came about."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from innersr.blind.estimate import Estimate
from innersr.images.image import Image
from innersr.methods.protocols import Method
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
