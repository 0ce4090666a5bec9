import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from innersr.errors import Cancelled
from innersr.inference import tiling
from innersr.inference.self_ensemble import self_ensemble
from innersr.inference.tiling import LARGEST_TILE, SMALLEST_TILE, apply_tiled, hr_part, tile_side
from innersr.metrics.fidelity import consistency_psnr
from innersr.networks.detail_stack import DetailStack
from innersr.physics import back_projection
from innersr.physics.back_projection import back_project
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import delta, gaussian
from innersr.physics.resize import Window, resize
from innersr.physics.symmetries import SYMMETRIES, apply_symmetry, undo_symmetry
from innersr.pipeline import with_grain
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32")
SINGLE = 1e-6  # float32: values of about 1, each a sum of some hundred products
DOUBLE = 1e-12  # float64, likewise
NO_MEMORY = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried")


def generator(seed=11):
    return torch.Generator().manual_seed(seed)


def image(*shape, seed=11, dtype=torch.float32):
    return torch.rand(shape, generator=generator(seed), dtype=dtype)


def network(channels=2, depth=3):
    return DetailStack(channels, width=8, depth=depth, generator=generator(2)).requires_grad_(False)


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


class Copying:
    """Copies the truth tile by tile, and runs out of memory above a size."""

    def __init__(self, truth, lr_size, *, largest=math.inf, error=NO_MEMORY):
        self.truth, self.lr_size, self.largest, self.error = truth, lr_size, largest, error
        self.done, self.failed = [], []

    def __call__(self, tile):
        if max(tile.bottom - tile.top, tile.right - tile.left) > self.largest:
            self.failed.append(tile)
            raise self.error
        self.done.append(tile)
        part = hr_part(tile, self.lr_size, (self.truth.shape[-2], self.truth.shape[-1]))
        return self.truth[..., part.top : part.bottom, part.left : part.right]


def covered(tiles, lr_size, hr_size):
    """How often each pixel of the result was computed."""
    count = torch.zeros(hr_size)
    for tile in tiles:
        part = hr_part(tile, lr_size, hr_size)
        count[part.top : part.bottom, part.left : part.right] += 1
    return count


SCALES = [1, 2, 3, 1.5, (2, 3), (1, 2.7), 1.05, math.pi]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("side", [1, 7, 16, 64])
def test_tiles_cover_the_result_once(scale, side):
    size = (23, 40)
    hr_size = Degradation(scale=scale).hr_size(size) if scale != 1 else size
    truth = image(1, 2, *hr_size)
    render = Copying(truth, size)
    assert torch.equal(apply_tiled(render, size, torch.empty_like(truth), side=side, run=RUN), truth)
    assert bool((covered(render.done, size, hr_size) == 1).all())
    assert bool((covered(render.done, size, size) == 1).all())
    assert max(max(tile.bottom - tile.top, tile.right - tile.left) for tile in render.done) <= side


def test_a_tile_of_a_whole_scale_is_that_many_times_as_large():
    assert hr_part(Window(4, 5, 20, 30), (40, 50), (80, 150)) == Window(8, 15, 40, 90)
    assert hr_part(Window(0, 0, 7, 9), (7, 9), (10, 13)) == Window(0, 0, 10, 13)


def test_an_image_within_one_tile_is_one_pass():
    reports = []
    run = Run(device="cpu", report=reports.append)
    x = image(1, 1, 30, 40)
    apply_tiled(Copying(x, (30, 40)), (30, 40), torch.empty_like(x), side=40, run=run, stage="look")
    assert [(report.stage, report.done, report.total) for report in reports] == [("look", 0, 1), ("look", 1, 1)]


def test_tiling_goes_on_after_the_time_limit_but_not_after_cancelling():
    x = image(1, 1, 40, 40)
    late = Run(device="cpu", time_limit=1, started=-math.inf)
    assert torch.equal(apply_tiled(Copying(x, (40, 40)), (40, 40), torch.empty_like(x), side=8, run=late), x)
    cancelled = Run(device="cpu", cancelled=lambda: True)
    with pytest.raises(Cancelled):
        apply_tiled(Copying(x, (40, 40)), (40, 40), torch.empty_like(x), side=8, run=cancelled)


@pytest.mark.parametrize("error", [NO_MEMORY, MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
@pytest.mark.parametrize("scale", [2, 1.5])
def test_out_of_memory_halves_the_tiles(error, scale):
    size = (70, 100)
    truth = image(1, 1, *Degradation(scale=scale).hr_size(size))
    render = Copying(truth, size, largest=32, error=error)
    assert torch.equal(apply_tiled(render, size, torch.empty_like(truth), side=128, run=RUN), truth)
    assert len(render.failed) == 2, "of 70x100 and of 64x64 pixels"
    assert render.failed[-1] == (0, 0, 64, 64)
    assert render.done[0] == (0, 0, 32, 32)
    assert bool((covered(render.done, size, truth.shape[-2:]) == 1).all())


def test_tiles_that_were_done_before_memory_ran_out_are_not_computed_again():
    x = image(1, 1, 64, 96)
    render = Copying(x, (64, 96))

    def until_the_fourth(tile):
        if len(render.done) == 3 and not render.failed:
            render.failed.append(tile)
            raise NO_MEMORY
        return render(tile)

    assert torch.equal(apply_tiled(until_the_fourth, (64, 96), torch.empty_like(x), side=32, run=RUN), x)
    assert render.failed == [(32, 0, 64, 32)]
    sides = [tile.bottom - tile.top for tile in render.done]
    assert sides == [32, 32, 32, *[16] * 12]
    assert bool((covered(render.done, (64, 96), (64, 96)) == 1).all())


def test_the_progress_begins_anew_with_the_tiles_that_are_left():
    reports = []
    x = image(1, 1, 64, 64)
    render = Copying(x, (64, 64), largest=32)
    apply_tiled(render, (64, 64), torch.empty_like(x), side=64, run=Run(device="cpu", report=reports.append))
    assert [(report.done, report.total) for report in reports if report.done in (0, report.total)] == [
        (0, 1),
        (0, 4),
        (4, 4),
    ]


@pytest.mark.parametrize(("side", "tried"), [(64, [64, 32, 16]), (40, [40, 20, 16]), (16, [16]), (9, [9])])
def test_when_even_the_smallest_tiles_need_too_much_it_gives_up(side, tried):
    x = image(1, 1, 64, 64)
    render = Copying(x, (64, 64), largest=0)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        apply_tiled(render, (64, 64), torch.empty_like(x), side=side, run=RUN)
    assert [tile.bottom for tile in render.failed] == tried


@pytest.mark.parametrize("error", [RuntimeError("shapes cannot be multiplied"), ValueError("memory"), KeyError("x")])
def test_other_errors_are_not_taken_for_lack_of_memory(error):
    x = image(1, 1, 64, 64)
    render = Copying(x, (64, 64), largest=0, error=error)
    with pytest.raises(type(error)) as caught:
        apply_tiled(render, (64, 64), torch.empty_like(x), side=64, run=RUN)
    assert caught.value is error
    assert len(render.failed) == 1


def sides(monkeypatch, free, run=RUN, *, lr_size=(1000, 3000), pixel_bytes=1000.0):
    monkeypatch.setattr(tiling, "free_memory", lambda _: free)
    return tile_side(lr_size, run, pixel_bytes=pixel_bytes)


def test_a_tile_is_as_large_as_the_run_asks_for_whatever_memory_there_is(monkeypatch):
    for side in (1, 5, 100, 5000):
        assert sides(monkeypatch, 0, replace(RUN, tile=side)) == side
    assert sides(monkeypatch, 0, replace(RUN, tile=0)) == 3000, "the whole image"


def test_without_a_wish_a_tile_needs_a_quarter_of_the_free_memory(monkeypatch):
    assert sides(monkeypatch, 4 * 1000 * 100**2) == 100
    assert sides(monkeypatch, 4 * 1000 * 100**2 - 1) == 99
    assert sides(monkeypatch, 4 * 1000 * 100**2, pixel_bytes=4000.0) == 50
    given = [sides(monkeypatch, 10**exponent) for exponent in range(3, 14)]
    assert given == sorted(given)
    assert (given[0], given[-1]) == (SMALLEST_TILE, LARGEST_TILE)
    assert sides(monkeypatch, 0) == SMALLEST_TILE


@pytest.mark.parametrize("symmetries", [SYMMETRIES, (0, 3), (0, 1, 2), (5,)])
def test_the_self_ensemble_is_the_median_over_turned_copies(symmetries):
    weights = image(9, 8, seed=4)  # position-dependent, so that every turned copy gives another result

    def darken(x, _):
        return x * (weights if x.shape[-2:] == weights.shape else weights.mT + 1)

    x = image(2, 3, 9, 8)
    results = []
    for symmetry in symmetries:
        result = darken(apply_symmetry(x, symmetry), symmetry).numpy()
        result = result[..., ::-1, :] if symmetry & 2 else result
        result = result[..., ::-1] if symmetry & 1 else result
        results.append(result.swapaxes(-2, -1) if symmetry & 4 else result)
    expected = np.median(results, axis=0)  # of an even count the mean of the two middle values, too
    np.testing.assert_allclose(self_ensemble(darken, x, symmetries).numpy(), expected, atol=SINGLE, rtol=0)


def test_every_copy_is_told_how_it_was_turned():
    x, told = image(1, 1, 5, 4), {}
    self_ensemble(lambda turned, symmetry: told.setdefault(symmetry, turned), x, (0, 3, 6))
    assert list(told) == [0, 3, 6]
    assert all(torch.equal(undo_symmetry(turned, symmetry), x) for symmetry, turned in told.items())


def test_the_ensemble_of_two_is_their_mean_not_the_darker_one():
    levels = iter([0.2, 0.6])
    result = self_ensemble(lambda x, _: torch.full_like(x, next(levels)), image(1, 1, 4, 4), (0, 3))
    assert torch.allclose(result, torch.tensor(0.4), atol=SINGLE)


def test_one_odd_result_of_three_does_not_show():
    levels = iter([0.3, 100.0, 0.5])
    result = self_ensemble(lambda x, _: torch.full_like(x, next(levels)), image(1, 1, 4, 4), (0, 1, 2))
    assert bool((result == 0.5).all())


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_the_whole_ensemble_turns_with_the_image(symmetry):
    net = network(depth=3).double()
    x = image(1, 2, 14, 11, dtype=torch.float64)

    def enlarge(part, _=0):
        return net(part.repeat_interleave(2, -1).repeat_interleave(2, -2))

    assert not torch.allclose(apply_symmetry(enlarge(x), 5), enlarge(apply_symmetry(x, 5)), atol=1e-3)
    turned = self_ensemble(enlarge, apply_symmetry(x, symmetry), SYMMETRIES)
    expected = apply_symmetry(self_ensemble(enlarge, x, SYMMETRIES), symmetry)
    assert torch.allclose(turned, expected, atol=DOUBLE, rtol=0)


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


def test_many_steps_past_the_solution_do_no_harm(degradation):
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


def test_without_clipping_few_steps_stay_few():
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


def test_the_norm_of_a_broken_scale_covers_the_last_row():
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


# Grain


GRAINY = [
    Degradation(scale=2),
    Degradation(scale=(2, 3)),
    Degradation(scale=1.5),
    Degradation(scale=2, kernel=gaussian(0.6)),
    Degradation(scale=2, wrap="xy"),
]


def soft_grain(lr):
    """Return noise whose grains are some pixels wide, which cubic interpolation can follow."""
    coarse = [n // 3 for n in lr.shape[-2:]]
    noise = torch.randn(*lr.shape[:2], *coarse, generator=torch.Generator().manual_seed(0))
    return 0.05 * resize(noise, size=(lr.shape[-2], lr.shape[-1]))


@pytest.mark.parametrize("degradation", GRAINY)
def test_the_shrunk_copy_of_an_image_with_its_grain_is_the_small_image(degradation):
    sr = 0.3 + 0.4 * torch.rand(1, 3, 60, 72, generator=torch.Generator().manual_seed(1))
    clean = degradation.forward(sr)
    lr = clean + soft_grain(clean)
    with_its_grain = with_grain(sr, lr, degradation)
    left = lr - degradation.forward(with_its_grain, (lr.shape[-2], lr.shape[-1]))
    assert float(left.std()) < 0.1 * float((lr - clean).std())


@pytest.mark.parametrize("degradation", [*GRAINY, Degradation(scale=2, kernel=gaussian(2.0))])
def test_an_image_that_explains_all_has_no_grain_and_a_constant_rest_is_added(degradation):
    sr = 0.3 + 0.4 * torch.rand(1, 2, 60, 72, generator=torch.Generator().manual_seed(1))
    lr = degradation.forward(sr)
    # Sums of some ten products of values of about 1, in float32, taken twice.
    assert torch.allclose(with_grain(sr, lr, degradation), sr, rtol=0, atol=2e-6)
    assert torch.allclose(with_grain(sr, lr + 0.1, degradation), sr + 0.1, rtol=0, atol=2e-6)


def test_grain_is_not_sharpened():
    blurred = Degradation(scale=2, kernel=gaussian(2.0))
    sr = torch.full((1, 1, 64, 64), 0.5)
    noise = 0.05 * torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    grain = with_grain(sr, 0.5 + noise, blurred) - 0.5
    assert 0.7 * float(noise.std()) < float(grain.std()) < float(noise.std())
    corrected = back_project(sr.clone(), 0.5 + noise, blurred, steps=5, run=RUN) - 0.5
    assert float(corrected.std()) > 1.5 * float(grain.std())


def test_grain_does_not_leave_the_range():
    sr = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    result = with_grain(sr, torch.ones(1, 1, 16, 16), Degradation(scale=2))
    assert float(result.max()) == 1 and float(result.min()) >= 0
