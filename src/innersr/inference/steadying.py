"""Steadying of films: each frame is averaged with its neighbours, moved onto it, where they show the same.

Each frame of a film samples the scene at slightly different places. The results of a network differ accordingly, which
is seen as flicker; their mean is nearer to the scene than any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.images.image import Image
from innersr.inference.motion import optical_flow, warped
from innersr.metrics.grey_levels import linear_luma


@dataclass(frozen=True, eq=False)
class UpscaledFrame:
    """A frame of a film and its result.

    Args:
        frame: as it was read.
        result: of the same frame.
    """

    frame: Image
    result: Image


def steadied(now: UpscaledFrame, neighbours: Sequence[UpscaledFrame]) -> Image:
    """The result of a frame, averaged with those of its neighbours where these show the same."""
    total = now.result.colour.clone()
    weights = torch.ones_like(total[:, :1])
    size = total.shape[-2:]
    for other in neighbours:
        flow = optical_flow(_luma(now.frame), _luma(other.frame))
        trust = _trust(_luma(now.frame), warped(_luma(other.frame), flow))
        scales = [large / small for large, small in zip(size, flow.shape[-2:], strict=True)]
        flow = F.interpolate(flow, size=size, mode="bilinear") * flow.new_tensor(scales).view(1, 2, 1, 1)
        weight = F.interpolate(trust, size=size, mode="bilinear")
        if other.result.alpha is not None:  # what is transparent has no colour
            weight = weight * warped(other.result.alpha, flow).clamp(0, 1)
        total += weight * warped(other.result.colour, flow)
        weights += weight
    return replace(now.result, colour=total / weights)


def _luma(image: Image) -> Tensor:
    """(1, 1, H, W), of a grey or RGB image."""
    return image.colour if image.colour.shape[1] == 1 else linear_luma(image.colour)


def _trust(frame: Tensor, moved: Tensor) -> Tensor:
    """Weight from 0 to 1 of a neighbour moved onto a frame, by how much it looks like it in 5x5 pixels."""
    noise = 2 / 255
    share = 0.005  # of the local variance, by which two samplings differ; with more, moving edges lose 0.3 dB
    error = _mean((moved - frame) ** 2, 5)
    variance = (_mean(frame**2, 7) - _mean(frame, 7) ** 2).clamp(min=0)
    return torch.exp(-error / (2 * (noise**2 + share * variance)))


def _mean(x: Tensor, side: int) -> Tensor:
    return F.avg_pool2d(F.pad(x, (side // 2,) * 4, "replicate"), side, stride=1)
