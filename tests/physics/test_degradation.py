import copy
import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

from innersr.errors import InputError, KernelError
from innersr.physics import kernels
from innersr.physics.degradation import Degradation
from innersr.physics.resize import resize
from innersr.physics.symmetries import SYMMETRIES, apply_symmetry

# Kernels are float32 and sum to 1, and images are in [0, 1]: a kernel rounded once more moves a result by this.
SINGLE = 2e-7

SCALES = [2, 3, 4, 1.5, (2, 3), 2.7]
KERNELS = {
    "none": None,
    "delta": kernels.delta(),
    "odd": kernels.gaussian(1.5, 0.7, 0.4, size=7),
    "even": kernels.gaussian(1.2, size=6),
    "lopsided": kernels.normalised(torch.arange(35.0).reshape(5, 7).sqrt() + torch.eye(5, 7)),
}
ANCHORS = ["aligned", "centre", (1.25, 2.5), (-3.4, 9.0)]


def pairwise(*factors):
    """Rows in which every two values of different factors meet, chosen greedily from all combinations."""

    def pairs(row):
        return {(i, row[i], j, row[j]) for i, j in itertools.combinations(range(len(row)), 2)}

    rows = list(itertools.product(*(range(len(factor)) for factor in factors)))
    missing, chosen = set().union(*map(pairs, rows)), []
    while missing:
        best = max(rows, key=lambda row: len(missing & pairs(row)))
        missing -= pairs(best)
        chosen.append(tuple(factor[i] for factor, i in zip(factors, best, strict=True)))
    return chosen


EVERY = {
    f"x{scale}, {name}, {anchor}, {subsampling}": Degradation(
        scale=scale, kernel=KERNELS[name], anchor=anchor, subsampling=subsampling
    )
    for scale, name, anchor, subsampling in pairwise(SCALES, list(KERNELS), ANCHORS, ("direct", "bicubic"))
}


@pytest.fixture(params=EVERY)
def degradation(request):
    return EVERY[request.param]


# Scales, and HR sizes that are whole periods of them: (2, 3) LR pixels are (4, 6) HR pixels at x2.
PERIODS = {
    2: (24, 30),
    3: (24, 30),
    1.5: (24, 30),
    4 / 3: (24, 28),
    (2, 3): (24, 30),
    (1, 2.5): (24, 30),
}
WRAPPED = {
    f"{wrap}: x{scale if isinstance(scale, tuple) else round(scale, 2)}, {name}, {anchor}, {subsampling}": Degradation(
        scale=scale, kernel=KERNELS[name], anchor=anchor, subsampling=subsampling, wrap=wrap
    )
    for wrap, scale, name, anchor, subsampling in pairwise(
        ("x", "y", "xy"),
        list(PERIODS),
        ("none", "even", "lopsided"),
        ("aligned", "centre", (-3.4, 9.0)),
        ("direct", "bicubic"),
    )
}


@pytest.fixture(params=WRAPPED)
def wrapped(request):
    return WRAPPED[request.param]


def whole_periods(degradation, seed=0):
    return noise(*PERIODS[degradation.scale], seed)


def tiled(x, wraps, times=7):
    return x.repeat(1, 1, times if wraps[0] else 1, times if wraps[1] else 1)


def middle(x, wraps, times=7):
    for axis in (-2, -1):
        if wraps[axis]:
            x = x.unflatten(axis, (times, x.shape[axis] // times)).select(axis - 1, times // 2)
    return x


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(height, width, seed=0, dtype=torch.float64):
    return torch.rand(1, 2, height, width, generator=seeded(seed), dtype=dtype)


def is_divided(degradation):
    return all(s == round(s) for s in degradation.scales)


def test_the_adjoint_is_the_transpose(degradation):
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        hr = noise(29, 26, dtype=dtype)  # 29 is prime: no scale divides it
        lr = degradation.forward(hr)
        other = noise(*lr.shape[-2:], seed=1, dtype=dtype)
        back = degradation.adjoint(other, (29, 26))
        assert back.shape == hr.shape
        # All terms but those of small lobes are positive, so that the sums do not cancel.
        assert abs(float((lr * other).sum() / (hr * back).sum()) - 1) < tolerance


def test_a_wrapped_image_is_degraded_as_one_tile_among_its_copies(wrapped):
    # Seven copies: the outermost keep the kernel at (-3.4, 9) and the reflected border away from the middle one.
    hr, wraps = whole_periods(wrapped), wrapped.wraps
    reflected = replace(wrapped, wrap="")
    lr = wrapped.forward(hr)
    # Float64; the taps of copies that lie farther off are rounded otherwise.
    assert (lr - middle(reflected.forward(tiled(hr, wraps)), wraps)).abs().max() < 1e-12
    up = wrapped.upsample(lr)
    assert up.shape == hr.shape
    assert (up - middle(reflected.upsample(tiled(lr, wraps)), wraps)).abs().max() < 1e-12


def test_a_wrapped_image_may_begin_anywhere(wrapped):
    hr = whole_periods(wrapped)
    lr = wrapped.forward(hr)
    # Whole HR pixels: 6 LR pixels are 15 at x2.5, 8 at x4/3.
    steps = [6 * wraps for wraps in wrapped.wraps]
    shift = [round(step * scale) for step, scale in zip(steps, wrapped.scales, strict=True)]
    rolled = wrapped.forward(hr.roll(shift, (-2, -1)))
    assert (rolled - lr.roll(steps, (-2, -1))).abs().max() < 1e-12  # float64
    up = wrapped.upsample(lr.roll(steps, (-2, -1)))
    assert (up - wrapped.upsample(lr).roll(shift, (-2, -1))).abs().max() < 1e-12


def test_the_adjoint_of_a_wrapped_image_is_the_transpose(wrapped):
    hr = whole_periods(wrapped)
    lr = wrapped.forward(hr)
    other = noise(*lr.shape[-2:], seed=1)
    back = wrapped.adjoint(other)
    assert back.shape == hr.shape
    assert abs(float((lr * other).sum() / (hr * back).sum()) - 1) < 1e-10  # as below, float64


def test_turning_a_wrapped_image_turns_its_degradation(wrapped):
    hr = whole_periods(wrapped)
    lr = wrapped.forward(hr)
    for symmetry in SYMMETRIES:
        turned = wrapped.transformed(symmetry)
        assert turned.wraps == (wrapped.wraps[::-1] if symmetry & 4 else wrapped.wraps)
        result = turned.forward(apply_symmetry(hr, symmetry))
        assert (result - apply_symmetry(lr, symmetry)).abs().max() < SINGLE


def test_turning_the_image_turns_the_degradation(degradation):
    hr = noise(27, 54) if 2.7 in degradation.scales else noise(24, 36)  # multiples of the scale
    lr = degradation.forward(hr)
    for symmetry in SYMMETRIES:
        turned = degradation.transformed(symmetry).forward(apply_symmetry(hr, symmetry))
        assert (turned - apply_symmetry(lr, symmetry)).abs().max() < SINGLE


def test_each_lr_pixel_is_centred_at_the_offsets(degradation):
    rows = torch.arange(60.0, dtype=torch.float64)
    lr = degradation.forward(rows[:, None].expand(1, 1, 60, 60))
    transposed = degradation.forward(rows.expand(1, 1, 60, 60))
    # MATLAB's widened cubic has its centre of mass off the grid by 0.02 pixels where the scale is not whole.
    is_exact = degradation.subsampling == "direct" or is_divided(degradation)
    tolerance = 1e-5 if is_exact else 0.025  # else: float32 taps that are 10 pixels away
    i, j = lr.shape[-2] // 2, lr.shape[-1] // 2
    vertical, horizontal = degradation.scales
    assert abs(float(lr[0, 0, i, j]) - (i * vertical + degradation.offsets[0])) < tolerance
    assert abs(float(transposed[0, 0, i, j]) - (j * horizontal + degradation.offsets[1])) < tolerance


def test_upsampling_shifts_nothing(degradation):
    ramp = torch.arange(60.0, dtype=torch.float64)[:, None] + 2 * torch.arange(70.0, dtype=torch.float64)
    back = degradation.upsample(degradation.forward(ramp[None, None]), (60, 70))
    is_exact = degradation.subsampling == "direct" or is_divided(degradation)
    # In pixels, as above; 24 from the border no kernel sees its reflection.
    assert (back - ramp)[..., 24:-24, 24:-24].abs().max() < 3 * (1e-5 if is_exact else 0.025)


def test_bicubic_without_a_kernel_is_matlabs_imresize():
    hr = noise(23, 18)
    assert torch.equal(Degradation(scale=2).forward(hr), resize(hr, 0.5))
    assert torch.equal(Degradation(scale=(1.5, 3)).forward(hr), resize(hr, (1 / 1.5, 1 / 3)))


@pytest.mark.parametrize("scale", [2, 3, (2, 4)])
@pytest.mark.parametrize("name", ["odd", "even", "lopsided"])
def test_direct_from_the_centre_is_scipys_correlation_and_every_sth_pixel(name, scale):
    # MZSR's "direct" and ZSSR's numeric_kernel are this call (Soh 2020, imresize.py; sizes that s divides).
    kernel = KERNELS[name]
    down, right = (scale, scale) if isinstance(scale, int) else scale
    hr = noise(24, 36)
    lr = Degradation(scale=scale, kernel=kernel, anchor="centre").forward(hr)
    for channel in range(2):
        blurred = correlate(hr[0, channel].numpy(), kernel.double().numpy(), mode="reflect")
        assert np.abs(lr[0, channel].numpy() - blurred[::down, ::right]).max() < 1e-12  # float64


@pytest.mark.parametrize("scale", [2, 3, 1.5])
def test_bicubic_from_the_centre_is_scipys_correlation_and_imresize(scale):
    # MZSR's "bicubic". A symmetric kernel keeps the blurred image symmetric about its border.
    kernel = kernels.gaussian(1.3, size=9)
    hr = noise(25, 19)
    lr = Degradation(scale=scale, kernel=kernel, anchor="centre", subsampling="bicubic").forward(hr)
    blurred = np.stack([correlate(band.numpy(), kernel.double().numpy(), mode="reflect") for band in hr[0]])
    assert (lr[0] - resize(torch.from_numpy(blurred), 1 / scale)).abs().max() < 1e-12  # float64


def test_direct_at_a_fraction_interpolates_between_pixels():
    # x1.5 from the centre reads pixels 0, 1.5, 3, ...; Keys' weights half way are (-1, 9, 9, -1) / 16.
    hr = noise(24, 24)
    blurred = correlate(hr[0, 0].numpy(), KERNELS["odd"].double().numpy(), mode="reflect")
    lr = Degradation(scale=1.5, kernel=KERNELS["odd"], anchor="centre").forward(hr)[0, 0].numpy()
    assert np.abs(lr[::2, ::2] - blurred[::3, ::3]).max() < 1e-12
    half = (9 * (blurred[::3, 1] + blurred[::3, 2]) - blurred[::3, 0] - blurred[::3, 3]) / 16
    assert np.abs(lr[::2, 1] - half).max() < 1e-12


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("convention", ["kernelgan", "centred"])
def test_the_conventions_of_kernel_files_mean_what_the_anchors_do(scale, convention):
    kernel = kernels.gaussian(2.0, 0.8, 0.3, size=9)
    hr = noise(48, 48)
    anchors = {"kernelgan": "aligned", "centred": "centre"}
    expected = Degradation(scale=scale, kernel=kernel, anchor=anchors[convention]).forward(hr)
    moved = kernels.in_convention(kernel, convention, scale)
    lr = Degradation(scale=scale, kernel=moved, anchor="centre").forward(hr)
    # Both interpolate the kernel once, by the same fraction: the rounding of float32 taps is left.
    assert (lr - expected).abs().max() < 5 * SINGLE


def test_fkp_and_kernelgan_kernels_are_shifted_in_opposite_directions():
    kernel = kernels.gaussian(1.5)
    hr = noise(24, 24)
    moved = [kernels.in_convention(kernel, convention, 3.0) for convention in ("kernelgan", "fkp")]
    first, second = (Degradation(scale=3, kernel=k, anchor="centre") for k in moved)
    assert first.offsets == pytest.approx((1.0, 1.0), abs=1e-5)
    assert second.offsets == pytest.approx((-1.0, -1.0), abs=1e-5)
    # Two pixels apart: one reads at 3 i + 1, the other at 3 i - 1.
    assert (second.forward(hr.roll((-2, -2), (-2, -1))) - first.forward(hr))[..., 2:-2, 2:-2].abs().max() < 5 * SINGLE


@pytest.mark.parametrize("name", ["odd", "even", "lopsided"])
@pytest.mark.parametrize("subsampling", ["direct", "bicubic"])
@pytest.mark.parametrize("scale", [2, 2.5])
def test_aligned_images_lie_edge_to_edge_whatever_the_kernel(name, subsampling, scale):
    degradation = Degradation(scale=scale, kernel=KERNELS[name], subsampling=subsampling)
    assert degradation.offsets == pytest.approx(((scale - 1) / 2, (scale - 1) / 2), abs=1e-12)


def test_the_centre_of_an_even_kernel_is_behind_its_middle():
    assert Degradation(scale=2, kernel=KERNELS["even"], anchor="centre").anchor == (3.0, 3.0)
    assert Degradation(scale=2, kernel=KERNELS["lopsided"], anchor="centre").anchor == (2.0, 3.0)


@pytest.mark.parametrize(
    ("scale", "name", "anchor"),
    pairwise([2, (2, 3), 8], ["none", "even", "lopsided"], ["aligned", "centre", (1.25, 2.5), (-12.6, 17.0)]),
)
def test_the_effective_kernel_is_both_steps_at_once_up_to_the_border(scale, name, anchor):
    # At x8 a last row of its own (65 = 8 * 8 + 1) makes the cubic read 18 pixels beyond the border.
    hr = noise(65, 71)
    two_steps = Degradation(scale=scale, kernel=KERNELS[name], anchor=anchor, subsampling="bicubic")
    one_step = two_steps.effective_kernel()
    assert one_step.subsampling == "direct"
    assert one_step.offsets == pytest.approx(two_steps.offsets, abs=1e-5)
    assert (one_step.forward(hr) - two_steps.forward(hr)).abs().max() < SINGLE


@pytest.mark.parametrize("wrap", ["x", "y", "xy"])
@pytest.mark.parametrize("anchor", ["aligned", (-12.6, 17.0)])
def test_the_effective_kernel_of_a_wrapped_image_is_both_steps_at_once(wrap, anchor):
    hr = noise(64, 72)
    two_steps = Degradation(scale=(2, 3), kernel=KERNELS["even"], anchor=anchor, subsampling="bicubic", wrap=wrap)
    one_step = two_steps.effective_kernel()
    assert (one_step.wrap, one_step.subsampling) == (wrap, "direct")
    assert (one_step.forward(hr) - two_steps.forward(hr)).abs().max() < SINGLE


def test_the_effective_kernel_of_direct_subsampling_is_itself():
    degradation = Degradation(scale=2, kernel=KERNELS["odd"])
    assert degradation.effective_kernel() is degradation


def test_matlabs_bicubic_kernel_has_eight_taps():
    effective = Degradation(scale=2, noise=0.01).effective_kernel()
    half = torch.tensor([-3.0, -9, 29, 111, 111, 29, -9, -3]) / 256  # cubic(1/4 + k/2) / 2
    assert effective.kernel.shape == (8, 8)
    assert (effective.kernel - half[:, None] * half).abs().max() < SINGLE
    assert effective.anchor == (3.0, 3.0)
    assert effective.noise == 0.01


def test_a_fractional_scale_has_no_effective_kernel():
    with pytest.raises(KernelError, match="only whole scales have one effective kernel, got 1.5"):
        Degradation(scale=1.5).effective_kernel()


@pytest.mark.parametrize(
    ("kernel", "arguments", "expected"),
    [
        (None, {"scale": 2}, SYMMETRIES),
        (None, {"scale": (2, 4)}, (0, 1, 2, 3)),  # turned, it looks whole pixels away, but at another scale
        (kernels.gaussian(1.5), {"scale": 2}, SYMMETRIES),
        (kernels.gaussian(1.5), {"scale": 2.7}, SYMMETRIES),
        (kernels.gaussian(1.5), {"scale": (2, 3)}, (0, 1, 2, 3)),
        # Its LR pixels look at HR pixel 2 i, those of the turned image at 2 i + 1: a whole pixel apart.
        (kernels.gaussian(1.5), {"scale": 2, "anchor": "centre"}, SYMMETRIES),
        (kernels.gaussian(1.5), {"scale": 1.5, "anchor": "centre"}, (0, 4)),
        (kernels.gaussian(1.5), {"scale": 2, "anchor": (7.0, 7.25)}, (0, 2)),
        (kernels.gaussian(4.0, 1.0), {"scale": 2}, (0, 1, 2, 3)),
        (kernels.gaussian(4.0, 1.0, math.pi / 4), {"scale": 2}, (0, 3, 4, 7)),
        (kernels.gaussian(4.0, 1.0, -0.5), {"scale": 2}, (0, 3)),
        (kernels.random_div2krk(seeded()), {"scale": 2}, (0,)),
        # Off the middle of their arrays, as the kernels of DIV2KRK, KernelGAN and FKP are.
        (kernels.in_convention(kernels.gaussian(1.5), "kernelgan", 2.0), {"scale": 2, "anchor": "centre"}, SYMMETRIES),
        (torch.nn.functional.pad(kernels.gaussian(4.0, 1.0, -0.5), (0, 2, 0, 3)), {"scale": 4}, (0, 3)),
        (KERNELS["even"], {"scale": 3, "subsampling": "bicubic"}, SYMMETRIES),
        (None, {"scale": 2, "wrap": "xy"}, SYMMETRIES),
        (None, {"scale": 2, "wrap": "x"}, (0, 1, 2, 3)),  # turned, it would wrap the other way
        (kernels.gaussian(4.0, 1.0, math.pi / 4), {"scale": 2, "wrap": "y"}, (0, 3)),
    ],
)
def test_symmetries_are_those_that_the_kernel_and_its_grid_have(kernel, arguments, expected):
    assert Degradation(kernel=kernel, **arguments).symmetries() == expected


@pytest.mark.parametrize("scale", [2, 3, 1.5, 2.7, 2.5, 1.05, math.pi, (2, 3), (1.1, 4)])
def test_the_size_up_and_down_again_is_the_same(scale):
    degradation = Degradation(scale=scale)
    for length in range(1, 300):
        size = (length, 2 * length)
        assert degradation.lr_size(degradation.hr_size(size)) == size


def test_sizes_are_rounded_towards_what_both_images_show():
    degradation = Degradation(scale=1.5)
    assert degradation.hr_size((5, 4)) == (7, 6)
    assert degradation.lr_size((7, 6)) == (5, 4)
    assert Degradation(scale=1.1).hr_size((50, 10)) == (55, 11)
    assert degradation.adjoint(noise(5, 4)).shape == (1, 2, 7, 6)
    assert degradation.upsample(noise(5, 4)).shape == (1, 2, 7, 6)
    assert degradation.forward(noise(8, 6), (5, 4)).shape == (1, 2, 5, 4)


@pytest.mark.parametrize(
    ("wrap", "scale", "anchor"), pairwise(["", "x", "y", "xy"], [2, 3, 1.5, (2, 3)], ["aligned", "centre", (-3.4, 9.0)])
)
def test_a_window_is_that_part_of_the_whole(wrap, scale, anchor):
    degradation = Degradation(scale=scale, kernel=KERNELS["lopsided"], anchor=anchor, wrap=wrap)
    lr = noise(40, 36, dtype=torch.float32)
    whole = degradation.upsample(lr)
    height, width = whole.shape[-2:]
    generator = seeded(2)
    for _ in range(30):
        bottom, right = (int(torch.randint(1, n + 1, (), generator=generator)) for n in (height, width))
        top, left = (int(torch.randint(n, (), generator=generator)) for n in (bottom, right))
        # Along an axis that wraps, the same pixels some periods away.
        down, across = (n * int(torch.randint(-2, 3, (), generator=generator)) for n in (height, width))
        down, across = down * ("y" in wrap), across * ("x" in wrap)
        part = degradation.upsample(lr, window=(top + down, left + across, bottom + down, right + across))
        # Sums of sixteen float32 products, in another order.
        assert (part - whole[..., top:bottom, left:right]).abs().max() < 1e-6


def test_a_window_may_cross_the_seam():
    degradation = Degradation(scale=1.5, kernel=KERNELS["odd"], anchor="centre", wrap="x")
    lr = noise(12, 16)
    whole = degradation.upsample(lr)
    part = degradation.upsample(lr, window=(5, -7, 18, 60))
    assert (part - whole[..., 5:, torch.arange(-7, 60).remainder(24)]).abs().max() < 1e-8  # a phase rounded to 1e-9


def test_a_window_uses_the_given_size():
    degradation = Degradation(scale=2.5)
    lr = noise(11, 9)
    part = degradation.upsample(lr, (28, 23), (20, 3, 28, 23))
    assert (part - degradation.upsample(lr, (28, 23))[..., 20:28, 3:23]).abs().max() < 1e-8  # as above


def test_a_window_outside_the_result_is_refused():
    degradation = Degradation(scale=2, wrap="x")
    lr = noise(8, 9)
    assert degradation.upsample(lr, window=(0, -3, 16, 40)).shape == (1, 2, 16, 43)
    message = r"inside the 16x18 pixels of the output, got \(0, 0, 17, 18\); only along an axis that wraps"
    with pytest.raises(InputError, match=message):
        degradation.upsample(lr, window=(0, 0, 17, 18))
    with pytest.raises(InputError, match=r"got \(0, 4, 16, 4\)"):
        degradation.upsample(lr, window=(0, 4, 16, 4))


def test_fitting_changes_the_scale_of_wrapped_axes_alone():
    degradation = Degradation(scale=2.7, wrap="x")
    assert degradation.fitted((10, 11)).scales == (2.7, 30 / 11)
    assert replace(degradation, wrap="y").fitted((11, 10)).scales == (30 / 11, 2.7)
    assert replace(degradation, wrap="xy").fitted((11, 13)).scales == (30 / 11, 35 / 13)
    assert degradation.fitted((11, 10)) is degradation  # 27 HR pixels
    assert replace(degradation, wrap="").fitted((11, 11)).scales == (2.7, 2.7)
    # Never so small that nothing is enlarged, and 1 remains 1.
    assert Degradation(scale=1.1, wrap="xy").fitted((3, 4)).scales == (4 / 3, 5 / 4)
    assert Degradation(scale=(1, 1.5), wrap="xy").fitted((7, 7)).scales == (1, 10 / 7)


@pytest.mark.parametrize("scale", [1.05, 1.1, math.pi, 2.7, 4 / 3])
def test_a_fitted_image_is_whole_periods(scale):
    degradation = Degradation(scale=scale, wrap="xy")
    for length in range(1, 300):
        size = (length, length + 7)
        fitted = degradation.fitted(size)
        assert fitted.fitted(size) is fitted
        assert fitted.lr_size(fitted.hr_size(size)) == size
        assert fitted.hr_size(size) == tuple(max(round(scale * n), n + 1) for n in size)


@pytest.mark.parametrize("subsampling", ["direct", "bicubic"])
def test_fitting_keeps_an_aligned_anchor_aligned(subsampling):
    kernel = KERNELS["lopsided"]
    degradation = Degradation(scale=2.7, kernel=kernel, subsampling=subsampling, wrap="x").fitted((10, 11))
    assert degradation.offsets == pytest.approx((0.85, (30 / 11 - 1) / 2), abs=1e-6)
    assert replace(degradation, wrap="y").fitted((11, 11)).offsets == pytest.approx((19 / 22, 19 / 22), abs=1e-6)
    centred = Degradation(scale=2.7, kernel=kernel, anchor="centre", subsampling=subsampling, wrap="x")
    assert centred.fitted((10, 11)).anchor == (2.0, 3.0)


def test_images_that_are_no_whole_periods_are_refused():
    degradation = Degradation(scale=2, wrap="x")
    assert degradation.forward(noise(25, 26)).shape == (1, 2, 13, 13)
    message = (
        "an axis that wraps needs whole periods: 25 HR pixels are not 2 times 13 LR pixels; "
        r"use degradation.fitted\(\(13, 13\)\), which takes an HR image of 26x26"
    )
    with pytest.raises(InputError, match=message):
        degradation.forward(noise(26, 25))
    fraction = Degradation(scale=2.7, wrap="xy")
    with pytest.raises(InputError, match=r"27 HR pixels are not 2.7 times 11 LR pixels; .*an HR image of 30x27"):
        fraction.forward(noise(27, 27), (10, 11))
    for apply in (fraction.upsample, fraction.adjoint):
        with pytest.raises(InputError, match=r"29 HR pixels are not 2.7 times 11 LR pixels"):
            apply(noise(10, 11))
        assert apply(noise(10, 10)).shape == (1, 2, 27, 27)


def test_noise_has_the_deviation_asked_for_and_repeats():
    degradation = Degradation(scale=2, noise=0.03)
    hr = torch.full((1, 3, 200, 200), 0.5)
    lr = degradation(hr, seeded(5))
    assert torch.equal(lr, degradation(hr, seeded(5)))
    assert not torch.equal(lr, degradation(hr, seeded(6)))
    # 30 000 samples: both estimates are within 4 of their own standard deviations.
    assert float((lr - 0.5).std()) == pytest.approx(0.03, rel=4 / math.sqrt(60_000))
    assert abs(float((lr - 0.5).mean())) < 4 * 0.03 / math.sqrt(30_000)


def test_without_a_generator_there_is_no_noise():
    hr = noise(20, 20, dtype=torch.float32)
    noisy, clean = Degradation(scale=2, noise=0.3), Degradation(scale=2)
    assert torch.equal(noisy(hr), clean(hr))
    assert torch.equal(noisy.forward(hr), clean.forward(hr))


def test_calling_clips_and_forward_does_not():
    edge = torch.zeros(1, 1, 16, 16)
    edge[..., 8:] = 1
    degradation = Degradation(scale=2, noise=0.5)
    linear = degradation.forward(edge)
    assert linear.min() < -0.01
    assert linear.max() > 1.01
    assert torch.equal(degradation(edge), linear.clamp(0, 1))
    noisy = degradation(edge, seeded())
    assert (noisy.min(), noisy.max()) == (0, 1)


def test_the_kernel_is_normalised_and_copied():
    kernel = torch.full((3, 3), 2.0)
    degradation = Degradation(scale=2, kernel=kernel)
    kernel[0, 0] = 100
    assert (degradation.kernel - 1 / 9).abs().max() < SINGLE


def test_forward_is_differentiable_and_the_adjoint_is_its_gradient():
    degradation = Degradation(scale=2, kernel=KERNELS["lopsided"], subsampling="bicubic")
    hr = noise(15, 14).requires_grad_()
    lr = degradation.forward(hr)
    other = noise(*lr.shape[-2:], seed=1)
    lr.backward(other)
    assert (hr.grad - degradation.adjoint(other, (15, 14))).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 1}, "scale must be above 1, got 1; for shrinking use any image tool"),
        ({"scale": 0.5}, "scale must be above 1, got 0.5"),
        ({"scale": 2, "compression": 1.1}, r"compression is a strength in \[0, 1\], got 1.1"),
        ({"scale": (2, 0.9)}, r"scale must be above 1, got 0.9x2 \(width x height\)"),
        ({"scale": math.nan}, "scale must be above 1, got nan"),
        ({"scale": math.inf}, "scale must be above 1, got inf"),
        ({"scale": 2, "anchor": "middle"}, "anchor must be one of aligned, centre or .row, column., got 'middle'"),
        ({"scale": 2, "anchor": (0.0, math.nan)}, "anchor must be finite"),
        ({"scale": 2, "subsampling": "nearest"}, "subsampling must be one of direct, bicubic, got 'nearest'"),
        ({"scale": 2, "wrap": "yx"}, "wrap must be one of '', 'x', 'y', 'xy', got 'yx'; x joins the right edge"),
        ({"scale": 2, "wrap": True}, "wrap must be one of .*, got True"),
        ({"scale": 2, "noise": -0.1}, "noise is a standard deviation in .0, 1., got -0.1"),
        ({"scale": 2, "noise": 3.2}, "got 3.2; divide 8-bit levels by 255"),
        ({"scale": 2, "noise": math.nan}, "noise is a standard deviation"),
    ],
)
def test_invalid_settings_are_refused_by_name(arguments, message):
    with pytest.raises(InputError, match=message):
        Degradation(**arguments)


def test_a_kernel_of_negative_sum_is_refused():
    with pytest.raises(KernelError, match="a blur kernel must have a positive sum, got -8"):
        Degradation(scale=2, kernel=torch.tensor([[1.0, -9.0]]))


@pytest.mark.parametrize("subsampling", ["direct", "bicubic"])
def test_a_kernel_larger_than_the_image_is_refused(subsampling):
    degradation = Degradation(scale=2, kernel=kernels.box(9), subsampling=subsampling)
    message = r"the kernel \(9x9\) is larger than the image it blurs \(20x8\); use a smaller kernel"
    with pytest.raises(KernelError, match=message):
        degradation.forward(noise(8, 20))
    with pytest.raises(KernelError, match=message):
        degradation.adjoint(noise(4, 10))
    assert degradation.forward(noise(9, 9)).shape == (1, 2, 5, 5)


RESCALED = {
    "bicubic": {},
    "aligned": {"kernel": kernels.gaussian(6.0, 3.0, 0.5)},
    "centred": {"kernel": kernels.gaussian(6.0, 3.0, 0.5), "anchor": "centre"},
    "elsewhere": {"kernel": kernels.gaussian(6.0, 3.0, 0.5), "anchor": (1.25, 2.5)},
    "blur and bicubic": {"kernel": kernels.gaussian(6.0, 3.0, 0.5), "subsampling": "bicubic"},
}
NEW_SCALES = [(4, 2), (4, 3), (4, 1.5), (2, 3), ((4, 6), (2, 3)), ((2, 3), (1, 2))]


@pytest.mark.parametrize("name", RESCALED)
@pytest.mark.parametrize("scale", [2, 1.5, (2, 3)])
def test_at_its_own_scale_a_degradation_is_itself(name, scale):
    degradation = Degradation(scale=scale, **RESCALED[name])
    assert degradation.rescaled(scale) is degradation
    assert degradation.rescaled(degradation.scales) is degradation


@pytest.mark.parametrize("name", RESCALED)
@pytest.mark.parametrize(("scale", "other"), NEW_SCALES)
def test_a_rescaled_degradation_keeps_its_offsets(name, scale, other):
    degradation = Degradation(scale=scale, **RESCALED[name], noise=0.01, wrap="x")
    rescaled = degradation.rescaled(other)
    assert rescaled.scales == Degradation(scale=other).scales
    assert (rescaled.subsampling, rescaled.noise, rescaled.wrap) == (degradation.subsampling, 0.01, "x")
    for axis in (0, 1):
        before, after = ((d.offsets[axis] + 0.5) / d.scales[axis] for d in (degradation, rescaled))
        assert after == pytest.approx(before, abs=1e-5)  # LR pixels; the centre of mass of float32 taps
    aligned = [math.dist(d.offsets, [(s - 1) / 2 for s in d.scales]) < 1e-5 for d in (degradation, rescaled)]
    assert aligned[0] == aligned[1] == (name in ("bicubic", "aligned", "blur and bicubic"))


@pytest.mark.parametrize("angle", [0.0, 0.5])
@pytest.mark.parametrize("ratio", [0.5, 0.75, 2 / 3, 1.5])
def test_a_rescaled_gaussian_is_as_wide_in_lr_pixels(ratio, angle):
    degradation = Degradation(scale=4, kernel=kernels.gaussian(16.0, 9.0, angle))
    before, after = (kernels.shape_of(d.kernel) for d in (degradation, degradation.rescaled(4 * ratio)))
    # Cubic interpolation keeps second moments, but for the small lobes that are cut off.
    assert after.long_variance == pytest.approx(before.long_variance * ratio**2, rel=0.01)
    assert after.short_variance == pytest.approx(before.short_variance * ratio**2, rel=0.01)
    assert math.sin(after.angle - before.angle) == pytest.approx(0, abs=0.01)  # half a turn is none


def test_a_kernel_rescaled_along_one_axis_shrinks_along_that():
    degradation = Degradation(scale=4, kernel=kernels.gaussian(9.0, 9.0))
    shape = kernels.shape_of(degradation.rescaled((4, 2)).kernel)
    assert (shape.long_variance, shape.short_variance) == pytest.approx((9, 2.25), rel=0.01)
    assert shape.angle == pytest.approx(math.pi / 2, abs=0.01)


@pytest.mark.parametrize("name", RESCALED)
@pytest.mark.parametrize(("scale", "other"), [(4, 2), (6, 3), ((4, 6), (2, 3))])
def test_a_rescaled_degradation_makes_the_same_small_image_of_the_shrunken_one(name, scale, other):
    """Of one smooth enough to lose nothing when it is halved."""
    degradation = Degradation(scale=scale, **RESCALED[name])
    rows, columns = (torch.arange(96.0).double(), torch.arange(120.0).double())
    hr = 0.5 + 0.4 * torch.sin(rows / 11)[:, None] * torch.cos(columns / 13)
    hr = hr[None, None]
    lr = degradation.forward(hr)
    again = degradation.rescaled(other).forward(resize(hr, 0.5), tuple(lr.shape[-2:]))
    # A kernel that reaches beyond the border finds another reflection there.
    assert (again - lr)[..., 3:-3, 3:-3].abs().max() < 2e-3


@pytest.mark.parametrize("anchor", ["aligned", "centre"])
@pytest.mark.parametrize("subsampling", ["direct", "bicubic"])
def test_a_replaced_scale_or_kernel_keeps_the_meaning_of_the_anchor(anchor, subsampling):
    own = {"anchor": anchor, "subsampling": subsampling}
    first, other = kernels.gaussian(2.0), kernels.gaussian(1.0, size=6)
    made = replace(replace(Degradation(scale=2, kernel=first, **own), scale=4), kernel=other)
    wanted = Degradation(scale=4, kernel=other, **own)
    assert made.anchor == wanted.anchor and made.offsets == wanted.offsets
    assert copy.deepcopy(made).anchor.name == anchor
    assert replace(made, anchor=(1.0, 2.0), scale=3).anchor == (1.0, 2.0)


@pytest.mark.parametrize("subsampling", ["direct", "bicubic"])
@pytest.mark.parametrize(
    "computed",
    [
        lambda degradation: degradation.rescaled(2),
        lambda degradation: degradation.transformed(6),
        lambda degradation: degradation.effective_kernel(),
        lambda degradation: degradation.fitted((7, 9)),
    ],
)
def test_what_is_computed_from_an_aligned_degradation_stays_aligned(computed, subsampling):
    aligned = Degradation(scale=3, kernel=kernels.gaussian(2.0, 1.0, 0.5), subsampling=subsampling)
    assert replace(computed(aligned), scale=4).offsets == pytest.approx((1.5, 1.5), abs=1e-6)
    assert replace(computed(aligned), kernel=kernels.gaussian(1.0, size=6)).offsets == pytest.approx(
        computed(aligned).offsets, abs=1e-6
    )


def test_an_anchor_in_numbers_stays_where_it_is():
    first, other = kernels.gaussian(2.0, size=15), kernels.gaussian(1.0, size=15)
    given = Degradation(scale=2, kernel=first, anchor=(6.5, 7.25))
    changed = replace(given, scale=4, kernel=other)
    assert changed.anchor == (6.5, 7.25) and changed.offsets == pytest.approx((0.5, -0.25), abs=1e-6)
    # What `rescaled` keeps instead is the place in the image: pixel edges scale with it.
    assert given.rescaled(4).offsets == pytest.approx((0.5 * 2 + 0.5, -0.25 * 2 + 0.5), abs=1e-6)
