"""How two kernels differ: identities, and figures that follow from their definitions."""

import math

import pytest
import torch
import torch.nn.functional as F

from innersr.physics import kernels
from innersr.physics.kernel_comparison import angle_between, centred_alike, difference, second_moments, variance_ratio
from innersr.physics.named_degradations import parse_kernel

LONG = kernels.gaussian(4.0, 1.0, math.radians(30))


def test_the_covariance_is_that_of_the_gaussian():
    # Turned by 30 degrees: xx = 4 cos^2 + 1 sin^2, xy = 3 sin cos, yy = 4 sin^2 + 1 cos^2.
    assert second_moments(LONG) == pytest.approx((3.25, 3 * math.sqrt(3) / 4, 1.75), abs=1e-4)
    assert second_moments(kernels.gaussian(2.0)) == pytest.approx((2, 0, 2), abs=1e-4)


@pytest.mark.parametrize(("other", "expected"), [(30, 0), (75, 45), (120, 90), (175, 35), (-10, 40), (210, 0)])
def test_angles_between_axes_are_at_most_90_degrees(other, expected):
    turned = kernels.gaussian(4.0, 1.0, math.radians(other))
    assert angle_between(LONG, turned) == pytest.approx(expected, abs=1e-3)
    assert angle_between(turned, LONG) == pytest.approx(expected, abs=1e-3)


def test_a_kernel_does_not_differ_from_a_shifted_copy():
    assert difference(LONG, LONG) == (0, math.inf, pytest.approx(1))
    moved = F.pad(LONG, (7, 0, 0, 4))
    gap = difference(moved, LONG)
    assert gap.psnr > 100 and gap.correlation == pytest.approx(1) and gap.angle < 1e-3


def test_round_kernels_and_the_one_of_shrinking_have_no_angle():
    folded = parse_kernel("bicubic", 2).effective_kernel().kernel
    for kernel in (kernels.gaussian(2.0), kernels.delta(), kernels.box(3), folded):
        assert angle_between(kernel, LONG) is angle_between(LONG, kernel) is None
        assert variance_ratio(kernel) == pytest.approx(1, abs=1e-4)
    assert variance_ratio(LONG) == pytest.approx(4, rel=1e-3)
    assert variance_ratio(torch.ones(1, 5)) == math.inf


def test_a_shift_by_half_a_pixel_hardly_counts():
    gap = difference(kernels.shifted(LONG, 0.5, -0.5), LONG)
    assert gap.psnr > 38  # dB; cubic interpolation twice
    assert difference(kernels.gaussian(2.0), LONG).psnr < 30


def test_the_psnr_is_of_the_largest_tap_over_the_square_that_holds_both():
    small, large = torch.zeros(5, 5), torch.zeros(5, 5)
    small[2, 2] = 1
    large[2, 1:4] = 1 / 3
    error = (4 / 9 + 2 / 9) / 9  # over 3 x 3 pixels: 2/3 in the middle, 1/3 beside it twice
    assert difference(small, large).psnr == pytest.approx(10 * math.log10((1 / 3) ** 2 / error), abs=1e-3)
    assert difference(large, small).psnr == pytest.approx(10 * math.log10(1 / error), abs=1e-3)


def test_kernels_of_any_size_are_centred_in_one_odd_square():
    folded = parse_kernel("bicubic", 2).effective_kernel().kernel  # 8 x 8: its centre lies between taps
    for first, second in ((LONG, folded), (folded, kernels.delta()), (kernels.delta(), kernels.delta())):
        a, b = centred_alike(first, second)
        assert a.shape == b.shape and a.shape[0] == a.shape[1] and a.shape[0] % 2 == 1
        for kernel in (a, b):
            assert kernels.centre_of_mass(kernel) == pytest.approx((a.shape[0] // 2,) * 2, abs=1e-3)
