"""What is found about a large image that is read in parts."""

from dataclasses import replace

import pytest
import torch

from innersr.images.image import Image
from innersr.inference.normalisation import normalise
from innersr.inference.survey import survey
from innersr.run import Run

RUN = Run(device="cpu")


def rows_of(picture):
    cuts = range(0, picture.colour.shape[2], 16)
    colours, alphas = ([x[..., top : top + 16, :] for top in cuts] for x in (picture.colour, picture.alpha))
    return [replace(picture, colour=colour, alpha=alpha) for colour, alpha in zip(colours, alphas, strict=True)]


@pytest.mark.parametrize("alpha", ["auto", "same", "drop"])
@pytest.mark.parametrize("opaque", [0, 20, 48])
def test_parts_have_the_range_of_the_whole_whatever_is_transparent(opaque, alpha):
    generator = torch.Generator().manual_seed(0)
    opacity = torch.zeros(1, 1, 48, 40)
    opacity[..., :opaque, :] = 1
    colour = torch.where(opacity > 0, 0.1, 0.6) + 0.2 * torch.rand(1, 3, 48, 40, generator=generator)
    picture = Image(colour=colour, alpha=opacity, depth="float32")
    found = survey(lambda: rows_of(picture), alpha, nodata=None, is_exact=False)
    whole = normalise(picture, RUN, alpha).whole
    assert torch.equal(found.values.low, whole.values.low)
    assert torch.equal(found.values.spread, whole.values.spread)
    assert found.continues_colours == whole.continues_colours
