"""Energy of an image's border and of its oblique high frequencies: traces that generators leave."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.metrics.grey_levels import check_image

BORDER = 8  # pixels
LOWEST = 0.25  # cycles per pixel, of the frequencies that count as high


def gradient_energies(image: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared gradients of the border and of the rest, (N,) each in float64.

    Squared differences of neighbours along both axes, averaged over channels and places. A difference belongs to the
    border if both of its pixels are within 8 pixels of it: the step from a pale frame to the picture counts
    where the frame is narrower.

    Args:
        image: (N, C, H, W), usually in [0, 1].

    Raises:
        InputError: an image without an interior.
    """
    check_image(image)
    height, width = image.shape[-2:]
    if min(height, width) < 2 * BORDER + 2:
        raise InputError(f"a border of {BORDER} pixels leaves no interior in {width}x{height}; use larger images")
    x = image.detach().to("cpu").double()
    inside = F.pad(torch.zeros(height - 2 * BORDER, width - 2 * BORDER), (BORDER,) * 4, value=1.0).double()
    sums = x.new_zeros(2, len(x))
    counts = x.new_zeros(2, 1)
    for axis in (-2, -1):
        squares = x.diff(dim=axis).square().mean(dim=1)
        length = inside.shape[axis] - 1
        both = inside.narrow(axis, 0, length) * inside.narrow(axis, 1, length)  # 1 within the border
        for row, weight in enumerate((both, 1 - both)):
            sums[row] += (squares * weight).sum(dim=(-2, -1))
            counts[row] += weight.sum()
    border, interior = sums / counts
    return border, interior


def oblique_energy(image: Tensor) -> Tensor:
    """Power of the frequencies in the four corners of the spectrum, (N,) in float64: diagonal hatches, checkerboards.

    Variance that the windowed image has at frequencies of a quarter or more cycles per pixel along both axes; 0.5 is
    the highest. The window (Hann) keeps the seam between opposite borders out.

    Args:
        image: (N, C, H, W), usually in [0, 1].
    """
    check_image(image)
    x = image.detach().to("cpu").double()
    height, width = x.shape[-2:]
    window = torch.outer(*(torch.hann_window(n + 2, periodic=False, dtype=x.dtype)[1:-1] for n in (height, width)))
    x = (x - x.mean(dim=(-2, -1), keepdim=True)) * window
    power = torch.fft.fft2(x).abs().square() / (height * width * window.square().sum())
    high = torch.outer(*(torch.fft.fftfreq(n, dtype=x.dtype).abs() >= LOWEST for n in (height, width)))
    return (power * high).sum(dim=(-2, -1)).mean(dim=1)
