"""The result of upscaling: the image, and how it was made."""

from __future__ import annotations

import base64
import html
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
    """An upscaled image, and how it was made."""

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
    def consistency(self) -> str:
        """The consistency in dB, as text."""
        exact = 120  # dB, of a difference of 1e-6, which rounding makes
        return "exact" if self.consistency_psnr > exact else f"{self.consistency_psnr:.1f} dB"

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

    def _repr_png_(self) -> bytes:
        """The picture as a notebook shows it."""
        return self.image._repr_png_()

    def _repr_html_(self) -> str:
        """The picture, and below it the estimate, the method and the notes."""
        height, width = self.image.colour.shape[-2:]
        rows = {
            "size": f"{width} × {height}, {self.image.colour.shape[1]} channels, {self.image.depth}",
            "found": "" if self.estimate is None else self.estimate.summary,
            "method": f"{type(self.method).__name__}, {self.seconds:.1f} s",
            "consistency": f"{self.consistency}: {self.fidelity}",
            "file": "" if self.path is None else str(self.path),
            "notes": "; ".join(self.notes),
        }
        cells = "".join(f"<tr><th>{name}</th><td>{html.escape(text)}</td></tr>" for name, text in rows.items() if text)
        picture = base64.b64encode(self._repr_png_()).decode()
        return f'<figure><img alt="the result" src="data:image/png;base64,{picture}"><table>{cells}</table></figure>'
