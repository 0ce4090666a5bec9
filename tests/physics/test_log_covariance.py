"""The algebra of Gaussian blurs as log-covariances."""

import math

import pytest
import torch

from innersr.physics import kernels
from innersr.physics.degradation import Degradation
from innersr.physics.log_covariance import (
    FLOOR,
    NARROWEST_VARIANCE,
    GaussianBlur,
    blur_of_taps,
    covariance_from_log,
    log_from_covariance,
    taps_of_blur,
)
from innersr.physics.named_degradations import parse_degradation
from innersr.physics.pseudoinverse import taps_of

LOGS = torch.tensor([[-1.0, 0.3, 0.2], [-2.0, 0.0, 0.0], [0.2, -0.5, 0.4]])


def blurs(is_bicubic=False):
    return GaussianBlur(LOGS, torch.full((3,), is_bicubic))


def test_a_covariance_comes_back_from_its_logarithm():
    assert torch.allclose(log_from_covariance(covariance_from_log(LOGS)), LOGS, atol=1e-5)  # float32


def test_the_sign_of_the_shape_tells_the_long_axis():
    columns, rows = covariance_from_log(torch.tensor([[-1.0, 0.5, 0.0], [-1.0, -0.5, 0.0]]))
    assert float(columns[0, 0]) == pytest.approx(math.exp(-0.5) - FLOOR, rel=1e-5)
    assert float(columns[0, 0]) > float(columns[1, 1])
    assert torch.allclose(rows, columns.flip(0, 1))


def test_no_covariance_is_negative():
    values = torch.linalg.eigvalsh(covariance_from_log(torch.tensor([[-6.0, 0.2, 0.1]])))
    assert float(values.min()) >= 0


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("is_bicubic", [False, True])
def test_taps_have_the_covariance_of_their_blur(scale, is_bicubic):
    found, _ = blur_of_taps(taps_of_blur(blurs(is_bicubic), scale), scale)
    widened = covariance_from_log(LOGS) + NARROWEST_VARIANCE / scale**2 * torch.eye(2)
    assert torch.allclose(covariance_from_log(found.log), widened, atol=1e-2)  # what sampling a Gaussian changes


def test_a_narrow_bicubic_blur_is_bicubic_shrinking():
    taps = taps_of_blur(GaussianBlur(torch.tensor([[math.log(FLOOR), 0.0, 0.0]]), torch.tensor([True])))
    assert torch.allclose(taps[0], taps_of(Degradation(scale=2)), atol=2e-3)
    assert bool(blur_of_taps(taps)[0].is_bicubic[0])


@pytest.mark.parametrize("name", ["g2.0d", "ganid", "random:3"])
def test_the_place_of_a_kernel_does_not_change_its_blur(name):
    given = parse_degradation(name, 2)
    blur, places = blur_of_taps(taps_of(given)[None])
    aligned = Degradation(scale=2, kernel=given.kernel, anchor="aligned")
    moved, middle = blur_of_taps(taps_of(aligned)[None])
    assert torch.allclose(covariance_from_log(blur.log), covariance_from_log(moved.log), atol=1e-3)
    assert middle[0].tolist() == pytest.approx([0.5, 0.5], abs=1e-3)
    assert places[0].tolist() == pytest.approx(list(given.offsets), abs=1e-3)
    assert not bool(blur.is_bicubic[0])


def test_a_covariance_in_lr_pixels_is_that_of_the_kernel_by_the_squared_scale():
    kernel = kernels.gaussian(4.0, 1.0, 0.6)
    for scale in (2, 4):
        blur, _ = blur_of_taps(taps_of(Degradation(scale=scale, kernel=kernel))[None], scale)
        assert torch.linalg.eigvalsh(covariance_from_log(blur.log))[0].tolist() == pytest.approx(
            [1 / scale**2, 4 / scale**2], rel=0.02
        )
