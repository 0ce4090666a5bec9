"""Compression of image tensors, and its strength."""

import math

import pytest
import torch

from innersr.physics.jpeg import compression_error, jpeg, jpeg_quality, jpeg_strength, webp, webp_strength


def drawn(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_strength_rises_from_0_to_1_as_quality_falls():
    strengths = [jpeg_strength(q) for q in (100, 95, 75, 50, 25, 12.5, 5)]
    assert strengths == sorted(strengths)
    assert strengths[0] == 0
    assert strengths[3] == 0.5
    assert strengths[-2:] == [1, 1]
    assert jpeg_strength(25) == pytest.approx(math.sqrt(0.5))
    assert webp_strength(10) > webp_strength(90) > 0


def test_no_compression_has_no_error():
    assert compression_error(torch.zeros(2)).tolist() == [0, 0]


def test_compression_is_in_8_bit_and_keeps_the_place_of_every_pixel():
    ramp = torch.linspace(0.1, 0.9, 37)[None, None, :].expand(3, 29, 37)
    for image in (jpeg(ramp, 90, offset=(5, 11)), webp(ramp, 90, offset=(3, 2)), jpeg(ramp[:1], 90)):
        assert torch.allclose(image * 255, (image * 255).round(), atol=1e-3)
        assert float((image - ramp[: len(image)]).abs().max()) < 4 / 255


def test_blocks_lie_at_the_offset():
    image = jpeg(drawn(1, 64, 64), 10, offset=(0, 3))[0]
    steps = image.diff(dim=1).abs().mean(0)[: 7 * 8].unflatten(0, (7, 8)).mean(0)
    assert int(steps.argmax()) == 4  # between column 4 and 5: the block began 3 columns before the image


def test_the_quality_of_a_strength_has_that_strength():
    assert [jpeg_quality(jpeg_strength(q)) for q in (13, 30, 50, 75, 95, 100)] == [13, 30, 50, 75, 95, 100]
