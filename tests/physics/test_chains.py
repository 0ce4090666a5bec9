"""The links of degradation chains."""

import pytest
import torch
import torch.nn.functional as F

from innersr.physics.chains import (
    filtered_taps,
    noise_field,
    shrinking_taps,
    softened,
    unsharp_filter,
    with_noise,
)
from innersr.physics.degradation import Degradation
from innersr.physics.pseudoinverse import taps_of


def drawn(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def by_taps(taps, scale, hr):
    middle = taps.shape[-1] // 2
    return Degradation(scale=scale, kernel=taps, anchor=(middle, middle)).forward(hr)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_taps_are_those_of_bicubic_shrinking(scale):
    assert torch.allclose(shrinking_taps("bicubic", scale), taps_of(Degradation(scale=scale)), atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_box_taps_are_the_mean_of_a_cell(scale):
    hr = drawn(1, 3, 60, 60)
    assert torch.allclose(by_taps(shrinking_taps("box", scale), scale, hr), F.avg_pool2d(hr, scale), atol=1e-5)


@pytest.mark.parametrize("kind", ["bicubic", "lanczos", "box"])
def test_shrinking_looks_at_the_middle_of_the_cell_and_keeps_brightness(kind):
    taps = shrinking_taps(kind, 2)
    axis = torch.arange(taps.shape[-1]) - taps.shape[-1] // 2
    assert float(taps.sum()) == pytest.approx(1, abs=1e-5)
    assert float(taps.sum(0) @ axis.float()) == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("scale", [2, 3])
def test_sharpening_after_shrinking_is_part_of_the_kernel(scale):
    hr, sharp = drawn(1, 1, 96, 96), unsharp_filter(0.8, 0.9)
    taps = shrinking_taps("bicubic", scale)
    after = F.conv2d(by_taps(taps, scale, hr), sharp[None, None])
    at_once = by_taps(filtered_taps(taps[None], sharp[None], scale)[0], scale, hr)
    inner = slice(6, -6)  # edges of the image are extended differently
    assert torch.allclose(after[..., 3:-3, 3:-3], at_once[..., inner, inner], atol=1e-4)


def test_filters_that_are_not_symmetric_keep_their_side():
    hr, shift = drawn(1, 1, 64, 64), torch.zeros(1, 7, 7)
    shift[0, 3, 4] = 1  # looks one LR pixel to the right
    taps = shrinking_taps("box", 2)
    plain, moved = by_taps(taps, 2, hr), by_taps(filtered_taps(taps[None], shift, 2)[0], 2, hr)
    assert torch.allclose(plain[..., 8:-8, 9:-7], moved[..., 8:-8, 8:-8], atol=1e-5)


def test_an_unsharp_mask_of_amount_0_changes_nothing():
    assert float(unsharp_filter(1.0, 0.0)[3, 3]) == 1
    assert float(unsharp_filter(1.0, 0.7).sum()) == pytest.approx(1, abs=1e-5)


def test_soft_scenes_are_blurred_by_their_own_deviation():
    impulse = torch.zeros(2, 1, 41, 41)
    impulse[:, :, 20, 20] = 1
    sharp, soft = softened(impulse, [0, 2.0])
    assert torch.equal(sharp, impulse[0])
    axis = torch.arange(41) - 20.0
    assert float(soft[0].sum(0) @ axis.square()) == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize("kind", ["white", "grey", "correlated", "chroma", "poisson"])
def test_noise_has_the_deviation_that_is_asked_for(kind):
    image, generator = torch.full((3, 64, 64), 0.5), torch.Generator().manual_seed(1)
    noise = with_noise(image, kind, 0.1, 1.0, generator) - image
    assert float(noise.square().mean().sqrt()) == pytest.approx(0.1, rel=0.01)


def test_kinds_of_noise_differ_in_what_they_correlate():
    fields = {
        kind: noise_field(kind, torch.Size((3, 96, 96)), 1.0, torch.Generator().manual_seed(2))
        for kind in ("white", "grey", "correlated", "chroma")
    }
    neighbours = {kind: float((f[:, 1:] * f[:, :-1]).mean()) for kind, f in fields.items()}
    assert abs(neighbours["white"]) < 0.05 < 0.5 < neighbours["correlated"]
    assert torch.equal(fields["grey"][0], fields["grey"][2])
    luma = (fields["chroma"] * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0)
    assert float(luma.abs().max()) < 1e-5


def test_counting_noise_grows_with_the_root_of_the_brightness():
    image = torch.cat([torch.full((1, 64, 64), 0.1), torch.full((1, 64, 64), 0.9)])
    noise = with_noise(image, "poisson", 0.05, 1.0, torch.Generator().manual_seed(1)) - image
    assert float(noise[1].std() / noise[0].std()) == pytest.approx(3, rel=0.05)
