import inspect
import math
from importlib import resources
from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors import safe_open
from scipy.signal import fftconvolve
from scipy.stats import wasserstein_distance
from skimage import color, data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from innersr.errors import InputError
from innersr.metrics.fidelity import METRICS, consistency_psnr, local_mean, psnr, psnr_y, ssim, ssim_y
from innersr.metrics.grey_levels import luma
from innersr.metrics.niqe import niqe
from innersr.metrics.patch_distance import PATCHES, _sample_patches, _wasserstein, patch_distance
from innersr.physics.resize import resize

EXACT = 1e-9  # float64 throughout; sums of some 1e5 terms in another order differ by less
GENERATOR_SEED = 7

# calculate_niqe(image, crop_border=0, convert_to="y") of BasicSR 8d56e3a. It gives 5.72957 for its own
# baboon.png, as do MATLAB R2021a and this project.
BASICSR_NIQE = {"astronaut": 3.064948, "coffee": 4.115242, "chelsea": 2.625524}
# Single precision in BasicSR's filters and resampling; flat areas (astronaut) amplify it to 6e-4.
NIQE_TOLERANCE = 2e-3


def photograph(name="astronaut"):
    """A photograph that ships inside scikit-image's wheel, (1, 3, H, W)."""
    return as_image(getattr(data, name)())


def as_image(levels):
    """uint8 (H, W) or (H, W, C) to a float image (1, C, H, W)."""
    levels = np.atleast_3d(levels)
    return torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1))[None]).float() / 255


def noise_like(x, seed=GENERATOR_SEED):
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))


def random_image(*shape, seed=GENERATOR_SEED):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


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


def test_luma_is_the_rounded_y_of_rgb2ycbcr():
    levels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(luma(as_image(levels))[0, 0].numpy(), skimage_luma(levels))


def test_luma_spans_the_studio_range():
    black_and_white = torch.tensor([0.0, 1.0]).expand(1, 3, 1, 2)
    assert luma(black_and_white).flatten().tolist() == [16, 235]


def test_luma_of_a_grey_image_is_its_grey_levels():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(luma(as_image(levels))[0, 0].numpy(), levels)


def test_luma_rounds_halves_up_and_clips_before_weighting():
    x = torch.tensor([0.5, 1.5, 2.5, -40, 300], dtype=torch.float64).view(1, 1, 1, 5) / 255
    assert luma(x).flatten().tolist() == [1, 2, 3, 0, 255]


def test_luma_of_two_bands_is_refused():
    with pytest.raises(InputError, match="1 or 3 bands, got 2"):
        luma(torch.zeros(1, 2, 4, 4))


def test_psnr_y_agrees_with_skimage():
    sr, hr = degraded_pair()
    expected = peak_signal_noise_ratio(skimage_luma(hr)[2:-2, 2:-2], skimage_luma(sr)[2:-2, 2:-2], data_range=255)
    assert psnr_y(as_image(sr), as_image(hr), 2) == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("reference", [skimage_ssim, scipy_ssim])
def test_ssim_y_agrees_with_independent_implementations(reference):
    sr, hr = degraded_pair()
    expected = reference(skimage_luma(sr)[3:-3, 3:-3], skimage_luma(hr)[3:-3, 3:-3])
    assert ssim_y(as_image(sr), as_image(hr), 3) == pytest.approx(expected, abs=EXACT)


def test_psnr_and_ssim_of_all_bands_agree_with_skimage():
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


def test_images_of_other_band_counts_are_compared_band_by_band():
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
        (torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16), 8, "shave less"),
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


def test_consistency_shrinks_one_band_at_a_time_and_measures_all_together():
    sr, lr, shapes = random_image(2, 3, 16, 12), random_image(2, 3, 8, 6), []

    def shrink(x):
        shapes.append(tuple(x.shape))
        return resize(x, 0.5)

    squares = (resize(sr, 0.5).double() - lr.double()).square().mean(dim=(1, 2, 3))
    expected = float((-10 * squares.log10()).mean())
    assert consistency_psnr(sr, lr, shrink) == pytest.approx(expected, abs=1e-5)  # float32 shrinks bands otherwise
    assert shapes == [(2, 1, 16, 12)] * 3


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (2, 3, 8, 8)])
def test_an_input_of_other_bands_or_images_is_refused(shape):
    text = f"the result has the shape 1x3x16x16, the input {'x'.join(map(str, shape))}; give images of the same bands"
    with pytest.raises(InputError, match=text):
        consistency_psnr(torch.zeros(1, 3, 16, 16), torch.zeros(shape), lambda x: resize(x, 0.5))


def test_equal_images_have_no_patch_distance():
    x = photograph()[..., :128, :100]
    assert patch_distance(x, x.clone()) == 0


def test_patch_distance_is_symmetric():
    a, b = photograph()[..., :128, :100], photograph("coffee")[..., :90, :140]
    assert patch_distance(a, b) == patch_distance(b, a)


def test_patch_distance_repeats_exactly_and_depends_little_on_the_seed():
    a, b = photograph()[..., :100, :100], photograph("coffee")[..., :100, :100]
    assert patch_distance(a, b, seed=3) == patch_distance(a, b, seed=3)
    # 64 directions a scale: the mean of 64 half-normal lengths varies by 0.75 / 8, three deviations are 28%.
    assert patch_distance(a, b, seed=3) == pytest.approx(patch_distance(a, b, seed=4), rel=0.28)


def test_patch_distance_grows_with_noise():
    clean = photograph()[..., 100:200, 100:200]
    noise = noise_like(clean)
    distances = [patch_distance(clean, clean + level / 255 * noise) for level in (0, 2, 4, 8, 16)]
    assert all(less < more for less, more in pairwise(distances))


def test_patch_distance_cares_for_sharpness_more_than_for_place():
    whole = photograph()
    crop, moved = whole[..., 100:300, 100:300], whole[..., 108:308, 92:292]
    blurred = resize(resize(crop, 0.5), 2.0)
    assert patch_distance(crop, moved) < patch_distance(crop, blurred)


def test_patches_of_rearranged_tiles_are_nearly_the_same():
    tile = random_image(1, 1, 64, 64)
    rolled = tile.roll((20, 30), dims=(2, 3))
    other = random_image(1, 1, 64, 64) ** 2
    assert patch_distance(tile, rolled) < patch_distance(tile, other) / 5


def test_brightness_counts_at_the_last_scale_only():
    x = random_image(1, 1, 48, 48)
    at_one_scale = patch_distance(x, x + 5 / 255, scales=1, projections=1000)
    at_three_scales = patch_distance(x, x + 5 / 255, scales=3, projections=1000)
    # The sum of a direction's entries is nearly standard normal: its mean length over 1000 directions is
    # known to 2.4%, here within three deviations.
    assert at_one_scale == pytest.approx(5 * math.sqrt(2 / math.pi), rel=0.072)
    assert at_three_scales == pytest.approx(at_one_scale / 3, rel=0.1)


def test_patch_distance_of_a_batch_is_the_mean_of_its_pairs():
    a, b = random_image(2, 3, 40, 40, seed=1), random_image(2, 3, 50, 44, seed=2) ** 2
    each = [patch_distance(a[i : i + 1], b[i : i + 1]) for i in range(2)]
    assert patch_distance(a, b) == pytest.approx(sum(each) / 2, rel=1e-5)  # float32


def test_line_distance_is_that_of_scipy():
    a, b = random_image(3, 500, seed=1), 2 * random_image(3, 500, seed=2) - 0.3
    expected = [wasserstein_distance(p, q) for p, q in zip(a.numpy(), b.numpy(), strict=True)]
    assert _wasserstein(a, b).tolist() == pytest.approx(expected, rel=1e-5)  # float32


def test_line_distance_of_different_counts_interpolates_quantiles():
    a, b = random_image(1, 400, seed=1), random_image(1, 700, seed=2).square()
    # Interpolation moves a sample by less than the gap to the next one, which is about 1/400 here.
    assert float(_wasserstein(a, b)) == pytest.approx(wasserstein_distance(a[0], b[0]), abs=1 / 400)


def test_all_patches_are_taken_while_they_are_few():
    image = torch.arange(30.0).view(1, 5, 6)
    patches = _sample_patches(image, 2, random_image(PATCHES))
    assert patches.shape == (4, 4 * 5)
    assert patches[:, 7].tolist() == [8, 9, 14, 15]


def test_many_patches_are_thinned_evenly():
    image = torch.arange(100.0 * 100).view(1, 100, 100)
    places = _sample_patches(image, 1, random_image(50))[0]
    # One of each run of 200 places.
    assert (places // 200).tolist() == list(range(50))


@pytest.mark.parametrize(
    ("a", "b", "settings", "message"),
    [
        (torch.zeros(1, 3, 40, 40), torch.zeros(1, 1, 40, 40), {}, "as many images and bands"),
        (torch.zeros(1, 3, 40, 24), torch.zeros(1, 3, 40, 40), {}, "side of 24 pixels.*fewer scales"),
        (torch.zeros(1, 3, 40, 40), torch.zeros(1, 3, 40, 40), {"projections": 0}, "at least 1"),
    ],
)
def test_images_without_common_patches_are_refused(a, b, settings, message):
    with pytest.raises(InputError, match=message):
        patch_distance(a, b, **settings)


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
