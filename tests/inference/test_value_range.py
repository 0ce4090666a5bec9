"""The range of values that methods see as 0 to 1."""

import pytest
import torch

from innersr.inference.value_range import SETTINGS, enlarged_excess, robust_range
from innersr.physics.degradation import Degradation

ROOM = SETTINGS.headroom


def ramp(low, high, side=64):
    return torch.linspace(low, high, side * side).reshape(1, 1, side, side)


def test_the_range_is_that_of_the_values_with_headroom():
    values = robust_range(ramp(10, 20))
    assert float(values.low) == pytest.approx(10 - 10 * ROOM)
    assert float(values.spread) == pytest.approx(10 + 20 * ROOM)
    assert values.excess(ramp(10, 20)) is None


def test_a_few_outliers_do_not_count_and_are_kept_as_excess():
    x = ramp(0, 1)
    x[..., 5, 5], x[..., 6, 6] = 1000, -1000
    values = robust_range(x)
    assert float(values.spread) == pytest.approx(1 + 2 * ROOM, abs=0.01)
    excess = values.excess(x)
    assert torch.equal(excess.nonzero()[:, 2:], torch.tensor([[5, 5], [6, 6]]))
    assert torch.allclose(values.unscaled(values.scaled(x)) + excess, x, rtol=0, atol=1e-3)


def test_unknown_values_do_not_count():
    x, known = ramp(0, 1), torch.ones(1, 1, 64, 64, dtype=torch.bool)
    x[..., :20], known[..., :20] = -9999, False
    assert float(robust_range(x, known).low) > -0.2


def test_channels_share_a_range_unless_their_units_differ():
    assert robust_range(torch.cat([ramp(0, 1), ramp(0.2, 0.5)], 1)).low.shape == (1, 1, 1, 1)
    assert robust_range(torch.cat([ramp(0, 1), ramp(0, 0)], 1)).low.shape == (1, 1, 1, 1), "an empty channel has none"
    values = robust_range(torch.cat([ramp(0, 1), ramp(200, 900)], 1))
    assert values.spread.flatten().tolist() == pytest.approx([1 + 2 * ROOM, 700 * (1 + 2 * ROOM)])


def test_a_constant_image_is_scaled_to_zero():
    x = torch.full((1, 1, 8, 8), 7.0)
    assert float(robust_range(x).scaled(x).abs().max()) == 0


def test_excess_is_enlarged_without_a_ring():
    excess = torch.zeros(1, 1, 9, 9)
    excess[..., 4, 4] = 50
    large = enlarged_excess(excess, Degradation(scale=2))
    assert large.shape[-2:] == (18, 18)
    assert float(large.min()) == 0 and 20 < float(large.max()) <= 50
