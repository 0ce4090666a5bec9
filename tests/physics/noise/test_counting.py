"""Counting noise: its variance, and the transform that makes it Gaussian."""

import numpy as np
import pytest
import torch

from innersr.errors import InputError
from innersr.physics.degradation import Degradation
from innersr.physics.noise.counting import CountingNoise, parse_noise

NOISES = [
    CountingNoise(gain=0.02),
    CountingNoise(gain=0.005, read=0.01),
    CountingNoise(gain=0.02, read=0.02, black=0.1),
]
LEVELS = (0.2, 0.5, 0.8)


def flat(level):
    return torch.full((1, 1, 200, 200), level, dtype=torch.float64)


def drawn(noise, level, seed=0):
    return noise.draw(flat(level), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("level", LEVELS)
def test_the_variance_grows_with_the_value(noise, level):
    variance = noise.gain * (level - noise.black) + noise.read**2
    image = drawn(noise, level)
    assert float(image.var()) == pytest.approx(variance, rel=0.04)  # 40,000 draws: 0.7 % in the variance
    assert float(image.mean()) == pytest.approx(level, abs=0.002)
    assert noise.deviation(flat(level)) == pytest.approx(variance**0.5)


@pytest.mark.parametrize("noise", NOISES)
def test_a_stabilised_image_has_the_same_noise_everywhere(noise):
    for level in LEVELS:
        assert float(noise.stabilise(drawn(noise, level)).std()) == pytest.approx(noise.sigma, rel=0.06)


@pytest.mark.parametrize("noise", NOISES)
def test_the_inverse_of_a_denoised_image_is_the_mean(noise):
    for level in (0.15, *LEVELS):
        denoised = noise.stabilise(drawn(noise, level)).mean().expand(1, 1, 1, 1)
        # The algebraic inverse would be a quarter of a count too low, 0.005 for 50 counts.
        assert float(noise.destabilise(denoised)) == pytest.approx(level, abs=0.002)


@pytest.mark.parametrize("black", [0.0, 0.1])
def test_no_light_stays_no_light(black):
    noise = CountingNoise(gain=0.02, black=black)
    assert float(noise.destabilise(noise.stabilise(flat(black))).max()) == pytest.approx(black, abs=1e-9)
    assert float(noise.destabilise(torch.zeros(1))) == pytest.approx(black)  # whatever a method makes of it


def test_the_stabilised_range_leaves_room_at_both_ends():
    ends = NOISES[0].stabilise(torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert ends.tolist() == pytest.approx([1 / 12, 11 / 12])
    assert NOISES[0].sigma < 0.1


def test_the_noise_of_rescaled_values():
    noise, low, spread = NOISES[2], -0.5, 4.0
    rescaled = noise.rescaled(low, spread)
    values = torch.linspace(0.1, 0.9, 50)
    assert rescaled.deviation((values - low) / spread) == pytest.approx(noise.deviation(values) / spread)


@pytest.mark.parametrize(
    ("text", "deviation", "counting"),
    [
        (None, None, None),
        (10, 10 / 255, None),
        ("2.5", 2.5 / 255, None),
        (np.float32(10), 10 / 255, None),
        ("poisson:5.1", None, CountingNoise(gain=0.02)),
        ("poisson:5.1:2.55", None, CountingNoise(gain=0.02, read=0.01)),
        (NOISES[2], None, NOISES[2]),
    ],
)
def test_noise_in_8_bit_levels(text, deviation, counting):
    found = parse_noise(text)
    assert found[0] == pytest.approx(deviation)
    if counting is None:
        assert found[1] is None
    else:
        assert [found[1].gain, found[1].read] == pytest.approx([counting.gain, counting.read])


@pytest.mark.parametrize("noise", NOISES[:2])
def test_the_text_names_the_noise(noise):
    _, again = parse_noise(noise.text)
    assert [again.gain, again.read] == pytest.approx([noise.gain, noise.read], rel=0.02)


@pytest.mark.parametrize(
    "text",
    ["poisson", "poisson:", "poisson:0", "poisson:inf", "poisson:5:", "poisson:5:-1", "poisson:5:1:2", "poisson5"],
)
def test_invalid_counting_noise_is_refused(text):
    with pytest.raises(InputError, match=r"counting noise is poisson:GAIN or poisson:GAIN:READ, .* got 'poisson"):
        parse_noise(text)


@pytest.mark.parametrize("noise", ["much", "5:3", "", -1, 255, float("nan"), True, [1, 2]])
def test_invalid_noise_is_refused(noise):
    with pytest.raises(
        InputError,
        match="noise is a standard deviation in 255ths of the image's range, from 0 to below 255, or poisson",
    ):
        parse_noise(noise)


@pytest.mark.parametrize(
    "numbers", [{"gain": 0.0}, {"gain": np.inf}, {"gain": 0.1, "read": -2}, {"gain": 0.1, "black": np.nan}]
)
def test_numbers_out_of_range_are_refused(numbers):
    with pytest.raises(InputError, match="gain of counting noise|read noise|black level"):
        CountingNoise(**numbers)


@pytest.mark.parametrize("numbers", [{"gain": 5.1}, {"gain": 0.1, "read": 2}])
def test_a_degradation_is_of_values_up_to_1(numbers):
    with pytest.raises(InputError, match="divide 8-bit levels by 255"):
        Degradation(scale=2, counting=CountingNoise(**numbers))


def test_a_degradation_draws_it():
    degradation = Degradation(scale=2, counting=NOISES[0])
    lr = degradation(torch.full((1, 1, 256, 256), 0.5), torch.Generator().manual_seed(1))
    assert float(lr.std()) == pytest.approx(0.1, rel=0.03)  # of 25 counts
    assert degradation.noise == pytest.approx(0.1)
    assert torch.equal(degradation(torch.full((1, 1, 8, 8), 0.5)), torch.full((1, 1, 4, 4), 0.5))
