"""The network that shares out a result among candidates."""

import pytest
import torch
import torch.nn.functional as F

from innersr.networks.mixture_policy import MixturePolicy


@pytest.fixture
def policy():
    return MixturePolicy(features=3, candidates=2, hidden=4, generator=torch.Generator().manual_seed(1))


def test_shares_follow_from_features_and_the_logarithm_of_the_scale(policy):
    features, scales = torch.tensor([[0.3, -1.2, 2.0], [1.0, 0.0, -0.5]]), torch.tensor([2.0, 4.0])
    x = torch.cat([features, torch.tensor([[1.0], [2.0]])], dim=1) / 1.5
    for layer in policy.hidden:
        x = x @ layer.weight.mT + layer.bias
        x = torch.where(x > 0, x, 0.1 * x)
    expected = F.softmax(x @ policy.answer.weight.mT + policy.answer.bias, dim=-1)
    assert torch.allclose(policy(features, scales), expected, rtol=0, atol=1e-6)


def test_shares_are_positive_and_have_sum_1(policy):
    shares = policy(10 * torch.randn(20, 3, generator=torch.Generator().manual_seed(2)), torch.full((20,), 3.0))
    assert shares.shape == (20, 3)
    assert bool((shares > 0).all())
    assert torch.allclose(shares.sum(1), torch.ones(20))
