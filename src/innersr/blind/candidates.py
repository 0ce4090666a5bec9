"""Candidate degradations of an image, from the findings about it."""

from __future__ import annotations

import math

import torch

from innersr.blind.finding import Finding
from innersr.networks.tailored_stack import MAX_TRAINED_NOISE
from innersr.physics import kernels
from innersr.physics.degradation import Degradation
from innersr.physics.log_covariance import covariance_from_log
from innersr.physics.resize import Scale, as_pair

CANDIDATES = ("plain", "cautious", "blurred", "sharpened")
"""Only shrunk; the same with more noise and compression than were found; with the blur that was found; sharpened after
shrinking, by the most likely amount if it was."""


def candidates_of(finding: Finding, scale: Scale) -> tuple[Degradation, ...]:
    """The degradations of CANDIDATES at a scale, their noise limited to what priors have learnt.

    Where no blur was found, plain and blurred are one object.
    """
    finding = finding._replace(noise=min(MAX_TRAINED_NOISE, finding.noise))
    noise, compression = finding.noise, finding.compression
    # More than was found: too much smoothing costs less than artefacts that are sharpened.
    more_noise, more_compression = min(MAX_TRAINED_NOISE, 1.2 * noise + 1 / 255), cautious_compression(compression)
    plain = Degradation(scale=scale, noise=noise, compression=compression)
    blurred = degradation_of(finding, scale, sharpening=0.0)
    return (
        plain,
        Degradation(scale=scale, noise=more_noise, compression=more_compression),
        plain if blurred.kernel is None else blurred,
        degradation_of(finding, scale, sharpening=finding.sharpening),
    )


def cautious_compression(strength: float) -> float:
    """A strength above the one that was found."""
    return min(1.0, 1.3 * strength + 0.05)


def degradation_of(finding: Finding, scale: Scale, *, sharpening: float) -> Degradation:
    """The degradation at a scale of the blur that was found, and of an unsharp mask of amount * variance LR px^2."""
    noise, compression = finding.noise, finding.compression
    covariance = covariance_from_log(finding.log)
    is_sharp = float(torch.linalg.eigvalsh(covariance).max()) < (0.03 if finding.is_bicubic else 0.0)  # LR px^2
    if is_sharp and sharpening == 0:
        return Degradation(scale=scale, noise=noise, compression=compression)
    scales = as_pair(scale)
    kernel = kernels.delta()
    if not is_sharp:
        stretch = torch.diag(torch.tensor(scales[::-1], dtype=torch.float32))
        values, vectors = torch.linalg.eigh(stretch @ covariance @ stretch)
        short, long = (max(0.05, float(v)) for v in values)  # HR px^2; narrower ones fall between two pixels
        kernel = kernels.gaussian(long, short, math.atan2(float(vectors[1, 1]), float(vectors[0, 1])))
    if sharpening > 0:
        deviation = 0.8  # LR pixels, usual for small pictures; amount and width cannot be told apart
        kernel = kernels.sharpened(kernel, scales, deviation, sharpening / deviation**2)
    return Degradation(
        scale=scale,
        kernel=kernel,
        subsampling="bicubic" if finding.is_bicubic else "direct",
        anchor="aligned",
        noise=noise,
        compression=compression,
    )
