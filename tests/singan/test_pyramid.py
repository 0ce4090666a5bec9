"""The sizes of SinGAN's scales: the published ones."""

import pytest
import torch

from helpers.singan import picture
from innersr.errors import InputError
from innersr.singan.pyramid import for_upscaling, passes_for, pictures_of, sizes_of
from innersr.singan.settings import SinGAN

# (height, width) of a picture; what the official code makes of it
PUBLISHED = {
    (186, 248): "25x34 33x43 42x56 54x71 69x91 88x117 113x151 145x193 186x248",
    (250, 250): "25x25 32x32 40x40 50x50 63x63 80x80 100x100 126x126 158x158 199x199 250x250",
    (1000, 1500): "25x38 33x50 44x65 57x85 75x111 98x146 128x191 167x250",
    (1024, 1024): "26x26 33x33 42x42 54x54 70x70 90x90 117x117 150x150 194x194 250x250",
    (25, 25): "25x25 25x25",
}


def said(sizes):
    return " ".join(f"{height}x{width}" for height, width in sizes)


@pytest.mark.parametrize("size", PUBLISHED)
def test_the_sizes_are_those_of_the_official_code(size):
    assert said(sizes_of(size, SinGAN())) == PUBLISHED[size]


def test_a_small_picture_keeps_its_size_at_the_last_of_seven_scales():
    sizes = sizes_of((80, 120), SinGAN())
    assert len(sizes) == 7
    assert (sizes[0], sizes[-1]) == ((26, 38), (80, 120))


def test_consingans_scales_are_denser_where_they_are_coarse():
    sizes = sizes_of((186, 248), SinGAN(rescaling="consingan", scales=6))
    assert said(sizes) == "25x34 32x42 42x56 63x84 125x167 186x248"


@pytest.mark.parametrize(
    ("size", "words"), [((20, 300), "smaller than the coarsest scale"), ((40, 900), "raise max_size")]
)
def test_a_picture_below_the_coarsest_scale_is_refused(size, words):
    with pytest.raises(InputError, match=words):
        sizes_of(size, SinGAN())


@pytest.mark.parametrize(("scale", "passes"), [(2, 3), (3, 5), (4, 6), (6, 8), (8, 9), (1.05, 1)])
def test_enlarging_takes_the_published_number_of_passes(scale, passes):
    assert passes_for(scale) == passes


def test_a_pyramid_to_enlarge_with_keeps_the_pictures_size_and_steps_by_the_factor_of_one_pass():
    settings = for_upscaling(SinGAN(), 4)
    assert settings.ratio == pytest.approx(4 ** (-1 / 6))
    assert settings.reconstruction == 100
    # The official code takes the batch for the height, and gives upright pictures a scale more.
    upright, lying = sizes_of((480, 320), settings), sizes_of((320, 480), settings)
    assert upright[-1] == (480, 320)
    assert [size[::-1] for size in upright] == list(lying)


def test_every_picture_of_the_pyramid_is_shrunk_from_the_picture_itself():
    x = picture()
    sizes = sizes_of((20, 24), SinGAN(min_size=11))
    pyramid = pictures_of(x, sizes)
    assert [tuple(p.shape[-2:]) for p in pyramid] == list(sizes)
    assert torch.equal(pyramid[-1], x)  # not darkened, as by the official code, which cuts to 8 bits downwards
    assert abs(float(pyramid[0].mean() - x.mean())) < 0.02


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"min_size": 10}, "min_size"),
        ({"min_size": 300}, "min_size"),
        ({"ratio": 1.0}, "ratio"),
        ({"rescaling": "cubic"}, "geometric"),
        ({"block_widths": (32, 64)}, "block_widths"),
        ({"width": 0}, "widths"),
        ({"iterations": 0}, "iterations"),
        ({"pool": -1}, "negative"),
        ({"crop": 10}, "crop"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"penalty": float("inf")}, "penalty"),
    ],
)
def test_settings_out_of_range_are_refused(setting, words):
    with pytest.raises(InputError, match=words):
        SinGAN(**setting)


def test_widths_double_every_four_scales_up_to_the_widest():
    settings = SinGAN()
    assert [settings.widths_at(scale)[0] for scale in range(13)] == [32] * 4 + [64] * 4 + [128] * 5
    assert SinGAN(doubling=0).widths_at(9) == (32,) * 4
    assert SinGAN(block_widths=(32, 64, 128, 256, 512)).widths_at(3) == (32, 64, 128, 256, 512)
