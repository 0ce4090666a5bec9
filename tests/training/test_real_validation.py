"""Gains over interpolation, by what happened to the image."""

import pytest
import torch

from helpers.methods import image
from innersr.training.real_validation import REAL_CASES, RealCase, measure_gains


def test_interpolation_gains_nothing():
    cases = (RealCase(name="a", noise=10), RealCase(name="b", kernel="g2.0d", qualities=(75,)))
    figures = measure_gains(lambda lr, given: given.upsample(lr), [image(3, (48, 60))], cases)
    assert figures == {"a": 0, "b": 0}


def test_what_is_given_is_what_happened():
    seen = {}

    def upscale(lr, given):
        seen[len(seen)] = given
        return given.upsample(lr)

    measure_gains(upscale, [image(3, (48, 48))])
    given = {case.name: degradation for case, degradation in zip(REAL_CASES, seen.values(), strict=True)}
    assert given["noise 25 x2"].noise == pytest.approx(25 / 255)
    assert given["jpeg 50 x2"].compression == 0.5
    assert float(given["web x2"].kernel.min()) < float(given["web, sharpening not given x2"].kernel.min()) - 0.01
    hr = image(3, (48, 48))
    assert torch.allclose(given["bicubic x2"].forward(hr).mean(), hr.mean(), atol=0.01)
