"""The lesson of usual super-resolution: undo what is always the same, or blurs that nobody tells.

MZSR's large-scale training is the first, with bicubic shrinking (Soh 2020, sec. 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from innersr.degradation import Degradation
from innersr.detail import render
from innersr.errors import InputError
from innersr.metrics import quantized
from innersr.networks import DetailStack
from innersr.pretraining.crops import CropPool, Crops
from innersr.pretraining.lessons import ERRORS, OPTIMIZERS, ParameterGroup, luma_of, size_of
from innersr.pretraining.tasks import ANCHORS, KERNEL_SIDE, SUBSAMPLINGS, random_blur
from innersr.pretraining.validation import measure
from innersr.run import Run, generator_of

DEGRADATIONS = ("bicubic", "g2.0d")  # that it is validated on; it learns the first
BLURS = {"direct": ("g2.0d", "ganid"), "bicubic": ("bicubic", "g1.3b")}  # and with `blur`, by subsampling


@dataclass(frozen=True, kw_only=True)
class SupervisedLesson:
    """Teaches a `DetailStack` with biases.

    Args:
        scale: HR pixels per LR pixel, at least 2.
        subpixel: whether the network works on the LR image, not at HR resolution on the interpolated one.
        width: features of each hidden layer.
        depth: number of convolutions.
        batch: crops per step.
        crop: their side in HR pixels, a multiple of the scale.
        blur: whether each is blurred by a random kernel first, one of MZSR's, which the network is not told.
        subsampling: after the blur, "bicubic" or "direct"; without, it is bicubic.
        anchor: where kernels lie: "aligned", "centre" or "either", see `MZSRLesson`.
        optimizer: of the weights between the hidden layers, "adam" or "muon".
        error: what is made small: "absolute", as usual, of the colours; "logarithmic", of colours and luma, see
            `size_of`.
        seed: of the initial weights and of every draw.

    Raises:
        InputError: a setting out of its range.
    """

    scale: int = 2
    subpixel: bool = False
    width: int = 64
    depth: int = 8
    batch: int = 16
    crop: int = 64
    blur: bool = False
    subsampling: str = "bicubic"
    anchor: str = "aligned"
    optimizer: str = "adam"
    error: str = "absolute"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.scale < 2 or self.crop < self.scale or self.crop % self.scale:
            raise InputError(f"scale must be 2 at least and crop a multiple of it, got {self.scale} and {self.crop}")
        for name, choices in (
            ("optimizer", OPTIMIZERS),
            ("subsampling", SUBSAMPLINGS),
            ("anchor", ANCHORS),
            ("error", ERRORS),
        ):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        if self.blur and self.crop < KERNEL_SIDE:
            raise InputError(f"crop must be {KERNEL_SIDE} at least, the side of the kernels, got {self.crop}")
        if not self.blur and (self.subsampling, self.anchor) != ("bicubic", "aligned"):
            raise InputError("subsampling and anchor are those of blurred images; set blur=true")
        if min(self.batch, self.width) < 1 or self.depth < 2:
            raise InputError("batch and width must be 1 at least, depth 2 at least")

    @property
    def unit(self) -> str:
        """Of what `validate` returns."""
        return "dB"

    @property
    def side(self) -> int:
        """Side in pixels of the largest crop that it asks for."""
        return self.crop

    def network(self) -> DetailStack:
        """Return the network with its initial weights."""
        factors = (self.scale, self.scale) if self.subpixel else (1, 1)
        generator = torch.Generator().manual_seed(self.seed)
        return DetailStack(3, factors=factors, width=self.width, depth=self.depth, bias=True, generator=generator)

    def parameter_groups(self, network: DetailStack) -> list[ParameterGroup]:
        """Return the weights between hidden layers, and the rest."""
        hidden_names = {f"convolutions.{i}.weight" for i in range(1, self.depth - 1)}
        hidden = [parameter for name, parameter in network.named_parameters() if name in hidden_names]
        rest = [parameter for name, parameter in network.named_parameters() if name not in hidden_names]
        return [ParameterGroup(hidden, self.optimizer), ParameterGroup(rest)]

    def crops(self, pool: CropPool, step: int, index: Sequence[int]) -> Crops:
        """Cut the sharp crops of some tasks of a step."""
        return pool.crops(self.crop, step, [generator_of(self.seed, step, i) for i in index])

    def loss(self, network: DetailStack, crops: Crops, run: Run) -> Tensor:
        """Return these tasks' part of the error."""
        with torch.no_grad():
            hr = crops.images.to(run.torch_device).float() / 255
            lr, base = self._pairs(hr, crops.generators)
        with run.autocast():
            detail = network(lr if network.sees_lr else base)
        error = base + detail.float() - hr
        size = size_of(error, self.error)
        if self.error != "absolute":
            size = size + size_of(luma_of(error), self.error)
        return size * (len(hr) / self.batch)

    def validate(self, network: DetailStack, images: Sequence[Tensor], run: Run) -> dict[str, float]:
        """Return PSNR-Y in dB by degradation and scale."""
        quiet = replace(run, report=None)

        def upscale(lr: Tensor, degradation: Degradation) -> Tensor:
            return render(network, lr.to(run.torch_device), degradation, quiet, ensemble=False)

        names = BLURS[self.subsampling] if self.blur else DEGRADATIONS
        return measure(upscale, images, [(name, self.scale) for name in names])

    def _pairs(self, hr: Tensor, generators: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
        """Return the LR images of sharp ones, and those interpolated."""
        if not self.blur:
            return _pair(hr, Degradation(scale=self.scale))
        pairs = [
            _pair(x[None], random_blur(generator, self.scale, subsampling=self.subsampling, anchor=self.anchor))
            for x, generator in zip(hr, generators, strict=True)
        ]
        lr, base = (torch.cat(images) for images in zip(*pairs, strict=True))
        return lr, base


def _pair(hr: Tensor, degradation: Degradation) -> tuple[Tensor, Tensor]:
    lr = quantized(degradation(hr))
    return lr, degradation.upsample(lr, (hr.shape[-2], hr.shape[-1]))
