import itertools

import pytest
import torch

from helpers.singan import RUN, TINY, picture, trained
from innersr.errors import Cancelled, InputError
from innersr.physics.resize import resize
from innersr.run import Run
from innersr.singan.animation import animate
from innersr.singan.fit import untrained_model
from innersr.singan.walk import Walk

ROUNDING = 1e-5  # float32: noise of about 1, some dozen steps on its way


def walk(**others):
    return Walk(**{"frames": 24, "pull": 0.1, "smoothness": 0.9, "loop": True} | others)


def noises(walk, pixels=(3, 40), seed=1):
    """Return the centre, the pushes by frame, and the noises of a walk."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.randn(1, 1, *pixels, generator=generator)
    pushes = {frame: torch.randn(1, 1, *pixels, generator=generator) for frame in range(-1, walk.frames)}
    return centre, pushes, list(walk.noises(centre, pushes.__getitem__))


def film(model=None, run=RUN, **settings):
    return torch.cat(list(animate(model or trained(), run=run, **{"frames": 16} | settings)))


def distance(a, b):
    return float((a - b).square().mean().sqrt())


@pytest.mark.parametrize("frames", [1, 2, 7, 60])
def test_a_closed_walk_obeys_the_published_rule_at_every_frame_the_seam_included(frames):
    path = walk(frames=frames, pull=0.15, smoothness=0.8)
    centre, pushes, z = noises(path)
    for t in range(frames):
        ahead = 0.8 * (z[t] - z[t - 1]) + (1 - 0.8) * pushes[t]
        expected = 0.15 * centre + (1 - 0.15) * (z[t] + ahead)
        assert z[(t + 1) % frames] == pytest.approx(expected, abs=ROUNDING)


def test_an_open_walk_begins_beside_the_picture_and_obeys_the_published_rule():
    centre, pushes, z = noises(walk(loop=False, pull=0.15, smoothness=0.8))
    assert z[0] == pytest.approx(0.95 * centre + 0.05 * pushes[-1], abs=ROUNDING)
    for t, before in enumerate([centre, *z[:-2]]):
        ahead = 0.8 * (z[t] - before) + (1 - 0.8) * pushes[t]
        assert z[t + 1] == pytest.approx(0.15 * centre + (1 - 0.15) * (z[t] + ahead), abs=ROUNDING)


def test_a_closed_walk_is_as_wide_as_the_published_one_becomes():
    # Of x[t] = a x[t-1] + b x[t-2] + s u with a = 0.9 * 1.9, b = -0.9 * 0.9 and s = 0.9 * 0.1 (Box and Jenkins).
    variance = 0.09**2 * 1.81 / ((1 - 0.81) * (1.81**2 - 1.71**2))
    centre, _, z = noises(walk(frames=150), pixels=(50, 40))
    # 2000 pixels, some 15 independent frames each: half a per cent of chance.
    assert float((torch.cat(z) - centre).var()) == pytest.approx(variance, rel=0.03)


def test_the_last_frame_goes_on_into_the_first_as_smoothly_as_any_two():
    for start, frames in itertools.product((0, 1), (8, 30)):
        shown = film(start=start, frames=frames)
        steps = (shown.roll(-1, 0) - shown).square().mean((1, 2, 3)).sqrt()
        assert float(steps[-1]) <= 1.5 * float(steps.median())
        assert float(steps.min()) > 0


def test_an_open_walk_does_not_come_back():
    shown = film(loop=False, frames=30)
    steps = (shown.roll(-1, 0) - shown).square().mean((1, 2, 3)).sqrt()
    assert float(steps[-1]) > 2 * float(steps.median())


def test_an_open_walk_begins_beside_the_picture():
    shown, reconstruction = film(loop=False, frames=16), trained().reconstruct()
    assert distance(shown[:1], reconstruction) < distance(shown[8:], reconstruction) / 2


@pytest.mark.parametrize("start", [0, 1, 2])
def test_the_strongest_walk_shows_the_picture_itself(start):
    shown = film(strength=0, start=start)
    assert torch.equal(shown, trained().reconstruct().expand_as(shown))


def test_a_weaker_walk_moves_farther_from_the_picture():
    reconstruction = trained().reconstruct()
    near, middle, far = (distance(film(strength=strength), reconstruction) for strength in (0.1, 0.5, 2))
    assert 0 < near < middle < far


def test_a_smoother_walk_takes_smaller_steps():
    rough, smooth = (film(smoothness=smoothness) for smoothness in (0.5, 0.95))
    assert distance(smooth[1:], smooth[:-1]) < distance(rough[1:], rough[:-1]) / 2


def test_a_finer_start_moves_less():
    coarse, fine = (film(start=start).std(dim=0).mean() for start in (0, 1))
    assert 0 < float(fine) < float(coarse)


@pytest.mark.parametrize("size", [(40, 48), (20, 60), (33, 25)])
def test_at_another_size_the_coarsest_scale_moves_at_its_own_and_is_stretched(size):
    model = trained()
    coarse = model.generate(lambda *_: model.code(), model.sizes[0], stop=1)
    sizes = model.sizes_for(size)
    coarse = resize(coarse, size=sizes[1]).clamp(-1, 1)
    expected = model.generate(lambda _, size: torch.zeros(1, 3, *size), sizes, coarse=coarse, start=1)
    shown = film(strength=0, size=size, frames=2)
    assert shown.shape == (2, 3, *size)
    assert torch.equal(shown, expected.expand_as(shown))


def test_at_another_size_the_scales_that_stand_still_are_stretched():
    model, size = trained(), (40, 30)
    sizes = model.sizes_for(size)
    coarse = resize(model.reconstruct(scales=2), size=sizes[2])
    expected = model.generate(lambda _, size: torch.zeros(1, 3, *size), sizes, coarse=coarse, start=2)
    assert torch.equal(film(strength=0, start=2, size=size, frames=1), expected)


def test_frames_of_the_own_size_are_those_without_a_size():
    assert torch.equal(film(size=trained().size), film())


def test_only_the_border_knows_whether_an_axis_wraps():
    last = len(trained().scales) - 1
    plain, wrapped = film(start=last), film(start=last, wrap="x")
    assert torch.equal(plain[..., 5:-5], wrapped[..., 5:-5])
    assert not torch.equal(plain[..., :5], wrapped[..., :5])


def test_same_seed_same_bytes_and_another_seed_another_film():
    assert torch.equal(film(), film())
    assert not torch.equal(film(), film(run=Run(device="cpu", seed=RUN.seed + 1)))


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_any_number_of_bands_moves(channels):
    shown = film(trained(channels=channels), frames=4)
    assert shown.shape == (4, channels, *trained(channels=channels).size)
    assert float(shown.abs().max()) <= 1


def test_frames_are_made_as_they_are_asked_for():
    reports = []
    frames = animate(trained(), frames=10**9, loop=False, run=Run(device="cpu", report=reports.append))
    assert reports == []
    first, second = next(frames), next(frames)
    assert not torch.equal(first, second)
    assert (reports[0].stage, reports[0].done, reports[0].total) == ("animate", 0, 10**9)
    assert torch.is_grad_enabled()


def test_a_loop_can_be_cancelled_before_its_first_frame():
    correction = itertools.count()
    frames = animate(trained(), frames=10**9, run=Run(device="cpu", cancelled=lambda: next(correction) > 5))
    with pytest.raises(Cancelled):
        next(frames)


def test_a_time_limit_leaves_out_no_frame():
    assert len(film(frames=5, run=Run(device="cpu", time_limit=1e-9))) == 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 0}, "frames must be 1 or more, got 0"),
        ({"strength": -0.1}, "strength must be 0, where nothing moves, or more, got -0.1"),
        ({"strength": float("nan")}, "got nan"),
        ({"smoothness": 1}, "below 1, where nothing moves, got 1"),
        ({"smoothness": -0.1}, "smoothness must be 0 or more"),
        ({"start": 9}, "start scale must be from 0"),
        ({"size": (5, 40)}, "got 40x5"),
        ({"wrap": "z"}, "wrap must be x, y, xy or yx"),
    ],
)
def test_wrong_settings_are_refused_at_once(settings, message):
    with pytest.raises(InputError, match=message):
        animate(trained(), **settings)


def test_an_unfinished_model_is_refused():
    with pytest.raises(InputError, match="finish the training first"):
        animate(untrained_model([picture()], TINY, seed=0))
