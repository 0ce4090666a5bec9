"""Motion between two frames: a dense optical flow, and frames warped by it. Knows no network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def optical_flow(frame: Tensor, other: Tensor) -> Tensor:
    """Where each pixel of a frame is in another one: (1, 2, H, W), pixels down and across.

    From coarse to fine by iterations of Lucas and Kanade (1981), after a shift of the whole frame by phase
    correlation (Kuglin and Hines 1975), which finds the motion of a camera however fast it is.

    Args:
        frame: (1, 1, H, W).
        other: of the same shape.
    """
    levels, least = [(frame, other)], 24  # pixels of the shorter side of the coarsest level
    while min(levels[-1][0].shape[-2:]) >= 2 * least:
        fixed, moving = levels[-1]
        levels.append((F.avg_pool2d(_blurred(fixed), 2), F.avg_pool2d(_blurred(moving), 2)))
    flow = _shift(frame, other).view(1, 2, 1, 1) / 2 ** (len(levels) - 1)
    for fixed, moving in reversed(levels):
        is_coarsest = flow.shape[-2:] == (1, 1)
        flow = F.interpolate(flow, size=fixed.shape[-2:], mode="bilinear") * (1 if is_coarsest else 2)
        for _ in range(3):
            flow = _median(flow + _step(fixed, warped(moving, flow)))
    return flow


def warped(x: Tensor, flow: Tensor) -> Tensor:
    """The values of an image, (1, C, H, W), at the places that a flow of its size points to; cubic interpolation."""
    height, width = x.shape[-2:]
    rows = torch.arange(height, dtype=x.dtype).view(1, -1, 1) + flow[:, 0]
    columns = torch.arange(width, dtype=x.dtype).view(1, 1, -1) + flow[:, 1]
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], -1)
    return F.grid_sample(x, grid, mode="bicubic", padding_mode="border", align_corners=False)


def _step(fixed: Tensor, moved: Tensor) -> Tensor:
    """The change of a flow that explains the difference of two images, in windows of some pixels."""
    mean = (fixed + moved) / 2
    down, across = _slopes(mean)
    change = fixed - moved
    sums = [_window(each) for each in (down * down, down * across, across * across, down * change, across * change)]
    yy, yx, xx, yt, xt = sums
    weak = 1e-5  # of the squared slopes: where there are none, nothing moves
    yy, xx = yy + weak, xx + weak
    inverse = 1 / (yy * xx - yx * yx)
    step = torch.cat([(xx * yt - yx * xt) * inverse, (yy * xt - yx * yt) * inverse], 1)
    return step.clamp(-1, 1)


def _slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    padded = F.pad(x, (1, 1, 1, 1), "replicate")
    return (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2, (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2


def _window(x: Tensor) -> Tensor:
    """Means over 5x5 pixels, twice, so that near pixels count most."""
    for _ in range(2):
        x = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), "replicate"), 5, stride=1)
    return x


def _blurred(x: Tensor) -> Tensor:
    taps = x.new_tensor((1, 4, 6, 4, 1)) / 16
    x = F.conv2d(F.pad(x, (0, 0, 2, 2), "replicate"), taps.view(1, 1, 5, 1))
    return F.conv2d(F.pad(x, (2, 2, 0, 0), "replicate"), taps.view(1, 1, 1, 5))


def _median(flow: Tensor) -> Tensor:
    """The median of 3x3 neighbours, against single windows that diverge."""
    padded = F.pad(flow, (1, 1, 1, 1), "replicate")
    height, width = flow.shape[-2:]
    near = [padded[..., i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return torch.stack(near).median(0).values


def _shift(frame: Tensor, other: Tensor) -> Tensor:
    """The shift (down, across) of a whole frame, in whole pixels, by phase correlation."""
    height, width = frame.shape[-2:]
    taper = torch.hann_window(height, periodic=False)[:, None] * torch.hann_window(width, periodic=False)
    a, b = (torch.fft.rfft2((x[0, 0] - x.mean()) * taper) for x in (frame, other))
    cross = b * a.conj()
    peaks = torch.fft.irfft2(cross / cross.abs().clamp(min=1e-9), s=(height, width))
    place = int(peaks.argmax())
    down, across = place // width, place % width
    half = (height // 2, width // 2)
    found = (down - height if down > half[0] else down, across - width if across > half[1] else across)
    shifted = warped(other, torch.tensor(found, dtype=frame.dtype).view(1, 2, 1, 1).expand(1, 2, height, width))
    is_better = (shifted - frame).abs().mean() < (other - frame).abs().mean()
    return frame.new_tensor(found if bool(is_better) else (0, 0))
