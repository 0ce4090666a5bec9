"""One adaptation applied to several images: pages, frames, strips."""

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
