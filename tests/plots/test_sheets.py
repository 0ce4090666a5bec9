"""Sheets: where pictures, plots and labels are, and that they are shown pixel for pixel."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
import torch

from innersr.plots.sheets import (
    GAP,
    Panel,
    contact_sheet,
    draw_sheet,
    fitted,
    grid,
    picture_cell,
    plot_cell,
    text_cell,
    to_pixels,
)

RED, BLUE, PAPER = (255, 0, 0), (0, 0, 255), (250, 250, 250)


def plain(colour, height=20, width=30):
    """Return (1, 3, height, width) of one colour."""
    return (torch.tensor(colour) / 255).view(1, 3, 1, 1).expand(1, 3, height, width)


def where(sheet, colour):
    """Return the (top, left, bottom, right) of the pixels of a colour."""
    rows, columns = np.nonzero((sheet == colour).all(axis=2))
    return rows.min(), columns.min(), rows.max() + 1, columns.max() + 1


@pytest.mark.parametrize(("size", "factor"), [((20, 30), 6), ((159, 20), 2), ((160, 97), 1), ((333, 480), 1)])
def test_pictures_are_shown_pixel_for_pixel_and_small_ones_enlarged_by_a_whole_factor(size, factor):
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    sheet = contact_sheet([Panel("1", picture)])
    levels = (picture[0] * 255).round().permute(1, 2, 0).byte().numpy()
    shown = sheet[GAP : GAP + size[0] * factor, GAP : GAP + size[1] * factor]
    assert np.array_equal(shown, levels.repeat(factor, 0).repeat(factor, 1))


def test_large_pictures_are_shrunk():
    top, left, bottom, right = where(contact_sheet([Panel("red", plain(RED, 600, 1200))]), RED)
    assert (bottom - top, right - left) == (240, 480)


def test_pictures_go_on_in_further_rows_as_even_as_can_be():
    sheet = contact_sheet([Panel(str(number), plain(RED, 100, 400)) for number in range(4)])
    reds = (sheet == RED).all(axis=2)
    assert reds.sum() == 4 * 100 * 400
    starts = np.diff(reds.any(axis=1).astype(int)) == 1
    assert starts.sum() == 2  # rows, of two pictures each
    assert sheet.shape[1] == 2 * 400 + 3 * GAP


def test_each_picture_has_its_label_below_it():
    sheet = contact_sheet([Panel("a", plain(RED)), Panel("much more of it", plain(RED))])
    ink = (sheet != PAPER).any(axis=2) & (sheet != RED).any(axis=2)
    bottom = where(contact_sheet([Panel("a", plain(RED))]), RED)[2]
    half = sheet.shape[1] // 2
    assert not ink[:bottom].any()
    assert ink[bottom:, half:].sum() > 4 * ink[bottom:, :half].sum() > 0


def test_a_title_stands_above_everything():
    panels = [Panel("a", plain(RED))]
    without, titled = contact_sheet(panels), contact_sheet(panels, "what it is")
    moved = where(titled, RED)[0] - where(without, RED)[0]
    assert moved == titled.shape[0] - without.shape[0] > 0
    assert (titled[: moved + GAP] != PAPER).any()


def test_a_label_is_drawn_as_it_is_written():
    sheets = [contact_sheet([Panel(label, plain(RED))]) for label in ("$a_b$", "ab", "a\u65e5b")]
    assert not np.array_equal(sheets[0], sheets[1])  # no formula; and a character that the font lacks is no error


def test_a_name_that_is_no_text_is_drawn():
    odd, escaped = (contact_sheet([Panel(name, plain(RED))], name) for name in ("\udcff\x1b", "\\udcff\\x1b"))
    assert np.array_equal(odd, escaped)


def test_the_same_pictures_make_the_same_bytes_whatever_the_user_has_set(monkeypatch):
    panels = [Panel("a", plain(RED)), Panel("b", plain(BLUE, 50, 20))]
    first = contact_sheet(panels, "t")
    for name, value in {
        "font.size": 30,
        "image.origin": "lower",
        "text.color": "green",
        "font.family": "serif",
    }.items():
        monkeypatch.setitem(matplotlib.rcParams, name, value)
    before = dict(matplotlib.rcParams)
    assert np.array_equal(contact_sheet(panels, "t"), first)
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("channels", "shown"), [(1, (51, 51, 51)), (2, (51, 51, 51)), (3, (51, 102, 153)), (5, (51, 102, 153))]
)
def test_any_number_of_channels_is_drawn(channels, shown):
    picture = (torch.arange(1, channels + 1) * 0.2).view(1, channels, 1, 1).expand(1, channels, 2, 2)
    assert (to_pixels(picture) == shown).all()


def test_values_beyond_the_range_are_clipped():
    picture = torch.tensor([-1.0, 2.0]).view(1, 1, 1, 2)
    assert to_pixels(picture)[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize(("size", "shown"), [((20, 30), (80, 120)), ((400, 300), (120, 90)), ((120, 10), (120, 10))])
def test_a_picture_fills_a_square_as_far_as_its_shape_allows(size, shown):
    pixels = fitted(plain(RED, *size), 120)
    assert pixels.shape[:2] == shown
    assert (pixels == RED).all()


def test_a_grid_has_its_cells_below_each_other_and_side_by_side():
    red, blue = (picture_cell(to_pixels(plain(colour, 80, 120))) for colour in (RED, BLUE))
    rows = [[None, text_cell("first"), text_cell("second")], [text_cell("one"), red, None], [None, None, blue]]
    sheet = draw_sheet(["title"], grid(rows))
    first, second = where(sheet, RED), where(sheet, BLUE)
    assert second[1] - first[1] == 120 + GAP  # to the right
    assert second[0] - first[0] == 80 + GAP  # and below
    label = sheet[first[0] : first[2], : first[1] - GAP]
    assert (label != PAPER).any()


def test_a_plot_has_the_size_that_it_is_given():
    def fill(axes):
        axes.set_facecolor("red")
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[])

    sheet = draw_sheet([], plot_cell(120, 80, fill, left=30, below=20))
    top, left, bottom, right = where(sheet, RED)
    assert abs(bottom - top - 80) <= 2 and abs(right - left - 120) <= 2
    assert left == pytest.approx(GAP + 30, abs=1)
    assert sheet.shape == (80 + 20 + 2 * GAP, 120 + 30 + 2 * GAP, 3)


def test_matplotlib_is_imported_only_when_something_is_drawn_and_pyplot_never():
    """matplotlib takes half a second; and nothing ever needs the state of pyplot, which all would share."""
    modules = ["innersr", "innersr.commands.upscale", "innersr.cli", "innersr.plots.singan"]
    check = "\n".join(
        ["import importlib, sys, torch"]
        + [f"importlib.import_module({name!r}); assert 'matplotlib' not in sys.modules, {name!r}" for name in modules]
        + [
            "from innersr.plots.sheets import Panel, contact_sheet",
            "contact_sheet([Panel('a', torch.zeros(1, 1, 2, 2))])",
            "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules",
        ]
    )
    subprocess.run([sys.executable, "-c", check], check=True)
