import numpy as np
import torch

from helpers.singan import picture
from innersr.images.gif_palette import CELL, dithered, shared_palette


def smooth(seed, sides=(40, 60)):
    """A colourful picture of soft shades, uint8."""
    return ((picture(3, sides, seed)[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def flat(colour, sides=(8, 8)):
    return np.full((*sides, 3), colour, np.uint8)


def shown(pictures, palette):
    return [palette[places] for places in dithered(pictures, palette)]


def test_a_palette_holds_no_colour_twice_and_no_more_than_asked():
    palette = shared_palette([smooth(1), smooth(2)], 100)
    assert palette.dtype == np.uint8
    assert 90 < len(palette) <= 100
    assert len(np.unique(palette, axis=0)) == len(palette)


def test_a_palette_is_made_of_all_pictures():
    colours = [(10 * k, 255 - 10 * k, 40) for k in range(20)]
    palette = shared_palette([flat(colour) for colour in colours[:16]], 256)
    assert {tuple(colour) for colour in palette.tolist()} == set(colours[:16])


def test_pictures_of_a_few_far_colours_come_back_exactly():
    pictures = [flat((200, 60, 30)), flat((0, 0, 0)), flat((255, 255, 255))]
    palette = shared_palette(pictures, 256)
    assert all(np.array_equal(a, b) for a, b in zip(shown(pictures, palette), pictures, strict=True))


def test_dithering_changes_no_mean_colour():
    pictures = [smooth(1), smooth(2)]
    palette = shared_palette(pictures, 64)
    difference = np.mean(shown(pictures, palette), dtype=np.float64) - np.mean(pictures, dtype=np.float64)
    assert abs(difference) < 0.3  # grey levels; the error of a pixel is 8


def test_dithering_finds_colours_near_the_nearest():
    pictures = [smooth(1)]
    palette = shared_palette(pictures, 64)
    pixels = torch.from_numpy(pictures[0].reshape(-1, 3)).double()
    nearest = torch.cdist(pixels, torch.from_numpy(palette).double()).square().min(1).values.mean()
    error = np.square(shown(pictures, palette)[0].astype(float) - pictures[0]).sum(-1).mean()
    # The thresholds, of half a step, add a quarter to the variance of rounding to it; the cells a level or so.
    assert float(nearest) < error < 1.35 * float(nearest) + CELL


def test_what_stands_still_does_not_flicker():
    pictures = [smooth(1)] * 2 + [np.concatenate([smooth(1)[:20], smooth(2)[20:]])]
    palette = shared_palette(pictures, 32)
    first, second, third = dithered(pictures, palette)
    assert np.array_equal(first, second)
    assert np.array_equal(first[:20], third[:20])


def test_a_gradient_is_dithered_across_bands():
    ramp = np.repeat(np.linspace(0, 255, 256).round().astype(np.uint8)[None, :, None], 3, 2).repeat(32, 0)
    palette = np.repeat(np.arange(0, 256, 51, dtype=np.uint8)[:, None], 3, 1)
    places = next(iter(dithered([ramp], palette)))
    # Without dithering every column holds one colour. Thresholds of half a step reach half of the columns at most.
    mixed = [len(np.unique(places[:, column])) > 1 for column in range(256)]
    assert 50 < sum(mixed) <= 128
