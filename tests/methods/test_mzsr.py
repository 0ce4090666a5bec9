"""What MZSR promises: the prior that it takes, the steps that it makes, and what it leaves as it was."""

from dataclasses import replace

import pytest
import torch

from helpers.methods import RUN, SINGLE, image, seamless, upscaled
from helpers.priors import write_prior
from innersr.errors import CheckpointError, InputError, KernelError
from innersr.inference.detail import super_resolve
from innersr.methods import mzsr
from innersr.methods.maml import loss_of, pairs_of, sgd_step, weights_of, with_weights
from innersr.methods.mzsr import MZSR, PRIORS, packaged_prior, published_rates, rates_by_step, sharpened_rates
from innersr.metrics.grey_levels import quantized
from innersr.networks.detail_stack import DetailStack
from innersr.networks.tailored_stack import TailoredStack
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.resize import resize
from innersr.run import Run

DOUBLE = Degradation(scale=2)
DIRECT = Degradation(scale=2, kernel=gaussian(1.5, size=7), anchor="centre")
ALIGNED = Degradation(scale=2, kernel=gaussian(1.5, size=7))
NAMES = tuple(prior.name for prior in PRIORS)


def tiny(factors=(1, 1), channels=3, seed=1):
    """A network whose details are loud, with biases that are not 0."""
    generator = torch.Generator().manual_seed(seed)
    network = DetailStack(channels, factors=factors, width=8, depth=3, bias=True, generator=generator)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.data = 0.02 * torch.randn(parameter.shape, generator=generator)
    return network


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    return str(write_prior(tmp_path_factory.mktemp("priors") / "paper.safetensors", tiny()))


@pytest.fixture(scope="module")
def subpixel(tmp_path_factory):
    return str(write_prior(tmp_path_factory.mktemp("priors") / "subpixel.safetensors", tiny((2, 2))))


@pytest.fixture(params=["paper", "subpixel"])
def prior(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def packaged(monkeypatch):
    """Let only these priors be packaged."""
    return lambda *names: monkeypatch.setattr(mzsr, "prior_names", lambda: names)


def reported(method, x, degradation=DOUBLE, run=RUN):
    """Return the last report of every stage."""
    reports = {}
    upscaled(method, x, degradation, replace(run, report=lambda report: reports.update({report.stage: report})))
    return reports


# One step


def pair(network, degradation=DOUBLE, channels=3):
    father = image(channels)
    return pairs_of(network, degradation(father), father, degradation)


@pytest.mark.parametrize("factors", [(1, 1), (2, 2)])
def test_a_step_is_torchs_step_of_plain_gradient_descent(factors):
    network = tiny(factors)
    pairs = pair(network)
    stepped, loss = sgd_step(network, weights_of(network), pairs, 0.02, RUN.autocast())
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02)
    expected = (pairs.base + network(pairs.inputs) - pairs.fathers).abs().mean()
    expected.backward()
    optimizer.step()
    assert float(loss) == pytest.approx(float(expected.detach()), abs=SINGLE)
    for name, parameter in network.named_parameters():
        assert torch.allclose(stepped[name], parameter, rtol=0, atol=SINGLE)
        assert not stepped[name].requires_grad


def test_a_step_leaves_the_networks_own_weights_and_gradients_alone():
    network = tiny()
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    sgd_step(network, weights_of(network), pair(network), 0.02, RUN.autocast())
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, before[name])
        assert parameter.grad is None


def test_a_step_of_second_order_has_the_same_weights_as_functions_of_the_old_ones():
    network = tiny()
    pairs = pair(network)
    first, second = (
        sgd_step(network, weights_of(network), pairs, 0.02, RUN.autocast(), second_order=order)[0]
        for order in (False, True)
    )
    for name, weight in second.items():
        assert torch.equal(weight, first[name])
        assert weight.requires_grad


def test_a_copy_with_other_weights_shares_nothing_with_the_network():
    network = tiny()
    weights = {name: torch.zeros_like(weight) for name, weight in weights_of(network).items()}
    copied = with_weights(network, weights)
    assert all(not bool(parameter.any()) for parameter in copied.parameters())
    assert all(bool(parameter.any()) for parameter in network.parameters())
    assert not any(parameter.requires_grad for parameter in copied.parameters())


# The method


def test_one_step_of_the_method_is_one_step_on_the_image_and_its_son(prior):
    lr = image(3)
    network = mzsr.load_stack(prior, DIRECT)
    pairs = pairs_of(network, DIRECT(lr), lr, DIRECT)
    weights, _ = sgd_step(network, weights_of(network), pairs, 0.02, RUN.autocast())
    expected = super_resolve(with_weights(network, weights), lr, DIRECT, RUN, ensemble=False).clamp(0, 1)
    assert torch.equal(upscaled(MZSR(prior=prior, steps=1), lr, DIRECT), expected)
    assert not torch.equal(upscaled(MZSR(prior=prior, steps=0), lr, DIRECT), expected)


def test_without_steps_it_is_the_prior_as_it_is(prior):
    lr = image(3)
    expected = super_resolve(mzsr.load_stack(prior, DOUBLE), lr, DOUBLE, RUN, ensemble=False).clamp(0, 1)
    assert torch.equal(upscaled(MZSR(prior=prior, steps=0), lr), expected)


@pytest.mark.parametrize("degradation", [DOUBLE, DIRECT, ALIGNED])
def test_steps_lower_the_error_of_the_image_made_from_its_son(prior, degradation):
    lr = image(3, (40, 40))
    network = mzsr.load_stack(prior, degradation)
    rates = rates_by_step((1e-2,), 10)
    learned, _ = mzsr.adapt_network(network, lr, degradation, rates, RUN)
    pairs = pairs_of(network, degradation(lr), lr, degradation)
    before, after = (float(loss_of(n, weights_of(n), pairs, RUN.autocast())) for n in (network, learned))
    assert after < 0.99 * before


def test_more_steps_and_larger_rates_change_more(paper):
    lr = image(3)
    start = upscaled(MZSR(prior=paper, steps=0), lr)

    def change(**settings):
        return float((upscaled(MZSR(prior=paper, **settings), lr) - start).abs().mean())

    assert change(steps=1) < change(steps=10)
    assert change(steps=1, learning_rates=(1e-4,)) < change(steps=1, learning_rates=(1e-2,))


def test_the_prior_is_adapted_to_the_given_degradation(paper):
    lr = image(3)
    wide = replace(DIRECT, kernel=gaussian(4, size=7))
    one, other = (
        mzsr.adapt_network(mzsr.load_stack(paper, d), lr, d, [1e-2] * 3, RUN)[0].state_dict() for d in (DIRECT, wide)
    )
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("scale", [1.5, 2, 3.3, (2, 3), (1, 2)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_given_prior_at_hr_resolution_takes_any_scale_and_any_bands(paper, scale, channels):
    degradation = Degradation(scale=scale)
    result = upscaled(MZSR(prior=paper, steps=2), image(channels), degradation)
    assert (*result.shape,) == (1, channels, *degradation.hr_size((22, 18)))
    assert float(result.min()) >= 0
    assert float(result.max()) <= 1


def test_back_projection_makes_the_result_agree_with_the_image(prior):
    lr = DIRECT(image(3, (44, 44)))
    gaps = [
        float((DIRECT.forward(upscaled(MZSR(prior=prior, back_projection=n), lr, DIRECT)) - lr).abs().mean())
        for n in (0, 10)
    ]
    assert gaps[1] < 0.1 * gaps[0]


def test_the_self_ensemble_takes_the_degradations_symmetries(prior):
    lr = image(3)
    adapted, _ = mzsr.adapt_network(mzsr.load_stack(prior, DOUBLE), lr, DOUBLE, [1e-2], RUN)
    expected = super_resolve(adapted, lr, DOUBLE, RUN, ensemble=True).clamp(0, 1)
    method = MZSR(prior=prior, steps=1, learning_rates=(1e-2,), self_ensemble=True)
    assert torch.equal(upscaled(method, lr), expected)


# Bands


def test_a_grey_image_gets_the_mean_of_what_three_equal_bands_get(prior):
    grey = 0.35 + 0.3 * image()
    colours = upscaled(MZSR(prior=prior), grey.expand(-1, 3, -1, -1))
    assert float((colours[:, 0] - colours[:, 1]).abs().max()) > 0.001
    # Where nothing is clipped, the mean of the clipped is the clipped mean.
    assert float(colours.min()) > 0 and float(colours.max()) < 1
    expected = colours.mean(1, keepdim=True)
    assert torch.allclose(upscaled(MZSR(prior=prior), grey), expected, rtol=0, atol=5 * SINGLE)


def test_every_band_of_another_number_is_adapted_to_alone(prior):
    x = image(4)
    result = upscaled(MZSR(prior=prior), x)
    for band in range(4):
        alone = upscaled(MZSR(prior=prior), x[:, band : band + 1])
        assert torch.equal(result[:, band : band + 1], alone)


def test_the_progress_names_the_bands(paper):
    assert list(reported(MZSR(prior=paper), image(3))) == ["learn", "upscale"]
    assert list(reported(MZSR(prior=paper), image())) == ["learn", "upscale"]
    stages = [f"{stage}, band {n} of 2" for stage in ("learn", "upscale") for n in (1, 2)]
    reports = reported(MZSR(prior=paper), image(2))
    assert list(reports) == stages
    assert [(report.done, report.total) for report in reports.values()] == [(10, 10), (10, 10), (1, 1), (1, 1)]


def test_an_image_of_other_channels_is_refused(paper):
    upscale = MZSR(prior=paper, steps=0).adapt(image(3), DOUBLE, RUN)
    with pytest.raises(InputError, match="trained on 3 channels, got 5; learn anew"):
        upscale(image(5))


# Tiles, wrapping, large images


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("wrap", ["", "xy"])
def test_tiles_leave_no_seams(prior, channels, wrap):
    lr, degradation = image(channels, (40, 50)), replace(DIRECT, wrap=wrap)
    whole, tiled = (upscaled(MZSR(prior=prior), lr, degradation, replace(RUN, tile=tile)) for tile in (0, 16))
    assert torch.allclose(whole, tiled, rtol=0, atol=10 * SINGLE)


@pytest.mark.parametrize("degradation", [DOUBLE, DIRECT])
def test_an_upscaler_of_a_seamless_image_does_not_care_where_it_begins(prior, degradation):
    lr = seamless()

    def gap(degradation):
        upscaler = MZSR(prior=prior).adapt(lr, degradation, RUN)
        moved = upscaler(lr.roll((6, 6), (-2, -1)))
        return float((moved - upscaler(lr).roll((12, 12), (-2, -1))).abs().max())

    assert gap(replace(degradation, wrap="xy")) < 10 * SINGLE
    assert gap(degradation) > 0.01


@pytest.mark.parametrize("wrap", ["", "x"])
def test_of_a_large_image_another_part_is_learnt_from_in_every_step(monkeypatch, paper, wrap):
    fathers, original = [], mzsr.pairs_of

    def noted(network, sons, father, degradation):
        fathers.append(father)
        assert degradation.wrap == ""
        return original(network, sons, father, degradation)

    monkeypatch.setattr(mzsr, "pairs_of", noted)
    degradation = replace(DOUBLE, wrap=wrap)
    upscaled(MZSR(prior=paper, steps=4), image(3, (40, 24)), degradation)
    assert [tuple(father.shape[-2:]) for father in fathers] == [(40, 24)]
    fathers.clear()
    monkeypatch.setattr(mzsr, "LARGEST_FATHER", 24)
    results = [upscaled(MZSR(prior=paper, steps=4), image(3, (40, 24)), degradation) for _ in range(2)]
    assert [tuple(father.shape[-2:]) for father in fathers] == [(24, 24)] * 8
    assert len({float(father.sum()) for father in fathers}) == 4
    assert torch.equal(*results)


# Sharpened fathers


def sharpened(prior, **settings):
    return MZSR(prior=prior, father="sharpened", **{"steps": 4, "back_projection": 5, **settings})


def noted_pairs(monkeypatch):
    """Return a list that will hold every father that is learned from, and its son."""
    pairs, original = [], mzsr.pairs_of

    def noted(network, sons, fathers, degradation):
        assert degradation.wrap == ""
        pairs.append((fathers, sons))
        return original(network, sons, fathers, degradation)

    monkeypatch.setattr(mzsr, "pairs_of", noted)
    return pairs


@pytest.mark.parametrize("channels", [3, 1])
def test_sharpened_fathers_are_smaller_copies_of_the_first_result(monkeypatch, prior, channels):
    pairs = noted_pairs(monkeypatch)
    lr = (255 * image(channels, (24, 20))).round() / 255
    upscaled(sharpened(prior), lr, DIRECT)
    first = upscaled(sharpened(prior, steps=0), lr, DIRECT)
    copies = [resize(first, factor).clamp(0, 1) for factor in (0.7, 0.8, 0.9)]
    assert len(pairs) == 4 * 3
    for copy, (father, son) in zip(copies, pairs[:3], strict=True):
        height, width = father.shape[-2:]
        assert (height % 2, width % 2) == (0, 0) and father.shape[1] == 3
        assert torch.allclose(father, copy[..., :height, :width].expand(-1, 3, -1, -1), rtol=0, atol=5 * SINGLE)
        assert torch.equal(son, quantized(DIRECT(father)))


@pytest.mark.parametrize("degradation", [DOUBLE, DIRECT, ALIGNED])
def test_steps_on_sharpened_fathers_lower_their_error(monkeypatch, prior, degradation):
    pairs = noted_pairs(monkeypatch)
    lr = image(3, (40, 40))
    network = mzsr.load_stack(prior, degradation)
    learned, _ = sharpened(prior)._learn_result(network, lr, degradation, [5e-3] * 10, RUN, "learn")
    father, son = pairs[0]
    pair = pairs_of(network, son, father, degradation)
    before, after = (float(loss_of(n, weights_of(n), pair, RUN.autocast())) for n in (network, learned))
    assert after < 0.99 * before


def test_crops_of_large_fathers_are_learnt_from(monkeypatch, paper):
    pairs = noted_pairs(monkeypatch)
    monkeypatch.setattr(mzsr, "LARGEST_CROP", 16)
    lr = image(3, (40, 24))
    results = [upscaled(sharpened(paper), lr, replace(DOUBLE, wrap="x")) for _ in range(2)]
    assert {tuple(father.shape[-2:]) for father, _ in pairs} == {(16, 16)}
    assert len({float(father.sum()) for father, _ in pairs}) == 12
    assert torch.equal(*results)


def test_without_steps_or_fathers_as_large_as_the_kernel_the_prior_stays(paper):
    lr, wide = image(3, (8, 8)), Degradation(scale=2, kernel=gaussian(4.0, size=15))
    assert wide.reach > 0.9 * 2 * 8
    for method, degradation in ((sharpened(paper, steps=0), DOUBLE), (sharpened(paper), wide)):
        still = upscaled(MZSR(prior=paper, steps=0, back_projection=5), lr, degradation)
        assert torch.equal(upscaled(method, lr, degradation), still)


def test_the_rates_on_sharpened_fathers_rise_then_fall():
    rates = sharpened_rates(10)
    assert len(rates) == 10 and max(rates) == rates[3]
    assert sorted(rates[:4]) == [*rates[:4]] and sorted(rates[3:], reverse=True) == [*rates[3:]]
    assert sharpened_rates(1)[0] == pytest.approx(rates[0])
    assert sharpened_rates(0) == ()


# Circumstances


def test_noise_of_the_degradation_is_on_the_sons_and_comes_from_the_seed(paper):
    noisy = replace(DOUBLE, noise=0.05)
    lr = image(3)
    a, b, c = (upscaled(MZSR(prior=paper), lr, noisy, replace(RUN, seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(*(upscaled(MZSR(prior=paper), lr, run=replace(RUN, seed=seed)) for seed in (0, 1)))


def test_a_bf16_run_learns_nearly_the_same(prior):
    lr = image(3)
    exact = upscaled(MZSR(prior=prior), lr)
    rounded = upscaled(MZSR(prior=prior), lr, run=Run(device="cpu", precision="bf16"))
    start = upscaled(MZSR(prior=prior, steps=0), lr)
    assert rounded.dtype is torch.float32
    assert float((rounded - exact).abs().mean()) < 0.1 * float((exact - start).abs().mean())


def test_the_time_limit_leaves_the_prior_as_it_is(paper):
    late = Run(device="cpu", precision="fp32", time_limit=1e-9)
    assert torch.equal(upscaled(MZSR(prior=paper), image(3), run=late), upscaled(MZSR(prior=paper, steps=0), image(3)))


# The prior that is taken


@pytest.mark.parametrize(
    ("degradation", "network", "expected"),
    [
        (DIRECT, "auto", "mzsr-direct-x2"),
        (DOUBLE, "auto", "mzsr-bicubic-x2"),
        (ALIGNED, "auto", "mzsr-bicubic-x2"),
        (replace(DIRECT, subsampling="bicubic"), "auto", "mzsr-bicubic-x2"),
        (replace(DIRECT, scale=4), "auto", "mzsr-direct-x4"),
        (replace(DIRECT, scale=4), "subpixel", "mzsr-direct-x4-lr"),
        (DIRECT, "subpixel", "mzsr-direct-x2-lr"),
        (DOUBLE, "subpixel", "mzsr-bicubic-x2-lr"),
        (Degradation(scale=4), "subpixel", "mzsr-bicubic-x4-lr"),
        (replace(DIRECT, scale=2.5), "auto", "mzsr-multi"),
        (replace(DIRECT, scale=(2, 3)), "auto", "mzsr-multi"),
        (Degradation(scale=3), "auto", "mzsr-multi"),
        (Degradation(scale=4), "paper", "mzsr-direct-x4"),
        (Degradation(scale=2 + 1e-9), "auto", "mzsr-bicubic-x2"),
    ],
)
def test_the_prior_follows_from_the_scale_and_where_the_lr_pixels_lie(packaged, degradation, network, expected):
    packaged(*NAMES)
    assert packaged_prior(degradation, network) == expected


@pytest.mark.parametrize(
    ("there", "degradation", "expected"),
    [
        (("mzsr-direct-x2-lr", "mzsr-multi"), DIRECT, "mzsr-direct-x2-lr"),
        (("mzsr-bicubic-x2", "mzsr-multi"), DIRECT, "mzsr-multi"),
        (("mzsr-bicubic-x2", "mzsr-bicubic-x2-lr"), DIRECT, "mzsr-bicubic-x2"),
        (("tailor", "mzsr-direct-x2"), DOUBLE, "mzsr-direct-x2"),
    ],
)
def test_where_the_first_is_not_packaged_the_next_that_fits_is_taken(packaged, there, degradation, expected):
    packaged(*there)
    assert packaged_prior(degradation) == expected


@pytest.mark.parametrize(
    ("degradation", "expected"),
    [
        (DOUBLE, "supervised-x2"),
        (Degradation(scale=2, kernel=gaussian(0.2, size=7), anchor="centre"), "supervised-x2"),
        (DIRECT, "mzsr-direct-x2"),
        (ALIGNED, "mzsr-bicubic-x2"),
        (Degradation(scale=3), "mzsr-multi"),
    ],
)
def test_what_is_sharper_than_meta_training_knows_begins_with_the_weights_before_it(packaged, degradation, expected):
    packaged(*NAMES, "supervised-x2")
    assert packaged_prior(degradation) == expected


@pytest.mark.parametrize(
    ("there", "degradation", "text"),
    [
        # A sub-pixel network cannot see that the LR pixels lie elsewhere.
        (("mzsr-bicubic-x2-lr",), DIRECT, "scale 2 \\(looked for mzsr-direct-x2, mzsr-direct-x2-lr, mzsr-multi"),
        (NAMES, Degradation(scale=1.5), "fits scale 1.5 \\(they are for scales from 2 to 4, network=auto\\)"),
        (NAMES, Degradation(scale=5), "use the method zssr, or give a file as prior"),
        ((), DOUBLE, "no packaged prior of mzsr fits scale 2"),
    ],
)
def test_where_no_prior_fits_the_error_names_those_looked_for(packaged, there, degradation, text):
    packaged(*there)
    with pytest.raises(InputError, match=text):
        upscaled(MZSR(), image(3), degradation)


@pytest.mark.parametrize(
    ("prior", "degradation", "rates"),
    [
        ("mzsr-direct-x2", DOUBLE, [2e-2, 1e-2, 1e-2, 1e-2, 5e-3, 5e-3]),
        ("mzsr-multi", DIRECT, [1e-2, 1e-2, 1e-2, 5e-3, 5e-3, 5e-3]),
        ("mzsr-direct-x4-lr", DOUBLE, [1e-2, 5e-3, 5e-3, 5e-3, 5e-3, 1e-3]),
        ("file.safetensors", DIRECT, [2e-2, 1e-2, 1e-2, 1e-2, 5e-3, 5e-3]),
        ("file.safetensors", DOUBLE, [1e-2, 1e-2, 1e-2, 1e-3, 1e-3, 1e-3]),
        ("file.safetensors", replace(DIRECT, scale=4), [1e-2, 5e-3, 5e-3, 5e-3, 5e-3, 1e-3]),
        ("file.safetensors", Degradation(scale=3), [1e-2, 1e-2, 1e-2, 5e-3, 5e-3, 5e-3]),
        ("file.safetensors", Degradation(scale=7), [1e-2, 1e-2, 1e-2, 5e-3, 5e-3, 5e-3]),
    ],
)
def test_the_published_learning_rates_are_those_of_the_model(prior, degradation, rates):
    assert rates_by_step(published_rates(prior, degradation), 6) == rates


# What is refused


def test_a_kernel_larger_than_the_image_is_refused(paper):
    degradation = Degradation(scale=2, kernel=gaussian(20, size=45))
    with pytest.raises(KernelError, match="the kernel \\(45 pixels\\) is larger than the image \\(18x22\\)"):
        upscaled(MZSR(prior=paper), image(3), degradation)
    assert upscaled(MZSR(prior=paper, steps=0), image(3), degradation).shape == (1, 3, 44, 36)


def test_the_smallest_image_is_upscaled(paper):
    assert upscaled(MZSR(prior=paper), torch.full((1, 3, 1, 1), 0.5)).shape == (1, 3, 2, 2)


@pytest.mark.parametrize(("scale", "said"), [(1.5, "1.5"), ((2, 1.5), "1.5x2 (width x height)")])
def test_a_subpixel_network_for_a_broken_scale_is_refused(subpixel, scale, said):
    with pytest.raises(InputError) as caught:
        upscaled(MZSR(prior=subpixel, network="subpixel"), image(3), Degradation(scale=scale))
    assert str(caught.value) == f"a sub-pixel network needs whole scales, got {said}; use network=auto"


def test_a_prior_for_another_scale_is_refused(subpixel):
    with pytest.raises(InputError, match="subpixel.safetensors: enlarges 2 by 2 times, asked for is 3 by 3; choose"):
        upscaled(MZSR(prior=subpixel), image(3), Degradation(scale=3))


def test_a_prior_of_the_other_network_is_refused(paper, subpixel):
    for prior, network in ((paper, "subpixel"), (subpixel, "paper")):
        with pytest.raises(InputError, match=f"{prior}: is not a prior for network={network}; use network=auto"):
            upscaled(MZSR(prior=prior, network=network), image(3))
    assert upscaled(MZSR(prior=subpixel, network="subpixel"), image(3)).shape == (1, 3, 44, 36)


def test_a_prior_that_is_no_stack_of_three_channels_is_refused(tmp_path):
    tailored = TailoredStack(3, width=4, depth=3, hidden=6, generator=torch.Generator())
    for parameter in tailored.parameters():
        parameter.data.zero_()
    for network, kind in ((tiny(channels=1), "DetailStack of 1 channels"), (tailored, "TailoredStack")):
        path = write_prior(tmp_path / "other.safetensors", network)
        with pytest.raises(InputError, match=f"other.safetensors: must be a DetailStack .* is a {kind}; choose"):
            upscaled(MZSR(prior=str(path)), image(3))


def test_a_prior_that_is_missing_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="none.safetensors: no such file"):
        upscaled(MZSR(prior=str(tmp_path / "none.safetensors")), image(3))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"steps": -1}, "steps and back_projection must not be negative"),
        ({"back_projection": -1}, "must not be negative"),
        ({"network": "interpolated"}, "network must be one of auto, paper, subpixel, got 'interpolated'"),
        ({"father": "result"}, "father must be one of image, sharpened, got 'result'"),
        ({"learning_rates": (1e-2, 0.0)}, "learning_rates must be positive and finite"),
    ],
)
def test_a_wrong_setting_is_refused(settings, text):
    with pytest.raises(InputError, match=text):
        MZSR(**settings)
