"""Tailor on small networks: what it adapts, what it leaves alone."""

import math
from dataclasses import replace

import pytest
import torch

from helpers.methods import RUN, edges, image, seamless
from helpers.priors import networks, write_prior
from innersr.errors import InputError
from innersr.methods import holdout, tailor
from innersr.methods.fathers import detailed_part, rounding_like, saving_like
from innersr.methods.holdout import HoldoutRule, training_mask
from innersr.methods.tailor import Tailor, _leaves_aliases, packaged_prior_for
from innersr.methods.upscalers.tailored import affordable_views
from innersr.metrics.fidelity import psnr
from innersr.networks.priors import load_prior
from innersr.networks.tailored_stack import TailoredStack
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.run import Run

DIRECT = Degradation(scale=2, kernel=gaussian(1.2, size=9), anchor="centre")


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    """An untrained network: its result is the operator's own solution, nearly."""
    network = TailoredStack(width=16, depth=4, hidden=8, generator=torch.Generator().manual_seed(2))
    return str(write_prior(tmp_path_factory.mktemp("prior") / "small.safetensors", network))


@pytest.fixture
def method(prior):
    return Tailor(prior=prior, steps=6, crop=12, refresh=3, views=2)


def upscaled(method, x, degradation=DIRECT, run=RUN):
    return method.adapt(x, degradation, run)(x)


def test_learning_from_the_image_helps_where_the_same_edges_are_everywhere(method):
    truth = edges(96)
    lr = DIRECT(truth)
    asis, adapted = (
        psnr(upscaled(replace(method, steps=n, crop=24, learning_rate=2e-3, refresh=20), lr), truth) for n in (0, 80)
    )
    assert adapted > asis + 0.3


def test_fathers_are_shrunk_less_at_larger_scales_unless_given():
    """Sons of x4 would be too small."""
    result = image(3, (120, 160))
    for scale, widths in ((2, [80, 100, 120]), (3, [96, 117, 135]), (4, [112, 128, 144])):
        fathers = Tailor()._fathers(result, Degradation(scale=scale))
        assert [father.shape[-1] for father in fathers] == widths
    given = Tailor(smallest_father=0.75, largest_father=0.75)._fathers(result, Degradation(scale=4))
    assert {father.shape[-1] for father in given} == {120}


def test_without_steps_nothing_depends_on_the_seed(method):
    asis = replace(method, steps=0)
    assert torch.equal(upscaled(asis, image(3)), upscaled(asis, image(3), run=replace(RUN, seed=5)))


def test_adaptation_is_reverted_if_the_held_out_error_rises(method):
    """Such a rate ruins any network."""
    ruined = replace(method, steps=12, learning_rate=0.5, refresh=0)
    lr = DIRECT(edges(96))
    torch.testing.assert_close(upscaled(ruined, lr), upscaled(replace(method, steps=0), lr), rtol=0, atol=1e-6)


def step_sizes_of(monkeypatch, method, degradation):
    """Return the step sizes that the line search tried, and the one that was kept."""
    sizes, original = [], holdout.interpolate_weights

    def noted(weights, before, after, step_size):
        sizes.append(step_size)
        original(weights, before, after, step_size)

    monkeypatch.setattr(holdout, "interpolate_weights", noted)
    upscaled(method, degradation(edges(96)), degradation)
    return set(sizes[:-1]), sizes[-1]


def test_a_partial_update_is_kept_if_the_holdout_does_not_tell(method, monkeypatch):
    tried, kept = step_sizes_of(monkeypatch, replace(method, steps=1, learning_rate=1e-9, refresh=0), DIRECT)
    assert tried == {0.0, 0.25, 0.5, 0.75}
    assert kept > 0


def test_a_quarter_is_the_largest_step_where_the_image_has_aliases(method, monkeypatch):
    sharp = Degradation(scale=2, kernel=gaussian(0.2, size=7), anchor="centre")
    tried, kept = step_sizes_of(monkeypatch, replace(method, steps=4), sharp)
    assert tried == {0.0, 0.25}
    assert kept in tried


@pytest.mark.parametrize(("variance", "leaves"), [(0.05, True), (0.2, True), (0.6, False), (2.0, False)])
def test_a_kernel_leaves_aliases_where_it_hardly_blurs(variance, leaves):
    assert _leaves_aliases(Degradation(scale=2, kernel=gaussian(variance, size=15), anchor="centre")) == leaves
    assert not _leaves_aliases(Degradation(scale=2))


def test_adaptation_is_reverted_if_it_changes_the_image_too_much(method, monkeypatch):
    """As when stripes that cannot be seen in the LR image are drawn in another direction.

    Here the held-out quarter is flat: it has no error to mend, and all changes are elsewhere.
    """
    keen = replace(method, steps=40, crop=24, learning_rate=2e-3, refresh=20)
    lr = DIRECT(edges(96))
    lr[..., lr.shape[-2] // 2 - 8 :, lr.shape[-1] // 2 - 8 :] = 0.5
    prior = upscaled(replace(method, steps=0), lr)
    torch.testing.assert_close(upscaled(keen, lr), prior, rtol=0, atol=1e-6)
    monkeypatch.setattr(tailor, "HOLDOUT_RULE", HoldoutRule(largest_change=math.inf))
    assert float((upscaled(keen, lr) - prior).abs().max()) > 0.02  # which the rule has prevented


def noted_line_search(monkeypatch):
    """Keep the adapted weights as they are, and return a list of (weights before, image change, squared error)."""
    calls = []

    def keep_all(weights, before, squared_error, image_change, _step_sizes, _rule):
        moved = sum(float((a - b).abs().sum()) for a, b in zip(weights, before, strict=True))
        calls.append((moved, image_change(), squared_error()))

    monkeypatch.setattr(tailor, "line_search", torch.no_grad()(keep_all))
    return calls


def test_nothing_is_learnt_where_the_mask_of_a_father_is_zero(method, monkeypatch):
    """Of fathers whose whole area is held out the weights learn nothing."""
    calls, original = noted_line_search(monkeypatch), Tailor._fathers

    def masked(self, *given):
        return [torch.cat([father[:, :-1], 0 * father[:, -1:]], 1) for father in original(self, *given)]

    lr = DIRECT(edges(96))
    upscaled(method, lr)
    with monkeypatch.context() as patch:
        patch.setattr(Tailor, "_fathers", masked)
        upscaled(method, lr)
    assert calls[0][0] > 0
    assert calls[1][0] == 0


def test_each_father_comes_with_its_mask():
    for father in Tailor()._fathers(image(3, (60, 80)), DIRECT):
        assert torch.equal(father[:, -1:], training_mask(*father.shape[-2:]))


def test_the_mask_is_cut_out_and_turned_as_its_father_is():
    mask = training_mask(40, 60)
    drawn, targets = Tailor(crop=12, batch=16), [mask.repeat(1, 2, 1, 1)]
    images, masks = drawn._targets(targets, DIRECT, torch.Generator().manual_seed(1))
    assert images.shape == masks.shape == (16, 1, 24, 24)
    assert torch.equal(images, masks)
    assert 0 < float(masks.mean()) < 1


def test_the_change_of_the_image_is_that_of_the_result(method, monkeypatch):
    plain = replace(method, views=1, corrections=0)
    calls, lr = noted_line_search(monkeypatch), DIRECT(edges(96))
    before, after = (upscaled(replace(plain, steps=n), lr) for n in (0, 6))
    assert calls[0][1] == pytest.approx(float((after - before).square().mean()), rel=1e-3)
    assert calls[0][1] > 0


def test_the_held_out_error_is_that_of_the_quarter(method, monkeypatch):
    calls = noted_line_search(monkeypatch)
    fathers = []
    original = Tailor._fathers
    monkeypatch.setattr(Tailor, "_fathers", lambda self, *x: fathers.append(original(self, *x)) or fathers[-1])
    upscaled(replace(method, refresh=0), DIRECT(edges(96)))
    height, width = fathers[0][-1].shape[-2:]
    assert calls[0][2].shape[-2:] == (height - height // 2, width - width // 2)


@pytest.mark.parametrize("levels", [255, 1000])
def test_every_son_is_as_fine_as_the_image(method, monkeypatch, levels):
    """Those that are learnt from, and the one that judges."""
    sons, original = [], tailor.pad_for_filters
    monkeypatch.setattr(tailor, "pad_for_filters", lambda x: sons.append(x) or original(x))
    upscaled(method, (levels * DIRECT(edges(96))).round() / levels)
    are_rounded = [torch.allclose(255 * son, (255 * son).round(), rtol=0, atol=1e-3) for son in sons]
    assert len(sons) == method.steps + 4  # steps of the line search
    assert are_rounded == [levels == 255] * len(sons)


def test_the_less_an_image_recurs_the_fewer_steps_are_taken(method, monkeypatch):
    taken = []
    monkeypatch.setattr(Tailor, "_adapt_weights", lambda self, *_: taken.append(self.steps) or ())
    paced = replace(method, steps=100, by_recurrence=True)
    noise = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    for lr in (DIRECT(edges(128)), noise, torch.full((1, 1, 64, 64), 0.5)):
        paced.adapt(lr, DIRECT, RUN)
    assert len(taken) == 2  # the flat image is not learned from at all
    assert taken[0] > taken[1]
    assert max(taken) <= 100


@pytest.mark.parametrize(("learning_rate", "levels", "rounds"), [(2e-3, 0, [40, 7]), (2e-3, 30, [40]), (1e-9, 0, [40])])
def test_further_steps_are_taken_where_the_first_ones_paid(method, monkeypatch, learning_rate, levels, rounds):
    """Not under strong noise, whatever they have taught."""
    taken, original = [], tailor._InternalLearning.take_steps
    monkeypatch.setattr(
        tailor._InternalLearning, "take_steps", lambda self, count: taken.append(count) or original(self, count)
    )
    paced = replace(method, steps=40, further_steps=7, crop=24, refresh=0, learning_rate=learning_rate)
    if levels:
        monkeypatch.setattr(tailor._InternalLearning, "reduction", lambda _: 0.5)
    upscaled(paced, DIRECT(edges(96)), replace(DIRECT, noise=levels / 255))
    assert taken == rounds


def test_the_reduction_compares_the_first_network_with_the_present_one(method):
    """On the same crops; afterwards the weights are as they were learnt."""
    keen = replace(method, crop=24, refresh=0, learning_rate=2e-3)
    network = load_prior(method.prior)
    learning = tailor._InternalLearning(keen, network, DIRECT(edges(96)), DIRECT, RUN)
    learning.take_steps(40)
    after = [weight.clone() for weight in learning._weights]
    reduction = learning.reduction()
    assert all(map(torch.equal, after, learning._weights))
    crops, error = learning._last
    for weight, before in zip(learning._weights, learning._before, strict=True):
        weight.data.copy_(before)
    assert reduction == pytest.approx(1 - float(error / learning._error(crops)), rel=1e-3)
    assert 0.05 < reduction < 1


def test_settings_that_are_not_given_follow_from_the_steps():
    default, given = (Tailor(steps=steps).resolved(is_estimated=True) for steps in (None, 7))
    assert (default.steps, default.further_steps, default.by_recurrence) == (15, 60, True)
    assert (given.steps, given.further_steps, given.by_recurrence) == (7, 0, False)


def test_sons_are_as_fine_as_the_image():
    sons = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    eight_bits, finer = (sons * 255).round() / 255, sons
    assert torch.equal(rounding_like(eight_bits)(sons), eight_bits)
    assert torch.equal(rounding_like(finer)(sons), sons)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_sons_are_compressed_as_strongly_as_the_image(channels):
    sons, generator = image(channels, (24, 32)), torch.Generator().manual_seed(1)
    errors = [float((saving_like(sons, c, generator)(sons) - sons).square().mean()) for c in (0.0, 0.3, 0.6)]
    assert errors[0] == 0
    assert errors[2] > 1.3 * errors[1] > 0


def test_of_a_large_image_the_most_detailed_part_is_learnt_from():
    lr = torch.full((1, 1, 300, 900), 0.5)
    lr[..., 450:] = torch.rand(300, 450, generator=torch.Generator().manual_seed(1))
    part, _ = detailed_part(lr, DIRECT, torch.Generator().manual_seed(2))
    assert part.shape[-2:] == (256, 256)
    assert float(part.diff(dim=-1).abs().mean()) > 0.3  # of uniform noise it is 1/3, of the flat half 0


def test_the_prior_is_the_same_for_the_next_image(method):
    first = upscaled(method, image(3))
    upscaled(method, image(3, seed=8))
    assert torch.equal(upscaled(method, image(3)), first)


def test_noise_above_what_the_prior_has_learnt_is_said():
    loud, known = (
        Tailor(steps=0).adapt(image(), Degradation(scale=2, noise=levels / 255), RUN) for levels in (150, 50)
    )
    assert loud.notes == ("noise of 150 levels is treated as 50, the most that the prior has learnt",)
    assert known.notes == ()
    assert torch.equal(loud(image()), known(image()))


def test_an_image_without_noise_and_compression_takes_the_prior_of_clean_ones():
    for scale in (1.5, 2, 3, (2, 3)):
        assert packaged_prior_for(Degradation(scale=scale)) == "tailor-clean"
    for scale in (3.5, 4, 6, (2, 4)):
        assert packaged_prior_for(Degradation(scale=scale)) == "tailor-clean-x4"
    clean = Degradation(scale=4)
    for rough in (replace(clean, noise=0.01), replace(clean, compression=0.2)):
        assert packaged_prior_for(rough) == "tailor"


@pytest.mark.parametrize("scale", [1.5, 2, 2.5, 3, 4, 6, (2, 3)])
def test_every_scale_goes_through_the_next_larger_one_of_the_network(method, scale):
    """A gradient tells a shift of a tenth of a pixel, whatever the way through the scales."""
    ramp = torch.linspace(0.2, 0.8, 24).expand(1, 1, 24, 24)
    degradation = Degradation(scale=scale)
    truth = degradation.upsample(ramp)
    result = upscaled(replace(method, steps=0), ramp, degradation)
    assert result.shape == truth.shape
    for axis_result, axis_truth in ((result, truth), (upscaled(replace(method, steps=0), ramp.mT, degradation), None)):
        expected = degradation.upsample(ramp.mT) if axis_truth is None else axis_truth
        inside = (axis_result - expected)[..., 12:-12, 12:-12]
        assert abs(float(inside.mean())) < 0.1 * 0.6 / 23


def test_the_result_shrinks_to_the_image(method):
    lr = DIRECT(edges(96))
    agreement = [psnr(DIRECT(upscaled(replace(method, corrections=n), lr)), lr) for n in (0, 1, 4)]
    assert agreement == sorted(agreement)
    assert agreement[2] > agreement[0] + 3


def test_without_corrections_nothing_is_projected_back_at_any_scale(method, monkeypatch):
    broken = Degradation(scale=1.5)
    lr = broken(edges(96))
    corrected = upscaled(method, lr, broken)
    monkeypatch.setattr("innersr.physics.back_projection._solve", None)  # a call would raise
    plain = upscaled(replace(method, corrections=0), lr, broken)
    assert psnr(broken(corrected), lr) > psnr(broken(plain), lr) + 3


def test_noise_is_not_brought_back(method):
    """Corrections would make the result shrink to the noise, too."""
    noisy, generator = replace(DIRECT, noise=0.05), torch.Generator().manual_seed(1)
    lr = noisy(edges(96), generator)
    once, never = (upscaled(replace(method, corrections=n), lr, noisy) for n in (4, 0))
    assert torch.equal(once, never)


@pytest.mark.parametrize("knows", [False, True])
def test_compression_matters_to_a_prior_that_knows_it_and_to_no_other(tmp_path, knows):
    generator = torch.Generator().manual_seed(2)
    network = TailoredStack(width=8, depth=3, hidden=8, compression=knows, generator=generator)
    network.film.weight.data.normal_(0, 0.1, generator=generator)
    method = Tailor(prior=str(write_prior(tmp_path / "p.safetensors", network)), steps=2, crop=12, views=1)
    lr, compressed = DIRECT(edges(64)), replace(DIRECT, compression=0.6)
    plain, told = upscaled(method, lr), upscaled(method, lr, compressed)
    assert torch.equal(plain, told) is not knows
    once, never = (upscaled(replace(method, corrections=n), lr, compressed) for n in (4, 0))
    assert torch.equal(once, never) is knows  # corrections would bring compression artefacts back


def test_an_image_smaller_than_its_kernel_is_taken_as_it_is(method):
    wide = Degradation(scale=2, kernel=gaussian(4.0, size=35), anchor="centre")
    x = image(3)  # 22x18 pixels: 44x36 hold the kernel, a copy of three quarters does not
    assert torch.equal(upscaled(method, x, wide), upscaled(replace(method, steps=0), x, wide))
    assert not any(weight.requires_grad for weight in method.adapt(x, wide, RUN).parameters())


def test_crops_are_as_large_as_the_kernel_at_least(method):
    wide = Degradation(scale=2, kernel=gaussian(4.0, size=41), anchor="centre")
    result = upscaled(method, image(3, (64, 64)), wide)  # crops of 12 LR pixels are 24 pixels of a father
    assert result.shape == (1, 3, 128, 128)
    assert not torch.equal(result, upscaled(replace(method, steps=0), image(3, (64, 64)), wide))


@pytest.mark.parametrize("sides", [(3, 4), (16, 200)])
def test_tiny_and_narrow_images_are_upscaled(method, sides):
    result = upscaled(method, image(3, sides), Degradation(scale=2))
    assert result.shape == (1, 3, 2 * sides[0], 2 * sides[1])
    assert bool(result.isfinite().all())


def test_a_texture_that_wraps_stays_seamless(method):
    model, asis = replace(DIRECT, wrap="xy"), replace(method, steps=0)
    x = seamless()
    rolled = upscaled(asis, x.roll((5, 9), (-2, -1)), model)
    torch.testing.assert_close(rolled, upscaled(asis, x, model).roll((10, 18), (-2, -1)), rtol=0, atol=2e-5)


def test_all_views_together_know_no_direction(method):
    asis = replace(method, steps=0, views=8)
    x = image(3)
    turned = upscaled(asis, x.mT.contiguous(), DIRECT.transformed(4))
    torch.testing.assert_close(turned.mT, upscaled(asis, x), rtol=0, atol=2e-4)


def test_another_network_is_refused_by_name(tmp_path):
    path = write_prior(tmp_path / "other.safetensors", networks()[0])
    with pytest.raises(InputError, match=r"other.safetensors: must be a TailoredStack, is a DetailStack"):
        Tailor(prior=str(path)).adapt(image(3), DIRECT, Run(device="cpu"))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"views": 3}, "views must be one of 0, 1, 2, 4, 8, got 3"),
        ({"steps": -1}, "not be negative"),
        ({"further_steps": -1}, "not be negative"),
        ({"corrections": -1}, "not be negative"),
        ({"crop": 0}, "must be at least 1"),
        ({"batch": 0}, "must be at least 1"),
        ({"smallest_father": 0.8, "largest_father": 0.7}, "got 0.8 and 0.7"),
        ({"largest_father": 1.1}, "got 0.5 and 1.1"),
        ({"learning_rate": 0}, "must be positive and finite, got 0"),
    ],
)
def test_a_wrong_setting_is_refused(settings, text):
    with pytest.raises(InputError, match=text):
        Tailor(**settings)


@pytest.mark.parametrize(
    ("sides", "views", "in_fp32"),
    [((128, 128), 8, 8), ((181, 181), 8, 4), ((182, 182), 4, 2), ((256, 256), 4, 2), ((256, 257), 2, 2)],
)
def test_small_images_are_seen_from_more_sides(sides, views, in_fp32):
    """From fewer where a view takes longer."""
    runs = (Run(device="cpu", precision=precision) for precision in ("bf16", "fp32"))
    assert [affordable_views(sides[0] * sides[1], run) for run in runs] == [views, in_fp32]
