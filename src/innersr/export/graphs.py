"""Trained networks as modules of plain operations, which exporters can follow. Knows no file.

A graph sees the LR image, (N, C, h, w) in [0, 1], and returns the HR image, (N, C, s * h, s * w) in [0, 1]: what
innersr computes of the whole image in one tile and one view. Beyond its borders the image is mirrored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from innersr.errors import InputError
from innersr.inference.tailored import condition_on, knowable_to
from innersr.networks.convolutions import SLOPE
from innersr.networks.detail_stack import DetailStack
from innersr.networks.tailored_stack import SCALES, TailoredStack
from innersr.physics.convolution import is_whole
from innersr.physics.degradation import Degradation
from innersr.physics.geometry import scale_words
from innersr.physics.pseudoinverse import RADIUS, REACH, correction_filters, taps_of
from innersr.physics.resize import cubic


class GraphModule(nn.Module):
    """A network with all that surrounds it."""

    scale: int
    channels: int
    halo: int
    """LR pixels around a tile that its HR pixels depend on."""

    def sample_inputs(self, size: tuple[int, int], generator: torch.Generator) -> dict[str, Tensor]:
        """Inputs for a trial, by name: two images of (height, width), drawn."""
        return {"lr": torch.rand(2, self.channels, *size, generator=generator)}


class TailoredGraph(GraphModule):
    """A TailoredStack for one degradation: pseudo-inverse, network and projection.

    Args:
        network: trained.
        degradation: of one of SCALES; the network is folded for it. Without noise and compression the result is
            projected once, so that it agrees with the LR image.
        channels: 1 for grey images, or as many as the network's.
    """

    def __init__(self, network: TailoredStack, degradation: Degradation, channels: int) -> None:
        super().__init__()
        self.scale, self.channels, self.halo = _whole_scale(degradation), channels, network.depth + RADIUS
        _check_scale(self.scale)
        degradation = knowable_to(network, degradation)
        conditioning = condition_on(degradation, torch.device("cpu"))
        layers = network.folded(self.scale, conditioning.vector, channels)
        self.weights = _constants(weight for weight, _ in layers)
        self.biases = _constants(bias for _, bias in layers)
        self.filters = _constant(_as_convolution(conditioning.filters))
        self.blur = self.correction = None
        if degradation.noise == 0 and degradation.compression == 0:
            blur = degradation.effective_kernel().blur
            self.blur, self.anchor = _constant(blur.kernel[None, None]), blur.anchor
            taps = taps_of(degradation)[None]
            self.correction = _constant(_as_convolution(correction_filters(taps, self.scale, taps.new_zeros(1))))
            self.halo += RADIUS + REACH

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (N, C, h, w)."""
        around = _mirrored(lr, (RADIUS, RADIUS), (RADIUS, RADIUS))
        solution = _convolved(around, self.filters)
        features = torch.cat([lr, solution], dim=1)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            features = F.leaky_relu(F.conv2d(features, weight, bias, padding=1), SLOPE)
        lacking = F.conv2d(features, self.weights[-1], self.biases[-1], padding=1)
        sr = F.pixel_shuffle(solution + lacking * _texture_mask(around), self.scale).clamp(0, 1)
        if self.blur is None or self.correction is None:
            return sr
        residual = _mirrored(lr - self._shrunk(sr), (RADIUS, RADIUS), (RADIUS, RADIUS))
        return (sr + F.pixel_shuffle(_convolved(residual, self.correction), self.scale)).clamp(0, 1)

    def _shrunk(self, sr: Tensor) -> Tensor:
        """The result degraded again, (N, C, h, w)."""
        assert self.blur is not None
        after = [n - self.scale - anchor for n, anchor in zip(self.blur.shape[-2:], self.anchor, strict=True)]
        grown = _mirrored(sr, (self.anchor[0], after[0]), (self.anchor[1], after[1]))
        return _convolved(grown, self.blur, self.scale)


class ConditionedGraph(GraphModule):
    """A TailoredStack of one scale for any degradation, whose conditioning comes with the images.

    There is no projection: `conditioning_inputs` makes the further inputs of a degradation.
    """

    def __init__(self, network: TailoredStack, scale: int) -> None:
        super().__init__()
        _check_scale(scale)
        self.scale, self.channels, self.halo = scale, network.channels, network.depth + RADIUS
        self.network = network

    def forward(self, lr: Tensor, vector: Tensor, filters: Tensor) -> Tensor:
        """Super-resolve (N, C, h, w), given (1, conditions) and (s * s, 1, 2 * RADIUS + 1, 2 * RADIUS + 1)."""
        around = _mirrored(lr, (RADIUS, RADIUS), (RADIUS, RADIUS))
        solution = _convolved(around, filters)
        features = torch.cat([lr, solution], dim=1)
        layers = [self.network.heads[str(self.scale)], *self.network.body]
        for layer, (gain, shift) in zip(layers, self.network.modulation(vector), strict=True):
            features = F.leaky_relu(layer(features) * gain[..., None, None] + shift[..., None, None], SLOPE)
        lacking = self.network.tails[str(self.scale)](features)
        return F.pixel_shuffle(solution + lacking * _texture_mask(around), self.scale).clamp(0, 1)

    def sample_inputs(self, size: tuple[int, int], generator: torch.Generator) -> dict[str, Tensor]:
        """Inputs for a trial: images, and the conditioning on bicubic downsampling with noise."""
        more = conditioning_inputs(self.network, Degradation(scale=self.scale, noise=0.02))
        return super().sample_inputs(size, generator) | more


class DetailGraph(GraphModule):
    """A DetailStack: interpolation on the degradation's grid plus the predicted detail.

    Args:
        network: trained for the scale, with factors of 1 or of the scale.
        degradation: its scale is whole.
        channels: 1 for grey images, or as many as the network's.
    """

    def __init__(self, network: DetailStack, degradation: Degradation, channels: int) -> None:
        super().__init__()
        self.scale, self.channels = _whole_scale(degradation), channels
        if network.sees_lr and network.factors != (self.scale, self.scale):
            raise InputError(f"this network enlarges {network.factors[0]} times, got {self.scale}")
        self.network = network.grey() if channels == 1 else network
        self.interpolation = _constant(_interpolation(degradation, self.scale))
        self.margin = self.interpolation.shape[-1] // 2
        self.halo = self.margin + (network.radius if network.sees_lr else math.ceil(network.radius / self.scale))

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (N, C, h, w)."""
        margin = (self.margin, self.margin)
        base = F.pixel_shuffle(_convolved(_mirrored(lr, margin, margin), self.interpolation), self.scale)
        features = lr if self.network.sees_lr else base
        for convolution in self.network.convolutions[:-1]:
            features = torch.relu(convolution(features))
        detail = self.network.convolutions[-1](features)
        return (base + (F.pixel_shuffle(detail, self.scale) if self.network.sees_lr else detail)).clamp(0, 1)


def graph_of(network: nn.Module, degradation: Degradation, *, grey: bool = False) -> GraphModule:
    """The graph of a network for one degradation, and for grey images or for those of the network's channels.

    Raises:
        InputError: another network, a scale that it lacks, counting noise, or an image that wraps.
    """
    _check_noise(degradation)
    if any(degradation.wraps):
        raise InputError("an exported network mirrors the image at its borders; pad a picture that wraps yourself")
    if isinstance(network, TailoredStack):
        return TailoredGraph(network, degradation, 1 if grey else network.channels).eval()
    if isinstance(network, DetailStack):
        return DetailGraph(network, degradation, 1 if grey else network.channels).eval()
    raise InputError(f"a {type(network).__name__} makes no image; export a prior of Tailor, Supervised or MZSR")


def conditioning_inputs(network: TailoredStack, degradation: Degradation) -> dict[str, Tensor]:
    """The inputs `vector` and `filters` of a `ConditionedGraph` for a degradation of its scale."""
    _whole_scale(degradation)
    _check_noise(degradation)
    conditioning = condition_on(knowable_to(network, degradation), torch.device("cpu"))
    known = network.told.in_features
    return {"vector": conditioning.vector[:, :known].contiguous(), "filters": _as_convolution(conditioning.filters)}


def _whole_scale(degradation: Degradation) -> int:
    vertical, horizontal = degradation.scales
    if vertical != horizontal or not is_whole(vertical):
        raise InputError(
            f"an exported network enlarges by one whole scale, got {scale_words(degradation.scale)}; resize its result"
        )
    return round(vertical)


def _check_noise(degradation: Degradation) -> None:
    if degradation.counting is not None:
        raise InputError("an exported network knows no counting noise; give one standard deviation (--noise 5)")


def _check_scale(scale: int) -> None:
    if scale not in SCALES:
        raise InputError(f"this network enlarges {', '.join(map(str, SCALES))} times, got {scale}")


def _interpolation(degradation: Degradation, scale: int) -> Tensor:
    """Cubic interpolation as in `Degradation.upsample`, as filters: (s * s, 1, T, T)."""
    places = [(torch.arange(scale, dtype=torch.float64) - offset) / scale for offset in degradation.offsets]
    margin = math.ceil(max(float(place.abs().max()) for place in places)) + 2
    taps = torch.arange(-margin, margin + 1, dtype=torch.float64)
    rows, columns = (cubic(place[:, None] - taps) for place in places)
    return torch.einsum("pi,qj->pqij", rows, columns).flatten(0, 1)[:, None].float()


def _as_convolution(filters: Tensor) -> Tensor:
    """Filters of `apply_filters`, (1, F, T, T), as weights of a correlation, (F, 1, T, T)."""
    return filters[0, :, None].flip(-1, -2).contiguous()


def _convolved(x: Tensor, filters: Tensor, stride: int = 1) -> Tensor:
    """Every channel of (N, C, H, W) correlated with every one of (F, 1, T, T): (N, C * F, h, w)."""
    planes = F.conv2d(x.reshape(-1, 1, *x.shape[-2:]), filters, stride=stride)
    return planes.reshape(-1, x.shape[1] * filters.shape[0], *planes.shape[-2:])


def _mirrored(x: Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    """Extend the last two axes by pixels (before, after), as `resize.reflect` does; exporters cannot follow that."""
    for axis, (before, after) in ((-2, rows), (-1, columns)):
        length = x.shape[axis]
        index = torch.arange(-before, length + after, device=x.device)
        folded = torch.remainder(index, torch.full_like(index, 2 * length))
        x = x.index_select(axis, torch.minimum(folded, 2 * length - 1 - folded))
    return x


def _texture_mask(around: Tensor) -> Tensor:
    """`tailored.texture_mask` by pooling."""
    inner = slice(RADIUS - 3, 3 - RADIUS)
    near = around[..., inner, inner]
    spread = F.max_pool2d(near, 7, 1) + F.max_pool2d(-near, 7, 1)
    return (255 * spread.amax(1, keepdim=True)).clamp(max=1)


def _constant(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor.detach().clone(memory_format=torch.contiguous_format), requires_grad=False)


def _constants(tensors: Iterable[Tensor]) -> nn.ParameterList:
    return nn.ParameterList([_constant(tensor) for tensor in tensors])
