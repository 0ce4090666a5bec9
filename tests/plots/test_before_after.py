"""The before and after picture: labels, panels, zoomed crops."""

import numpy as np
import pytest
import torch

from innersr.plots.before_after import CROP, CROPS, FRAME, GAP, LABEL, PANEL, PAPER, comparison


def drawn(before, after, labels=("bicubic", "zssr")):
    return np.asarray(comparison(before, after, labels)).astype(int)


def panel(sheet, column, width, height):
    left = GAP + column * (width + GAP)
    return sheet[LABEL + GAP : LABEL + GAP + height, left : left + width]


def inside(pixels):
    """Cut off the border, which frames of crops may be drawn over."""
    return pixels[2:-2, 2:-2]


def test_both_images_are_shown_in_their_own_colours():
    before, after = torch.zeros(1, 3, 400, 500), torch.zeros(1, 3, 400, 500)
    before[:, 0], after[:, 2] = 1, 1
    sheet = drawn(before, after)
    zoom = (500 - GAP * (CROPS - 1)) // CROPS
    assert sheet.shape == (LABEL + 400 + zoom + 3 * GAP, 2 * 500 + 3 * GAP, 3)
    middle = (slice(380, 395), slice(480, 495))  # the first crops are at the left
    assert (panel(sheet, 0, 500, 400)[middle] == (255, 0, 0)).all()
    assert (panel(sheet, 1, 500, 400)[middle] == (0, 0, 255)).all()


def test_each_half_has_its_own_label():
    x = torch.full((1, 3, 300, 400), 0.5)
    sheet = drawn(x, x, ("bicubic", "a much longer label"))
    ink = (sheet[: LABEL + GAP] != PAPER).any(axis=2)
    left, right = ink[:, : 400 + GAP], ink[:, 400 + GAP :]
    assert left.any() and right.sum() > 1.5 * left.sum()


def test_the_crops_are_where_the_images_differ_most():
    before, after = torch.zeros(1, 1, 600, 600), torch.zeros(1, 1, 600, 600)
    after[..., 300 : 300 + CROP, 400 : 400 + CROP] = 1
    sheet = drawn(before, after)
    zoom = (600 - GAP * (CROPS - 1)) // CROPS
    top = LABEL + 600 + 2 * GAP
    crops = [sheet[top : top + zoom, GAP + column * (600 + GAP) :][:, :zoom] for column in range(2)]
    assert (crops[0] == 0).all() and (crops[1] == 255).all()
    framed = (panel(sheet, 1, 600, 600) == FRAME).all(axis=2)
    assert framed[300, 400 : 400 + CROP].all() and framed[300 : 300 + CROP, 400].all()


def test_large_images_are_shown_shrunk():
    sheet = drawn(torch.rand(1, 3, 1000, 2000), torch.rand(1, 3, 1000, 2000))
    zoom = (PANEL - GAP * (CROPS - 1)) // CROPS
    assert sheet.shape == (LABEL + PANEL // 2 + zoom + 3 * GAP, 2 * PANEL + 3 * GAP, 3)


def test_a_ribbon_does_not_make_an_endless_sheet():
    sheet = drawn(torch.rand(1, 1, 20000, 16), torch.rand(1, 1, 20000, 16))
    assert sheet.shape[0] <= LABEL + 2 * PANEL + PANEL // CROPS + 3 * GAP


@pytest.mark.parametrize("size", [(1, 1), (2, 200), (200, 2), (CROP - 1, CROP + 1)])
def test_small_images_are_shown_too(size):
    assert (panel(drawn(torch.ones(1, 3, *size), torch.ones(1, 3, *size)), 1, 320, 1) > 200).any()


@pytest.mark.parametrize(("bands", "shown"), [(1, (0, 0, 0)), (2, (0, 0, 0)), (3, (0, 51, 102)), (5, (0, 51, 102))])
def test_the_first_band_is_grey_and_the_first_three_are_a_colour(bands, shown):
    x = (torch.arange(bands) / 5).reshape(1, bands, 1, 1).expand(1, bands, 320, 320)
    assert (panel(drawn(x, x), 0, 320, 320)[310, 310] == shown).all()


def test_values_outside_the_range_are_clipped():
    x = torch.full((1, 1, 320, 320), 1.7)
    assert (inside(panel(drawn(-x, x), 1, 320, 320))[-10:, -10:] == 255).all()
    assert (inside(panel(drawn(-x, x), 0, 320, 320))[-10:, -10:] == 0).all()
