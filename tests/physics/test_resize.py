import math
from pathlib import Path

import numpy as np
import pytest
import torch

from innersr.errors import InputError
from innersr.physics.resize import BLOCK, _blocks, as_pair, cut, grids, output_size, reflect, resize, resize_adjoint

FAR = 200  # samples beyond the image that no test reads past
EXACT = 1e-12  # float64: the same sums of some ten terms near 1, in another order

# Computed by `imresize` of BasicSR 8d56e3a (basicsr/utils/matlab_functions.py, Apache-2.0), a port that was
# checked against MATLAB, from `waves`. Its torch.FloatTensor and .float() were replaced by the double ones.
with np.load(Path(__file__).parents[1] / "data" / "imresize.npz") as archive:
    IMRESIZE = dict(archive)
CASES = {
    "11x13 * 0.4": (11, 13, 0.4),
    "17x10 * 0.3333": (17, 10, 1 / 3),
    "7x9 * 2.5": (7, 9, 2.5),
    "12x12 * 1.5": (12, 12, 1.5),
    "15x11 * 0.5": (15, 11, 0.5),
    "6x8 * 2": (6, 8, 2),
    "5x7 * 3": (5, 7, 3),
    "18x19 * 0.25": (18, 19, 0.25),
    "13x16 * 0.7": (13, 16, 0.7),
    "9x5 * 1.1": (9, 5, 1.1),
}


def waves(height, width):
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    return torch.from_numpy(0.5 + 0.3 * np.sin(1.3 * rows + 0.7 * columns) + 0.2 * np.cos(0.9 * rows * columns))


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def keys_cubic(distance):
    """Return W of Keys 1981, eq. 15, written from the paper, one number at a time."""
    d = abs(distance)
    if d < 1:
        return 3 / 2 * d**3 - 5 / 2 * d**2 + 1
    return -1 / 2 * d**3 + 5 / 2 * d**2 - 4 * d + 2 if d < 2 else 0.0


def resampled_row(row, scale, length, phase, antialias=True, mode="symmetric"):
    """Return the samples of a row, one weighted mean after the other: no blocks and no matrices."""
    shrink = min(1.0, scale) if antialias else 1.0
    reach = math.ceil(2 / shrink) + 2
    padded = np.pad(row, FAR, mode=mode)
    result = []
    for i in range(length):
        centre = i / scale + phase
        taps = range(math.floor(centre) - reach, math.floor(centre) + reach + 1)
        weights = np.array([keys_cubic((centre - k) * shrink) for k in taps])
        values = np.array([padded[k + FAR] for k in taps])
        result.append(float(weights @ values) / weights.sum())
    return torch.tensor(result, dtype=torch.float64)


@pytest.mark.parametrize("name", CASES)
def test_resize_is_matlabs_imresize(name):
    height, width, scale = CASES[name]
    expected = torch.from_numpy(IMRESIZE[name])
    resized = resize(waves(height, width), scale)
    assert resized.shape == expected.shape
    assert (resized - expected).abs().max() < EXACT
    # Single precision keeps 24 bits of sums of some 100 products below 2.
    assert (resize(waves(height, width).float(), scale) - expected).abs().max() < 2e-6


def test_resize_without_antialiasing_is_matlabs_too():
    expected = torch.from_numpy(IMRESIZE["11x13 * 0.4 points"])
    assert (resize(waves(11, 13), 0.4, antialias=False) - expected).abs().max() < EXACT


@pytest.mark.parametrize("scale", [0.93, 1.0, 1.7])
def test_blocks_leave_no_seam(scale):
    row = noise(300).numpy()
    length = math.ceil(300 * scale)
    assert length > 2 * BLOCK
    phase = (1 / scale - 1) / 2
    resized = resize(torch.from_numpy(row).expand(2, 300), (1.0, scale))
    assert (resized[1] - resampled_row(row, scale, length, phase)).abs().max() < EXACT
    upright = resize(torch.from_numpy(row)[:, None], (scale, 1.0))
    assert (upright[:, 0] - resampled_row(row, scale, length, phase)).abs().max() < EXACT


@pytest.mark.parametrize("scale", [0.13, 1 / 3, 0.8, 3.3])
@pytest.mark.parametrize("phase", [-1.75, 0.0, 2.3])
@pytest.mark.parametrize("antialias", [True, False])
def test_output_i_is_the_mean_around_i_over_scale_plus_phase(scale, phase, antialias):
    row = noise(23).numpy()
    resized = resize(torch.from_numpy(row)[None], (1.0, scale), size=(1, 19), phase=(0.0, phase), antialias=antialias)
    assert (resized[0] - resampled_row(row, scale, 19, phase, antialias)).abs().max() < EXACT


def test_the_border_is_reflected_as_often_as_the_kernel_needs():
    # At x0.1 the kernel is 40 wide: it sees this row of 3 mirrored some seven times each way.
    row = np.array([0.2, 0.9, 0.4])
    resized = resize(torch.from_numpy(row)[None], (1.0, 0.1))
    assert resized.shape == (1, 1)
    assert abs(float(resized) - float(resampled_row(row, 0.1, 1, 4.5))) < EXACT
    assert reflect(torch.arange(-4, 7), 3).tolist() == [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]


@pytest.mark.parametrize("scale", [0.13, 1 / 3, 0.8, 1.0, 3.3])
@pytest.mark.parametrize("phase", [-41.75, 0.0, 30.3])
@pytest.mark.parametrize("antialias", [True, False])
def test_a_wrapped_axis_goes_on_at_its_other_end(scale, phase, antialias):
    row = noise(23).numpy()
    expected = resampled_row(row, scale, 19, phase, antialias, mode="wrap")
    row = torch.from_numpy(row)
    arguments = {"antialias": antialias}
    across = resize(row[None], (1.0, scale), size=(1, 19), phase=(0.0, phase), wrap=(False, True), **arguments)
    down = resize(row[:, None], (scale, 1.0), size=(19, 1), phase=(phase, 0.0), wrap=(True, False), **arguments)
    assert (across[0] - expected).abs().max() < EXACT
    assert (down[:, 0] - expected).abs().max() < EXACT


def test_the_period_is_repeated_as_often_as_the_kernel_needs():
    row = np.array([0.2, 0.9, 0.4])
    resized = resize(torch.from_numpy(row)[None], (1.0, 0.1), wrap=(True, True))
    assert abs(float(resized) - float(resampled_row(row, 0.1, 1, 4.5, mode="wrap"))) < EXACT


@pytest.mark.parametrize("scale", [0.93, 1.7])
def test_blocks_that_cross_the_seam_leave_none(scale):
    row = noise(300).numpy()
    length = math.ceil(300 * scale)
    for phase in (-170.3, 0.0, 150.6):
        resized = resize(torch.from_numpy(row)[None], (1.0, scale), phase=(0.0, phase), wrap=(True, True))
        assert (resized[0] - resampled_row(row, scale, length, phase, mode="wrap")).abs().max() < EXACT


def test_a_block_that_crosses_the_seam_reads_no_more_than_the_others():
    rows, _ = grids((4000, 1), 2.0, size=None, phase=(-700.0, 0.0), antialias=True, wrap=(True, True))
    blocks = _blocks(rows)
    assert any(block.in_stop > 4000 for block in blocks)
    # Half a block, and the cubic's taps.
    assert all(block.weights.shape[1] < BLOCK / 2 + 8 for block in blocks)


def test_an_axis_that_does_not_wrap_is_reflected():
    x = noise(14, 11)
    assert torch.equal(resize(x, (0.6, 1.0), wrap=(False, True)), resize(x, (0.6, 1.0)))
    assert torch.equal(resize(x, (1.0, 2.2), wrap=(True, False)), resize(x, (1.0, 2.2)))


@pytest.mark.parametrize("scale", [2, 3, 1.5, 0.5, 0.75, (0.5, 3)])
def test_a_wrapped_image_may_begin_anywhere(scale):
    x = noise(12, 24)
    vertical, horizontal = as_pair(scale)
    rolled = resize(x.roll((4, -8), dims=(0, 1)), scale, wrap=(True, True))
    expected = resize(x, scale, wrap=(True, True)).roll((round(4 * vertical), round(-8 * horizontal)), dims=(0, 1))
    assert (rolled - expected).abs().max() < EXACT


def test_a_whole_phase_rolls_a_wrapped_image():
    x = noise(9, 12)
    assert torch.equal(resize(x, 1.0, phase=(2.0, -3.0), wrap=(True, True)), x.roll((-2, 3), dims=(0, 1)))
    assert torch.equal(resize(x, 1.0, wrap=(True, True)), x)


@pytest.mark.parametrize("shrink", [2, 3, 4])
def test_periodic_waves_stay_waves_across_the_seam(shrink):
    # Every output reads the same symmetric taps, so that the wave comes out in phase, times the kernel's response.
    frequency = 2 * math.pi * 5 / 48
    wave = torch.sin(frequency * torch.arange(48, dtype=torch.float64))
    taps = [k - (shrink - 1) / 2 for k in range(-2 * shrink, 3 * shrink)]
    weights = [keys_cubic(tap / shrink) for tap in taps]
    response = sum(w * math.cos(frequency * tap) for w, tap in zip(weights, taps, strict=True)) / sum(weights)
    expected = response * torch.sin(frequency * (shrink * torch.arange(48 // shrink) + (shrink - 1) / 2).double())
    resized = resize(wave[None], (1.0, 1 / shrink), wrap=(False, True))[0]
    assert (resized - expected).abs().max() < EXACT
    reflected = resize(wave[None], (1.0, 1 / shrink))[0]
    assert (reflected - expected).abs().max() > 1 / 255  # else the wave has a visible seam


@pytest.mark.parametrize("wrap", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("scale", [2, 3, 1.5, 2.7, (2, 3), 0.5, (0.3, 1.9)])
@pytest.mark.parametrize("phase", [None, (-0.6, 8.3), (3.0, -11.25)])
def test_a_window_is_a_part_of_the_whole(wrap, scale, phase):
    x = noise(2, 30, 40)
    whole = resize(x, scale, phase=phase, wrap=wrap)
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        bottom, right = (int(torch.randint(1, n + 1, (), generator=generator)) for n in whole.shape[-2:])
        top, left = (int(torch.randint(n, (), generator=generator)) for n in (bottom, right))
        part = resize(x, scale, phase=phase, wrap=wrap, window=(top, left, bottom, right))
        # Float64, at a phase that is rounded to 1e-9 of a pixel.
        assert (part - whole[..., top:bottom, left:right]).abs().max() < 1e-8


def test_a_window_of_a_wrapped_axis_reaches_beyond_it():
    x = noise(12, 16)
    whole = resize(x, 1.5, wrap=(True, True))
    assert whole.shape == (18, 24)
    part = resize(x, 1.5, wrap=(True, True), window=(-7, 20, 50, 31))
    expected = whole[torch.arange(-7, 50).remainder(18)][:, torch.arange(20, 31).remainder(24)]
    assert (part - expected).abs().max() < 1e-8  # the rounded phase, as above


def test_windows_of_one_size_share_their_matrices():
    x = noise(300, 300)
    _blocks.cache_clear()
    for start in range(100):
        resize(x, 3, window=(start, 2 * start, start + 200, 2 * start + 200))
    assert _blocks.cache_info().currsize == 3  # a window begins on one of the three places within a pixel


def test_a_window_is_differentiable():
    x = noise(1, 4, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: resize(x, 1.5, wrap=(True, False), window=(-2, 1, 3, 6)), x)


def test_a_cut_is_a_view_inside_the_image_and_its_extension_outside():
    x = torch.arange(12).reshape(3, 4)
    inside = cut(x, (1, 0, 3, 2))
    assert inside.tolist() == [[4, 5], [8, 9]]
    assert inside.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    assert cut(x, (-2, 3, 1, 6)).tolist() == [[7, 7, 6], [3, 3, 2], [3, 3, 2]]
    assert cut(x, (-2, 3, 1, 6), (False, True)).tolist() == [[7, 4, 5], [3, 0, 1], [3, 0, 1]]
    assert cut(x, (-2, 3, 1, 6), (True, True)).tolist() == [[7, 4, 5], [11, 8, 9], [3, 0, 1]]


def test_a_pair_scales_each_axis_on_its_own():
    x = noise(2, 3, 14, 11)
    both = resize(x, (0.6, 2.2))
    assert both.shape == (2, 3, 9, 25)
    one_by_one = resize(resize(x, (0.6, 1.0)), (1.0, 2.2))
    assert (both - one_by_one).abs().max() < EXACT
    # The other order of the axes inside.
    assert (resize(x.mT, (2.2, 0.6)) - both.mT).abs().max() < EXACT


def test_a_whole_phase_moves_the_image():
    x = noise(9, 12)
    moved = resize(x, 1.0, phase=(2.0, -3.0))
    rolled = x.roll((-2, 3), dims=(0, 1))
    assert torch.equal(moved[:-2, 3:], rolled[:-2, 3:])


def test_the_default_phase_aligns_the_outer_edges():
    x = noise(8, 8)
    assert torch.equal(resize(x, 2.0), resize(x, 2.0, phase=-0.25))
    assert torch.equal(resize(x, (0.5, 0.25)), resize(x, (0.5, 0.25), phase=(0.5, 1.5)))


@pytest.mark.parametrize("scale", [0.37, 0.5, 1.9, 3])
def test_symmetries_commute_with_resizing_where_the_scale_divides(scale):
    x = noise(100, 100)
    assert resize(x, scale).shape[0] == 100 * scale
    assert (resize(x.flip(-1, -2), scale) - resize(x, scale).flip(-1, -2)).abs().max() < EXACT


def test_flat_images_stay_flat_and_enlarged_parabolas_curved():
    assert (resize(torch.full((7, 5), 0.3), 0.41) - 0.3).abs().max() < 1e-6  # float32
    t = torch.arange(20, dtype=torch.float64)
    fine = (torch.arange(50, dtype=torch.float64) + 0.5) / 2.5 - 0.5
    enlarged = resize((t**2 - 3 * t + 1)[None], (1.0, 2.5))[0]
    # Keys' kernel reproduces polynomials of degree 2; the mirrored border does not.
    assert (enlarged - (fine**2 - 3 * fine + 1))[5:-5].abs().max() < 1e-10


def test_scale_one_changes_nothing():
    x = noise(5, 6)
    assert torch.equal(resize(x, 1), x)
    assert torch.equal(resize(x, size=(5, 6)), x)
    assert torch.equal(resize(x, 1, size=(4, 6)), x[:4])
    assert torch.equal(resize(x, 1, size=(7, 6)), torch.cat([x, x[[4, 3]]]))


def test_a_size_alone_sets_the_scale():
    x = noise(1, 9, 13)
    assert torch.equal(resize(x, size=(12, 5)), resize(x, (12 / 9, 5 / 13)))


def test_a_size_beside_a_scale_leaves_the_grid_alone():
    x = noise(9, 13)
    whole, part = resize(x, 1.5), resize(x, 1.5, size=(7, 9))
    assert (whole[:7, :9] - part).abs().max() < EXACT


def test_the_output_length_is_the_ceiling_of_the_exact_product():
    assert output_size((11, 13), 0.4) == (5, 6)
    assert output_size((50, 30), 1.1) == (55, 33)  # 1.1 * 50 is 55.00000000000001 in binary
    assert output_size((9, 21), (1 / 3, 1 / 7)) == (3, 3)
    assert output_size((1, 1), 0.001) == (1, 1)


def test_a_number_is_a_pair_of_itself():
    assert as_pair(2) == (2.0, 2.0)
    assert as_pair((2, 3.5)) == (2.0, 3.5)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32, torch.uint32])
def test_integers_are_rounded_and_clipped(dtype):
    limits = torch.iinfo(dtype)
    # A cubic overshoots beside the edge: without clipping it would wrap round.
    edge = torch.tensor([limits.min] * 6 + [limits.max] * 6, dtype=torch.float64).expand(4, 12)
    resized = resize(edge.to(dtype), 2.0)
    assert resized.dtype == dtype
    exact = resize(edge, 2.0)
    assert exact.min() < limits.min
    assert exact.max() > limits.max
    # Half a step, and what float32 adds to 16 bits.
    assert (resized.double() - exact.clamp(limits.min, limits.max)).abs().max() < 0.51


def test_wide_integers_keep_their_low_bits():
    x = torch.full((4, 4), 2**24 + 1, dtype=torch.int32)  # not a float32
    assert torch.equal(resize(x, 2.0), x[:1, :1].expand(8, 8))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(dtype):
    x = noise(2, 9, 11).to(dtype)
    assert torch.equal(resize(x, 0.7), resize(x.float(), 0.7).to(dtype))


@pytest.mark.parametrize("scale", [0.4, 1.5, (0.6, 2.2)])
def test_resizing_is_differentiable(scale):
    x = noise(1, 4, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: resize(x, scale), x)


def test_matrices_cached_in_inference_mode_can_be_trained_through():
    x = noise(9, 8)
    with torch.inference_mode():
        resize(x, 0.77)
    x.requires_grad_()
    resize(x, 0.77).sum().backward()
    # Every output is a mean, so that the weights sum to the number of outputs.
    assert abs(float(x.grad.sum()) - 7 * 7) < EXACT * 49


@pytest.mark.parametrize("scale", [2.0, 0.5, 0.37, 1.5, (0.3, 2.7), (3.1, 1.0)])
@pytest.mark.parametrize("phase", [None, (-0.6, 1.3), (29.2, -170.0)])
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("wrap", [(False, False), (True, False), (False, True), (True, True)])
def test_the_adjoint_is_the_transpose(scale, phase, antialias, wrap):
    x = noise(2, 3, 13, 150)  # more than one block for the larger scales
    y = resize(x, scale, phase=phase, antialias=antialias, wrap=wrap)
    z = noise(*y.shape, seed=1)
    back = resize_adjoint(z, (13, 150), scale, phase=phase, antialias=antialias, wrap=wrap)
    assert abs(float((y * z).sum() / (x * back).sum()) - 1) < 1e-10


def test_the_adjoint_uses_the_given_size():
    x, z = noise(7, 9), noise(20, 4, seed=1)
    y = resize(x, (2.0, 0.4), size=(20, 4))
    back = resize_adjoint(z, (7, 9), (2.0, 0.4))
    assert abs(float((y * z).sum() / (x * back).sum()) - 1) < 1e-10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "resize needs a scale or a size"),
        ({"scale": 0.0}, "scale must be positive, got 0.0"),
        ({"scale": (2.0, -1.0)}, r"scale must be positive, got \(2.0, -1.0\)"),
        ({"scale": math.nan}, "scale must be positive, got nan"),
        ({"scale": math.inf}, "scale must be positive, got inf"),
        ({"scale": 2.0, "size": (0, 4)}, "cannot resize an image of 3x4 pixels to 0x4"),
        ({"scale": 2.0, "phase": (0.0, math.nan)}, r"phase must be finite, got \(0.0, nan\)"),
        ({"scale": 2.0, "window": (0, 0, 7, 8)}, r"inside the 6x8 pixels of the output, got \(0, 0, 7, 8\)"),
        ({"scale": 2.0, "window": (0, -1, 6, 8)}, "only along an axis that wraps may it reach beyond"),
        ({"scale": 2.0, "window": (3, 0, 3, 8), "wrap": (True, True)}, r"a window is .*, got \(3, 0, 3, 8\)"),
        ({"scale": 2.0, "window": (0, -1, 6, 8), "wrap": (True, False)}, r"a window is .*, got \(0, -1, 6, 8\)"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        resize(torch.zeros(3, 4), **arguments)


@pytest.mark.parametrize("shape", [(4,), (0, 4), (3, 4, 0)])
def test_an_image_without_two_axes_or_pixels_is_refused(shape):
    with pytest.raises(InputError, match=r"two axes and a pixel at least, got shape"):
        resize(torch.zeros(shape), size=(2, 2))


@pytest.mark.parametrize("dtype", [torch.bool, torch.complex64])
def test_only_real_numbers_are_resampled(dtype):
    with pytest.raises(InputError, match=f"real numbers, got {dtype}; convert the image first"):
        resize(torch.zeros(3, 4, dtype=dtype), 2.0)
