"""How good a result is: one function for each measure. Knows nothing about files or methods.

Images are (N, C, H, W) in [0, 1]; every measure is one float, the mean over the batch, and is computed on the
CPU in float64 (`patch_distance` in float32), so that it does not depend on the device.

`psnr_y` and `ssim_y` follow the protocol of the super-resolution field, so that their numbers can be held
against published tables: 8-bit rounding, rounded BT.601 luma, `shave` border pixels left out (in most papers
as many as the scale).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.resize import resize

Shave = int | tuple[int, int]

PEAK = 255.0  # of 8-bit grey levels
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
PATCHES = 2**14  # patches that represent one image at one scale


def psnr_y(sr: Tensor, hr: Tensor, shave: Shave) -> float:
    """Return the PSNR of the luma, in dB, by the field's protocol.

    Grey images are compared by their grey values. Images of neither 1 nor 3 bands have no luma: all bands are
    compared at once, by the mean squared error over all of them.

    Args:
        sr: the result, (N, C, H, W) in [0, 1]; values outside are clipped.
        hr: the truth, of the same shape.
        shave: border pixels left out on each side, one number or (vertical, horizontal).

    Returns:
        10 log10(255^2 / MSE); inf when the two agree in every compared 8-bit value.

    Raises:
        InputError: not two images of the same shape in floating point, or nothing left to compare.
    """
    return _psnr(*_compared(sr, hr, shave, _luma_or_bands), peak=PEAK)


def ssim_y(sr: Tensor, hr: Tensor, shave: Shave) -> float:
    """Return the SSIM of the luma by the field's protocol, 1 for equal images.

    Wang et al. 2004, section III-C: Gaussian window of 11x11 pixels and sigma 1.5, K1 = 0.01, K2 = 0.03,
    L = 255, mean over the positions where the window fits. Without a luma (see `psnr_y`) it is the mean over
    the bands.
    Arguments and errors as `psnr_y`; 11x11 pixels must be left.
    """
    return _ssim(*_compared(sr, hr, shave, _luma_or_bands, least=SSIM_WINDOW))


def psnr(sr: Tensor, hr: Tensor, shave: Shave = 0) -> float:
    """Return the PSNR of all bands in dB, from the mean squared error over all of them; see `psnr_y`."""
    return _psnr(*_compared(sr, hr, shave, to_grey_levels), peak=PEAK)


def ssim(sr: Tensor, hr: Tensor, shave: Shave = 0) -> float:
    """Return the mean over all bands of their SSIM; see `ssim_y`."""
    return _ssim(*_compared(sr, hr, shave, to_grey_levels, least=SSIM_WINDOW))


METRICS: dict[str, Callable[[Tensor, Tensor, Shave], float]] = {
    "psnr_y": psnr_y,
    "ssim_y": ssim_y,
    "psnr": psnr,
    "ssim": ssim,
}
"""The measures that compare a result with the truth: called as (sr, hr, shave), better when higher."""


def consistency_psnr(sr: Tensor, lr: Tensor, degrade: Callable[[Tensor], Tensor]) -> float:
    """Tell whether the result, shrunk again, is the input: the PSNR between degrade(sr) and lr, in dB.

    Computed band by band, so that large results need little memory.

    It needs no truth. A low value proves that the result contradicts the input; a high one proves little, as
    many images shrink to the same input. Peak 1, all bands, neither rounded nor clipped, so that it goes on
    telling results apart far beyond 8-bit accuracy.

    Args:
        sr: the result, (N, C, sH, sW) in [0, 1].
        lr: the input it was made from, (N, C, H, W).
        degrade: shrinks one band of a large image, (N, 1, sH, sW), as the input was shrunk, without noise.

    Returns:
        10 log10(1 / MSE); inf when the two are equal.

    Raises:
        InputError: the two have not the same number of bands, or degrade(sr) not the shape of lr.
    """
    if sr.shape[:-2] != lr.shape[:-2]:
        raise InputError(
            f"the result has the shape {_shape(sr)}, the input {_shape(lr)}; give images of the same bands"
        )
    squares = torch.zeros(len(sr), dtype=torch.float64)
    for large, small in zip(sr.split(1, dim=1), lr.split(1, dim=1), strict=True):
        check_image(large)
        check_image(small)
        with torch.no_grad():
            shrunk = degrade(large)
        if shrunk.shape != small.shape:
            raise InputError(
                f"the result shrinks to {_shape(shrunk)}, but the input is {_shape(small)}; "
                "give the degradation that the result was made for"
            )
        squares += (_for_measuring(shrunk) - _for_measuring(small)).square().sum(dim=(1, 2, 3))
    return float((10 * torch.log10(lr[0].numel() / squares)).mean())


def patch_distance(
    a: Tensor, b: Tensor, *, patch: int = 7, scales: int = 3, projections: int = 64, seed: int = 0
) -> float:
    """Return how differently two images are made of small patches, in grey levels of 255; 0 for equal images.

    The sliced Wasserstein distance between the two sets of patches at each scale of a Laplacian pyramid, as
    Karras et al. 2018 (section 5) judge generated images; there is no trained network in it. The scales are
    the details that halving an image takes away, those that halving it again takes away, and so on, and last
    the small image that remains. At each scale all bands of a patch form one vector; for each random direction
    of unit length both sets are projected onto it, sorted, and compared by the mean absolute difference of
    equal quantiles, the Wasserstein-1 distance on a line. The result is the mean over directions and scales.

    Where a patch lies does not matter, so the two may be differently arranged and differently large. Each
    image is represented by at most 16384 patches a scale, spread evenly at places that depend on its size and
    on the seed only. For a feeling: two overlapping crops of a photograph of 512x512 pixels are 0.3 to 0.6
    apart, the photograph and its blurred copy (halved, then doubled) 1.4, different photographs about 10.

    Args:
        a, b: (N, C, H, W) in [0, 1], of the same N and C; a[i] is compared with b[i].
        patch: side of a patch in pixels.
        scales: how many, each half as large as the one before; 1 compares the images as they are.
        projections: random directions for each scale.
        seed: of the directions and places.

    Raises:
        InputError: the images do not pair up, or are smaller than a patch at the last scale.
    """
    check_image(a)
    check_image(b)
    if a.shape[:2] != b.shape[:2]:
        raise InputError(
            f"patch distance needs as many images and bands on both sides, got {_shape(a)} and {_shape(b)}"
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


def luma(x: Tensor) -> Tensor:
    """Return the brightness that the field compares: (N, 1, H, W), whole grey levels 0..255 in float64.

    Colour: Y of ITU-R BT.601 in studio range, as MATLAB's rgb2ycbcr makes it of uint8. The image is rounded
    to 8 bits, Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255 is between 16 and 235, and rounded too.
    Grey: the grey values themselves, 0..255, as the field has it.

    Raises:
        InputError: x has neither 1 nor 3 bands.
    """
    levels = to_grey_levels(x)
    if levels.shape[1] == 1:
        return levels
    if levels.shape[1] != 3:
        raise InputError(f"luma needs 1 or 3 bands, got {levels.shape[1]}; choose bands with x[:, [i, j, k]]")
    weights = torch.tensor([65481, 128553, 24966], dtype=levels.dtype).view(1, 3, 1, 1)
    # Whole numbers until the division: halves come out exact and round up on every machine.
    return ((levels * weights).sum(dim=1, keepdim=True) / 255_000 + 16.5).floor()


def quantized(x: Tensor) -> Tensor:
    """Return an image as an 8-bit file would hold it, in float32."""
    return ((x * 255).round() / 255).float()


def to_grey_levels(x: Tensor) -> Tensor:
    """Return `x` rounded to whole grey levels 0..255, halves up as MATLAB does, in float64 on the CPU."""
    check_image(x)
    return (_for_measuring(x) * PEAK + 0.5).floor().clamp(0, PEAK)


def local_mean(x: Tensor, size: int, sigma: float) -> Tensor:
    """Return the mean of `x` (N, C, H, W) under a Gaussian window, where all of the window fits.

    Args:
        x: (N, C, H, W).
        size: side of the window in pixels, odd.
        sigma: of the Gaussian, in pixels.

    Returns:
        (N, C, H - size + 1, W - size + 1).
    """
    offsets = torch.arange(size, dtype=torch.float64) - size // 2
    window = torch.exp(-offsets.square() / (2 * sigma**2))
    weights = (window / window.sum()).tolist()
    return _slide(_slide(x, weights, dim=-2), weights, dim=-1)


def check_image(x: Tensor) -> None:
    """Raise `InputError` unless `x` is a batch of images in floating point without NaN."""
    if x.ndim != 4 or x.numel() == 0:
        raise InputError(f"an image must be (N, C, H, W) and not empty, got shape {_shape(x)}")
    if not x.is_floating_point():
        raise InputError(f"an image must be floating point in [0, 1], got {x.dtype}; divide 8-bit values by 255")
    if not bool(x.isfinite().all()):
        raise InputError("an image holds NaN or infinite values; measure results that converged")


def _compared(
    sr: Tensor, hr: Tensor, shave: Shave, planes: Callable[[Tensor], Tensor], least: int = 1
) -> tuple[Tensor, Tensor]:
    """Return what is compared of `sr` and `hr`: their `planes` without the border, at least least x least."""
    if sr.shape != hr.shape:
        raise InputError(
            f"the result is {_shape(sr)}, but the truth is {_shape(hr)}; "
            "crop the truth to a multiple of the scale first"
        )
    vertical, horizontal = (shave, shave) if isinstance(shave, int) else shave
    if min(vertical, horizontal) < 0:
        raise InputError(f"shave must not be negative, got {shave}")
    a, b = planes(sr), planes(hr)
    height, width = a.shape[-2] - 2 * vertical, a.shape[-1] - 2 * horizontal
    if min(height, width) < least:
        raise InputError(
            f"shaving {shave} off an image of {a.shape[-2]}x{a.shape[-1]} pixels leaves less than "
            f"{least}x{least}; shave less or use a larger image"
        )
    inside = (..., slice(vertical, vertical + height), slice(horizontal, horizontal + width))
    return a[inside], b[inside]


def _luma_or_bands(x: Tensor) -> Tensor:
    return luma(x) if x.ndim == 4 and x.shape[1] == 3 else to_grey_levels(x)


def _psnr(a: Tensor, b: Tensor, *, peak: float) -> float:
    mse = (a - b).square().mean(dim=(1, 2, 3))
    return float((10 * torch.log10(peak**2 / mse)).mean())


def _ssim(a: Tensor, b: Tensor) -> float:
    # Wang et al. 2004, eq. 13, with the moments of eqs. 14 to 16.
    mean_a, mean_b, square_a, square_b, product = (
        local_mean(x, SSIM_WINDOW, SSIM_SIGMA) for x in (a, b, a * a, b * b, a * b)
    )
    variances = square_a - mean_a.square() + square_b - mean_b.square()
    covariance = product - mean_a * mean_b
    C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    luminance = (2 * mean_a * mean_b + C1) / (mean_a.square() + mean_b.square() + C1)
    structure = (2 * covariance + C2) / (variances + C2)
    return float((luminance * structure).mean())


def _slide(x: Tensor, weights: list[float], dim: int) -> Tensor:
    """Return the weighted sums of neighbours along `dim`; several times faster than a convolution in float64."""
    length = x.shape[dim] - len(weights) + 1
    total = weights[0] * x.narrow(dim, 0, length)
    for start, weight in enumerate(weights[1:], start=1):
        total.add_(x.narrow(dim, start, length), alpha=weight)
    return total


def _laplacian_pyramid(image: Tensor, scales: int) -> list[Tensor]:
    """Return, in grey levels, what each of scales - 1 halvings takes away, and what is left in the end."""
    image = PEAK * image.detach().to("cpu", torch.float32)
    details = []
    for _ in range(scales - 1):
        height, width = image.shape[-2:]
        halved = resize(image, 0.5)
        details.append(image - resize(halved, 2.0, size=(height, width)))
        image = halved
    return [*details, image]


def _sample_patches(image: Tensor, patch: int, jitter: Tensor) -> Tensor:
    """Return patches of `image` (C, H, W) as columns: (C * patch * patch, at most len(jitter)).

    The places, in reading order, are cut into equal runs, and `jitter` in [0, 1) picks one place of each run.
    """
    windows = image.unfold(1, patch, 1).unfold(2, patch, 1)
    rows, columns = windows.shape[1:3]
    count = min(rows * columns, len(jitter))
    runs = torch.arange(count) + jitter[:count].double()
    places = (runs * (rows * columns / count)).long().clamp(max=rows * columns - 1)
    chosen = windows[:, places // columns, places % columns]
    return chosen.permute(0, 2, 3, 1).reshape(-1, count)


def _wasserstein(a: Tensor, b: Tensor) -> Tensor:
    """Return the Wasserstein-1 distance between the rows of `a` (P, m) and those of `b` (P, n): (P,).

    Sample i of n, sorted, is the quantile (i + 1/2) / n; the shorter row is interpolated at the longer one's.
    """
    count = max(a.shape[1], b.shape[1])
    a, b = (F.interpolate(x.sort(dim=1).values[None], count, mode="linear", align_corners=False)[0] for x in (a, b))
    return (a - b).abs().mean(dim=1)


def _for_measuring(x: Tensor) -> Tensor:
    # First the CPU, then float64: MPS devices have none.
    return x.detach().cpu().double()


def _shape(x: Tensor) -> str:
    return "x".join(str(n) for n in x.shape)
