"""Sheets: where pictures, labels and curves are, and that small ones can be seen."""

import numpy as np
import pytest
import torch

from innersr.plots.sheets import (
    GAP,
    LARGE,
    LINE,
    PAPER,
    PLOT,
    SMALL,
    WIDEST,
    Axis,
    Panel,
    Row,
    axis_of,
    contact_sheet,
    curve_cell,
    picture_cell,
    table,
    to_pil,
)

RED, BLUE = (255, 0, 0), (0, 0, 255)
BOX = (120, 80)


def plain(colour, height=20, width=30):
    """Return (1, 3, height, width) of one colour."""
    return (torch.tensor(colour) / 255).view(1, 3, 1, 1).expand(1, 3, height, width)


def pixels(sheet):
    return np.asarray(sheet).astype(int)


def where(sheet, colour):
    """Return the (top, left, bottom, right) of the pixels of a colour."""
    rows, columns = np.nonzero((pixels(sheet) == colour).all(axis=2))
    return rows.min(), columns.min(), rows.max() + 1, columns.max() + 1


def test_small_pictures_are_enlarged_by_a_whole_factor_and_their_pixels_show():
    picture = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(1))
    sheet = pixels(contact_sheet([Panel("noise", picture)]))
    factor = -(-SMALL // 30)
    shown = sheet[GAP : GAP + 20 * factor, GAP : GAP + 30 * factor]
    levels = (picture[0] * 255).round().permute(1, 2, 0).int().numpy()
    assert (shown == levels.repeat(factor, 0).repeat(factor, 1)).all()


def test_large_pictures_are_shrunk():
    top, left, bottom, right = where(contact_sheet([Panel("red", plain(RED, 600, 1200))]), RED)
    assert (bottom - top, right - left) == (LARGE // 2, LARGE)


def test_pictures_go_on_in_further_rows_as_even_as_can_be():
    sheet = contact_sheet([Panel(str(number), plain(RED, 100, 400)) for number in range(4)])
    assert sheet.width <= WIDEST
    reds = (pixels(sheet) == RED).all(axis=2)
    assert reds.sum() == 4 * 100 * 400
    starts = np.diff(reds.any(axis=1).astype(int)) == 1
    assert starts.sum() == 2  # rows, of two pictures each
    assert sheet.width == 2 * 400 + 3 * GAP


def test_each_picture_has_its_label_below_it():
    sheet = pixels(contact_sheet([Panel("a", plain(RED)), Panel("much more of it", plain(RED))]))
    ink = (sheet != PAPER).any(axis=2) & (sheet != RED).any(axis=2)
    bottom = where(contact_sheet([Panel("a", plain(RED))]), RED)[2]
    half = sheet.shape[1] // 2
    assert not ink[:bottom].any()
    assert ink[bottom:, half:].sum() > 4 * ink[bottom:, :half].sum() > 0


def test_a_title_stands_above_everything():
    panels = [Panel("a", plain(RED))]
    without, titled = contact_sheet(panels), contact_sheet(panels, "what it is")
    moved = where(titled, RED)[0] - where(without, RED)[0]
    assert moved == titled.height - without.height > 0
    assert (pixels(titled)[: moved + GAP] != PAPER).any()


def test_the_same_pictures_make_the_same_bytes():
    panels = [Panel("a", plain(RED)), Panel("b", plain(BLUE, 50, 20))]
    assert contact_sheet(panels, "t").tobytes() == contact_sheet(panels, "t").tobytes()


@pytest.mark.parametrize(
    ("bands", "shown"), [(1, (51, 51, 51)), (2, (51, 51, 51)), (3, (51, 102, 153)), (5, (51, 102, 153))]
)
def test_any_number_of_bands_is_drawn(bands, shown):
    picture = (torch.arange(1, bands + 1) * 0.2).view(1, bands, 1, 1).expand(1, bands, 2, 2)
    assert (pixels(to_pil(picture)) == shown).all()


def test_values_beyond_the_range_are_clipped():
    picture = torch.tensor([-1.0, 2.0]).view(1, 1, 1, 2)
    assert pixels(to_pil(picture))[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize(("size", "shown"), [((20, 30), (80, 120)), ((400, 300), (80, 60)), ((80, 10), (80, 10))])
def test_a_cell_is_filled_as_far_as_the_shape_of_the_picture_allows(size, shown):
    cell = picture_cell(plain(RED, *size), BOX)
    assert (cell.height, cell.width) == shown
    assert (pixels(cell) == RED).all()


def test_a_table_has_its_cells_below_their_headings():
    red, blue = picture_cell(plain(RED), BOX), picture_cell(plain(BLUE), BOX)
    sheet = table(["title"], ["first", "second"], [Row("one", [red, None]), Row("two", [None, blue])])
    first, second = where(sheet, RED), where(sheet, BLUE)
    assert second[1] - first[1] == BOX[0] + GAP  # to the right
    assert second[0] - first[0] == BOX[1] + GAP  # and below
    label = pixels(sheet)[second[0] : second[2], : first[1] - GAP]
    assert (label != PAPER).any()


def curve(points, axis, **others):
    return pixels(curve_cell(points, axis, BOX, until=1.0, **others))


def heights(drawn):
    """Return where the curve is in each column that it is in, from the bottom of the box, in pixels."""
    likeness = np.abs(drawn - LINE).sum(axis=2)
    likeness[:15] = 1000  # the last value stands there
    columns = [x for x in range(2, drawn.shape[1] - 2) if likeness[:, x].min() < 150]
    return {x: drawn.shape[0] - 1 - likeness[:, x].argmin() for x in columns}


def test_a_curve_goes_from_one_border_to_the_other():
    found = heights(curve([(0.0, 0.0), (1.0, 1.0)], Axis(0.0, 1.0)))
    left, middle, right = found[5], found[60], found[110]
    assert left < middle < right
    assert middle == pytest.approx((left + right) / 2, abs=2)


def test_what_is_not_learnt_yet_stays_empty():
    found = heights(curve([(0.0, 0.5), (0.5, 0.5)], Axis(0.0, 1.0)))
    assert max(found) == pytest.approx(BOX[0] / 2, abs=2)


def test_equal_factors_are_equal_distances_on_a_logarithmic_axis():
    axis = Axis(1.0, 100.0, True)
    assert [axis.height_of(value) for value in (1, 10, 100)] == pytest.approx([0, 0.5, 1])
    assert (axis.height_of(0), axis.height_of(1000)) == (0, 1)


def test_a_box_without_a_curve_is_empty():
    assert (curve([], Axis(0.0, 1.0))[2:12, 2:-2] == PLOT).all()


def test_values_stand_at_the_grid_if_they_are_asked_for():
    bare, labelled = (curve([], Axis(0.0, 1.0), is_labelled=asked) for asked in (False, True))
    assert (bare != labelled)[:, : BOX[0] // 3].any()
    assert (bare == labelled)[:, BOX[0] // 3 :].all()


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        (Axis(0.0, 1.0), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (Axis(-0.3, 0.75), [-0.2, 0, 0.2, 0.4, 0.6]),
        (Axis(0.0, 99.0), [0, 20, 40, 60, 80]),
        (Axis(0.0, 9.99), [0, 2, 4, 6, 8]),
        (Axis(1.0, 30.0, True), [1, 2, 5, 10, 20]),
        (Axis(0.01, 300.0, True), [0.01, 0.1, 1, 10, 100]),
        (Axis(14.0, 36.0, True), [15, 20, 25, 30, 35]),
    ],
)
def test_ticks_are_few_and_round(axis, ticks):
    assert axis.ticks() == pytest.approx(ticks)


def test_an_axis_holds_all_curves():
    curves = [[(0.0, 3.0), (1.0, -1.0)], [(0.0, 2.0)], []]
    assert axis_of(curves) == Axis(-1.0, 3.0)
    low, high, _ = axis_of([[(0.0, 3.0), (1.0, 0.0), (2.0, 0.1)]], is_logarithmic=True)
    assert 0.05 < low < 0.1 < 3 < high
    assert axis_of([[(0.0, 0.0)]]) == Axis(0.0, 1.0)
    assert axis_of([], is_logarithmic=True).ticks()
