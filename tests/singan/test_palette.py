import pytest
import torch

from helpers.singan import picture
from innersr.errors import InputError
from innersr.run import generator_of
from innersr.singan import palette as quantize
from innersr.singan.palette import palette_of, to_palette

ROUNDING = 1e-6  # float32 of values up to 1


def blocks(colours, sides=(12, 15), noise=0.0):
    """Return (1, C, *sides) of random pixels that have one of these colours each, and which, (H, W)."""
    drawn = generator_of(4)
    colours = torch.tensor(colours, dtype=torch.float32)
    which = torch.randint(len(colours), sides, generator=drawn)
    made = colours[which].permute(2, 0, 1)[None]
    return made + noise * torch.randn(made.shape, generator=drawn), which


def ordered(palette):
    return torch.tensor(sorted(palette.tolist()))


def squared_error(x, palette):
    return float((x - to_palette(x, palette)).square().sum(1).mean())


@pytest.mark.parametrize("colours", [[[-0.5], [0.1], [0.9]], [[-1, 0.2, 0], [0, 0, 0], [1, 1, -1], [1, 0.9, -1]]])
def test_a_picture_of_few_colours_gives_just_these_and_is_left_as_it_is(colours):
    x, _ = blocks(colours)
    palette = palette_of(x, len(colours), generator_of(1))
    assert torch.allclose(ordered(palette), ordered(torch.tensor(colours)), atol=ROUNDING)
    assert torch.allclose(to_palette(x, palette), x, atol=ROUNDING)


def test_colours_are_the_means_of_their_pixels():
    x, which = blocks([[-0.8, -0.8], [-0.8, 0.8], [0.8, 0.8]], noise=0.05)
    palette = palette_of(x, 3, generator_of(1))
    means = torch.stack([x[0, :, which == k].mean(1) for k in range(3)])
    assert torch.allclose(ordered(palette), ordered(means), atol=ROUNDING)


def test_whole_colours_are_clustered_not_bands():
    # Each band alone has two values, its runs along a row have many patterns; together they make three colours.
    x, _ = blocks([[-1, -1, 1], [1, -1, -1], [1, 1, 1]])
    mapped = to_palette(x, palette_of(x, 3, generator_of(2)))
    assert len(mapped[0].flatten(1).mT.unique(dim=0)) == 3
    assert torch.equal(mapped, x)


def test_the_palette_is_at_a_minimum_and_better_than_random_pixels():
    x = picture(sides=(30, 34))
    palette = palette_of(x, 5, generator_of(3))
    assert palette.shape == (5, 3)
    pixels = x[0].flatten(1).mT
    nearest = torch.cdist(pixels, palette).argmin(1)
    means = torch.stack([pixels[nearest == k].mean(0) for k in range(5)])
    assert torch.allclose(palette, means, atol=1e-5)  # sums of some 200 pixels
    others = [squared_error(x, pixels[torch.randperm(len(pixels), generator=generator_of(k))[:5]]) for k in range(20)]
    assert squared_error(x, palette) < min(others)


def test_every_pixel_gets_the_nearest_colour():
    x, palette = picture(), torch.rand(7, 3, generator=generator_of(5)) * 2 - 1
    mapped = to_palette(x, palette)
    assert mapped.shape == x.shape
    best = torch.cdist(x[0].flatten(1).mT, palette).amin(1)
    assert torch.allclose((x - mapped).square().sum(1).sqrt().flatten(), best, atol=1e-5)
    assert torch.equal(to_palette(mapped, palette), mapped)


def test_the_same_generator_gives_the_same_palette():
    x = picture()
    assert torch.equal(palette_of(x, 4, generator_of(6)), palette_of(x, 4, generator_of(6)))


def test_a_large_picture_is_sampled_and_still_gives_its_colours(monkeypatch):
    monkeypatch.setattr(quantize, "SAMPLED", 50)
    colours = [[-0.5], [0.1], [0.9]]
    x, _ = blocks(colours, sides=(60, 70))
    assert torch.allclose(ordered(palette_of(x, 3, generator_of(1))), torch.tensor(colours), atol=ROUNDING)


def test_a_palette_has_no_more_colours_than_the_picture():
    flat = torch.full((1, 3, 9, 9), 0.25)
    assert torch.equal(palette_of(flat, 5, generator_of(0)), torch.full((1, 3), 0.25))


def test_no_colours_and_a_palette_of_other_channels_are_refused():
    with pytest.raises(InputError, match="a palette needs a colour at least, got 0"):
        palette_of(picture(), 0, generator_of(0))
    with pytest.raises(InputError, match=r"a palette for 1 channels must be \(K, 1\), got \(5, 3\)"):
        to_palette(picture(channels=1), torch.zeros(5, 3))
