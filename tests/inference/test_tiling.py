"""Work tile by tile: tiles cover the image, shrink when memory runs out, and fit into the free memory."""

import math
from dataclasses import replace

import pytest
import torch

from innersr.errors import Cancelled
from innersr.inference import tiling
from innersr.inference.tiling import LARGEST_TILE, SMALLEST_TILE, apply_tiled, hr_part, tile_side
from innersr.physics.degradation import Degradation
from innersr.physics.resize import Window
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32")
NO_MEMORY = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried")


def image(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(11))


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
    compute = Copying(truth, size)
    assert torch.equal(apply_tiled(compute, size, torch.empty_like(truth), side=side, run=RUN), truth)
    assert bool((covered(compute.done, size, hr_size) == 1).all())
    assert bool((covered(compute.done, size, size) == 1).all())
    assert max(max(tile.bottom - tile.top, tile.right - tile.left) for tile in compute.done) <= side


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
    compute = Copying(truth, size, largest=32, error=error)
    assert torch.equal(apply_tiled(compute, size, torch.empty_like(truth), side=128, run=RUN), truth)
    assert len(compute.failed) == 2, "of 70x100 and of 64x64 pixels"
    assert compute.failed[-1] == (0, 0, 64, 64)
    assert compute.done[0] == (0, 0, 32, 32)
    assert bool((covered(compute.done, size, truth.shape[-2:]) == 1).all())


def test_tiles_that_were_done_before_memory_ran_out_are_not_computed_again():
    x = image(1, 1, 64, 96)
    compute = Copying(x, (64, 96))

    def until_the_fourth(tile):
        if len(compute.done) == 3 and not compute.failed:
            compute.failed.append(tile)
            raise NO_MEMORY
        return compute(tile)

    assert torch.equal(apply_tiled(until_the_fourth, (64, 96), torch.empty_like(x), side=32, run=RUN), x)
    assert compute.failed == [(32, 0, 64, 32)]
    sides = [tile.bottom - tile.top for tile in compute.done]
    assert sides == [32, 32, 32, *[16] * 12]
    assert bool((covered(compute.done, (64, 96), (64, 96)) == 1).all())


def test_the_progress_begins_anew_with_the_tiles_that_are_left():
    reports = []
    x = image(1, 1, 64, 64)
    compute = Copying(x, (64, 64), largest=32)
    apply_tiled(compute, (64, 64), torch.empty_like(x), side=64, run=Run(device="cpu", report=reports.append))
    assert [(report.done, report.total) for report in reports if report.done in (0, report.total)] == [
        (0, 1),
        (0, 4),
        (4, 4),
    ]


@pytest.mark.parametrize(("side", "tried"), [(64, [64, 32, 16]), (40, [40, 20, 16]), (16, [16]), (9, [9])])
def test_when_even_the_smallest_tiles_need_too_much_it_gives_up(side, tried):
    x = image(1, 1, 64, 64)
    compute = Copying(x, (64, 64), largest=0)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        apply_tiled(compute, (64, 64), torch.empty_like(x), side=side, run=RUN)
    assert [tile.bottom for tile in compute.failed] == tried


@pytest.mark.parametrize("error", [RuntimeError("shapes cannot be multiplied"), ValueError("memory"), KeyError("x")])
def test_other_errors_are_not_taken_for_lack_of_memory(error):
    x = image(1, 1, 64, 64)
    compute = Copying(x, (64, 64), largest=0, error=error)
    with pytest.raises(type(error)) as caught:
        apply_tiled(compute, (64, 64), torch.empty_like(x), side=64, run=RUN)
    assert caught.value is error
    assert len(compute.failed) == 1


def sides(monkeypatch, free, run=RUN, *, lr_size=(1000, 3000), pixel_floats=250.0):
    monkeypatch.setattr(tiling, "free_memory", lambda _: free)
    return tile_side(lr_size, run, pixel_floats=pixel_floats)


def test_a_tile_is_as_large_as_the_run_asks_for_whatever_memory_there_is(monkeypatch):
    for side in (1, 5, 100, 5000):
        assert sides(monkeypatch, 0, replace(RUN, tile=side)) == side
    assert sides(monkeypatch, 0, replace(RUN, tile=0)) == 3000, "the whole image"


def test_without_a_wish_a_tile_needs_a_quarter_of_the_free_memory(monkeypatch):
    assert sides(monkeypatch, 4 * 1000 * 100**2) == 100
    assert sides(monkeypatch, 4 * 1000 * 100**2 - 1) == 99
    assert sides(monkeypatch, 4 * 1000 * 100**2, pixel_floats=1000.0) == 50
    given = [sides(monkeypatch, 10**exponent) for exponent in range(3, 14)]
    assert given == sorted(given)
    assert (given[0], given[-1]) == (SMALLEST_TILE, LARGEST_TILE)
    assert sides(monkeypatch, 0) == SMALLEST_TILE
