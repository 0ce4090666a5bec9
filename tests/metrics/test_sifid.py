import math
import shlex
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from scipy.linalg import sqrtm

from innersr.errors import CheckpointError, InputError
from innersr.metrics.sifid import (
    CONVERT,
    STEM,
    InceptionStem,
    _shapes,
    frechet_distance,
    gaussian_of,
    load_stem,
    sifid,
    stem_of,
)

SINGLE = 1e-4  # relative, of float32 features: sums of up to 720 products, five times over
SIDES = (75, 90)
LAYERS = {"before-second-pool": 192, "before-first-pool": 64}


def tensors(seed=1):
    """Random weights that keep features at a size of about 1."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, shape in _shapes().items():
        noise = torch.randn(shape, generator=generator)
        if name.endswith("conv.weight"):
            drawn[name] = noise / math.prod(shape[1:]) ** 0.5
        elif name.endswith(("running_var", "bn.weight")):
            drawn[name] = 1 + 0.3 * noise.abs()
        elif name.endswith("bn.bias"):
            drawn[name] = 0.8 + 0.2 * noise  # so that most features are not 0 everywhere
        else:
            drawn[name] = 0.2 * noise
    return drawn


def stem():
    return stem_of(tensors(), "random.safetensors")


def image(seed, channels=3, sides=SIDES, count=1):
    return torch.rand(count, channels, *sides, generator=torch.Generator().manual_seed(seed))


def features_step_by_step(x, layer):
    """The stem as torchvision writes it: convolution, batch norm in evaluation, ReLU; a pool after the third."""
    weights, x = tensors(), 2 * x.double() - 1
    count = 3 if layer == "before-first-pool" else 5
    for name, _, stride, padding in STEM[:count]:
        if name == "Conv2d_3b_1x1":
            x = F.max_pool2d(x, kernel_size=3, stride=2)
        x = F.conv2d(x, weights[f"{name}.conv.weight"].double(), stride=stride, padding=padding)
        norm = [weights[f"{name}.bn.{part}"].double() for part in ("running_mean", "running_var", "weight", "bias")]
        x = F.relu(F.batch_norm(x, *norm, training=False, eps=1e-3))
    return x


def direct_distance(a, b):
    """The Frechet distance as it is published, with scipy's matrix square root."""
    a, b = (x[0].flatten(1).numpy() for x in (a, b))
    covariance_a, covariance_b = np.cov(a), np.cov(b)
    root = sqrtm(covariance_a @ covariance_b).real
    return ((a.mean(1) - b.mean(1)) ** 2).sum() + np.trace(covariance_a + covariance_b - 2 * root)


@pytest.mark.parametrize("layer", LAYERS)
def test_features_are_those_of_convolution_norm_and_relu(layer):
    x = image(2)
    expected = features_step_by_step(x, layer)
    features = stem().features(x, layer)
    assert features.shape[1] == LAYERS[layer]
    assert torch.allclose(features.double(), expected, rtol=SINGLE, atol=SINGLE)


def test_the_layers_are_as_large_as_inception_has_them():
    x = torch.zeros(1, 3, 299, 299)
    # torchvision's comments: 147 x 147 x 64 before the first pool, 71 x 71 x 192 before the second.
    assert stem().features(x, "before-first-pool").shape == (1, 64, 147, 147)
    assert stem().features(x, "before-second-pool").shape == (1, 192, 71, 71)


@pytest.mark.filterwarnings("ignore:Matrix is singular")  # some of the features are 0 everywhere
@pytest.mark.parametrize("layer", LAYERS)
def test_sifid_is_the_frechet_distance_computed_directly(layer):
    a, b = image(2, sides=(120, 150)), image(3, sides=(120, 150)).square()
    expected = direct_distance(features_step_by_step(a, layer), features_step_by_step(b, layer))
    assert sifid(a, b, stem(), layer) == pytest.approx(expected, rel=1e-3)  # a small difference of large numbers
    assert expected > 0.01


def test_the_layer_of_the_paper_is_the_default():
    a, b = image(2), image(3)
    assert sifid(a, b, stem()) == sifid(a, b, stem(), "before-second-pool") != sifid(a, b, stem(), "before-first-pool")


@pytest.mark.parametrize("sides", [SIDES, (30, 24)])
def test_an_image_is_at_no_distance_from_itself(sides):
    # The smaller one has 4x3 places and 192 features: a covariance of rank 11.
    x = image(2, sides=sides)
    assert sifid(x, x.clone(), stem()) == pytest.approx(0, abs=1e-6)


def test_sifid_is_symmetric_and_takes_images_of_different_sizes():
    a, b = image(2), image(3, sides=(80, 71))
    assert sifid(a, b, stem()) == pytest.approx(sifid(b, a, stem()), rel=1e-9)


def test_frechet_distance_of_commuting_gaussians_has_a_closed_form():
    mean, zero = torch.tensor([1.0, 2.0, 2.0], dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    a, b = torch.tensor([4.0, 1.0, 0.0]).double(), torch.tensor([1.0, 9.0, 0.25]).double()
    # |m|^2 = 9 and (2 - 1)^2 + (1 - 3)^2 + (0 - 0.5)^2 = 5.25
    assert frechet_distance(mean, a.diag(), zero, b.diag()) == pytest.approx(14.25, abs=1e-9)


def test_frechet_distance_of_singular_gaussians_is_finite_and_right():
    # Two lines in space at 60 degrees: Tr sqrt(C C') is the cosine for unit variances, so 2 - 2 * 0.5.
    u, v = torch.tensor([1.0, 0, 0]).double(), torch.tensor([0.5, 0.75**0.5, 0]).double()
    zero = torch.zeros(3, dtype=torch.float64)
    assert frechet_distance(zero, u.outer(u), zero, v.outer(v)) == pytest.approx(1, abs=1e-6)


def test_gaussian_of_features_is_numpys():
    x = image(2, channels=4)[0]
    mean, covariance = gaussian_of(x)
    assert np.allclose(mean, x.double().flatten(1).numpy().mean(1), atol=1e-12)
    assert np.allclose(covariance, np.cov(x.double().flatten(1).numpy()), atol=1e-12)


def test_grey_is_three_equal_channels():
    grey, other = image(2, channels=1), image(3)
    assert sifid(grey, other, stem()) == sifid(grey.expand(-1, 3, -1, -1), other, stem())


def test_images_are_paired_in_order_and_the_mean_taken():
    fakes, reals = image(2, count=2), image(4, count=2).square()
    each = [sifid(fakes[i : i + 1], reals[i : i + 1], stem()) for i in range(2)]
    assert sifid(fakes, reals, stem()) == pytest.approx(sum(each) / 2, rel=1e-9)


def test_one_real_image_is_compared_with_every_fake():
    fakes, real = image(2, count=2), image(4)
    each = [sifid(fakes[i : i + 1], real, stem()) for i in range(2)]
    assert sifid(fakes, real, stem()) == pytest.approx(sum(each) / 2, rel=1e-9)


@pytest.mark.parametrize(
    ("fake", "real", "layer", "message"),
    [
        (image(1, channels=4), image(2), "before-first-pool", "1 or 3 channels, got 4"),
        (image(1), image(2, channels=2), "before-first-pool", "1 or 3 channels, got 2"),
        (image(1), image(2), "pool3", "one of before-second-pool, before-first-pool, got 'pool3'"),
        (image(1, sides=(22, 40)), image(2), "before-second-pool", "23x23 pixels at least, got 40x22"),
        (image(1, sides=(9, 8)), image(2), "before-first-pool", "9x9 pixels at least, got 8x9"),
        (image(1, count=3), image(2, count=2), "before-first-pool", "3 images cannot be paired with 2"),
    ],
)
def test_images_that_sifid_cannot_compare_are_refused(fake, real, layer, message):
    with pytest.raises(InputError, match=message):
        sifid(fake, real, stem(), layer)


@pytest.mark.parametrize(("layer", "least"), [("before-second-pool", 23), ("before-first-pool", 9)])
def test_the_smallest_image_has_two_by_two_places(layer, least):
    assert stem().features(image(1, sides=(least, least)), layer).shape[-2:] == (2, 2)
    assert min(stem().features(image(1, sides=(least - 1, least)), layer).shape[-2:]) == 1


def test_other_tensors_in_the_file_are_ignored(tmp_path):
    path = tmp_path / "inception.safetensors"
    save_file(tensors() | {"fc.weight": torch.zeros(5, 5), "Mixed_5b.branch1x1.conv.weight": torch.ones(3)}, path)
    loaded = load_stem(path)
    assert sifid(image(2), image(3), loaded) == sifid(image(2), image(3), stem())
    assert loaded.name.startswith("inception.safetensors, SHA-256 of the stem ")


def test_the_name_distinguishes_weights():
    def digest(seed):
        return stem_of(tensors(seed), "x").name

    assert digest(1) == digest(1) != digest(2)


def test_missing_tensors_are_named(tmp_path):
    path = tmp_path / "inception.safetensors"
    lacking = ("Conv2d_2a_3x3.bn.running_var", "Conv2d_4a_3x3.conv.weight")
    save_file({name: tensor for name, tensor in tensors().items() if name not in lacking}, path)
    with pytest.raises(CheckpointError, match="lacks Conv2d_2a_3x3.bn.running_var, Conv2d_4a_3x3.conv.weight; give"):
        load_stem(path)


def test_weights_of_another_shape_or_not_finite_are_refused():
    with pytest.raises(CheckpointError, match=r"x: Conv2d_1a_3x3.bn.bias has the shape \(3,\), not \(32,\)"):
        stem_of(tensors() | {"Conv2d_1a_3x3.bn.bias": torch.zeros(3)}, "x")
    with pytest.raises(CheckpointError, match="Conv2d_1a_3x3.bn.bias has NaN"):
        stem_of(tensors() | {"Conv2d_1a_3x3.bn.bias": torch.full((32,), torch.nan)}, "x")


def test_a_missing_or_damaged_file_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        load_stem(tmp_path / "nothing.safetensors")
    path = tmp_path / "inception.safetensors"
    path.write_bytes(b"\x08\x00")
    with pytest.raises(CheckpointError, match="is not a safetensors file, or damaged; get the file again"):
        load_stem(path)


def test_the_error_for_a_file_of_torch_says_how_to_convert_it_and_that_works(tmp_path, monkeypatch):
    path = tmp_path / "inception v3.pth"
    torch.save(tensors(), path)
    with pytest.raises(CheckpointError, match="if torch wrote it, convert it with: ") as error:
        load_stem(path)
    python, flag, code, *arguments = shlex.split(str(error.value).split("convert it with: ")[1])
    assert (python, flag, code) == ("python", "-c", CONVERT)
    monkeypatch.setattr(sys, "argv", ["-c", *arguments])
    exec(code, {})
    assert isinstance(load_stem(tmp_path / "inception v3.safetensors"), InceptionStem)


def test_tensors_of_another_shape_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("innersr.metrics.sifid.stem_of", pytest.fail)  # what is read goes there
    name = "Conv2d_1a_3x3.conv.weight"
    save_file(tensors() | {name: torch.zeros(9)}, tmp_path / "large.safetensors")
    with pytest.raises(CheckpointError, match=r"large\.safetensors: Conv2d_1a_3x3\.conv\.weight has the shape \(9,\)"):
        load_stem(tmp_path / "large.safetensors")
