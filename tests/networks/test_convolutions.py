"""Chains of convolutions as one node."""

import pytest
import torch
import torch.nn.functional as F

from helpers.networks import generator
from innersr.networks.convolutions import run_convolutions

CLOSE = 1e-5  # float32: values of about 1 through three convolutions


def layers_of(*widths, dtype=torch.float32):
    def draw(*shape):
        return torch.randn(shape, generator=generator(sum(shape)), dtype=dtype)

    return [(draw(b, a, 3, 3) / (3 * a**0.5), draw(b)) for a, b in zip(widths, widths[1:], strict=False)]


def plainly(layers, x, padding=1, slope=0.1):
    for weight, bias in layers[:-1]:
        x = F.leaky_relu(F.conv2d(x, weight, bias, padding=padding), slope)
    return F.conv2d(x, *layers[-1], padding=padding)


def images(dtype=torch.float32):
    return torch.randn(2, 3, 9, 7, generator=generator(5), dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_chain_is_its_convolutions_and_activations(dtype):
    layers, x = layers_of(3, 16, 16, 4, dtype=dtype), images(dtype)
    torch.testing.assert_close(run_convolutions(layers, x), plainly(layers, x), rtol=CLOSE, atol=CLOSE)
    torch.testing.assert_close(
        run_convolutions(layers[-1:], x.repeat(1, 6, 1, 1)[:, :16]),
        plainly(layers[-1:], x.repeat(1, 6, 1, 1)[:, :16]),
        rtol=CLOSE,
        atol=CLOSE,
    )


@pytest.mark.parametrize("of_images", [False, True])
def test_gradients_are_those_of_the_parts(of_images):
    layers, x = layers_of(3, 16, 16, 4, dtype=torch.float64), images(torch.float64).requires_grad_(of_images)
    learnt = [tensor.requires_grad_() for layer in layers for tensor in layer] + [x] * of_images
    own, expected = (torch.autograd.grad(chain(layers, x).sin().sum(), learnt) for chain in (run_convolutions, plainly))
    for a, b in zip(own, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_weights_that_are_not_learnt_have_no_gradient():
    layers = layers_of(3, 16, 16, 4)
    weight = layers[1][0].requires_grad_()
    run_convolutions(layers, images()).square().sum().backward()
    assert weight.grad is not None
    assert all(tensor.grad is None for layer in layers for tensor in layer if tensor is not weight)


def test_autocast_rounds_the_features_and_not_the_gradients_dtype():
    layers, x = layers_of(3, 16, 16, 4), images()
    exact = plainly(layers, x)
    weight = layers[0][0].requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = run_convolutions(layers, x)
    assert rounded.dtype is torch.bfloat16
    assert 0 < float((rounded.float() - exact).detach().abs().max()) < 0.1
    (gradient,) = torch.autograd.grad(rounded.float().sum(), weight)
    assert gradient.dtype is torch.float32


def test_layers_without_padding_have_a_slope_of_their_own():
    layers, x = layers_of(3, 16, 16, 4, dtype=torch.float64), images(torch.float64)
    learnt = [tensor.requires_grad_() for layer in layers for tensor in layer]
    found, expected = run_convolutions(layers, x, padding=0, slope=0.3), plainly(layers, x, padding=0, slope=0.3)
    torch.testing.assert_close(found, expected)
    for a, b in zip(*(torch.autograd.grad(y.sin().sum(), learnt) for y in (found, expected)), strict=True):
        torch.testing.assert_close(a, b)
