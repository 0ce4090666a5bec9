"""Pixel art and dithering that were compressed, told from photographs and text."""

import pytest
import torch

from helpers.images import scene
from helpers.methods import RUN
from innersr.benchmark.chains import parse_chain
from innersr.benchmark.made.catalogue import made_picture
from innersr.blind.estimate import examine
from innersr.blind.strong_edges import strong_edges
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
    edges = strong_edges(shrunk(ART, quality))
    assert edges.are_of_single_pixels and edges.density < 1 and not edges.are_of_pixel_art


def test_dithering_has_more_detail_than_pixels():
    edges = strong_edges(shrunk(made_picture("dithering", 12, (192, 192)), 75))
    assert edges.are_of_single_pixels and edges.density > 1


def test_compressed_art_of_larger_pixels_is_recognised():
    edges = strong_edges(shrunk(made_picture("pixelart", 5, (192, 192)), 75))  # of blocks of four pixels
    assert edges.are_of_pixel_art and not edges.are_of_single_pixels


@pytest.mark.parametrize("kind", ["text", "screenshot", "lines"])
def test_what_was_drawn_smoothly_is_not(kind):
    small = Degradation(scale=2).forward(made_picture(kind, 3, (192, 192)), (96, 96)).clamp(0, 1)
    edges = strong_edges(jpeg(small[0], 75)[None])
    assert not edges.are_of_single_pixels and not edges.are_of_pixel_art


def test_nor_is_a_photograph_nor_noise():
    photograph = jpeg(Degradation(scale=2).forward(scene(192), (96, 96)).clamp(0, 1)[0], 60)[None]
    noise = torch.rand(1, 3, 64, 64, generator=RUN.generator()) * 0.2
    for edges in (strong_edges(photograph), strong_edges(noise)):
        assert not edges.are_of_single_pixels and not edges.are_of_pixel_art


@pytest.mark.parametrize(
    ("kind", "number"), [("pixelart", 6), ("pixelart", 13), ("checkerboard", 13), ("dithering", 13)]
)
def test_compressed_drawings_of_single_pixels_are_no_worse_than_interpolation(kind, number):
    """Restored by any candidate they lose one to four dB."""
    hr = made_picture(kind, number, (192, 192))
    lr = shrunk(hr, 75)
    estimate = examine(lr, 2, RUN)
    result = adapt_to(Tailor(steps=0, views=1), lr, estimate, RUN)(lr)
    assert psnr(result, hr) > psnr(interpolate(lr, estimate.given), hr) - 0.05


@pytest.mark.parametrize(("kind", "number", "gain"), [("pixelart", 5, 0.6), ("text", 2, 1.2)])
def test_compressed_drawings_that_the_predictor_misjudges_gain(kind, number, gain):
    """Sharpened by half, they lost 0.6 dB and gained 0.9."""
    hr = made_picture(kind, number, (192, 192))
    lr = shrunk(hr, 75)
    estimate = examine(lr, 2, RUN)
    result = adapt_to(Tailor(steps=0, views=1), lr, estimate, RUN)(lr)
    assert psnr(result, hr) > psnr(interpolate(lr, estimate.given), hr) + gain


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_strong_noise_is_not_taken_for_details_of_single_pixels(seed):
    """Grey noise passes for a little compressed, and has as many strong steps as pixel art."""
    lr = shrunk_plainly(scene(), seed)
    edges = strong_edges(lr)
    assert edges.are_of_single_pixels and edges.may_be_noise
    assert 255 * examine(lr, 2, RUN).given.noise > 15
    for picture in (ART, made_picture("dithering", 1, (192, 192)), made_picture("checkerboard", 1, (192, 192))):
        assert not strong_edges(shrunk(picture, 75)).may_be_noise


def shrunk_plainly(picture, seed):
    """With grey noise of a standard deviation of 25 levels."""
    return parse_chain("bicubic+grey25", 2).apply(picture, 2, "scene", torch.Generator().manual_seed(seed)).lr
