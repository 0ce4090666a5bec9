"""NIQE, against BasicSR's figures."""

from importlib import resources

import numpy as np
import pytest
import torch
from safetensors import safe_open
from skimage import data

from helpers.measured import as_image, noise_like, photograph, random_image
from innersr.errors import InputError
from innersr.metrics.niqe import niqe
from innersr.physics.resize import resize

EXACT = 1e-9  # float64 throughout; sums of some 1e5 terms in another order differ by less

# calculate_niqe(image, crop_border=0, convert_to="y") of BasicSR 8d56e3a. It gives 5.72957 for its own
# baboon.png, as do MATLAB R2021a and this project.
BASICSR_NIQE = {"astronaut": 3.064948, "coffee": 4.115242, "chelsea": 2.625524}
# Single precision in BasicSR's filters and resampling; flat areas (astronaut) amplify it to 6e-4.
NIQE_TOLERANCE = 2e-3


@pytest.mark.parametrize("name", BASICSR_NIQE)
def test_niqe_is_that_of_basicsr(name):
    assert niqe(photograph(name)) == pytest.approx(BASICSR_NIQE[name], rel=NIQE_TOLERANCE)


def test_niqe_of_a_synthetic_grey_image_is_that_of_basicsr():
    steps = np.random.default_rng(0).standard_normal((300, 400))
    surface = steps.cumsum(axis=0).cumsum(axis=1)
    levels = np.round(255 * (surface - surface.min()) / np.ptp(surface)).astype(np.uint8)
    assert niqe(as_image(levels)) == pytest.approx(7.578693, rel=NIQE_TOLERANCE)


def test_niqe_passes_over_flat_blocks_as_basicsr_does():
    levels = data.coffee().copy()
    levels[:, :200] = 200
    assert niqe(as_image(levels)) == pytest.approx(7.690262, rel=NIQE_TOLERANCE)


def test_niqe_finds_noise_and_blur_unnatural():
    x = photograph("chelsea")
    assert niqe(x + 0.1 * noise_like(x)) > niqe(x) + 1
    assert niqe(resize(resize(x, 0.25), 4.0, size=(300, 451))) > niqe(x) + 1


def test_niqe_of_a_batch_is_the_mean_of_its_images():
    x = photograph("coffee")
    pair = torch.cat([x[..., :192, :192], x[..., 200:392, 200:392]])
    assert niqe(pair) == pytest.approx((niqe(pair[:1]) + niqe(pair[1:])) / 2, abs=EXACT)


def test_niqe_of_less_than_two_blocks_is_refused():
    with pytest.raises(InputError, match="two blocks of 96x96 pixels, the image has 191x191; use a larger"):
        niqe(random_image(1, 3, 191, 191))


def test_niqe_of_a_flat_image_is_refused():
    with pytest.raises(InputError, match="nearly flat"):
        niqe(torch.full((1, 3, 192, 192), 0.3))


def test_the_niqe_model_says_where_it_comes_from():
    path = resources.files("innersr.metrics") / "niqe.safetensors"
    with safe_open(str(path), framework="pt") as model:
        assert "Apache-2.0" in model.metadata()["licence"]
        assert model.metadata()["source"].startswith("https://github.com/XPixelGroup/BasicSR")
        covariance = model.get_tensor("covariance")
    assert covariance.shape == (36, 36)
    # A covariance: symmetric to the last bits, with positive eigenvalues.
    assert torch.allclose(covariance, covariance.mT, rtol=1e-12)
    assert float(torch.linalg.eigvalsh(covariance).min()) > 0
