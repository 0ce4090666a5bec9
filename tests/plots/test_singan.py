"""Curves of the report: where they are, what they say."""

import numpy as np
import pytest

from innersr.plots.sheets import draw_sheet
from innersr.plots.singan import curve_cells

LINE = (30, 90, 160)


def curves(*points, last=1.0, **options):
    """Return the drawn plot of each curve, (120, 200, 3)."""
    return [draw_sheet([], cell).astype(int)[10:-10, 10:-10] for cell in curve_cells(points, last, 200, **options)]


def heights(plot):
    """Return where the curve is in each column that it is in, from the bottom, in pixels."""
    likeness = np.abs(plot - LINE).sum(axis=2)
    likeness[:22, 150:] = 1000  # the last value stands there
    columns = [x for x in range(2, plot.shape[1] - 2) if likeness[:, x].min() < 150]
    return {x: plot.shape[0] - 1 - likeness[:, x].argmin() for x in columns}


def test_a_curve_goes_from_one_border_to_the_other():
    found = heights(curves([(0.0, 0.0), (1.0, 1.0)])[0])
    left, middle, right = found[10], found[100], found[190]
    assert left < middle < right
    assert middle == pytest.approx((left + right) / 2, abs=2)


def test_the_plot_of_an_untrained_scale_stays_empty():
    assert max(heights(curves([(0.0, 0.5), (0.5, 0.5)])[0])) == pytest.approx(100, abs=2)
    assert not heights(curves([], [(0.0, 1.0), (1.0, 2.0)])[0])


def test_all_curves_have_one_axis():
    low, high = (heights(plot)[100] for plot in curves([(0.0, 1.0), (1.0, 1.0)], [(0.0, 3.0), (1.0, 3.0)]))
    zero = heights(curves([(0.0, 0.0), (1.0, 0.0)], [(0.0, 3.0)])[0])[100]
    assert high - zero == pytest.approx(3 * (low - zero), abs=3)


def test_equal_factors_are_equal_distances_on_a_logarithmic_axis():
    flat = [[(0.0, value), (1.0, value)] for value in (1.0, 10.0, 100.0)]
    one, ten, hundred = (heights(plot)[100] for plot in curves(*flat, is_logarithmic=True))
    assert ten - one == pytest.approx(hundred - ten, abs=2)


def test_the_first_plot_has_the_values_of_the_axis_and_each_its_last_value():
    same = [(0.0, 5.0), (0.5, 5.0)]
    first, second = curves(same, same)
    assert (first != second)[:, :60].any()
    assert (first == second)[:, 60:].all()
    assert (second[2:25, 150:-2] < 100).any()


@pytest.mark.parametrize("is_logarithmic", [False, True])
@pytest.mark.parametrize("values", [[], [0.0], [0.0, 0.0], [3.0, 3.0], [1e-9, 1e-9], [-1.0, 2.0]])
def test_any_curve_is_drawn(values, is_logarithmic):
    points = [(float(x), y) for x, y in enumerate(values)]
    assert curves(points, last=2.0, is_logarithmic=is_logarithmic)[0].shape == (120, 200, 3)
