"""Blur kernels: the families that the papers use, measured and moved. Knows nothing about files or images.

A kernel is a (rows, columns) float32 tensor that sums to 1. Coordinates are (row, column) from 0, positions
and lengths are HR pixels, and every width is a variance (an eigenvalue of the covariance), as in MZSR, DIV2KRK
and FKP. Angles turn from the horizontal axis towards the vertical one that points down, in radians.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from innersr.errors import KernelError
from innersr.physics.resize import cubic, resize

NEGLIGIBLE_TAP = 1e-4  # of the largest tap; smaller ones do not count
CONVENTIONS = ("centred", "kernelgan", "fkp")


class Shape(NamedTuple):
    """Second moments of a kernel: variances along its long and its short axis, angle of the long one."""

    long_variance: float
    short_variance: float
    angle: float

    @property
    def deviations(self) -> tuple[float, float]:
        """Standard deviations along the long and the short axis; 0 where negative taps make a variance negative."""
        return math.sqrt(max(self.long_variance, 0)), math.sqrt(max(self.short_variance, 0))

    @property
    def is_round(self) -> bool:
        """Whether the two variances are equal but for rounding, so that the angle means nothing."""
        return self.long_variance - self.short_variance <= 1e-3 * max(1.0, abs(self.long_variance))

    @property
    def direction(self) -> str:
        """The direction of the long axis, such as " at 30 deg"; empty for a round kernel."""
        return "" if self.is_round else f" at {math.degrees(self.angle):.0f} deg"


def delta() -> Tensor:
    """The kernel that changes nothing, (1, 1)."""
    return torch.ones(1, 1)


def box(width: int) -> Tensor:
    """The kernel of the mean over width x width pixels, at least 1x1."""
    if width < 1:
        raise KernelError(f"a box kernel needs a width of at least 1, got {width}")
    return torch.full((width, width), 1 / width**2)


def gaussian(
    variance: float, short_variance: float | None = None, angle: float = 0.0, *, size: int | None = None
) -> Tensor:
    """A Gaussian sampled at pixel centres, (size, size) of sum 1.

    Args:
        variance: in pixels^2 along the axis at `angle`, above 0.
        short_variance: across it; the same when None.
        angle: in radians, from x to the right to y down.
        size: side, 1 at least; the smallest odd one that holds five standard deviations each way when None.
    """
    across = variance if short_variance is None else short_variance
    if not (0 < variance < math.inf and 0 < across < math.inf):
        raise KernelError(f"a Gaussian kernel needs positive variances, got {variance:g} and {across:g}")
    side = 2 * math.ceil(5 * math.sqrt(max(variance, across))) + 1 if size is None else size
    if side < 1:
        raise KernelError(f"a Gaussian kernel needs a size of at least 1, got {side}")
    return normalised(_gaussian(side, variance, across, angle))


def disk(radius: float) -> Tensor:
    """The blur of a lens out of focus: a disk of this radius in pixels.

    Raises:
        KernelError: a radius below 0.5 or above 50.
    """
    if not 0.5 <= radius <= 50:
        raise KernelError(f"a disk has a radius from 0.5 to 50 pixels, got {radius:g}")
    y, x = _fine_grid(radius)
    return _pixel_means((x.square() + y.square() <= radius**2).double())


def motion(length: float, angle: float) -> Tensor:
    """The blur of a straight movement: a line one pixel wide, `length` pixels long, at an angle in radians.

    Raises:
        KernelError: a length below 1 or above 100.
    """
    if not 1 <= length <= 100:
        raise KernelError(f"a movement has a length from 1 to 100 pixels, got {length:g}")
    y, x = _fine_grid(length / 2 + 0.5)
    along = x * math.cos(angle) + y * math.sin(angle)
    beside = y * math.cos(angle) - x * math.sin(angle)
    return _pixel_means(((along.abs() <= length / 2) & (beside.abs() <= 0.5)).double())


def gaussian_window(deviation: float, radius: int, *, dtype: torch.dtype = torch.float64) -> Tensor:
    """Gaussian weights of sum 1 at the distances -radius to radius, (2 * radius + 1,)."""
    distances = torch.arange(-radius, radius + 1, dtype=dtype)
    window = torch.exp(-distances.square() / (2 * deviation**2))
    return window / window.sum()


def gaussian_field(y: Tensor, x: Tensor, precision: Tensor) -> Tensor:
    """Gaussians exp(-p^T P p / 2) at the points p = (x, y), of the precisions P, (2, 2, N, 1, 1), x before y."""
    return torch.exp(-0.5 * (precision[0, 0] * x**2 + precision[1, 1] * y**2) - precision[0, 1] * x * y)


def random_mzsr(generator: torch.Generator, scale: float, *, size: int = 15) -> Tensor:
    """Draw an MZSR training kernel (Soh 2020, sec. 4.1): long variance U(1, 2.5 s), short U(1, long)."""
    long = _uniform(generator, 1, 2.5 * scale)
    return gaussian(long, _uniform(generator, 1, long), _uniform(generator, 0, math.pi), size=size)


def random_div2krk(generator: torch.Generator) -> Tensor:
    """Draw a DIV2KRK x2 kernel, 11x11 (Bell-Kligler 2019, sec. 5): variances U(0.6, 5), taps times U(0.75, 1.25)."""
    first, second = _uniform(generator, 0.6, 5), _uniform(generator, 0.6, 5)
    kernel = _gaussian(11, first, second, _uniform(generator, 0, math.pi))
    return normalised(kernel * (0.75 + 0.5 * torch.rand(kernel.shape, generator=generator, dtype=torch.float64)))


def normalised(kernel: ArrayLike | Tensor) -> Tensor:
    """The kernel, a tensor or an array, as float32 of sum 1; one that is that already, within rounding, stays as it is.

    Raises:
        KernelError: no numbers, not two axes, not finite, or a sum that is not positive.
    """
    if not isinstance(kernel, Tensor):
        try:
            kernel = torch.from_numpy(np.array(kernel, dtype=np.float64))
        except (TypeError, ValueError) as error:
            remedy = "innersr.gaussian makes one, and innersr.load_kernel reads one"
            raise KernelError(f"a blur kernel is a tensor or an array, got {kernel!r:.60}; {remedy}") from error
    kernel = kernel.detach().cpu()
    if kernel.ndim != 2 or kernel.numel() == 0:
        raise KernelError(f"a blur kernel has two axes, got shape {tuple(kernel.shape)}")
    exact = kernel.double()
    if not bool(torch.isfinite(exact).all()):
        raise KernelError("the blur kernel has values that are not finite")
    total = float(exact.sum())
    if total <= 0:
        raise KernelError(f"a blur kernel must have a positive sum, got {total:g}")
    rounding = 1e-7
    return kernel if kernel.dtype == torch.float32 and abs(total - 1) < rounding else (exact / total).float()


def centre_of_mass(kernel: Tensor) -> tuple[float, float]:
    """(row, column) of the kernel's centre of mass."""
    exact = kernel.double()
    rows, columns = (torch.arange(n, dtype=torch.float64) for n in kernel.shape)
    return float(exact.sum(1) @ rows / exact.sum()), float(exact.sum(0) @ columns / exact.sum())


def shape_of(kernel: Tensor) -> Shape:
    """Variances, in pixels^2, and angle of the ellipse that has the covariance of a kernel, (rows, columns)."""
    row, column = centre_of_mass(kernel)
    weights = kernel.double() / kernel.double().sum()
    y = torch.arange(kernel.shape[0], dtype=torch.float64)[:, None] - row
    x = torch.arange(kernel.shape[1], dtype=torch.float64) - column
    xx, yy, xy = (float((weights * m).sum()) for m in (x * x, y * y, x * y))
    mean, spread = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    return Shape(mean + spread, mean - spread, 0.5 * math.atan2(2 * xy, xx - yy) % math.pi)


def shifted(kernel: Tensor, rows: float, columns: float) -> Tensor:
    """Shift a kernel, and exactly its centre of mass, by at most one pixel with cubic interpolation.

    The result has four rows and columns more: the old [0, 0] tap is at [2, 2] for a zero shift.

    Raises:
        KernelError: a shift of more than a pixel.
    """
    if not (abs(rows) <= 1 and abs(columns) <= 1):
        raise KernelError(f"shifted moves by at most 1 pixel, got {rows:g} and {columns:g}; move the anchor instead")
    vertical, horizontal = (_shift_matrix(n, move) for n, move in zip(kernel.shape, (rows, columns), strict=True))
    return normalised(vertical @ kernel.double() @ horizontal.mT)


def sharpened(kernel: Tensor, scales: tuple[float, float], deviation: float, amount: float) -> Tensor:
    """The kernel of a blur, of subsampling, and of an unsharp mask of the LR image: y + amount * (y - Gaussian(y)).

    Args:
        kernel: of the blur, on the HR grid.
        scales: (vertical, horizontal) HR pixels per LR pixel.
        deviation: standard deviation of the Gaussian in LR pixels, which ends at three pixels.
        amount: 1 for the sharpening that tools call 100 %.
    """
    radius = 3
    weights = gaussian_window(deviation, radius)
    combs = []
    for scale in scales:
        reach = math.ceil(radius * scale)
        axis = torch.arange(-reach, reach + 1, dtype=torch.float64)[:, None]
        places = scale * torch.arange(-radius, radius + 1, dtype=torch.float64)[None]
        combs.append(((1 - (axis - places).abs()).clamp(min=0) * weights).sum(1))  # linear between two pixels
    comb = combs[0][:, None] * combs[1][None]
    rows, columns = (n // 2 for n in comb.shape)
    around = F.pad(kernel.double(), (2 * columns, 2 * columns, 2 * rows, 2 * rows))
    smooth = F.conv2d(around[None, None], comb[None, None])[0, 0]
    return normalised((1 + amount) * F.pad(kernel.double(), (columns, columns, rows, rows)) - amount * smooth)


def resampled(kernel: Tensor, ratios: tuple[float, float]) -> Tensor:
    """Stretch a kernel by (vertical, horizontal) ratios, and crop rows and columns that hold nothing."""
    rim = [math.ceil(2 / min(1.0, ratio)) for ratio in ratios]  # which the stretched kernel may reach
    stretched = resize(F.pad(kernel, (rim[1], rim[1], rim[0], rim[0])), ratios)
    if bool((kernel >= 0).all()):
        stretched = stretched.clamp(min=0)  # interpolation makes small negative taps
    top, bottom, left, right = extent(stretched, NEGLIGIBLE_TAP)
    return normalised(stretched[top:bottom, left:right])


def is_shifted_copy(first: Tensor, second: Tensor) -> bool:
    """Whether two kernels are equal once their centres of mass lie at one place."""
    a, b = (in_convention(kernel, "centred", 1.0) for kernel in (first, second))
    return a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=NEGLIGIBLE_TAP * float(a.max()))


def extent(kernel: Tensor, least: float) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the taps that are larger than `least` times the largest."""
    rows, columns = (kernel.abs() > least * kernel.abs().max()).nonzero().unbind(1)
    return int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1


def in_convention(kernel: Tensor, convention: str, scale: float) -> Tensor:
    """Move a kernel's centre of mass to where other software expects it, in an array of odd sides.

    Args:
        kernel: (rows, columns), of any alignment.
        convention: "centred" (MZSR: the middle of the array), "kernelgan" (kernel_shift of ZSSR, KernelGAN
            and DIV2KRK: (s - 1) / 2 below and right of the middle) or "fkp" (FKP, USRNet: as much above
            and left of it).
        scale: s.
    """
    if convention not in CONVENTIONS:
        raise KernelError(f"unknown kernel convention {convention!r}; use one of {', '.join(CONVENTIONS)}")
    offset = {"centred": 0.0, "kernelgan": (scale - 1) / 2, "fkp": (1 - scale) / 2}[convention]
    mass = centre_of_mass(kernel)
    reach = max(max(m, n - 1 - m) for m, n in zip(mass, kernel.shape, strict=True))
    rounding = 1e-6  # pixels by which float32 taps leave a centre of mass uncertain, at most
    side = 2 * math.ceil(reach + abs(offset) + 2.5 - rounding) + 1
    moves = [side // 2 + offset - m for m in mass]
    whole = [math.floor(m) for m in moves]
    fine = shifted(kernel, moves[0] - whole[0], moves[1] - whole[1])
    top, left = whole[0] - 2, whole[1] - 2
    return F.pad(fine, (left, side - left - fine.shape[1], top, side - top - fine.shape[0]))


def _gaussian(side: int, variance: float, across: float, angle: float) -> Tensor:
    x = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    y = x[:, None]
    along = x * math.cos(angle) + y * math.sin(angle)
    beside = y * math.cos(angle) - x * math.sin(angle)
    return torch.exp(-0.5 * (along**2 / variance + beside**2 / across))


def _fine_grid(reach: float) -> tuple[Tensor, Tensor]:
    """Rows and columns, in pixels from the middle, of a grid of 16 points per pixel in whole pixels around it."""
    fine, radius = 16, math.ceil(reach - 0.5)
    axis = (torch.arange((2 * radius + 1) * fine, dtype=torch.float64) + 0.5) / fine - radius - 0.5
    return axis[:, None], axis[None]


def _pixel_means(shape: Tensor) -> Tensor:
    """The kernel of a shape on the grid of `_fine_grid`."""
    return normalised(F.avg_pool2d(shape[None], 16)[0])


def _uniform(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))


def _shift_matrix(length: int, shift: float) -> Tensor:
    targets = torch.arange(length + 4, dtype=torch.float64)[:, None] - 2
    return cubic(targets - shift - torch.arange(length, dtype=torch.float64)[None, :])
