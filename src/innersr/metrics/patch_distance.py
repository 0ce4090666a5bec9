"""Sliced Wasserstein distance of patches."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.metrics.grey_levels import PEAK, check_image, shape_text
from innersr.physics.resize import image_size, resize

PATCHES = 2**14  # patches that represent one image at one scale


@isolated
def patch_distance(
    a: Tensor, b: Tensor, *, patch: int = 7, scales: int = 3, projections: int = 64, seed: int = 0
) -> float:
    """Sliced Wasserstein distance between the patches of two images, in grey levels of 255; 0 for equal images.

    Karras et al. 2018 (section 5) judge generated images by it; no trained network is involved. The scales are those
    of a Laplacian pyramid. At each, all channels of a patch form one vector. Both sets of vectors are projected onto
    random directions of unit length and compared there by the mean absolute difference of equal quantiles, the
    Wasserstein-1 distance on a line. The result is the mean over directions and scales.

    Positions do not count, so the images may differ in arrangement and size. Each is represented by at most 16384
    patches per scale, spread evenly at places that depend on its size and the seed alone. Overlapping crops of a
    512x512 photograph are 0.3 to 0.6 apart, a photograph and its blurred copy 1.4, different photographs about 10.

    Args:
        a, b: (N, C, H, W) in [0, 1], of the same N and C; a[i] is compared with b[i].
        patch: side of a patch in pixels.
        scales: how many, each half as large as the one before; 1 compares the images as they are.
        projections: random directions for each scale.
        seed: of the directions and positions.

    Raises:
        InputError: the images do not pair up, or are smaller than a patch at the last scale.
    """
    check_image(a)
    check_image(b)
    if a.shape[:2] != b.shape[:2]:
        raise InputError(
            f"patch distance needs as many images and channels on both sides, got {shape_text(a)} and {shape_text(b)}"
        )
    if min(patch, scales, projections) < 1:
        raise InputError(f"patch, scales and projections must be at least 1, got {patch}, {scales} and {projections}")
    smallest = min(*a.shape[-2:], *b.shape[-2:])
    if -(-smallest // 2 ** (scales - 1)) < patch:
        raise InputError(
            f"an image side of {smallest} pixels is shorter than a patch of {patch} at the last of {scales} "
            "scales; use fewer scales or a smaller patch"
        )
    generator = torch.Generator().manual_seed(seed)
    distances = []
    for scale_a, scale_b in zip(_laplacian_pyramid(a, scales), _laplacian_pyramid(b, scales), strict=True):
        directions = F.normalize(torch.randn(projections, a.shape[1] * patch**2, generator=generator))
        jitter = torch.rand(PATCHES, generator=generator)
        for pair in zip(scale_a, scale_b, strict=True):
            line_a, line_b = (directions @ _sample_patches(image, patch, jitter) for image in pair)
            distances.append(_wasserstein(line_a, line_b).mean())
    return float(torch.stack(distances).mean())


def _laplacian_pyramid(image: Tensor, scales: int) -> list[Tensor]:
    """Details that each of scales - 1 halvings removes, in grey levels, then the smallest image."""
    image = PEAK * image.detach().to("cpu", torch.float32)
    details = []
    for _ in range(scales - 1):
        halved = resize(image, 0.5)
        details.append(image - resize(halved, 2.0, size=image_size(image)))
        image = halved
    return [*details, image]


def _sample_patches(image: Tensor, patch: int, jitter: Tensor) -> Tensor:
    """Patches of `image` (C, H, W) as columns: (C * patch * patch, at most len(jitter)).

    The places, in reading order, are cut into equal runs, and `jitter` in [0, 1) picks one place of each run.
    """
    windows = image.unfold(1, patch, 1).unfold(2, patch, 1)
    rows, columns = windows.shape[1:3]
    count = min(rows * columns, len(jitter))
    runs = torch.arange(count) + jitter[:count].double()
    places = (runs * (rows * columns / count)).long().clamp(max=rows * columns - 1)
    return windows[:, places // columns, places % columns].permute(0, 2, 3, 1).reshape(-1, count)


def _wasserstein(a: Tensor, b: Tensor) -> Tensor:
    """Wasserstein-1 distance between the rows of `a` (P, m) and those of `b` (P, n): (P,).

    Sample i of n, sorted, is the quantile (i + 1/2) / n; the shorter row is interpolated at the longer one's.
    """
    count = max(a.shape[1], b.shape[1])
    a, b = (F.interpolate(x.sort(dim=1).values[None], count, mode="linear", align_corners=False)[0] for x in (a, b))
    return (a - b).abs().mean(dim=1)
