"""Counting noise found in an image, and not where there is other noise or none."""

import pytest
import torch

from helpers.images import waves
from innersr.benchmark.made.catalogue import made_picture
from innersr.blind.counting import clipped_variance, find_counting_noise, is_discrete
from innersr.blind.estimate import examine
from innersr.metrics.grey_levels import quantized
from innersr.physics.noise.counting import CountingNoise

GAIN = 0.02


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def counted(image, **numbers):
    return quantized(CountingNoise(gain=GAIN, **numbers).draw(image.double(), seeded()).clamp(0, 1)).float()


def gaussian(image, levels):
    return quantized((image + levels / 255 * torch.randn(image.shape, generator=seeded())).clamp(0, 1))


def scene(low=0.1, high=0.8):
    return low + (high - low) * waves(192)


@pytest.mark.parametrize("gain", [0.005, 0.02, 0.05])
def test_the_gain_is_found(gain):
    found = find_counting_noise(
        quantized(CountingNoise(gain=gain).draw(scene().double(), seeded()).clamp(0, 1)).float()
    )
    assert found.gain == pytest.approx(gain, rel=0.2)
    assert found.deviation(scene()) == pytest.approx(CountingNoise(gain=gain).deviation(scene()), rel=0.1)


def test_read_noise_is_found_besides():
    found = find_counting_noise(counted(scene(0.05, 0.9), read=0.03))
    for level in (0.15, 0.5, 0.8):
        value = torch.tensor(level)
        assert found.deviation(value) == pytest.approx(CountingNoise(gain=GAIN, read=0.03).deviation(value), rel=0.15)
    assert 0.01 < found.read < 0.06


def test_counts_of_spots_on_black_are_found():
    spots = made_picture("fluorescence", 1, (128, 128))
    assert find_counting_noise(counted(spots)).gain == pytest.approx(GAIN, rel=0.25)


@pytest.mark.parametrize("levels", [0, 3, 10, 25])
@pytest.mark.parametrize("kind", ["waves", "elevation", "gradient", "fluorescence", "text", "checkerboard"])
def test_constant_noise_is_no_counting_noise(kind, levels):
    image = scene(0.0, 1.0) if kind == "waves" else made_picture(kind, 1, (192, 192))
    assert find_counting_noise(gaussian(image, levels)) is None


def test_a_texture_that_is_stronger_where_it_is_bright_is_no_noise():
    y, x = torch.meshgrid(torch.arange(192.0), torch.arange(192.0), indexing="ij")
    threads = 0.5 + 0.2 * torch.sin(1.7 * x + 0.3 * y) * torch.sin(1.1 * y)
    assert find_counting_noise(quantized(scene() * threads)) is None


@pytest.mark.parametrize("size", [(3, 3), (8, 200), (16, 16), (40, 40)])
def test_a_small_image_shows_too_little(size):
    assert find_counting_noise(torch.rand(1, 3, *size, generator=seeded())) is None


def test_clipping_weakens_noise():
    means, noise = torch.tensor([0.1, 0.4, 1.0, 3.0], dtype=torch.float64), torch.randn(10**6, generator=seeded())
    for mean, variance in zip(means, clipped_variance(means), strict=True):
        low, high = -4.0, 4.0
        for _ in range(40):  # the centre whose clipped noise has that mean
            centre = (low + high) / 2
            low, high = (centre, high) if float((noise + centre).clamp(min=0).mean()) < mean else (low, centre)
        assert float((noise + centre).clamp(min=0).var()) == pytest.approx(float(variance), rel=0.02)


def test_an_estimate_says_so_and_its_candidates_have_it():
    lr = counted(made_picture("fluorescence", 1, (128, 128)))
    estimate = examine(lr, 2)
    noise = estimate.degradation.counting
    assert noise.gain == pytest.approx(GAIN, rel=0.25)
    assert noise.text in estimate.summary
    assert estimate.degradation.noise == pytest.approx(noise.deviation(lr))
    assert all(candidate.degradation.counting == noise for candidate in estimate.candidates)
    assert sum(candidate.degradation.kernel is None for candidate in estimate.candidates) == 1
    assert estimate.jpeg_quality is None


def test_an_estimate_of_constant_noise_has_none():
    estimate = examine(gaussian(scene(), 10), 2)
    assert estimate.degradation.counting is None
    assert "poisson" not in estimate.summary


def test_counts_are_seen_below_a_sky_without_any():
    sky = 0.2 + 0.6 * torch.rand(1, 1, 40, 500, generator=seeded())
    ground = counted(scene()[..., :100, :].expand(1, 1, 100, 192).repeat(1, 1, 2, 3)[..., :500])
    assert is_discrete(ground, GAIN)
    assert is_discrete(torch.cat([sky, ground], dim=-2), GAIN)
