"""Sliced Wasserstein distance of patches: identities, and SciPy on a line."""

import math
from itertools import pairwise

import pytest
import torch
from scipy.stats import wasserstein_distance

from helpers.measured import noise_like, photograph, random_image
from innersr.errors import InputError
from innersr.metrics.patch_distance import PATCHES, _sample_patches, _wasserstein, patch_distance
from innersr.physics.resize import resize

EXACT = 1e-9  # float64 throughout; sums of some 1e5 terms in another order differ by less


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
        (torch.zeros(1, 3, 40, 40), torch.zeros(1, 1, 40, 40), {}, "as many images and channels"),
        (torch.zeros(1, 3, 40, 24), torch.zeros(1, 3, 40, 40), {}, "side of 24 pixels.*fewer scales"),
        (torch.zeros(1, 3, 40, 40), torch.zeros(1, 3, 40, 40), {"projections": 0}, "at least 1"),
    ],
)
def test_images_without_common_patches_are_refused(a, b, settings, message):
    with pytest.raises(InputError, match=message):
        patch_distance(a, b, **settings)
