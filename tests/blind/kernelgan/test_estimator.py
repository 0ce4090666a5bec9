"""KernelGAN: its networks, what it asks of a kernel, where it looks, what comes out."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from helpers.methods import RUN, SINGLE, image
from innersr.blind.kernelgan import estimator as kernelgan
from innersr.blind.kernelgan.constraints import (
    LossWeights,
    border_penalty,
    centre_penalty,
    sparsity_penalty,
    sum_penalty,
)
from innersr.blind.kernelgan.estimator import (
    KernelGAN,
    crop_weights,
    degradation_at,
    downscale,
    draw_crops,
    draw_places,
    gan_loss,
    threshold_taps,
)
from innersr.blind.kernelgan.networks import DeepLinearGenerator, PatchDiscriminator
from innersr.errors import Cancelled, InputError, KernelError
from innersr.physics import kernels
from innersr.physics.resize import resize

# A kernel forms in that many steps at that rate, whatever the seed and the processor's rounding; at twice the rate
# one in five does not.
QUICK = KernelGAN(steps=60, crop=40, learning_rate=5e-3, width=16)


def draws(seed=1):
    return torch.Generator().manual_seed(seed)


def generator(width=8):
    """Return a generator with weights that are larger than those it begins with."""
    network = DeepLinearGenerator(width=width, generator=draws())
    for weight in network.parameters():
        weight.data *= 10
    return network


def layer_by_layer(network, x):
    for weight in network.weights[:-1]:
        x = F.conv2d(x, weight)
    return F.conv2d(x, network.weights[-1], stride=2)


def taps(*places, side=13):
    """Return a kernel of equal taps at these places, with sum 1."""
    kernel = torch.zeros(side, side)
    for place in places:
        kernel[place] = 1 / len(places)
    return kernel


# The networks


def test_the_kernel_is_the_response_to_a_point():
    network = generator()
    point = torch.zeros(1, 1, 25, 25)
    point[..., 12, 12] = 1
    for weight in network.weights:
        point = F.conv2d(point, weight)
    torch.testing.assert_close(network.kernel(), point[0, 0].flip(0, 1), rtol=SINGLE, atol=SINGLE)


def test_the_kernel_shrinks_and_learns_as_the_layers_do():
    network, x = generator(), image(3, (40, 36))
    by_layers = layer_by_layer(network, x.transpose(0, 1))
    by_kernel = downscale(x.transpose(0, 1), network.kernel())
    torch.testing.assert_close(by_kernel, by_layers.transpose(0, 1), rtol=1e-5, atol=1e-5)
    slow, fast = (torch.autograd.grad(y.square().sum(), list(network.parameters())) for y in (by_layers, by_kernel))
    for one, other in zip(slow, fast, strict=True):
        assert float((one - other).abs().max()) < 1e-5 * float(one.abs().max())


def test_the_networks_are_as_large_as_the_papers():
    networks = DeepLinearGenerator(generator=draws()), PatchDiscriminator(3, generator=draws())
    assert [sum(p.numel() for p in network.parameters()) for network in networks] == [150_656, 30_977]


def test_a_crop_of_64_pixels_becomes_26_and_is_judged_in_20x20_patches():
    small = downscale(torch.zeros(3, 1, 64, 64), generator().kernel())
    judge = PatchDiscriminator(3, generator=draws())
    assert small.shape == (1, 3, 26, 26)
    assert judge(small, judge.spectrally_normalised_weights()).shape == (1, 1, 20, 20)


def test_judging_weights_have_a_largest_singular_value_of_1():
    judge = PatchDiscriminator(2, width=12, generator=draws())
    for _ in range(300):
        judging = judge.spectrally_normalised_weights()
    matrices = [judging.first.flatten(1), *judging.inner.flatten(2), judging.last.flatten(1)]
    largest = torch.stack([torch.linalg.matrix_norm(matrix, 2) for matrix in matrices])
    torch.testing.assert_close(largest, torch.ones(7), rtol=0, atol=1e-3)


def test_images_are_judged_one_by_one():
    judge, both = PatchDiscriminator(1, width=8, generator=draws()), torch.cat([image(), 0.2 * image(seed=3)])
    judging = judge.spectrally_normalised_weights()
    together, alone = judge(both, judging), [judge(x[None], judging) for x in both]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=SINGLE)


def test_a_map_is_compared_with_one_value_everywhere():
    assert float(gan_loss(torch.tensor([0.2, 0.6]), 1)) == pytest.approx(0.6)
    assert float(gan_loss(torch.tensor([0.2, 0.6]), 0)) == pytest.approx(0.4)


# The constraints


def test_the_sum_should_be_1():
    assert float(sum_penalty(0.7 * taps((3, 4), (8, 8)))) == pytest.approx(0.3)


def test_taps_outside_the_inner_square_cost_more_the_farther_out_they_are():
    assert float(border_penalty(taps((2, 2), (10, 10), (6, 6)))) == 0
    corner = 30 * (1 - math.exp(-72 / 338)) / 169
    assert float(border_penalty(-taps((0, 0)))) == pytest.approx(corner)
    assert 0 < float(border_penalty(taps((1, 6)))) < float(border_penalty(taps((0, 6)))) < corner


def test_the_centre_lies_between_the_middle_tap_and_the_next():
    assert float(centre_penalty(3 * taps((6, 6), (6, 7), (7, 6), (7, 7)))) == pytest.approx(0, abs=SINGLE)
    assert float(centre_penalty(taps((6, 6)))) == pytest.approx(0.25)
    assert float(centre_penalty(taps((6, 9)))) == pytest.approx((0.5**2 + 2.5**2) / 2)


def test_few_large_taps_cost_less_than_many_small_ones():
    nothing = 1e-8**0.2  # of a tap of 0, which is taken for that
    assert float(sparsity_penalty(taps((6, 6)))) == pytest.approx((1 + 168 * nothing) / 169)
    four = taps((6, 6), (6, 7), (7, 6), (7, 7))
    assert float(sparsity_penalty(four)) == pytest.approx((4 * 0.25**0.2 + 165 * nothing) / 169)


def test_a_tap_of_nothing_has_a_finite_slope():
    kernel = torch.zeros(13, 13, requires_grad=True)
    sparsity_penalty(kernel).backward()
    assert kernel.grad.isfinite().all()


def test_the_bicubic_constraint_is_given_up_in_steps_once_it_is_met():
    loss_weights, weights = LossWeights(), []
    for step in range(3000):
        loss_weights.observe(step / 3000, 0.2 if step < 250 else 0.1)
        if step % 200 == 0:
            weights.append((loss_weights.bicubic, loss_weights.centre, loss_weights.sparsity))
    assert weights[:2] == [(5, 0, 0), (5, 0, 0)]
    assert weights[2] == (pytest.approx(0.05), 0, 0)
    assert weights[3] == (pytest.approx(5e-4), 1, 5)
    assert weights[4:] == [(pytest.approx(5e-6), 1, 5)] * 11


def test_to_have_been_near_for_a_moment_is_not_enough():
    loss_weights = LossWeights()
    for step in range(3000):
        loss_weights.observe(step / 3000, 0.2 if step % 3 == 0 else 0.1)
    assert loss_weights.bicubic == 5


def test_a_kernel_of_nothing_is_not_near_the_bicubic_one():
    """The constraint is held until a kernel has formed, also where the whole image is nearly mid-grey."""
    dull = 0.5 + 0.1 * (image(1, (48, 48)) - 0.5)
    assert float(QUICK.estimate(dull, 2, RUN).kernel.sum()) == pytest.approx(1)


def test_all_constraints_add_up():
    loss_weights, kernel = LossWeights(), taps((0, 0), (6, 6)) * 0.8
    first = 0.5 * sum_penalty(kernel) + 0.5 * border_penalty(kernel)
    torch.testing.assert_close(loss_weights.penalty(kernel), first)
    loss_weights.centre, loss_weights.sparsity = 1.0, 5.0
    last = first + centre_penalty(kernel) + 5 * sparsity_penalty(kernel)
    torch.testing.assert_close(loss_weights.penalty(kernel), last)


# The crops


def test_crops_are_taken_where_the_gradients_are():
    x = torch.zeros(1, 1, 60, 120)
    x[..., 80:] = image(1, (60, 40))
    weights = crop_weights(x, 20)
    assert weights.shape == (41, 101)
    columns = [column for _, column in draw_places(weights, 200, draws())]
    assert sum(column + 10 > 75 for column in columns) > 195


def test_places_are_drawn_in_proportion_to_their_weights():
    drawn = draw_places(torch.tensor([[0.0, 1.0], [3.0, 0.0]]), 4000, draws())
    assert set(drawn) == {(0, 1), (1, 0)}
    assert drawn.count((1, 0)) == pytest.approx(3000, abs=4 * math.sqrt(4000 * 0.75 * 0.25))


def test_without_detail_all_places_have_the_same_probability():
    weights = crop_weights(torch.full((1, 3, 40, 50), 0.3), 20)
    assert float(weights.min()) == float(weights.max()) > 0


def test_the_bicubic_target_is_the_middle_of_the_crop_itself_shrunk():
    x = image(3, (90, 101))
    for crop in draw_crops(x, 64, 5, draws()):
        assert crop.large.shape == (3, 1, 64, 64)
        assert crop.target.shape == crop.real.shape == (1, 3, 26, 26)
        shrunk_crop = resize(crop.large, 0.5).transpose(0, 1)
        torch.testing.assert_close(crop.target, shrunk_crop[..., 3:-3, 3:-3], rtol=0, atol=SINGLE)


def test_the_bicubic_target_has_a_gain_of_1_in_every_band():
    colours = torch.tensor([0.1, 0.5, 0.9])[None, :, None, None].expand(1, 3, 70, 70)
    (crop,) = draw_crops(colours, 64, 1, draws())
    torch.testing.assert_close(crop.target, colours[..., :26, :26], rtol=0, atol=SINGLE)


def test_small_images_are_used_whole():
    (crop,) = draw_crops(image(1, (35, 48)), 64, 1, draws())
    assert (crop.large.shape, crop.real.shape) == ((1, 1, 34, 34), (1, 1, 11, 11))


def test_the_rim_is_left_out_where_there_is_room():
    x = torch.zeros(1, 1, 84, 84)
    x[..., 10:-10, 10:-10] = 1
    for crop in draw_crops(x, 64, 5, draws()):
        assert float(crop.large.min()) == float(crop.real.min()) == 1


# What comes out


def test_faint_taps_are_removed():
    kernel = torch.full((13, 13), 1e-3)
    kernel[4:8, 4:8] = 0.05
    result = threshold_taps(kernel)
    assert float(result.sum()) == pytest.approx(1)
    assert float(result[0, 0] / result[5, 5]) == pytest.approx((1e-3 - 0.75e-3) / (0.05 - 0.75e-3), rel=1e-4)
    # Of a kernel of 40 taps at most nothing is removed.
    few = kernels.gaussian(0.5, size=5)
    torch.testing.assert_close(threshold_taps(F.pad(few, (4, 4, 4, 4)))[4:9, 4:9], few, rtol=0, atol=SINGLE)


def covariance(kernel):
    long, short, angle = kernels.shape_of(kernel)
    c, s = math.cos(angle), math.sin(angle)
    turn = torch.tensor([[c, -s], [s, c]])
    return turn @ torch.diag(torch.tensor([long, short])) @ turn.T


@pytest.mark.parametrize(("scale", "times"), [(2, 1), (4, 1 + 4), (8, 1 + 4 + 16)])
def test_the_kernel_of_two_shrinkings_is_wider_by_the_sum_of_their_covariances(scale, times):
    kernel = kernels.gaussian(2.0, 0.8, 0.6, size=13)
    found = degradation_at(scale, kernel)
    assert found.scales == (scale, scale)
    torch.testing.assert_close(covariance(found.kernel), times * covariance(kernel), rtol=0, atol=0.02 * times)


def test_the_kernel_at_scale_4_of_a_gaussian_is_one():
    wide = degradation_at(4, kernels.gaussian(1.5, size=13)).kernel
    long, short, _ = kernels.shape_of(wide)
    gaussian = kernels.gaussian(long, short, size=wide.shape[0])
    # The taps between those of a coarse kernel are only nearly as large as they should be.
    assert float((wide - gaussian).abs().max()) < 0.02 * float(wide.max())


def test_shrinking_at_scale_4_is_shrinking_twice():
    kernel, x = kernels.gaussian(1.2, 0.7, 0.4, size=9), image(1, (64, 64))
    twice = degradation_at(2, kernel).forward(degradation_at(2, kernel).forward(x))
    at_once = degradation_at(4, kernel).forward(x)
    # Both interpolate between the taps, to put the pixels edge to edge.
    torch.testing.assert_close(at_once[..., 4:-4, 4:-4], twice[..., 4:-4, 4:-4], rtol=0, atol=0.02)


@pytest.mark.parametrize(("scale", "nearest"), [(1.5, 2), (3, 4), (10, 8), ((2.0, 3.0), 2)])
def test_other_scales_take_the_kernel_of_the_nearest_rescaled(scale, nearest):
    kernel = kernels.gaussian(2.0, size=13)
    found, expected = degradation_at(scale, kernel), degradation_at(nearest, kernel).rescaled(scale)
    assert found.scales == expected.scales
    assert torch.equal(found.kernel, expected.kernel)


@pytest.mark.parametrize(("channels", "sides"), [(1, (32, 33)), (3, (64, 90)), (4, (40, 44))])
def test_a_few_steps_form_a_centred_kernel(channels, sides):
    found = QUICK.estimate(image(channels, sides), 2, RUN)
    assert float(found.kernel.sum()) == pytest.approx(1)
    assert found.offsets == pytest.approx((0.5, 0.5))
    assert max(found.kernel.shape) <= 13
    assert (found.kernel >= 0).all()


def test_same_seed_same_kernel():
    first, again, other = (QUICK.estimate(image(3, (48, 48)), 2, replace(RUN, seed=s)).kernel for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert first.shape != other.shape or not torch.equal(first, other)


def test_the_image_stays_as_it_is():
    x = image(3, (48, 48))
    before = x.clone()
    QUICK.estimate(x, 2, RUN)
    assert torch.equal(x, before)


def test_noise_is_not_accumulated_in_training_crops(monkeypatch):
    seen = []

    def recorded(*arguments):
        for crop in draw_crops(*arguments):
            seen.append(crop)
            yield crop

    monkeypatch.setattr(kernelgan, "draw_crops", recorded)
    x = image(1, (32, 32))
    QUICK.estimate(x, 2, RUN)
    assert len(seen) == QUICK.steps
    assert all(torch.equal(crop.large[0], 2 * x[0] - 1) for crop in seen)


def test_all_that_is_judged_is_equally_noisy(monkeypatch):
    """Mid-grey is 0 for the networks, shrunk by any kernel: what they see of it is noise alone."""
    judged, forward = [], PatchDiscriminator.forward
    monkeypatch.setattr(
        PatchDiscriminator,
        "forward",
        lambda self, images, judging: judged.append(images) or forward(self, images, judging),
    )
    with pytest.raises(KernelError):  # there is nothing to learn in three steps
        KernelGAN(steps=3).estimate(torch.full((1, 3, 64, 64), 0.5), 2, RUN)
    deviations = torch.stack([image.std() for images in judged for image in images])
    assert len(deviations) == 3 * 3
    torch.testing.assert_close(deviations, torch.full((9,), 2 / 255), rtol=0.1, atol=0)


def test_progress_is_reported_with_a_loss():
    reports = []
    QUICK.estimate(image(1, (48, 48)), 2, replace(RUN, report=reports.append))
    assert (reports[-1].stage, reports[-1].done, reports[-1].total) == ("kernel", 60, 60)
    assert math.isfinite(reports[-1].loss)


def test_it_can_be_cancelled():
    with pytest.raises(Cancelled):
        QUICK.estimate(image(1, (48, 48)), 2, replace(RUN, cancelled=lambda: True))


def test_without_time_there_is_no_kernel():
    with pytest.raises(KernelError, match="give it more steps or more time"):
        KernelGAN().estimate(image(1, (48, 48)), 2, replace(RUN, time_limit=1e-9))


def test_images_that_are_too_small_are_refused():
    with pytest.raises(InputError, match="needs at least 32x32 pixels, the image has 40x31"):
        QUICK.estimate(image(1, (31, 40)), 2, RUN)
    with pytest.raises(InputError, match="learns from one image"):
        QUICK.estimate(torch.zeros(2, 1, 40, 40), 2, RUN)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps and width must be at least 1, got 0"),
        ({"crop": 30}, "crop must be even and at least 32 pixels, got 30"),
        ({"crop": 65}, "crop must be even"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"noise": 1.5}, "divide 8-bit levels by 255"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        KernelGAN(**settings)
