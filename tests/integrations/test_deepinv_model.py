import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from helpers.networks import generator
from helpers.priors import prior_for
from innersr.errors import InputError
from innersr.integrations.deepinv_model import DeepinvModel, degradation_from
from innersr.methods.tailor import Tailor
from innersr.physics.kernels import gaussian
from innersr.pipeline.files import upscale
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32")


class GaussianNoise:
    def __init__(self, sigma):
        self.sigma = torch.tensor(sigma)


class PoissonNoise:
    def __init__(self, gain, *, normalize=True):
        self.gain, self.normalize = torch.tensor([gain]), torch.tensor(normalize)


class SaltPepperNoise:
    pass


class Operator:
    """Convolution and subsampling by deepinv's conventions, on the CPU; its adjoint is the gradient."""

    def __init__(self, size, factor=2, kernel=None, padding="circular", noise=None):
        self.size, self.factor, self.padding, self.noise_model = size, factor, padding, noise
        self.kernel = gaussian(1.0, 2.0, 0.5) if kernel is None else kernel

    def A(self, x):  # noqa: N802 (deepinv's name)
        rows, columns = self.kernel.shape
        pad = (columns // 2 - (columns - 1) % 2, columns // 2, rows // 2 - (rows - 1) % 2, rows // 2)
        weight = self.kernel.flip(-1, -2).expand(x.shape[1], 1, -1, -1)
        grown = F.pad(x, pad, mode=self.padding)
        return F.conv2d(grown, weight, groups=x.shape[1])[..., :: self.factor, :: self.factor]

    def A_adjoint(self, y):  # noqa: N802 (deepinv's name)
        with torch.enable_grad():
            x = torch.zeros(y.shape[0], y.shape[1], *self.size, requires_grad=True)
            return torch.autograd.grad((self.A(x) * y.detach()).sum(), x)[0]


def drawn(*shape):
    return torch.rand(*shape, generator=generator())


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("kernel", [None, torch.tensor([[1.0, 2.0, 0.0, 3.0], [0.0, 4.0, 1.0, 2.0]]) / 13])
@pytest.mark.parametrize("padding", ["circular", "replicate"])
def test_the_degradation_does_what_the_physics_does(factor, kernel, padding):
    physics, x = Operator((60, 48), factor, kernel, padding), drawn(1, 2, 60, 48)
    y = physics.A(x)
    degradation = degradation_from(physics, y)
    inner = ... if padding == "circular" else (..., slice(8, -8), slice(7, -7))
    assert (degradation.forward(x) - y)[inner].abs().max() < 1e-5
    assert degradation.wrap == ("xy" if padding == "circular" else "")


def test_an_image_whose_size_is_no_multiple_is_not_taken_for_one_that_wraps():
    physics = Operator((41, 43))
    assert degradation_from(physics, drawn(1, 1, 21, 22)).wrap == ""
    model = DeepinvModel("bicubic", RUN)
    assert model(drawn(2, 3, 21, 22), physics).shape == (2, 3, 41, 43)


@pytest.mark.parametrize(
    ("noise", "level", "gain"), [(None, 0, None), (GaussianNoise(0.04), 0.04, None), (PoissonNoise(0.1), None, 0.1)]
)
def test_noise_is_that_of_the_physics(noise, level, gain):
    degradation = degradation_from(Operator((40, 40), noise=noise), drawn(1, 1, 20, 20))
    if gain is None:
        assert (degradation.noise, degradation.counting) == (pytest.approx(level), None)
    else:
        assert degradation.counting.gain == pytest.approx(gain)


def test_the_model_is_the_method_under_that_degradation():
    physics, y = Operator((40, 36)), drawn(2, 3, 20, 18)
    method = Tailor(prior=prior_for("tailor"), steps=2, crop=8)
    made = DeepinvModel(method, RUN)(y.requires_grad_(), physics, unused=1)
    assert not made.requires_grad
    degradation = degradation_from(physics, y)
    assert torch.equal(made[1:], upscale(y[1:].detach(), degradation=degradation, method=method, run=RUN))


class Varying(Operator):
    def A(self, x):  # noqa: N802 (deepinv's name)
        return super().A(x * torch.linspace(0.5, 1.5, x.shape[-1]))


@pytest.mark.parametrize(
    ("physics", "words"),
    [
        (Operator((20, 20), factor=1), "by a whole scale"),
        (Operator((40, 40), kernel=torch.full((1, 1), 0.5)), "multiplies the brightness by 0.5"),
        (Varying((40, 40)), "the same everywhere|multiplies the brightness"),
        (Operator((40, 40), noise=SaltPepperNoise()), "SaltPepperNoise is unknown"),
        (Operator((40, 40), noise=GaussianNoise([0.1, 0.2])), "one by one"),
        (Operator((40, 40), noise=PoissonNoise(0.1, normalize=False)), "use normalize=True"),
        (Operator((40, 40), kernel=torch.full((41, 41), 1 / 41**2), padding="replicate"), "fewer than the kernel"),
    ],
)
def test_other_physics_are_refused(physics, words):
    with pytest.raises(InputError, match=words):
        degradation_from(physics, drawn(1, 1, 20, 20))


@pytest.fixture(scope="module")
def deepinv():
    try:
        import deepinv
    except (ImportError, RuntimeError) as error:  # the last for a torchvision of another build than torch's
        pytest.skip(f"needs deepinv: pip install '.[deepinv]' ({error})")
    return deepinv


@pytest.mark.parametrize("blur", ["gaussian", "bicubic", "bilinear", None])
@pytest.mark.parametrize("padding", ["circular", "reflect"])
def test_the_operators_of_deepinv_itself(blur, padding, deepinv):
    noise = deepinv.physics.GaussianNoise(0.02)
    physics = deepinv.physics.Downsampling((3, 48, 40), blur, 2, padding=padding, noise_model=noise)
    x = drawn(1, 3, 48, 40)
    degradation = degradation_from(physics, physics(x))
    assert degradation.noise == pytest.approx(0.02)
    difference = (degradation.forward(x) - physics.A(x)).abs()
    assert (difference if padding == "circular" else difference[..., 6:-6, 6:-6]).max() < 1e-4
    assert DeepinvModel("bicubic", RUN)(physics(x), physics).shape == x.shape


def test_a_chain_of_operators_of_deepinv(deepinv):
    sharp = deepinv.physics.Blur(filter=gaussian(1.5, 0.8, 0.3)[None, None], padding="circular")
    physics = deepinv.physics.Downsampling((1, 48, 48), "bicubic", 3, padding="circular") * sharp
    x = drawn(1, 1, 48, 48)
    assert (degradation_from(physics, physics(x)).forward(x) - physics.A(x)).abs().max() < 1e-4


@pytest.mark.usefixtures("deepinv")
def test_the_documented_example_works():
    document = (Path(__file__).parents[2] / "docs" / "integrations.md").read_text(encoding="utf-8")
    example = re.search(r"## deepinv.*?```python\n(.*?)```", document, re.DOTALL)[1].replace("64", "24")
    names = {}
    exec(example, names)
    assert names["restored"].shape == names["sharp"].shape
