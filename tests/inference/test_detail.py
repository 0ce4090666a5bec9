"""Super-resolution with a DetailStack: tiles, memory, wrapping, transformed views."""

import weakref
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from innersr.inference import detail, tiling
from innersr.inference.detail import super_resolve
from innersr.networks.detail_stack import DetailStack
from innersr.physics.back_projection import back_project
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian, in_convention
from innersr.physics.symmetries import SYMMETRIES, apply_symmetry
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32", tile=0)
SINGLE = 1e-6  # float32: values of about 1, each a sum of some hundred products
SIZE = (19, 41)  # LR pixels; no tile divides it
HIGHER = (34, 41)

CENTRED = {"kernel": gaussian(1.0, size=7), "anchor": "centre"}  # LR pixel i lies at HR pixel s * i


def generator(seed=11):
    return torch.Generator().manual_seed(seed)


def image(*size, channels=1, seed=11):
    return torch.rand(1, channels, *size, generator=generator(seed))


def network(factors=(1, 1), channels=1):
    """An untrained network, whose detail is as large as the image itself."""
    stack = DetailStack(channels, factors=factors, width=6, depth=3, generator=generator(2)).requires_grad_(False)
    stack.convolutions[-1].weight *= 5
    return stack


def factors_of(degradation, kind):
    return (1, 1) if kind == "interpolated" else tuple(round(s) for s in degradation.scales)


def rolled(x, rows, columns):
    return x.roll((rows, columns), (-2, -1))


def inside(x, border):
    return x[..., border:-border, border:-border]


CASES = [
    *[(scale, kind) for scale in (2, 3, (2, 3)) for kind in ("interpolated", "subpixel")],
    (1.5, "interpolated"),
]


@pytest.fixture(params=CASES, ids=str)
def scale_and_kind(request):
    return request.param


@pytest.mark.parametrize("wrap", ["", "x", "xy"])
@pytest.mark.parametrize(
    ("settings", "ensemble"), [({}, False), ({}, True), (CENTRED, True)], ids=["alone", "ensemble", "moved ensemble"]
)
def test_tiles_change_nothing(scale_and_kind, wrap, settings, ensemble):
    scale, kind = scale_and_kind
    degradation = Degradation(scale=scale, wrap=wrap, **settings).fitted(SIZE)
    net, lr = network(factors_of(degradation, kind)), image(*SIZE)
    whole = super_resolve(net, lr, degradation, RUN, ensemble=ensemble)
    assert whole.shape[-2:] == degradation.hr_size(SIZE)
    for tile in (16, 17, 40):
        tiled = super_resolve(net, lr, degradation, replace(RUN, tile=tile), ensemble=ensemble)
        # The detail is several times as large as the image, and so is its rounding.
        assert (tiled - whole).abs().max() < 5 * SINGLE


@pytest.mark.parametrize("factors", [(1, 1), (2, 2)])
def test_tiles_of_a_network_of_the_usual_size_agree_to_a_millionth(factors):
    net = DetailStack(3, factors=factors, generator=generator(5)).requires_grad_(False)
    lr = image(45, 38, channels=3)
    whole, tiled = (super_resolve(net, lr, Degradation(scale=2), replace(RUN, tile=t), ensemble=False) for t in (0, 17))
    assert (tiled - whole).abs().max() < 1e-6


@pytest.mark.parametrize("wrap", ["", "xy"])
def test_tiles_change_nothing_when_views_are_shifted_far(wrap):
    """A kernel of FKP's convention, taken for a centred one at x4, moves the turned views by 6 pixels."""
    kernel = in_convention(gaussian(1.0, size=7), "fkp", 4.0)
    degradation = Degradation(scale=4, kernel=kernel, anchor="centre", wrap=wrap)
    assert max(max(move) for move in detail.view_shifts(network((4, 4)), degradation).values()) == 6
    lr = image(*SIZE)
    whole, tiled = (
        super_resolve(network((4, 4)), lr, degradation, replace(RUN, tile=tile), ensemble=True) for tile in (0, 16)
    )
    assert (tiled - whole).abs().max() < 5 * SINGLE


def test_a_smaller_halo_would_leave_seams(monkeypatch):
    """What the other tests of tiles can see at all."""
    degradation = Degradation(scale=2)
    net, lr = network((2, 2)), image(*HIGHER)
    whole = super_resolve(net, lr, degradation, RUN, ensemble=False)
    monkeypatch.setattr(DetailStack, "radius", 2)  # it is 3
    tiled = super_resolve(net, lr, degradation, replace(RUN, tile=16), ensemble=False)
    wrong = ((tiled - whole)[..., :26].abs().amax(dim=(0, 1, 3)) > 1e-4).nonzero().flatten().tolist()
    assert set(wrong) >= {30, 31, 32, 33, 64, 65}  # the second tile sees the last row
    assert not set(wrong) & {*range(26), *range(38, 58)}


def test_the_result_is_the_interpolation_plus_the_detail(scale_and_kind):
    scale, kind = scale_and_kind
    degradation = Degradation(scale=scale)
    net, lr = network(factors_of(degradation, kind), channels=3), image(*SIZE, channels=3)
    base = degradation.upsample(lr)
    expected = base + net(base if kind == "interpolated" else lr)
    assert (super_resolve(net, lr, degradation, RUN, ensemble=False) - expected).abs().max() < 5 * SINGLE


def test_a_batch_is_super_resolved_image_by_image():
    net, lr = network((2, 2)), torch.cat([image(20, 24), image(20, 24, seed=3)])
    both = super_resolve(net, lr, Degradation(scale=2), replace(RUN, tile=16), ensemble=True)
    for n in range(2):
        alone = super_resolve(net, lr[n : n + 1], Degradation(scale=2), RUN, ensemble=True)
        assert (both[n : n + 1] - alone).abs().max() < 5 * SINGLE


class LiveMemory(TorchDispatchMode):
    """Counts the bytes of the tensors that operations make and that are still alive, and their peak."""

    def __init__(self):
        super().__init__()
        self.live = self.peak = 0
        self.known = weakref.WeakSet()

    def __torch_dispatch__(self, function, _types, given=(), settings=None):
        result = function(*given, **(settings or {}))
        for tensor in tree_leaves(result):
            storage = tensor.untyped_storage() if isinstance(tensor, torch.Tensor) else None
            if storage is not None and storage not in self.known:
                self.known.add(storage)
                weakref.finalize(storage, self.forget, storage.nbytes())
                self.live += storage.nbytes()
                self.peak = max(self.peak, self.live)
        return result

    def forget(self, count):
        self.live -= count


# Each pair of values once.
@pytest.mark.parametrize(
    ("width", "ensemble", "factors"), [(64, True, (2, 2)), (64, False, (1, 1)), (6, True, (1, 1)), (6, False, (2, 2))]
)
def test_tiles_keep_the_peak_within_the_free_memory(monkeypatch, factors, ensemble, width):
    """They are chosen for a quarter of it; halos and interpolation add to that."""
    net = DetailStack(3, factors=factors, width=width, depth=3, generator=generator(2)).requires_grad_(False)
    lr, free = image(150, 170, channels=3), 8 << 20
    whole = super_resolve(net, lr, Degradation(scale=2), RUN, ensemble=ensemble)
    monkeypatch.setattr(tiling, "free_memory", lambda _: free)
    with LiveMemory() as memory:
        tiled = super_resolve(net, lr, Degradation(scale=2), replace(RUN, tile=None), ensemble=ensemble)
    assert free / 8 < memory.peak - tiled.nbytes < free / 2
    assert (tiled - whole).abs().max() < 5 * SINGLE


def test_a_batch_stays_within_the_free_memory_too(monkeypatch):
    net, batch, free = network((2, 2)), image(120, 120).expand(6, -1, -1, -1), 8 << 20
    monkeypatch.setattr(tiling, "free_memory", lambda _: free)
    with LiveMemory() as memory:
        tiled = super_resolve(net, batch, Degradation(scale=2), replace(RUN, tile=None), ensemble=True)
    assert free / 8 < memory.peak - tiled.nbytes < free / 2


def test_a_pass_that_runs_out_of_memory_is_repeated_in_smaller_tiles():
    net, lr = network((2, 2)), image(40, 40)
    whole = super_resolve(net, lr, Degradation(scale=2), RUN, ensemble=True)
    sides = []

    def limited(_, given):
        sides.append(max(given[0].shape[-2:]))
        if sides[-1] > 30:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")

    net.convolutions[0].register_forward_pre_hook(limited)
    assert (super_resolve(net, lr, Degradation(scale=2), RUN, ensemble=True) - whole).abs().max() < 5 * SINGLE
    assert sides[0] == 40 and sides.count(40) == 1


@pytest.mark.parametrize("ensemble", [False, True])
@pytest.mark.parametrize("settings", [{}, CENTRED], ids=["bicubic", "centred"])
def test_a_wrapped_image_may_begin_anywhere(scale_and_kind, settings, ensemble):
    scale, kind = scale_and_kind
    size = (20, 24)
    degradation = Degradation(scale=scale, wrap="xy", **settings)
    net, lr = network(factors_of(degradation, kind)), image(*size)
    rows, columns = (round(6 * s) for s in degradation.scales)
    for tile in (0, 16):
        run = replace(RUN, tile=tile)
        moved = super_resolve(net, rolled(lr, 6, 6), degradation, run, ensemble=ensemble)
        expected = rolled(super_resolve(net, lr, degradation, run, ensemble=ensemble), rows, columns)
        assert (moved - expected).abs().max() < 5 * SINGLE
    plain = replace(degradation, wrap="")
    moved, still = (super_resolve(net, x, plain, RUN, ensemble=ensemble) for x in (rolled(lr, 6, 6), lr))
    assert (moved - rolled(still, rows, columns)).abs().max() > 0.1


def test_one_wrapped_axis_leaves_the_other_its_borders():
    degradation = Degradation(scale=2, wrap="x")
    net, lr = network((2, 2)), image(20, 24)
    still = super_resolve(net, lr, degradation, RUN, ensemble=True)
    moved = super_resolve(net, rolled(lr, 0, 5), degradation, RUN, ensemble=True)
    assert (moved - rolled(still, 0, 10)).abs().max() < 5 * SINGLE
    moved = super_resolve(net, rolled(lr, 5, 0), degradation, RUN, ensemble=True)
    assert (moved - rolled(still, 10, 0)).abs().max() > 0.1


@pytest.mark.parametrize("scale", [2, 1.5, (2, 3)])
@pytest.mark.parametrize("settings", [{}, CENTRED], ids=["bicubic", "centred"])
def test_a_wrapped_image_is_corrected_wherever_it_begins(scale, settings):
    degradation = Degradation(scale=scale, wrap="xy", **settings)
    lr = image(20, 24)
    rows, columns = (round(6 * s) for s in degradation.scales)

    def corrected(x, degradation):
        return back_project(degradation.upsample(x), x, degradation, steps=5, run=RUN)

    moved, still = (corrected(x, degradation) for x in (rolled(lr, 6, 6), lr))
    # Sums over the image in another order, and fifty steps that repeat their rounding.
    assert (moved - rolled(still, rows, columns)).abs().max() < 1e-5
    plain = replace(degradation, wrap="")
    moved, still = (corrected(x, plain) for x in (rolled(lr, 6, 6), lr))
    assert (moved - rolled(still, rows, columns)).abs().max() > 0.1


@pytest.mark.parametrize("scale", [2, 3, (2, 3)])
def test_the_views_of_an_aligned_image_are_not_moved(scale):
    degradation = Degradation(scale=scale)
    moves = detail.view_shifts(network(factors_of(degradation, "subpixel")), degradation)
    assert moves == dict.fromkeys(degradation.symmetries(), (0, 0))


def test_the_views_of_a_centred_kernel_are_moved_by_what_turning_moves_the_lr_pixels():
    """At x3 LR pixel i lies at HR pixel 3 i, and at 3 i + 2 counted from the other end."""
    degradation = Degradation(scale=(2, 3), **CENTRED)
    assert detail.view_shifts(network((2, 3)), degradation) == {0: (0, 0), 1: (0, 2), 2: (1, 0), 3: (1, 2)}
    assert set(detail.view_shifts(network(), degradation).values()) == {(0, 0)}, (
        "the interpolation shows where they are"
    )


def turned(x, symmetry):
    return apply_symmetry(x, symmetry).contiguous()


@pytest.mark.parametrize("scale", [2, 3, (2, 3)])
@pytest.mark.parametrize("settings", [{}, CENTRED], ids=["bicubic", "centred"])
@pytest.mark.parametrize("wrap", ["", "xy"])
def test_the_ensemble_turns_with_the_image(scale, settings, wrap):
    """Let o be where LR pixel 0 lies on the HR grid, and o' where it does in the turned image.

    The same network and degradation upscale the turned LR image as if it lay at o. Moved by o' - o, the result has
    to be the turned result, up to the border that moving reads beyond.
    """
    degradation = Degradation(scale=scale, wrap=wrap, **settings)
    net, lr = network(factors_of(degradation, "subpixel")), image(18, 22)
    result = super_resolve(net, lr, degradation, RUN, ensemble=True)
    for symmetry in degradation.symmetries():
        offsets = degradation.transformed(symmetry).offsets
        rows, columns = (round(b - a) for a, b in zip(degradation.offsets, offsets, strict=True))
        seen = rolled(super_resolve(net, turned(lr, symmetry), degradation, RUN, ensemble=True), rows, columns)
        expected = turned(result, symmetry)
        border = 0 if wrap else max(abs(rows), abs(columns), 2) + 4  # cubic interpolation reads 2 LR pixels beyond
        difference = inside(seen - expected, border) if border else seen - expected
        assert difference.abs().max() < 5 * SINGLE


def test_the_ensemble_would_not_turn_with_the_image_if_views_were_not_moved(monkeypatch):
    degradation = Degradation(scale=2, **CENTRED)
    monkeypatch.setattr(detail, "view_shifts", lambda *_: dict.fromkeys(SYMMETRIES, (0, 0)))
    net, lr = network((2, 2)), image(18, 22)
    seen = rolled(super_resolve(net, turned(lr, 3), degradation, RUN, ensemble=True), 1, 1)
    expected = turned(super_resolve(net, lr, degradation, RUN, ensemble=True), 3)
    assert inside(seen - expected, 8).abs().max() > 0.1


def test_views_are_those_that_the_degradation_allows():
    """A slanted kernel looks alike only when turned by 180 degrees."""
    slanted = Degradation(scale=2, kernel=gaussian(2, 1, 0.6, size=9))
    net, lr = network((2, 2)), image(18, 22)
    passes = []
    net.convolutions[0].register_forward_hook(lambda *given: passes.append(given[1][0]))
    super_resolve(net, lr, slanted, RUN, ensemble=True)
    assert len(passes) == 2
    assert torch.equal(passes[1], apply_symmetry(passes[0], 3))
    passes.clear()
    super_resolve(net, lr, slanted, RUN, ensemble=False)
    assert len(passes) == 1
