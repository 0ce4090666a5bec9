"""Restorations by several candidates, mixed by their shares."""

from dataclasses import dataclass, field, replace

import pytest
import torch

from helpers.methods import RUN, image
from innersr.benchmark.chains import parse_chain
from innersr.benchmark.made.catalogue import made_picture
from innersr.blind.estimate import Candidate, Estimate, EstimatedRegion
from innersr.methods.baselines import BackProjection
from innersr.methods.mixture import adapt_to, interpolate
from innersr.methods.tailor import Tailor
from innersr.metrics.fidelity import psnr_y
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.noise.counting import CountingNoise

PLAIN, BLURRED = Degradation(scale=2), Degradation(scale=2, kernel=gaussian(1.5))
LR = image(3, (24, 30))


def estimate(*candidates):
    return Estimate(degradation=BLURRED, confidence="medium", mixture=tuple(Candidate(*c) for c in candidates))


@dataclass(frozen=True)
class Spy:
    """Notes the degradations it is given; gives a flat image of twice the size, or interpolates without a level."""

    level: float | None = None
    given: list = field(default_factory=list)

    def adapt(self, _lr, degradation, _run):
        self.given.append(degradation)
        if self.level is None:
            return lambda x: interpolate(x, degradation)
        return lambda x: torch.full((*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3]), self.level)


def test_a_degradation_is_undone_by_the_method_alone():
    method = BackProjection()
    assert torch.equal(adapt_to(method, LR, BLURRED, RUN)(LR), method.adapt(LR, BLURRED, RUN)(LR))


def test_an_estimate_that_is_believed_is_its_degradation():
    tailor, believed = Tailor(steps=0, views=1), estimate((BLURRED, 1.0))
    assert torch.equal(adapt_to(tailor, LR, believed, RUN)(LR), tailor.adapt(LR, BLURRED, RUN)(LR))


def test_results_are_mixed_by_their_shares_and_the_rest_is_interpolated():
    tailor = Tailor(steps=0, views=1)
    plain, blurred = (tailor.adapt(LR, d, RUN)(LR) for d in (PLAIN, BLURRED))
    expected = 0.5 * plain + 0.3 * blurred + 0.2 * PLAIN.upsample(LR).clamp(0, 1)
    mixed = adapt_to(tailor, LR, estimate((PLAIN, 0.5), (BLURRED, 0.3)), RUN)(LR)
    assert torch.allclose(mixed, expected, atol=1e-6)
    assert float((plain - blurred).abs().max()) > 0.01


@pytest.mark.parametrize(
    ("cause", "further"),
    [
        (estimate((PLAIN, 0.6), (BLURRED, 0.3)), 4),
        (estimate((PLAIN, 0.4), (BLURRED, 0.3)), 0),
        (replace(PLAIN, counting=CountingNoise(gain=0.02)), 0),
    ],
)
def test_further_steps_are_left_out_where_they_do_not_pay(cause, further, monkeypatch):
    """Of a candidate that has less than half of the result, and under counting noise."""
    taken = []
    monkeypatch.setattr(Tailor, "_adapt_weights", lambda self, *_: taken.append(self.further_steps) or ())
    adapt_to(Tailor(steps=2, further_steps=4, views=1, by_recurrence=False), LR, cause, RUN)
    assert taken == [further]


def test_nothing_but_interpolation():
    mixed = adapt_to(Tailor(), LR, estimate((PLAIN, 0.0)), RUN)(LR)
    assert torch.allclose(mixed, PLAIN.upsample(LR).clamp(0, 1), atol=1e-6)


def test_a_method_sees_counting_noise_as_gaussian():
    noise, spy = CountingNoise(gain=0.02), Spy()
    counted = replace(PLAIN, counting=noise)
    result = adapt_to(spy, LR, counted, RUN)(LR)
    (given,) = spy.given
    assert (given.counting, given.noise) == (None, pytest.approx(noise.sigma))
    expected = noise.destabilise(interpolate(noise.stabilise(LR), PLAIN)).clamp(0, 1)
    assert torch.allclose(result, expected, atol=1e-6)
    assert torch.equal(adapt_to(Spy(), LR, estimate((counted, 1.0)), RUN)(LR), result)


def test_counts_are_restored_better_as_such_than_as_gaussian_noise():
    scene = made_picture("fluorescence", 1, (128, 128))
    small = parse_chain("poisson:50", 2).apply(scene, 2, "", torch.Generator().manual_seed(0))
    draft, plain = Tailor(steps=0, views=1), replace(small.degradation, counting=None)
    counted, gaussian_, interpolated = (
        psnr_y(result, scene, 2)
        for result in (
            adapt_to(draft, small.lr, small.degradation, RUN)(small.lr),
            adapt_to(draft, small.lr, plain, RUN)(small.lr),
            PLAIN.upsample(small.lr).clamp(0, 1),
        )
    )
    assert counted > interpolated + 1.5
    assert counted > gaussian_ + 1


def test_only_the_first_candidate_is_adapted_to(monkeypatch):
    adapted = []
    monkeypatch.setattr(Tailor, "adapt", lambda self, _lr, d, _run: adapted.append((self.steps, d)) or (lambda x: x))
    adapt_to(Tailor(steps=7), LR, estimate((PLAIN, 0.6), (BLURRED, 0.4)), RUN)
    assert adapted == [(7, PLAIN), (0, BLURRED)]


def test_other_methods_take_the_first_candidate_with_the_shares_of_all():
    spy = Spy(level=1.0)
    mixed = adapt_to(spy, LR, estimate((BLURRED, 0.5), (PLAIN, 0.3)), RUN)(LR)
    assert spy.given == [BLURRED]
    assert torch.allclose(mixed, 0.2 * PLAIN.upsample(LR).clamp(0, 1) + 0.8, atol=1e-6)


def test_candidates_without_a_share_are_not_restored(monkeypatch):
    adapted = []
    monkeypatch.setattr(Tailor, "adapt", lambda _self, _lr, d, _run: adapted.append(d) or (lambda x: x))
    adapt_to(Tailor(), LR, estimate((PLAIN, 1.0), (BLURRED, 0.0)), RUN)
    assert adapted == [PLAIN]


@pytest.mark.parametrize("anchor", ["aligned", "centre"])
def test_what_is_interpolated_is_interpolated_as_image_tools_do(anchor):
    """Wherever the kernel of the estimate lies."""
    moved = Degradation(scale=2, kernel=gaussian(1.5), anchor=anchor)
    assert torch.equal(interpolate(LR, moved), PLAIN.upsample(LR).clamp(0, 1))


@pytest.mark.parametrize("wrap", ["", "xy"])
def test_a_mixture_of_a_wrapped_image_wraps(wrap):
    wrapped = Degradation(scale=2, wrap=wrap)
    mixed = adapt_to(Tailor(steps=0, views=1), LR, estimate((wrapped, 0.5)), RUN)
    rolled = mixed(LR.roll((3, 4), (-2, -1))).roll((-6, -8), (-2, -1))
    assert torch.allclose(mixed(LR), rolled, atol=1e-4) is (wrap == "xy")


def test_regions_are_restored_apart_and_blend_within_a_quarter_of_a_cell():
    cells = torch.tensor([[True, False]])
    regions = (EstimatedRegion(estimate((PLAIN, 1.0)), cells), EstimatedRegion(estimate((BLURRED, 1.0)), ~cells))
    mixed = Estimate(degradation=PLAIN, confidence="high", regions=regions)
    tailor, lr = Tailor(steps=0, views=1), image(3, (24, 32))
    plain, blurred = (tailor.adapt(lr, d, RUN)(lr) for d in (PLAIN, BLURRED))
    result = adapt_to(tailor, lr, mixed, RUN)(lr)
    assert torch.equal(result[..., :27], plain[..., :27])  # the border is at column 32, cells are 32 wide
    assert torch.equal(result[..., 37:], blurred[..., 37:])
    assert not torch.equal(result[..., 30:34], plain[..., 30:34])
