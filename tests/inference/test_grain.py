"""The grain that upscaling gives back to an image."""

import pytest
import torch

from innersr.inference.normalisation import with_grain
from innersr.physics.back_projection import back_project
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.resize import resize
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32")

GRAINY = [
    Degradation(scale=2),
    Degradation(scale=(2, 3)),
    Degradation(scale=1.5),
    Degradation(scale=2, kernel=gaussian(0.6)),
    Degradation(scale=2, wrap="xy"),
]


def soft_grain(lr):
    """Return noise whose grains are some pixels wide, which cubic interpolation can follow."""
    coarse = [n // 3 for n in lr.shape[-2:]]
    noise = torch.randn(*lr.shape[:2], *coarse, generator=torch.Generator().manual_seed(0))
    return 0.05 * resize(noise, size=(lr.shape[-2], lr.shape[-1]))


@pytest.mark.parametrize("degradation", GRAINY)
def test_the_shrunk_copy_of_an_image_with_its_grain_is_the_small_image(degradation):
    sr = 0.3 + 0.4 * torch.rand(1, 3, 60, 72, generator=torch.Generator().manual_seed(1))
    clean = degradation.forward(sr)
    lr = clean + soft_grain(clean)
    with_its_grain = with_grain(sr, lr, degradation)
    left = lr - degradation.forward(with_its_grain, (lr.shape[-2], lr.shape[-1]))
    assert float(left.std()) < 0.1 * float((lr - clean).std())


@pytest.mark.parametrize("degradation", [*GRAINY, Degradation(scale=2, kernel=gaussian(2.0))])
def test_an_image_that_explains_all_has_no_grain_and_a_constant_rest_is_added(degradation):
    sr = 0.3 + 0.4 * torch.rand(1, 2, 60, 72, generator=torch.Generator().manual_seed(1))
    lr = degradation.forward(sr)
    # Sums of some ten products of values of about 1, in float32, taken twice.
    assert torch.allclose(with_grain(sr, lr, degradation), sr, rtol=0, atol=2e-6)
    assert torch.allclose(with_grain(sr, lr + 0.1, degradation), sr + 0.1, rtol=0, atol=2e-6)


def test_grain_is_not_sharpened():
    blurred = Degradation(scale=2, kernel=gaussian(2.0))
    sr = torch.full((1, 1, 64, 64), 0.5)
    noise = 0.05 * torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    grain = with_grain(sr, 0.5 + noise, blurred) - 0.5
    assert 0.7 * float(noise.std()) < float(grain.std()) < float(noise.std())
    corrected = back_project(sr.clone(), 0.5 + noise, blurred, steps=5, run=RUN) - 0.5
    assert float(corrected.std()) > 1.5 * float(grain.std())


def test_grain_does_not_leave_the_range():
    sr = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    result = with_grain(sr, torch.ones(1, 1, 16, 16), Degradation(scale=2))
    assert float(result.max()) == 1 and float(result.min()) >= 0
