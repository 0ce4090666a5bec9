"""Images that were put together from parts of different noise or compression."""

from types import SimpleNamespace

import pytest
import torch

from helpers.images import scene
from helpers.methods import RUN
from innersr.blind import regions
from innersr.blind.estimate import examine
from innersr.blind.finding import find
from innersr.blind.regions import find_regions
from innersr.metrics.grey_levels import quantized
from innersr.physics.degradation import Degradation
from innersr.physics.jpeg import jpeg, jpeg_strength

LR = quantized(Degradation(scale=2).forward(scene(384), (192, 192)).clamp(0, 1))


def noisy(lr, levels):
    return quantized((lr + levels / 255 * torch.randn(lr.shape, generator=RUN.generator())).clamp(0, 1))


def joined(left, right):
    return torch.cat([left[..., :64], right[..., 64:]], dim=-1)


@pytest.mark.parametrize("lr", [LR, noisy(LR, 10), jpeg(LR[0], 50)[None]], ids=["clean", "noisy", "compressed"])
def test_an_image_of_one_piece_has_no_regions(lr):
    assert find_regions(lr, find(lr)) == ()


def test_noisy_cells_are_found_with_their_noise():
    lr = joined(LR, noisy(LR, 15))
    first, second = find_regions(lr, find(lr))
    assert torch.equal(first.cells, torch.tensor([[False, True, True]] * 3))
    assert torch.equal(second.cells, ~first.cells)
    assert 255 * first.finding.noise == pytest.approx(15, rel=0.25)
    assert second.finding.noise == 0


@pytest.mark.parametrize(("ratio", "count"), [(3.0, 0), (4.0, 4)])
def test_noisy_cells_are_that_much_noisier(ratio, count):
    noise = torch.tensor([ratio, 1.0, 1.0]).repeat_interleave(4) * 8  # 8-bit levels
    assert int(regions._noisy(SimpleNamespace(first_noise=noise.log())).sum()) == count


@pytest.mark.parametrize(("clean", "count"), [(-2.0, 0), (-3.0, 4)])
def test_compressed_cells_are_that_far_from_clean_ones(clean, count):
    logit = torch.tensor([2.0, clean, clean]).repeat_interleave(4)
    cells = SimpleNamespace(compressed=logit, compression=torch.full((12,), 0.9))
    assert int(regions._compressed(cells).sum()) == count


def test_scattered_cells_are_no_region():
    board = torch.arange(36).view(6, 6) // 6 % 2 == torch.arange(6) % 2
    assert not regions._is_coherent(board)
    assert regions._is_coherent(torch.arange(6).expand(6, 6) < 2)


def test_compressed_cells_are_found():
    lr = joined(jpeg(LR[0], 30)[None], LR)
    first, second = find_regions(lr, find(lr))
    assert torch.equal(second.cells, torch.tensor([[True, False, False]] * 3))
    assert second.finding.compression > 0.3 > first.finding.compression


def test_a_compression_that_is_proved_for_the_whole_makes_no_regions():
    lr = joined(jpeg(LR[0], 30)[None], LR)
    whole = find(lr)
    assert not whole.is_a_file
    assert len(find_regions(lr, whole)) == 2
    assert find_regions(lr, whole._replace(is_a_file=True)) == ()
    assert find(jpeg(lr[0], 75)[None]).is_a_file
    assert not find(jpeg(lr[0], 75)[None, ..., 1:]).is_a_file, "a part that was cut out may have been put somewhere"


def test_regions_of_noise_keep_a_compression_that_is_proved_for_the_whole():
    lr = joined(LR, noisy(LR, 15))
    whole = find(lr)._replace(is_a_file=True, compression=0.5)
    assert [region.finding.compression for region in find_regions(lr, whole)] == [0.5, 0.5]


def test_a_given_quality_is_that_of_all_regions():
    estimate = examine(joined(LR, noisy(LR, 15)), 2, RUN).with_quality(75)
    assert {region.estimate.jpeg_quality for region in estimate.regions} == {75}
    assert estimate.summary.count("JPEG quality about 75") == 2
    assert {region.estimate.given.compression for region in estimate.regions} == {jpeg_strength(75)}


def test_an_estimate_describes_its_largest_region_and_keeps_the_others():
    lr = joined(LR, noisy(LR, 15))
    estimate = examine(lr, 2, RUN)
    first, second = (region.estimate for region in estimate.regions)
    assert estimate.degradation == first.degradation
    assert estimate.greatest_noise == pytest.approx(max(c.degradation.noise for c in first.candidates[:1]))
    assert estimate.summary == f"67 % {first.summary}; 33 % {second.summary}"
    for changed in (estimate.with_given(noise=3 / 255), estimate.believed().with_given(noise=3 / 255)):
        assert {region.estimate.given.noise for region in changed.regions} == {3 / 255}
    for part, before in zip(estimate.deblurred(1).regions, (first, second), strict=True):
        assert part.estimate.given == before.degradation
