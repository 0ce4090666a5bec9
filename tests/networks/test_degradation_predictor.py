"""The network of blind estimation: its input, its invariances."""

import math

import torch
import torch.nn.functional as F

from helpers.methods import image
from innersr.inference.tailored import pad_for_filters
from innersr.networks.degradation_predictor import (
    CHANNELS,
    DegradationPredictor,
    LateLayers,
    chroma_noise,
    fine_statistics,
    first_guess,
    predictor_input,
)
from innersr.physics.log_covariance import (
    GaussianBlur,
)
from innersr.physics.pseudoinverse import RADIUS


def network():
    return DegradationPredictor(width=4, hidden=8, generator=torch.Generator().manual_seed(0)).eval()


def test_grey_images_have_no_chroma():
    guess = first_guess(image(3, (24, 24)))
    grey, coloured = (predictor_input(pad_for_filters(image(n, (24, 24))), guess) for n in (1, 3))
    assert grey.shape == coloured.shape == (1, CHANNELS, 24, 24)
    assert float(grey[:, -3:-1].abs().max()) == 0
    assert float(coloured[:, -3:-1].abs().max()) > 0.1


def test_chroma_noise_is_measured_in_smooth_places():
    noise = torch.randn(1, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    quiet, loud = (chroma_noise(level * noise) for level in (0.1, 0.2))
    assert torch.allclose(loud - quiet, torch.full((1, 2), math.log(4)), atol=0.05)
    coloured = 0.1 * noise
    coloured[..., :40] *= 100  # a coloured texture in five eighths of the image
    assert torch.allclose(chroma_noise(coloured), quiet, atol=0.2)  # each is of other cells


def test_chroma_is_red_and_blue_without_luma_and_local_means():
    around = pad_for_filters(image(3, (24, 24)))
    seen = predictor_input(around, first_guess(around))[0, -3:-1]
    for found, channel in zip(seen, (0, 2), strict=True):
        chroma = around[0, channel] - around[0].mean(0)
        means = F.avg_pool2d(chroma[None], 3, stride=1)[0]
        expected = 20 * (chroma[1:-1, 1:-1] - means)
        assert torch.allclose(found, expected[RADIUS - 1 : 1 - RADIUS, RADIUS - 1 : 1 - RADIUS], rtol=0, atol=1e-5)


def test_the_input_is_invariant_to_brightness():
    grey = 0.5 * image(1, (24, 24))
    guess = first_guess(grey)
    assert torch.allclose(
        predictor_input(pad_for_filters(grey), guess), predictor_input(pad_for_filters(grey + 0.3), guess), atol=2e-4
    )  # 1e-5 of values up to 20


def test_a_wider_guess_sharpens_the_input_more():
    around = pad_for_filters(image(1, (32, 32)))
    narrow, wide = (GaussianBlur(torch.tensor([[size, 0.0, 0.0]]), torch.tensor([False])) for size in (-2.5, 0.0))
    added = [float(predictor_input(around, guess)[:, 1:].square().mean()) for guess in (narrow, wide)]
    assert added[1] > 2 * added[0]


def test_images_of_a_batch_are_independent():
    greys = torch.cat([image(1, (24, 24), seed) for seed in (1, 2)])
    guess = first_guess(greys)
    together = network()(predictor_input(pad_for_filters(greys), guess), guess)
    alone = first_guess(greys[1:])
    single = network()(predictor_input(pad_for_filters(greys[1:]), alone), alone)
    assert torch.allclose(together.logs[1:], single.logs, atol=1e-5)
    assert torch.allclose(together.noise[1:], single.noise, atol=1e-5)


def test_an_untrained_network_keeps_to_the_guess():
    net = network()
    torch.nn.init.zeros_(net.answer.weight)
    grey = image(1, (24, 24))
    guess = first_guess(grey)
    prediction = net(predictor_input(pad_for_filters(grey), guess), guess)
    assert torch.equal(prediction.blur.log, guess.log)
    assert net.answer.out_features == 20


def test_late_layers_normalise_their_input():
    layers = LateLayers(2, 4, 3, generator=torch.Generator().manual_seed(0))
    pooled = torch.tensor([[3.0, -40.0], [5.0, 60.0]])
    expected = layers(torch.tensor([[1.0, -2.5], [2.0, 2.5]]))
    layers.centre.copy_(torch.tensor([1.0, 10.0]))
    layers.spread.copy_(torch.tensor([2.0, 20.0]))
    assert torch.allclose(layers(pooled), expected)


def test_jpeg_blocks_show_in_the_fine_statistics():
    smooth = 0.01 * image(1, (64, 64))
    seams = torch.zeros(64)
    seams[8::16] = 1
    blocky = smooth + seams.cumsum(0).remainder(2)[:, None]
    assert float(fine_statistics(blocky)[0, -2]) > float(fine_statistics(smooth)[0, -2]) + 2
