"""Line search between weights before and after adaptation."""

import pytest
import torch

from innersr.methods.holdout import HoldoutRule, line_search, training_mask

RULE = HoldoutRule()


@pytest.mark.parametrize(("target", "kept"), [(0.8, 0.75), (0.5, 0.5), (0.2, 0.25), (-1.0, 0.0)])
def test_the_weights_stop_where_the_held_out_error_is_least(target, kept):
    weight, before = torch.tensor([1.0]), torch.tensor([0.0])
    line_search(
        [weight], [before], lambda: (weight - target).square().view(1, 1, 1, 1), lambda: 0.0, RULE.step_sizes, RULE
    )
    assert float(weight) == kept


def test_a_change_larger_than_the_held_out_error_allows_is_reverted():
    weight, before = torch.tensor([1.0]), torch.tensor([0.0])
    line_search([weight], [before], lambda: (weight - 1).square().view(1, 1, 1, 1), lambda: 0.6, RULE.step_sizes, RULE)
    assert float(weight) == 0


def test_the_lower_right_quarter_is_held_out():
    mask = training_mask(6, 8)
    assert float(mask[..., 3:, 4:].sum()) == 0
    assert float(mask.sum()) == 36
