"""8-bit rounding and BT.601 luma, against scikit-image."""

import numpy as np
import pytest
import torch
from skimage import color

from helpers.measured import as_image
from innersr.errors import InputError
from innersr.metrics.grey_levels import luma


def skimage_luma(levels):
    # An exact half comes out of skimage's matrix product as 0.4999999999 now and then.
    return np.floor(color.rgb2ycbcr(levels)[..., 0] + 0.5 + 1e-9)


def test_luma_is_the_rounded_y_of_rgb2ycbcr():
    levels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(luma(as_image(levels))[0, 0].numpy(), skimage_luma(levels))


def test_luma_spans_the_studio_range():
    black_and_white = torch.tensor([0.0, 1.0]).expand(1, 3, 1, 2)
    assert luma(black_and_white).flatten().tolist() == [16, 235]


def test_luma_of_a_grey_image_is_its_grey_levels():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(luma(as_image(levels))[0, 0].numpy(), levels)


def test_luma_rounds_halves_up_and_clips_before_weighting():
    x = torch.tensor([0.5, 1.5, 2.5, -40, 300], dtype=torch.float64).view(1, 1, 1, 5) / 255
    assert luma(x).flatten().tolist() == [1, 2, 3, 0, 255]


def test_luma_of_two_channels_is_refused():
    with pytest.raises(InputError, match="1 or 3 channels, got 2"):
        luma(torch.zeros(1, 2, 4, 4))
