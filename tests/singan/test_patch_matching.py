import numpy as np
import pytest
import torch

from helpers.singan import RUN, picture
from innersr.errors import InputError
from innersr.metrics.patch_distance import patch_distance
from innersr.singan.patch_matching import (
    PatchMatching,
    _patch_projector,
    _to_quantiles,
    _with_adjoint,
    colour_axes,
    match_patches,
    random_projections,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


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


def test_colour_axes_are_the_principal_ones():
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


@pytest.mark.parametrize("change", [{"momentum": 1.0}, {"last_rate": 0.0}, {"least_coverage": 1.5}])
def test_rates_out_of_their_range_are_refused(change):
    with pytest.raises(InputError, match="last_rate and least_coverage above 0"):
        PatchMatching(**change)


def test_counts_out_of_their_range_are_refused():
    with pytest.raises(InputError, match="projections and patches must be 1 at least"):
        PatchMatching(projections=0)
