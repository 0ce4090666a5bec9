import dataclasses
import inspect

import numpy as np
import pytest
import torch

from helpers.singan import RUN, picture, tiny
from innersr.errors import Cancelled, InputError
from innersr.metrics.patch_distance import patch_distance
from innersr.physics.resize import resize
from innersr.singan.model import PictureModel
from innersr.singan.patch_matching import (
    PatchMatching,
    _patch_projector,
    _to_quantiles,
    _with_adjoint,
    colour_axes,
    match_patches,
    random_projections,
)
from innersr.singan.patch_model import PatchModel, _grainy_noise, patch_model

QUICK = PatchMatching(first_steps=6, steps=3, projections=16)


def model(channels=3, matching=QUICK, sides=(20, 24), **settings):
    return patch_model([picture(channels, sides)], tiny(**settings), matching, RUN)


def smooth(sides):
    """A picture of which every scale has something."""
    return resize(picture(3, (sides[0] // 4, sides[1] // 4)), size=sides).clamp(-1, 1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


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


def test_samples_have_the_size_and_range_of_the_picture():
    x = model().sample(2, run=RUN)
    assert x.shape == (2, 3, 20, 24)
    assert x.dtype == torch.float32
    assert -1 <= float(x.min()) < float(x.max()) <= 1


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_number_of_bands_is_sampled(channels):
    assert model(channels).sample(run=RUN).shape == (1, channels, 20, 24)


def test_a_seed_repeats_its_samples_whatever_their_number():
    made = model()
    three = made.sample(3, run=RUN)
    assert torch.equal(made.sample(2, run=RUN), three[:2])
    assert not torch.equal(three[0], three[1])
    assert not torch.equal(made.sample(run=with_seed(4)), three[:1])


def test_matching_brings_the_patches_of_noise_near_to_those_of_the_picture():
    real = picture(3, (40, 48))
    start = 0.3 * torch.randn(1, 3, 40, 48, generator=seeded())
    made = match_patches(start, [real], PatchMatching(), steps=60, wraps=(False, False), generator=seeded(), run=RUN)
    before, after = (patch_distance((x.clamp(-1, 1) + 1) / 2, (real + 1) / 2) for x in (start, made))
    assert after < 0.6 * before


def test_the_picture_itself_stays_nearly_as_it_is():
    # All patches are compared, so that its quantiles are its own: nothing is asked for.
    real = picture(3, (20, 24))
    made = match_patches(real, [real], PatchMatching(), steps=5, wraps=(False, False), generator=seeded(), run=RUN)
    assert torch.allclose(made, real, atol=1e-5)


def test_colours_of_a_part_spread_over_a_result_of_another_size():
    # Values of two pictures together: half of the result becomes bright, half dark.
    dark, bright = torch.full((1, 1, 20, 20), -0.5), torch.full((1, 1, 20, 20), 0.5)
    start = 0.1 * torch.randn(1, 1, 26, 17, generator=seeded())
    matching = PatchMatching(patch=1, projections=4)
    made = match_patches(start, [dark, bright], matching, steps=30, wraps=(False, False), generator=seeded(), run=RUN)
    assert float((made > 0).float().mean()) == pytest.approx(0.5, abs=0.01)
    assert float((made.abs() - 0.5).abs().mean()) < 0.01


@pytest.mark.parametrize("size", [(20, 24), (11, 40), (33, 15)])
def test_samples_have_any_size(size):
    assert model().sample(size=size, run=RUN).shape == (1, 3, *size)


def test_samples_that_wrap_go_on_at_their_other_side():
    made = patch_model([smooth((40, 48))], tiny(max_size=48), PatchMatching(first_steps=20, steps=20), RUN)
    open_ended, joined = (made.sample(wrap=wrap, run=RUN) for wrap in ("", "x"))
    # Over six seeds 1.4 to 1.9, as at the steepest column inside, and 4.5 to 6.4.
    assert seam(joined) < 2.5 < 4 < seam(open_ended)


def test_more_of_the_picture_stays_where_samples_begin_at_finer_scales():
    made = patch_model([smooth((20, 24))], tiny(), QUICK, RUN)
    errors = [
        float((made.sample(start=start, run=RUN) - made.reconstruct()).square().mean())
        for start in range(len(made.pyramids[0]))
    ]
    assert max(errors[1:]) < 0.75 * errors[0]


def test_the_reconstruction_is_the_picture_at_the_scale():
    made = model()
    assert torch.equal(made.reconstruct(), made.pyramids[0][-1])
    assert torch.equal(made.reconstruct(), picture())
    first = made.reconstruct(scales=1)
    assert torch.equal(first, resize(made.pyramids[0][0], size=made.sizes[0][1]).clamp(-1, 1))
    assert made.reconstruct(scales=0).shape[-2:] == made.sizes[0][0]


def test_sizes_are_those_of_a_learnt_model():
    made = model()
    learned = PictureModel(settings=tiny(), sizes=made.sizes, channels=3)
    assert (made.size, made.channels, made.device, made.is_complete) == ((20, 24), 3, torch.device("cpu"), True)
    assert made.sizes_for((30, 50)) == learned.sizes_for((30, 50))


def stripes(sides, middle):
    """A picture of one value in the middle half of its columns, and its negative beside."""
    x = torch.full((1, 3, *sides), -float(middle))
    x[..., sides[1] // 4 : sides[1] * 3 // 4] = middle
    return x


def test_what_is_put_in_keeps_its_size_and_its_layout():
    # A bright stripe on dark is learned, a dark one on bright is put in: both have edges of both directions.
    subject = stripes((20, 24), 0.6) + 0.3 * smooth((20, 24))
    made = patch_model([subject], tiny(), PatchMatching(first_steps=20, steps=10), RUN)
    given = stripes((22, 32), -0.6)
    result = made.inject(given, 2, run=RUN)
    assert result.shape == given.shape
    middle, beside = result[..., 8:24].mean(), torch.cat([result[..., :8], result[..., 24:]], dim=-1).mean()
    assert float(beside) > float(middle) + 0.5
    assert torch.equal(result, made.inject(given, 2, run=RUN))
    assert not torch.equal(result, made.inject(given, 2, run=RUN, index=1))


def test_several_pictures_are_one_subject():
    pictures = [picture(1, (20, 24)) * 0.2 - 0.6, picture(1, (24, 20)) * 0.2 + 0.6]
    made = patch_model(pictures, tiny(), PatchMatching(first_steps=30, steps=20, layout=0), RUN)
    assert made.sizes[1][-1] == (24, 20)
    x = made.sample(run=RUN)
    assert float(x.max()) > 0.3 > -0.3 > float(x.min())


def test_quantiles_of_equal_counts_are_taken_in_order():
    line, goal = torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([[30.0, 20.0, 10.0]])
    assert (line + _to_quantiles(line, goal)).tolist() == [[30.0, 10.0, 20.0]]


def test_quantiles_of_different_counts_are_interpolated():
    line = torch.tensor([[3.0, 1.0, 2.0, 0.0]])
    goal = torch.tensor([[0.0, 1.0]])
    # The quantiles 1/8, 3/8, 5/8, 7/8 between those of 1/4 and 3/4.
    assert (line + _to_quantiles(line, goal)).tolist() == [[1.0, 0.25, 0.75, 0.0]]


def test_directions_have_unit_length_and_half_are_local_contrasts():
    axes = torch.linalg.qr(torch.randn(3, 3, generator=seeded()))[0]
    kernels = random_projections(40, 7, axes, seeded())
    assert torch.allclose(kernels.flatten(1).norm(dim=1), torch.ones(40), atol=1e-6)
    contrasts = kernels[:20]
    assert torch.allclose(contrasts.sum(dim=(2, 3)), torch.zeros(20, 3), atol=1e-5)
    sides = {int((row != 0).any(dim=0).any(dim=0).sum()) for row in contrasts}
    assert sides == {3, 5}
    # Each along one colour axis: a matrix of rank 1 over (colours, places).
    assert float(torch.linalg.svdvals(contrasts.flatten(2))[:, 1:].max()) < 1e-5


@pytest.mark.parametrize("side", [1, 2])
def test_patches_too_small_for_contrasts_have_directions_too(side):
    assert torch.allclose(random_projections(6, side, torch.eye(2), seeded()).flatten(1).norm(dim=1), torch.ones(6))


def testcolour_axes_are_the_principal_ones():
    x = torch.randn(1, 3, 20, 20, generator=seeded()) * torch.tensor([1.0, 3.0, 2.0]).view(1, 3, 1, 1)
    covariance = np.cov(x[0].flatten(1).numpy())
    axes = colour_axes([x]).numpy()
    rotated = axes @ covariance @ axes.T
    assert np.allclose(rotated, np.diag(np.diag(rotated)), atol=1e-4)
    assert colour_axes([x[:, :1]]).abs().tolist() == [[1.0]]


@pytest.mark.parametrize("wraps", [(False, False), (True, False), (True, True)])
def test_wishes_go_back_to_the_pixels_that_were_looked_at(wraps):
    x, kernels = torch.randn(1, 2, 13, 17, generator=seeded()), torch.randn(3, 2, 5, 5, generator=seeded(1))
    maps, adjoint = _with_adjoint(_patch_projector((13, 17), 5, 40, seeded(2), wraps), x, kernels)
    wishes = torch.randn(maps.shape, generator=seeded(3))
    assert float((maps * wishes).sum()) == pytest.approx(float((x * adjoint(wishes)).sum()), rel=1e-4)


def test_a_wrapping_axis_has_a_patch_at_every_place():
    x, kernels = torch.randn(1, 1, 9, 11, generator=seeded()), torch.ones(1, 1, 7, 7)
    assert _patch_projector((9, 11), 7, 1000, seeded())(x, kernels).shape == (1, 1, 3, 5)
    assert _patch_projector((9, 11), 7, 1000, seeded(), (True, True))(x, kernels).shape == (1, 1, 9, 11)


def test_large_pictures_are_thinned_by_half_a_patch_at_most():
    x, kernels = torch.zeros(1, 1, 103, 103), torch.ones(1, 1, 7, 7)
    assert _patch_projector((103, 103), 7, 10**6, seeded())(x, kernels).numel() == 97 * 97
    least = _patch_projector((103, 103), 7, 1, seeded())(x, kernels).numel()
    assert least in {24 * 24, 24 * 25, 25 * 25}  # every fourth row and column


@pytest.mark.parametrize("wraps", [(False, False), (True, True)])
def test_noise_is_smooth_and_of_variance_1(wraps):
    noise = _grainy_noise(seeded(), (40, 60), 4, wraps)
    assert float(noise.mean()) == pytest.approx(0, abs=1e-6)
    assert float(noise.std()) == pytest.approx(1, abs=1e-6)
    assert float(noise.diff(dim=-1).std()) < 0.7  # independent values would differ by sqrt(2)


def test_sampling_can_be_cancelled_within_a_sample():
    correction = []

    def cancelled():
        correction.append(True)
        return len(correction) > 5

    with pytest.raises(Cancelled):
        model().sample(run=dataclasses.replace(RUN, cancelled=cancelled))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda made: made.sample(start=9, run=RUN), "the start scale must be from 0, the coarsest, to 3, got 9"),
        (lambda made: made.sample(wrap="z", run=RUN), "wrap must be x, y or xy, got 'z'"),
        (lambda made: made.sample(size=(5, 40), run=RUN), "at least 11x11 pixels, got 40x5"),
        (lambda _: PatchMatching(steps=0), "must be 1 at least"),
        (lambda _: PatchMatching(noise=-1), "must be 0 or positive"),
        (lambda _: patch_model([picture(3, (8, 9))], tiny(), QUICK, RUN), "smaller than the coarsest scale"),
    ],
)
def test_what_cannot_be_done_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(model())


@pytest.mark.parametrize("change", [{"momentum": 1.0}, {"last_rate": 0.0}, {"least_coverage": 1.5}])
def test_rates_out_of_their_range_are_refused(change):
    with pytest.raises(InputError, match="last_rate and least_coverage above 0"):
        PatchMatching(**change)
