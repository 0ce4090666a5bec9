"""What a result says about itself."""

import math

import pytest
import torch

from innersr.images.image import Image
from innersr.methods.baselines import Bicubic
from innersr.methods.pixelart import PixelArt
from innersr.methods.tailor import Tailor
from innersr.physics.degradation import Degradation
from innersr.pipeline.result import Result


def result(method, consistency, **degradation):
    image = Image(colour=torch.zeros(1, 1, 4, 4))
    given = Degradation(scale=2, **degradation)
    return Result(image=image, degradation=given, method=method, consistency_psnr=consistency)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (result(Bicubic(), 40.0), "interpolated only"),
        (result(PixelArt(), 100.0), "the pixels are repeated"),
        (result(Tailor(), 55.0), "sharpened what is there: shrunk again, it is your picture within 0.5 of 255"),
        (result(Tailor(), 30.0, noise=10 / 255), "cleaned and sharpened what is there"),
        (result(Tailor(), 20.0), "details may be invented"),
    ],
)
def test_fidelity_is_described_in_a_sentence(made, words):
    assert made.fidelity.startswith(words)


@pytest.mark.parametrize(("value", "words"), [(30.84, "30.8 dB"), (math.inf, "exact"), (200.0, "exact")])
def test_a_consistency_without_a_difference_is_exact(value, words):
    """Films count it as 200 dB; it was once told as inf dB."""
    made = result(PixelArt(), value)
    assert made.consistency == words
    assert "inf" not in made._repr_html_()
