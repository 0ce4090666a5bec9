"""SIFID: distance between the features of two images in a network that the user provides.

The distance of Shaham 2019, section 4: that of Heusel 2017 (FID) between the features at all places of one image and
those of another, taken early in Inception-v3, where they still are about texture. The weights do not come with
innersr. A number means nothing without them and the layer: they belong beside it.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor

from innersr.errors import CheckpointError, InputError
from innersr.isolation import isolated
from innersr.metrics.grey_levels import check_image

# Of each convolution of Szegedy 2016 as torchvision has it: name, shape, stride and padding.
STEM = (
    ("Conv2d_1a_3x3", (32, 3, 3, 3), 2, 0),
    ("Conv2d_2a_3x3", (32, 32, 3, 3), 1, 0),
    ("Conv2d_2b_3x3", (64, 32, 3, 3), 1, 1),
    ("Conv2d_3b_1x1", (80, 64, 1, 1), 1, 0),
    ("Conv2d_4a_3x3", (192, 80, 3, 3), 1, 0),
)

CONVERT = (
    "import sys, torch, safetensors.torch as s; "
    "s.save_file({k: v.clone() for k, v in torch.load(sys.argv[1], weights_only=True).items()}, sys.argv[2])"
)

LAYERS: Mapping[str, tuple[int, int]] = {"before-second-pool": (5, 23), "before-first-pool": (3, 9)}
"""Of each layer: how many convolutions come first, and the shortest image side that leaves 2x2 places."""

DEFAULT_LAYER = "before-second-pool"


@dataclass(frozen=True, eq=False)
class InceptionStem:
    """The first convolutions of Inception-v3, their normalisation in the weights, float32 on the CPU."""

    layers: tuple[tuple[Tensor, Tensor], ...]  # weight and bias of every convolution in `STEM`
    name: str  # of the file, and the first digits of the SHA-256 of the tensors that are used

    @torch.no_grad()
    def features(self, image: Tensor, layer: str = DEFAULT_LAYER) -> Tensor:
        """Features (N, 192 or 64, h, w) of an image (N, 1 or 3, H, W) in [0, 1] at one of LAYERS; it is not resized."""
        count, _ = LAYERS[layer]
        x = 2 * image.detach().to("cpu", torch.float32).expand(-1, 3, -1, -1) - 1
        for number, ((weight, bias), (*_, stride, padding)) in enumerate(zip(self.layers[:count], STEM, strict=False)):
            if number == 3:  # where the network pools first
                x = F.max_pool2d(x, 3, stride=2)
            x = F.relu_(F.conv2d(x, weight, bias, stride=stride, padding=padding))
        return x


@isolated
def sifid(fake: Tensor, real: Tensor, weights: InceptionStem, layer: str = DEFAULT_LAYER) -> float:
    """Single-image Frechet inception distance (Shaham 2019, sec. 4), 0 for equal features; the mean over N.

    |m - m'|^2 + Tr(C + C' - 2 (C C')^(1/2)) with means and covariances over all places of each feature map. An image of
    fewer than 71x71 pixels has fewer places than the default layer has features; its distances are rough.

    # Differs from the reference code: at the layer that the paper names, where that takes the one before the first
    # pool; values are brought into [-1, 1] once, where that divides PNG files by 255 twice; i is compared with i.

    Args:
        fake: (N, 1 or 3, H, W) in [0, 1].
        real: (N or 1, 1 or 3, h, w); a single one is compared with every fake.
        weights: of the network, see `load_stem`.
        layer: "before-second-pool", 192 features, or "before-first-pool", 64: what the official code computes.

    Raises:
        InputError: an unknown layer, other than 1 or 3 channels, too small an image, or images that do not pair up.
    """
    if layer not in LAYERS:
        raise InputError(f"the layer of a SIFID is one of {', '.join(LAYERS)}, got {layer!r}")
    for image in (fake, real):
        _check(image, LAYERS[layer][1], layer)
    if len(real) not in (1, len(fake)):
        raise InputError(f"{len(fake)} images cannot be paired with {len(real)}; give as many, or one for all")
    goals, found = ([gaussian_of(weights.features(i[None], layer)[0]) for i in images] for images in (real, fake))
    goals = goals * (len(fake) // len(goals))
    return sum(frechet_distance(*a, *b) for a, b in zip(found, goals, strict=True)) / len(found)


def gaussian_of(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean, (C,), and covariance, (C, C), of features (C, h, w) over their positions, in float64."""
    places = features.double().flatten(1)
    return places.mean(dim=1), torch.cov(places)


def frechet_distance(mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> float:
    """Squared Wasserstein-2 distance of two Gaussians (Dowson and Landau 1982), in float64.

    Means are (C,), covariances (C, C), symmetric and possibly singular.
    """
    # Tr (A B)^(1/2) is the sum of the singular values of A^(1/2) B^(1/2): real, and without the root of a tiny
    # negative eigenvalue, which is what fails where there are fewer places than features.
    shared = torch.linalg.svdvals(_root(covariance_a) @ _root(covariance_b)).sum()
    spread = covariance_a.trace() + covariance_b.trace() - 2 * shared
    return float((mean_a - mean_b).square().sum() + spread.clamp(min=0))


def load_stem(path: str | Path) -> InceptionStem:
    """Load the first layers of an Inception-v3 from a .safetensors file with torchvision's names; others are ignored.

    Raises:
        CheckpointError: no such file, another format, or tensors that are missing, of another shape or not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; give a .safetensors file with the weights of an Inception-v3")
    try:
        with safe_open(str(path), framework="pt") as file:
            present = set(file.keys())
            missing = [name for name in _shapes() if name not in present]
            if missing:
                raise CheckpointError(
                    f"{path}: lacks {', '.join(missing)}; give the weights of an Inception-v3 with torchvision's names"
                )
            _check_shapes({name: tuple(file.get_slice(name).get_shape()) for name in _shapes()}, str(path))
            tensors = {name: file.get_tensor(name) for name in _shapes()}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: is not a safetensors file, or damaged; {_remedy(path)}") from error
    return stem_of(tensors, str(path))


def stem_of(tensors: Mapping[str, Tensor], source: str) -> InceptionStem:
    """Build the stem from the tensors of the file `source` by torchvision's names; others are ignored.

    Raises:
        CheckpointError: tensors of another shape, or not finite.
    """
    _check_shapes({name: tuple(tensors[name].shape) for name in _shapes()}, source)
    for name in _shapes():
        if not tensors[name].isfinite().all():
            raise CheckpointError(f"{source}: {name} has NaN or infinite values; get the file again")
    digest = hashlib.sha256()
    for name in _shapes():
        digest.update(tensors[name].float().contiguous().numpy().tobytes())
    layers = tuple(_folded(tensors, name) for name, *_ in STEM)
    return InceptionStem(layers, f"{Path(source).name}, SHA-256 of the stem {digest.hexdigest()[:12]}")


def _check_shapes(given: Mapping[str, tuple[int, ...]], source: str) -> None:
    for name, shape in _shapes().items():
        if given[name] != shape:
            raise CheckpointError(f"{source}: {name} has the shape {given[name]}, not {shape}; give an Inception-v3")


def _remedy(path: Path) -> str:
    if path.suffix == ".safetensors":
        return "get the file again"
    command = ["python", "-c", CONVERT, str(path), str(path.with_suffix(".safetensors"))]
    return f"if torch wrote it, convert it with: {shlex.join(command)}"


def _check(image: Tensor, least: int, layer: str) -> None:
    check_image(image)
    if image.shape[1] not in (1, 3):
        raise InputError(f"SIFID needs 1 or 3 channels, got {image.shape[1]}; choose channels with x[:, [i, j, k]]")
    if min(image.shape[-2:]) < least:
        height, width = image.shape[-2:]
        raise InputError(
            f"SIFID {layer} needs {least}x{least} pixels at least, got {width}x{height}; use a larger image"
        )


def _root(covariance: Tensor) -> Tensor:
    """Symmetric square root of a symmetric matrix; negative eigenvalues count as 0."""
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.mT


def _folded(tensors: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with the normalisation that follows it folded in."""
    gain, shift, mean, variance = (
        tensors[f"{name}.bn.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
    )
    gain = gain / (variance + 1e-3).sqrt()  # epsilon of torchvision's Inception-v3
    weight = tensors[f"{name}.conv.weight"].double() * gain[:, None, None, None]
    return weight.float(), (shift - mean * gain).float()


def _shapes() -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors of the stem, by torchvision's names."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape, *_ in STEM:
        shapes[f"{name}.conv.weight"] = shape
        shapes |= {f"{name}.bn.{part}": shape[:1] for part in ("weight", "bias", "running_mean", "running_var")}
    return shapes
