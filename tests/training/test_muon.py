"""Muon: updates of equal length along every direction, whatever the gradient's length."""

import copy
import math

import pytest
import torch
from torch import nn

from innersr.training.muon import Muon, orthogonalised

SHAPE = (6, 4, 3, 3)
NEARLY_ONE = (0.65, 1.25)  # where the five steps bring singular values: they trade exactness for speed


def drawn(seed, shape=SHAPE):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def weight_after(gradients, start=None, **settings):
    """Return a weight, zero if not given, after a step by each gradient."""
    weight = nn.Parameter(torch.zeros(gradients[0].shape) if start is None else start.clone())
    optimizer = Muon([weight], **settings)
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize("shape", [(6, 4, 3, 3), (40, 3, 3, 3), (5, 45)], ids=["wide", "tall", "matrix"])
def test_singular_values_become_about_1_and_singular_vectors_stay(shape):
    gradient = drawn(1, shape)
    u, values, vh = torch.linalg.svd(gradient.flatten(1), full_matrices=False)
    core = u.mT @ orthogonalised(gradient[None], torch.float32)[0].flatten(1) @ vh.mT
    assert values.max() > 1.5 * values.min()
    assert NEARLY_ONE[0] < core.diagonal().min() <= core.diagonal().max() < NEARLY_ONE[1]
    assert (core - core.diagonal().diag()).abs().max() < 1e-4  # float32, five products of matrices


def test_the_length_of_the_gradient_does_not_matter():
    assert torch.allclose(weight_after([drawn(1)]), weight_after([1000 * drawn(1)]), rtol=0, atol=1e-6)


def test_a_step_is_the_rate_times_the_root_of_outputs_by_inputs_along_every_direction():
    moved = weight_after([drawn(1)], lr=0.5).flatten(1)
    lengths = torch.linalg.svdvals(moved) / (0.5 * math.sqrt(6 / 36))
    assert NEARLY_ONE[0] < lengths.min() <= lengths.max() < NEARLY_ONE[1]
    assert (moved * drawn(1).flatten(1)).sum() < 0  # downhill


def test_momentum_looks_ahead_as_nesterov_does():
    first, second = drawn(1), drawn(2)
    buffer = 0.05 * first
    expected = -orthogonalised((0.05 * first + 0.95 * buffer)[None], torch.float32)[0]
    buffer = 0.95 * buffer + 0.05 * second
    expected -= orthogonalised((0.05 * second + 0.95 * buffer)[None], torch.float32)[0]
    moved = weight_after([first, second], lr=1.0)
    assert torch.allclose(moved, expected * math.sqrt(6 / 36), atol=1e-5)  # the iteration enlarges rounding


def test_bfloat16_is_enough():
    exact, rough = (orthogonalised(drawn(1)[None], dtype) for dtype in (torch.float32, torch.bfloat16))
    assert rough.dtype == torch.float32
    assert float((exact - rough).norm() / exact.norm()) < 0.05


def test_weights_of_one_shape_are_changed_together_as_each_alone():
    weights = [nn.Parameter(drawn(seed, shape)) for seed, shape in ((1, SHAPE), (2, (5, 45)), (3, SHAPE))]
    alone = [weight_after([drawn(seed + 3, w.shape)], w.detach()) for seed, w in enumerate(weights)]
    for seed, weight in enumerate(weights):
        weight.grad = drawn(seed + 3, weight.shape)
    Muon(weights).step()
    for weight, expected in zip(weights, alone, strict=True):
        assert torch.allclose(weight, expected, rtol=0, atol=1e-6)


def test_a_gradient_of_0_moves_nothing():
    start = drawn(3)
    assert torch.equal(weight_after([torch.zeros(SHAPE)], start), start)


def test_a_weight_without_gradient_stays():
    weight = nn.Parameter(drawn(1))
    Muon([weight]).step()
    assert torch.equal(weight, drawn(1))


def test_the_state_goes_on_in_another_optimizer():
    weights = [nn.Parameter(torch.zeros(SHAPE)) for _ in range(2)]
    optimizers = [Muon([weight]) for weight in weights]
    for weight in weights:
        weight.grad = drawn(1)
    optimizers[0].step()
    with torch.no_grad():
        weights[1].copy_(weights[0])
    optimizers[1].load_state_dict(copy.deepcopy(optimizers[0].state_dict()))
    for weight, optimizer in zip(weights, optimizers, strict=True):
        weight.grad = drawn(2)
        optimizer.step()
    assert torch.equal(*weights)


def test_a_closure_is_refused():
    with pytest.raises(TypeError, match="no closure"):
        Muon([nn.Parameter(drawn(1))]).step(lambda: 0.0)
