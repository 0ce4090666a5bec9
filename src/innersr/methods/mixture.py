"""A method applied to an image whose degradation is uncertain: the restorations by several candidates, mixed."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from innersr.blind.estimate import Candidate, Estimate
from innersr.methods.protocols import Method, Upscaler
from innersr.methods.tailor import Tailor
from innersr.physics.degradation import Degradation
from innersr.physics.resize import image_size
from innersr.run import Run


def adapt_to(method: Method, lr: Tensor, cause: Degradation | Estimate, run: Run) -> Upscaler:
    """Learn to undo a degradation or, by their shares, the candidates of an estimate.

    Tailor adapts to the candidate with the largest share, and restores by the others with its unadapted prior. Other
    methods learn the first alone, which takes the shares of all.

    Args:
        method: with its settings.
        lr: (1, C, H, W) in [0, 1] on run's device.
        cause: fitted to the size of `lr`, see `Degradation.fitted`.
        run: device, seed, time limit.
    """
    if isinstance(cause, Degradation):
        return method.adapt(lr, cause, run)
    interpolated, candidates = cause.interpolated, cause.candidates
    others: Method = method
    if isinstance(method, Tailor):
        others = replace(method, steps=0)
    else:
        candidates = (Candidate(cause.given, 1 - interpolated),)
    restorers = [
        ((others if number else method).adapt(lr, degradation, run), share)
        for number, (degradation, share) in enumerate(candidates)
        if share > 0
    ]
    if interpolated == 0 and len(restorers) == 1:
        return restorers[0][0]

    def upscale(x: Tensor) -> Tensor:
        result = interpolated * interpolate(x, cause.given) if interpolated > 0 else 0.0
        for restore, share in restorers:
            result = result + share * restore(x)
        assert isinstance(result, Tensor)  # the shares have a sum of 1
        return result.clamp(0, 1)

    return upscale


def interpolate(x: Tensor, degradation: Degradation) -> Tensor:
    """Bicubic interpolation, clipped, on the grid of the bicubic degradation of the same scale and wrap."""
    plain = Degradation(scale=degradation.scale, wrap=degradation.wrap)
    return plain.upsample(x, degradation.hr_size(image_size(x))).clamp(0, 1)
