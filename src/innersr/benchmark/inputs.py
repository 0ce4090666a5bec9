"""The degradation that a method is given, and the errors of an estimate."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from innersr.blind.estimate import Estimate, examine
from innersr.physics.degradation import Degradation
from innersr.physics.kernel_comparison import angle_between, second_moments, variance_ratio
from innersr.physics.named_degradations import check_spelling, parse_kernel
from innersr.physics.resize import Scale
from innersr.run import Run

TRUE, AUTO, ESTIMATE, DEFAULT = "true", "auto", "estimate", "default"
GIVEN = (TRUE, AUTO, ESTIMATE, DEFAULT)


def check_given(text: str, scale: Scale) -> None:
    """Raise InputError for a degradation that no method can be given: neither such a name nor a kernel."""
    if text not in GIVEN:
        check_spelling(text, *GIVEN)
        parse_kernel(text, scale, others=", ".join(GIVEN))


def given_degradation(
    text: str, lr: Tensor, truth: Degradation, run: Run
) -> tuple[Degradation | Estimate, Estimate | None]:
    """What a method is given, see `methods.mixture.adapt_to`, and the estimate if it is one.

    The text is "true", "auto" or "default" (the result of `examine`), "estimate" (the same, believed), or a kernel as
    in `parse_kernel`, aligned and without noise. The LR image, (1, C, H, W) in [0, 1], is on the run's device.
    """
    if text == TRUE:
        return truth, None
    if text in (AUTO, ESTIMATE, DEFAULT):
        estimate = examine(lr, truth.scale, run, is_thorough=text == ESTIMATE)
        return (estimate.believed() if text == ESTIMATE else estimate), estimate
    return parse_kernel(text, truth.scale), None


def estimation_errors(estimate: Estimate, truth: Degradation) -> dict[str, Any]:
    """Errors of an estimate against the truth, as columns of a row.

    Covariances are [xx, xy, yy] in HR pixels^2, of the kernels with that of bicubic shrinking folded in; None at a
    scale that is not whole, where there is no such kernel. The angle is between the long axes, in degrees; None
    where one of the kernels is round. The variance ratio is infinite, here None, for a kernel without any width.
    """
    found, true = (_folded(degradation) for degradation in (estimate.degradation, truth))
    angle = None if found is None or true is None else angle_between(found, true)
    ratio = math.inf if true is None else variance_ratio(true)
    return {
        "confidence": estimate.confidence,
        "covariance": None if found is None else [round(v, 4) for v in second_moments(found)],
        "true_covariance": None if true is None else [round(v, 4) for v in second_moments(true)],
        "angle_error_degrees": None if angle is None else round(angle, 2),
        "true_variance_ratio": round(ratio, 4) if math.isfinite(ratio) else None,
        "noise": round(255 * estimate.degradation.noise, 3),
        "true_noise": round(255 * truth.noise, 3),
        "jpeg_quality": estimate.jpeg_quality,
    }


def _folded(degradation: Degradation) -> Tensor | None:
    if not all(float(s).is_integer() for s in degradation.scales):
        return None
    return degradation.effective_kernel().kernel
