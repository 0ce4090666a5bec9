"""Larger networks from trained ones."""

import pytest
import torch

from helpers.networks import generator, network
from innersr.networks.growth import insert_identity_layers, widen, with_compression
from innersr.networks.tailored_stack import COMPRESSION_SIZE, CONDITIONING_SIZE, SCALES


@pytest.fixture(params=SCALES)
def scale(request):
    return request.param


def vectors(count=2, size=CONDITIONING_SIZE):
    return torch.rand(count, size, generator=generator(3))


def images(scale, side=12):
    return torch.rand(2, 3 + 3 * scale**2, side, side, generator=generator(2))


@pytest.mark.parametrize("depth", [4, 5, 7])
def test_identity_layers_hardly_change_the_result(depth, scale):
    shallow, seen, vector = network(), images(scale, 24), vectors()
    deep = insert_identity_layers(shallow, depth, generator(3))
    assert (deep.depth, len(deep.body)) == (depth, depth - 2)
    before, after = (n(seen, scale, vector)[..., 8:-8, 8:-8] for n in (shallow, deep))  # edges differ
    error = float(((after - before).square().mean() / before.square().mean()).detach())
    assert error == 0 if depth == 4 else error < 0.02  # what is far below 0, and the noise


def test_a_wider_network_gives_the_same_result(scale):
    narrow, seen, vector = network(), images(scale), vectors()
    wide = widen(narrow, 11, generator(3)).requires_grad_(True)
    torch.testing.assert_close(wide(seen, scale, vector), narrow(seen, scale, vector), rtol=0, atol=1e-5)
    wide(seen, scale, vector).square().sum().backward()
    assert float(wide.tails[str(scale)].weight.grad[:, 8:].abs().max()) > 0  # new features can become useful


def test_a_widened_network_ignores_compression_until_it_is_trained(scale):
    old, seen = network(), images(scale)
    new = with_compression(old)
    told = vectors(size=CONDITIONING_SIZE + COMPRESSION_SIZE)
    torch.testing.assert_close(new(seen, scale, told), old(seen, scale, told), rtol=0, atol=1e-5)
    assert new.arguments == {**old.arguments, "compression": True}
    assert with_compression(new) is new
