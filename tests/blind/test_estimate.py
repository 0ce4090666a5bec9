"""Blind estimation: blur, noise and compression of an image, and images that show too little."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from helpers.images import scene
from helpers.methods import RUN, image
from innersr.blind import estimate as estimates
from innersr.blind.estimate import CONFIDENCES, Candidate, Estimate, examine
from innersr.errors import InputError
from innersr.images.io import read
from innersr.methods.baselines import Bicubic
from innersr.methods.mixture import adapt_to
from innersr.methods.registry import make_method
from innersr.metrics.fidelity import psnr_y
from innersr.metrics.grey_levels import quantized
from innersr.physics import kernels
from innersr.physics.chains import noise_field, softened, unsharp_filter
from innersr.physics.degradation import Degradation
from innersr.physics.jpeg import compressed, jpeg_strength
from innersr.physics.kernel_comparison import angle_between
from innersr.physics.named_degradations import parse_degradation

TOWERS = Path(__file__).parents[2] / "examples" / "towers.png"


def degraded(name, scale=2, hr=None):
    degradation = parse_degradation(name, scale, "scene")
    hr = scene() if hr is None else hr
    return quantized(degradation(hr.double(), RUN.generator())).float(), degradation


@pytest.mark.parametrize("name", ["random:1", "random:2", "ganid"])
def test_a_blur_is_found_with_its_orientation(name):
    lr, truth = degraded(name)
    estimate = examine(lr, 2, RUN)
    found, true = kernels.shape_of(estimate.degradation.kernel), kernels.shape_of(truth.kernel)
    assert math.log(found.long_variance / true.long_variance) == pytest.approx(0, abs=0.4)
    if true.long_variance > 2 * true.short_variance:
        assert angle_between(estimate.degradation.kernel, truth.kernel) < 15


def test_a_bicubic_image_is_restored_nearly_as_if_it_were_known_to_be_one():
    hr = scene()
    lr, truth = degraded("bicubic", hr=hr)
    estimate = examine(lr, 2, RUN)
    tailor = make_method("tailor", "draft")
    blind, known = (psnr_y(adapt_to(tailor, lr, cause, RUN)(lr), hr, 2) for cause in (estimate, truth))
    assert blind > known - 0.7
    assert blind > psnr_y(Bicubic(phase="aligned").adapt(lr, truth, RUN)(lr), hr, 2) + 6.4
    assert estimate.degradation.noise == 0
    assert estimate.jpeg_quality is None


def test_the_estimate_upscales_better_than_the_usual_guess():
    hr = scene()
    lr, truth = degraded("random:1", hr=hr)
    tailor = make_method("tailor", "draft")
    told = [examine(lr, 2, RUN).degradation, Degradation(scale=2), truth]
    auto, bicubic, true = (psnr_y(tailor.adapt(lr, d, RUN)(lr), hr, 2) for d in told)
    assert bicubic + 1 < auto <= true + 0.05


def test_noise_is_found():
    lr, truth = degraded("g2.0d")
    loud = (lr + 10 / 255 * torch.randn(lr.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    assert 255 * examine(loud, 2, RUN).degradation.noise == pytest.approx(10, abs=4)


@pytest.mark.parametrize("kind", ["white", "grey", "chroma"])
def test_noise_is_found_whatever_its_ratio_between_the_channels(kind):
    """Its standard deviation over all channels."""
    lr, _ = degraded("bicubic")
    field = noise_field(kind, lr.shape[1:], 0.7, torch.Generator().manual_seed(0))
    noisy = quantized((0.1 + 0.8 * lr + 12 / 255 * field).clamp(0, 1))
    assert 255 * examine(noisy, 2, RUN).degradation.noise == pytest.approx(
        14, abs=4
    )  # 12, of a scene whose own texture counts a little


def mixed(monkeypatch, *shares):
    """The estimate of an image for which the policy gives these shares, interpolation first."""
    monkeypatch.setattr(estimates, "_policy", lambda: lambda _features, _scales: torch.tensor([shares]))
    return examine(degraded("random:1")[0], 2, RUN)


def test_small_shares_are_left_out_and_given_to_the_others(monkeypatch):
    estimate = mixed(monkeypatch, 0.1, 0.2, 0.05, 0.6, 0.05)
    assert [share for _, share in estimate.candidates] == pytest.approx([0.75, 0.25])
    assert estimate.interpolated == 0
    assert [d.kernel is None for d, _ in estimate.candidates] == [False, True]


def test_interpolation_has_the_first_share(monkeypatch):
    estimate = mixed(monkeypatch, 0.6, 0.2, 0.0, 0.2, 0.0)
    assert estimate.interpolated == pytest.approx(0.6)
    assert estimate.confidence == "low"  # half of nothing is done
    assert mixed(monkeypatch, 0.3, 0.4, 0.0, 0.3, 0.0).confidence != "high"


@pytest.mark.parametrize(("interpolated", "confidence"), [(0.15, "high"), (0.3, "medium"), (0.6, "low")])
def test_confidence_falls_with_what_is_interpolated(monkeypatch, interpolated, confidence):
    certain = estimates.find(degraded("random:1")[0])._replace(deviations=torch.tensor([0.05, 0.05]))
    monkeypatch.setattr(estimates, "find", lambda _, **__: certain)
    assert mixed(monkeypatch, interpolated, 1 - interpolated, 0.0, 0.0, 0.0).confidence == confidence


@pytest.mark.parametrize(("levels", "shares", "given"), [(7, [0.4, 0.3], 7), (9, [0.6, 0.4], 11.8)])
def test_much_noise_is_not_kept_by_interpolation(monkeypatch, levels, shares, given):
    noisy = estimates.find(degraded("random:1")[0])._replace(noise=levels / 255)
    monkeypatch.setattr(estimates, "find", lambda _, **__: noisy)
    estimate = mixed(monkeypatch, 0.3, 0.4, 0.3, 0.0, 0.0)
    assert [share for _, share in estimate.candidates] == pytest.approx(shares)
    assert 255 * estimate.given.noise == pytest.approx(given)
    assert estimate.confidence != "high"


def test_the_shares_of_one_degradation_are_added_up():
    both = Estimate(degradation=FOUND, confidence="low").shared([(PLAIN, 0.2), (FOUND, 0.3), (PLAIN, 0.4)])
    assert [c.degradation for c in both.candidates] == [PLAIN, FOUND]
    assert [c.share for c in both.candidates] == pytest.approx([0.6, 0.3])


@pytest.mark.parametrize("is_sharpened", [True, False])
def test_an_estimate_is_of_sharpening_only_where_that_was_found(monkeypatch, is_sharpened):
    lr, _ = degraded("bicubic")
    found = estimates.find(lr)._replace(is_sharpened=is_sharpened, sharpening=0.4)
    monkeypatch.setattr(estimates, "find", lambda _, **__: found)
    degradation = examine(lr, 2, RUN).degradation
    is_negative = degradation.kernel is not None and kernels.shape_of(degradation.kernel).long_variance < 0
    assert is_negative is is_sharpened


def test_jpeg_compression_is_recognised():
    lr, _ = degraded("bicubic")
    estimate = examine(compressed(lr, 50), 2, RUN)
    assert estimate.jpeg_quality == pytest.approx(50, abs=20)
    assert estimate.degradation.compression == pytest.approx(jpeg_strength(50), abs=0.12)


def test_an_image_that_was_sharpened_is_not_sharpened_again():
    hr = read(TOWERS).colour[..., :212, :]
    lr, _ = degraded("bicubic", hr=hr)
    weights = unsharp_filter(1.0, 1.0).expand(3, 1, -1, -1)
    sharp = torch.nn.functional.conv2d(torch.nn.functional.pad(lr, (3,) * 4, mode="replicate"), weights, groups=3)
    sharp = quantized(sharp.clamp(0, 1))
    tailor = make_method("tailor", "draft")
    blind = psnr_y(adapt_to(tailor, sharp, examine(sharp, 2, RUN), RUN)(sharp), hr, 2)
    plain = psnr_y(tailor.adapt(sharp, Degradation(scale=2), RUN)(sharp), hr, 2)
    assert blind > plain + 1


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_soft_scene_is_not_sharpened(scale):
    hr = softened(scene(288), [float(scale)])  # one LR pixel
    lr, _ = degraded("bicubic", scale, hr)
    estimate = examine(lr, scale, RUN)
    tailor = make_method("tailor", "draft")
    restored, interpolated = (adapt_to(m, lr, estimate, RUN)(lr) for m in (tailor, Bicubic()))
    assert psnr_y(restored, hr, scale) > min(42, psnr_y(interpolated, hr, scale)) - 0.2


@pytest.mark.parametrize("scale", [1.5, 3, 4, (2, 3), (3, 2)])
def test_the_estimate_is_of_one_width_in_lr_pixels_along_both_axes(scale):
    lr, _ = degraded("random:1")
    estimate, at_two = (examine(lr, s, RUN).degradation for s in (scale, 2))
    assert estimate.scale == scale
    found, expected = (variances_in_lr_pixels(d) for d in (estimate, at_two))
    assert expected[0] > 1.5 * expected[1]  # so that the axes cannot be confused
    assert found == pytest.approx(expected, rel=0.05, abs=0.02)


def variances_in_lr_pixels(degradation):
    """Variances of a kernel, (vertical, horizontal)."""
    kernel = degradation.kernel.double()
    axes = (torch.arange(n) - (n - 1) / 2 for n in kernel.shape)
    return [
        float(kernel.sum(1 - i) @ axis.square()) / degradation.scales[i] ** 2
        for i, axis in enumerate(map(torch.Tensor.double, axes))
    ]


@pytest.mark.parametrize(
    "lr",
    [
        torch.full((1, 3, 64, 64), 0.4),
        torch.linspace(0, 1, 128).expand(1, 1, 128, 128),
        image(3, (8, 40)),
        torch.zeros(1, 1, 1, 1),
    ],
    ids=["flat", "slope", "narrow", "pixel"],
)
def test_a_featureless_image_gets_the_bicubic_default(lr):
    estimate = examine(lr, 2, RUN)
    assert estimate.confidence == "none"
    assert estimate.degradation.kernel is None
    assert estimate.degradation.noise == 0
    assert "cannot tell" in estimate.summary


@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_any_number_of_channels_is_examined(bands):
    lr, _ = degraded("g2.0d", hr=scene(128)[:, [0, 1, 2, 0, 1][:bands]])
    assert examine(lr, 2, RUN).confidence in CONFIDENCES[1:]


def test_the_same_image_gives_the_same_estimate():
    lr, _ = degraded("g2.0d")
    first, again = examine(lr, 2, RUN), examine(lr, 2, RUN)
    assert torch.equal(first.degradation.kernel, again.degradation.kernel)
    assert first.summary == again.summary


def test_an_estimate_is_one_line_of_text():
    kernel = kernels.gaussian(4.0, 1.0, math.radians(35))
    estimate = Estimate(
        degradation=Degradation(scale=2, kernel=kernel, noise=2.1 / 255), confidence="high", jpeg_quality=60
    )
    assert estimate.summary == "blur: 2.0x1.0 px at 35 deg, noise 2.1/255, JPEG quality about 60, confidence high"
    round_ = Estimate(degradation=Degradation(scale=2, kernel=kernels.gaussian(4.05, 4.0, 0.3)), confidence="low")
    assert round_.summary == "blur: 2.0x2.0 px, noise 0.0/255, confidence low"
    faint = Estimate(degradation=Degradation(scale=2, kernel=kernels.gaussian(0.05)), confidence="medium")
    assert "blur: hardly any, noise" in faint.summary
    plain = Estimate(degradation=Degradation(scale=2), confidence="medium")
    assert plain.summary == "blur: none beyond shrinking, noise 0.0/255, confidence medium"


FOUND = Degradation(scale=2, kernel=kernels.gaussian(4.0, 1.0, 0.5), noise=0.02)
PLAIN = Degradation(scale=2, noise=0.02)
MIXED = Estimate(degradation=FOUND, confidence="medium", mixture=(Candidate(PLAIN, 0.5), Candidate(FOUND, 0.3)))


def shares(estimate):
    """(share of FOUND's kernel, share of all others)."""
    sharp = sum(c.share for c in estimate.candidates if c.degradation.kernel is not None)
    return sharp, sum(c.share for c in estimate.candidates) - sharp


def test_an_estimate_without_candidates_is_believed():
    estimate = Estimate(degradation=FOUND, confidence="high")
    assert estimate.given is FOUND
    assert estimate.interpolated == 0


def test_the_largest_share_is_given_and_the_rest_interpolated():
    assert MIXED.given is PLAIN
    assert MIXED.interpolated == pytest.approx(0.2)
    assert "20 % interpolated" in MIXED.summary
    believed = MIXED.believed()
    assert believed.given is FOUND
    assert believed.interpolated == 0
    assert "interpolated" not in believed.summary


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(0, (0, 0.8)), (0.25, (0.15, 0.65)), (0.5, (0.3, 0.5)), (0.75, (0.65, 0.25)), (1, (1, 0))],
)
def test_deblur_moves_shares_to_what_was_found_and_away_from_it(amount, expected):
    assert shares(MIXED.deblurred(amount)) == pytest.approx(expected)


def test_deblur_of_0_removes_no_blur_by_any_candidate():
    sharper = replace(FOUND, kernel=kernels.gaussian(0.5))
    both = replace(MIXED, mixture=(Candidate(sharper, 0.5), Candidate(FOUND, 0.3)))
    assert shares(both.deblurred(0)) == pytest.approx((0, 0.8))
    assert shares(both.deblurred(0.25)) == pytest.approx((0.4, 0.4))
    assert both.deblurred(1).candidates == (Candidate(FOUND, 1.0),)


@pytest.mark.parametrize("amount", [0, 0.3])
def test_an_image_that_is_only_interpolated_stays_so_with_less_deblurring(amount):
    hopeless = replace(MIXED, mixture=(Candidate(FOUND, 0.0),)).deblurred(amount)
    assert hopeless.interpolated == 1
    assert shares(hopeless) == (0, 0)


def test_deblur_moves_shares_to_the_candidate_that_is_plain_already():
    cautious = replace(PLAIN, compression=0.1)
    mixed = replace(MIXED, mixture=(Candidate(FOUND, 0.4), Candidate(PLAIN, 0.35), Candidate(cautious, 0.25)))
    found = {c.degradation: c.share for c in mixed.deblurred(0.2).candidates}
    assert found == {PLAIN: pytest.approx(0.59), cautious: 0.25, FOUND: pytest.approx(0.16)}


def test_deblur_outside_its_range_is_refused():
    with pytest.raises(InputError, match="deblur is from 0 to 1, got 1.5"):
        MIXED.deblurred(1.5)


def test_what_is_known_replaces_what_was_found_in_all_candidates():
    known = MIXED.with_given(noise=0.1, wrap="x")
    assert {(c.degradation.noise, c.degradation.wrap) for c in known.candidates} == {(0.1, "x")}
    assert (known.degradation.noise, known.degradation.wrap) == (0.1, "x")
    assert [c.share for c in known.candidates] == [0.5, 0.3]
    assert torch.equal(known.candidates[1].degradation.kernel, FOUND.kernel)


def test_the_former_name_of_the_given_degradation_is_deprecated():
    estimate = Estimate(degradation=Degradation(scale=2), confidence="high")
    with pytest.warns(DeprecationWarning, match=r"Estimate\.given"):
        assert estimate.told is estimate.given


def test_two_images_at_once_are_refused():
    with pytest.raises(InputError, match="one image"):
        examine(torch.zeros(2, 3, 32, 32), 2, RUN)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.rand(1, 1, 32, 32) * 3000, r"values in \[0, 1\], got .* to (2|3)\d\d\d.*; divide them by their white"),
        (torch.linspace(-2, -1, 1024).reshape(1, 1, 32, 32), r"values in \[0, 1\], got -2 to"),
        (torch.zeros(1, 1, 32, 32, dtype=torch.uint8), r"floating point in \[0, 1\], got torch.uint8"),
        (torch.full((1, 1, 32, 32), math.nan), "NaN or infinite"),
        (torch.zeros(1, 1, 0, 32), "not empty"),
    ],
)
def test_what_is_no_image_in_the_unit_range_is_refused(x, words):
    with pytest.raises(InputError, match=words):
        examine(x, 2, RUN)


def test_no_blur_is_removed_from_measured_values_where_it_is_uncertain():
    """Their fine levels show that they are no edited picture; `--deblur 1` still removes what was found."""
    mixture = (Candidate(PLAIN, 0.5), Candidate(FOUND, 0.3))
    found = Estimate(degradation=FOUND, confidence="low", mixture=mixture)
    careful = found.never_compressed()
    assert all(degradation.kernel is None for degradation, _ in careful.candidates)
    assert careful.interpolated == pytest.approx(0.2)
    assert torch.equal(careful.deblurred(1.0).given.kernel, FOUND.kernel)
    certain = replace(found, confidence="medium").never_compressed()
    assert [degradation.kernel is None for degradation, _ in certain.candidates] == [True, False]


def test_an_image_that_was_never_compressed_is_not_smoothed_to_be_safe():
    quiet = replace(PLAIN, noise=0.0)
    careful, blurred = replace(quiet, noise=2 / 255, compression=0.1), replace(FOUND, noise=0.0)
    found = Estimate(
        degradation=quiet,
        confidence="medium",
        jpeg_quality=80,
        mixture=(Candidate(careful, 0.5), Candidate(blurred, 0.2), Candidate(quiet, 0.1)),
    )
    clean = found.never_compressed()
    assert clean.jpeg_quality is None
    assert [(d.kernel is None, d.noise, d.compression, share) for d, share in clean.candidates] == [
        (True, 0.0, 0.0, pytest.approx(0.6)),
        (False, 0.0, 0.0, 0.2),
    ]
    assert clean.interpolated == pytest.approx(found.interpolated)
    noisy = replace(found, degradation=replace(PLAIN, noise=0.02, compression=0.3)).never_compressed()
    assert [d.noise for d, _ in noisy.candidates][0] == careful.noise
    assert {d.compression for d, _ in noisy.candidates} == {0.0}
