"""Degradations by what was found."""

import pytest
import torch

from innersr.blind.candidates import CANDIDATES, candidates_of, degradation_of
from innersr.blind.finding import Finding
from innersr.physics import kernels
from innersr.physics.chains import filtered_taps, shrinking_taps, unsharp_filter
from innersr.physics.log_covariance import log_from_covariance
from innersr.physics.pseudoinverse import taps_of


def finding(covariance=((0.0, 0.0), (0.0, 0.0)), **others):
    """A finding of a covariance in LR px^2; bicubic and clean where nothing else is given."""
    given = {
        "is_bicubic": True,
        "noise": 0.0,
        "compression": 0.0,
        "sharpening": 0.3,
        "is_sharpened": False,
        "features": torch.zeros(83),
    }
    log = log_from_covariance(torch.tensor(covariance))
    return Finding(log=log, deviations=torch.ones(2), **given | others)


@pytest.mark.parametrize("scale", [2, 3, (2, 3)])
def test_a_blur_is_as_wide_as_found_in_lr_pixels(scale):
    covariance = ((0.9, 0.3), (0.3, 0.4))
    kernel = degradation_of(finding(covariance, is_bicubic=False), scale, sharpening=0.0).kernel
    vertical, horizontal = scale if isinstance(scale, tuple) else (scale, scale)
    x = torch.arange(kernel.shape[1]) - kernel.shape[1] // 2
    y = torch.arange(kernel.shape[0]) - kernel.shape[0] // 2
    moments = [float((kernel * m).sum()) for m in (x * x * torch.ones_like(y)[:, None], y[:, None] * x)]
    assert moments == pytest.approx([0.9 * horizontal**2, 0.3 * vertical * horizontal], rel=0.02)


def test_no_blur_is_plain_shrinking():
    found = degradation_of(finding(noise=0.02, compression=0.3), 2, sharpening=0.0)
    assert (found.kernel, found.subsampling, found.noise, found.compression) == (None, "bicubic", 0.02, 0.3)


@pytest.mark.parametrize("scale", [2, 3])
def test_sharpening_is_part_of_the_kernel(scale):
    degradation = degradation_of(finding(), scale, sharpening=0.64)
    expected = filtered_taps(shrinking_taps("bicubic", scale)[None], unsharp_filter(0.8, 1.0)[None], scale)[0]
    assert torch.allclose(taps_of(degradation), expected, atol=2e-3)
    assert kernels.shape_of(degradation.kernel).long_variance == pytest.approx(-0.64 * scale**2, rel=0.02)


def test_sharpening_is_as_wide_in_lr_pixels_along_both_axes():
    kernel = degradation_of(finding(is_bicubic=False), (2, 3), sharpening=0.5).kernel
    axes = [torch.arange(n, dtype=torch.float64) - n // 2 for n in kernel.shape]
    variances = [float(kernel.double().sum(1 - i) @ axis.square()) for i, axis in enumerate(axes)]
    assert variances == pytest.approx([-0.5 * 2**2, -0.5 * 3**2], rel=0.1)


def test_sharpening_at_a_broken_scale():
    kernel = degradation_of(finding(), 1.5, sharpening=0.5).kernel
    assert kernels.shape_of(kernel).long_variance == pytest.approx(-0.5 * 1.5**2, rel=0.2)


@pytest.mark.parametrize("is_bicubic", [True, False])
def test_a_blur_is_followed_by_the_subsampling_that_was_found(is_bicubic):
    found = degradation_of(finding(((0.5, 0.0), (0.0, 0.5)), is_bicubic=is_bicubic), 2, sharpening=0.0)
    assert found.subsampling == ("bicubic" if is_bicubic else "direct")
    assert found.offsets == (0.5, 0.5)  # aligned


def test_the_cautious_candidate_has_more_noise_and_compression_and_no_blur():
    found = finding(((0.5, 0.0), (0.0, 0.5)), noise=10 / 255, compression=0.4)
    plain, cautious, blurred, sharpened = candidates_of(found, 2)
    assert len(CANDIDATES) == 4
    assert plain.kernel is None
    assert blurred.kernel is not None
    assert cautious.kernel is None
    wide, narrow = (kernels.shape_of(d.kernel).long_variance for d in (blurred, sharpened))
    assert wide - narrow == pytest.approx(0.3 * 4, rel=0.05)  # HR px^2
    assert plain.noise == blurred.noise == pytest.approx(10 / 255)
    assert 255 * cautious.noise == pytest.approx(13)
    assert cautious.compression == pytest.approx(0.57)


def test_no_candidate_is_beyond_what_priors_have_learnt():
    for degradation in candidates_of(finding(noise=0.8, compression=0.95), 2):
        assert 255 * degradation.noise == pytest.approx(50)
        assert degradation.compression <= 1
