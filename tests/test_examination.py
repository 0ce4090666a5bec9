"""What is found out about an image with holes, or of many levels."""

from dataclasses import replace

import pytest
import torch

from helpers.images import facade
from innersr.blind.estimate import Estimate
from innersr.examination import examine_normalised
from innersr.images.image import Image
from innersr.inference.normalisation import normalise
from innersr.physics.degradation import Degradation
from innersr.run import Run

RUN = Run(device="cpu")
COMPRESSED = Degradation(scale=2, compression=0.3)


@pytest.fixture
def seen_by_examine(monkeypatch):
    """The images that were estimated from."""
    given = []

    def found(lr, *_, **__):
        given.append(lr)
        return Estimate(degradation=COMPRESSED, confidence="high", jpeg_quality=60)

    monkeypatch.setattr("innersr.examination.examine", found)
    return given


def heights(hole, **others):
    colour = 100 * facade(96) + torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(0))
    missing = torch.zeros(1, 1, 96, 96, dtype=torch.bool)
    missing[..., hole, hole] = True
    return Image(colour=torch.where(missing, -9999, colour), depth="float32", missing=missing, **others)


def test_holes_take_no_part_in_the_estimate(seen_by_examine):
    seen = normalise(heights(slice(60, None)), RUN, "auto")
    examine_normalised(seen, 2, RUN)
    (part,) = seen_by_examine
    assert part.shape in ((1, 1, 60, 96), (1, 1, 96, 60))
    assert torch.equal(part, seen.channels[..., : part.shape[2], : part.shape[3]])


def test_transparent_pixels_take_no_part_either(seen_by_examine):
    alpha = torch.ones(1, 1, 96, 96)
    alpha[..., :40] = 0
    examine_normalised(normalise(Image(colour=facade(96), alpha=alpha), RUN, "auto"), 2, RUN)
    assert seen_by_examine[0].shape == (1, 1, 96, 56)


def test_an_image_full_of_small_holes_is_estimated_from_as_it_was_filled(seen_by_examine):
    seen = normalise(heights(slice(None, None, 8)), RUN, "auto")
    examine_normalised(seen, 2, RUN)
    assert torch.equal(seen_by_examine[0], seen.channels)


@pytest.mark.usefixtures("seen_by_examine")
def test_measured_values_were_never_compressed():
    found = examine_normalised(normalise(heights(slice(0, 0)), RUN, "auto"), 2, RUN)
    assert (found.degradation.compression, found.jpeg_quality) == (0, None)
    noise = 0.05 * torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(0))
    eight_bits = Image(colour=(255 * (0.9 * facade(96) + noise)).round() / 255)
    for image in (eight_bits, replace(eight_bits, depth="uint16"), replace(eight_bits, depth="float32")):
        found = examine_normalised(normalise(image, RUN, "auto"), 2, RUN)
        assert found.jpeg_quality == 60, "it may have been a JPEG before"
