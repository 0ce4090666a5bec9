import math

import numpy as np
import pytest
import torch

from innersr.augment import SYMMETRIES, apply_symmetry
from innersr.degradation import Degradation
from innersr.errors import Cancelled
from innersr.kernels import gaussian
from innersr.metrics import consistency_psnr
from innersr.networks import ResidualStack
from innersr.refine import TILE, apply_tiled, back_project, self_ensemble
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32")
SINGLE = 1e-6  # float32: values of about 1, each a sum of some hundred products
DOUBLE = 1e-12  # float64, likewise


def generator(seed=11):
    return torch.Generator().manual_seed(seed)


def image(*shape, seed=11, dtype=torch.float32):
    return torch.rand(shape, generator=generator(seed), dtype=dtype)


def network(channels=2, depth=3):
    return ResidualStack(channels, width=8, depth=depth, generator=generator(2)).requires_grad_(False)


def residual(sr, lr, degradation):
    return float((lr - degradation.forward(sr, (lr.shape[-2], lr.shape[-1]))).square().sum())


def problem(degradation, *, size=(24, 20), channels=2, dtype=torch.float32):
    """An LR image that no picture was shrunk to, and its interpolation."""
    lr = image(1, channels, *size, dtype=dtype)
    return degradation.upsample(lr), lr


@pytest.mark.parametrize("size", [(37, 50), (16, 16), (48, 33), (5, 70)])
@pytest.mark.parametrize("tile", [16, 17])
def test_tiles_with_the_radius_as_halo_change_nothing(size, tile):
    net, x = network(), image(2, 2, *size)
    tiled = apply_tiled(net, x, halo=net.radius, run=RUN, tile=tile)
    assert torch.allclose(tiled, net(x), atol=SINGLE, rtol=0)


def test_a_smaller_halo_leaves_seams_beside_the_tiles_only():
    net, x = network(), image(1, 2, 48, 40)
    difference = (apply_tiled(net, x, halo=net.radius - 1, run=RUN, tile=16) - net(x)).abs().amax(dim=(0, 1, 3))
    wrong = (difference > 10 * SINGLE).nonzero().flatten().tolist()
    assert set(wrong) >= {15, 16, 31, 32}, "the outermost ring of the halo matters"


def test_tiles_keep_to_their_size_and_cover_the_image_once():
    seen = []

    def record(part):
        seen.append(tuple(part.shape[-2:]))
        return part

    x = image(1, 1, 40, 70)
    assert torch.equal(apply_tiled(record, x, halo=2, run=RUN, tile=32), x)
    assert seen == [(34, 34), (34, 36), (34, 8), (10, 34), (10, 36), (10, 8)]


def test_an_image_within_one_tile_is_one_pass():
    reports = []
    run = Run(device="cpu", report=reports.append)
    x = image(1, 1, TILE, 40)
    apply_tiled(lambda part: part, x, halo=3, run=run, stage="look")
    assert [(report.stage, report.done, report.total) for report in reports] == [("look", 0, 1), ("look", 1, 1)]


def test_tiling_goes_on_after_the_time_limit_but_not_after_cancelling():
    x = image(1, 1, 40, 40)
    late = Run(device="cpu", time_limit=1, started=-math.inf)
    assert torch.equal(apply_tiled(lambda part: part, x, halo=1, run=late, tile=8), x)
    with pytest.raises(Cancelled):
        apply_tiled(lambda part: part, x, halo=1, run=Run(device="cpu", cancelled=lambda: True), tile=8)


@pytest.mark.parametrize("symmetries", [SYMMETRIES, (0, 3), (0, 1, 2), (5,)])
def test_the_self_ensemble_is_the_median_over_turned_copies(symmetries):
    weights = image(9, 8, seed=4)  # position-dependent, so that every turned copy gives another result

    def darken(x):
        return x * (weights if x.shape[-2:] == weights.shape else weights.mT + 1)

    x = image(2, 3, 9, 8)
    results = []
    for symmetry in symmetries:
        result = darken(apply_symmetry(x, symmetry)).numpy()
        result = result[..., ::-1, :] if symmetry & 2 else result
        result = result[..., ::-1] if symmetry & 1 else result
        results.append(result.swapaxes(-2, -1) if symmetry & 4 else result)
    expected = np.median(results, axis=0)  # of an even count the mean of the two middle values, too
    np.testing.assert_allclose(self_ensemble(darken, x, symmetries).numpy(), expected, atol=SINGLE, rtol=0)


def test_the_ensemble_of_two_is_their_mean_not_the_darker_one():
    levels = iter([0.2, 0.6])
    result = self_ensemble(lambda x: torch.full_like(x, next(levels)), image(1, 1, 4, 4), (0, 3))
    assert torch.allclose(result, torch.tensor(0.4), atol=SINGLE)


def test_one_odd_result_of_three_does_not_show():
    levels = iter([0.3, 100.0, 0.5])
    assert bool((self_ensemble(lambda x: torch.full_like(x, next(levels)), image(1, 1, 4, 4), (0, 1, 2)) == 0.5).all())


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_the_whole_ensemble_turns_with_the_image(symmetry):
    net = network(depth=3).double()
    x = image(1, 2, 14, 11, dtype=torch.float64)

    def enlarge(part):
        return net(part.repeat_interleave(2, -1).repeat_interleave(2, -2))

    assert not torch.allclose(apply_symmetry(enlarge(x), 5), enlarge(apply_symmetry(x, 5)), atol=1e-3)
    turned = self_ensemble(enlarge, apply_symmetry(x, symmetry), SYMMETRIES)
    expected = apply_symmetry(self_ensemble(enlarge, x, SYMMETRIES), symmetry)
    assert torch.allclose(turned, expected, atol=DOUBLE, rtol=0)


def test_an_ensemble_of_many_strips_is_that_of_one():
    x = image(1, 1, TILE + 40, 3)
    values = iter([x, x + 1, x + 4, x + 9])
    result = self_ensemble(lambda _: next(values), x, (0, 0, 0, 0))
    assert torch.allclose(result, x + 2.5, atol=SINGLE * 10, rtol=0)  # x + 9 is rounded to 1e-6


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
    sr, lr = problem(degradation, dtype=torch.float64)
    course = [residual(back_project(sr, lr, degradation, steps=n, run=RUN), lr, degradation) for n in range(8)]
    assert all(after < before for before, after in zip(course[:-1], course[1:], strict=True))


def test_the_solution_is_the_nearest_one_to_where_it_started():
    """x = sr + pinv(K) (lr - K sr), with K written down as a matrix of rank 20: conjugate directions need 20."""
    degradation = Degradation(scale=2, kernel=gaussian(1.5, 0.8, 0.5, size=5))
    sr, lr = problem(degradation, size=(5, 4), channels=1, dtype=torch.float64)
    units = torch.eye(80, dtype=torch.float64).reshape(80, 1, 10, 8)
    matrix = degradation.forward(units, (5, 4)).reshape(80, 20).mT
    nearest = sr.flatten() + torch.linalg.pinv(matrix) @ (lr.flatten() - matrix @ sr.flatten())
    found = back_project(sr, lr, degradation, steps=20, run=RUN).flatten()
    # It ends when the gradient has fallen to 1e-5 of the first; the smallest singular value magnifies the rest.
    assert torch.allclose(found, nearest, atol=1e-3, rtol=0)
    assert float((nearest - sr.flatten()).abs().max()) > 0.1


@pytest.mark.parametrize("scale", [2, 3, (2, 3)])
def test_ten_steps_make_a_result_more_consistent_than_8_bits_can_tell(scale):
    degradation = Degradation(scale=scale)
    sr, lr = problem(degradation, size=(40, 36))
    result = back_project(sr, lr, degradation, steps=10, run=RUN)
    before = consistency_psnr(sr, lr, lambda x: degradation.forward(x, (40, 36)))
    after = consistency_psnr(result, lr, lambda x: degradation.forward(x, (40, 36)))
    assert before < 25  # white noise is the hardest image there is
    assert after > 60  # rounding to 8 bits gives 58.9


def test_the_correction_ends_at_the_noise(degradation):
    noise = 0.1
    noisy = Degradation(
        scale=degradation.scale,
        kernel=degradation.kernel,
        anchor=degradation.anchor,
        subsampling=degradation.subsampling,
        noise=noise,
    )
    sr, lr = problem(degradation)
    level = noise**2 * lr.numel()
    course = (residual(back_project(sr, lr, degradation, steps=n, run=RUN), lr, degradation) for n in range(60))
    needed = next(n for n, value in enumerate(course) if value <= level)
    assert needed > 0, "the start must be worse than the noise"
    stopped = back_project(sr, lr, noisy, steps=60, run=RUN)
    assert torch.equal(stopped, back_project(sr, lr, degradation, steps=needed, run=RUN))


def test_no_step_returns_what_it_was_given(degradation):
    sr, lr = problem(degradation)
    assert torch.equal(back_project(sr, lr, degradation, steps=0, run=RUN), sr)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_an_exact_start_is_left_alone(degradation, level):
    lr = torch.full((1, 2, 24, 20), level)
    sr = torch.full((1, 2, *degradation.hr_size((24, 20))), level)
    result = back_project(sr, lr, degradation, steps=50, run=RUN)
    assert torch.allclose(result, sr, atol=10 * SINGLE, rtol=0)  # NaN would fail, too


def test_many_steps_past_the_solution_do_no_harm(degradation):
    sr, lr = problem(degradation)
    few, many = (back_project(sr, lr, degradation, steps=n, run=RUN) for n in (200, 400))
    assert bool(many.isfinite().all())
    # Rounding must not build up: it stays at what float32 can tell.
    assert residual(many, lr, degradation) <= 1.01 * residual(few, lr, degradation) + 1e-9


def test_inputs_are_not_changed(degradation):
    sr, lr = problem(degradation)
    kept = sr.clone(), lr.clone()
    back_project(sr, lr, degradation, steps=3, run=RUN)
    assert torch.equal(sr, kept[0])
    assert torch.equal(lr, kept[1])


def test_back_projection_can_be_cancelled_between_two_steps():
    asked = []

    def cancelled():
        asked.append(None)
        return len(asked) == 3

    sr, lr = problem(Degradation(scale=2))
    with pytest.raises(Cancelled):
        back_project(sr, lr, Degradation(scale=2), steps=10, run=Run(device="cpu", cancelled=cancelled))
    assert len(asked) == 3
