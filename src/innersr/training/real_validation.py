"""Validation for real images: gains over interpolation, by chain of degradations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from innersr.metrics.fidelity import psnr_y
from innersr.metrics.grey_levels import quantized
from innersr.physics.chains import degradation_of_taps, sharpened_taps, softened
from innersr.physics.degradation import Degradation
from innersr.physics.jpeg import jpeg, jpeg_strength
from innersr.physics.named_degradations import parse_degradation
from innersr.physics.pseudoinverse import taps_of
from innersr.run import generator_of


@dataclass(frozen=True, kw_only=True)
class RealCase:
    """A chain of degradations to measure, and the part of it that the network is given.

    Args:
        name: in the log.
        scale: HR pixels per LR pixel.
        kernel: see `parse_degradation`.
        soft: standard deviation in HR pixels of the blur of the scene.
        noise: standard deviation in 8-bit levels, of white noise.
        qualities: of the JPEG files it goes through.
        is_sharpened: whether a light unsharp mask follows shrinking.
        gives_sharpening: whether the given kernel includes it.
    """

    name: str
    scale: int = 2
    kernel: str = "bicubic"
    soft: float = 0.0
    noise: float = 0.0
    qualities: tuple[int, ...] = ()
    is_sharpened: bool = False
    gives_sharpening: bool = True

    @property
    def strength(self) -> float:
        """Strength of the strongest compression."""
        return max((jpeg_strength(quality) for quality in self.qualities), default=0.0)


WEB = RealCase(name="web x2", kernel="lanczos", is_sharpened=True, qualities=(85, 70))
REAL_CASES = (
    RealCase(name="bicubic x2"),
    RealCase(name="g2.0d x2", kernel="g2.0d"),
    RealCase(name="g0.2d x2", kernel="g0.2d"),
    RealCase(name="noise 10 x2", noise=10),
    RealCase(name="noise 25 x2", noise=25),
    RealCase(name="noise 50 x2", noise=50),
    RealCase(name="jpeg 75 x2", qualities=(75,)),
    RealCase(name="jpeg 50 x2", qualities=(50,)),
    WEB,
    replace(WEB, name="web, sharpening not given x2", gives_sharpening=False),
    RealCase(name="soft x2", soft=1.3),
    RealCase(name="bicubic x3", scale=3),
    RealCase(name="bicubic x4", scale=4),
    RealCase(name="g2.0d x4", scale=4, kernel="g2.0d"),
)


@torch.no_grad()
def measure_gains(
    upscale: Callable[[Tensor, Degradation], Tensor], images: Sequence[Tensor], cases: Sequence[RealCase] = REAL_CASES
) -> dict[str, float]:
    """Mean gain in dB of PSNR-Y, counted up to 50 dB, over interpolation of the same LR image, by case.

    Args:
        upscale: gets the LR image, (1, 3, h, w) float32 on the CPU, and the given degradation.
        images: sharp, (1, 3, H, W) on the CPU; sides are multiples of every scale.
        cases: what to measure.
    """
    highest, results = 50.0, {}
    for case in cases:
        gains = []
        for index, image in enumerate(images):
            hr = softened(image, [case.soft])
            lr, given = _degraded(case, hr, generator_of(17, 0, index))
            grid = Degradation(scale=case.scale) if case.kernel == "lanczos" else given
            large = upscale(lr, given).clamp(0, 1).cpu()
            after, before = (min(highest, psnr_y(x, hr, case.scale)) for x in (large, grid.upsample(lr)))
            gains.append(after - before)
        results[case.name] = round(sum(gains) / max(1, len(gains)), 3)
    return results


def _degraded(case: RealCase, hr: Tensor, generator: torch.Generator) -> tuple[Tensor, Degradation]:
    """The LR image in 8 bits, and the degradation that the network is given."""
    plain = sharpened = parse_degradation(case.kernel, case.scale)
    if case.is_sharpened:
        taps = sharpened_taps(taps_of(plain), 0.8, 0.5, case.scale)
        sharpened = degradation_of_taps(taps, case.scale)
    drawn = torch.randn(hr.shape[1], *sharpened.lr_size((hr.shape[-2], hr.shape[-1])), generator=generator)
    lr = quantized(sharpened.forward(hr) + case.noise / 255 * drawn).clamp(0, 1)
    for quality in case.qualities:
        lr = jpeg(lr[0], quality)[None]
    given = sharpened if case.gives_sharpening else plain
    return lr, replace(given, noise=case.noise / 255, compression=case.strength)
