"""Super-resolution with a TailoredStack: tiles, wrapping, transformed views, grey channels."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from helpers.networks import generator, network
from innersr.inference.tailored import condition_on, super_resolve_padded, super_resolve_tailored, texture_mask
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.pseudoinverse import RADIUS
from innersr.physics.resize import Window, cut
from innersr.physics.symmetries import SYMMETRIES, apply_symmetry
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32", tile=0)
SINGLE = 1e-5  # float32: values of about 1, each a sum of some hundred products, and Fourier transforms
DIRECT = Degradation(scale=2, kernel=gaussian(1.0, 2.0, 0.5, size=13), anchor="centre")
MODELS = {"bicubic": Degradation(scale=3), "direct": DIRECT, "noisy": replace(DIRECT, noise=0.03)}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


def image(*size, channels=3, seed=9):
    return torch.rand(1, channels, *size, generator=generator(seed))


def test_the_whole_image_is_the_padded_image_super_resolved(model):
    stack, lr = network(), image(19, 23)
    conditioning = condition_on(model, lr.device)
    around = cut(lr, Window(-RADIUS, -RADIUS, 19 + RADIUS, 23 + RADIUS))
    expected = super_resolve_padded(stack.folded(conditioning.scale, conditioning.vector), conditioning, around)
    assert expected.shape[-2:] == (19 * conditioning.scale, 23 * conditioning.scale)
    torch.testing.assert_close(
        super_resolve_tailored(stack, lr, model, RUN, symmetries=(0,)), expected, rtol=0, atol=SINGLE
    )


def test_the_solution_sharpens_less_what_was_compressed():
    plain, compressed = (condition_on(replace(DIRECT, compression=c), torch.device("cpu")) for c in (0.0, 0.7))
    assert plain.vector[0, -2:].tolist() == [0, 0]
    assert compressed.vector[0, -2:].tolist() == pytest.approx([0.7, 0.7**0.5])
    assert float(compressed.filters.square().sum()) < 0.8 * float(plain.filters.square().sum())


def test_bf16_changes_what_the_network_adds_by_its_rounding_alone(model):
    stack, lr = network(), image(20, 24)
    exact, rough = (
        super_resolve_tailored(stack, lr, model, replace(RUN, precision=p), symmetries=(0,)) for p in ("fp32", "bf16")
    )
    added = exact - super_resolve_tailored(silent(stack), lr, model, RUN, symmetries=(0,))
    error = float((rough - exact).square().mean() / added.square().mean()) ** 0.5
    assert 0 < error < 0.02  # bf16 has 8 bits, 2^-9 each; four layers


def silent(stack):
    """A copy of a network that adds nothing to the pseudo-inverse."""
    copied = copy.deepcopy(stack)
    for parameter in copied.tails.parameters():
        parameter.zero_()
    return copied


@pytest.mark.parametrize("sides", [(7, 7), (9, 20)])
def test_the_mask_is_the_spread_of_7x7_pixels_in_levels(sides):
    around = image(*(n + 2 * RADIUS for n in sides)) / 1000  # mostly below a level
    inner = slice(RADIUS - 3, 3 - RADIUS)
    near = around[..., inner, inner]
    spread = F.max_pool2d(near, 7, stride=1) + F.max_pool2d(-near, 7, stride=1)
    expected = (255 * spread.amax(1, keepdim=True)).clamp(max=1)
    assert torch.equal(texture_mask(around), expected)
    assert 0 < float(expected.min()) < 1


def test_the_result_is_the_mean_of_the_views(model):
    stack, lr = network(), image(20, 24)
    views = [super_resolve_tailored(stack, lr, model, RUN, symmetries=(k,)) for k in (0, 3, 6)]
    together = super_resolve_tailored(stack, lr, model, RUN, symmetries=(0, 3, 6))
    torch.testing.assert_close(together, torch.stack(views).mean(0), rtol=0, atol=SINGLE)


@pytest.mark.parametrize("symmetries", [(0,), SYMMETRIES])
def test_tiles_leave_no_seam(model, symmetries):
    stack, lr = network(), image(37, 44)
    whole = super_resolve_tailored(stack, lr, model, RUN, symmetries=symmetries)
    tiled = super_resolve_tailored(stack, lr, model, replace(RUN, tile=16), symmetries=symmetries)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=SINGLE)


def test_a_texture_that_wraps_has_no_border():
    stack, lr, model = network(), image(40, 36), replace(DIRECT, wrap="xy")
    result = super_resolve_tailored(stack, lr, model, RUN)
    rolled = super_resolve_tailored(stack, lr.roll((7, -5), (-2, -1)), model, replace(RUN, tile=16))
    torch.testing.assert_close(rolled, result.roll((14, -10), (-2, -1)), rtol=0, atol=SINGLE)


def test_turned_images_give_the_turned_result(model):
    """Of all eight views: the kernel is turned with the image, so none of them is better than another."""
    stack, lr = network(), image(18, 22)
    result = super_resolve_tailored(stack, lr, model, RUN)
    for symmetry in (1, 2, 4, 7):
        turned = super_resolve_tailored(stack, apply_symmetry(lr, symmetry), model.transformed(symmetry), RUN)
        torch.testing.assert_close(turned, apply_symmetry(result, symmetry), rtol=0, atol=2e-4)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_other_numbers_of_channels_are_super_resolved_as_grey_images(model, channels):
    stack, lr = network(), image(17, 21, channels=channels)
    result = super_resolve_tailored(stack, lr, model, RUN, symmetries=(0,))
    assert result.shape[:2] == (1, channels)
    for band in range(channels):
        grey = super_resolve_tailored(stack, lr[:, band : band + 1].expand(-1, 3, -1, -1), model, RUN, symmetries=(0,))
        torch.testing.assert_close(result[:, band], grey.mean(1), rtol=0, atol=2e-5)


def test_a_batch_is_upscaled_image_by_image(model):
    stack, lr = network(), torch.cat([image(16, 20), image(16, 20, seed=3)])
    together = super_resolve_tailored(stack, lr, model, RUN, symmetries=(0,))
    for i in range(2):
        alone = super_resolve_tailored(stack, lr[i : i + 1], model, RUN, symmetries=(0,))
        torch.testing.assert_close(together[i : i + 1], alone, rtol=0, atol=SINGLE)
