"""What the steps of an iteration learn: gradients against a direct computation, what is drawn, what norms are told."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from helpers.singan import RUN, picture, tiny, trained
from innersr.run import generator_of
from innersr.singan.networks import ConvStack
from innersr.singan.patch_matching import colour_axes, random_projections
from innersr.singan.pyramid import pictures_of
from innersr.singan.training.coarse_inputs import TrainedScales
from innersr.singan.training.losses import gradient_penalty
from innersr.singan.training.scale import ScaleLearner


def learner(index=1, **settings):
    """Return the learner of a scale of the tiny model, whose pictures there are 14x17 pixels at scale 1."""
    model = replace(trained(), settings=tiny(**settings))
    reals = [pictures_of(picture(), model.sizes[0])[index]]
    return ScaleLearner(replace(model, scales=model.scales[:index]), reals, RUN)


def made(generator, coarse, noise):
    """Return what a generator makes of a coarse picture and noise, with five pixels of grey around (eq. 5)."""
    return coarse + torch.tanh(generator(F.pad(coarse + noise, (5,) * 4)))


def gradients(loss, network):
    return torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)


def assert_gradients(network, expected):
    """Assert that a step left these gradients, up to rounding in another order."""
    largest = max(float(g.abs().max()) for g in expected if g is not None)
    for parameter, wanted in zip(network.parameters(), expected, strict=True):
        found = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        wanted = torch.zeros_like(parameter) if wanted is None else wanted
        assert float((found - wanted).abs().max()) < 1e-4 * largest


def slope_penalty(critic, x):
    x = x.detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return (slope.square().sum(dim=1).sqrt() - 1).square().mean()


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize(("iteration", "turn", "penalised"), [(0, 0, True), (0, 1, False), (1, 0, False), (1, 1, True)])
def test_a_critics_gradient_is_that_of_gap_and_penalty(norm, iteration, turn, penalised):
    """Every third of its steps, two in an iteration, are penalised: steps 0 and 3 of the first four."""
    one = learner(critic_norm=norm, critic_steps=2, penalty=0.7, penalty_every=3)
    one.iteration = iteration
    draw, real = one._draw(turn), one._reals[0]
    critic, generator = copy.deepcopy(one.critic), copy.deepcopy(one.generator)
    with torch.no_grad():
        fake = made(generator, draw.coarse, draw.noise)
    loss = critic(fake).mean() - critic(real).mean()
    if penalised:
        between = draw.share * real + (1 - draw.share) * fake
        loss = loss + 3 * 0.7 * slope_penalty(critic, between)
    expected = gradients(loss, critic)
    critic_step(one, draw, turn)
    assert_gradients(one.critic, expected)
    assert all(torch.equal(a, b) for a, b in zip(one.generator.parameters(), generator.parameters(), strict=True))


def critic_step(one, draw, turn):
    """Make one, and return the gap before it."""
    return one._critic_step(draw, one._fake(draw).detach(), turn)


def test_a_critic_step_tells_real_and_fake_further_apart():
    one = learner(critic_norm=False, penalty=0.0)
    draw = one._draw(0)
    gaps = [float(critic_step(one, draw, 0)) for _ in range(5)]
    assert all(later > earlier for earlier, later in zip(gaps, gaps[1:], strict=False))


def test_the_penalty_is_that_between_real_and_fake_nearer_to_the_real_by_the_share():
    critic = ConvStack(3, 1, (5,) * 4, norm=False, generator=generator_of(1))
    real, fake = picture(3, (16, 18)), picture(3, (16, 18), seed=9)
    for share in (0.0, 0.25, 1.0):
        expected = float(slope_penalty(critic, share * real + (1 - share) * fake).detach())
        found = float(gradient_penalty(critic, real, fake, torch.tensor(share)).detach())
        assert found == pytest.approx(expected, rel=1e-5)
    ends = [float(slope_penalty(critic, x).detach()) for x in (real, fake)]
    assert ends[0] != pytest.approx(ends[1], rel=1e-3)  # so that the place matters


def test_the_shares_of_real_and_fake_are_spread_evenly():
    one = learner(pool=1)
    shares = []
    for one.iteration in range(200):
        shares.append(float(one._draw(0).share))
    # Uniform in [0, 1]: the mean of 200 deviates by 0.02, their deviation is 0.29.
    assert sum(shares) / 200 == pytest.approx(0.5, abs=0.07)
    assert torch.tensor(shares).std() == pytest.approx(0.29, abs=0.04)


def test_a_generators_gradient_is_that_of_adversary_reconstruction_and_statistics():
    """Of each of its steps: no stale graph, and no gradient that another step left behind."""
    one = learner(statistics=2.0, reconstruction=5.0)
    draw, real = one._draw(0), one._reals[0]
    critic_step(one, draw, 0)
    coarse = one._reconstructions[0]
    for _ in range(2):
        generator, critic = copy.deepcopy(one.generator), copy.deepcopy(one.critic)
        fakes = [made(generator, draw.coarse, draw.noise) for _ in range(2)]
        terms = [
            -critic(fakes[0]).mean(),
            2.0 * one._statistics(real, fakes[1]),
            5.0 * (made(generator, coarse, torch.zeros_like(coarse)) - real).square().mean(),
        ]
        parts = [gradients(term, generator) for term in terms]
        assert all(max(float(g.abs().max()) for g in part) > 1e-3 for part in parts)  # so that each one matters
        one._generator_step(draw, one._fake(draw))
        assert_gradients(one.generator, [sum(each) for each in zip(*parts, strict=True)])


@pytest.mark.parametrize("statistics", [0.0, 2.0])
def test_a_generator_step_raises_the_critics_score_of_the_fake(statistics):
    one = learner(reconstruction=0.0, statistics=statistics)
    draw = one._draw(0)
    for _ in range(3):
        critic_step(one, draw, 1)
    scores = []
    for _ in range(6):
        scores.append(float(one.critic(one._fake(draw)).mean().detach()))
        one._generator_step(draw, one._fake(draw))
    assert scores[-1] > scores[0]


def test_a_generator_step_brings_the_statistics_nearer():
    one = learner(reconstruction=0.0, statistics=50.0)
    draw, real = one._draw(0), one._reals[0]
    distances = []
    for _ in range(20):
        distances.append(float(one._statistics(real, one._fake(draw)).detach()))
        one._generator_step(draw, one._fake(draw))
    assert distances[-1] < 0.9 * distances[0]


def inputs_of(network, run):
    """Return the inputs of a network's passes while a function runs."""
    seen = []
    handle = network.register_forward_hook(lambda _, given, __: seen.append(given[0].detach().clone()))
    run()
    handle.remove()
    return seen


def test_every_critic_step_has_a_fake_of_its_own_and_the_generator_that_of_the_last():
    one = learner(critic_steps=3, generator_steps=1, penalty=0.0)
    seen = inputs_of(one.critic, one.iterate)
    fakes = seen[1::2][:3]  # each step looks at the real picture, then at the fake
    assert len(seen) == 7
    for real in seen[:6:2]:
        assert torch.equal(real, one._reals[0])
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert float((fakes[a] - fakes[b]).abs().mean()) > 1e-3
    assert torch.equal(seen[6], fakes[2])


def test_no_iteration_draws_what_another_did():
    one = learner()
    draws = []
    for one.iteration in range(3):  # nothing is learned in between, which would change fakes too
        draws.append(one._draw(0))
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert not torch.equal(draws[a].noise, draws[b].noise)
        assert not torch.equal(draws[a].share, draws[b].share)


@pytest.mark.parametrize(("index", "crop"), [(0, 0), (1, 0), (3, 12)])
def test_fakes_have_noise_of_the_scales_amplitude_and_a_grey_border(index, crop):
    one = learner(index, crop=crop)
    # At least 11x13 values in 3 equal channels at scale 0, 8 iterations: a deviation of variance known to 4 %.
    variances = []
    for one.iteration in range(8):
        draw = one._draw(0)
        (given,) = inputs_of(one.generator, lambda draw=draw: one._fake(draw))
        window = draw.fake
        coarse = F.pad(draw.coarse, (5,) * 4)[..., window.top : window.bottom + 10, window.left : window.right + 10]
        noise = given - coarse
        if not crop:
            assert float(given[..., :5, :].abs().max()) == 0
            noise = noise[..., 5:-5, 5:-5]
            variances.append(float(noise.square().mean()))
        else:
            inside = noise[noise != 0]
            variances.append(float(inside.square().mean()))
    assert sum(variances) / 8 == pytest.approx(one.amplitude**2, rel=0.15)


def test_norms_are_measured_on_as_many_reconstructions_as_fakes():
    one = learner()
    one.iterate()
    seen = inputs_of(one.generator, one.finished)
    reconstruction = F.pad(one._reconstructions[0], (5,) * 4)
    same = [torch.allclose(x, reconstruction, atol=1e-7) for x in seen]
    assert (len(seen), sum(same)) == (24, 12)
    fakes = [x for x, is_reconstruction in zip(seen, same, strict=True) if not is_reconstruction]
    deviation = torch.stack(fakes)[..., 5:-5, 5:-5].std(dim=0).mean()
    assert float(deviation) > 0.5 * one.amplitude  # no fake is like another
    features = [one.generator.convolutions[0](x) for x in seen]
    means = torch.stack([x.mean(dim=(0, 2, 3)) for x in features]).mean(dim=0)
    assert torch.allclose(one.generator.norms[0].running_mean, means, atol=1e-5)


def test_norms_see_fakes_with_the_noise_of_the_scale(monkeypatch):
    one = learner()
    coarse = torch.full_like(one._reconstructions[0], 0.25)
    monkeypatch.setattr(type(one._inputs), "fake", lambda *_: coarse)
    one.iterate()
    fakes = inputs_of(one.generator, one.finished)[::2]
    noise = torch.stack([each[..., 5:-5, 5:-5] - coarse for each in fakes])
    assert float(noise.square().mean()) == pytest.approx(one.amplitude**2, rel=0.1)  # 12 fakes of 14x17 values


def test_the_finished_scale_makes_what_the_generator_makes_with_these_statistics():
    one = learner()
    one.iterate()
    scale = one.finished()
    assert scale.amplitude == one.amplitude
    model = replace(one._model, scales=(*one._model.scales, scale))
    expected = made(one.generator.eval(), one._reconstructions[0], torch.zeros_like(one._reconstructions[0]))
    found = model.generate(
        lambda _, size: torch.zeros(1, 3, *size), model.sizes[0], coarse=one._reconstructions[0], start=1
    )
    assert torch.allclose(found, expected.clamp(-1, 1), atol=1e-5)


def test_coarse_fakes_of_training_are_matched_as_samples_are():
    """Matched fakes have patches nearer to the picture's, by projections that matching has not drawn."""
    plain = replace(trained(), scales=trained().scales[:1])
    matched = replace(plain, settings=tiny(matching=20))
    real = pictures_of(picture(), plain.sizes[0])[0]
    projections = random_projections(64, 5, colour_axes([real]), generator_of(77))

    def distance(model):
        total = 0.0
        for seed in range(4):
            fake = TrainedScales(model, torch.device("cpu")).fake(0, generator_of(seed))
            small = F.interpolate(fake, real.shape[-2:], mode="bicubic", antialias=True)
            lines = [F.conv2d(x, projections).flatten(2)[0].sort(dim=1).values for x in (small, real)]
            total += float((lines[0] - lines[1]).abs().mean())
        return total

    assert distance(matched) < 0.7 * distance(plain)
