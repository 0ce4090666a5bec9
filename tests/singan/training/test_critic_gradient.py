"""A critic's slopes and their gradients are those that autograd finds."""

import pytest
import torch

from innersr.singan.networks import ConvStack
from innersr.singan.training.critic_gradient import input_gradient


def critic(widths, norm):
    """Return a critic in double precision whose norms shift and scale."""
    generator = torch.Generator().manual_seed(4)
    network = ConvStack(3, 1, widths, norm=norm, generator=generator).double()
    with torch.no_grad():
        for layer in network.norms:
            layer.bias.copy_(torch.randn(layer.bias.shape, generator=generator))
            layer.weight.mul_(1 + torch.rand(layer.weight.shape, generator=generator))
    return network


@pytest.mark.parametrize("widths", [(4, 4, 4, 4), (3, 4, 5, 6, 7)])
@pytest.mark.parametrize("norm", [True, False])
def test_slopes_and_their_gradients_are_those_of_autograd(widths, norm):
    network = critic(widths, norm)
    x = torch.randn(2, 3, 16, 14, generator=torch.Generator().manual_seed(5)).double().requires_grad_(True)
    (expected,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
    found = input_gradient(network, x)
    assert torch.allclose(found, expected, rtol=1e-10, atol=1e-13)
    # The biases before a norm, and those that only shift the score, change no slope.
    inputs = [x, *(p for p in network.parameters() if p.dim() > 1), *(layer.bias for layer in network.norms)]
    inputs += [layer.weight for layer in network.norms]
    gradients = (
        torch.autograd.grad((s.norm(dim=1) - 1).square().mean(), inputs, allow_unused=True) for s in (found, expected)
    )
    for ours, theirs in zip(*gradients, strict=True):
        zero = torch.zeros(())
        a, b = (zero if g is None else g for g in (ours, theirs))
        # Sums of some thousand products of doubles, in another order.
        assert float((a - b).abs().max()) <= 1e-10 * float(b.abs().max())


def test_slopes_note_no_statistics():
    network = critic((4, 4, 4, 4), norm=True)
    input_gradient(network, torch.ones(1, 3, 16, 14).double())
    assert int(network.norms[0].num_batches_tracked) == 0
