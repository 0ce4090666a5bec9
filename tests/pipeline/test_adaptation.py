"""One adaptation applied to several images: pages, frames, strips."""

from dataclasses import replace

import torch

from innersr.images.image import Image
from innersr.inference.normalisation import normalise
from innersr.methods.tailor import Tailor
from innersr.physics.degradation import Degradation
from innersr.pipeline.adaptation import adapt_image, upscale_image
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32")
METHOD = Tailor(steps=3, views=1)
DEGRADATION = Degradation(scale=2, noise=0.02)


def picture(height, width, seed=1):
    return Image(colour=torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)))


def test_an_image_is_upscaled_by_what_was_learnt_from_it():
    image = picture(32, 40)
    seen = normalise(image, RUN, "auto")
    result = adapt_image(seen, DEGRADATION, METHOD, RUN).apply(seen)
    assert torch.equal(result.image.colour, upscale_image(image, DEGRADATION, METHOD, RUN).image.colour)


def test_what_was_learnt_serves_an_image_of_another_size():
    adaptation = adapt_image(normalise(picture(32, 40), RUN, "auto"), DEGRADATION, METHOD, RUN)
    other = picture(20, 24, seed=2)
    result = adaptation.apply(normalise(other, RUN, "auto"))
    own = upscale_image(other, DEGRADATION, METHOD, RUN)
    assert result.image.colour.shape == own.image.colour.shape == (1, 3, 40, 48)
    assert not torch.equal(result.image.colour, own.image.colour)
    assert result.degradation.hr_size((20, 24)) == (40, 48)


def test_finer_levels_than_those_of_8_bits_are_learnt_in_fp32_unless_a_precision_is_given():
    coarse = replace(picture(32, 40), depth="uint8")
    coarse = replace(coarse, colour=(255 * coarse.colour).round() / 255)
    fine = replace(picture(32, 40), depth="uint16")
    for image, asked, used in ((coarse, "auto", "auto"), (fine, "auto", "fp32"), (fine, "bf16", "bf16")):
        run = Run(device="cpu", precision=asked)
        adaptation = adapt_image(normalise(image, run, "auto"), DEGRADATION, METHOD, run)
        assert adaptation.upscaler.run.precision == used


def test_the_same_data_in_another_unit_gives_the_same_result():
    image = picture(32, 40)
    image = replace(image, colour=0.3 + 0.4 * image.colour, depth="float32")  # results stay between 0 and 1
    run = Run(device="cpu")
    results = [
        upscale_image(replace(image, colour=image.colour * unit), Degradation(scale=2), METHOD, run).image.colour / unit
        for unit in (1.0, 0.003)
    ]
    assert (results[0] - results[1]).abs().max() < 1e-4
