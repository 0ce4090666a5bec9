"""Alpha of a result, and its colours near transparency."""

import torch

from innersr.inference.transparency import limited_near_transparency, upscaled_alpha

STRAIGHT = (False, False)


def half(side=12):
    """Opaque on the right, and the pixels of both halves at twice the size."""
    opacity = torch.zeros(1, 1, side, side)
    opacity[..., side // 2 :] = 1
    return opacity, opacity.repeat_interleave(2, -1).repeat_interleave(2, -2)


def test_hidden_colours_are_no_limit_to_the_visible_ones():
    opacity, large = half()
    straight = torch.where(opacity > 0, 0.5, 1.0).expand(1, 3, -1, -1)  # white where nobody sees it
    overshooting = torch.full((1, 3, 24, 24), 0.8)
    limited = limited_near_transparency(overshooting.clone(), straight, opacity, STRAIGHT)
    near, far = limited[..., 12:14], limited[..., 20:]
    assert bool((near == 0.5).all())
    assert bool((far == 0.8).all()), "opaque pixels all around: nothing is limited"
    assert bool((limited[..., :6] == 0.8).all()), "nobody sees them"


def test_alpha_stays_within_its_neighbourhood():
    opacity, large = half()
    alpha = upscaled_alpha(
        opacity, lambda x: 1.5 * x.repeat_interleave(2, -1).repeat_interleave(2, -2) - 0.2, large, STRAIGHT
    )
    assert bool((alpha[..., :10] == 0).all()) and bool((alpha[..., 14:] == 1).all())
    assert float(alpha.min()) == 0 and float(alpha.max()) == 1


def test_alpha_is_upscaled_as_the_colours_are():
    """By the mean over what the upscaler makes of each of them."""
    opacity = torch.linspace(0.2, 0.8, 12).expand(1, 1, 12, 12)
    weights = torch.tensor([0.9, 1.0, 1.04])[None, :, None, None]
    alpha = upscaled_alpha(opacity, lambda x: x * weights, torch.zeros(1, 3, 12, 12), STRAIGHT)
    assert torch.allclose(alpha[..., 1:], 0.98 * opacity[..., 1:], rtol=0, atol=1e-6)
    assert torch.equal(
        upscaled_alpha(torch.ones(1, 1, 6, 6), lambda x: 0 * x, torch.zeros(1, 3, 6, 6), STRAIGHT),
        torch.ones(1, 1, 6, 6),
    )
