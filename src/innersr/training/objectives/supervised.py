"""Training objective of supervised super-resolution: undo one fixed degradation, or blurs that are not given.

MZSR's large-scale training is the first, with bicubic downsampling (Soh 2020, sec. 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.inference.detail import super_resolve
from innersr.metrics.grey_levels import linear_luma, quantized
from innersr.networks.detail_stack import DetailStack
from innersr.physics.convolution import is_whole
from innersr.physics.degradation import SUBSAMPLINGS, Degradation
from innersr.physics.resize import image_size
from innersr.run import Run, generator_of
from innersr.settings import check_choices
from innersr.training.crops import CropPool, Crops
from innersr.training.degradations import ANCHORS, KERNEL_SIDE, random_blur, scales_from
from innersr.training.objective import ERRORS, OPTIMIZERS, Loss, ParameterGroup, reconstruction_loss
from innersr.training.validation import measure


@dataclass(frozen=True, kw_only=True)
class SupervisedObjective:
    """Trains a `DetailStack` with biases.

    Args:
        scale: HR pixels per LR pixel, at least 2, or the smallest of them.
        scales: how many there are to draw from, each 0.2 above the one before, see `MZSRObjective`.
        subpixel: whether the network works on the LR image, not at HR resolution on the interpolated one.
        width, depth: features of each hidden layer, and number of convolutions.
        batch: crops per step.
        crop: their side in HR pixels, a multiple of every whole scale.
        blur: whether each is blurred by a random kernel of MZSR's first, which is not given to the network.
        unblurred: share of crops without that blur, shrunk bicubically.
        subsampling: after the blur, "bicubic" or "direct"; without, it is bicubic.
        anchor: where kernels lie: "aligned", "centre" or "either", see `MZSRObjective`.
        optimizer: of the weights between the hidden layers, "adam" or "muon".
        error: minimised: "absolute", as usual, of the colours; "logarithmic", of colours and luma, see
            `reconstruction_loss`.
        seed: of the initial weights and of every draw.

    Raises:
        InputError: a setting out of its range.
    """

    scale: float = 2.0
    scales: int = 1
    subpixel: bool = False
    width: int = 64
    depth: int = 8
    batch: int = 16
    crop: int = 64
    blur: bool = False
    unblurred: float = 0.0
    subsampling: str = "bicubic"
    anchor: str = "aligned"
    optimizer: str = "adam"
    error: str = "absolute"
    seed: int = 0
    unit: ClassVar[str] = "dB"

    def __post_init__(self) -> None:
        if not 2 <= self.scale < math.inf or self.scales < 1:
            raise InputError(f"scale must be 2 at least and scales 1, got {self.scale:g} and {self.scales}")
        if self.crop < max(self._scales) or any(self.crop % round(s) for s in self._scales if is_whole(s)):
            raise InputError(f"crop must be a multiple of every whole scale, got {self.crop} for {self._scales}")
        if self.subpixel and (self.scales > 1 or not is_whole(self.scale)):
            raise InputError(f"a sub-pixel network needs one whole scale, got {self._scales}; use subpixel=false")
        check_choices(self, optimizer=OPTIMIZERS, subsampling=SUBSAMPLINGS, anchor=ANCHORS, error=ERRORS)
        if self.blur and self.crop < KERNEL_SIDE:
            raise InputError(f"crop must be {KERNEL_SIDE} at least, the side of the kernels, got {self.crop}")
        if not self.blur and (self.subsampling, self.anchor, self.unblurred) != ("bicubic", "aligned", 0):
            raise InputError("subsampling, anchor and unblurred are for blurred images; set blur=true")
        if not 0 <= self.unblurred <= 1:
            raise InputError(f"unblurred is a share from 0 to 1, got {self.unblurred}")
        if min(self.batch, self.width) < 1 or self.depth < 2:
            raise InputError("batch and width must be 1 at least, depth 2 at least")

    @property
    def side(self) -> int:
        """Side in pixels of the largest crop it needs."""
        return self.crop

    def network(self) -> DetailStack:
        """A new network, its weights drawn from the seed."""
        factors = (round(self.scale), round(self.scale)) if self.subpixel else (1, 1)
        generator = torch.Generator().manual_seed(self.seed)
        return DetailStack(3, factors=factors, width=self.width, depth=self.depth, bias=True, generator=generator)

    def parameter_groups(self, network: DetailStack) -> list[ParameterGroup]:
        """The weights between hidden layers, and the rest."""
        rest = dict(network.named_parameters())
        hidden = [rest.pop(f"convolutions.{i}.weight") for i in range(1, self.depth - 1)]
        return [ParameterGroup(hidden, self.optimizer), ParameterGroup([*rest.values()])]

    def crops(self, pool: CropPool, step: int, index: Sequence[int]) -> Crops:
        """Cut the sharp crops of some tasks of a step."""
        return pool.crops(self.crop, step, [generator_of(self.seed, step, i) for i in index])

    def loss(self, network: DetailStack, crops: Crops, run: Run) -> Loss:
        """Reconstruction loss."""
        with torch.no_grad():
            hr = crops.images.to(run.torch_device).float() / 255
            inputs, base = self._pairs(hr, crops.generators)
        with run.autocast():
            detail = network(inputs)
        error = base + detail.float() - hr
        loss = reconstruction_loss(error, self.error)
        if self.error != "absolute":
            loss = loss + reconstruction_loss(linear_luma(error), self.error)
        return Loss(loss * (len(hr) / self.batch))

    def validate(self, network: DetailStack, images: Sequence[Tensor], run: Run) -> dict[str, float]:
        """PSNR-Y in dB by degradation and scale."""
        quiet = replace(run, report=None)

        def upscale(lr: Tensor, degradation: Degradation) -> Tensor:
            return super_resolve(network, lr.to(run.torch_device), degradation, quiet, ensemble=False)

        names = ["bicubic", "g2.0d"]  # the second was not trained for
        if self.blur:
            names = ["g2.0d", "ganid"] if self.subsampling == "direct" else ["bicubic", "g1.3b"]
        return measure(upscale, images, [(name, round(s)) for s in self._scales if is_whole(s) for name in names])

    def _pairs(self, hr: Tensor, generators: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
        """The network's input for sharp images, and the interpolated LR images."""
        if not self.blur and self.scales == 1:
            return self._pair(hr, Degradation(scale=self.scale))
        pairs = [self._pair(x[None], self._degradation(g)) for x, g in zip(hr, generators, strict=True)]
        inputs, base = (torch.cat(images) for images in zip(*pairs, strict=True))
        return inputs, base

    def _pair(self, hr: Tensor, degradation: Degradation) -> tuple[Tensor, Tensor]:
        lr = quantized(degradation(hr))
        base = degradation.upsample(lr, image_size(hr))
        return lr if self.subpixel else base, base

    def _degradation(self, generator: torch.Generator) -> Degradation:
        """Draw the degradation of one crop."""
        scales = self._scales
        scale = scales[int(torch.randint(len(scales), (), generator=generator))] if len(scales) > 1 else self.scale
        if not self.blur or (self.unblurred and float(torch.rand((), generator=generator)) < self.unblurred):
            return Degradation(scale=scale)
        return random_blur(generator, scale, subsampling=self.subsampling, anchor=self.anchor)

    @property
    def _scales(self) -> list[float]:
        return scales_from(self.scale, self.scales)
