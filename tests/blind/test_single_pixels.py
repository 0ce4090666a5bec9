"""Pixel art and dithering that were compressed, told from photographs and text."""

import pytest
import torch

from helpers.images import scene
from helpers.methods import RUN
from innersr.benchmark.made.catalogue import made_picture
from innersr.blind.estimate import examine
from innersr.blind.single_pixels import detail_of_single_pixels
from innersr.methods.mixture import adapt_to, interpolate
from innersr.methods.tailor import Tailor
from innersr.metrics.fidelity import psnr
from innersr.metrics.grey_levels import quantized
from innersr.physics.degradation import Degradation
from innersr.physics.jpeg import jpeg

ART = made_picture("pixelart", 13, (192, 192))  # of blocks of two pixels


def shrunk(picture, quality):
    small = quantized(torch.nn.functional.avg_pool2d(picture, 2))
    return jpeg(small[0], quality)[None]


@pytest.mark.parametrize("quality", [50, 75, 90])
def test_compressed_pixel_art_is_recognised(quality):
    assert 0.2 < detail_of_single_pixels(shrunk(ART, quality)) < 1


def test_dithering_has_more_detail_than_pixels():
    assert detail_of_single_pixels(shrunk(made_picture("dithering", 12, (192, 192)), 75)) > 1


@pytest.mark.parametrize("kind", ["text", "screenshot", "lines"])
def test_what_was_drawn_smoothly_is_not(kind):
    small = Degradation(scale=2).forward(made_picture(kind, 3, (192, 192)), (96, 96)).clamp(0, 1)
    assert detail_of_single_pixels(jpeg(small[0], 75)[None]) == 0


def test_nor_is_a_photograph_nor_noise():
    assert (
        detail_of_single_pixels(jpeg(Degradation(scale=2).forward(scene(192), (96, 96)).clamp(0, 1)[0], 60)[None]) == 0
    )
    assert detail_of_single_pixels(torch.rand(1, 3, 64, 64, generator=RUN.generator()) * 0.2) == 0


@pytest.mark.parametrize("kind", ["pixelart", "checkerboard", "dithering"])
def test_compressed_drawings_of_single_pixels_are_no_worse_than_interpolation(kind):
    """Restored by any candidate they lose one to four dB."""
    hr = made_picture(kind, 13, (192, 192))
    lr = shrunk(hr, 75)
    estimate = examine(lr, 2, RUN)
    result = adapt_to(Tailor(steps=0, views=1), lr, estimate, RUN)(lr)
    assert psnr(result, hr) > psnr(interpolate(lr, estimate.given), hr) - 0.1
