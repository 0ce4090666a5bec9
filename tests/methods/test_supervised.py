"""A prior as it is, for images of any number of bands."""

from dataclasses import replace

import pytest
import torch

from helpers.methods import RUN, SINGLE, image, seamless, upscaled
from helpers.priors import write_prior
from innersr.errors import InputError
from innersr.inference.channels import as_rgb, channel_groups, super_resolve_channels
from innersr.inference.detail import super_resolve
from innersr.methods import supervised
from innersr.methods.supervised import Supervised, load_stack
from innersr.networks.detail_stack import DetailStack
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian

DOUBLE = Degradation(scale=2)
CENTRED = Degradation(scale=2, kernel=gaussian(1.0, size=7), anchor="centre")


def tiny(factors=(2, 2), bias=True):
    generator = torch.Generator().manual_seed(2)
    network = DetailStack(3, factors=factors, width=8, depth=3, bias=bias, generator=generator)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.data = 0.02 * torch.randn(parameter.shape, generator=generator)
    return network.requires_grad_(False)


@pytest.fixture(scope="module", params=[(1, 1), (2, 2)], ids=["interpolated", "subpixel"])
def prior(request, tmp_path_factory):
    return str(write_prior(tmp_path_factory.mktemp("priors") / "two.safetensors", tiny(request.param)))


@pytest.mark.parametrize("ensemble", [False, True])
@pytest.mark.parametrize("degradation", [DOUBLE, CENTRED])
def test_the_result_is_the_interpolation_with_the_networks_detail(prior, degradation, ensemble):
    lr = image(3)
    expected = super_resolve(load_stack(prior, degradation), lr, degradation, RUN, ensemble=ensemble).clamp(0, 1)
    assert torch.equal(upscaled(Supervised(prior=prior, self_ensemble=ensemble), lr, degradation), expected)


def test_it_does_not_know_the_kernel_but_where_the_pixels_lie(prior):
    lr = image(3)
    bicubic = upscaled(Supervised(prior=prior), lr)
    blurred = upscaled(Supervised(prior=prior), lr, Degradation(scale=2, kernel=gaussian(3, 1, 0.4, size=9)))
    # The kernel's centre of mass is known to within rounding.
    assert torch.allclose(bicubic, blurred, rtol=0, atol=10 * SINGLE)
    assert float((bicubic - upscaled(Supervised(prior=prior), lr, CENTRED)).abs().max()) > 0.01


def test_nothing_is_learnt(prior):
    stages = []
    upscaled(Supervised(prior=prior), image(3), run=replace(RUN, report=lambda report: stages.append(report.stage)))
    assert {*stages} == {"upscale"}


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_every_band_of_another_number_is_enlarged_alone(prior, channels):
    x = image(channels)
    result = upscaled(Supervised(prior=prior), x)
    assert result.shape == (1, channels, 44, 36)
    for band in range(channels):
        expected = upscaled(Supervised(prior=prior), x[:, band : band + 1])
        assert torch.equal(result[:, band : band + 1], expected)


def test_an_upscaler_takes_any_number_of_images_and_bands(prior):
    upscaler = Supervised(prior=prior).adapt(image(3), DOUBLE, RUN)
    batch = torch.cat([image(2), image(2, seed=8)])
    assert torch.allclose(upscaler(batch)[1:], upscaler(batch[1:]), rtol=0, atol=SINGLE)


@pytest.mark.parametrize("wrap", ["", "xy"])
def test_tiles_leave_no_seams(prior, wrap):
    lr, degradation = seamless((40, 48)), replace(CENTRED, wrap=wrap)
    whole, tiled = (upscaled(Supervised(prior=prior), lr, degradation, replace(RUN, tile=tile)) for tile in (0, 16))
    assert torch.allclose(whole, tiled, rtol=0, atol=10 * SINGLE)


def test_a_wrapped_image_may_begin_anywhere(prior):
    lr, degradation = seamless(), replace(DOUBLE, wrap="xy")
    upscaler = Supervised(prior=prior).adapt(lr, degradation, RUN)
    moved = upscaler(lr.roll((6, 6), (-2, -1)))
    assert torch.allclose(moved, upscaler(lr).roll((12, 12), (-2, -1)), rtol=0, atol=10 * SINGLE)


# Bands


@pytest.mark.parametrize("factors", [(1, 1), (2, 2), (2, 3)])
@pytest.mark.parametrize("bias", [False, True])
def test_the_grey_network_gives_the_mean_for_three_equal_channels(factors, bias):
    network, x = tiny(factors, bias), image()
    expected = network(x.expand(-1, 3, -1, -1)).mean(1, keepdim=True)
    assert torch.allclose(network.grey()(x), expected, rtol=0, atol=SINGLE)


def test_three_bands_are_one_picture_and_others_are_one_each():
    x = image(3)
    assert channel_groups(x)[0] is x
    assert as_rgb(x).data_ptr() == x.data_ptr()
    pictures = [as_rgb(plane) for plane in channel_groups(image(2))]
    assert [tuple(picture.shape) for picture in pictures] == [(1, 3, 22, 18)] * 2
    assert torch.equal(pictures[1][:, 2:], image(2)[:, 1:])


def test_every_band_has_its_own_network():
    networks, x = [tiny((1, 1)), tiny((1, 1))], image(2)
    networks[1].convolutions[-1].bias.data += 0.1
    one, both = (super_resolve_channels(n, x, DOUBLE, RUN, ensemble=False) for n in ([networks[0]] * 2, networks))
    assert torch.equal(one[:, :1], both[:, :1])
    assert torch.allclose(one[:, 1:] + 0.1, both[:, 1:], rtol=0, atol=SINGLE)


# The prior that is taken


def test_the_packaged_prior_is_that_of_the_scale(monkeypatch):
    asked = []
    monkeypatch.setattr(supervised, "prior_names", lambda: ("supervised-x2", "supervised-x2-lr", "supervised-x3"))
    monkeypatch.setattr(supervised, "load_prior", lambda name: asked.append(name) or tiny((1, 1)))
    for scale in (2, 3, 2 + 1e-9):
        upscaled(Supervised(), image(3), Degradation(scale=scale))
    assert asked == ["supervised-x2", "supervised-x3", "supervised-x2"]


@pytest.mark.parametrize(("scale", "said"), [(1.5, "1.5"), (4, "4"), ((2, 3), "3x2 (width x height)")])
def test_a_scale_without_a_prior_is_refused_with_those_there_are(monkeypatch, scale, said):
    monkeypatch.setattr(supervised, "prior_names", lambda: ("tailor", "supervised-x2", "supervised-x3"))
    with pytest.raises(InputError) as caught:
        upscaled(Supervised(), image(3), Degradation(scale=scale))
    start = f"no supervised prior is packaged for scale {said}, only for 2, 3; use the method zssr, or "
    assert str(caught.value) == f"{start}give a file as prior"


def test_a_given_prior_on_the_interpolated_image_takes_any_scale(tmp_path):
    path = write_prior(tmp_path / "any.safetensors", tiny((1, 1)))
    assert upscaled(Supervised(prior=str(path)), image(3), Degradation(scale=1.5)).shape == (1, 3, 33, 27)


def test_a_subpixel_prior_of_another_scale_is_refused(tmp_path):
    path = write_prior(tmp_path / "two.safetensors", tiny())
    with pytest.raises(InputError, match="two.safetensors: enlarges 2 by 2 times, asked for is 2 by 3; choose another"):
        upscaled(Supervised(prior=str(path)), image(3), Degradation(scale=(2, 3)))
