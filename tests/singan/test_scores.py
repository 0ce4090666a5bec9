import dataclasses
import json
import math

import pytest
import torch

from helpers.singan import RUN, picture
from innersr.errors import InputError
from innersr.metrics.energies import gradient_energies, oblique_energy
from innersr.metrics.feature_distance import FeatureNetwork, feature_distances
from innersr.metrics.patch_distance import patch_distance
from innersr.metrics.sifid import STEM, InceptionStem, sifid
from innersr.singan.scores import diversity, rmse, scores_of


def real(channels=3):
    return (picture(channels, (30, 36)) + 1) / 2


def samples(count=3, channels=3, sides=(30, 36)):
    return (torch.cat([picture(channels, sides, seed=k) for k in range(count)]) + 1) / 2


def stem():
    """Random weights; of the right size for features of about 1."""
    generator = torch.Generator().manual_seed(1)
    layers = tuple(
        (torch.randn(shape, generator=generator) / math.prod(shape[1:]) ** 0.5, torch.zeros(shape[0]))
        for _, shape, *_ in STEM
    )
    return InceptionStem(layers, "random")


def blocks():
    """A judge of random weights, with features after its two convolutions."""
    generator = torch.Generator().manual_seed(2)
    layers = [torch.nn.Conv2d(width, 4, 3, stride=2) for width in (3, 4)]
    for layer in layers:
        layer.weight.data = torch.randn(layer.weight.shape, generator=generator) / 5
    return FeatureNetwork(torch.nn.Identity(), tuple(layers), "random", measured=(0, 1), judge=1)


def test_the_picture_itself_scores_0_throughout():
    x = real()
    scores = scores_of(x.expand(2, -1, -1, -1), x, reconstruction=x, judge=blocks(), weights=stem())
    assert (scores.patch_distance, scores.diversity, scores.reconstruction_rmse) == (0, 0, 0)
    assert scores.sifid == pytest.approx(0, abs=1e-6)
    assert scores.feature_distance == pytest.approx(0, abs=1e-6)
    assert (scores.border_energy, scores.interior_energy, scores.oblique_energy) == pytest.approx((1, 1, 1))


def test_distances_are_means_over_the_samples():
    made, x = samples(), real()
    scores = scores_of(made, x, weights=stem(), layer="before-first-pool")
    parts = made.split(1)
    assert scores.patch_distance == pytest.approx(sum(patch_distance(part, x) for part in parts) / 3, rel=1e-9)
    expected = sum(sifid(part, x, stem(), "before-first-pool") for part in parts) / 3
    assert scores.sifid == pytest.approx(expected, rel=1e-9)


def test_the_judges_distance_is_given_by_block_and_by_sample():
    made, x = samples(), real()
    scores = scores_of(made, x, judge=blocks())
    expected = feature_distances(made, x, blocks())
    assert scores.feature_distances == pytest.approx({f"block {n}": float(expected[n].mean()) for n in (0, 1)})
    assert scores.feature_distance_of_each == pytest.approx(expected[1].tolist())
    assert scores.feature_distance == pytest.approx(float(expected[1].mean()))
    assert scores.feature_network == "block 1 of random"


def test_energies_are_those_of_the_samples_in_units_of_the_pictures():
    made, x = 0.5 + 0.4 * (samples() - 0.5), real()
    scores = scores_of(made, x)
    for found, own, wanted in zip(
        (scores.border_energy, scores.interior_energy, scores.oblique_energy),
        (*gradient_energies(x), oblique_energy(x)),
        (*gradient_energies(made), oblique_energy(made)),
        strict=True,
    ):
        assert found == pytest.approx(float(wanted.mean() / own))
        assert 0.16 * 0.5 < found < 0.16 * 2  # pictures of one kind at 0.4 of the contrast


def test_diversity_is_the_deviation_over_samples_in_units_of_the_pictures():
    # Half of the values are 0.25, half 0.75: a deviation of 0.25 but for N - 1.
    x = torch.tensor([0.25, 0.75]).repeat(18).view(1, 1, 6, 6)
    own = 0.25 * math.sqrt(36 / 35)
    # Two samples 0.2 apart in one half of the pixels and equal in the other: deviations 0.2 / sqrt(2) and 0.
    pair = torch.full((2, 1, 6, 6), 0.5)
    pair[0, :, :3] += 0.1
    pair[1, :, :3] -= 0.1
    assert diversity(pair, x) == pytest.approx(0.5 * 0.2 / math.sqrt(2) / own, rel=1e-6)


def test_independent_noise_like_the_picture_has_a_diversity_of_1():
    generator = torch.Generator().manual_seed(2)
    made, x = torch.rand(20, 3, 30, 36, generator=generator), torch.rand(1, 3, 30, 36, generator=generator)
    # 3240 values: known to 1%. The deviation of 20 samples is 1% less in the mean.
    assert diversity(made, x) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("made", "x"), [(samples(1), real()), (samples(2), torch.full((1, 3, 30, 36), 0.5))], ids=["one", "flat"]
)
def test_a_single_sample_and_a_flat_picture_have_no_diversity(made, x):
    assert scores_of(made, x).diversity is None


def test_a_flat_picture_has_no_energy_to_compare_with():
    scores = scores_of(samples(), torch.full((1, 3, 30, 36), 0.5))
    assert (scores.border_energy, scores.interior_energy, scores.oblique_energy) == (None, None, None)


def test_the_error_of_the_reconstruction_is_in_grey_levels():
    x = real() * 0.9
    scores = scores_of(samples(), x, reconstruction=x + 5 / 255)
    assert scores.reconstruction_rmse == pytest.approx(5, rel=1e-4)
    assert rmse(x, x - 2 / 255) == pytest.approx(2, rel=1e-4)


def test_samples_may_have_another_size_and_any_number_of_bands():
    scores = scores_of(samples(2, channels=5, sides=(28, 50)), real(channels=5))
    assert (scores.size, scores.real_size, scores.samples) == ((28, 50), (30, 36), 2)
    assert scores.patch_distance > 0


def test_what_was_not_asked_for_is_none():
    scores = scores_of(samples(), real())
    left_out = (
        scores.feature_distance,
        scores.feature_distances,
        scores.feature_distance_of_each,
        scores.feature_network,
        scores.reconstruction_rmse,
        scores.sifid,
        scores.sifid_layer,
        scores.sifid_pairing,
        scores.sifid_weights,
    )
    assert left_out == (None,) * 9


def test_the_record_is_plain_json_and_says_how_it_was_made():
    record = scores_of(samples(), real(), judge=blocks(), weights=stem(), layer="before-first-pool").record()
    assert json.loads(json.dumps(record)) == record
    assert record["sifid_layer"] == "before-first-pool"
    assert record["sifid_pairing"] == "each sample with the picture, mean"
    assert record["sifid_weights"] == "random"
    assert record["patch_settings"] == "patches of 7x7, 3 scales, 64 projections, seed 0"


def test_scoring_reports_every_sample():
    reports = []
    scores_of(samples(), real(), run=dataclasses.replace(RUN, report=reports.append))
    assert (reports[-1].stage, reports[-1].done, reports[-1].total) == ("score", 3, 3)


@pytest.mark.parametrize(
    ("made", "x", "reconstruction", "message"),
    [
        (samples() * 2 - 1, real(), None, r"values in \[0, 1\], a sample has them from -.*give \(x \+ 1\) / 2"),
        (samples(), real() * 255, None, "the picture has them from"),
        (samples(channels=1), real(), None, "a sample has 1 bands, the picture 3"),
        (samples(), samples(2), None, "one picture, got 2"),
        (samples(), real(), samples(1, sides=(30, 40)), "the reconstruction has 40x30 pixels, the picture 36x30"),
        (samples(sides=(20, 36)), real(), None, "shorter than a patch"),
    ],
)
def test_pictures_that_cannot_be_scored_are_refused(made, x, reconstruction, message):
    with pytest.raises(InputError, match=message):
        scores_of(made, x, reconstruction=reconstruction)
