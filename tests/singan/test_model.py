"""A learned picture: samples of any size, from any scale, with seams or without."""

from dataclasses import replace

import pytest
import torch

from helpers.singan import RUN, TINY, trained
from innersr.errors import InputError
from innersr.metrics.patch_distance import patch_distance
from innersr.physics.resize import resize
from innersr.run import Run, generator_of
from innersr.singan import model as model_module
from innersr.singan.model import MATCHED, advance, wraps_of
from innersr.singan.pyramid import pictures_of

LAST = 3  # of the tiny model's scales
ROUNDING = 1e-5


def test_the_tiny_model_has_four_scales():
    assert [len(sizes) for sizes in trained().sizes] == [LAST + 1]


def test_a_sample_is_the_same_whatever_is_drawn_beside_it():
    three = trained().sample(3, run=RUN)
    assert torch.equal(trained().sample(1, run=RUN), three[:1])
    assert not torch.equal(three[0], three[1])
    assert not torch.equal(trained().sample(1, run=Run(seed=4)), three[:1])


@pytest.mark.parametrize("start", [0, LAST])
@pytest.mark.parametrize("size", [(11, 40), (33, 17), (20, 24)])
def test_samples_have_any_size_and_aspect_from_any_start_scale(start, size):
    samples = trained().sample(2, size=size, start=start, run=RUN)
    assert samples.shape == (2, 3, *size)
    assert bool(samples.isfinite().all())
    assert float(samples.abs().max()) <= 1


def test_from_a_finer_scale_a_sample_follows_the_picture():
    model = trained()
    reconstruction = model.reconstruct()
    follows, free = (
        float((model.sample(4, start=start, run=RUN) - reconstruction).square().mean()) for start in (LAST, 0)
    )
    assert follows < 0.5 * free


@pytest.mark.parametrize("wrap", ["x", "y", "xy"])
@pytest.mark.parametrize("start", [0, LAST])
def test_a_wrapped_sample_continues_on_its_other_side(wrap, start):
    """Rolled noise and a rolled picture from below give the rolled sample, wherever the seam is."""
    model, size = trained(), (20, 24)
    wraps = wraps_of(wrap)
    scale, noise = model.scales[LAST], model.random_noise(3, 0)(LAST, size)
    coarse = resize(noise[..., :10, :12], size=size, wrap=wraps).clamp(-1, 1)
    shifts = (7 * wraps[0], 5 * wraps[1])
    rolled = advance(scale, coarse.roll(shifts, (-2, -1)), noise.roll(shifts, (-2, -1)), wraps)
    assert torch.allclose(rolled, advance(scale, coarse, noise, wraps).roll(shifts, (-2, -1)), atol=ROUNDING, rtol=0)
    assert not torch.equal(model.sample(size=size, start=start, wrap=wrap, run=RUN), model.sample(size=size, run=RUN))


def test_strips_leave_no_seam(monkeypatch):
    whole = trained().sample(2, size=(60, 30), run=RUN)
    monkeypatch.setattr(model_module, "STRIP", 40 * 7)
    assert torch.allclose(trained().sample(2, size=(60, 30), run=RUN), whole, atol=ROUNDING, rtol=0)


def test_the_reconstruction_has_no_chance_in_it_and_its_code_is_fixed():
    model = trained()
    assert torch.equal(model.reconstruct(), model.reconstruct())
    assert torch.equal(model.code(), model.code())
    code = model.code()
    assert torch.equal(code[:, :1].expand_as(code), code)  # one channel for all colours
    assert torch.equal(trained(count=2).reconstruct(picture=1), trained(count=2).reconstruct(picture=1))
    assert not torch.equal(trained(count=2).reconstruct(picture=1), trained(count=2).reconstruct(picture=0))


def test_what_is_put_in_keeps_its_layout_and_its_size():
    model = trained()
    dark, light = torch.full((1, 3, 30, 20), -0.8), torch.full((1, 3, 30, 20), 0.8)
    picture = torch.cat([dark, light], dim=-1)
    result = model.inject(picture, LAST, run=RUN)
    assert result.shape == picture.shape
    assert float(result[..., 25:].mean() - result[..., :15].mean()) > 1


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_any_number_of_channels_is_learnt(channels):
    assert trained(channels).sample(1, run=RUN).shape == (1, channels, 20, 24)


@pytest.mark.parametrize("scale", [1, MATCHED, LAST])
def test_what_scales_make_of_chance_may_be_matched_with_the_pictures_coarse_patches(scale):
    model = replace(trained(), settings=replace(TINY, matching=20))
    level = min(scale, MATCHED)
    real = pictures_of(model.pictures[0], model.sizes[0][level : level + 1])[0]
    before = resize(model.reconstruct().flip(-1) * 0.7, size=model.sizes[0][scale]).clamp(-1, 1)
    after = model.matched(scale, before, (False, False), generator_of(1))
    distances = [
        patch_distance((resize(x, size=model.sizes[0][level]).clamp(-1, 1) + 1) / 2, (real + 1) / 2, patch=3, scales=1)
        for x in (before, after)
    ]
    assert distances[1] < 0.7 * distances[0]


def test_matching_leaves_the_details_of_fine_scales():
    model = replace(trained(), settings=replace(TINY, matching=20))
    before = model.reconstruct().flip(-1) * 0.7
    change = model.matched(LAST, before, (False, False), generator_of(1)) - before
    assert float(change.std()) > 0.05
    ranks = torch.linalg.matrix_rank(change, rtol=1e-5)  # that of a small picture which is enlarged
    assert int(ranks.max()) <= min(model.sizes[0][MATCHED]) < min(model.sizes[0][LAST])


def test_samples_are_matched_only_where_it_is_set_and_where_there_is_chance():
    plain = trained()
    model, made = replace(plain, settings=replace(TINY, matching=20)), plain.sample(1, run=RUN)
    assert torch.equal(plain.matched(1, made, (False, False), generator_of(1)), made)
    assert torch.equal(model.sample(1, run=RUN), model.sample(2, run=RUN)[:1])
    assert not torch.equal(model.sample(1, run=RUN), made)
    assert torch.equal(model.reconstruct(), plain.reconstruct())  # which no chance is in


def test_wrong_starts_sizes_and_unfinished_models_are_refused():
    model = trained()
    with pytest.raises(InputError, match="from 0, the coarsest, to 3, got 4"):
        model.sample(start=LAST + 1)
    with pytest.raises(InputError, match="11x11"):
        model.sample(size=(10, 40))
    with pytest.raises(InputError, match="1 of 4 scales"):
        replace(model, scales=model.scales[:1]).sample()
    with pytest.raises(InputError, match="x, y, xy or yx"):
        model.sample(wrap="z")
    assert model.settings == TINY
