"""Images continued into places that have no value."""

import pytest
import torch

from innersr.inference.continuation import fill_unknown, largest_free


def plane(side=64):
    """A slope, and the pixels of a hole in it."""
    y, x = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
    return (0.2 + 0.3 * x + 0.4 * y)[None, None]


def test_known_values_stay_and_holes_are_filled_smoothly():
    x, known = plane(), torch.ones(1, 1, 64, 64, dtype=torch.bool)
    known[..., 20:30, 20:30] = False
    broken = torch.where(known, x, torch.nan)
    filled = fill_unknown(broken, known)
    assert torch.equal(filled[known], x[known])
    assert float((filled - x).abs().max()) < 0.06, "within the slope from one side of the hole to the other"
    steps = torch.cat([filled.diff(dim=-1).abs().flatten(), filled.diff(dim=-2).abs().flatten()])
    assert float(steps.max()) < 0.06


def test_what_a_hole_held_does_not_matter():
    x, known = plane(), torch.ones(1, 1, 64, 64, dtype=torch.bool)
    known[..., :, 2:60] = False
    results = [
        fill_unknown(torch.where(known, x, value), known) for value in (-9999.0, 1e20, float("inf"), float("nan"))
    ]
    assert all(torch.equal(result, results[0]) for result in results)
    assert float(x[known].min()) <= float(results[0].min()) <= float(results[0].max()) <= float(x[known].max())


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_may_share_their_holes_or_have_their_own(channels):
    x = torch.stack([plane()[0, 0], plane()[0, 0] + 1, plane()[0, 0] + 2])[None]
    known = torch.ones(1, channels, 64, 64, dtype=torch.bool)
    known[:, 0, 5:9, 5:9] = False
    filled = fill_unknown(torch.where(known, x, 50), known)
    assert torch.equal(filled[known.expand_as(x)], x[known.expand_as(x)])
    assert float((filled - x).abs().max()) < 0.05


def test_a_seamless_image_is_continued_from_its_opposite_side():
    x, known = plane(16), torch.ones(1, 1, 16, 16, dtype=torch.bool)
    known[..., :3] = False
    moved = fill_unknown(torch.where(known, x, 0).roll(7, -1), known.roll(7, -1), (False, True))
    assert torch.allclose(fill_unknown(x, known, (False, True)).roll(7, -1), moved, rtol=0, atol=1e-6)


def test_an_image_without_any_value_becomes_zero():
    assert bool(
        (fill_unknown(torch.full((1, 1, 40, 50), torch.nan), torch.zeros(1, 1, 40, 50, dtype=torch.bool)) == 0).all()
    )


def test_the_largest_part_without_marks_is_found():
    marks = torch.zeros(40, 60, dtype=torch.bool)
    assert largest_free(marks) == (0, 0, 40, 60)
    marks[:, 45:], marks[5, 3] = True, True
    assert largest_free(marks) == (0, 4, 40, 45)
    assert largest_free(torch.ones(40, 60, dtype=torch.bool)) == (0, 0, 0, 0)


def test_of_a_large_image_the_part_is_coarse_but_free():
    marks = torch.zeros(200, 500, dtype=torch.bool)
    marks[:, 301], marks[:, 100:103] = True, True
    part = largest_free(marks)
    assert not bool(marks[part.top : part.bottom, part.left : part.right].any())
    assert (part.bottom - part.top) * (part.right - part.left) > 0.9 * 200 * 198
