import pytest
import torch

from helpers.networks import generator, network
from helpers.priors import write_prior
from innersr.errors import InputError
from innersr.export.graphs import ConditionedGraph, conditioning_inputs, graph_of
from innersr.inference.detail import super_resolve
from innersr.methods.tailor import Tailor
from innersr.networks.detail_stack import DetailStack
from innersr.networks.mixture_policy import MixturePolicy
from innersr.networks.priors import load_prior
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.noise.counting import CountingNoise
from innersr.run import Run

EXACT = Run(device="cpu", precision="fp32")
ROUNDING = 1e-5  # of Fourier transforms and of sums in another order


def drawn(channels=3, size=(17, 22), count=1):
    return torch.rand(count, channels, *size, generator=generator())


DEGRADATIONS = {
    "bicubic": Degradation(scale=2),
    "x3 gaussian": Degradation(scale=3, kernel=gaussian(2.0, 1.0, 0.4)),
    "x4 centre": Degradation(scale=4, kernel=gaussian(3.0), anchor="centre"),
    "even kernel": Degradation(scale=2, kernel=torch.tensor([[1.0, 2.0], [3.0, 2.0]]), anchor=(0.0, 1.0)),
    "noise": Degradation(scale=2, noise=0.03, compression=0.4),
    "loud": Degradation(scale=2, noise=0.6),
}


@pytest.mark.parametrize("name", DEGRADATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_graph_computes_what_tailor_does(name, channels, tmp_path):
    prior, degradation = write_prior(tmp_path / "tiny.safetensors", network(compression=True)), DEGRADATIONS[name]
    lr, method = drawn(channels), Tailor(prior=str(prior), steps=0, views=1)
    graph = graph_of(load_prior(prior), degradation, grey=channels == 1)
    assert (graph(lr) - method.adapt(lr, degradation, EXACT)(lr)).abs().max() < ROUNDING


def test_images_smaller_than_the_filters_are_mirrored_as_often_as_needed(tmp_path):
    prior = write_prior(tmp_path / "tiny.safetensors", network())
    lr, degradation = drawn(size=(5, 3)), Degradation(scale=4)
    expected = Tailor(prior=str(prior), steps=0, views=1).adapt(lr, degradation, EXACT)(lr)
    assert (graph_of(load_prior(prior), degradation)(lr) - expected).abs().max() < ROUNDING


def test_a_graph_for_any_degradation_takes_it_as_an_input():
    stack, lr = network(compression=True), drawn(count=2)
    for degradation in (Degradation(scale=2, noise=0.02), Degradation(scale=2, kernel=gaussian(2.0), noise=0.05)):
        result = ConditionedGraph(stack, 2)(lr, **conditioning_inputs(stack, degradation))
        assert (result - graph_of(stack, degradation)(lr)).abs().max() < ROUNDING


def test_counting_noise_is_refused():
    stack, degradation = network(compression=True), Degradation(scale=2, counting=CountingNoise(gain=0.02))
    for make in (graph_of, conditioning_inputs):
        with pytest.raises(InputError, match="knows no counting noise; give one standard deviation"):
            make(stack, degradation)


@pytest.mark.parametrize("factors", [(1, 1), (3, 3)])
@pytest.mark.parametrize("grey", [False, True])
def test_a_graph_adds_the_detail_of_a_plain_stack(factors, grey):
    stack = DetailStack(3, factors=factors, width=6, depth=3, bias=True, generator=generator())
    degradation, lr = Degradation(scale=3, kernel=gaussian(1.0), anchor="centre"), drawn(1 if grey else 3, count=2)
    expected = super_resolve(stack.grey() if grey else stack, lr, degradation, EXACT, ensemble=False).clamp(0, 1)
    assert (graph_of(stack, degradation, grey=grey)(lr) - expected).abs().max() < ROUNDING


def made(kind, degradation):
    """A graph of a kind, and its inputs beside the image."""
    if kind == "conditioned":
        return ConditionedGraph(network(), 2), conditioning_inputs(network(), degradation)
    stack = network() if kind == "tailored" else DetailStack(3, width=6, depth=4, generator=generator())
    return graph_of(stack, degradation), {}


@pytest.mark.parametrize("kind", ["tailored", "conditioned", "detail"])
def test_tiles_with_the_halo_leave_no_seams(kind):
    lr = drawn(size=(24, 130))
    graph, inputs = made(kind, Degradation(scale=2))
    whole, cut, far = graph(lr, **inputs), 60, graph.halo
    left = graph(lr[..., : cut + far], **inputs)[..., : 2 * cut]
    right = graph(lr[..., cut - far :], **inputs)[..., 2 * far :]
    assert (torch.cat([left, right], dim=-1) - whole).abs().max() < ROUNDING


@pytest.mark.parametrize("kind", ["tailored", "conditioned", "detail"])
def test_no_pixel_beyond_the_halo_has_any_influence(kind):
    graph, inputs = made(kind, Degradation(scale=2, kernel=gaussian(2.0)))
    middle = graph.halo + 5
    lr = 0.4 + 0.2 * drawn(size=(2 * middle + 1, 2 * middle + 1))  # few values are cut off at 0 or 1
    pixel = slice(2 * middle, 2 * middle + 2)
    graph(lr.requires_grad_(), **inputs)[..., pixel, pixel].sum().backward()
    reach = (lr.grad.abs().sum((0, 1)).nonzero() - middle).abs().max()
    assert graph.halo - 1 <= reach <= graph.halo  # even taps reach a pixel less on one side


@pytest.mark.parametrize(
    ("stack", "degradation", "words"),
    [
        (network(), Degradation(scale=5), "enlarges 2, 3, 4 times, got 5"),
        (network(), Degradation(scale=1.5), "one whole scale"),
        (network(), Degradation(scale=(2, 3)), "one whole scale"),
        (network(), Degradation(scale=2, wrap="x"), "pad a picture that wraps"),
        (DetailStack(3, factors=(2, 2), width=4, depth=2, generator=generator()), Degradation(scale=3), "2 times, got"),
        (MixturePolicy(features=4, candidates=2, hidden=3, generator=generator()), Degradation(scale=2), "no image"),
    ],
)
def test_what_cannot_be_a_graph_is_refused(stack, degradation, words):
    with pytest.raises(InputError, match=words):
        graph_of(stack, degradation)
