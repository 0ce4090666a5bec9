"""The operator's own solution as filters on the LR grid."""

import math

import pytest
import torch
import torch.nn.functional as F

from innersr.metrics.fidelity import psnr
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.pseudoinverse import RADIUS, REACH, apply_filters, inverse_filters, taps_of
from innersr.physics.resize import Window, cut, resize

KERNELS = {
    "bicubic": {},
    "direct": {"kernel": gaussian(2.0, size=21), "anchor": "centre"},
    "aligned": {"kernel": gaussian(1.0, 3.0, 0.6, size=15)},
    "both": {"kernel": gaussian(1.3, size=21), "subsampling": "bicubic"},
}
CLOSE = 1e-5  # float32 transforms of sums over some hundred taps


@pytest.fixture(params=KERNELS)
def name(request):
    return request.param


def degradation(name, scale=2, **more):
    return Degradation(scale=scale, **KERNELS[name], **more)


def sharp(side=48, seed=4):
    noise = torch.rand(1, 2, side // 2, side // 2, generator=torch.Generator().manual_seed(seed))
    return resize(noise, 2).clamp(0, 1)


def around(x, margin):
    return cut(x, Window(-margin, -margin, x.shape[-2] + margin, x.shape[-1] + margin))


def solution(lr, model, noise=0.0):
    scale = round(model.scales[0])
    filters = inverse_filters(taps_of(model)[None], scale, torch.tensor([noise]))
    return F.pixel_shuffle(apply_filters(around(lr, RADIUS), filters), scale)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_taps_weigh_the_pixels_that_the_degradation_weighs(name, scale):
    model, hr = degradation(name, scale), sharp()
    margin = REACH * scale
    weights = taps_of(model)[None, None].expand(2, 1, -1, -1)
    lr = F.conv2d(around(hr, margin), weights, stride=scale, groups=2)[..., : 48 // scale, : 48 // scale]
    # A kernel of variance 3 reaches a little farther than the taps do at x2.
    torch.testing.assert_close(lr, model.forward(hr), rtol=0, atol=2e-5)


def test_taps_beyond_the_reach_are_cut_off_and_the_rest_sums_to_one():
    wide = Degradation(scale=2, kernel=torch.ones(41, 41), anchor="centre")
    taps = taps_of(wide, reach=3)
    assert taps.shape == (13, 13)
    torch.testing.assert_close(taps, torch.full((13, 13), 1 / 169))


def test_the_solution_of_a_flat_image_is_flat(name):
    lr = torch.full((1, 1, 20, 24), 0.3)
    torch.testing.assert_close(solution(lr, degradation(name)), torch.full((1, 1, 40, 48), 0.3), rtol=0, atol=2e-4)


def test_the_solution_shrinks_to_the_image_nearly(name):
    model = degradation(name)
    lr = model.forward(sharp())
    interpolated, solved = (psnr(model.forward(x), lr) for x in (model.upsample(lr), solution(lr, model)))
    assert solved > interpolated + 12


def test_the_solution_is_nearer_to_the_truth_than_interpolation(name):
    model, hr = degradation(name), sharp()
    lr = model.forward(hr)
    assert psnr(solution(lr, model), hr) > psnr(model.upsample(lr), hr) + 1


def test_the_solution_of_point_samples_is_the_interpolation():
    model = Degradation(scale=3, kernel=torch.ones(1, 1), anchor="centre")
    lr = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    inside = (..., slice(9, -9), slice(9, -9))  # borders continue differently by the reach of the cubic kernel
    torch.testing.assert_close(solution(lr, model)[inside], model.upsample(lr)[inside], rtol=0, atol=1e-4)


def test_noise_makes_the_solution_smoother():
    model = degradation("direct")
    lr = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(1))
    spreads = [float(solution(lr, model, noise).std()) for noise in (0.0, 0.02, 0.1, 0.5)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] < 1.02 * float(model.upsample(lr).std())


def test_filters_are_applied_as_a_convolution_is():
    generator = torch.Generator().manual_seed(2)
    side = 2 * RADIUS + 1
    lr, filters = torch.rand(2, 3, 37, 29, generator=generator), torch.rand(2, 4, side, side, generator=generator)
    expected = [F.conv2d(x[:, None], f[:, None].flip(-1, -2)) for x, f in zip(lr, filters, strict=True)]
    result = apply_filters(lr, filters).unflatten(1, (3, 4))
    torch.testing.assert_close(result, torch.stack(expected), rtol=CLOSE, atol=CLOSE)


def test_every_kernel_of_a_batch_has_its_own_filters():
    models = [degradation(name) for name in KERNELS]
    taps, noise = torch.stack([taps_of(model) for model in models]), torch.tensor([0.0, 0.01, 0.02, 0.03])
    together = inverse_filters(taps, 2, noise)
    for i in range(len(models)):
        torch.testing.assert_close(inverse_filters(taps[i : i + 1], 2, noise[i : i + 1])[0], together[i])


def test_filters_end_softly():
    filters = inverse_filters(taps_of(degradation("direct"))[None], 2, torch.zeros(1))
    rim = filters.abs().amax((0, 1))
    assert float(rim[0].max()) < 0.02 * float(rim.max())
    assert math.isclose(float(filters.sum((-1, -2)).mean()), 1, abs_tol=1e-3)
