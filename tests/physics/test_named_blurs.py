"""Blurs of lenses and movements."""

import math

import pytest
import torch

from innersr.physics import kernels


@pytest.mark.parametrize("radius", [4.2, 7.5])
def test_a_disk_is_round_and_as_wide_as_its_radius(radius):
    disk = kernels.disk(radius)
    assert torch.allclose(disk, disk.mT) and torch.allclose(disk, disk.flip(0))
    pixel = 1 / 12  # variance of a pixel, which the shape is averaged over
    assert kernels.shape_of(disk).long_variance == pytest.approx(radius**2 / 4 + pixel, rel=0.02)


def test_the_narrowest_disk_is_one_pixel():
    assert kernels.disk(0.5).tolist() == [[1]]


def test_a_movement_is_a_line_of_its_length_and_angle():
    shape = kernels.shape_of(kernels.motion(9.0, math.radians(30)))
    assert shape.long_variance == pytest.approx(81 / 12 + 1 / 12, rel=0.02)
    assert shape.short_variance == pytest.approx(1 / 12 + 1 / 12, abs=0.02)
    assert math.degrees(shape.angle) == pytest.approx(30, abs=0.5)


def test_impossible_blurs_are_refused():
    for make, message in [(lambda: kernels.disk(0.1), "radius from 0.5"), (lambda: kernels.motion(0.5, 0), "length")]:
        with pytest.raises(kernels.KernelError, match=message):
            make()
