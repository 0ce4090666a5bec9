"""Places of an image without data."""

import math
from dataclasses import replace

import pytest
import torch

from innersr.errors import InputError
from innersr.images.image import Image
from innersr.images.metadata import Metadata
from innersr.images.samples import samples_of
from innersr.images.values.depths import in_depth, share_outside
from innersr.images.values.no_data import missing_values, with_no_data


def picture(*values, depth="float32"):
    """An image of one row for each channel."""
    return Image(colour=torch.tensor(values, dtype=torch.float32)[None, :, None], depth=depth)


def missing(*values, value=None, depth="float32"):
    found = missing_values(picture(*values, depth=depth), value)
    return None if found is None else found[0, :, 0].tolist()


def test_nan_and_infinity_are_no_data_in_their_channel_alone():
    assert missing([1, math.nan, 3], [1, 2, math.inf]) == [[False, True, False], [False, False, True]]
    assert missing([1, 2, 3]) is None


@pytest.mark.parametrize("fill", [3.4e38, -3.4e38, 1e20])
def test_huge_values_are_fills_beside_small_ones(fill):
    assert missing([0.0, 812.5, fill]) == [[False, False, True]]
    assert missing([0.0, math.nan, fill]) == [[False, True, True]]


@pytest.mark.parametrize("values", [[1e16, 3e16, 2e18], [1e12, 3e13, 2e18], [1e14, 2e15, 1e15], [0, 3e19, 2e20]])
def test_huge_values_among_such_are_data(values):
    assert missing(values) is None


def test_huge_values_are_data_where_all_others_are_missing():
    assert missing([1e16, math.nan, 3e16]) == [[False, True, False]]
    assert missing([1e16, -9999.0, 3e16], value=-9999) == [[False, True, False]]


def test_the_value_of_no_data_is_as_the_file_stores_it():
    assert missing([0.0, 1.0, 0.5], value=255, depth="uint8") == [[False, True, False]]
    assert missing([0.0, 1.0, 0.5], value=65535, depth="uint16") == [[False, True, False]]
    assert missing([0.0, 1.0, 0.5], value=1) == [[False, True, False]]
    assert missing([0.0, 1.0, 0.5], value=255) is None


def test_a_colour_is_no_data_where_all_three_are_and_a_measurement_where_its_own_is():
    levels = [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]
    assert missing(*levels, value=0, depth="uint8") == [[True, False]] * 3
    assert missing(*levels, value=0) == [[True, True], [True, False], [True, True]]
    assert missing(*levels[:2], value=0, depth="uint8") == [[True, True], [True, False]]


def test_a_band_that_is_no_colour_has_holes_of_its_own():
    colour = torch.tensor([[0.0, 0.0], [0.0, 0.5], [0.0, 0.5]]).view(1, 3, 1, 2)
    bands = Image(colour=colour, depth="uint16", is_rgb=False, metadata=Metadata(nodata="0"))
    assert missing_values(bands, 0).flatten().tolist() == [True, True, True, False, True, False]
    found, _ = in_depth(with_no_data(bands), "uint16", None, bands)
    assert samples_of(found)[0].tolist() == [[0, 0, 0], [0, 32768, 32768]]
    assert missing_values(replace(bands, is_rgb=True), 0).flatten().tolist() == [True, False] * 3


@pytest.mark.parametrize(("values", "is_likely"), [([-9999.0, 100, 900], True), ([-9999.0, -9000, 3000], False)])
def test_a_value_that_usually_means_no_data_is_pointed_out(values, is_likely):
    image = with_no_data(picture(values))
    assert image.missing is None
    assert ["--nodata -9999" in note for note in image.notes] == [True] * is_likely


def test_a_given_value_that_does_not_occur_is_pointed_out():
    assert with_no_data(picture([1.0, 2.0]), -9999).notes == ("no value is -9999, so all are data",)


def test_an_image_of_nothing_else_is_refused():
    with pytest.raises(InputError, match="holds no data"):
        missing([math.nan, math.inf])


def test_values_outside_are_counted_where_there_is_data():
    assert share_outside(picture([-0.5, 0.5, 1.0, 2.0])) == 0.5
    assert share_outside(picture([math.nan, 0.5, 1e30, 0.7, 2.0])) == pytest.approx(1 / 3)
    assert share_outside(picture([math.nan, 0.5, 1.0, 0.0])) == 0


def test_the_image_says_how_many_values_are_no_data_and_keeps_their_value():
    image = with_no_data(picture([0.0, 1.0, -9999.0, -9999.0]), -9999)
    assert image.notes == ("50 % of its values are no data, and stay so",)
    assert image.metadata.nodata == "-9999"
    assert image.missing.flatten().tolist() == [False, False, True, True]
    again = with_no_data(replace(image, missing=None))  # by its metadata
    assert torch.equal(again.missing, image.missing)


@pytest.mark.parametrize(
    ("stored", "depth", "value", "expected"),
    [
        ("uint8", "uint16", 255, "65535"),
        ("uint8", "uint16", 7, "1799"),
        ("uint8", "float32", 255, "255"),
        ("uint16", "float32", 7, "7"),
        ("uint16", "uint8", 0, None),
        ("float32", "uint8", 1, None),
        ("float32", "float32", -9999, "-9999"),
    ],
)
def test_the_value_of_no_data_follows_the_depth(stored, depth, value, expected):
    colour = torch.tensor([0.0, 0.5, value / {"uint8": 255, "uint16": 65535}.get(stored, 1)]).expand(1, 1, 2, 3)
    image = with_no_data(Image(colour=colour, depth=stored), value)
    found, notes = in_depth(image, depth, None, image)
    assert found.metadata.nodata == expected
    lost = "the no-data value is not kept: other values would become equal to it"
    assert (lost in notes) == (expected is None)
    if expected is not None:
        written = samples_of(found)[image.missing[0, 0].numpy()]
        assert written.astype(float).tolist() == [[float(expected)]] * len(written)


@pytest.mark.parametrize(
    ("depth", "value", "levels", "expected"),
    [
        ("uint8", 0, [0.0, 0.3, 0.6, 5.0], [0, 1, 1, 5]),
        ("uint8", 255, [255.0, 254.7, 254.2, 5.0], [255, 254, 254, 5]),
        ("uint16", 0, [0.0, -5.0, -0.4, 2.0], [0, 1, 1, 2]),
        ("uint16", 65535, [65535.0, 70000.0, 65536.0, 2.0], [65535, 65534, 65534, 2]),
        ("uint16", 300, [300.0, 299.8, 300.2, 301.0], [300, 299, 301, 301]),
        ("float32", -9999, [-9999.0, -9999.0, 1.0, 2.0], [-9999, -9998.999, 1, 2]),
        ("float32", 0, [0.0, 0.0, 1.0, 2.0], [0, 1.1754944e-38, 1, 2]),
    ],
)
def test_values_with_data_do_not_become_no_data(depth, value, levels, expected):
    colour = torch.tensor(levels).view(1, 1, 1, 4) / {"uint8": 255, "uint16": 65535}.get(depth, 1)
    holes = torch.tensor([True, False, False, False]).view(1, 1, 1, 4)
    image = Image(colour=colour, depth=depth, missing=holes, metadata=Metadata(nodata=f"{value}"))
    found, _ = in_depth(image, depth, None, image)
    samples = samples_of(found).ravel()
    assert samples.tolist() == pytest.approx(expected, rel=1e-6, abs=1e-50)
    assert (samples == value).tolist() == [True, False, False, False]


def test_a_colour_is_no_data_in_all_its_channels_only():
    colour = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.5]]).view(1, 3, 1, 2)
    image = Image(colour=colour, metadata=Metadata(nodata="0"))
    found, _ = in_depth(image, "uint8", None, image)
    assert samples_of(found)[0].tolist() == [[1, 1, 1], [0, 0, 128]]
