import dataclasses

import pytest
import torch

from helpers.singan import RUN, picture, tiny
from innersr.errors import Cancelled, InputError
from innersr.physics.resize import resize
from innersr.singan.animation import animate
from innersr.singan.patches import animation
from innersr.singan.patches.model import patch_model
from innersr.singan.patches.settings import PatchSettings

SUBJECT = resize(picture(3, (10, 12)), size=(40, 48)).clamp(-1, 1)


def film(run=RUN, **options):
    model = patch_model(SUBJECT, tiny(max_size=48), PatchSettings(sway=0.2), RUN)
    return torch.cat(list(animate(model, run=run, **{"frames": 8} | options)))


def steps(frames):
    return (frames.roll(-1, 0) - frames).abs().mean((1, 2, 3))


def jerk(frames):
    """How much frames differ from the mean of their neighbours, in units of the difference of neighbours."""
    turn = (frames.roll(-1, 0) + frames.roll(1, 0) - 2 * frames).abs().mean()
    return float(turn / steps(frames).mean())


def test_frames_move_and_do_not_jump_the_seam_included():
    shown = film()
    assert float(shown.std(dim=0).mean()) > 0.015
    assert float(steps(shown).max() / steps(shown).median()) < 2
    assert jerk(shown) < 1.2  # independent frames have 1.7, and single nearest patches more than that


def test_frames_that_are_found_one_by_one_jump(monkeypatch):
    monkeypatch.setattr(animation, "_smoothed", lambda frames, **_: frames)
    assert jerk(film()) > 1.4


def test_an_open_film_begins_beside_the_picture_and_does_not_come_back():
    shown = film(loop=False)
    away = (shown - SUBJECT).abs().mean((1, 2, 3))
    assert float(away[0]) < float(away[5:].min()) / 2
    assert float(steps(shown)[-1]) > 1.5 * float(steps(shown).median())


def test_without_strength_the_picture_stands_still():
    shown = film(strength=0, frames=3)
    assert torch.equal(shown[0], shown[1])
    assert float((shown[0] - SUBJECT[0]).abs().max()) < 0.03


def test_a_stronger_film_strays_farther():
    calm, wild = (film(strength=strength, frames=3).std(dim=0).mean() for strength in (0.3, 3))
    assert float(wild) > 2 * float(calm)


def test_from_finer_scales_on_frames_stray_less():
    whole, fine = (film(start=start, frames=2).sub(SUBJECT).abs().mean() for start in (0, 4))
    assert 0 < float(fine) < 0.8 * float(whole)


def test_a_seed_repeats_its_film():
    first, again, other = (film(frames=2, run=dataclasses.replace(RUN, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_films_have_any_size_and_wrap():
    assert film(size=(20, 50), wrap="x", frames=2).shape == (2, 3, 20, 50)


def test_progress_is_reported_and_reaches_its_end():
    said = []
    film(frames=2, run=dataclasses.replace(RUN, report=said.append))
    assert said[-1].done == said[-1].total > 1


def test_a_film_can_be_cancelled():
    with pytest.raises(Cancelled):
        film(run=dataclasses.replace(RUN, cancelled=lambda: True))


def test_more_frames_than_the_memory_holds_are_refused(monkeypatch):
    monkeypatch.setattr(animation, "free_memory", lambda _: 2**20)
    with pytest.raises(InputError, match="100 frames of 48x40 need 0.0 GiB at once; ask for fewer"):
        film(frames=100)
