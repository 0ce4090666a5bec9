import dataclasses
import inspect

import pytest
import torch

from helpers.singan import RUN, picture, tiny
from innersr.errors import Cancelled, InputError
from innersr.metrics.energies import oblique_energy
from innersr.physics.resize import resize
from innersr.singan.model import PictureModel
from innersr.singan.patches.model import PatchModel, patch_model
from innersr.singan.patches.settings import PatchSettings

STILL = PatchSettings(side=3, bend=0, noise=0)


def model(channels=3, search=None, sides=(20, 24), **settings):
    return patch_model(picture(channels, sides), tiny(**settings), search, RUN)


def smooth(sides):
    """A picture of which every scale has something."""
    return resize(picture(3, (sides[0] // 4, sides[1] // 4)), size=sides).clamp(-1, 1)


def with_seed(seed):
    return dataclasses.replace(RUN, seed=seed)


def seam(x):
    """Mean difference across the left and right border, in units of that between neighbours."""
    across = (x[..., 0] - x[..., -1]).abs().mean()
    return float(across / x.diff(dim=-1).abs().mean())


@pytest.mark.parametrize("name", ["sample", "inject", "reconstruct", "sizes_for", "check_start"])
def test_a_patch_model_is_called_as_a_learnt_model_is(name):
    own, learned = (inspect.signature(getattr(kind, name)) for kind in (PatchModel, PictureModel))
    assert own == learned


@pytest.mark.parametrize("pairs", [2**24, 0])
def test_without_bend_and_noise_the_picture_comes_back(pairs):
    # By comparing all patches, and from neighbour to neighbour.
    subject = smooth((40, 48))
    search = dataclasses.replace(STILL, pairs=pairs)
    made = patch_model(subject, tiny(max_size=48), search, RUN).sample(run=RUN)
    assert float((made - subject).abs().max()) < 0.02  # at the border, too, and 0.5 there without patches that cross it


def test_samples_vary_within_the_range_of_the_picture():
    made = model(sides=(40, 48), max_size=48)
    x = made.sample(3, run=RUN)
    assert x.shape == (3, 3, 40, 48)
    assert x.dtype == torch.float32
    assert made.pyramid[-1].min() - 1e-5 < x.min() < x.max() < made.pyramid[-1].max() + 1e-5
    assert float(x.std(dim=0).mean() / made.pyramid[-1].std()) > 0.25


def test_busy_and_plain_pictures_vary_alike():
    rows = torch.linspace(-1, 1, 40).view(1, 1, 40, 1).expand(1, 3, 40, 48)
    plain = torch.where(rows > 0, 0.8, -0.8)
    deviations = []
    for subject in (plain, smooth((40, 48))):
        drawn = patch_model(subject, tiny(max_size=48), run=RUN).sample(6, run=RUN)
        deviations.append(float(drawn.std(dim=0).mean() / subject.std()))
    assert 0.1 < min(deviations) < max(deviations) < 0.5  # 0.03 and 0.66 where both are bent by a tenth


def test_samples_keep_the_oblique_high_frequencies():
    # Fine grain on a smooth ground: neighbours rarely agree upon the grain, and the mean of many votes has none.
    grainy = (0.7 * smooth((40, 48)) + 0.3 * picture(3, (40, 48))).clamp(-1, 1)
    made = patch_model(grainy, tiny(max_size=48), run=RUN)
    assert float(oblique_energy(made.sample(6, run=RUN)).mean() / oblique_energy(grainy)) > 0.9


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_number_of_bands_is_sampled(channels):
    assert model(channels).sample(run=RUN).shape == (1, channels, 20, 24)


def test_a_seed_repeats_its_samples_whatever_their_number():
    made = model(search=PatchSettings(variety=0.8))
    three = made.sample(3, run=RUN)
    assert torch.equal(made.sample(2, run=RUN), three[:2])
    assert not torch.equal(three[0], three[1])
    assert not torch.equal(made.sample(run=with_seed(4)), three[:1])


@pytest.mark.parametrize("size", [(20, 24), (11, 40), (33, 15)])
def test_samples_have_any_size(size):
    assert model().sample(size=size, run=RUN).shape == (1, 3, *size)


@pytest.mark.parametrize("pairs", [2**24, 0])
def test_samples_that_wrap_go_on_at_their_other_side(pairs):
    made = patch_model(smooth((40, 48)), tiny(max_size=48), PatchSettings(pairs=pairs), RUN)
    open_ended, joined = (made.sample(wrap=wrap, run=RUN) for wrap in ("", "x"))
    assert open_ended.shape == joined.shape == (1, 3, 40, 48)
    assert seam(joined) < 2.5 < 3 < seam(open_ended)


def test_a_field_is_found_again_at_the_finer_scale():
    # The picture moved to the right by 8 pixels is put in; only neighbours search at the scale where it enters.
    subject = smooth((64, 80))
    made = patch_model(subject, tiny(max_size=80), dataclasses.replace(STILL, pairs=0), RUN)
    moved = torch.roll(subject, 8, dims=-1)
    result = made.inject(moved, 2, run=RUN)
    assert float((result - moved)[..., 12:-4].abs().mean()) < 0.03


def test_the_border_of_the_picture_does_not_enter_what_is_put_in():
    # A picture that is bright at its upper border only: a ridge, bright in the middle, is only where that is mirrored.
    rows = torch.arange(40).view(1, 1, 40, 1).expand(1, 1, 40, 48)
    bright, ridge = (2 * (-(rows - top).abs() / 2).exp() - 1 for top in (0, 20))
    drawn = patch_model(bright, tiny(max_size=48), run=RUN).inject(ridge, 4, run=RUN)
    assert float((drawn - ridge)[..., 12:28, :].abs().mean()) > 0.2  # and 0.02 where the ridge has its like


def test_more_of_the_picture_stays_where_samples_begin_at_finer_scales():
    made = patch_model(smooth((40, 48)), tiny(max_size=48), PatchSettings(variety=0.8), RUN)
    errors = [float((made.sample(2, start=start, run=RUN) - made.reconstruct()).square().mean()) for start in (0, 3, 4)]
    assert errors[-1] < 0.5 * errors[0]
    assert errors[-2] < 0.8 * errors[0]


def test_horizons_stay_level_and_sky_stays_above():
    sky, ground = 0.2 * picture(3, (40, 48)) + 0.6, 0.2 * picture(3, (40, 48), seed=9) - 0.6
    rows = torch.arange(40).view(1, 1, 40, 1)
    drawn = patch_model(torch.where(rows < 18, sky, ground), tiny(max_size=48), run=RUN).sample(6, run=RUN)
    bright = drawn.mean(dim=1) > 0
    horizons = bright.sum(dim=1).float()  # (6, 48), rows of sky in every column
    assert float((bright.int().diff(dim=1) > 0).float().sum()) == 0  # no sky below ground
    assert float(horizons.std(dim=1).mean()) < 1  # of tilted ones 2 to 4
    assert float(horizons.mean(dim=1).std()) > 2  # but from sample to sample they move


def test_the_reconstruction_is_the_picture_at_the_scale():
    made = model()
    assert torch.equal(made.reconstruct(), made.pyramid[-1])
    assert torch.equal(made.reconstruct(), picture())
    first = made.reconstruct(scales=1)
    assert torch.equal(first, resize(made.pyramid[0], size=made.sizes[0][1]).clamp(-1, 1))
    assert made.reconstruct(scales=0).shape[-2:] == made.sizes[0][0]


def test_sizes_are_those_of_a_learnt_model():
    made = model()
    learned = PictureModel(settings=tiny(), sizes=made.sizes, channels=3)
    assert (made.size, made.channels, made.device, made.is_complete) == ((20, 24), 3, torch.device("cpu"), True)
    assert made.sizes_for((30, 50)) == learned.sizes_for((30, 50))


def test_sampling_can_be_cancelled_within_a_sample():
    asked = []

    def cancelled():
        asked.append(True)
        return len(asked) > 5

    with pytest.raises(Cancelled):
        model().sample(run=dataclasses.replace(RUN, cancelled=cancelled))


def test_after_the_time_limit_every_scale_searches_once():
    asked = []
    late = dataclasses.replace(RUN, time_limit=1e-9, cancelled=lambda: bool(asked.append(True))).start()
    made = model()
    assert made.sample(run=late).shape == (1, 3, 20, 24)
    assert len(asked) == 1 + len(made.pyramid)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda made: made.sample(start=9, run=RUN), "the start scale must be from 0, the coarsest, to 3, got 9"),
        (lambda made: made.sample(wrap="z", run=RUN), "wrap must be x, y, xy or yx, got 'z'"),
        (lambda made: made.sample(size=(5, 40), run=RUN), "at least 11x11 pixels, got 40x5"),
        (lambda made: made.reconstruct(picture=1), "of one picture, 0, got 1"),
        (lambda _: PatchSettings(side=4), "side must be odd"),
        (lambda _: PatchSettings(searches=0), "must be 1 at least"),
        (lambda _: PatchSettings(variety=-1), "bend, noise, sway and height must be 0 or positive"),
        (lambda _: PatchSettings(noise=-1), "must be 0 or positive"),
        (lambda _: PatchSettings(unused=0.5), "unused must be 1 at least, got 0.5"),
        (lambda _: PatchSettings(quota=0.5), "quota must be 1 at least, got 0.5"),
        (lambda _: PatchSettings(foreign=float("nan")), "foreign must be 0 or positive, got nan"),
        (lambda _: patch_model(picture(3, (8, 9)), tiny(), run=RUN), "smaller than the coarsest scale"),
    ],
)
def test_what_cannot_be_done_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(model())
