"""Whether a result can be trusted."""

from dataclasses import replace

import pytest
import torch

from helpers.images import facade
from innersr.inference.judgement import consistency, reason_for_doubt
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian

DOUBLE, NOISY = Degradation(scale=2), Degradation(scale=2, noise=0.1)


def judged(sr, interpolated, lr, degradation):
    return reason_for_doubt(sr, interpolated, lr, degradation, consistency(sr, lr, degradation))


def doubt(change=0.0, degradation=DOUBLE):
    """Judge the true HR image plus a change of it."""
    hr = facade(96)
    lr = degradation(hr, torch.Generator().manual_seed(1))
    return judged(hr + change, degradation.upsample(lr), lr, degradation)


@pytest.mark.parametrize(
    "degradation", [DOUBLE, Degradation(scale=2, kernel=gaussian(2)), Degradation(scale=2, noise=0.1)]
)
def test_the_truth_is_trusted(degradation):
    assert doubt(degradation=degradation) is None
    assert doubt(0.9 / 255, degradation) is None


def test_a_moved_mean_is_not():
    assert doubt(3 / 255) == "its mean moved by 3.0 of 255 levels"
    one_channel = torch.tensor([0.0, 0.0, 0.02])[None, :, None, None]
    lr = torch.rand(1, 3, 20, 20)
    plain = DOUBLE.upsample(lr)
    assert "mean moved by 5.1" in judged(plain + one_channel, plain, lr, DOUBLE)


def test_a_result_of_another_picture_is_not_unless_noise_explains_it():
    waves = 0.25 * torch.sin(torch.arange(96) / 4.0).expand(1, 1, 96, 96)
    waves = waves - waves.mean()
    assert "shrunk again it does not match the image (consistency 1" in doubt(waves)
    assert doubt(waves, NOISY) is None


@pytest.mark.parametrize(("agreement", "is_doubted"), [(17.0, False), (15.0, True)])
def test_noise_excuses_three_of_its_deviations(agreement, is_doubted):
    lr, degradation = facade(24), Degradation(scale=2, noise=0.02)  # least is 15.9 dB: an RMS of 0.1 + 3 * 0.02
    plain = degradation.upsample(lr)
    assert (reason_for_doubt(plain, plain, lr, degradation, agreement) is not None) == is_doubted


def test_denoising_may_move_the_mean_of_what_noise_was_clipped_at():
    white = torch.full((1, 1, 96, 96), 0.98)
    clipped = NOISY(white, torch.Generator().manual_seed(1))
    plain = NOISY.upsample(clipped)
    assert 255 * float((plain - white).mean().abs()) > 5
    assert judged(white, plain, clipped, NOISY) is None
    assert "mean moved" in judged(white - 0.2, plain, clipped, NOISY)


def test_noise_excuses_no_moved_mean_away_from_black_and_white():
    grey = torch.full((1, 1, 96, 96), 0.5)
    noisy = Degradation(scale=2, noise=0.05)
    lr = noisy(grey, torch.Generator().manual_seed(1))
    assert "mean moved" in judged(grey - 0.02, noisy.upsample(lr), lr, noisy)


@pytest.mark.parametrize(("difference", "is_doubted"), [(-0.5, True), (0.5, False)])
def test_what_no_interpolation_explains_is_trusted_where_it_is_nearer_than_that(difference, is_doubted):
    lr, wide = (
        torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(1)),
        Degradation(scale=2, kernel=gaussian(9)),
    )
    plain = wide.upsample(lr)
    agreement = consistency(plain, lr, wide)
    assert 10 ** (-agreement / 20) > 0.2  # noise of pixels, which such a blur never leaves
    reason = reason_for_doubt(plain, plain, lr, wide, agreement + difference)
    assert (reason is not None) is is_doubted


def test_compression_allows_up_to_another_level():
    lr = 0.4 * DOUBLE(facade(96)) + 0.3
    saved = replace(DOUBLE, compression=0.7)
    plain = saved.upsample(lr)
    assert judged(plain + 1.6 / 255, plain, lr, saved) is None
    assert "mean moved by 1.6" in judged(plain + 1.6 / 255, plain, lr, DOUBLE)
    assert "mean moved by 1.8" in judged(plain + 1.8 / 255, plain, lr, saved)


def test_clipped_errors_of_compression_may_move_the_mean():
    """Ringing beside ink on white paper is clipped at white: without it the mean is higher."""
    lr = torch.ones(1, 1, 16, 16)
    moved = torch.ones(1, 1, 32, 32) - 2.2 / 255
    for compression, is_doubted in ((0.35, False), (0.0, True)):
        degradation = Degradation(scale=2, compression=compression)
        agreement = consistency(moved, lr, degradation)
        reason = reason_for_doubt(moved, torch.ones(1, 1, 32, 32), lr, degradation, agreement)
        assert (reason is not None) == is_doubted
