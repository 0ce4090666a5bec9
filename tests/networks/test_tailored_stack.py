"""The network of Tailor: its conditioning, how it folds."""

import pytest
import torch

from helpers.networks import generator, network
from innersr.networks.convolutions import run_convolutions
from innersr.networks.tailored_stack import (
    COMPRESSION_SIZE,
    CONDITIONING_SIZE,
    SCALES,
    TailoredStack,
    conditioning_vector,
    modulate,
)
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.pseudoinverse import taps_of

CLOSE = 1e-5  # float32: values of about 1 through four convolutions


def conditions(*variances, scale=2, noise=0.0):
    models = [Degradation(scale=scale, kernel=gaussian(v, size=15), anchor="centre") for v in variances]
    taps = torch.stack([taps_of(model) for model in models])
    return conditioning_vector(taps, scale, torch.full((len(models),), noise))


@pytest.fixture(params=SCALES)
def scale(request):
    return request.param


def test_the_conditioning_vector_holds_the_transform_of_the_kernel():
    """A Gaussian's is known: exp(-2 pi^2 v f^2), f in cycles per HR pixel."""
    vector = conditions(2.0)[0]
    frequencies = torch.arange(9) / 8 / 2
    expected = torch.exp(-2 * torch.pi**2 * 2.0 * frequencies**2)
    row = vector[: 16 * 9].reshape(16, 9)[8]
    torch.testing.assert_close(row, expected, rtol=0, atol=1e-3)
    assert float(vector[16 * 9 : 2 * 16 * 9].abs().max()) < 1e-5  # symmetric around the sampled pixel: no phase


def test_the_conditioning_vector_holds_pixel_positions_scale_and_noise():
    centred, moved = (
        conditioning_vector(
            taps_of(Degradation(scale=2, kernel=gaussian(1.0, size=15), anchor=a))[None], 2, torch.zeros(1)
        )
        for a in ("centre", "aligned")
    )
    assert float((centred - moved).abs().max()) > 0.1
    assert conditions(1.0).shape == (1, CONDITIONING_SIZE)
    assert conditions(1.0, scale=3)[0, -5:].tolist() == [0, 1, 0, 0, 0]
    assert conditions(1.0, noise=0.05)[0, -2:].tolist() == pytest.approx([1.0, 1.0])


def test_folding_changes_nothing(scale):
    stack, vector = network(), conditions(0.5, scale=scale)
    seen = torch.rand(2, 3 + 3 * scale**2, 9, 11, generator=generator(7))
    expected = stack(seen, scale, vector.expand(2, -1))
    assert expected.shape == (2, 3 * scale**2, 9, 11)
    assert float(expected.abs().mean()) > 0.1
    torch.testing.assert_close(run_convolutions(stack.folded(scale, vector), seen), expected, rtol=CLOSE, atol=CLOSE)


def test_every_image_of_a_batch_has_its_own_conditions():
    stack, vector = network(), conditions(0.3, 2.0)
    seen = torch.rand(1, 15, 8, 8, generator=generator(7)).expand(2, -1, -1, -1)
    both = stack(seen, 2, vector)
    assert float((both[0] - both[1]).abs().max()) > 1e-3
    for i in range(2):
        torch.testing.assert_close(stack(seen[:1], 2, vector[i : i + 1])[0], both[i], rtol=CLOSE, atol=CLOSE)


def test_successive_images_of_one_degradation_share_folded_layers(scale):
    """Their results and gradients are those of conditioning each image."""
    stack, vector = network(), conditions(0.3, 2.0, scale=scale)
    seen = torch.rand(6, 3 + 3 * scale**2, 7, 8, generator=generator(7))
    parameters = [*stack.requires_grad_(True).parameters()]
    results = [stack(seen, scale, each) for each in (vector, vector.repeat_interleave(3, 0))]
    torch.testing.assert_close(*results, rtol=CLOSE, atol=CLOSE)
    for name, own, expected in zip(
        dict(stack.named_parameters()),
        *(torch.autograd.grad(y.square().sum(), parameters, allow_unused=True) for y in results),
        strict=True,
    ):
        assert (own is None) == (expected is None), name
        if own is not None:
            torch.testing.assert_close(own, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()), msg=name)


def test_gain_shift_and_activation_have_the_gradients_of_their_parts():
    x, gain, shift = (
        torch.randn(shape, generator=generator(1), dtype=torch.float64, requires_grad=True)
        for shape in ((2, 3, 4, 5), (2, 3), (2, 3))
    )
    whole = modulate(x, gain, shift)
    parts = torch.nn.functional.leaky_relu(x * gain[..., None, None] + shift[..., None, None], 0.1)
    assert torch.allclose(whole, parts)
    weights = torch.rand(whole.shape, dtype=torch.float64, generator=generator(2))
    gradients = [torch.autograd.grad((y * weights).sum(), (x, gain, shift)) for y in (whole, parts)]
    for own, expected in zip(*gradients, strict=True):
        assert torch.allclose(own.double(), expected, atol=1e-5)  # sums are returned in float32


def test_the_grey_network_gives_the_mean_of_what_grey_colours_give(scale):
    stack, vector = network(), conditions(0.5, scale=scale)
    cells = scale**2
    grey = torch.rand(1, 1 + cells, 8, 9, generator=generator(3))
    lr, solution = grey[:, :1].expand(-1, 3, -1, -1), grey[:, 1:].repeat(1, 3, 1, 1)
    expected = run_convolutions(stack.folded(scale, vector), torch.cat([lr, solution], dim=1))
    alone = run_convolutions(stack.folded(scale, vector, 1), grey)
    torch.testing.assert_close(alone, expected.unflatten(1, (3, cells)).mean(1), rtol=CLOSE, atol=CLOSE)


def test_gradients_reach_the_weights_through_the_folded_layers():
    stack = network()
    weight = stack.body[0].weight.requires_grad_(True)
    seen = torch.rand(1, 15, 6, 6, generator=generator(7))
    run_convolutions(stack.folded(2, conditions(1.0)), seen).square().sum().backward()
    direct = weight.grad.clone()
    weight.grad = None
    stack(seen, 2, conditions(1.0)).square().sum().backward()
    torch.testing.assert_close(weight.grad, direct, rtol=1e-4, atol=1e-4 * float(direct.abs().max()))


def test_an_untrained_network_nearly_gives_the_pseudo_inverse():
    stack = TailoredStack(width=16, generator=generator()).requires_grad_(False)
    seen = torch.rand(1, 15, 16, 16, generator=generator(7))
    assert float(stack(seen, 2, conditions(1.0)).abs().mean()) < 0.1


def test_only_a_network_conditioned_on_compression_depends_on_it():
    plain = conditions(1.0)
    told, none = (torch.cat([plain, torch.full((1, 2), strength)], dim=1) for strength in (0.6, 0.0))
    seen = torch.rand(1, 15, 8, 8, generator=generator(7))
    old, new = network(), network(compression=True)
    assert torch.equal(old(seen, 2, told), old(seen, 2, plain))
    assert torch.equal(new(seen, 2, none), new(seen, 2, plain))
    assert float((new(seen, 2, told) - new(seen, 2, none)).abs().max()) > 1e-3


def test_the_conditioning_vector_ends_with_the_compression_and_its_root():
    taps = taps_of(Degradation(scale=2))[None]
    vector = conditioning_vector(taps, 2, torch.zeros(1), torch.tensor([0.25]))
    assert vector.shape == (1, CONDITIONING_SIZE + COMPRESSION_SIZE)
    assert vector[0, -2:].tolist() == [0.25, 0.5]
    assert torch.equal(vector[:, :-2], conditioning_vector(taps, 2, torch.zeros(1)))
