"""Drawn pictures: the same for a seed, with edges, part of the data that is recorded."""

import torch

from helpers.training import pool
from innersr.training.drawn_pictures import drawn_pictures, with_drawn_pictures


def test_the_same_seed_draws_the_same_pictures_and_they_have_edges():
    first, again, other = (drawn_pictures(2, seed) for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert all(picture.shape == (3, 360, 480) and int(picture.float().std()) > 5 for picture in first)


def test_they_are_extra_images_and_recorded():
    plain = pool()
    assert with_drawn_pictures(plain, 0, 3) is plain
    more = with_drawn_pictures(plain, 2, 3)
    assert torch.equal(torch.stack(more.extra), torch.stack(drawn_pictures(2, 3)))
    assert (more.sources[-1].folder, more.sources[-1].files) == ("drawn pictures, seed 3", 2)
    assert more.sources[-1].sha256 != with_drawn_pictures(plain, 2, 4).sources[-1].sha256
