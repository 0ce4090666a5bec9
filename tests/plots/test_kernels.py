"""Drawings of kernels: colours, the ellipse, sizes."""

import math

import numpy as np
import pytest
import torch

from innersr.physics import kernels
from innersr.physics.kernel_comparison import difference
from innersr.plots.kernels import kernel_cell, kernel_pair_sheet, kernel_sheet
from innersr.plots.sheets import draw_sheet

ELLIPSE = (240, 110, 20)


def drawn(kernel, peak=None, **options):
    return draw_sheet([], kernel_cell(kernel, peak, **options)).astype(int)


def holds(pixels, colour):
    return bool((np.abs(pixels - np.array(colour)).max(-1) < 30).any())


def test_colours_show_the_sign_and_the_square_root_of_the_weight():
    sheet = drawn(torch.tensor([[0.0, 0.25, 1.0], [-1.0, -0.25, 4.0]]), 1.0, has_ellipse=False)
    taps = sheet[30:110:40, 56:176:40]  # the middles of taps of 40 pixels
    assert (taps[0, 0] > 240).all()  # nothing is white
    assert (taps[0, 2] == taps[1, 2]).all()  # not darker than the peak
    light = taps.sum(-1)
    for row, sign in ((0, 1), (1, -1)):
        whole, half = taps[row, 2 if row == 0 else 0], taps[row, 1]
        assert sign * (whole[2] - whole[0]) > 40 and sign * (half[2] - half[0]) > 40  # blue above 0, red below
    assert light[0, 0] > light[0, 1] > light[0, 2] and light[0, 0] > light[1, 1] > light[1, 0]
    steps = drawn(torch.tensor([[0.25, 0.5]]), 1.0, has_ellipse=False)
    assert (steps[30, 56] == taps[0, 1]).all()


@pytest.mark.parametrize("angle", [0, 30, 120])
def test_the_ellipse_lies_along_the_kernel(angle):
    kernel = kernels.gaussian(9.0, 1.0, math.radians(angle), size=19)
    with_ellipse, without = (drawn(kernel, has_ellipse=has) for has in (True, False))
    rows, columns = np.nonzero(np.abs(with_ellipse - without).max(-1) > 60)
    xx, xy, yy = (float(v) for v in (np.var(columns), np.cov(columns, rows)[0, 1], np.var(rows)))
    found_angle = math.degrees(0.5 * math.atan2(2 * xy, xx - yy)) % 180
    assert min(abs(found_angle - angle), 180 - abs(found_angle - angle)) < 3
    reach = (columns.max() - columns.min()) / 2 / 20  # 20 pixels for a tap
    assert reach == pytest.approx(math.hypot(3 * math.cos(math.radians(angle)), math.sin(math.radians(angle))), abs=0.2)


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (127, 127), (700, 3)])
def test_kernels_of_any_size_are_drawn(shape):
    sheet = kernel_sheet(torch.rand(shape) + 0.1, "kernel")
    assert max(kernel_cell(torch.rand(shape) + 0.1)[:2]) < 500
    assert sheet.shape[0] < 600


def test_two_kernels_are_drawn_side_by_side_with_their_difference():
    pair = kernels.gaussian(4.0, 1.0, math.radians(30)), kernels.gaussian(1.0, 1.0, 0.0)
    one = kernel_sheet(pair[0], "first")
    both = kernel_pair_sheet(pair, ("first", "second"), difference(*pair)).astype(int)
    third = both.shape[1] // 3
    assert both.shape[1] > 2.5 * one.shape[1]
    assert holds(both[:, :third], ELLIPSE) and holds(both[:, third : 2 * third], ELLIPSE)
    rest = both[:, 2 * third :]
    assert not holds(rest, ELLIPSE)
    assert ((rest[..., 0] - rest[..., 2]) > 60).any()  # red: the second has more in its middle


def test_the_same_kernel_makes_the_same_bytes():
    kernel = kernels.gaussian(4.0, 1.0, 0.5)
    assert np.array_equal(kernel_sheet(kernel, "k"), kernel_sheet(kernel, "k"))
