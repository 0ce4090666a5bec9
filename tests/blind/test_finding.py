"""What the predictor finds: the parts it looks at, and its answers combined."""

import math
from pathlib import Path

import pytest
import torch

from helpers.methods import edges, image
from innersr.blind.finding import combine, detailed_parts, find
from innersr.images.io import read
from innersr.networks.degradation_predictor import LEAST_SHARPENING, NOISE_OFFSET, Prediction
from innersr.physics import kernels
from innersr.physics.chains import noise_field
from innersr.physics.degradation import Degradation
from innersr.physics.pseudoinverse import RADIUS


def prediction(**others):
    """Predictions for two parts of an image."""
    rows = {name: torch.zeros(2) for name in Prediction._fields}
    rows |= {name: torch.ones(2) for name in Prediction._fields if name.endswith("_deviation")}
    rows |= {"logs": torch.zeros(2, 2, 3), "deviations": torch.ones(2, 2, 2), "features": torch.zeros(2, 64)}
    return Prediction(**rows | others)


def test_the_detailed_parts_of_a_large_image_are_examined():
    lr = torch.zeros(1, 3, 600, 1100)
    lr[..., 300:, 700:] = edges(600)[..., :300, :400]
    parts = detailed_parts(lr)
    assert 1 <= len(parts) <= 6
    assert parts.shape[1:] == (3, 256 + 2 * RADIUS, 256 + 2 * RADIUS)
    assert float(parts[0].std()) > 0.1


def test_a_small_image_is_examined_whole():
    assert detailed_parts(image(3, (40, 300))).shape == (1, 3, 40 + 2 * RADIUS, 300 + 2 * RADIUS)


def test_certain_parts_count_more():
    logs, deviations = torch.zeros(2, 2, 3), torch.ones(2, 2, 2)
    logs[0], deviations[1] = 1.0, 0.5
    found = combine(prediction(logs=logs, deviations=deviations))
    assert found.log.tolist() == pytest.approx([0.2] * 3)
    assert found.deviations.tolist() == pytest.approx([0.6] * 2)


def test_shapes_are_weighted_by_the_certainty_of_shapes():
    logs, deviations = torch.zeros(2, 2, 3), torch.ones(2, 2, 2)
    logs[0], deviations[1, :, 0], deviations[0, :, 1] = 1.0, 0.5, 0.5  # the size of the second, the shape of the first
    assert combine(prediction(logs=logs, deviations=deviations)).log.tolist() == pytest.approx([0.2, 0.8, 0.8])


@pytest.mark.parametrize("is_bicubic", [False, True])
def test_the_blur_is_that_for_the_more_probable_subsampling(is_bicubic):
    logs, logit = torch.zeros(2, 2, 3), 1.0 if is_bicubic else -1.0
    logs[:, 1] = 2.0
    found = combine(prediction(logs=logs, bicubic=torch.tensor([3 * logit, -logit])))
    assert found.is_bicubic is is_bicubic
    assert found.log.tolist() == [2.0 * is_bicubic] * 3


@pytest.mark.parametrize(("levels", "expected"), [(0.6, 0.0), (5.0, 5.0)])
def test_faint_noise_is_that_of_rounding(levels, expected):
    found = combine(prediction(noise=torch.tensor([levels + NOISE_OFFSET] * 2).log()))
    assert 255 * found.noise == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", ["white", "correlated", "grey", "chroma"])
def test_every_kind_of_noise_is_found(kind):
    photograph = read(Path(__file__).parents[2] / "examples" / "towers.png").colour
    noise = noise_field(kind, photograph.shape[1:], 0.6, torch.Generator().manual_seed(0))
    found = find((photograph + 10 / 255 * noise).clamp(0, 1))
    assert 255 * found.noise == pytest.approx(10, abs=4)
    assert find(photograph).noise == 0


def test_compression_and_sharpening_count_only_where_they_are_probable():
    sharpening = torch.tensor([0.5 + LEAST_SHARPENING] * 2).log()
    levels = {"compression": torch.tensor([0.3, 0.5]), "sharpening": sharpening}
    unlikely = combine(prediction(compressed=torch.tensor([-2.0, 1.0]), sharpened=torch.tensor([-1.0, -1.0]), **levels))
    assert (unlikely.compression, unlikely.is_sharpened) == (0, False)
    likely = combine(prediction(compressed=torch.tensor([2.0, -1.0]), sharpened=torch.tensor([1.0, 1.0]), **levels))
    assert likely.compression == pytest.approx(0.4)
    assert likely.is_sharpened
    assert likely.sharpening == pytest.approx(0.5, abs=1e-5)


def test_a_thorough_look_believes_in_the_blur():
    logs, believed = torch.zeros(2, 2, 3), torch.full((2, 3), 0.5)
    found = combine(
        prediction(logs=logs, believed_logs=believed, believed_deviations=torch.full((2, 2), 0.3)).believed()
    )
    assert found.log.tolist() == pytest.approx([0.5] * 3)
    assert found.deviations.tolist() == pytest.approx([0.3] * 2)


def test_features_are_in_the_order_that_the_policy_has_learnt():
    """The network's features, blurs, logarithms of deviations, then the other answers; the mean of the parts."""
    names = ("bicubic", "first_noise", "compressed", "compression", "sharpened", "sharpening", "soft")
    others = {name: torch.full((2,), 0.1 * i) for i, name in enumerate(names)}
    blurs = torch.arange(6.0).reshape(1, 2, 3).expand(2, -1, -1) / 10
    deviations = torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 2, 2).expand(2, -1, -1)
    certain = {"first_noise_deviation": torch.full((2,), 5.0), "compression_deviation": torch.full((2,), 6.0)}
    features = torch.stack([torch.full((64,), 3.0), torch.full((64,), -1.0)])
    given = prediction(logs=blurs, deviations=deviations, features=features, **others, **certain)
    expected = [(math.asinh(3) - math.asinh(1)) / 2] * 64 + [i / 10 for i in range(6)]
    expected += [math.log(i) for i in (1, 2, 3, 4, 5, 6)] + [0.1 * i for i in range(7)]
    assert combine(given).features.tolist() == pytest.approx(expected, abs=1e-6)


def test_features_are_of_limited_size():
    found = combine(prediction(features=torch.full((2, 64), 1e6), first_noise=torch.tensor([99.0, 99.0])))
    assert found.features.shape == (83,)
    assert float(found.features.abs().max()) < 15


def test_a_thorough_look_finds_the_same_blur_in_a_mirrored_and_in_a_transposed_image():
    lr = Degradation(scale=2, kernel=kernels.gaussian(6.0, 1.0, 0.6), subsampling="direct").forward(edges(96))
    found = find(lr, is_thorough=True)
    for other, signs in ((lr.flip(-1), (1, 1, -1)), (lr.mT, (1, -1, 1)), (lr.mT.flip(-1), (1, -1, -1))):
        again = find(other.contiguous(), is_thorough=True)
        assert again.log.tolist() == pytest.approx(
            [a * b for a, b in zip(found.log.tolist(), signs, strict=True)], abs=0.02
        )
    assert abs(float(found.log[2])) > 0.1
    quick = find(lr)
    assert quick.log.tolist() != found.log.tolist()
