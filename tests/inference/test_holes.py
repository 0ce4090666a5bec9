"""Places without data in a result: those of the nearest pixels, on the grid of the degradation."""

import math

import pytest
import torch

from innersr.images.image import Image
from innersr.inference.normalisation import enlarged_no_data
from innersr.methods.baselines import Bicubic
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.pipeline.adaptation import upscale_image
from innersr.run import Run

KERNEL = gaussian(1.2, 1.2, 0.0, size=9)
GRIDS = [  # the places on the finer grid of the pixels 3 and 5
    (Degradation(scale=2), {6, 7, 10, 11}),
    (Degradation(scale=2, kernel=KERNEL), {6, 7, 10, 11}),
    (Degradation(scale=2, kernel=KERNEL, anchor="centre"), {5, 6, 9, 10}),
    (Degradation(scale=3), {9, 10, 11, 15, 16, 17}),
    (Degradation(scale=3, kernel=KERNEL, anchor="centre"), {8, 9, 10, 14, 15, 16}),
]


def image(holes):
    """One row is like another; the given columns hold no data."""
    colour = torch.linspace(100, 200, 12).expand(1, 1, 10, 12).clone()
    colour[..., holes] = math.nan
    return Image(colour=colour, depth="float32")


def columns(missing):
    """The columns that are missing, in every row alike."""
    rows = missing[0, 0]
    assert bool((rows == rows[:1]).all())
    return set(rows[0].nonzero().flatten().tolist())


@pytest.mark.parametrize(("degradation", "expected"), GRIDS)
def test_holes_lie_where_the_pixels_of_the_result_show_them(degradation, expected):
    result = upscale_image(image([3, 5]), degradation, Bicubic(), Run(device="cpu")).image
    assert columns(result.missing) == expected == columns(result.colour.isnan())
    known = result.colour[0, 0, 4].nan_to_num(150)
    assert float(known.min()) > 95 and float(known.max()) < 205


def test_a_centred_grid_is_that_of_the_values():
    """The values rise by a level for each pixel of the result: at its column 2 k there is the pixel k."""
    degradation = Degradation(scale=2, kernel=KERNEL, anchor="centre")
    shown = enlarged_no_data(image([]), degradation, (20, 24), "auto").colour[0, 0, 0]
    assert torch.equal(shown[::2], image([]).colour[0, 0, 0])
