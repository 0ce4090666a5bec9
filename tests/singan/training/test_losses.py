"""The losses by which critic and generator are trained: their signs and their means."""

import pytest
import torch

from innersr.singan.training.losses import adversarial_loss, critic_gap

REAL, FAKE = torch.full((1, 3, 8, 8), 3.0), torch.full((1, 3, 8, 8), 1.0)


def critic(x):
    """Scores that are the brightness of one channel."""
    return x[:, :1]


def test_the_gap_is_positive_where_the_real_picture_scores_higher():
    assert float(critic_gap(critic, REAL, FAKE)) == pytest.approx(2.0)


def test_the_generator_gains_by_higher_scores():
    fake = FAKE.clone().requires_grad_(True)
    loss = adversarial_loss(critic, fake)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(-1.0)
    assert torch.allclose(fake.grad[:, 0], torch.full((1, 8, 8), -1 / 64))
    assert float(fake.grad[:, 1:].abs().max()) == 0
