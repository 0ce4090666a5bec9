"""What a network is measured on while it learns."""

import pytest
import torch

from helpers.methods import image
from helpers.training import write_photos
from innersr.errors import InputError
from innersr.images.image import Image
from innersr.images.io import save
from innersr.metrics.fidelity import psnr_y
from innersr.metrics.grey_levels import quantized
from innersr.physics.named_degradations import parse_degradation
from innersr.training.validation import measure, read_validation


def test_the_middle_of_an_image_is_read(tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    whole = image(3, (260, 60))  # 252 x 60 are whole multiples of 12
    save(Image(colour=whole), folder / "a.png")
    (middle,) = read_validation(folder)
    assert torch.allclose(middle, whole[..., 30:222, :], atol=0.5 / 255 + 1e-6)  # 8 bit


def test_grey_images_count_as_rgb(tmp_path):
    (tmp_path / "grey").mkdir()
    save(Image(colour=image(1, (60, 48))), tmp_path / "grey" / "a.png")
    (middle,) = read_validation(tmp_path / "grey")
    assert middle.shape == (1, 3, 60, 48)
    assert torch.equal(middle[:, :1], middle[:, 2:])


def test_at_most_twelve_images_are_read(tmp_path):
    assert len(read_validation(write_photos(tmp_path / "many", 14, (50, 50)))) == 12


def test_images_that_are_too_small_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"0\.png: validation needs RGB or grey images of 48 pixels, got 48x36"):
        read_validation(write_photos(tmp_path / "small", 1, (40, 50)))


def test_figures_are_means_by_the_fields_protocol():
    images, degradation = [image(3, (48, 60), seed) for seed in (1, 2)], parse_degradation("g2.0d", 2)

    def upscale(lr, used):
        return used.upsample(lr, used.hr_size((lr.shape[-2], lr.shape[-1])))

    single = [psnr_y(upscale(quantized(degradation(x.double())), degradation).clamp(0, 1), x, 2) for x in images]
    figures = measure(upscale, images, [("g2.0d", 2), ("bicubic", 4)])
    assert list(figures) == ["g2.0d x2", "bicubic x4"]
    assert figures["g2.0d x2"] == round(sum(single) / 2, 3)
