"""One scale of SinGAN learns: exact gradients, a fixed code, steps that depend on the seed alone."""

from dataclasses import replace

import pytest
import torch

from helpers.singan import RUN, picture, tiny, trained
from innersr.errors import CheckpointError
from innersr.run import generator_of
from innersr.singan.fit import untrained_model
from innersr.singan.networks import ConvStack
from innersr.singan.patch_matching import colour_axes, random_projections
from innersr.singan.pyramid import pictures_of
from innersr.singan.training import scale
from innersr.singan.training.losses import gradient_penalty, statistics_distance
from innersr.singan.training.scale import ScaleLearner, _random_window


def learner(index=0, **settings):
    """Return the learner of a scale of the tiny model."""
    model = trained(settings=tiny(**settings))
    reals = [pictures_of(picture(), model.sizes[0])[index]]
    return ScaleLearner(replace(model, scales=model.scales[:index]), reals, RUN)


def weights_after(iterations, one):
    for _ in range(iterations):
        one.iterate()
    return {name: tensor.clone() for name, tensor in one.tensors().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize(
    "settings", [{}, {"pool": 2, "pool_steps": 1, "crop": 12, "penalty_every": 2, "statistics": 1.0}]
)
def test_a_restored_learner_goes_on_as_if_nothing_had_been(index, settings):
    straight = learner(index, **settings)
    weights_after(3, straight)
    kept = {name: tensor.clone() for name, tensor in straight.tensors().items()}
    expected = weights_after(4, straight)
    resumed = learner(index, **settings)
    resumed.restore(kept, 3)
    assert same(weights_after(4, resumed), expected)
    a, b = straight.finished(), resumed.finished()
    assert all(torch.equal(x[0], y[0]) for x, y in zip(a.layers, b.layers, strict=True))


def test_another_seed_learns_otherwise():
    models = [untrained_model([picture()], tiny(), seed) for seed in (0, 1)]
    reals = [pictures_of(picture(), models[0].sizes[0])[0]]
    one, other = (ScaleLearner(model, reals, replace(RUN, seed=model.seed)) for model in models)
    assert not same(weights_after(1, one), weights_after(1, other))


def test_the_penalty_of_a_linear_critic_is_known():
    """A critic whose score is 3 times a channel plus 4 times another has slope 5 everywhere, but 0 at its border."""
    critic = ConvStack(2, 1, (1,) * 4, norm=False, generator=generator_of(0))
    with torch.no_grad():
        for index, convolution in enumerate(critic.convolutions):
            convolution.weight.zero_()
            convolution.weight[0, :, 1, 1] = torch.tensor([3.0, 4.0]) if index == 0 else 1.0
    real, fake = torch.zeros(1, 2, 15, 16), torch.ones(1, 2, 15, 16)
    inside, all_of_it = 5 * 6, 15 * 16
    expected = (inside * (5 - 1) ** 2 + all_of_it - inside) / all_of_it
    assert float(gradient_penalty(critic, real, fake, torch.tensor(0.3)).detach()) == pytest.approx(expected)


def test_the_distance_of_statistics_is_that_of_sorted_projections():
    real, fake = picture(3, (20, 24)), picture(3, (20, 24), seed=8).requires_grad_(True)
    projections = random_projections(6, 7, colour_axes([real]), torch.Generator().manual_seed(2))
    lines = [torch.nn.functional.conv2d(x, projections).flatten(2)[0].sort(dim=1).values for x in (fake, real)]
    distance = statistics_distance(fake, real, projections)
    assert float(distance.detach()) == pytest.approx(float((lines[0] - lines[1]).abs().mean().detach()), rel=1e-4)
    assert float(statistics_distance(real, real.flip(-1), projections.flip(-1))) < float(distance.detach())
    (gradient,) = torch.autograd.grad(distance, fake)
    with torch.no_grad():
        assert statistics_distance(fake - 10 * gradient, real, projections) < distance


def test_the_border_is_learnt_as_often_as_the_middle():
    settings = tiny(crop=12)
    counts = torch.zeros(60)
    for seed in range(400):
        window = _random_window((60, 60), settings, generator_of(seed))
        counts[window.top : window.bottom] += 1
        assert (window.bottom - window.top, window.right - window.left) == (12, 12)
    assert counts[0] > 0.5 * counts[30]
    assert counts[-1] > 0.5 * counts[30]


def test_the_noise_of_finer_scales_is_a_tenth_of_what_the_reconstruction_lacks():
    one = learner(1)
    model = trained()
    lacking = pictures_of(picture(), model.sizes[0])[1] - replace(model, scales=model.scales[:1]).reconstruct()
    assert one.amplitude == pytest.approx(0.1 * float(lacking.square().mean().sqrt()))
    assert learner(0).amplitude == 1


def test_the_rate_falls_at_the_milestone():
    one = learner(0, iterations=10, milestone=0.5)
    rates = []
    for _ in range(7):
        one.iterate()
        rates.append(one._optimizers[0].learning_rate)
    assert rates == pytest.approx([5e-4] * 5 + [5e-5] * 2)


def test_what_the_pool_holds_depends_on_the_iteration_alone():
    straight, late = (learner(1, pool=3, pool_steps=2) for _ in range(2))
    seen = []
    for iteration in range(12):
        straight.iteration = iteration
        seen.append([straight._from_pool(generator_of(draw))[1].sum() for draw in range(4)])
    late.iteration = 11
    assert [late._from_pool(generator_of(draw))[1].sum() for draw in range(4)] == seen[11]
    assert seen[0] != seen[11]


def test_a_late_scale_sees_its_reconstruction_no_more_than_twice(monkeypatch):
    """It saw the same 24 times: half of the time that was left after the limit."""
    one, passes = learner(1), []
    one.generator.register_forward_hook(lambda *_: passes.append(1))
    late = one.finished(is_late=True)
    assert len(passes) == 2
    monkeypatch.setattr(scale, "CALIBRATIONS", 1)
    once = one.finished(is_late=True)
    assert len(passes) == 3
    for pair, expected in zip(late.layers, once.layers, strict=True):
        for tensor, other in zip(pair, expected, strict=True):
            assert torch.allclose(tensor, other, rtol=1e-4, atol=1e-5)  # sums of floats


def test_weights_of_another_network_are_refused():
    with pytest.raises(CheckpointError, match="another network"):
        learner(0).restore(learner(0, width=5).tensors(), 1)


def test_learning_brings_the_reconstruction_nearer():
    one = learner(1, iterations=40, critic_norm=False)
    errors = [float(one.iterate().reconstruction) for _ in range(40)]
    assert sum(errors[-5:]) < 0.7 * sum(errors[:5])
