"""The contract of a method, over every entry of METHODS; then what the simple ones promise beyond it."""

import math
from dataclasses import FrozenInstanceError, replace
from types import SimpleNamespace

import pytest
import torch

from helpers.methods import RUN, SIDES, SINGLE, SMALL, edges, has, image, made, upscaled
from innersr.errors import Cancelled, InputError
from innersr.methods.baselines import BackProjection, Bicubic
from innersr.methods.mzsr import MZSR
from innersr.methods.registry import METHOD_PRESETS, METHODS, make_method, resolve, settings_of
from innersr.methods.tailor import Tailor
from innersr.methods.zssr import ZSSR
from innersr.metrics.fidelity import psnr
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.resize import resize
from innersr.run import REPORT_INTERVAL, Run

LEVEL = 1 / 255
MORE = {**SMALL, "steps": "150", "refresh": "50", "width": "32", "depth": "4"}


@pytest.fixture(params=METHODS)
def name(request):
    return request.param


@pytest.fixture
def method(name):
    return made(name)


def learns(name):
    return name != "singan" and (draws(name) or has(name, "learning_rates"))  # its network does, if asked for


def interpolates(name):
    """Return whether the method makes values that are not in the image."""
    return name != "pixelart"


def draws(name):
    """Return whether the method learns from crops drawn at random. MZSR learns from a small image as a whole."""
    return has(name, "learning_rate")


def advancing_clock(monkeypatch, seconds):
    """Replace the clock of runs by one that advances whenever it is read."""
    clock = SimpleNamespace(now=0.0)

    def monotonic():
        clock.now += seconds
        return clock.now

    monkeypatch.setattr("innersr.run.time", SimpleNamespace(monotonic=monotonic))
    return clock


@pytest.mark.parametrize(
    ("scale", "size"), [(2, (44, 36)), (1.5, (33, 27)), (3, (66, 54)), ((2, 3), (44, 54)), ((1, 2), (22, 36))]
)
def test_the_result_has_the_size_that_the_scale_asks_for(name, method, scale, size):
    if scale == 1.5 and not interpolates(name):
        with pytest.raises(InputError, match="whole scales, got 1.5; use -s 2"):
            upscaled(method, image(), Degradation(scale=scale))
        return
    result = upscaled(method, image(), Degradation(scale=scale))
    assert (*result.shape,) == (1, 1, *size)
    assert result.dtype is torch.float32


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_any_number_of_channels_comes_back_within_the_range(name, method, channels):
    x = (image(channels) - 0.5) * 1.5 + 0.5  # black and white are reached
    result = upscaled(method, x if interpolates(name) else x.clamp(0, 1))
    assert result.shape[1] == channels
    assert float(result.min()) >= 0
    assert float(result.max()) <= 1


def test_nothing_is_moved_and_brightness_stays(method):
    """A gradient, which every interpolation should keep, tells a shift of a tenth of a pixel."""
    ramp = torch.linspace(0.2, 0.8, 24).expand(1, 1, 24, 24)
    expected = resize(ramp, 2)
    for x, truth in ((ramp, expected), (ramp.mT, expected.mT)):
        result = upscaled(method, x.contiguous())
        inside = (result - truth)[..., 12:-12, 12:-12]
        # An untrained network adds a few percent of contrast; a shift of an LR pixel is 0.6 / 23.
        assert abs(float(inside.mean())) < 0.1 * 0.6 / 23


def test_flat_images_stay_flat_to_8_bits(name):
    upscaler = made(name, MORE).adapt(torch.full((1, 1, *SIDES), 0.5), Degradation(scale=2), RUN)
    for level in (0, 1, 77, 128, 255):
        levels = upscaler(torch.full((1, 1, *SIDES), level * LEVEL)) * 255
        assert bool((levels.round() == level).all()), f"{level} became {levels.min()} to {levels.max()}"


def test_black_stays_exactly_black(method):
    black = torch.zeros(1, 3, *SIDES)
    assert torch.equal(upscaled(method, black), torch.zeros(1, 3, 44, 36))


def test_inputs_are_not_changed(method):
    x, kernel = image(2), gaussian(2, size=5)
    kept = x.clone(), kernel.clone()
    upscaled(method, x, Degradation(scale=2, kernel=kernel))
    assert torch.equal(x, kept[0])
    assert torch.equal(kernel, kept[1])


def test_an_upscaler_gives_the_same_result_twice(method):
    x = image(3)
    upscaler = method.adapt(x, Degradation(scale=2), RUN)
    first = upscaler(x)
    upscaler(image(3, seed=8))
    assert torch.equal(upscaler(x), first)
    assert not first.requires_grad


def test_an_upscaler_takes_other_images_and_sizes(method):
    upscaler = method.adapt(image(2), Degradation(scale=2), RUN)
    assert upscaler(image(2, (9, 31), seed=8)).shape == (1, 2, 18, 62)


def test_a_batch_is_upscaled_image_by_image(method):
    upscaler = method.adapt(image(1), Degradation(scale=2), RUN)
    both = upscaler(torch.cat([image(1), image(1, seed=8)]))
    # Interpolation and convolutions of a batch are rounded otherwise, and back-projection repeats that some times.
    assert torch.allclose(both, torch.cat([upscaler(image(1)), upscaler(image(1, seed=8))]), atol=10 * SINGLE, rtol=0)


def test_the_same_seed_gives_the_same_bytes_whatever_was_drawn_before(method):
    first = upscaled(method, image())
    torch.rand(7)
    assert torch.equal(upscaled(method, image()), first)


def test_another_seed_gives_another_result_where_something_is_drawn(name, method):
    a, b = (upscaled(method, image(), run=replace(RUN, seed=seed)) for seed in (0, 1))
    assert torch.equal(a, b) != draws(name)


def test_the_callers_random_numbers_are_left_alone(method):
    state = torch.get_rng_state()
    upscaled(method, image())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_method_is_a_frozen_value(name, method):
    assert method == made(name)
    assert hash(method) == hash(made(name))
    with pytest.raises(FrozenInstanceError):
        method.steps = 3


def test_settings_rebuild_the_method(name, method):
    assert METHODS[name](**settings_of(method)) == method


@pytest.mark.parametrize("limited_to", [1e-9, 5.5])
def test_the_time_limit_ends_learning_and_still_gives_a_result(monkeypatch, name, limited_to):
    """A clock that advances by a second whenever it is read."""
    advancing_clock(monkeypatch, 1)
    reports = []
    run = Run(device="cpu", precision="fp32", time_limit=limited_to, started=0.0, report=reports.append)
    result = upscaled(made(name, {**SMALL, "steps": "100"}), image(), run=run)
    assert bool(result.isfinite().all())
    last = [report for report in reports if report.stage == "learn"][-1:]
    assert bool(last) == learns(name)
    assert all(report.done < 6 for report in last)


@pytest.mark.parametrize("name", [name for name in METHODS if has(name, "steps")])
def test_cancelling_takes_effect_within_a_step(name):
    asked = []

    def cancelled():
        asked.append(None)
        return len(asked) == 3

    with pytest.raises(Cancelled):
        upscaled(made(name), image(), run=Run(device="cpu", cancelled=cancelled))
    assert len(asked) == 3


def test_progress_rises_to_its_total_stage_by_stage(method):
    reports = []
    upscaled(method, image(), run=replace(RUN, report=reports.append))
    rounds = []
    for report in reports:
        if report.done == 0:
            rounds.append([])
        rounds[-1].append(report)
    for parts in rounds:
        done = [part.done for part in parts]
        assert done == sorted(done)
        assert len({(part.stage, part.total) for part in parts}) == 1
    # Back-projection may be through before its last step; whatever is counted out ends at its total.
    full = [parts[-1] for parts in rounds if parts[0].stage in ("learn", "upscale")]
    assert all(part.done == part.total for part in full)


def test_progress_is_reported_at_most_ten_times_a_second(monkeypatch, name):
    """A clock that advances by three hundredths of a second whenever it is read."""
    clock = advancing_clock(monkeypatch, 0.03)
    reports = []
    method = made(name, {**SMALL, "steps": "20"})
    upscaled(method, image(), run=replace(RUN, report=lambda report: reports.append((report, clock.now))))
    for (before, earlier), (after, later) in zip(reports[:-1], reports[1:], strict=True):
        is_within_a_loop = before.stage == after.stage and 0 < after.done < after.total
        assert not is_within_a_loop or later - earlier >= REPORT_INTERVAL - SINGLE


@pytest.mark.parametrize("name", [name for name in METHODS if interpolates(name)])
def test_a_noisy_degradation_costs_at_most_a_decibel_against_bicubic(name):
    method = made(name)
    degradation = Degradation(scale=2, noise=0.05)
    truth = edges(44)
    lr = degradation(truth, torch.Generator().manual_seed(3))
    result = upscaled(method, lr, degradation)
    assert psnr(result, truth) > psnr(Bicubic().adapt(lr, degradation, RUN)(lr), truth) - 1


@pytest.mark.parametrize("scale", [2, 2.5])
@pytest.mark.parametrize("name", [name for name in METHODS if interpolates(name)])
def test_a_slanted_kernel_is_inverted(name, scale):
    degradation = Degradation(scale=scale, kernel=gaussian(3, 0.7, 0.6, size=11))
    truth = edges(60)
    lr = degradation(truth)
    assert lr.shape[-1] == 60 / scale
    result = upscaled(made(name, {**SMALL, "steps": "40", "refresh": "0"}), lr, degradation)
    gain = psnr(result, truth) - psnr(Bicubic(phase="aligned").adapt(lr, degradation, RUN)(lr), truth)
    # Hardly trained, a method that knows the kernel still inverts it: by back-projection, or by filters.
    assert gain > 1 or name in ("bicubic", "supervised")


def test_a_grid_that_is_not_aligned_keeps_its_place():
    """MZSR's "direct": LR pixel i lies at HR pixel 2 i, which moves MATLAB's interpolation by half a pixel."""
    degradation = Degradation(scale=2, kernel=gaussian(0.6, size=7), anchor="centre")
    truth = edges(60)
    lr = degradation(truth)
    plain = psnr(upscaled(Bicubic(), lr, degradation), truth)
    assert psnr(upscaled(Bicubic(phase="aligned"), lr, degradation), truth) > plain + 2
    assert psnr(upscaled(made("zssr", steps=40, refresh=0), lr, degradation), truth) > plain + 2


@pytest.mark.parametrize("scale", [2, 1.5, (2, 3)])
def test_bicubic_is_matlabs_imresize(scale):
    x = (image(3) - 0.5) * 1.5 + 0.5
    expected = resize(x, scale).clamp(0, 1)
    assert (float(expected.min()), float(expected.max())) == (0, 1), "the overshoots have to be cut"
    assert torch.equal(upscaled(Bicubic(), x, Degradation(scale=scale)), expected)
    # Where the degradation is bicubic too, its own grid is the same one.
    aligned = upscaled(Bicubic(phase="aligned"), x, Degradation(scale=scale))
    assert torch.allclose(aligned, expected, atol=SINGLE, rtol=0)


def test_back_projection_solves_for_the_image_and_interpolation_starts_it():
    x, degradation = image(), Degradation(scale=2, kernel=gaussian(1.5, size=7))
    assert torch.equal(upscaled(BackProjection(steps=0), x, degradation), degradation.upsample(x).clamp(0, 1))
    lr = degradation(edges(44))
    gaps = [psnr(degradation(upscaled(BackProjection(steps=n), lr, degradation)), lr) for n in (0, 5, 40)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > gaps[0] + 20


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Bicubic(phase="matlab"), "phase must be one of repository, aligned, got 'matlab'"),
        (lambda: BackProjection(steps=-1), "steps must not be negative, got -1"),
        (lambda: ZSSR(schedule="linear"), "schedule must be one of cosine, plateau, got 'linear'"),
        (lambda: ZSSR(network="resnet"), "network must be one of auto, subpixel, interpolated, got 'resnet'"),
        (lambda: ZSSR(pixels=0), "must be at least 1"),
        (lambda: ZSSR(crop=0), "must be at least 1"),
        (lambda: ZSSR(gradual=0), "must be at least 1"),
        (lambda: ZSSR(fathers=0), "must be at least 1"),
        (lambda: ZSSR(width=0), "must be at least 1"),
        (lambda: ZSSR(depth=1), "depth at least 2"),
        (lambda: ZSSR(steps=-1), "must not be negative"),
        (lambda: ZSSR(refresh=-1), "must not be negative"),
        (lambda: ZSSR(son_noise=-0.1), "son_noise is a standard deviation in \\[0, 1\\), got -0.1"),
        (lambda: ZSSR(son_noise=1), "got 1"),
        (lambda: ZSSR(son_noise=math.nan), "got nan"),
        (lambda: ZSSR(back_projection=-1), "must not be negative"),
        (lambda: ZSSR(smallest_father=0), "smallest_father must be in \\(0, 1\\], got 0"),
        (lambda: ZSSR(smallest_father=1.1), "got 1.1"),
        (lambda: ZSSR(learning_rate=0), "must be positive"),
        (lambda: ZSSR(learning_rate=math.nan), "must be positive"),
        (lambda: ZSSR(initial_variance=-1), "must be positive"),
    ],
)
def test_a_wrong_setting_is_refused(make, text):
    with pytest.raises(InputError, match=text):
        make()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("zsr",), "unknown method 'zsr'; there are tailor, zssr, mzsr, supervised, singan, backprojection, bicubic"),
        (("tailor", "fast"), "unknown preset 'fast' of tailor; there are draft, balanced, best"),
        (("zssr", "fast"), "unknown preset 'fast' of zssr; there are draft, balanced, best, paper, paper-gradual"),
        (("zssr", None, {"iterations": "5"}), "zssr has no setting 'iterations'; it has steps, pixels, crop"),
        (("zssr", None, {"steps": "many"}), "setting steps takes int, got 'many'"),
        (("zssr", None, {"self_ensemble": "perhaps"}), "setting self_ensemble takes bool, got 'perhaps'"),
        (("zssr", None, {"steps": "-3"}), "must not be negative"),
        (("mzsr", None, {"learning_rates": "0.02,fast"}), "setting learning_rates takes .*, got '0.02,fast'"),
        (("mzsr", None, {"learning_rates": "0.02,"}), "setting learning_rates takes .*, got '0.02,'"),
        (("mzsr", None, {"learning_rates": "0.02,-1"}), "learning_rates must be positive"),
    ],
)
def test_a_method_that_cannot_be_made_says_what_there_is(arguments, text):
    with pytest.raises(InputError, match=text):
        make_method(*arguments)


@pytest.mark.parametrize(
    ("name", "preset"), [(name, preset) for name in METHOD_PRESETS for preset in METHOD_PRESETS[name]]
)
def test_a_preset_is_the_method_with_its_settings(name, preset):
    assert make_method(name, preset) == METHODS[name](**METHOD_PRESETS[name][preset])


@pytest.mark.parametrize(
    ("preset", "settings"),
    [
        ("paper-gradual", {"gradual": 6}),
        ("paper-kernel", {"self_ensemble": False, "back_projection": 2}),
        ("paper-real", {"smallest_father": 0.75, "son_noise": 0.0125, "back_projection": 0}),
    ],
)
def test_the_other_configurations_of_the_paper_differ_from_its_ideal_one(preset, settings):
    paper = make_method("zssr", "paper")
    assert (paper.network, paper.refresh, paper.schedule) == ("interpolated", 0, "plateau")
    assert make_method("zssr", preset) == replace(paper, **settings)


def test_settings_as_text_override_the_preset():
    settings = {"crop": "48", "learning_rate": "5e-4", "self_ensemble": "no", "schedule": "cosine"}
    made_of_text = make_method("zssr", "paper", settings)
    paper = make_method("zssr", "paper")
    assert made_of_text == replace(paper, crop=48, learning_rate=5e-4, self_ensemble=False, schedule="cosine")


@pytest.mark.parametrize(("text", "rates"), [("0.02,0.01", (0.02, 0.01)), ("5e-3", (0.005,)), ("1, 0.5", (1.0, 0.5))])
def test_a_setting_may_be_several_numbers(text, rates):
    assert make_method("mzsr", "paper", {"learning_rates": text}) == MZSR(learning_rates=rates)


def test_mzsr_is_corrected_unless_the_paper_is_asked_for():
    made = {preset: make_method("mzsr", preset) for preset in METHOD_PRESETS["mzsr"]}
    assert made["paper"] == MZSR() and MZSR().back_projection == 0
    assert {preset: (m.steps, m.father, m.back_projection, m.self_ensemble) for preset, m in made.items()} == {
        "draft": (1, "image", 20, False),
        "balanced": (10, "sharpened", 20, True),
        "paper": (10, "image", 0, False),
    }


def test_the_draft_of_tailor_takes_the_prior_as_it_is():
    draft, balanced, best = (make_method("tailor", preset) for preset in METHOD_PRESETS["tailor"])
    assert [*METHOD_PRESETS["tailor"]] == ["draft", "balanced", "best"]
    assert draft.steps == 0 < balanced.steps < best.steps
    assert make_method("tailor") == Tailor()
    assert balanced == Tailor(steps=15, further_steps=60)


def test_tailor_chooses_its_steps_only_where_the_degradation_is_estimated_and_they_are_not_given():
    def resolved(method, is_estimated):
        settled = resolve(method, is_estimated=is_estimated)
        return settled.steps, settled.by_recurrence

    assert resolved(Tailor(), True) == (15, True)
    assert resolved(Tailor(), False) == resolved(Tailor(by_recurrence=False), True) == (15, False)
    assert (
        resolved(Tailor(steps=5), True) == resolved(make_method("tailor", settings={"steps": "5"}), True) == (5, False)
    )
    assert resolved(Tailor(by_recurrence=True), False) == (15, True)
    assert resolved(make_method("tailor", "balanced"), True) == (15, False)
    assert resolve(Bicubic(), is_estimated=True) == Bicubic()


def test_a_method_without_presets_takes_none():
    with pytest.raises(InputError, match="unknown preset 'best' of bicubic; it has none"):
        make_method("bicubic", "best")


def test_a_run_used_twice_has_its_full_time_twice(monkeypatch, name):
    """A clock that advances by a second whenever it is read, and by an hour between two images."""
    clock = advancing_clock(monkeypatch, 1)
    reports = []
    run = Run(device="cpu", precision="fp32", time_limit=3000.0, report=reports.append)
    method = made(name, SMALL)
    results = []
    for _ in range(2):
        results.append(upscaled(method, image(), run=run))
        clock.now += 3600
    learned = [report.done for report in reports if report.stage == "learn" and report.done == report.total]
    assert len(learned) == 2 * learns(name)
    assert torch.equal(*results)
