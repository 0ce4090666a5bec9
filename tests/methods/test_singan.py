"""Super-resolution by SinGAN's network beyond the contract of methods: passes, chance, averages."""

import math
from dataclasses import replace

import pytest
import torch

from helpers.methods import RUN, image
from innersr.errors import InputError
from innersr.methods.singan import SinGANUpscaling, _ends, _enlarged
from innersr.metrics.fidelity import consistency_psnr
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.resize import resize
from innersr.run import Run
from innersr.singan.model import Scale, advance
from innersr.singan.pyramid import passes_for
from innersr.singan.training.coarse_inputs import TrainedScales

SMALL = SinGANUpscaling(engine="network", steps=2, width=6, crop=20)
DEGRADATION = Degradation(scale=3)


def upscaled(method, x, degradation=DEGRADATION, run=RUN):
    return method.adapt(x, degradation, run)(x)


def test_results_shrink_to_their_image():
    x = 0.3 + 0.4 * image(3, (24, 26))
    for degradation in (DEGRADATION, Degradation(scale=4, kernel=gaussian(2.0, size=9), anchor="centre")):
        result = upscaled(replace(SMALL, back_projection=10), x, degradation)
        assert consistency_psnr(result, x, degradation) > 40  # dB


def test_without_noise_the_result_depends_on_the_training_alone():
    x = image(1, (24, 26))
    upscaler = replace(SMALL, noise=0).adapt(x, DEGRADATION, RUN)
    averaged = replace(SMALL, noise=0, average=3).adapt(x, DEGRADATION, RUN)
    assert torch.allclose(upscaler(x), averaged(x), atol=1e-6, rtol=0)  # of the mean of three equal sums
    chance = SMALL.adapt(x, DEGRADATION, RUN)
    assert not torch.equal(chance(x), upscaler(x))


def test_the_mean_of_many_results_has_less_chance_in_it():
    x = image(1, (24, 26))
    without = replace(SMALL, noise=0).adapt(x, DEGRADATION, RUN)(x)
    noisy = replace(SMALL, noise=20)
    one, many = (
        float((replace(noisy, average=n).adapt(x, DEGRADATION, RUN)(x) - without).square().mean()) for n in (1, 8)
    )
    assert many < one


def scale_of(taps, shift=0.0, channels=3):
    """A scale without noise whose residual is about the mean of 3x3 neighbours by five `taps`, plus `shift`.

    The residual is 0.01 of it, where tanh is linear, and the middle layers pass positive values on as they are.
    """
    layers = []
    for number in range(5):
        weight = torch.zeros(channels, channels, 3, 3)
        for channel in range(channels):
            weight[channel, channel, 1, 1] = 1.0
            if number == 0:
                weight[channel, channel] = torch.tensor(taps).expand(3, 3) / 9
        layers.append((weight * (0.01 if number == 4 else 1), torch.full((channels,), shift if number == 4 else 0.0)))
    return Scale(layers, 0.0)


@pytest.mark.parametrize(("factor", "passes"), [(2, 3), (3, 5), (4, 6), (8, 9)])
def test_the_last_generator_is_applied_k_times(factor, passes):
    """Each pass adds the residual, which is the same everywhere here; k = round(3 log2 s) (the official code)."""
    degradation, x = Degradation(scale=factor), torch.full((1, 3, 9, 11), 0.5)
    size, residual = (9 * factor, 11 * factor), scale_of(0.0, shift=0.02)
    result = _enlarged(x, residual, size, passes_for(factor), degradation, (0, 0))
    assert result.shape == (1, 3, *size)
    # Values in [-1, 1] inside: a residual is halved.
    assert torch.allclose(result, torch.tensor(0.5 + passes * math.tanh(0.02) / 2), atol=1e-5)


def test_no_frame_appears_where_the_image_ends():
    """A grey border would pull the mean of neighbours, and so the residual, towards 0."""
    x = torch.full((1, 3, 12, 14), 0.9)
    result = _enlarged(x, scale_of(1.0), (24, 28), 3, Degradation(scale=2), (0, 0))
    assert float(result.max() - result.min()) < 1e-5
    assert float(result.mean()) > 0.91  # the residual of three passes is there


def test_every_pass_and_result_has_noise_of_its_own_that_the_generator_sees(monkeypatch):
    seen = []

    def spied(last, coarse, noise, *others, **named):
        seen.append(noise.flatten()[:5000])
        return advance(last, coarse, noise, *others, **named)

    monkeypatch.setattr("innersr.methods.singan.advance", spied)
    x, noisy = torch.full((1, 3, 40, 44), 0.5), Scale(scale_of(9.0).layers, 0.1)
    one, _ = (_enlarged(x, noisy, (80, 88), 3, Degradation(scale=2), (0, n)) for n in range(2))
    assert len(seen) == 6
    correlations = torch.corrcoef(torch.stack(seen)) - torch.eye(6)
    assert float(correlations.abs().max()) < 0.07  # five deviations of that of 5000 independent values
    still = _enlarged(x, Scale(noisy.layers, 0.0), (80, 88), 3, Degradation(scale=2), (0, 0))
    assert float((still - 0.5).abs().max()) < 1e-6
    assert float(one.std()) > 1e-4


@pytest.mark.parametrize("size", [(5, 40), (1, 1), (17, 17)])
def test_images_below_the_coarsest_scale_are_enlarged_too(size):
    assert upscaled(SMALL, image(2, size)).shape == (1, 2, 3 * size[0], 3 * size[1])


def test_a_texture_that_wraps_stays_seamless():
    """Rolled by half of it, which all sizes in between, 30 and 38 pixels, can be rolled by too."""
    degradation = Degradation(scale=2, wrap="xy")
    x = image(1, (24, 24))
    upscaler = replace(SMALL, noise=0).adapt(x, degradation, RUN)
    rolled = upscaler(x.roll((12, 12), (-2, -1)))
    assert torch.allclose(rolled, upscaler(x).roll((24, 24), (-2, -1)), atol=1e-4, rtol=0)


def test_a_grid_that_is_not_aligned_is_met():
    """Two grids that differ by half an HR pixel: their results differ by that, too, but for what was learned."""
    x = resize(image(1, (12, 12)), 2)
    method = replace(SMALL, noise=0, back_projection=0)
    aligned = upscaled(method, x, Degradation(scale=2))
    moved = upscaled(method, x, Degradation(scale=2, kernel=torch.ones(1, 1), anchor="centre"))
    expected = resize(aligned, 1.0, phase=0.5)
    inside = (moved - expected)[..., 6:-6, 6:-6]
    wrong = (moved - aligned)[..., 6:-6, 6:-6]
    assert float(inside.square().mean()) < 0.1 * float(wrong.square().mean())


def test_time_is_shared_out_by_pixels():
    assert _ends([1, 3, 4]) == [0.125, 0.5, 1.0]


def test_progress_runs_through_all_scales_once():
    reports = []
    upscaled(SMALL, image(1, (24, 26)), run=replace(RUN, report=reports.append))
    learn = [report for report in reports if report.stage == "learn"]
    scales = math.ceil(math.log(18 / 24) / math.log(3 ** (-1 / 5))) + 2
    assert {report.total for report in learn} == {2 * scales}
    assert learn[-1].done == learn[-1].total


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"average": 0}, "average"),
        ({"noise": -1.0}, "noise"),
        ({"steps": 0}, "steps"),
        ({"crop": 5}, "crop"),
        ({"engine": "gan"}, "engine must be"),
    ],
)
def test_settings_out_of_range_are_refused(setting, words):
    with pytest.raises(InputError, match=words):
        SinGANUpscaling(**setting)


def test_what_was_drawn_before_changes_nothing():
    x = image(1, (24, 26))
    first = upscaled(SMALL, x)
    torch.rand(3)
    assert torch.equal(upscaled(SMALL, x, run=Run(device="cpu", precision="fp32")), first)


def test_after_the_time_limit_no_more_fakes_are_made(monkeypatch):
    made = []
    fake = TrainedScales.fake
    monkeypatch.setattr(TrainedScales, "fake", lambda *given: made.append(given) or fake(*given))
    x = image(1, (24, 26))
    assert upscaled(SMALL, x, run=replace(RUN, time_limit=1e-9)).shape == (1, 1, 72, 78)
    assert made == []
    upscaled(SMALL, x)
    assert made
