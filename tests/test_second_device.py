"""Nothing is left on the CPU: methods, estimates and SinGAN on a second device, which only a mark tells from it."""

from dataclasses import replace

import pytest
import torch

from helpers.methods import RUN, image, made
from helpers.second_device import DEVICE, OtherDeviceError, SecondDevice, is_there, run_there
from helpers.singan import picture, tiny
from helpers.training import OBJECTIVES, pool
from innersr.blind import finding
from innersr.blind.estimate import examine
from innersr.blind.kernelgan.estimator import KernelGAN
from innersr.images.image import Image
from innersr.inference.normalisation import normalise
from innersr.inference.survey import survey
from innersr.methods.mixture import adapt_to
from innersr.methods.registry import METHODS
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.pipeline.adaptation import upscale_image
from innersr.singan.animation import animate
from innersr.singan.fit import fit
from innersr.singan.manipulation import edit, quantized_paint
from innersr.singan.patches.model import patch_model
from innersr.singan.training.fine_tuning import fine_tune
from innersr.training.learner import backpropagate


@pytest.fixture
def second_device(monkeypatch):
    with SecondDevice(monkeypatch) as device:
        yield device


@pytest.mark.usefixtures("second_device")
def test_tensors_of_two_devices_do_not_meet():
    x, there = torch.ones(3), torch.ones(3).to(DEVICE)
    assert there.device == (there + 1).device == there.sum().device == torch.zeros(2, device=DEVICE).device == DEVICE
    assert is_there(there[:2]) and is_there(torch.stack([there, there]).unbind()[0])
    assert not is_there(there.cpu()) and not is_there(x + 1)
    assert float(there.sum()) == 3
    for mixed in (lambda: x + there, lambda: torch.cat([there, x]), lambda: x[there.long()], lambda: there.numpy()):
        with pytest.raises(OtherDeviceError):
            mixed()
    with pytest.raises(OtherDeviceError, match="generator"):
        torch.rand(3, generator=torch.Generator(), device=DEVICE)
    network = torch.nn.Linear(3, 2)
    with pytest.raises(OtherDeviceError):
        network(there)
    network.to(DEVICE)(there).sum().backward()
    assert is_there(network.weight.grad)


CASES = {
    "bicubic": Degradation(scale=2),
    "blurred": Degradation(scale=2, kernel=gaussian(1.5, 0.7, 0.6, size=9)),
    "noisy": Degradation(scale=2, noise=0.03, compression=0.4),
    "broken": Degradation(scale=1.5),
    "wrapped": Degradation(scale=2, wrap="xy"),
}


@pytest.mark.usefixtures("second_device")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", [*METHODS, "singan:engine=network"])
def test_a_method_leaves_nothing_on_the_cpu(name, case):
    degradation = CASES[case]
    if name == "pixelart" and case == "broken":
        pytest.skip("only whole scales")
    method, lr = made(name) if name in METHODS else made("singan", engine="network"), image(3)
    result = method.adapt(lr.to(DEVICE), degradation, run_there())(lr.to(DEVICE))
    assert result.device == DEVICE
    if case == "bicubic" and name != "singan:engine=network":  # which sorts otherwise on a CPU
        torch.testing.assert_close(result.cpu(), method.adapt(lr, degradation, RUN)(lr), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["small", "large"])
def test_an_estimate_leaves_nothing_on_the_cpu_and_is_the_same(kind, second_device):
    lr = image(3, (40, 36)) if kind == "small" else image(3, (560, 60))
    estimate, expected = examine(lr, 2, run_there()), examine(lr, 2, RUN)
    assert second_device.moved > 0
    assert estimate.summary == expected.summary
    mixed = adapt_to(made("tailor", steps=2), lr[..., :40, :].to(DEVICE), estimate, run_there())
    assert mixed(lr[..., :40, :].to(DEVICE)).device == DEVICE


@pytest.mark.usefixtures("second_device")
def test_an_estimate_does_not_move_the_network_of_another_device():
    """Another thread may be using it."""
    here = finding.predictor(torch.device("cpu"))
    examine(image(3, (40, 36)), 2, run_there())
    assert not any(is_there(parameter) for parameter in here.parameters())


def test_kernelgan_leaves_nothing_on_the_cpu(second_device):
    lr = image(3, (40, 36))
    method = KernelGAN(steps=3, crop=32, width=8)
    found, expected = (method._train(x, run, print) for x, run in ((lr.to(DEVICE), run_there()), (lr, RUN)))
    assert second_device.moved > 0
    assert torch.equal(found, expected)


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
def test_an_image_with_alpha_and_holes_goes_to_the_device_and_comes_back(depth, second_device):
    missing = torch.zeros(1, 3, 22, 18, dtype=torch.bool)
    missing[..., 3:5, 4:8] = True
    given = Image(colour=image(3), alpha=image(1, seed=2), missing=missing, depth=depth)
    result = upscale_image(given, Degradation(scale=2), made("tailor"), run_there()).image
    assert second_device.moved > 0
    assert result.colour.device == result.alpha.device == torch.device("cpu")


@pytest.mark.usefixtures("second_device")
def test_a_part_of_a_large_image_goes_to_the_device_and_is_normalised_as_in_the_whole():
    picture = Image(colour=0.2 + 0.3 * image(3, (40, 32)), depth="uint16")
    whole = survey(lambda: [picture], "auto", nodata=None, is_exact=False)
    part = normalise(replace(picture, colour=picture.colour[..., 8:24, :]), run_there(), "auto", whole=whole)
    expected = normalise(picture, RUN, "auto")
    assert part.channels.device == DEVICE
    assert torch.equal(part.channels.cpu(), expected.channels[..., 8:24, :])
    degradation = Degradation(scale=2)
    result = part.restored(degradation.upsample(part.channels), degradation.upsample, degradation)
    plain = degradation.upsample(picture.colour[..., 8:24, :])
    assert torch.allclose(result.colour, plain, rtol=0, atol=1e-5)  # rounding of the scaled values


@pytest.mark.usefixtures("second_device")
@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_leaves_nothing_on_the_cpu(name):
    objective = OBJECTIVES[name]
    network = objective.network().to(DEVICE).requires_grad_(True)
    backpropagate(objective, network, objective.crops(pool(), 0, (0, 1)), run_there())
    gradients = [parameter.grad for parameter in network.parameters()]
    assert all(gradient is None or is_there(gradient) for gradient in gradients)
    assert any(gradient is not None and float(gradient.abs().max()) > 0 for gradient in gradients)


SINGAN = tiny(iterations=2, scales=2, matching=1)


@pytest.fixture(scope="module")
def model():
    """A tiny model on the second device, and its picture on the CPU."""
    with pytest.MonkeyPatch.context() as patch, SecondDevice(patch):
        return fit([picture()], SINGAN, run_there(seed=3)), picture()


def frames(model, _picture, run):
    return torch.cat(list(animate(model, frames=2, run=run)))


def painting(model, x, run):
    return quantized_paint(model, x, 1, run, [x], colours=3)


def edited(model, x, run):
    mask = torch.zeros(1, 1, *x.shape[-2:])
    mask[..., 8:12, 9:15] = 1
    return edit(model, x, mask, 1, run, x).blended


@pytest.mark.usefixtures("second_device")
@pytest.mark.parametrize(
    "use",
    [
        lambda model, _x, run: model.sample(2, run=run),
        lambda model, _x, run: model.sample(1, size=(24, 40), wrap="x", run=run),
        lambda model, _x, _run: model.reconstruct(),
        lambda model, x, run: model.inject(x, 1, run=run),
        frames,
        painting,
        edited,
        lambda model, x, run: fine_tune(model, x, [x], 1, run, 2).sample(1, run=run),
        lambda _model, x, run: patch_model(x, SINGAN, run=run).sample(1, run=run),
    ],
    ids=["sample", "wide sample", "reconstruct", "inject", "animate", "paint", "edit", "fine-tune", "patches"],
)
def test_singan_leaves_nothing_on_the_cpu(model, use):
    assert is_there(use(*model, run_there(seed=1)))
