"""What meta-training teaches: its tasks, its gradients, its losses."""

import contextlib
import math
from dataclasses import replace
from itertools import product

import pytest
import torch

from helpers.methods import RUN, SINGLE, edges, image
from innersr.errors import InputError
from innersr.methods.maml import loss_of, pairs_of, sgd_step, weights_of
from innersr.networks.detail_stack import DetailStack
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian, shape_of
from innersr.run import Run
from innersr.training.crops import CropPool
from innersr.training.learner import backpropagate
from innersr.training.objectives.mzsr import InnerLoop, MZSRObjective, loss_weights, meta_gradient

EXACT = contextlib.nullcontext()
OBJECTIVE = MZSRObjective(patch=20, images=2, batch=3, width=8, depth=3, first_order=True)
RECURSIVE = replace(OBJECTIVE, pairs="recursive")
KERNEL = gaussian(2, 1, 0.6, size=7)


def pool(side=96):
    images = tuple((255 * image(3, (side, side), seed)[0]).byte() for seed in (1, 2, 3))
    return CropPool(images, (), (), 0)


def tiny(factors=(1, 1)):
    generator = torch.Generator().manual_seed(4)
    return DetailStack(3, factors=factors, width=3, depth=3, bias=True, generator=generator)


def pairs(network, degradation, seed):
    fathers = image(3, (12, 12), seed).to(next(network.parameters()).dtype)
    return pairs_of(network, degradation(fathers), fathers, degradation)


def drawn(objective, step=0, index=(0,)):
    """Return the sharp images of some tasks, (M, 3, S, S) each, and their generators."""
    crops = objective.crops(pool(), step, index)
    return [*zip((crops.images.float() / 255).split(len(crops.images) // len(index)), crops.generators, strict=True)]


def task(objective, step=0, index=0):
    images, generator = drawn(objective, step, (index,))[0]
    return images, *objective.task(objective.network(), images, generator)


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


def gradient_of(objective, index, run=RUN, step=0):
    network = objective.network()
    loss = backpropagate(objective, network, objective.crops(pool(), step, index), run)
    return flat([parameter.grad for parameter in network.parameters()]), loss


# Loss weights


def test_the_losses_of_all_inner_steps_weigh_the_same_at_first():
    assert loss_weights(0, 5) == pytest.approx((0.2, 0.2, 0.2, 0.2, 0.2))


def test_in_the_end_nearly_all_weight_is_on_the_last():
    assert loss_weights(100_000, 5) == pytest.approx((0.006, 0.006, 0.006, 0.006, 0.976))
    assert loss_weights(3234, 5) == loss_weights(100_000, 5)
    assert loss_weights(3233, 5)[0] > 0.006


@pytest.mark.parametrize("inner_steps", [1, 2, 5, 8])
def test_the_weights_fall_linearly_and_have_sum_1(inner_steps):
    found = [loss_weights(step, inner_steps) for step in range(0, 3001, 1000)]
    assert [sum(weights) for weights in found] == pytest.approx([1] * 4)
    assert [weights[0] * inner_steps for weights in found] == pytest.approx(
        [1, 0.7, 0.4, 0.1] if inner_steps > 1 else [1] * 4
    )


# Gradients


@pytest.mark.parametrize("factors", [(1, 1), (2, 2)])
def test_the_second_order_gradient_is_that_of_finite_differences(factors):
    degradation = Degradation(scale=2, kernel=KERNEL.double(), anchor="centre")
    network = tiny(factors).double()
    support, query = (pairs(network, degradation, seed) for seed in (1, 2))
    inner = InnerLoop(0.5, (0.3, 0.7), first_order=False)  # a large rate, so that the order matters
    _, gradients = meta_gradient(network, support, query, inner, EXACT)
    direction = [torch.randn(g.shape, generator=torch.Generator().manual_seed(7)).double() for g in gradients]
    slope = sum(float((g * d).sum()) for g, d in zip(gradients, direction, strict=True))

    def moved(by):
        with torch.no_grad():
            for parameter, d in zip(network.parameters(), direction, strict=True):
                parameter += by * d
        return float(meta_gradient(network, support, query, inner, EXACT)[0])

    # So near that no ReLU and no sign of an error changes.
    gap = 1e-8
    difference = (moved(gap) - moved(-2 * gap)) / (2 * gap)
    assert difference == pytest.approx(slope, rel=1e-4)
    first = meta_gradient(network, support, query, inner._replace(first_order=True), EXACT)[1]
    assert abs(sum(float((g * d).sum()) for g, d in zip(first, direction, strict=True)) / slope - 1) > 0.005


def test_the_first_order_gradient_is_the_sum_of_those_at_the_adapted_weights():
    network = tiny()
    support, query = (pairs(network, Degradation(scale=2), seed) for seed in (1, 2))
    shares = (0.2, 0.3, 0.5)
    value, gradients = meta_gradient(network, support, query, InnerLoop(0.1, shares, first_order=True), EXACT)
    learner = tiny()
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.1)
    expected, total = [torch.zeros_like(g) for g in gradients], 0.0
    for share in shares:
        optimizer.zero_grad()
        loss_of(learner, weights_of(learner), support, EXACT).backward()
        optimizer.step()
        optimizer.zero_grad()
        error = loss_of(learner, weights_of(learner), query, EXACT)
        error.backward()
        total += share * float(error.detach())
        expected = [e + share * p.grad for e, p in zip(expected, learner.parameters(), strict=True)]
    assert float(value) == pytest.approx(total, abs=SINGLE)
    assert torch.allclose(flat(gradients), flat(expected), rtol=0, atol=SINGLE)


@pytest.mark.parametrize("first_order", [True, False])
def test_the_loss_is_that_of_the_steps_that_are_made_at_test_time(first_order):
    network = tiny()
    support, query = (pairs(network, Degradation(scale=2), seed) for seed in (1, 2))
    value, _ = meta_gradient(network, support, query, InnerLoop(0.1, (0.0, 1.0), first_order), EXACT)
    weights = weights_of(network)
    for _ in range(2):
        weights, _ = sgd_step(network, weights, support, 0.1, EXACT)
    assert float(value) == pytest.approx(float(loss_of(network, weights, query, EXACT)), abs=SINGLE)


@pytest.mark.parametrize("first_order", [True, False])
def test_bf16_gives_nearly_the_same_gradient(first_order):
    """Double backward included."""
    objective = replace(OBJECTIVE, first_order=first_order, inner_steps=2)
    exact, rounded = (
        gradient_of(objective, (0, 1), Run(device="cpu", precision=precision))[0] for precision in ("fp32", "bf16")
    )
    assert float(torch.cosine_similarity(exact, rounded, 0)) > 0.99
    assert float(rounded.norm() / exact.norm()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("objective", [OBJECTIVE, RECURSIVE, replace(OBJECTIVE, scales=11)])
def test_the_loss_of_a_batch_is_the_sum_over_its_shares(objective):
    (whole, loss), *parts = (gradient_of(objective, index) for index in ((0, 1, 2), (0, 2), (1,)))
    assert torch.allclose(whole, parts[0][0] + parts[1][0], rtol=0, atol=SINGLE)
    assert float(loss) == pytest.approx(float(parts[0][1] + parts[1][1]), abs=SINGLE)


@pytest.mark.parametrize("first_order", [True, False])
def test_what_is_taught_makes_adapted_weights_better(first_order):
    objective = replace(OBJECTIVE, first_order=first_order, inner_steps=2)
    network = objective.network()
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    sharp = CropPool(((255 * edges(96)[0]).byte().expand(3, -1, -1),), (), (), 0)
    losses = []
    for _ in range(20):
        losses.append(float(backpropagate(objective, network, objective.crops(sharp, 0, (0, 1, 2)), RUN)))
        optimizer.step()
    assert losses[-1] < 0.9 * losses[0]


# Tasks


@pytest.mark.parametrize("objective", [OBJECTIVE, RECURSIVE])
def test_draws_do_not_depend_on_how_a_batch_is_shared_out(objective):
    alone, among = drawn(objective, 5, (1,))[0], drawn(objective, 5, (0, 1, 2))[1]
    assert torch.equal(alone[0], among[0])
    networks = [objective.task(objective.network(), *given) for given in (alone, among)]
    for a, b in zip(*networks, strict=True):
        assert torch.equal(a.base, b.base)


def test_every_step_every_task_and_every_seed_draws_anew():
    kinds = [(OBJECTIVE, 0, 0), (OBJECTIVE, 0, 1), (OBJECTIVE, 1, 0), (replace(OBJECTIVE, seed=1), 0, 0)]
    found = [float(task(*kind)[0].sum()) for kind in kinds]
    assert len({*found}) == 4


def test_external_fathers_are_sharp_and_the_querys_others_than_the_supports():
    images, support, query = task(OBJECTIVE)
    assert images.shape == (4, 3, 20, 20)
    assert torch.equal(support.fathers, images[:2])
    assert torch.equal(query.fathers, images[2:])


def test_recursive_fathers_are_the_sharp_images_degraded():
    """The query's sons are degraded as the support's fathers were: at even places, inside, they are the same."""
    objective = replace(RECURSIVE, subpixel=True, patch=24)
    compared = 0
    for index in range(12):
        images, support, query = task(objective, 0, index)
        assert images.shape == (2, 3, 48, 48)
        assert support.fathers.shape == query.fathers.shape == (2, 3, 24, 24)
        assert support.inputs.shape == query.inputs.shape == (2, 3, 12, 12)
        for top, left in product(range(0, 25, 2), repeat=2):
            if torch.equal(images[..., top : top + 24, left : left + 24], query.fathers):
                part = support.fathers[..., top // 2 : top // 2 + 12, left // 2 : left // 2 + 12]
                assert torch.allclose(part[..., 4:-4, 4:-4], query.inputs[..., 4:-4, 4:-4], rtol=0, atol=SINGLE)
                compared += 1
    assert compared >= 1


@pytest.mark.parametrize("scale", [2.0, 2.2, 3.0, 3.8, 4.0])
@pytest.mark.parametrize("objective", [OBJECTIVE, RECURSIVE])
def test_every_image_that_is_made_has_the_side_of_a_patch(objective, scale):
    _, support, query = task(replace(objective, scale=scale))
    assert support.fathers.shape == query.fathers.shape == (2, 3, 20, 20)
    assert support.base.shape == query.base.shape == (2, 3, 20, 20)


def test_the_side_of_the_crops_is_that_of_the_largest_scale():
    assert replace(OBJECTIVE, scales=11).side == 20
    assert replace(RECURSIVE, scales=11).side == 80
    assert replace(RECURSIVE, scale=2.2).side == 44
    assert MZSRObjective().side == 64


def degradations(objective, count=60):
    return [objective._degradation(torch.Generator().manual_seed(seed)) for seed in range(count)]


def test_kernels_are_those_of_the_paper():
    """Variances from 1 to 2.5 s, which 15 pixels hold nearly all of at x2."""
    for scale in (2.0, 4.0):
        kernels = [d.kernel for d in degradations(replace(OBJECTIVE, scale=scale))]
        assert {tuple(kernel.shape) for kernel in kernels} == {(15, 15)}
        longest = [shape_of(kernel).long_variance for kernel in kernels]
        assert 1 < min(longest) < 2
        assert 2 * scale < max(longest) < 2.5 * scale


def test_kernels_are_anisotropic_in_every_direction():
    """The short variance is uniform from 1 to the long one; angles from 0 to pi. Wide ones are cut off a little."""
    shapes = [shape_of(d.kernel) for d in degradations(OBJECTIVE, 300)]
    slanted = [shape for shape in shapes if shape.long_variance > 2]
    places = sorted((shape.short_variance - 1) / (shape.long_variance - 1) for shape in slanted)
    turns = sorted(shape.angle / math.pi for shape in slanted)
    assert len(slanted) > 200
    for found in (places, turns):  # quartiles of a uniform distribution, within four standard deviations
        quartiles = [found[int(q * len(found))] for q in (0.25, 0.5, 0.75)]
        assert quartiles == pytest.approx([0.25, 0.5, 0.75], abs=4 * 0.5 / len(found) ** 0.5)


@pytest.mark.parametrize(
    ("settings", "offsets"),
    [
        ({}, {0.0}),
        ({"anchor": "aligned"}, {0.5}),
        ({"anchor": "either"}, {0.0, 0.5}),
        ({"subsampling": "bicubic"}, {0.5}),
        ({"subsampling": "bicubic", "scale": 4.0}, {1.5}),
    ],
)
def test_lr_pixels_lie_where_the_settings_put_them(settings, offsets):
    found = degradations(replace(OBJECTIVE, **settings))
    assert {d.subsampling for d in found} == {settings.get("subsampling", "direct")}
    assert {round(o, 4) for d in found for o in d.offsets} == offsets


def test_the_multi_scale_model_has_eleven_scales():
    found = {d.scales[0] for d in degradations(replace(OBJECTIVE, scales=11), 300)}
    assert sorted(found) == pytest.approx([2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 3.2, 3.4, 3.6, 3.8, 4.0])


# The rest


@pytest.mark.parametrize(
    ("settings", "factors"), [({}, (1, 1)), ({"subpixel": True}, (2, 2)), ({"subpixel": True, "scale": 4.0}, (4, 4))]
)
def test_the_network_is_the_papers_or_one_on_the_lr_image(settings, factors):
    objective = MZSRObjective(**settings)
    network = objective.network()
    assert network.arguments == {"channels": 3, "factors": factors, "width": 64, "depth": 8, "bias": True}
    if factors == (1, 1):
        assert sum(parameter.numel() for parameter in network.parameters()) == 225_091
    assert torch.equal(flat(network.parameters()), flat(objective.network().parameters()))
    groups = objective.parameter_groups(network)
    assert [len(group.parameters) for group in groups] == [16]


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, {"g2.0d x2"}),
        ({"subsampling": "bicubic", "subpixel": True}, {"g1.3b x2"}),
        ({"anchor": "either"}, {"g2.0d x2", "random:0 x2"}),
        ({"scale": 3.0, "scales": 6}, {"g2.0d x3", "g2.0d x4"}),
        ({"scale": 2.2}, set()),
    ],
)
def test_a_network_is_validated_before_and_after_some_steps(settings, names):
    objective = replace(OBJECTIVE, **settings)
    found = objective.validate(objective.network(), [image(3, (84, 84))], RUN)
    assert {*found} == {f"{name}, {steps} steps" for name in names for steps in (0, 1, 10)}
    assert all(math.isfinite(decibels) for decibels in found.values())


def test_images_that_the_kernel_cannot_shrink_twice_are_not_validated_on():
    objective = replace(OBJECTIVE, scale=4.0)
    small, large = image(3, (83, 90)), image(3, (84, 84))
    assert objective.validate(objective.network(), [small], RUN) == {}
    both, alone = (objective.validate(objective.network(), images, RUN) for images in ([small, large], [large]))
    assert both == alone
    assert len(alone) == 3


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"scale": 1.0}, "scale must be above 1 and inner_rate above 0, got 1.0 and 0.01"),
        ({"inner_rate": 0.0}, "inner_rate above 0"),
        ({"scales": 0}, "must be 1 at least"),
        ({"inner_steps": 0}, "must be 1 at least"),
        ({"batch": 0}, "must be 1 at least"),
        ({"images": 0}, "must be 1 at least"),
        ({"depth": 1}, "depth 2 at least"),
        ({"patch": 14}, "patch must be 15 at least, the side of the kernels, got 14"),
        ({"subsampling": "nearest"}, "subsampling must be one of direct, bicubic, got 'nearest'"),
        ({"anchor": "left"}, "anchor must be one of centre, aligned, either, got 'left'"),
        ({"pairs": "both"}, "pairs must be one of external, recursive, got 'both'"),
        ({"subpixel": True, "scales": 3}, "a sub-pixel network needs one whole scale, got \\[2.0, 2.2, 2.4\\]; use"),
        ({"subpixel": True, "scale": 2.5}, "needs one whole scale, got \\[2.5\\]"),
    ],
)
def test_a_wrong_setting_is_refused(settings, text):
    with pytest.raises(InputError, match=text):
        MZSRObjective(**settings)
