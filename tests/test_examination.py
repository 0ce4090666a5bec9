"""What is found out about an image with holes, or of many levels."""

from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch

from helpers.images import facade, waves
from innersr.blind.estimate import Estimate
from innersr.errors import ImageFileError
from innersr.examination import examine_image, examine_normalised, read_with_no_data
from innersr.images.conversions import image_from
from innersr.images.image import Image
from innersr.images.metadata import Metadata
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


def test_a_declared_no_data_value_is_no_height(seen_by_examine):
    declared = heights(slice(60, None), metadata=Metadata(nodata="-9999"))
    examine_image(replace(declared, missing=None), 2, RUN)
    examine_image(declared, 2, RUN)
    undeclared, known = seen_by_examine
    assert torch.equal(undeclared, known)


def test_an_image_is_read_with_its_declared_no_data_and_nan(tmp_path):
    samples = np.full((20, 20), 7, np.float32)
    samples[0], samples[1] = np.nan, -9999
    tifffile.imwrite(tmp_path / "a.tif", samples, extratags=[(42113, "s", 0, "-9999", False)])
    image = read_with_no_data(tmp_path / "a.tif")
    assert int(image.missing.sum()) == 40
    assert any("no data" in note for note in image.notes)
    tifffile.imwrite(tmp_path / "b.tif", samples[:1])
    with pytest.raises(ImageFileError, match=r"b\.tif: the image holds no data"):
        read_with_no_data(tmp_path / "b.tif")


@pytest.mark.parametrize(("places", "expected"), [(slice(None), True), (slice(0, 0), False)])
def test_levels_are_counted_all_over_the_image(places, expected):
    colour = torch.zeros(1, 1, 600, 600)
    colour[..., 300:, 300:] = (torch.arange(300 * 300) % 200).reshape(300, 300) / 255
    fine = torch.rand(1, 1, 200, 200, generator=torch.Generator().manual_seed(0))
    colour[..., 400:, 400:][..., places] = fine[..., places]
    assert normalise(Image(colour=colour, depth="uint16"), RUN, "auto").has_fine_levels is expected


def test_a_found_counting_noise_is_written_in_stored_values():
    rates = 3 + 40 * waves(192)[0, 0].numpy()
    counts = np.random.default_rng(0).poisson(rates).astype(np.uint16)
    estimate = examine_image(image_from(3 * counts)[0], 2, RUN)
    gain = float(estimate.degradation.counting.text.split(":")[1])
    assert gain == pytest.approx(3, rel=0.25)
