"""Line search between weights before and after adaptation."""

import pytest
import torch

from helpers.methods import image
from innersr.methods.holdout import HoldoutRule, hold_out, line_search, training_mask
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian

RULE = HoldoutRule()


@pytest.mark.parametrize(("target", "kept"), [(0.8, 0.75), (0.5, 0.5), (0.2, 0.25), (-1.0, 0.0)])
def test_the_weights_stop_where_the_held_out_error_is_least(target, kept):
    weight, before = torch.tensor([1.0]), torch.tensor([0.0])
    line_search(
        [weight], [before], lambda: (weight - target).square().view(1, 1, 1, 1), lambda: 0.0, RULE.step_sizes, RULE
    )
    assert float(weight) == kept


@pytest.mark.parametrize(("change", "kept"), [(0.4, 0.75), (0.6, 0.0)])
def test_a_change_larger_than_half_of_the_held_out_error_is_reverted(change, kept):
    """Half of the squared error before, which is 1."""
    weight, before = torch.tensor([1.0]), torch.tensor([0.0])
    line_search(
        [weight], [before], lambda: (weight - 1).square().view(1, 1, 1, 1), lambda: change, RULE.step_sizes, RULE
    )
    assert float(weight) == kept


@pytest.mark.parametrize(("size", "is_cut"), [((96, 120), True), ((30, 34), False)])
def test_the_held_out_quarter_is_judged_with_some_context(size, is_cut):
    """And the son is that of the father: away from the cut they are the same."""
    degradation = Degradation(scale=2, kernel=gaussian(1.2, size=9), anchor="centre")
    father = image(3, size)
    found = hold_out(father, degradation, torch.Generator(), RULE)
    mask = training_mask(*size)
    top, left = (n - m for n, m in zip(size, found.image.shape[-2:], strict=True))
    assert torch.equal(found.image, father[..., top:, left:])
    assert float(mask[..., top + found.top :, left + found.left :].sum()) == 0
    assert (found.top + top, found.left + left) == (size[0] // 2, size[1] // 2)
    assert (min(found.top, found.left) >= 2 * RULE.margin) is is_cut
    whole = degradation(father)[..., top // 2 :, left // 2 :]
    assert torch.allclose(found.son[..., 3:, 3:], whole[..., 3:, 3:], rtol=0, atol=1e-6)


def test_the_lower_right_quarter_is_held_out():
    mask = training_mask(6, 8)
    assert float(mask[..., 3:, 4:].sum()) == 0
    assert float(mask.sum()) == 36
