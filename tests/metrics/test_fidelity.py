"""PSNR, SSIM and consistency, against scikit-image and SciPy."""

import inspect
import math

import numpy as np
import pytest
import torch
from scipy.signal import fftconvolve
from skimage import color, data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from helpers.measured import GENERATOR_SEED, as_image, random_image
from innersr.errors import InputError
from innersr.metrics.fidelity import METRICS, consistency_psnr, local_mean, psnr, psnr_y, ssim, ssim_y
from innersr.physics.resize import resize

EXACT = 1e-9  # float64 throughout; sums of some 1e5 terms in another order differ by less


def degraded_pair():
    """A crop of a photograph and its noisy, slightly wrong copy in uint8, (H, W, 3) each."""
    hr = data.astronaut()[100:180, 150:250]
    noise = np.random.default_rng(GENERATOR_SEED).normal(3, 12, hr.shape)
    return np.clip(np.round(hr + noise), 0, 255).astype(np.uint8), hr


def skimage_luma(levels):
    # An exact half comes out of skimage's matrix product as 0.4999999999 now and then.
    return np.floor(color.rgb2ycbcr(levels)[..., 0] + 0.5 + 1e-9)


def skimage_ssim(a, b):
    return structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)


def scipy_ssim(a, b):
    """Wang et al. 2004 written down once more, by two-dimensional Fourier convolution."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(x):
        return fftconvolve(x, window, mode="valid")

    covariance = mean(a * b) - mean(a) * mean(b)
    variance_a, variance_b = mean(a * a) - mean(a) ** 2, mean(b * b) - mean(b) ** 2
    c1, c2 = 2.55**2, 7.65**2
    numerator = (2 * mean(a) * mean(b) + c1) * (2 * covariance + c2)
    return (numerator / ((mean(a) ** 2 + mean(b) ** 2 + c1) * (variance_a + variance_b + c2))).mean()


def test_psnr_y_agrees_with_skimage():
    sr, hr = degraded_pair()
    expected = peak_signal_noise_ratio(skimage_luma(hr)[2:-2, 2:-2], skimage_luma(sr)[2:-2, 2:-2], data_range=255)
    assert psnr_y(as_image(sr), as_image(hr), 2) == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("reference", [skimage_ssim, scipy_ssim])
def test_ssim_y_agrees_with_independent_implementations(reference):
    sr, hr = degraded_pair()
    expected = reference(skimage_luma(sr)[3:-3, 3:-3], skimage_luma(hr)[3:-3, 3:-3])
    assert ssim_y(as_image(sr), as_image(hr), 3) == pytest.approx(expected, abs=EXACT)


def test_psnr_and_ssim_of_all_channels_agree_with_skimage():
    sr, hr = degraded_pair()
    expected_ssim = np.mean([skimage_ssim(sr[..., c].astype(float), hr[..., c].astype(float)) for c in range(3)])
    assert psnr(as_image(sr), as_image(hr)) == pytest.approx(peak_signal_noise_ratio(hr, sr), abs=EXACT)
    assert ssim(as_image(sr), as_image(hr)) == pytest.approx(expected_ssim, abs=EXACT)


def test_one_grey_level_everywhere_is_48_decibels():
    hr = torch.full((1, 1, 16, 16), 100 / 255)
    for measure in (psnr, lambda sr, hr: psnr_y(sr, hr, 0)):
        assert measure(hr + 1 / 255, hr) == pytest.approx(20 * math.log10(255), abs=EXACT)


@pytest.mark.parametrize("name", METRICS)
def test_equal_images_score_best(name):
    hr = random_image(1, 3, 20, 20)
    assert METRICS[name](hr, hr, 2) == (math.inf if name.startswith("psnr") else pytest.approx(1, abs=EXACT))


@pytest.mark.parametrize("name", METRICS)
def test_differences_below_half_a_grey_level_do_not_count(name):
    hr = torch.round(random_image(1, 3, 20, 20) * 255) / 255
    assert METRICS[name](hr + 0.4 / 255, hr, 0) == METRICS[name](hr, hr, 0)


@pytest.mark.parametrize("name", METRICS)
def test_the_score_of_a_batch_is_the_mean_of_its_images(name):
    sr, hr = random_image(3, 3, 20, 20, seed=1), random_image(3, 3, 20, 20, seed=2)
    each = [METRICS[name](sr[i : i + 1], hr[i : i + 1], 1) for i in range(3)]
    assert METRICS[name](sr, hr, 1) == pytest.approx(sum(each) / 3, abs=EXACT)


@pytest.mark.parametrize("name", METRICS)
def test_the_shaved_border_is_not_compared(name):
    hr = random_image(1, 3, 24, 30)
    sr = hr.clone()
    sr[..., :2, :], sr[..., -2:, :], sr[..., :5], sr[..., -5:] = 0, 0, 0, 0
    best = METRICS[name](hr, hr, 0)
    assert METRICS[name](sr, hr, (2, 5)) == best
    assert METRICS[name](sr, hr, (2, 4)) < best
    assert METRICS[name](sr, hr, (1, 5)) < best


def test_images_of_other_channel_counts_are_compared_channel_by_channel():
    sr, hr = random_image(1, 5, 16, 16, seed=1), random_image(1, 5, 16, 16, seed=2)
    bands = [(sr[:, [i]], hr[:, [i]]) for i in range(5)]
    mean_square = np.mean([255**2 / 10 ** (psnr(a, b) / 10) for a, b in bands])
    assert psnr_y(sr, hr, 0) == pytest.approx(10 * math.log10(255**2 / mean_square), abs=EXACT)
    assert ssim_y(sr, hr, 0) == pytest.approx(np.mean([ssim(a, b) for a, b in bands]), abs=EXACT)


def test_measuring_needs_no_gradient_and_keeps_none():
    sr = random_image(1, 3, 16, 16).requires_grad_()
    assert isinstance(psnr_y(sr, torch.zeros(1, 3, 16, 16), 0), float)
    assert isinstance(consistency_psnr(sr, torch.zeros(1, 3, 8, 8), lambda x: resize(x, 0.5)), float)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("sr", "hr", "shave", "message"),
    [
        (torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 17), 0, "result is 1x3x16x16.*crop the truth"),
        (torch.zeros(3, 16, 16), torch.zeros(3, 16, 16), 0, r"must be \(N, C, H, W\)"),
        (torch.zeros(1, 3, 16, 16).byte(), torch.zeros(1, 3, 16, 16).byte(), 0, "divide 8-bit values by 255"),
        (torch.full((1, 3, 16, 16), torch.nan), torch.zeros(1, 3, 16, 16), 0, "NaN"),
        (torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16), 8, "use a larger image"),
        (torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16), -1, "must not be negative"),
    ],
)
def test_images_that_cannot_be_compared_are_refused(name, sr, hr, shave, message):
    with pytest.raises(InputError, match=message):
        METRICS[name](sr, hr, shave)


def test_ssim_needs_one_whole_window():
    x = random_image(1, 3, 12, 30)
    assert ssim_y(x, x, (0, 9)) == pytest.approx(1, abs=EXACT)
    with pytest.raises(InputError, match="less than 11x11"):
        ssim_y(x, x, 1)


def test_all_measures_in_the_table_are_called_alike():
    for name, measure in METRICS.items():
        assert measure.__name__ == name
        assert list(inspect.signature(measure).parameters) == ["sr", "hr", "shave"]


def test_local_mean_is_the_gaussian_average_of_whole_windows():
    x = random_image(2, 3, 12, 15).double()
    offsets = np.arange(7) - 3
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.2**2))
    expected = fftconvolve(x.numpy(), window[None, None] / window.sum(), mode="valid", axes=(2, 3))
    assert np.allclose(local_mean(x, 7, 1.2).numpy(), expected, atol=EXACT)


def test_a_result_that_shrinks_to_the_input_is_consistent():
    sr = random_image(1, 3, 16, 16)
    assert consistency_psnr(sr, resize(sr, 0.5), lambda x: resize(x, 0.5)) == math.inf


def test_consistency_counts_differences_far_below_a_grey_level():
    lr = torch.full((1, 3, 8, 8), 0.5)
    # 1e-3 is a quarter of a grey level; float32 near 0.5 resolves it to 6e-8, so to 5e-4 dB.
    assert consistency_psnr(lr + 1e-3, lr, lambda x: x) == pytest.approx(60, abs=1e-3)


def test_a_degradation_of_another_scale_is_refused():
    with pytest.raises(InputError, match="shrinks to 1x1x4x4, but the input is 1x1x8x8"):
        consistency_psnr(torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 8, 8), lambda x: resize(x, 0.25))


def test_consistency_shrinks_one_channel_at_a_time_and_measures_all_together():
    sr, lr, shapes = random_image(2, 3, 16, 12), random_image(2, 3, 8, 6), []

    def shrink(x):
        shapes.append(tuple(x.shape))
        return resize(x, 0.5)

    squares = (resize(sr, 0.5).double() - lr.double()).square().mean(dim=(1, 2, 3))
    expected = float((-10 * squares.log10()).mean())
    assert consistency_psnr(sr, lr, shrink) == pytest.approx(expected, abs=1e-5)  # float32 shrinks bands otherwise
    assert shapes == [(2, 1, 16, 12)] * 3


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (2, 3, 8, 8)])
def test_an_input_of_other_channels_or_images_is_refused(shape):
    text = (
        f"the result has the shape 1x3x16x16, the input {'x'.join(map(str, shape))}; give images of the same channels"
    )
    with pytest.raises(InputError, match=text):
        consistency_psnr(torch.zeros(1, 3, 16, 16), torch.zeros(shape), lambda x: resize(x, 0.5))
