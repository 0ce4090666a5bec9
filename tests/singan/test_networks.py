"""SinGAN's networks: as large as published, folded without a change."""

import pytest
import torch

from innersr.singan.networks import ConvStack, add_residual, continued, padded, run_layers
from innersr.singan.settings import PAD

WIDTHS = (4, 4, 4, 4)
BLOCKS = (3, 4, 5, 6, 7)


def stack(widths=WIDTHS, *, norm=True, inputs=3, outputs=3, seed=1):
    return ConvStack(inputs, outputs, widths, norm=norm, generator=torch.Generator().manual_seed(seed))


def noise(*shape, seed=2):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("width", "count"), [(32, 29_763), (64, 114_819), (128, 450_819)])
def test_a_generator_has_as_many_weights_as_published(width, count):
    assert sum(p.numel() for p in stack((width,) * 4).parameters()) == count


@pytest.mark.parametrize("widths", [WIDTHS, BLOCKS])
def test_a_pixel_depends_on_the_eleven_by_eleven_pixels_around_it(widths):
    x = noise(1, 3, 31, 31).requires_grad_(True)
    network = stack(widths, norm=False)
    network(x)[0, 0, 10, 10].backward()
    seen = x.grad.abs().sum((0, 1)) > 0
    expected = torch.zeros(31, 31, dtype=torch.bool)
    expected[10:21, 10:21] = True
    assert torch.equal(seen, expected)


@pytest.mark.parametrize("widths", [WIDTHS, BLOCKS])
@pytest.mark.parametrize("norm", [True, False])
def test_folded_layers_give_what_the_network_gives_in_evaluation(widths, norm):
    network, x, coarse = stack(widths, norm=norm), noise(2, 3, 26, 23), noise(2, 3, 16, 13)
    for _ in range(3):
        network(x)  # the norms note their statistics
    network.eval()
    with torch.no_grad():
        expected = add_residual(network, x, coarse)
    # Two orders of the same float32 sums.
    assert torch.allclose(run_layers(network.folded(), x, coarse), expected, atol=1e-5, rtol=0)


def test_the_border_is_grey_or_the_other_side():
    x = noise(1, 2, 8, 9)
    assert torch.equal(padded(x)[..., PAD:-PAD, PAD:-PAD], x)
    assert float(padded(x)[..., :PAD, :].abs().max()) == 0
    both = padded(x, (True, True))
    assert torch.equal(both[..., :PAD, PAD:-PAD], x[..., -PAD:, :])
    across = padded(x, (False, True))
    assert torch.equal(across[..., PAD:-PAD, -PAD:], x[..., :PAD])
    assert float(across[..., :PAD, :].abs().max()) == 0


def test_a_border_may_continue_the_picture():
    x = noise(1, 2, 8, 9)
    assert torch.equal(continued(x)[..., :PAD, PAD:-PAD], x[..., :PAD, :].flip(-2))
    assert torch.equal(continued(x, (False, True))[..., PAD:-PAD, :PAD], x[..., -PAD:])


def test_a_picture_smaller_than_its_border_wraps_around_it_more_than_once():
    x = noise(1, 1, 2, 3)
    wide = padded(x, (True, True))
    assert wide.shape[-2:] == (12, 13)
    rows, columns = torch.arange(-PAD, 2 + PAD) % 2, torch.arange(-PAD, 3 + PAD) % 3
    assert torch.equal(wide, x[..., rows, :][..., columns])


def test_the_same_generator_gives_the_same_weights_and_leaves_the_callers_alone():
    state = torch.get_rng_state()
    a, b = stack(), stack()
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert torch.equal(torch.get_rng_state(), state)
