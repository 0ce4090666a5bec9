"""Tests that the result of every method must pass to be trusted, whatever it has learned."""

from __future__ import annotations

import math

from torch import Tensor

from innersr.isolation import is_finite
from innersr.metrics.fidelity import consistency_psnr
from innersr.networks.tailored_stack import MAX_TRAINED_NOISE
from innersr.physics.degradation import Degradation
from innersr.physics.jpeg import compression_error
from innersr.physics.resize import image_size


def reason_for_doubt(
    sr: Tensor, interpolated: Tensor, lr: Tensor, degradation: Degradation, agreement: float
) -> str | None:
    """Return the reason why a result cannot be trusted; None if it can.

    Its mean must be that of the interpolated image within an 8-bit level. Noise and compression errors clipped at black
    or white move it further: by 0.4 times their standard deviation where the image is that dark or bright, of which an
    estimate may find only half; compression, which rounds the means of blocks, allows up to another level.
    Shrunk again, it must be the image except for noise, or at least nearer to it than the interpolated image is.

    Args:
        sr: (1, C, H, W), the result, in [0, 1].
        interpolated: (1, C, H, W), see `Degradation.upsample`.
        lr: (1, C, h, w), the image.
        degradation: from `sr` to `lr`.
        agreement: `consistency` of `sr`.
    """
    if not is_finite(sr):
        return "it holds NaN or infinite values"
    moved = 255 * float((sr.mean((-1, -2)) - interpolated.mean((-1, -2))).abs().max())
    error = min(degradation.noise, MAX_TRAINED_NOISE) + compression_error(degradation.compression)
    near = 2 * (degradation.noise + compression_error(degradation.compression))  # black or white
    clipped = float(((lr < near) | (lr > 1 - near)).float().mean((-1, -2)).amax())
    if moved > 1 + degradation.compression + 0.8 * 255 * error * clipped:
        return f"its mean moved by {moved:.1f} of 255 levels"
    least, deviations = 0.1, 3  # RMS that no method leaves by itself; of the noise, which a result is free of
    is_far = 10 ** (-agreement / 20) > least + deviations * degradation.noise
    if is_far and agreement < consistency(interpolated, lr, degradation):
        return f"shrunk again it does not match the image (consistency {agreement:.1f} dB)"
    return None


def consistency(sr: Tensor, lr: Tensor, degradation: Degradation) -> float:
    """dB between an image, (N, C, h, w), and its shrunk result, see `consistency_psnr`; -inf if that is not finite."""
    if not is_finite(sr):
        return -math.inf
    return consistency_psnr(sr, lr, lambda hr: degradation.forward(hr, image_size(lr)))
