"""Energies of the border and of oblique high frequencies, against what they are by hand."""

import math

import pytest
import torch

from innersr.errors import InputError
from innersr.metrics.energies import gradient_energies, oblique_energy


def waves(down, across, sides=(96, 120)):
    """Return (1, 1, *sides): a plane wave of amplitude 0.1 with so many cycles per pixel along each axis."""
    rows, columns = (torch.arange(n, dtype=torch.float64) for n in sides)
    return 0.5 + 0.1 * torch.cos(2 * math.pi * (down * rows[:, None] + across * columns))[None, None]


def test_a_frame_is_energy_of_the_border_alone():
    x = torch.full((1, 3, 40, 50), 0.4)
    x[..., :5, :] = 0.6  # a step of 0.2 in each of 50 columns
    border, interior = gradient_energies(x)
    neighbours = 39 * 50 + 40 * 49
    inner = 25 * 34 + 24 * 35  # at least one of the two among the 24x34 pixels inside
    assert float(interior) == 0
    assert float(border) == pytest.approx(50 * 0.2**2 / (neighbours - inner), rel=1e-5)


def test_a_texture_all_over_has_the_same_energy_everywhere():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(4, 3, 120, 120, generator=generator)
    border, interior = (energies.mean() for energies in gradient_energies(x))
    # Differences of independent values of variance 1/12; a few hundred thousand of them.
    assert float(border) == pytest.approx(2 / 12, rel=0.01)
    assert float(interior) == pytest.approx(2 / 12, rel=0.01)


def test_each_image_has_its_own_energy():
    x = torch.rand(3, 3, 40, 44, generator=torch.Generator().manual_seed(1))
    for whole, apart in zip(gradient_energies(x), zip(*map(gradient_energies, x.split(1)), strict=True), strict=True):
        assert torch.allclose(whole, torch.cat(apart))
    assert torch.allclose(oblique_energy(x), torch.cat([oblique_energy(one) for one in x.split(1)]))


@pytest.mark.parametrize(("down", "across", "share"), [(0.35, 0.4, 1), (0.35, 0.0, 0), (0.0, 0.45, 0), (0.1, 0.12, 0)])
def test_a_wave_counts_whole_where_it_is_oblique_and_fine(down, across, share):
    # The variance of a wave of amplitude 0.1 is 0.005.
    assert float(oblique_energy(waves(down, across))) == pytest.approx(0.005 * share, rel=0.02, abs=1e-6)


def test_white_noise_has_a_quarter_of_its_variance_there():
    x = 0.1 * torch.randn(6, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    assert float(oblique_energy(x).mean()) == pytest.approx(0.01 / 4, rel=0.03)


def test_oblique_energy_ignores_size_and_mean():
    small, large = oblique_energy(waves(0.3, 0.3)), oblique_energy(waves(0.3, 0.3, (200, 150)) + 0.2)
    assert float(small) == pytest.approx(float(large), rel=0.01)


def test_images_without_interior_are_refused():
    with pytest.raises(InputError, match="a border of 8 pixels leaves no interior in 40x17"):
        gradient_energies(torch.rand(1, 3, 17, 40))
    with pytest.raises(InputError, match="NaN"):
        oblique_energy(torch.full((1, 1, 20, 20), math.nan))
