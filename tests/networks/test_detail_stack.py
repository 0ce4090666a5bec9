import pytest
import torch
import torch.nn.functional as F

from innersr.networks.detail_stack import DetailStack

EXACT = 1e-12  # float64; sums in another order
FACTORS = [(1, 1), (2, 2), (3, 3), (1, 2), (2, 3)]


def generator(seed=3):
    return torch.Generator().manual_seed(seed)


def stack(channels=3, *, width=8, depth=4, seed=3, **settings):
    return DetailStack(channels, width=width, depth=depth, generator=generator(seed), **settings)


def image(*shape, seed=5):
    return torch.rand(shape, generator=generator(seed))


def last_features(network, x):
    """What the last convolution gives, before it is spread."""
    seen = []
    hook = network.convolutions[-1].register_forward_hook(lambda *given: seen.append(given[-1]))
    network(x)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("factors", FACTORS)
def test_a_stack_has_the_depth_and_width_asked_for_and_no_bias(channels, factors):
    network = stack(channels, width=6, depth=5, factors=factors)
    shapes = [tuple(parameter.shape) for parameter in network.parameters()]
    cells = factors[0] * factors[1]
    assert shapes == [(6, channels, 3, 3), *[(6, 6, 3, 3)] * 3, (channels * cells, 6, 3, 3)]
    assert network(image(2, channels, 9, 7)).shape == (2, channels, 9 * factors[0], 7 * factors[1])


@pytest.mark.parametrize("factors", FACTORS)
def test_a_stack_that_enlarges_sees_the_small_image(factors):
    assert stack(factors=factors).sees_lr == (factors != (1, 1))


@pytest.mark.parametrize("factor", [2, 3])
def test_equal_factors_are_torchs_pixel_shuffle(factor):
    network, x = stack(factors=(factor, factor)), image(2, 3, 6, 5)
    assert torch.equal(network(x), F.pixel_shuffle(last_features(network, x), factor))


@pytest.mark.parametrize("factors", FACTORS)
def test_the_cells_of_a_pixel_are_filled_row_by_row_channel_after_channel(factors):
    network, x = stack(2, factors=factors), image(2, 2, 5, 4)
    vertical, horizontal = factors
    features, detail = last_features(network, x), network(x)
    for channel in range(2):
        for row in range(vertical):
            for column in range(horizontal):
                feature = (channel * vertical + row) * horizontal + column
                assert torch.equal(detail[:, channel, row::vertical, column::horizontal], features[:, feature])


@pytest.mark.parametrize("depth", [2, 4])
@pytest.mark.parametrize("factors", [(1, 1), (2, 2), (2, 3)])
def test_an_input_pixel_matters_within_the_radius_and_no_further(depth, factors):
    network = stack(1, depth=depth, factors=factors)
    x = image(1, 1, 25, 25)
    changed = x.clone()
    changed[..., 12, 12] += 1
    difference = (network(changed) - network(x)).abs()[0, 0]
    assert network.radius == depth
    for axis, factor in enumerate(factors):
        touched = difference.amax(dim=1 - axis).nonzero().flatten().tolist()
        assert touched == list(range((12 - depth) * factor, (13 + depth) * factor))


@pytest.mark.parametrize("factors", FACTORS)
def test_a_stack_gives_the_detail_alone(factors):
    network, x = stack(factors=factors), image(1, 3, 8, 8)
    assert network(x).any()
    with torch.no_grad():
        network.convolutions[-1].weight.zero_()
    assert not network(x).any()


@pytest.mark.parametrize("factors", FACTORS)
def test_black_has_no_detail_and_twice_the_contrast_has_twice_the_detail(factors):
    network = stack(factors=factors).double()
    x = image(1, 3, 12, 10).double()
    assert not network(torch.zeros_like(x)).any()
    assert torch.allclose(network(2 * x), 2 * network(x), atol=EXACT, rtol=0)


@pytest.mark.parametrize("factors", [(1, 1), (2, 2)])
def test_start_weights_have_the_stated_variance(factors):
    network = stack(3, width=64, depth=3, initial_variance=2.0, factors=factors)
    for convolution, variance in zip(network.convolutions, [2.0, 2.0, 0.1], strict=True):
        weight = convolution.weight
        # 1728 draws or more: the sample variance is within 4 standard deviations, 4 * sqrt(2 / 1728) = 14%.
        assert float(weight.detach().var()) * 9 * weight.shape[1] == pytest.approx(variance, rel=0.14)


def test_the_generator_alone_decides_the_start_weights():
    state = torch.get_rng_state()
    networks = [stack(seed=seed) for seed in (1, 1, 2)]
    weights = [torch.cat([p.flatten() for p in network.parameters()]) for network in networks]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(state, torch.get_rng_state()), "the caller's own draws must not depend on ours"


@pytest.mark.parametrize("factors", [(1, 1), (2, 3)])
def test_a_stack_can_be_learnt(factors):
    network = stack(1, factors=factors)
    network(image(1, 1, 8, 8)).sum().backward()
    assert all(float(parameter.grad.abs().max()) > 0 for parameter in network.parameters())
