"""Back-projection: results that agree with the LR image, within [0, 1]."""

import math
from dataclasses import replace

import pytest
import torch

from innersr.errors import Cancelled
from innersr.metrics.fidelity import consistency_psnr
from innersr.physics import back_projection
from innersr.physics.back_projection import back_project
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import delta, gaussian
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32")
SINGLE = 1e-6  # float32: values of about 1, each a sum of some hundred products


def generator(seed=11):
    return torch.Generator().manual_seed(seed)


def image(*shape, seed=11, dtype=torch.float32):
    return torch.rand(shape, generator=generator(seed), dtype=dtype)


def residual(sr, lr, degradation):
    return float((lr - degradation.forward(sr, (lr.shape[-2], lr.shape[-1]))).square().sum())


def consistency(sr, lr, degradation):
    return consistency_psnr(sr, lr, lambda x: degradation.forward(x, (lr.shape[-2], lr.shape[-1])))


def problem(degradation, *, size=(18, 16), channels=1, dtype=torch.float32, contrast=1.0):
    """An LR image that no picture was shrunk to, and its interpolation."""
    lr = 0.5 + contrast * (image(1, channels, *size, dtype=dtype) - 0.5)
    return degradation.upsample(lr), lr


def corrected(sr, *given, **settings):
    """A corrected copy."""
    return back_project(sr.clone(), *given, **settings)


def clipped_cgls(degradation):
    """The same degradation with noise too small to stop at: nothing but CGLS, then clipped."""
    return replace(degradation, noise=1e-9)


DEGRADATIONS = {
    "bicubic x2": Degradation(scale=2),
    "bicubic x1.5": Degradation(scale=1.5),
    "bicubic 2x3": Degradation(scale=(2, 3)),
    "direct x2": Degradation(scale=2, kernel=gaussian(3, 1, 0.7, size=9)),
    "direct x2.5": Degradation(scale=2.5, kernel=gaussian(2, size=7)),
    "blurred bicubic x3": Degradation(scale=3, kernel=gaussian(2, size=7), subsampling="bicubic"),
}


@pytest.fixture(params=DEGRADATIONS)
def degradation(request):
    return DEGRADATIONS[request.param]


def test_every_step_lowers_the_residual(degradation):
    plain = clipped_cgls(degradation)
    sr, lr = problem(plain, dtype=torch.float64, contrast=0.1)  # so weak that nothing has to be clipped
    course = [residual(corrected(sr, lr, plain, steps=n, run=RUN), lr, degradation) for n in range(8)]
    assert all(after < before for before, after in zip(course[:-1], course[1:], strict=True))


def test_the_solution_is_the_nearest_one_to_where_it_started():
    """x = sr + pinv(K) (lr - K sr), with K written down as a matrix of rank 20: conjugate directions need 20."""
    degradation = Degradation(scale=2, kernel=gaussian(1.5, 0.8, 0.5, size=5))
    sr, lr = problem(degradation, size=(5, 4), dtype=torch.float64, contrast=0.1)
    units = torch.eye(80, dtype=torch.float64).reshape(80, 1, 10, 8)
    matrix = degradation.forward(units, (5, 4)).reshape(80, 20).mT
    nearest = sr.flatten() + torch.linalg.pinv(matrix) @ (lr.flatten() - matrix @ sr.flatten())
    assert 0 < float(nearest.min()) < float(nearest.max()) < 1, "else clipping would move it"
    found = corrected(sr, lr, degradation, steps=20, run=RUN).flatten()
    # It ends when the gradient has fallen to 1e-5 of the first; the smallest singular value magnifies the rest.
    assert torch.allclose(found, nearest, atol=1e-4, rtol=0)
    assert float((nearest - sr.flatten()).abs().max()) > 0.01


@pytest.mark.parametrize("scale", [2, 3, (2, 3)])
def test_ten_steps_make_a_result_more_consistent_than_8_bits_can_tell(scale):
    degradation = Degradation(scale=scale)
    sr, lr = problem(degradation, size=(40, 36), contrast=0.5)
    assert consistency(sr, lr, degradation) < 31  # white noise is the hardest image there is
    result = corrected(sr, lr, degradation, steps=10, run=RUN)
    assert consistency(result, lr, degradation) > 60  # rounding to 8 bits gives 58.9


def test_the_correction_ends_at_the_noise(degradation):
    sr, lr = problem(degradation, contrast=0.05)  # nothing is clipped
    level = 0.3 * residual(sr, lr, degradation)
    noisy = replace(degradation, noise=math.sqrt(level / lr.numel()))
    results = [corrected(sr, lr, clipped_cgls(degradation), steps=n, run=RUN) for n in range(15)]
    needed = next(n for n, result in enumerate(results) if residual(result, lr, degradation) <= level)
    assert needed > 0
    assert torch.equal(corrected(sr, lr, noisy, steps=60, run=RUN), results[needed])


def test_the_correction_of_a_compressed_image_ends_at_the_error_of_compression(degradation):
    sr, lr = problem(degradation, contrast=0.5)
    error = 12 / 255 * 0.5
    noisy, compressed = replace(degradation, noise=error), replace(degradation, compression=0.5)
    results = [corrected(sr, lr, each, steps=60, run=RUN) for each in (noisy, compressed)]
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=1e-6)


def test_no_step_only_clips(degradation):
    _, lr = problem(degradation)
    sr = 3 * image(*degradation.upsample(lr).shape, seed=12) - 1
    assert torch.equal(corrected(sr, lr, degradation, steps=0, run=RUN), sr.clamp(0, 1))


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("steps", [0, 1, 10])
def test_the_result_is_an_image(degradation, noise, steps):
    lr = (image(1, 1, 18, 16) > 0.5).float()
    sr = degradation.upsample(lr)
    assert float(sr.min()) < 0 and float(sr.max()) > 1, "the interpolation overshoots"
    result = corrected(sr, lr, replace(degradation, noise=noise), steps=steps, run=RUN)
    assert (float(result.min()), float(result.max())) == (0, 1)


def test_every_plane_is_corrected_as_if_it_were_alone(degradation):
    lr = image(2, 2, 10, 9)
    lr[1, 1] = 0.5 + 0.01 * lr[1, 1]  # needs fewer steps than the others
    sr = degradation.upsample(lr)
    together = corrected(sr, lr, degradation, steps=5, run=RUN)
    for n in range(2):
        for c in range(2):
            plane = slice(n, n + 1), slice(c, c + 1)
            assert torch.equal(corrected(sr[plane], lr[plane], degradation, steps=5, run=RUN), together[plane])


def test_the_progress_names_the_plane():
    reports = []
    sr, lr = problem(Degradation(scale=2), channels=3)
    run = Run(device="cpu", report=reports.append)
    corrected(sr, lr, Degradation(scale=2), steps=2, run=run, stage="solve")
    names = list(dict.fromkeys(report.stage for report in reports))
    assert names == ["solve, band 1 of 3", "solve, band 2 of 3", "solve, band 3 of 3"]
    reports.clear()
    corrected(sr[:, :1], lr[:, :1], Degradation(scale=2), steps=2, run=run, stage="solve")
    assert {report.stage for report in reports} == {"solve"}


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_an_exact_start_is_left_alone(degradation, level):
    lr = torch.full((1, 2, 24, 20), level)
    sr = torch.full((1, 2, *degradation.hr_size((24, 20))), level)
    result = corrected(sr, lr, degradation, steps=50, run=RUN)
    assert torch.allclose(result, sr, atol=10 * SINGLE, rtol=0)  # NaN would fail, too


def test_many_steps_past_the_solution_keep_the_residual_low(degradation):
    sr, lr = problem(degradation, contrast=0.1)
    few, many = (corrected(sr, lr, degradation, steps=n, run=RUN) for n in (60, 120))
    assert bool(many.isfinite().all())
    # Rounding must not build up: it stays at what float32 can tell.
    assert residual(many, lr, degradation) <= 1.01 * residual(few, lr, degradation) + 1e-9


def dots(*size):
    """Isolated white pixels on black, as a night sky or a dithered image has them."""
    lr = torch.zeros(1, 1, *size)
    lr[..., 3::6, 3::6] = 1
    return lr


@pytest.mark.parametrize("scale", [2, 3])
def test_isolated_white_pixels_that_were_sampled_as_points_stay_consistent(scale):
    """CGLS makes them brighter than white and their surroundings darker than black, and clipping undoes that."""
    degradation = Degradation(scale=scale, kernel=gaussian(0.2))
    lr = dots(24, 20)
    sr = degradation.upsample(lr)
    clipped = corrected(sr, lr, clipped_cgls(degradation), steps=10, run=RUN)
    result = corrected(sr, lr, degradation, steps=10, run=RUN)
    assert consistency(clipped, lr, degradation) < 40
    assert consistency(result, lr, degradation) > 55  # rounding to 8 bits gives 58.9


@pytest.mark.parametrize("picture", ["dots", "chequerboard", "noise"])
def test_correcting_within_the_range_is_never_worse_than_clipping(degradation, picture):
    """No image in the range may have this LR image; then the nearest is looked for."""
    size = (24, 20)
    lr = {
        "dots": dots(*size),
        "chequerboard": (image(1, 1, *size) > 0.5).float(),
        "noise": image(1, 1, *size),
    }[picture]
    sr = degradation.upsample(lr)
    clipped = corrected(sr, lr, clipped_cgls(degradation), steps=10, run=RUN)
    result = corrected(sr, lr, degradation, steps=10, run=RUN)
    assert consistency(result, lr, degradation) > consistency(clipped, lr, degradation) + 0.2  # dB


def test_without_clipping_no_further_steps_are_taken():
    """Little contrast never leaves the range, so there is nothing to correct within it."""
    degradation = Degradation(scale=2)
    lr = 0.5 + 0.1 * (image(1, 1, 24, 20) - 0.5)
    sr = degradation.upsample(lr)
    result = corrected(sr, lr, degradation, steps=1, run=RUN)
    assert torch.equal(result, corrected(sr, lr, clipped_cgls(degradation), steps=1, run=RUN))
    assert consistency(result, lr, degradation) < 55  # 60 dB would be reached within the range


def test_a_noisy_image_is_not_made_consistent_beyond_its_noise():
    degradation = Degradation(scale=2, kernel=gaussian(0.2), noise=0.2)
    lr = dots(24, 20)
    result = corrected(degradation.upsample(lr), lr, degradation, steps=10, run=RUN)
    assert consistency(result, lr, degradation) < 40


def squared_norm_as_a_matrix(degradation, lr_size):
    rows, columns = degradation.hr_size(lr_size)
    units = torch.eye(rows * columns, dtype=torch.float64).reshape(-1, 1, rows, columns)
    # In parts, because the extensions of all units at once would need gigabytes.
    matrix = torch.cat([degradation.forward(part, lr_size) for part in units.split(128)]).flatten(1)
    return float(torch.linalg.matrix_norm(matrix, 2)) ** 2


def estimated_norm(degradation, lr_size):
    sr, lr = torch.zeros(1, 1, *degradation.hr_size(lr_size)), torch.zeros(1, 1, *lr_size)
    return back_projection._squared_norm(sr, lr, degradation, RUN)


NORMS = {
    "bicubic x2": Degradation(scale=2),
    "bicubic x3": Degradation(scale=3),
    "bicubic 1x2": Degradation(scale=(1, 2)),
    "blur": Degradation(scale=2, kernel=gaussian(3, 1, 0.7, size=9)),
    "blur and bicubic": Degradation(scale=2, kernel=gaussian(1, size=5), subsampling="bicubic"),
    "points between pixels": Degradation(scale=2, kernel=delta()),
    "points": Degradation(scale=2, kernel=delta(), anchor="centre"),
    "sharpening": Degradation(scale=2, kernel=torch.tensor([[0, -1.0, 0], [-1, 5, -1], [0, -1, 0]])),
    "far away": Degradation(scale=2, kernel=gaussian(2, size=7), anchor=(-3.4, 9.0)),
    "wrapped": Degradation(scale=2, kernel=gaussian(2, size=7), wrap="xy"),
    "x1.5 of an even side": Degradation(scale=1.5),
}


@pytest.mark.parametrize("name", NORMS)
def test_the_norm_is_estimated_from_above_and_closely(name):
    """A step of 1 / norm converges if the norm is not too small, and is fast if it is not too large."""
    exact = squared_norm_as_a_matrix(NORMS[name], (14, 12))
    assert exact < estimated_norm(NORMS[name], (14, 12)) < 1.1 * exact


def test_the_norm_of_a_fractional_scale_covers_the_last_row():
    """Of 15 * 1.5 = 22.5 HR pixels there are 22: the last LR row looks at a reflection, which counts twice."""
    degradation = Degradation(scale=1.5)
    assert estimated_norm(degradation, (15, 15)) > squared_norm_as_a_matrix(degradation, (15, 15))


@pytest.mark.parametrize("steps", [0, 3])
def test_the_image_is_corrected_in_place_and_what_it_is_compared_with_is_left_alone(degradation, steps):
    sr, lr = problem(degradation)
    kept = lr.clone()
    expected = corrected(sr, lr, degradation, steps=steps, run=RUN)
    assert back_project(sr, lr, degradation, steps=steps, run=RUN) is sr
    assert torch.equal(sr, expected)
    assert torch.equal(lr, kept)


@pytest.mark.parametrize("asked_before", [1, 3, 8, 14])
def test_back_projection_can_be_cancelled_between_two_steps(asked_before):
    asked = []

    def cancelled():
        asked.append(None)
        return len(asked) == asked_before

    lr = dots(24, 20)
    degradation = Degradation(scale=2)
    with pytest.raises(Cancelled):
        corrected(degradation.upsample(lr), lr, degradation, steps=10, run=Run(device="cpu", cancelled=cancelled))
    assert len(asked) == asked_before
