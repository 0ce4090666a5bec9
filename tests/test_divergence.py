"""Weights of learning that diverges."""

import pytest
import torch

from innersr.divergence import DivergenceGuard


def test_sound_weights_come_back_and_the_rate_falls():
    weight = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.Adam([weight])
    guard = DivergenceGuard([weight], [optimizer], limit=5.0)
    assert guard.is_sound(torch.tensor(5.0))
    for count, loss in enumerate((torch.nan, torch.inf, 5.1, -torch.inf), 1):
        optimizer.state[weight] = {"step": torch.ones(())}
        with torch.no_grad():
            weight.fill_(torch.nan if count == 2 else 7.0)
        assert not guard.is_over
        assert not guard.is_sound(torch.tensor(loss))
        assert weight.tolist() == [1, 1, 1]
        assert not optimizer.state
        assert guard.rate_share == pytest.approx(10.0**-count)
    assert guard.is_over
    assert "4 times" in guard.settle()[0]
    assert guard.settle()[0].endswith("it ended there")


def test_steps_end_where_learning_has_diverged_too_often():
    guard = DivergenceGuard([torch.ones(1)], patience=2)
    taken = [step for step in guard.guarded(range(9)) if not guard.is_sound(torch.tensor(torch.nan))]
    assert taken == [0, 1, 2]


def test_a_diverged_last_step_is_taken_back():
    weight = torch.ones(2)
    guard = DivergenceGuard([weight])
    assert guard.is_sound(torch.tensor(0.1))
    weight[1] = torch.inf
    assert "once" in guard.settle()[0]
    assert weight.tolist() == [1, 1]
    assert DivergenceGuard([weight]).settle() == ()


def test_losses_between_two_looks_are_not_read():
    weight = torch.ones(1)
    guard = DivergenceGuard([weight], interval=3)
    assert [guard.is_sound(torch.tensor(torch.nan)) for _ in range(6)] == [True, True, False] * 2
