"""The geometric self-ensemble: the median over the symmetries."""

import numpy as np
import pytest
import torch

from innersr.inference.self_ensemble import self_ensemble
from innersr.networks.detail_stack import DetailStack
from innersr.physics.symmetries import SYMMETRIES, apply_symmetry, undo_symmetry

SINGLE = 1e-6  # float32: values of about 1, each a sum of some hundred products
DOUBLE = 1e-12  # float64, likewise


def generator(seed=11):
    return torch.Generator().manual_seed(seed)


def image(*shape, seed=11, dtype=torch.float32):
    return torch.rand(shape, generator=generator(seed), dtype=dtype)


def network(channels=2, depth=3):
    return DetailStack(channels, width=8, depth=depth, generator=generator(2)).requires_grad_(False)


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


def test_every_copy_comes_with_the_number_of_its_symmetry():
    x, copies = image(1, 1, 5, 4), {}
    self_ensemble(lambda turned, symmetry: copies.setdefault(symmetry, turned), x, (0, 3, 6))
    assert list(copies) == [0, 3, 6]
    assert all(torch.equal(undo_symmetry(turned, symmetry), x) for symmetry, turned in copies.items())


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
