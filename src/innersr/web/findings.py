"""What happened to a picture, in words and drawings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from innersr.blind.estimate import Estimate
from innersr.errors import KernelError
from innersr.images.conversions import image_from
from innersr.images.image import Image
from innersr.images.io import save
from innersr.inference.normalisation import NormalisedImage
from innersr.metrics.recurrence import Recurrence, recurrence_of
from innersr.physics.degradation import Degradation
from innersr.pipeline.films import FilmTask
from innersr.pipeline.tasks import FileTask
from innersr.plots.before_after import comparable, looked_at
from innersr.plots.kernels import kernel_cell
from innersr.plots.recurrence import recurrence_map
from innersr.plots.sheets import Pixels, draw_sheet, shown
from innersr.run import Run
from innersr.web.pace import amount


@dataclass(frozen=True, kw_only=True, eq=False)
class Findings:
    """What was found out about a picture before it is enlarged.

    Args:
        task: one picture: the first frame of a film, or the page of a stack that is learned from.
        whole: all that is enlarged.
        seen: the picture as methods see it.
        estimate: of its degradation; None where that was given.
        recurrence: of its detail.
    """

    task: FileTask
    whole: FileTask
    seen: NormalisedImage
    estimate: Estimate | None
    recurrence: Recurrence

    @property
    def sentences(self) -> list[str]:
        """What happened to the picture, one thing a sentence."""
        (height, width), image = self.task.lr_size, self.task.image
        bits = {"uint8": "8 bits", "uint16": "16 bits", "float32": "floating point"}[image.depth]
        bands = image.colour.shape[1]
        colours = {1: "grey", 3: "colour"}.get(bands, f"{bands} channels") + ("" if image.alpha is None else ", alpha")
        words = [f"{width} × {height} pixels, {colours}, {bits}"]
        if self.estimate is not None:
            words += found_in_words(self.estimate)
        return [*words, self.recurrence.verdict, *self._notes]

    @property
    def _notes(self) -> tuple[str, ...]:
        """What is lost or converted, but for what only a single frame or page would lose."""
        pictures, _ = amount(self.whole)
        if pictures == 1:
            return self.task.image.notes
        if isinstance(self.whole, FilmTask):
            kind, notes = "frames", self.whole.film.facts.notes
        else:
            kind, notes = "pages", self.whole.image.notes
        return f"one of {pictures} {kind}, all of which are enlarged", *notes

    @property
    def blurs(self) -> int:
        """How many blurs the picture may have, for each of which a result is made."""
        return 1 if self.estimate is None else len(self.estimate.candidates)

    @property
    def advice(self) -> str:
        """What to choose."""
        estimate = self.estimate
        if estimate is None:
            return "the blur is given: it is used as it is"
        if estimate.confidence == "none":
            return "too little detail to judge by: it is taken as shrunk by software; give the blur if you know it"
        if estimate.jpeg_quality is not None and estimate.jpeg_quality < 75:  # noqa: PLR2004 (blocks are visible)
            return "strongly compressed: blocks are removed with it; an original with less compression gives far more"
        if estimate.interpolated > 0.5:  # noqa: PLR2004 (half of nothing is done)
            return "it may be sharp already, so little is sharpened; if it is blurred, choose to trust the estimate"
        if self.recurrence.score == 0:
            return "nothing recurs in it at a larger size: draft gives as much as best"
        return "balanced suits it; best is slower and a little better"

    def draw_kernel(self, path: Path) -> Path:
        """Draw the blur that was found or given, without words, which the page has."""
        degradation = self.task.planned if self.estimate is None else self.estimate.degradation
        return save_pixels(draw_sheet([], kernel_cell(_kernel_of(degradation))), path)

    def draw_recurrence(self, path: Path) -> Path:
        """Draw which parts of the picture recur in it at a larger size, without words, which the page has."""
        return save_pixels(recurrence_map(looked_at(self.seen.image), self.recurrence), path)


def findings_of(task: FileTask, whole: FileTask, run: Run) -> Findings:
    """Find out how a picture, one of a whole, was degraded, and whether it can teach."""
    seen = task.normalised(run)
    estimate = task.estimate(run, seen)
    noise = (task.planned if estimate is None else estimate.degradation).noise
    return Findings(
        task=task, whole=whole, seen=seen, estimate=estimate, recurrence=recurrence_of(seen.channels, noise)
    )


def found_in_words(estimate: Estimate) -> list[str]:
    """What was found about blur, noise and compression, one thing a sentence; of a mixed picture one a region."""
    if estimate.regions:
        parts = [(100 * float(part.cells.float().mean()), found_in_words(part.estimate)) for part in estimate.regions]
        return [f"{share:.0f} % of it: {', '.join(words)}" for share, words in parts]
    blur = estimate.blur_summary.replace(" px", " pixels of the result").replace(" deg", "°")
    noise = estimate.degradation.counting
    words = [f"blur: {re.sub(r'(?<=[0-9])x(?=[0-9])', ' × ', blur)}"]
    levels = f"{255 * estimate.degradation.noise:.1f}"
    strength = "none" if levels == "0.0" else f"{levels} of 255 grey levels"
    words.append(f"noise: {strength}" + (f" ({noise.text})" if noise else ""))
    if estimate.jpeg_quality is not None:
        words.append(f"compression: JPEG quality about {estimate.jpeg_quality}")
    safe = f", so {100 * estimate.interpolated:.0f} % of the result is plain interpolation"
    return [*words, f"confidence: {estimate.confidence}{safe if estimate.interpolated > 0 else ''}"]


def save_preview(image: Image, path: Path, least: int = 1, most: int = 1600) -> Path:
    """Save a picture as browsers show it: 8 bits, on white, from `least` to `most` pixels on its long side."""
    return save_pixels(shown(looked_at(image), least=least, most=(most, most)), path)


def save_comparison(image: Image, result: Image, folder: Path, most: int = 4096) -> tuple[Path, Path]:
    """Save the bicubically enlarged picture and the result as browsers show them; see `save_preview`."""
    pictures = comparable(image, result)
    paths = folder / "bicubic.png", folder / "innersr.png"
    for picture, path in zip(pictures, paths, strict=True):
        save_pixels(shown(picture, least=1, most=(most, most)), path)
    return paths


def save_pixels(pixels: Pixels, path: Path) -> Path:
    """Save a drawing."""
    save(image_from(pixels)[0], path, overwrite=True)
    return path


def _kernel_of(degradation: Degradation) -> Tensor:
    try:
        return degradation.effective_kernel().blur.kernel
    except KernelError:  # of a scale that is not whole, where each pixel has its own
        return Degradation(scale=2, kernel=degradation.kernel).effective_kernel().blur.kernel
