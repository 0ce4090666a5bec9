"""The before and after picture: labels, panels, enlarged crops."""

import io

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from innersr.images.colours.profiles import ColourSpace, colour_space_of_code_points
from innersr.images.image import Image
from innersr.images.metadata import Metadata
from innersr.plots.before_after import CROP, CROPS, FRAME, before_after_sheet, comparable, looked_at
from innersr.plots.sheets import GAP

PAPER = (250, 250, 250)


def drawn(before, after, labels=("bicubic", "zssr")):
    return before_after_sheet(before, after, labels).astype(int)


def below_labels():
    """Return the rows above the images."""
    x = torch.zeros(1, 1, 320, 320)
    black = (drawn(x, x)[:, GAP + 300] == 0).all(axis=1)
    return int(black.argmax())


def panel(sheet, column, width, height):
    left, top = GAP + column * (width + GAP), below_labels()
    return sheet[top : top + height, left : left + width]


def zoom_of(width):
    return (width - GAP * (CROPS - 1)) // CROPS // CROP


@pytest.mark.parametrize("size", [(400, 500), (321, 327), (640, 640)])
def test_images_are_shown_pixel_for_pixel(size):
    before, after = torch.rand(2, 1, 3, *size, generator=torch.Generator().manual_seed(1))
    sheet = drawn(before, after)
    for column, image in enumerate((before, after)):
        seen = panel(sheet, column, size[1], size[0])
        levels = (image[0] * 255).round().permute(1, 2, 0).int().numpy()
        framed = (seen == FRAME).all(axis=2)
        assert ((seen == levels).all(axis=2) | framed).all()
        assert framed.sum() <= CROPS * 4 * CROP


def test_crops_are_enlarged_by_a_whole_factor_and_their_pixels_show():
    before = torch.rand(1, 3, 400, 600, generator=torch.Generator().manual_seed(1))
    after = before.clone()
    after[..., 100 : 100 + CROP, 200 : 200 + CROP] += 1  # clipped: white
    sheet = drawn(after, before)
    zoom = zoom_of(600)
    levels = (before[0, :, 100 : 100 + CROP, 200 : 200 + CROP] * 255).round().permute(1, 2, 0).int().numpy()
    expected = levels.repeat(zoom, 0).repeat(zoom, 1)
    left = 2 * GAP + 600 + (600 - CROPS * CROP * zoom - GAP * (CROPS - 1)) // 2
    assert (sheet[-GAP - CROP * zoom : -GAP, left : left + CROP * zoom] == expected).all()


def test_each_half_has_its_own_label():
    x = torch.full((1, 3, 300, 400), 0.5)
    sheet = drawn(x, x, ("bicubic", "a much longer label"))
    ink = (sheet[: below_labels()] != PAPER).any(axis=2)
    left, right = ink[:, : 400 + GAP], ink[:, 400 + GAP :]
    assert left.any() and right.sum() > 1.5 * left.sum()


def test_the_crops_are_where_the_images_differ_most():
    before, after = torch.zeros(1, 1, 600, 600), torch.zeros(1, 1, 600, 600)
    after[..., 300 : 300 + CROP, 400 : 400 + CROP] = 1
    sheet = drawn(before, after)
    side, left = CROP * zoom_of(600), (600 - CROPS * CROP * zoom_of(600) - GAP * (CROPS - 1)) // 2
    crops = [sheet[-GAP - side : -GAP, GAP + column * (600 + GAP) + left :][:, :side] for column in range(2)]
    assert (crops[0] == 0).all() and (crops[1] == 255).all()
    framed = (panel(sheet, 1, 600, 600) == FRAME).all(axis=2)
    assert framed[300, 400 : 400 + CROP].all() and framed[300 : 300 + CROP, 400].all()


def test_large_images_are_shown_shrunk():
    x = torch.zeros(1, 3, 1000, 2000)
    black = (drawn(x, x) == 0).all(axis=2)
    rows = black[below_labels() :, GAP + 600]
    assert rows.argmin() == 320
    assert drawn(x, x).shape[1] == 2 * 640 + 3 * GAP


def test_a_very_narrow_image_makes_a_sheet_of_limited_height():
    x = torch.rand(1, 1, 20000, 16)
    assert drawn(x, x).shape[0] <= below_labels() + 1280 + 640 // CROPS + 3 * GAP


@pytest.mark.parametrize("size", [(1, 1), (2, 200), (200, 2), (CROP - 1, CROP + 1)])
def test_small_images_are_shown_too(size):
    white = (drawn(torch.ones(1, 3, *size), torch.ones(1, 3, *size)) == 255).all(axis=2)
    assert white.sum() >= 2 * size[0] * size[1]


@pytest.mark.parametrize(("channels", "shown"), [(1, (0, 0, 0)), (2, (0, 0, 0)), (3, (0, 51, 102)), (5, (0, 51, 102))])
def test_the_first_channel_is_grey_and_the_first_three_are_a_colour(channels, shown):
    x = (torch.arange(channels) / 5).reshape(1, channels, 1, 1).expand(1, channels, 320, 320)
    assert (panel(drawn(x, x), 0, 320, 320)[310, 310] == shown).all()


def test_values_outside_the_range_are_clipped():
    x = torch.full((1, 1, 320, 320), 1.7)
    assert (panel(drawn(-x, x), 1, 320, 320)[-10:-2, -10:-2] == 255).all()
    assert (panel(drawn(-x, x), 0, 320, 320)[-10:-2, -10:-2] == 0).all()


def test_the_same_images_make_the_same_bytes():
    x = torch.rand(1, 3, 90, 70)
    assert np.array_equal(drawn(x, 1 - x), drawn(x, 1 - x))


P3 = colour_space_of_code_points(12, 13).profile()
LINEAR = ColourSpace(gamma=1.0).profile()
GREY = ColourSpace(gamma=1.0, is_grey=True).profile()


def image_of(*colour, icc=None, depth="uint8", **others):
    """A picture of one colour."""
    planes = torch.tensor(colour).reshape(1, -1, 1, 1).expand(1, -1, 32, 32).clone()
    return Image(colour=planes, depth=depth, metadata=Metadata(icc=icc), **others)


@pytest.mark.parametrize(
    ("image", "levels"),
    [
        (image_of(0.9, 0.3, 0.2), (230, 76, 51)),
        (image_of(0.5, 0.5, 0.5, icc=P3), (128, 128, 128)),
        (image_of(0.7, 0.4, 0.4, icc=P3), (191, 97, 100)),  # by the matrices of both spaces
        (image_of(1.0, 0.0, 0.0, icc=P3), (255, 0, 0)),  # clipped
        (image_of(0.7, 0.4, 0.4, icc=P3, depth="uint16"), (191, 97, 100)),
        (image_of(0.7, 0.4, 0.4, 0.9, icc=P3, depth="uint16", is_rgb=True), (191, 97, 100)),
        (image_of(0.5, 0.5, 0.5, icc=LINEAR, depth="float32"), (188, 188, 188)),
        (image_of(0.5, icc=GREY, depth="float32"), (188, 188, 188)),
        (image_of(0.5, 0.5, 0.5, icc=b"\0" * 16 + b"RGB broken"), (128, 128, 128)),
    ],
)
def test_colours_of_a_profile_are_shown_as_srgb(image, levels):
    for shown in (*comparable(image, image), looked_at(image)):
        assert (255 * shown[0, :, 9, 9]).tolist() == pytest.approx(levels, abs=1.5)
    pixel = PillowImage.open(io.BytesIO(image._repr_png_())).getpixel((9, 9))
    assert pixel[:3] == pytest.approx(levels, abs=1.5)


@pytest.mark.parametrize("factor", [1, 1 / 100, 50])
def test_linear_light_is_shown_by_a_white_that_a_few_bright_pixels_do_not_move(factor):
    image = image_of(0.5, 0.25, 0.125, icc=LINEAR, depth="float32")
    image.colour[..., :8] = 1.0
    image.colour[0, :, 20, 20] = 500.0
    image.colour.mul_(factor)
    shown = comparable(image, image)[1]
    assert (255 * shown[0, :, 9, 9]).tolist() == pytest.approx((188, 137, 99), abs=1.5)
    assert shown[0, :, 20, 20].tolist() == pytest.approx([1, 1, 1], abs=1e-4)


def test_transparent_linear_light_is_white():
    image = image_of(9.0, 9.0, 9.0, icc=LINEAR, depth="float32", alpha=torch.zeros(1, 1, 32, 32))
    assert comparable(image, image)[1].min() > 0.999
