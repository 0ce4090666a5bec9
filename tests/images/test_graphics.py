"""Drawn pictures told from photographs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from innersr.images.graphics import graphic_notes, label_notes, recognised_graphic
from innersr.images.image import Image
from innersr.images.metadata import Metadata
from innersr.physics.jpeg import compressed
from innersr.physics.resize import resize


def picture(levels, **fields):
    """An image of 8-bit levels (H, W) or (H, W, C)."""
    planes = np.atleast_3d(levels).transpose(2, 0, 1).astype(np.float32)
    return Image(colour=torch.from_numpy(planes)[None] / 255, **fields)


def board(side=64, square=8):
    y, x = np.mgrid[:side, :side] // square
    return np.where((x + y) % 2, 255, 204)


def shades(side=64, seed=3):
    """A slope of light, (side, side), from 0 to 1."""
    y, x = np.mgrid[:side, :side] / side
    return 0.5 + 0.4 * np.sin(5 * x + seed) * np.cos(4 * y)


def dithered(side=64):
    bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16
    return 255 * (shades(side) > np.tile(bayer, (side // 4, side // 4)))


def art(side=48):
    """Patches of six colours."""
    generator = np.random.default_rng(4)
    patches = generator.integers(0, 6, (side // 4, side // 4)).repeat(4, 0).repeat(4, 1)
    return generator.integers(0, 256, (6, 3))[patches]


def photograph(noise, channels=3, side=64):
    generator = np.random.default_rng(5)
    light = np.stack([shades(side, seed) for seed in range(channels)], -1)
    return (255 * light + noise * generator.standard_normal(light.shape)).round().clip(0, 255)


@pytest.mark.parametrize(
    ("levels", "colours"),
    [(board(), 2), (dithered(), 2), (art(), 6), (np.stack([board()] * 3, -1), 2), (np.full((32, 32), 7), 1)],
)
def test_boards_dithering_and_palettes_are_recognised(levels, colours):
    assert recognised_graphic(picture(levels)).colours == colours


def test_a_photograph_on_a_board_is_recognised():
    levels = np.stack([board(128)] * 3, -1)
    levels[40:56, 40:56] = photograph(2)[:16, :16]
    assert 2 < recognised_graphic(picture(levels)).colours < 300


@pytest.mark.parametrize(
    "image",
    [
        picture(photograph(0)),
        picture(photograph(3)),
        picture(photograph(0, 1)),
        picture(photograph(3, 1)),
        picture(np.stack([photograph(1, 1)[..., 0]] * 3, -1)),
        picture(np.random.default_rng(6).integers(100, 140, (64, 64))),
        picture(photograph(3)[:6, :6]),  # a few pixels have few colours
        picture(art(), depth="uint16"),
        Image(colour=compressed(picture(board(square=6)).colour, 60)),
    ],
    ids=[
        "smooth",
        "noisy",
        "smooth grey",
        "noisy grey",
        "grey in colours",
        "few shades",
        "tiny",
        "16 bits",
        "compressed",
    ],
)
def test_photographs_and_compressed_drawings_are_not(image):
    assert recognised_graphic(image) is None
    assert graphic_notes(image) == ()


def test_transparency_is_one_colour_whatever_it_hides():
    alpha = torch.ones(1, 1, 48, 48)
    alpha[..., :24] = 0
    hidden = picture(art(), alpha=alpha)
    hidden.colour[..., :24] = torch.rand(1, 3, 48, 24)
    assert recognised_graphic(hidden).colours <= 7


def test_pixel_art_is_distinguished_from_dithering_and_smooth_edges():
    assert [recognised_graphic(picture(levels)).is_pixel_art for levels in (art(), dithered(), board())] == [1, 0, 0]
    y, x = np.mgrid[:64, :64] - 31.5
    disc = (255 * (20.5 - np.hypot(x, y)).clip(0, 1)).round()
    hints = graphic_notes(picture(art()))
    assert "drawn with 6 colours" in hints[0] and "-m pixelart" in hints[1]
    assert len(graphic_notes(picture(board()))) == 1
    assert not recognised_graphic(picture(disc)).is_pixel_art


def shrunk(levels):
    hr = torch.from_numpy(np.asarray(levels, np.float32))[None, None] / 255
    return 255 * resize(hr, scale=0.5)[0, 0].clamp(0, 1).numpy()


def test_a_board_is_a_pattern_also_after_it_was_shrunk():
    mixed = np.concatenate([board(192, side)[:, :64] for side in (2, 3, 7)], 1)
    graphic = recognised_graphic(picture(shrunk(mixed).round()))
    assert graphic.is_pattern
    assert not graphic.has_few_colours


def test_lines_of_letters_are_no_pattern():
    generator = np.random.default_rng(6)
    letters = generator.random((26, 7, 5)) < 0.5
    rows = [np.concatenate(letters[generator.integers(0, 26, 32)], 1) for _ in range(22)]
    page = np.pad(np.stack(rows), ((0, 0), (0, 2), (0, 0))).reshape(-1, 160)
    graphic = recognised_graphic(picture(255 * (~page).astype(np.uint8)))
    assert graphic.has_few_colours
    assert not graphic.is_pattern


@pytest.mark.parametrize("shape", [(1, 12), (12, 1), (2, 12)])
def test_a_drawing_of_a_row_or_a_column_is_recognised(shape):
    shades = (torch.arange(shape[0] * shape[1]) % 3 / 2).reshape(1, 1, *shape)
    assert recognised_graphic(Image(colour=shades)).has_few_colours


def labels(side=96, radius=5, spacing=16):
    """Discs on a background, each with a number of its own."""
    rows, columns = np.mgrid[:side, :side]
    is_inside = (rows % spacing - spacing / 2) ** 2 + (columns % spacing - spacing / 2) ** 2 < radius**2
    return is_inside * (1 + 37 * (rows // spacing * (side // spacing) + columns // spacing))


def measured(values, depth="float32", **fields):
    white = {"uint8": 255, "uint16": 65535}.get(depth, 1)
    return Image(colour=torch.from_numpy(values.astype(np.float32))[None, None] / white, depth=depth, **fields)


CLASSES = np.random.default_rng(4).integers(1, 4, (12, 12)).repeat(8, 0).repeat(8, 1)


@pytest.mark.parametrize("values", [labels(), CLASSES, labels() > 0, np.where(CLASSES > 1, CLASSES, np.nan)])
@pytest.mark.parametrize("depth", ["uint8", "uint16", "float32"])
def test_maps_of_classes_and_labels_get_a_hint(values, depth):
    values = values if depth == "float32" else np.nan_to_num(values) % 251
    image = measured(values, depth, metadata=Metadata(nodata="0"))
    assert label_notes(image)[0].endswith("the method pixelart (-m pixelart) keeps them")
    assert label_notes(replace(image, metadata=Metadata())) == (() if depth == "uint8" else label_notes(image))


@pytest.mark.parametrize(
    "values",
    [
        60000 * shades(),
        np.rint(1000 * shades()),
        np.rint(12 * shades()),  # low relief
        np.random.default_rng(1).poisson(0.2, (64, 64)),
        np.random.default_rng(1).poisson(50 * shades()),
        np.where(shades() > 0.6, np.random.default_rng(1).integers(100, 200, (64, 64)), 0),
        labels() + 0.25,
        np.full((32, 32), 7),
        np.zeros((1, 1)),
    ],
)
def test_measurements_are_no_labels(values):
    assert label_notes(measured(values)) == ()
    assert label_notes(measured(np.floor(values), "uint16")) == () or (values % 1).any()


def test_bands_are_no_labels():
    assert label_notes(picture(np.stack([labels()] * 3, -1), metadata=Metadata(nodata="0"))) == ()
