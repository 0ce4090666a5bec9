"""Masks: how much each pixel of a picture belongs to the part that an image marks."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.physics.convolution import Blur, apply_blur
from innersr.physics.kernels import gaussian_window
from innersr.physics.resize import image_size, resize
from innersr.singan.pyramid import Size


def soft_mask(
    image: Tensor, size: Size | None = None, *, radius: int = 0, sigma: float = 0.0, threshold: float = 0.5
) -> Tensor:
    """The mask that an image paints: 1 in what is marked, 0 elsewhere, between them where it is feathered.

    It is exactly 1 and exactly 0 wherever the border is farther away than four `sigma`.

    # Differs from the reference code: a pixel counts from half brightness on, not from any; feathering needs no
    # stretching to [0, 1], which divides by nothing where a mask is constant.

    Args:
        image: (1, C, H, W) in [0, 1], bright where it marks; of several channels the brightest counts.
        size: of the picture that is masked; the image is resized to it where either axis differs. Its own when None.
        radius: pixels of the picture that the mask grows by to all sides, as a disk does.
        sigma: standard deviation of the Gaussian that feathers it afterwards, in pixels of the picture; 0 for none.
        threshold: brightness from which on a pixel is marked, between 0 and 1.

    Returns:
        (1, 1, height, width) float32, on the image's device.

    Raises:
        InputError: an image of another shape, one that marks everything or nothing, or an argument out of its range.
    """
    if image.ndim != 4 or image.shape[0] != 1 or 0 in image.shape:
        raise InputError(f"a mask must be (1, C, H, W), got {tuple(image.shape)}")
    if radius < 0 or not 0 <= sigma < math.inf:
        raise InputError(f"a mask's radius and sigma must be 0 or positive, got {radius} and {sigma}")
    if not 0 < threshold < 1:
        raise InputError(f"a mask's threshold must be between 0 and 1, got {threshold}")
    brightness = image.detach().cpu().double().amax(dim=1, keepdim=True)
    marked = resize(brightness, size=size or image_size(image)) >= threshold
    if bool(marked.all()) or not bool(marked.any()):
        raise InputError(
            f"the mask marks {'everything' if bool(marked.all()) else 'nothing'} at a threshold of {threshold:g}; "
            "paint what it marks white and all else black"
        )
    grown = dilated(marked, radius)
    # In double precision, where the weights' sum is 1 to the last bit of the result.
    return _feathered(grown.double(), sigma).float().to(image.device)


def copy_marked(picture: Tensor, mask: Tensor, down: int, right: int) -> tuple[Tensor, Tensor]:
    """Copy the marked part of a picture to another place; what leaves the picture is cut off.

    Args:
        picture: (1, C, H, W).
        mask: (1, 1, H, W), above 0.5 where it marks.
        down, right: pixels that the copy lies away from the part, negative for up and left.

    Returns:
        The picture with the copy, and the mask of the copy.

    Raises:
        InputError: nothing of the copy lies within the picture.
    """
    height, width = picture.shape[-2:]
    marked = (mask > 0.5).to(picture)  # noqa: PLR2004 (half)
    inside = torch.zeros_like(marked)
    rows, columns = slice(max(0, down), height + min(0, down)), slice(max(0, right), width + min(0, right))
    inside[..., rows, columns] = 1
    moved, placed = (torch.roll(one, (down, right), dims=(-2, -1)) for one in (picture, marked))
    placed = placed * inside
    if not bool(placed.any()):
        raise InputError("nothing of the marked part lies within the picture after the move; mark more, or move less")
    return picture * (1 - placed) + moved * placed, placed


def continued(values: Tensor, known: Tensor, sigma: float) -> Tensor:
    """Continue values smoothly from where they are known (normalised convolution, Knutsson and Westin 1993).

    Farther away than about `sigma` they fade to 0.

    Args:
        values: (N, C, H, W).
        known: (N, 1, H, W), 1 where values count and 0 elsewhere.
        sigma: pixels, standard deviation of the Gaussian over which they are averaged.
    """
    least = 0.25  # weight of what is known nearby from which on values are continued in full
    return _feathered(values * known, sigma) / _feathered(known, sigma).clamp(min=least)


def dilated(marked: Tensor, radius: int) -> Tensor:
    """Dilate (..., H, W) truth values by a disk of `radius` pixels (Euclidean, exact)."""
    height = marked.shape[-2]
    distance = _distance_along_rows(marked)
    result = marked.clone()
    for offset in range(-min(radius, height - 1), min(radius, height - 1) + 1):
        reach = math.isqrt(radius**2 - offset**2)  # of the disk, in this row
        top, bottom = max(0, -offset), height - max(0, offset)
        result[..., top:bottom, :] |= distance[..., top + offset : bottom + offset, :] <= reach
    return result


def _distance_along_rows(marked: Tensor) -> Tensor:
    """Distance to the nearest marked pixel of the same row, whole numbers; beyond any radius if there is none."""
    width = marked.shape[-1]
    columns = torch.arange(width, device=marked.device).expand(marked.shape)
    nowhere = 2**31
    before = torch.where(marked, columns, -nowhere).cummax(dim=-1).values
    after = torch.where(marked, columns, nowhere).flip(-1).cummin(dim=-1).values.flip(-1)
    return torch.minimum(columns - before, after - columns)


def _feathered(mask: Tensor, sigma: float) -> Tensor:
    reach = round(4 * sigma)
    if reach == 0:
        return mask
    profile = gaussian_window(sigma, reach, dtype=mask.dtype)
    size = image_size(mask)
    across = apply_blur(mask, Blur(profile[None, :], (0, reach)), size)
    return apply_blur(across, Blur(profile[:, None], (reach, 0)), size)
