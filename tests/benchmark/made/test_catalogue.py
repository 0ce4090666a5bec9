"""Made pictures: the same bytes for the same seed, and each kind what it says."""

import pytest
import torch

from innersr.benchmark.made import lettering
from innersr.benchmark.made.catalogue import KINDS, made_picture
from innersr.benchmark.made.lettering import _font
from innersr.errors import InputError


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(16, 16), (50, 71)])
def test_every_kind_has_any_size_and_repeats(kind, size):
    picture = made_picture(kind, 1, size)
    assert picture.shape in [(1, 1, *size), (1, 3, *size)]
    assert torch.equal(picture, made_picture(kind, 1, size))
    assert not torch.equal(picture, made_picture(kind, 2, size))
    levels = picture * 255
    assert (levels - levels.round()).abs().max() < 1e-4 and 0 <= picture.min() < picture.max() <= 1


def test_pixel_art_has_few_colours_in_blocks():
    art = made_picture("pixelart", 1, (64, 64))
    blocks = art.unfold(2, 2, 2).unfold(3, 2, 2)
    assert torch.equal(blocks.amax((-1, -2)), blocks.amin((-1, -2)))
    assert len(art[0].flatten(1).unique(dim=1).mT) <= 10


def test_dithering_is_in_black_and_white():
    for number in (1, 2, 3, 4):
        picture = made_picture("dithering", number, (64, 64))
        assert picture.unique().tolist() == [0, 1]
        assert 0.2 < picture.mean() < 0.8


def test_spots_lie_on_black_and_gradients_have_no_edges():
    spots = made_picture("fluorescence", 1, (128, 128))
    assert spots.median() < 0.15 and spots.max() > 0.5
    soft = made_picture("gradient", 1, (128, 128))
    assert soft.diff(dim=-1).abs().max() < 0.15


def test_the_checkerboard_has_squares_of_four_sizes():
    board = made_picture("checkerboard", 1, (64, 64))[0].mean(0)
    quarters = [board[:32, :32], board[:32, 32:], board[32:, :32], board[32:, 32:]]
    assert sorted(int((q[0].diff() != 0).sum()) + 1 for q in quarters) == [2, 4, 8, 16]


def test_text_is_set_in_several_faces_and_sizes(monkeypatch):
    fonts = []
    monkeypatch.setattr(lettering, "_font", lambda name, size: fonts.append((name, size)) or _font(name, size))
    for number in range(1, 7):
        made_picture("text", number, (256, 256))
    assert len({name for name, _ in fonts}) >= 4
    assert {size for _, size in fonts} >= {10, 12, 18, 26, 28}


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="unknown kind of made pictures 'photo'; there are text, .* and all"):
        made_picture("photo", 1, (64, 64))
    with pytest.raises(InputError, match="at least 16x16 pixels, got 64x15"):
        made_picture("text", 1, (15, 64))
