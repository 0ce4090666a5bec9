import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from innersr.errors import KernelError
from innersr.physics.kernels import (
    CONVENTIONS,
    box,
    centre_of_mass,
    delta,
    gaussian,
    in_convention,
    normalised,
    random_div2krk,
    random_mzsr,
    shape_of,
    shifted,
)
from innersr.physics.symmetries import SYMMETRIES, apply_symmetry

# Kernels are float32: each tap is within 6e-8 of itself, and coordinates are below 30.
SINGLE = 2e-6


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def angle_between(first, second):
    """Return the angle between two axes, which have no head."""
    return abs((first - second + math.pi / 2) % math.pi - math.pi / 2)


def lopsided():
    """Return a kernel without any symmetry, 6 x 9."""
    rows, columns = torch.arange(6.0)[:, None], torch.arange(9.0)[None, :]
    return normalised((rows + 1) * (columns + 2).sqrt() + (rows * columns % 4))


def test_a_delta_is_one_tap():
    assert delta().tolist() == [[1.0]]


def test_a_box_is_a_mean():
    assert torch.equal(box(2), torch.full((2, 2), 0.25))
    assert float(box(5).sum()) == pytest.approx(1, abs=SINGLE)
    with pytest.raises(KernelError, match="a width of at least 1, got 0"):
        box(0)


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 2, -0.5, 3.0])
@pytest.mark.parametrize(("long", "short"), [(4.0, 1.0), (9.0, 1.5), (1.3, 1.2)])
def test_a_gaussian_has_the_moments_asked_for(long, short, angle):
    shape = shape_of(gaussian(long, short, angle))
    # Cut at five standard deviations it lacks 2e-5 of its variance; sampling adds less.
    assert shape.long_variance == pytest.approx(long, rel=1e-4)
    assert shape.short_variance == pytest.approx(short, rel=1e-4)
    assert angle_between(shape.angle, angle) < 1e-3


def test_one_variance_is_a_round_gaussian():
    kernel = gaussian(1.7)
    assert kernel.shape == (15, 15)  # 5 * sqrt(1.7) = 6.5 pixels each way
    assert all(torch.equal(kernel, apply_symmetry(kernel, k)) for k in SYMMETRIES)
    assert shape_of(kernel).long_variance == pytest.approx(1.7, rel=1e-4)


def test_angles_turn_from_the_row_axis_downwards():
    kernel = gaussian(8.0, 0.5, math.pi / 4, size=9)
    assert kernel[7, 7] > 100 * kernel[1, 7]  # below and right is on the long axis, above and right is not
    flat = gaussian(8.0, 0.5, size=9)
    assert flat[4, 7] > 100 * flat[7, 4]


@pytest.mark.parametrize(("size", "angle"), [(21, -0.5), (12, 0.8)])
def test_a_gaussian_is_a_sampled_normal_density(size, angle):
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    density = multivariate_normal(np.zeros(2), turn @ np.diag([4.0, 1.0]) @ turn.T)
    axis = np.arange(size) - (size - 1) / 2
    x, y = np.meshgrid(axis, axis)
    expected = density.pdf(np.stack([x, y], axis=-1))
    expected /= expected.sum()
    assert np.abs(gaussian(4.0, 1.0, angle, size=size).numpy() - expected).max() < 1e-8


@pytest.mark.parametrize(("variance", "across"), [(0.0, None), (-1.0, None), (1.0, 0.0), (math.nan, 1.0)])
def test_the_variances_of_a_gaussian_are_positive(variance, across):
    with pytest.raises(KernelError, match="a Gaussian kernel needs positive variances, got"):
        gaussian(variance, across)


@pytest.mark.parametrize("size", [0, -3])
def test_a_gaussian_size_below_one_is_refused(size):
    with pytest.raises(KernelError, match=f"a size of at least 1, got {size}"):
        gaussian(1.0, size=size)


@pytest.mark.parametrize("scale", [2.0, 4.0])
def test_mzsr_kernels_keep_to_the_papers_ranges(scale):
    generator = seeded(0)
    shapes = [shape_of(random_mzsr(generator, scale, size=41)) for _ in range(60)]
    long = [shape.long_variance for shape in shapes]
    # The array of 41 holds all but 1e-4 of the widest one's variance.
    assert min(shape.short_variance for shape in shapes) > 1 - 1e-3
    assert max(long) < 2.5 * scale + 1e-3
    # 60 draws of U(1, 2.5 s) miss its upper or lower fifth once in half a million seeds.
    assert min(long) < 1 + (2.5 * scale - 1) / 5
    assert max(long) > 1 + (2.5 * scale - 1) * 4 / 5
    angles = [shape.angle for shape in shapes]
    assert min(angles) < 0.2 * math.pi
    assert max(angles) > 0.8 * math.pi
    assert random_mzsr(generator, scale).shape == (15, 15)


def test_div2krk_kernels_keep_to_the_papers_ranges():
    generator = seeded(0)
    drawn = [random_div2krk(generator) for _ in range(60)]
    assert all(kernel.shape == (11, 11) for kernel in drawn)
    assert all(abs(float(kernel.sum()) - 1) < SINGLE and kernel.min() >= 0 for kernel in drawn)
    shapes = [shape_of(kernel) for kernel in drawn]
    # The noise of the taps moves a second moment by up to a tenth.
    assert 0.5 < min(shape.short_variance for shape in shapes) < 1.2
    assert 4 < max(shape.long_variance for shape in shapes) < 5.5


def test_div2krk_noise_is_at_most_a_quarter_of_each_tap():
    # Opposite taps of a Gaussian are equal, so that their ratio is that of two factors.
    ratios = [kernel / kernel.flip(0, 1) for kernel in (random_div2krk(seeded(k)) for k in range(30))]
    largest = max(float(ratio.nan_to_num(1).max()) for ratio in ratios)
    assert 1.5 < largest < 1.25 / 0.75 + 1e-3


@pytest.mark.parametrize("draw", [lambda g: random_mzsr(g, 2.0), random_div2krk])
def test_a_seed_draws_the_same_kernel_again(draw):
    assert torch.equal(draw(seeded(3)), draw(seeded(3)))
    assert not torch.equal(draw(seeded(3)), draw(seeded(4)))


def test_a_normalised_kernel_sums_to_one_in_float32():
    kernel = normalised(torch.arange(12, dtype=torch.int64).reshape(3, 4))
    assert kernel.dtype == torch.float32
    assert float(kernel[2, 3]) == pytest.approx(11 / 66, rel=1e-6)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (torch.ones(3), r"has two axes, got shape \(3,\)"),
        (torch.ones(0, 3), r"has two axes, got shape \(0, 3\)"),
        (torch.tensor([[1.0, math.nan]]), "values that are not finite"),
        (torch.tensor([[1.0, math.inf]]), "values that are not finite"),
        (torch.tensor([[0.5, -1.0]]), "a positive sum, got -0.5"),
        (torch.zeros(3, 3), "a positive sum, got 0"),
    ],
)
def test_an_array_that_is_no_kernel_is_refused(kernel, message):
    with pytest.raises(KernelError, match=message):
        normalised(kernel)


def test_the_centre_of_mass_is_a_row_and_a_column():
    kernel = torch.zeros(5, 7)
    kernel[1, 2], kernel[4, 6] = 0.75, 0.25
    assert centre_of_mass(kernel) == pytest.approx((1.75, 3.0), abs=1e-12)


def test_the_shape_of_two_taps_is_a_line():
    kernel = torch.zeros(5, 5)
    kernel[0, 4] = kernel[4, 0] = 0.5  # up and right: the angle is negative, that is 3/4 pi
    shape = shape_of(kernel)
    assert shape.long_variance == pytest.approx(8.0)
    assert shape.short_variance == pytest.approx(0.0, abs=1e-12)
    assert shape.angle == pytest.approx(0.75 * math.pi)


def test_the_shape_is_independent_of_the_sum_of_the_taps():
    assert shape_of(lopsided() * 7) == pytest.approx(tuple(shape_of(lopsided())), rel=1e-6)


@pytest.mark.parametrize("move", [(0.0, 0.0), (0.5, -0.5), (-0.3, 0.9), (1.0, -1.0)])
def test_a_shift_moves_the_centre_of_mass_by_just_that_much(move):
    kernel = lopsided()
    moved = shifted(kernel, *move)
    assert moved.shape == (10, 13)
    assert float(moved.sum()) == pytest.approx(1, abs=SINGLE)
    before, after = centre_of_mass(kernel), centre_of_mass(moved)
    assert after == pytest.approx((before[0] + 2 + move[0], before[1] + 2 + move[1]), abs=SINGLE)


def test_a_shift_keeps_the_shape():
    # Keys' kernel has a second moment of zero about the point it interpolates at.
    assert shape_of(shifted(lopsided(), 0.4, -0.7)) == pytest.approx(tuple(shape_of(lopsided())), abs=1e-5)


def test_a_whole_shift_moves_every_tap():
    kernel = lopsided()
    assert torch.equal(shifted(kernel, 1.0, -1.0)[3:9, 1:10], kernel)


def test_a_shift_of_more_than_a_pixel_is_refused():
    with pytest.raises(KernelError, match=r"at most 1 pixel, got 0 and 1.5; move the anchor"):
        shifted(lopsided(), 0.0, 1.5)


@pytest.mark.parametrize("scale", [2.0, 3.0, 4.0, 2.5])
@pytest.mark.parametrize(
    "kernel",
    [gaussian(1.0), gaussian(4.0, 1.0, -0.5, size=21), gaussian(2.0, size=12), lopsided(), delta()],
    ids=["round", "turned", "even", "lopsided", "delta"],
)
def test_the_centre_of_mass_lies_where_each_convention_says(kernel, scale):
    places = {"centred": 0.0, "kernelgan": (scale - 1) / 2, "fkp": -(scale - 1) / 2}
    assert set(places) == set(CONVENTIONS)
    for convention, place in places.items():
        moved = in_convention(kernel, convention, scale)
        side = moved.shape[0]
        assert moved.shape == (side, side)
        assert side % 2 == 1
        assert float(moved.sum()) == pytest.approx(1, abs=SINGLE)
        middle = side // 2
        assert centre_of_mass(moved) == pytest.approx((middle + place, middle + place), abs=1e-5)
        # Without the angle, which a round kernel does not have.
        assert shape_of(moved)[:2] == pytest.approx(shape_of(kernel)[:2], abs=1e-4)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_kernel_with_its_mass_in_a_corner_keeps_every_tap(convention):
    kernel = torch.zeros(21, 31)
    kernel[0, 0], kernel[20, 30] = 0.1, 0.9
    moved = in_convention(kernel, convention, 2.0)
    assert float(moved.sum()) == pytest.approx(1, abs=SINGLE)
    assert shape_of(moved) == pytest.approx(tuple(shape_of(kernel)), abs=1e-3)


def test_a_convention_is_undone_where_the_move_is_whole():
    kernel = gaussian(4.0, 1.0, 0.3, size=15)
    back = in_convention(in_convention(kernel, "kernelgan", 3.0), "centred", 3.0)
    margin = (back.shape[0] - 15) // 2
    assert (back[margin:-margin, margin:-margin] - kernel).abs().max() < SINGLE


def test_mirror_images_get_arrays_of_one_size():
    kernel = in_convention(gaussian(1.5), "kernelgan", 2.0)
    sides = {in_convention(apply_symmetry(kernel, k), "centred", 2.0).shape for k in SYMMETRIES}
    assert len(sides) == 1


def test_an_unknown_convention_is_refused():
    with pytest.raises(KernelError, match="unknown kernel convention 'matlab'; use one of centred, kernelgan, fkp"):
        in_convention(delta(), "matlab", 2.0)
