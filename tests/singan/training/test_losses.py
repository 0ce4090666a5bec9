"""The losses by which critic and generator are trained: their signs and their means."""

import pytest
import torch

from innersr.run import generator_of
from innersr.singan.networks import ConvStack
from innersr.singan.training.losses import adversarial_loss, critic_gap

REAL, FAKE = torch.full((1, 3, 8, 8), 3.0), torch.full((1, 3, 8, 8), 1.0)


def critic(x):
    """Scores that are the brightness of one channel."""
    return x[:, :1]


critic.norms = []


def test_the_gap_is_positive_where_the_real_picture_scores_higher():
    assert float(critic_gap(critic, REAL, FAKE)) == pytest.approx(2.0)


def test_the_generator_gains_by_higher_scores():
    fake = FAKE.clone().requires_grad_(True)
    loss = adversarial_loss(critic, fake)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(-1.0)
    assert torch.allclose(fake.grad[:, 0], torch.full((1, 8, 8), -1 / 64))
    assert float(fake.grad[:, 1:].abs().max()) == 0


@pytest.mark.parametrize("norm", [False, True])
def test_the_gap_of_both_together_is_that_of_each_alone(norm):
    network = ConvStack(3, 1, (5,) * 4, norm=norm, generator=generator_of(0))
    real, fake = (torch.rand(1, 3, 14, 15, generator=generator_of(seed)) for seed in (1, 2))
    gap, expected = critic_gap(network, real, fake), network(real).mean() - network(fake).mean()
    learned = list(network.parameters())
    found, wanted = (torch.autograd.grad(x, learned, allow_unused=True) for x in (gap, expected))
    assert float(gap) == pytest.approx(float(expected), abs=1e-5)
    for a, b in zip(found, wanted, strict=True):
        assert torch.allclose(a, b, atol=1e-5)
