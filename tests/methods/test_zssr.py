"""What ZSSR promises beyond the contract of a method."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from helpers.methods import RUN, SIDES, SINGLE, edges, image, made, seamless, upscaled
from innersr.errors import InputError, KernelError
from innersr.inference import detail
from innersr.methods import zssr
from innersr.methods.baselines import BackProjection, Bicubic
from innersr.methods.fathers import Father
from innersr.methods.upscalers import detail as upscaler_detail
from innersr.methods.zssr import ZSSR
from innersr.metrics.fidelity import psnr
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.resize import resize
from innersr.run import Run

DOUBLE = Degradation(scale=2)
# Enough to learn something; a sub-pixel network needs longer for its many outputs, but a step of it costs less.
LEARNING = ZSSR(
    steps=150, pixels=1000, crop=32, learning_rate=5e-3, refresh=50, network="interpolated", width=16, depth=4
)
LEARNING_SUBPIXEL = replace(LEARNING, steps=300, pixels=2000, learning_rate=2e-3, network="subpixel")
KERNEL = gaussian(2, 1, 0.6, size=9)


def spied(monkeypatch, owner, name):
    """Return a list that (arguments, result) of every call are appended to."""
    calls, original = [], getattr(owner, name)

    def record(*given, **settings):
        result = original(*given, **settings)
        calls.append((given, result))
        return result

    monkeypatch.setattr(owner, name, record)
    return calls


def stages(method, x, degradation=DOUBLE, run=RUN):
    """Return {name of a stage of learning: its last report}."""
    reports = {}
    method.adapt(x, degradation, replace(run, report=lambda report: reports.update({report.stage: report})))
    return {name: report for name, report in reports.items() if name.startswith("learn")}


def learning_steps(method, x):
    asked = []
    method.adapt(x, DOUBLE, Run(device="cpu", precision="fp32", cancelled=lambda: asked.append(None)))
    return len(asked)


# Learning


@pytest.mark.parametrize(
    ("method", "degradation"),
    [(LEARNING, DOUBLE), (LEARNING, Degradation(scale=2, kernel=KERNEL)), (LEARNING_SUBPIXEL, DOUBLE)],
)
def test_it_learns_the_edges_of_a_recurrent_image(method, degradation):
    truth = edges(96)
    lr = degradation(truth)
    learned = psnr(upscaled(method, lr, degradation), truth)
    assert learned > psnr(upscaled(Bicubic(), lr, degradation), truth) + 3
    assert learned > psnr(upscaled(BackProjection(), lr, degradation), truth) + 1


def test_fathers_are_degraded_as_the_image_was():
    """Without back-projection, what the network has learned shows alone."""
    told = Degradation(scale=2, kernel=KERNEL)
    truth = edges(96)
    lr = told(truth)
    method = replace(LEARNING, refresh=0, back_projection=0)
    assert psnr(upscaled(method, lr, told), truth) > psnr(upscaled(method, lr, DOUBLE), truth) + 1


def test_more_steps_learn_more():
    truth = edges(96)
    lr = DOUBLE(truth)
    few, many = (psnr(upscaled(replace(LEARNING, steps=n), lr), truth) for n in (10, 150))
    assert many > few + 2


def test_a_bf16_run_learns_too():
    truth = edges(64)
    lr = DOUBLE(truth)
    result = upscaled(LEARNING, lr, run=Run(device="cpu", precision="bf16"))
    assert result.dtype is torch.float32
    assert psnr(result, truth) > psnr(upscaled(Bicubic(), lr), truth) + 0.5


def test_the_cosine_schedule_takes_all_its_steps():
    assert learning_steps(made("zssr", refresh=0), image()) == 8


def test_the_plateau_schedule_ends_when_the_error_stalls():
    """Black is learned before the first step. Three falls take 6 tests each, a test comes every 50 steps."""
    method = made("zssr", width=4, pixels=64, refresh=0, steps=2000, schedule="plateau")
    assert learning_steps(method, torch.zeros(1, 1, 16, 16)) == 900


@pytest.mark.parametrize(
    ("degradation", "symmetries"),
    [
        (DOUBLE, (0, 1, 2, 3, 4, 5, 6, 7)),
        (Degradation(scale=(2, 3)), (0, 1, 2, 3)),
        (Degradation(scale=2, kernel=KERNEL), (0, 3)),
    ],
)
def test_the_image_is_turned_only_as_the_degradation_allows(monkeypatch, degradation, symmetries):
    calls = spied(monkeypatch, detail, "self_ensemble")
    method = made("zssr", refresh=0)
    upscaled(method, image(), degradation)
    upscaled(replace(method, self_ensemble=False), image(), degradation)
    assert [given[2] for given, _ in calls] == [symmetries, (0,)]


@pytest.mark.parametrize("scale", [2, 1.5])
def test_tiles_leave_no_seams(scale):
    upscaler = made("zssr", refresh=0)
    whole, tiled = (
        upscaled(upscaler, image(sides=(40, 50)), Degradation(scale=scale), replace(RUN, tile=tile)) for tile in (0, 16)
    )
    assert torch.allclose(whole, tiled, rtol=0, atol=10 * SINGLE)


# What is refused


@pytest.mark.parametrize("sides", [(15, 40), (40, 15), (1, 1)])
def test_an_image_too_small_to_learn_from_is_refused(sides):
    message = f"an image of {sides[1]}x{sides[0]} pixels is too small to learn from .*; use the method bicubic"
    with pytest.raises(InputError, match=message):
        upscaled(made("zssr"), image(sides=sides))


def test_the_smallest_image_that_is_allowed_is_upscaled():
    assert upscaled(made("zssr"), image(sides=(16, 16))).shape == (1, 1, 32, 32)


def test_a_kernel_larger_than_the_image_is_refused():
    degradation = Degradation(scale=2, kernel=gaussian(20, size=45))
    with pytest.raises(KernelError, match="the kernel \\(45 pixels\\) is larger than the image"):
        upscaled(made("zssr"), image(), degradation)


def test_a_kernel_larger_than_the_crops_is_not():
    degradation = Degradation(scale=2, kernel=gaussian(2.0, size=21))
    method = made("zssr", crop=8, fathers=4, smallest_father=0.2, back_projection=0)
    assert upscaled(method, image(3, (24, 40)), degradation).shape == (1, 3, 48, 80)


@pytest.mark.parametrize("gradual", [2, 4])
def test_a_kernel_that_fits_the_image_fits_every_stage(gradual):
    """In a stage, a kernel is not as wide. Its resampled array has a rim, which must not count."""
    degradation = Degradation(scale=2, kernel=gaussian(2.0, size=15))
    method = made("zssr", gradual=gradual, back_projection=0)
    assert upscaled(method, image(sides=(16, 16)), degradation).shape == (1, 1, 32, 32)


def test_an_image_of_other_channels_is_refused():
    upscale = made("zssr", steps=0).adapt(image(3), DOUBLE, RUN)
    with pytest.raises(InputError, match="trained on 3 channels, got 2"):
        upscale(image(2))


@pytest.mark.parametrize(
    ("scale", "said"),
    [(1.5, "1.5"), ((2, 1.5), "1.5x2 (width x height)"), ((1.5, 3), "3x1.5 (width x height)")],
)
def test_a_subpixel_network_for_a_broken_scale_is_refused(scale, said):
    with pytest.raises(InputError) as caught:
        upscaled(made("zssr", network="subpixel"), image(), Degradation(scale=scale))
    assert str(caught.value) == f"a sub-pixel network needs whole scales, got {said}; use network=auto"


def test_a_subpixel_network_for_a_scale_that_wrapping_breaks_is_refused():
    """Three times 22 rows are 66, but 2.3 times are 50.6, which become 51."""
    fitted = Degradation(scale=(2.3, 2), wrap="xy").fitted(SIDES)
    with pytest.raises(InputError, match="a sub-pixel network needs whole scales"):
        upscaled(made("zssr", network="subpixel"), image(), fitted)


# The network


@pytest.mark.parametrize(
    ("network", "scale", "factors"),
    [
        ("auto", 2, (2, 2)),
        ("auto", 3, (3, 3)),
        ("auto", (2, 3), (2, 3)),
        ("auto", (1, 2), (1, 2)),
        ("auto", 1.5, (1, 1)),
        ("auto", (2, 1.5), (1, 1)),
        ("auto", 2 + 1e-9, (2, 2)),
        ("subpixel", 2, (2, 2)),
        ("subpixel", (2, 3), (2, 3)),
        ("interpolated", 2, (1, 1)),
        ("interpolated", (2, 3), (1, 1)),
    ],
)
def test_the_network_follows_from_its_setting_and_the_scale(monkeypatch, network, scale, factors):
    calls = spied(monkeypatch, upscaler_detail, "super_resolve")
    degradation = Degradation(scale=scale)
    result = upscaled(made("zssr", network=network, refresh=0), image(3), degradation)
    assert [given[0].factors for given, _ in calls] == [factors]
    assert result.shape[-2:] == degradation.hr_size(SIDES)


@pytest.mark.parametrize(
    ("network", "scale", "crops"), [("interpolated", 2, 5), ("subpixel", 2, 20), ("subpixel", (2, 3), 30)]
)
def test_a_step_shows_the_network_as_many_pixels_as_asked_for(monkeypatch, network, scale, crops):
    calls = spied(monkeypatch, ZSSR, "_targets")
    method = made("zssr", network=network, pixels=5 * 12 * 12, crop=12, steps=3, refresh=0)
    method.adapt(image(3), Degradation(scale=scale), RUN)
    assert [tuple(targets.shape) for _, targets in calls] == [(crops, 3, 12, 12)] * 3


def test_a_step_has_one_crop_at_least(monkeypatch):
    calls = spied(monkeypatch, ZSSR, "_targets")
    made("zssr", pixels=1, steps=2, refresh=0).adapt(image(), DOUBLE, RUN)
    assert [len(targets) for _, targets in calls] == [1, 1]


# Crops


EVERY_WAY = {
    "plain": {},
    "kernel": {"kernel": KERNEL},
    "wide kernel": {"kernel": gaussian(3.0, size=17), "anchor": "centre"},
    "x1.5": {"scale": 1.5},
    "wrapped": {"wrap": "xy"},
    "wrapped one way": {"wrap": "x", "kernel": KERNEL},
}


@pytest.mark.parametrize("way", EVERY_WAY)
def test_crops_of_a_flat_image_are_flat(monkeypatch, way):
    """Neither zeros from beyond the border nor anything else gets in."""
    degradation = Degradation(**{"scale": 2, **EVERY_WAY[way]}).fitted(SIDES)
    calls = spied(monkeypatch, ZSSR, "_targets")
    made("zssr", refresh=0).adapt(torch.full((1, 1, *SIDES), 0.5), degradation, RUN)
    assert len(calls) == 8
    for _, targets in calls:
        assert torch.allclose(targets, torch.full_like(targets, 0.5), atol=SINGLE, rtol=0)


@pytest.mark.parametrize("way", EVERY_WAY)
def test_crops_are_as_bright_as_the_image(monkeypatch, way):
    degradation = Degradation(**{"scale": 2, **EVERY_WAY[way]}).fitted(SIDES)
    calls = spied(monkeypatch, ZSSR, "_targets")
    lr = 0.4 + 0.5 * image(2)
    made("zssr", refresh=0).adapt(lr, degradation, RUN)
    # Antialiasing overshoots by less than a tenth of a step, along either axis.
    slack = 0.2 * float(lr.max() - lr.min())
    assert min(float(crops.min()) for _, crops in calls) > float(lr.min()) - slack
    assert max(float(crops.max()) for _, crops in calls) < float(lr.max()) + slack


@pytest.mark.parametrize("way", EVERY_WAY)
def test_crops_are_cut_out_of_their_fathers(monkeypatch, way):
    """Of those of their stage, also where these are computed."""
    degradation = Degradation(**{"scale": 2, **EVERY_WAY[way]}).fitted(SIDES)
    calls = spied(monkeypatch, ZSSR, "_targets")
    method = made("zssr", gradual=2, refresh=3, self_ensemble=False, back_projection=0)
    method.adapt(image(2), degradation, RUN)
    assert len(calls) == 16
    for given, crops in calls:
        assert {*crops.flatten().tolist()} <= {v for father in given[1] for v in father.image.flatten().tolist()}


def test_crops_of_a_seamless_image_cross_its_seam(monkeypatch):
    """The columns of each crop are neighbours on a circle; with 10 of 20 to a crop, half of the crops cross it."""
    lr = (torch.arange(20.0) / 20).expand(1, 1, 20, 20).contiguous()
    for wrap, crosses in (("x", True), ("", False)):
        with monkeypatch.context() as patch:
            patch.setattr(zssr, "SYMMETRIES", (0,))
            calls = spied(patch, ZSSR, "_targets")
            method = made("zssr", fathers=1, crop=10, pixels=250, refresh=0)
            method.adapt(lr, Degradation(scale=2, wrap=wrap), RUN)
        steps = torch.cat([targets for _, targets in calls])[:, 0, 0].diff(dim=-1) * 20
        backwards = steps.round() == -19
        assert bool(((steps.round() == 1) | backwards).all())
        assert bool(backwards.any()) == crosses


def test_larger_fathers_are_drawn_more_often():
    """Of four the largest in every second crop: the square root of a quarter."""
    fathers = [Father(torch.full((1, 1, 24, 24), float(i)), (False, False)) for i in range(4)]
    method, network = made("zssr", pixels=64 * 144, crop=24), SimpleNamespace(factors=(2, 2))
    generator = torch.Generator().manual_seed(1)
    crops = torch.cat([method._targets(fathers, network, DOUBLE, generator)[:, 0, 0, 0] for _ in range(60)])
    shares = [float((crops == i).float().mean()) for i in range(4)]
    expected = [((i + 1) / 4) ** 0.5 - (i / 4) ** 0.5 for i in range(4)]
    assert shares == pytest.approx(expected, abs=4 * 0.5 / len(crops) ** 0.5)
    assert len(crops) == 3840


# Noise on the sons


@pytest.mark.parametrize(("son_noise", "noise"), [(0.05, 0.0), (0.0, 0.05), (0.03, 0.04)])
def test_noise_is_added_to_the_sons_alone(monkeypatch, son_noise, noise):
    """That of the image, that of the setting, or both."""
    calls = spied(monkeypatch, zssr, "_enlarged")
    flat = torch.full((1, 3, *SIDES), 0.5)
    made("zssr", son_noise=son_noise, refresh=0).adapt(flat, Degradation(scale=2, noise=noise), RUN)
    sons = torch.cat([given[1] for given, _ in calls])
    assert sons.numel() > 5000
    # Within four standard deviations of a sample standard deviation of so many.
    assert float(sons.std()) == pytest.approx(0.05, rel=4 / (2 * sons.numel()) ** 0.5)
    for given, _ in calls:
        assert torch.allclose(given[3], torch.full_like(given[3], 0.5), atol=SINGLE, rtol=0), "a target has noise"


def test_noisy_sons_are_images_too(monkeypatch):
    calls = spied(monkeypatch, zssr, "_enlarged")
    made("zssr", son_noise=0.9, refresh=0).adapt(image(), DOUBLE, RUN)
    sons = torch.cat([given[1] for given, _ in calls])
    assert (float(sons.min()), float(sons.max())) == (0, 1)


def test_son_noise_changes_what_is_learnt():
    results = [upscaled(made("zssr", son_noise=noise), image()) for noise in (0.0, 0.02, 0.02)]
    assert not torch.equal(results[0], results[1])
    assert torch.equal(results[1], results[2])


def test_noise_on_the_sons_keeps_the_noise_of_the_image_down():
    """In a noisy image of nothing there is nothing to sharpen."""
    noise = 0.05
    lr = (0.5 + noise * torch.randn(1, 1, 40, 40, generator=torch.Generator().manual_seed(3))).clamp(0, 1)
    method = replace(LEARNING, steps=80, refresh=0, back_projection=0)
    sharp, soft = (float(upscaled(replace(method, son_noise=n), lr).std()) for n in (0.0, noise))
    assert soft < 0.8 * sharp


# Learning from the result


@pytest.mark.parametrize(("refresh", "steps"), [(0, []), (1, [2, 3, 4, 5, 6, 7]), (2, [4, 6]), (3, [6]), (4, [])])
def test_fathers_are_made_anew_of_the_result_so_far(monkeypatch, refresh, steps):
    """For the first time after twice as many steps, when the result is worth it."""
    crops, made_anew = spied(monkeypatch, ZSSR, "_targets"), []
    original = ZSSR._result_fathers

    def noted(*given):
        made_anew.append((len(crops), original(*given)))
        return made_anew[-1][1]

    monkeypatch.setattr(ZSSR, "_result_fathers", noted)
    made("zssr", refresh=refresh).adapt(image(), DOUBLE, RUN)
    assert [step for step, _ in made_anew] == steps
    for number, (given, _) in enumerate(crops):
        latest = [fathers for step, fathers in made_anew if step <= number]
        assert not latest or given[1] is latest[-1]


def test_the_new_fathers_are_smaller_copies_of_the_result(monkeypatch):
    fathers, results = spied(monkeypatch, ZSSR, "_result_fathers"), spied(monkeypatch, ZSSR, "_upscaled")
    made("zssr", refresh=3).adapt(image(2, (40, 40)), DOUBLE, RUN)
    (_, found), (_, result) = fathers[0], results[0]
    assert result.shape == (1, 2, 80, 80)
    assert len(found) > 1
    for father in found:
        side = father.image.shape[-1]
        assert 32 <= side < 80
        assert (float(father.image.min()) >= 0) and (float(father.image.max()) <= 1)
        # Much smaller still, both show the same, whatever the untrained network has made of the details.
        difference = resize(father.image, size=(10, 10)) - resize(result, size=(10, 10))
        assert difference.abs().mean() < 0.02


def test_a_result_too_small_for_the_kernel_leaves_the_fathers_as_they_are(monkeypatch):
    """Half of 17 pixels at x1.2 would be 10 pixels, and the kernel has 15."""
    calls = spied(monkeypatch, ZSSR, "_result_fathers")
    degradation = Degradation(scale=1.2, kernel=gaussian(2.0, size=15))
    made("zssr", refresh=1, self_ensemble=False, back_projection=0).adapt(image(sides=(17, 17)), degradation, RUN)
    assert len(calls) == 6
    assert all(min(father.image.shape[-2:]) >= 15 for _, found in calls for father in found)


@pytest.mark.parametrize("wrap", ["", "x", "xy"])
def test_of_a_large_image_parts_of_the_result_are_learnt_from(monkeypatch, wrap):
    monkeypatch.setattr(zssr, "RESULT_SIDE", 24)
    passes, fathers = spied(monkeypatch, zssr, "super_resolve"), spied(monkeypatch, ZSSR, "_result_fathers")
    lr = image(sides=(40, 24))
    method = made("zssr", refresh=1)
    method.adapt(lr, Degradation(scale=2, wrap=wrap), RUN)
    assert len(passes) == 6
    parts = [given[1] for given, _ in passes]
    assert {tuple(part.shape) for part in parts} == {(1, 1, 24, 24)}
    assert any(not torch.equal(a, b) for a, b in pairwise(parts)), "another part each time"
    # A part does not continue on its other side, whatever the image does.
    assert {given[2].wrap for given, _ in passes} == {""}
    assert {father.wraps for _, found in fathers for father in found} == {(False, False)}


def test_of_a_small_seamless_image_the_whole_result_is_learnt_from(monkeypatch):
    passes, fathers = spied(monkeypatch, zssr, "super_resolve"), spied(monkeypatch, ZSSR, "_result_fathers")
    lr = seamless()
    made("zssr", refresh=3).adapt(lr, Degradation(scale=2, wrap="xy"), RUN)
    assert [given[2].wrap for given, _ in passes] == ["xy"]
    assert torch.equal(passes[0][0][1], lr)
    assert {father.wraps for _, found in fathers for father in found} == {(True, True)}


# Gradual learning


def test_the_progress_counts_the_scales_of_gradual_learning():
    for gradual, names in ((1, ["learn"]), (2, ["learn, scale 1 of 2", "learn, scale 2 of 2"])):
        found = stages(made("zssr", gradual=gradual), image())
        assert list(found) == names
        assert all((report.done, report.total) == (8, 8) for report in found.values())


@pytest.mark.parametrize(
    ("gradual", "scale", "scales"),
    [
        (1, 2, [(2, 2)]),
        (2, 2, [(2**0.5, 2**0.5), (2, 2)]),
        (3, 2, [(2 ** (1 / 3), 2 ** (1 / 3)), (2 ** (2 / 3), 2 ** (2 / 3)), (2, 2)]),
        (2, (2, 3), [(2**0.5, 3**0.5), (2, 3)]),
        (2, (1, 2.25), [(1, 1.5), (1, 2.25)]),
    ],
)
def test_gradual_learning_grows_to_the_scale_by_equal_factors(monkeypatch, gradual, scale, scales):
    calls = spied(monkeypatch, ZSSR, "_fathers")
    made("zssr", gradual=gradual, steps=1, back_projection=0).adapt(image(), Degradation(scale=scale), RUN)
    assert [given[2].scales for given, _ in calls] == [pytest.approx(pair) for pair in scales]


def test_the_scales_on_the_way_give_whole_pixels_of_a_seamless_image(monkeypatch):
    calls = spied(monkeypatch, ZSSR, "_fathers")
    made("zssr", gradual=2, steps=1).adapt(seamless(), Degradation(scale=2, wrap="xy"), RUN)  # of 24x32 pixels
    assert [given[2].scales for given, _ in calls] == [(34 / 24, 45 / 32), (2, 2)]


@pytest.mark.parametrize("gradual", [2, 3])
@pytest.mark.parametrize("scale", [2, 1.5, (2, 3), 4])
def test_gradual_learning_ends_at_the_size_asked_for(gradual, scale):
    degradation = Degradation(scale=scale, kernel=gaussian(1.0, size=7))
    method = made("zssr", gradual=gradual, refresh=0, self_ensemble=False, back_projection=0)
    assert upscaled(method, image(2), degradation).shape == (1, 2, *degradation.hr_size(SIDES))


def test_every_stage_learns_from_the_results_before_it(monkeypatch):
    calls = spied(monkeypatch, ZSSR, "_fathers")
    lr = image(sides=(20, 20))
    made("zssr", gradual=3, fathers=1, steps=1, back_projection=0).adapt(lr, Degradation(scale=8), RUN)
    assert [[source.shape[-1] for source in given[1]] for given, _ in calls] == [[20], [40, 20], [80, 40, 20]]
    assert all(torch.equal(given[1][-1], lr) for given, _ in calls)
    assert [[father.image.shape[-1] for father in found] for _, found in calls] == [[20], [40, 20], [80, 40, 20]]


def test_stages_of_one_kind_of_network_share_it_and_others_do_not(monkeypatch):
    calls = spied(monkeypatch, ZSSR, "_network")
    made("zssr", gradual=3, steps=1, back_projection=0).adapt(image(), DOUBLE, RUN)  # x1.26, x1.59, x2
    assert [network.factors for _, network in calls] == [(1, 1), (2, 2)]
    calls.clear()
    made("zssr", gradual=3, steps=1, back_projection=0, network="interpolated").adapt(image(), DOUBLE, RUN)
    assert [network.factors for _, network in calls] == [(1, 1)]
    calls.clear()
    made("zssr", gradual=2, steps=1, network="subpixel").adapt(image(), Degradation(scale=4), RUN)
    assert [network.factors for _, network in calls] == [(2, 2), (4, 4)]


@pytest.mark.parametrize("gradual", [1, 2, 3])
def test_every_stage_has_its_share_of_the_time_limit(monkeypatch, gradual):
    """A clock that a step of learning advances by half a second: 30 seconds are 60 steps."""
    now, done = [0.0], []
    monkeypatch.setattr("innersr.run.time.monotonic", lambda: now[0])

    def tick(report):
        if report.stage.startswith("learn"):
            now[0] += 0.5
            done.append(report)

    run = Run(device="cpu", precision="fp32", time_limit=30.0, started=0.0, report=tick)
    method = made("zssr", steps=1000, gradual=gradual, self_ensemble=False, refresh=0)
    method.adapt(image(sides=(16, 16)), DOUBLE, run)
    last = {report.stage: report.done for report in done}
    assert len(last) == gradual
    assert all(abs(count - 60 / gradual) <= 2 for count in last.values()), last


def test_a_stage_that_the_one_before_left_no_time_ends_at_once(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("innersr.run.time.monotonic", lambda: now[0])
    stages_seen = set()

    def tick(report):
        stages_seen.add(report.stage)
        now[0] += 100 if report.stage == "upscale" else 0

    run = Run(device="cpu", precision="fp32", time_limit=30.0, started=0.0, report=tick)
    calls = spied(monkeypatch, ZSSR, "_targets")
    result = upscaled(made("zssr", gradual=2, refresh=0), image(sides=(16, 16)), run=run)
    assert len(calls) == 8, "the first stage has taken no time, the second has none left"
    assert bool(result.isfinite().all())


# Seamless images


@pytest.mark.parametrize(
    ("scale", "settings"),
    [
        (2, {"kernel": KERNEL}),
        (2, {"kernel": gaussian(1, size=7), "anchor": "centre"}),
        (1.5, {"kernel": gaussian(1, size=7)}),
        ((2, 3), {}),
    ],
)
def test_an_upscaler_of_a_seamless_image_does_not_care_where_it_begins(scale, settings):
    degradation = Degradation(scale=scale, wrap="xy", **settings)
    lr = seamless()
    rows, columns = (round(6 * s) for s in degradation.scales)
    method = made("zssr", refresh=0)

    def gap(degradation):
        upscaler = method.adapt(lr, degradation, RUN)
        moved = upscaler(lr.roll((6, 6), (-2, -1)))
        return float((moved - upscaler(lr).roll((rows, columns), (-2, -1))).abs().max())

    # Sums over the image in another order; back-projection repeats their rounding.
    assert gap(degradation) < 2e-5
    assert gap(replace(degradation, wrap="")) > 0.01


def jumps(x):
    """Return the mean step between neighbouring columns over the seam, and inside."""
    return float((x[..., 0] - x[..., -1]).abs().mean()), float(x.diff(dim=-1).abs().mean())


@pytest.mark.parametrize("network", ["subpixel", "interpolated"])
def test_a_seamless_texture_stays_seamless(network):
    """Two waves that fit into the image whole, so that one pair of columns differs as much as any other."""
    y, x = torch.meshgrid(*[2 * torch.pi * torch.arange(32) / 32] * 2, indexing="ij")
    lr = (0.5 + 0.2 * torch.sin(3 * x + 2 * y) + 0.2 * torch.sin(-5 * x + 3 * y + 1))[None, None]
    across, inside = jumps(lr)
    assert across == pytest.approx(inside, rel=0.01)
    method = replace(LEARNING, steps=40, network=network, back_projection=1)
    across, inside = jumps(upscaled(method, lr, Degradation(scale=2, wrap="xy")))
    assert across < 1.1 * inside  # every second pair is interpolated between pixels, not on either side of one
    across, inside = jumps(upscaled(method, lr, DOUBLE))
    assert across > 1.3 * inside


# Randomness


@pytest.mark.parametrize(
    "settings",
    [
        {"gradual": 3, "son_noise": 0.02, "refresh": 2},
        {"gradual": 2, "network": "interpolated", "refresh": 3, "back_projection": 0},
        {"network": "subpixel", "refresh": 1, "self_ensemble": False},
        {"schedule": "plateau", "steps": 55, "refresh": 20, "pixels": 200, "back_projection": 0},
    ],
    ids=str,
)
def test_the_same_seed_gives_the_same_bytes_with_every_option(monkeypatch, settings):
    monkeypatch.setattr(zssr, "RESULT_SIDE", 20)  # rows of the 22, and all of the 18 columns
    degradation = Degradation(scale=2, kernel=KERNEL, noise=0.01, wrap="x")
    results = []
    for seed in (1, 1, 2):
        torch.rand(7)  # the caller's own draws do not matter
        results.append(upscaled(made("zssr", **settings), image(2), degradation, replace(RUN, seed=seed)))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@pytest.mark.parametrize("scale", [3, 1.7])
def test_what_is_learnt_does_not_depend_on_the_tiles(scale):
    """Learning from the result would magnify what tiles change by rounding."""
    lr, degradation = image(sides=(25, 31)), Degradation(scale=scale)
    method = made("zssr", steps=12, refresh=3)
    whole, tiled = (upscaled(method, lr, degradation, replace(RUN, tile=tile)) for tile in (0, 16))
    assert (tiled - whole).abs().max() < 1e-5  # a network of other weights differs by more than 1e-3
