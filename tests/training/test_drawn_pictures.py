"""Drawn pictures: the same for a seed, with edges, part of the data that is recorded."""

import math

import pytest
import torch

from helpers.training import pool
from innersr.errors import InputError
from innersr.training.drawn_pictures import drawn_pictures, with_drawn_pictures


def test_the_same_seed_draws_the_same_pictures_and_they_have_edges():
    first, again, other = (drawn_pictures(2, seed) for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert all(picture.shape == (3, 360, 480) and int(picture.float().std()) > 5 for picture in first)


def colours_of(picture):
    return len(picture.flatten(1).unique(dim=1).T)


def test_pages_drawings_spots_sprites_and_patterns_take_turns():
    pages, drawings, spots, sprites, patterns = (drawn_pictures(30, 5)[kind::5] for kind in range(5))
    assert all(colours_of(page) > 100 for page in pages), "letters with soft edges"
    assert all(colours_of(drawing) > 300 for drawing in drawings), "lines with soft edges"
    assert all(int(spot.float().diff(dim=-1).abs().max()) < 110 for spot in spots), "nothing has an edge"
    assert {bool((spot[0] == spot[1]).all()) for spot in spots} == {True, False}, "white, and in one colour"
    assert all(colours_of(sprite) < 10 for sprite in sprites)
    assert all(10 < colours_of(pattern) < 80 for pattern in patterns), "two in each panel"


def test_the_pixels_of_a_sprite_are_all_enlarged_by_one_factor():
    factors = set()
    for sprite in drawn_pictures(30, 5)[3::5]:
        for axis in (-2, -1):
            changes = (sprite.diff(dim=axis) != 0).any(0).any(1 if axis == -2 else 0).nonzero() + 1
            factors.add(math.gcd(*changes.flatten().tolist()))
    assert factors <= set(range(1, 7))
    assert len(factors) > 2


def test_they_are_extra_images_and_recorded():
    plain = pool()
    assert with_drawn_pictures(plain, 0, 3, 500) is plain
    more = with_drawn_pictures(plain, 2, 3, 360)
    assert torch.equal(torch.stack(more.extra), torch.stack(drawn_pictures(2, 3)))
    assert (more.sources[-1].folder, more.sources[-1].files) == ("drawn pictures, seed 3", 2)
    assert more.sources[-1].sha256 != with_drawn_pictures(plain, 2, 4, 360).sources[-1].sha256


def test_they_are_refused_where_crops_are_larger():
    with pytest.raises(InputError, match="have 480x360 pixels, too few for crops of 361; train on smaller crops"):
        with_drawn_pictures(pool(), 2, 3, 361)
