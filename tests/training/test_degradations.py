"""Random degradations: the same whoever computes them, and those of `Degradation`."""

import pytest
import torch

from helpers.methods import image
from innersr.physics.degradation import Degradation
from innersr.physics.log_covariance import blur_of_taps
from innersr.physics.named_degradations import parse_degradation
from innersr.physics.pseudoinverse import REACH, taps_of
from innersr.run import generator_of
from innersr.training.degradations import degrade, hr_side, random_taps, random_task

SIDE = 10  # LR pixels


def drawn(seed, step, index):
    return float(torch.rand((), generator=generator_of(seed, step, index), dtype=torch.float64))


def test_every_seed_step_and_index_draws_something_else():
    keys = [(s, t, i) for s in (0, 1, 2**63 - 1) for t in (0, 1, 2, 10**6) for i in (-1, 0, 1, 15)]
    assert len({drawn(*key) for key in keys}) == len(keys)


def test_the_same_seed_step_and_index_draw_the_same():
    assert drawn(3, 4, 5) == drawn(3, 4, 5)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["bicubic", "g2.0d", "ganid", "g1.3b"])
def test_crops_are_degraded_as_whole_images_are(name, scale):
    hr = image(3, (hr_side(SIDE, scale),) * 2)
    degradation = parse_degradation(name, scale)
    whole = degradation(hr)[..., REACH:-REACH, REACH:-REACH]
    assert torch.allclose(degrade(hr, taps_of(degradation)[None], scale), whole, atol=2e-6)  # float32


def test_the_sharp_image_lies_where_the_degraded_one_does():
    hr = image(3, (hr_side(SIDE, 2),) * 2)
    task = random_task(hr, 2, [generator_of(0, 0, 0)])
    assert task.hr.shape == (1, 3, 2 * SIDE, 2 * SIDE)
    assert torch.equal(task.hr, hr[..., 2 * REACH : -2 * REACH, 2 * REACH : -2 * REACH])
    aligned = Degradation(scale=2)(task.hr)
    assert float((aligned - task.lr).abs().mean()) < 0.1  # of images whose values spread over 0.2


def test_a_task_does_not_depend_on_the_others():
    hr = image(3, (hr_side(SIDE, 2),) * 2).repeat(3, 1, 1, 1)
    together = random_task(hr, 2, [generator_of(0, 0, i) for i in range(3)])
    alone = random_task(hr[:1], 2, [generator_of(0, 0, 2)])
    assert torch.equal(together.taps[2], alone.taps[0])
    assert torch.allclose(together.lr[2], alone.lr[0], atol=1 / 255 + 1e-6)  # the rounding to 8 bit may tip over
    assert torch.equal(together.noise[2], alone.noise[0])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_kernels_keep_the_brightness_and_are_finite(scale):
    taps = torch.stack([random_taps(scale, generator_of(1, 0, i)) for i in range(60)])
    assert taps.shape[1:] == (2 * scale * REACH + 1,) * 2
    assert torch.allclose(taps.sum((1, 2)), torch.ones(60), atol=1e-5)


def test_the_noise_of_a_task_holds_its_kernel_error():
    hr = image(3, (hr_side(32, 2),) * 2).repeat(12, 1, 1, 1)
    exact = random_task(hr, 2, [generator_of(4, 0, i) for i in range(12)])
    told = random_task(hr, 2, [generator_of(4, 0, i) for i in range(12)], kernel_error=1.0)
    assert torch.equal(exact.lr, told.lr)
    unexplained = (degrade(hr, told.taps, 2) - degrade(hr, exact.taps, 2)).square().mean((1, 2, 3))
    assert torch.allclose(told.noise**2, exact.noise**2 + unexplained, atol=1e-8)
    assert float(unexplained.max()) > (0.5 / 255) ** 2


def test_an_estimated_kernel_is_near_the_true_one():
    hr = image(3, (hr_side(SIDE, 2),) * 2).repeat(40, 1, 1, 1)
    generators = [[generator_of(5, 0, i) for i in range(40)] for _ in range(2)]
    true, told = random_task(hr, 2, generators[0]).taps, random_task(hr, 2, generators[1], kernel_error=1.0).taps
    (blur, places), (guess, middles) = blur_of_taps(true), blur_of_taps(told)
    assert torch.allclose(places, middles, atol=0.05)
    error = guess.log - blur.log
    wide = blur.log[:, 0] > -1.5  # narrow kernels cannot be sampled at any width
    assert 0.05 < float(error[wide].std()) < 0.3


def test_the_noise_of_a_compressed_task_includes_its_compression_error():
    hr = image(3, (hr_side(32, 2),) * 2).repeat(6, 1, 1, 1)
    plain = random_task(hr, 2, [generator_of(6, 0, i) for i in range(6)])
    task = random_task(hr, 2, [generator_of(6, 0, i) for i in range(6)], jpeg=1.0)
    added = (task.lr - plain.lr).square().mean((1, 2, 3))
    assert torch.allclose(task.noise**2, plain.noise**2 + added, atol=1e-8)
    assert float(added.min()) > (0.3 / 255) ** 2


def test_the_noise_of_a_grainy_task_includes_its_grain():
    hr = 0.25 + 0.5 * image(3, (hr_side(32, 2),) * 2).repeat(8, 1, 1, 1)  # so that nothing is clipped
    plain = random_task(hr, 2, [generator_of(7, 0, i) for i in range(8)])
    task = random_task(hr, 2, [generator_of(7, 0, i) for i in range(8)], coloured_noise=1.0)
    added = (task.lr - plain.lr).square().mean((1, 2, 3))
    assert torch.allclose((task.noise**2 - plain.noise**2).sqrt(), added.sqrt(), atol=0.6 / 255)  # both are rounded
    assert float(added.max()) > (2 / 255) ** 2
