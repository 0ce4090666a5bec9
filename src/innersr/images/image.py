"""An image in memory, with its metadata."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.images.formats import DEPTHS
from innersr.images.metadata import Metadata, TiffLayout


@dataclass(frozen=True, kw_only=True, eq=False)
class Image:
    """One upright image in its own colour space.

    Args:
        colour: (1, C, H, W) float32 on the CPU, straight (not premultiplied). Integer files give
            value / 255 or value / 65535, float files their stored values.
        alpha: (1, 1, H, W) in [0, 1], None when the file has none.
        depth: "uint8", "uint16" or "float32": how the file stores samples, and how `save` will.
        metadata: colour profile, EXIF and the like.
        notes: sentences about conversions and losses.
        is_rgb: whether the first three channels are red, green and blue, for TIFF files; None: three are, more are not.
        is_lossless: whether the WebP or AVIF file stores its values without loss, as `save` then does.
        layout: how a TIFF file stores its pixels, as `save` then does; its uint8 and uint16 values are turned over here
            where their 0 is white.
        missing: bool, (1, C, H, W): the values that are no data, which may be anything, NaN included. None for none.

    Raises:
        InputError: a tensor of another shape or type, or an unknown depth.
    """

    colour: Tensor
    alpha: Tensor | None = None
    depth: str = "uint8"
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()
    missing: Tensor | None = None
    is_rgb: bool | None = None
    is_lossless: bool = False
    layout: TiffLayout = TiffLayout()

    def __post_init__(self) -> None:
        shape = tuple(self.colour.shape)
        if len(shape) != 4 or shape[0] != 1 or 0 in shape or self.colour.dtype != torch.float32:
            raise InputError(f"colour must be (1, C, H, W) float32, got {shape} {self.colour.dtype}")
        if self.alpha is not None and tuple(self.alpha.shape) != (1, 1, *shape[2:]):
            raise InputError(f"alpha must be (1, 1, {shape[2]}, {shape[3]}), got {tuple(self.alpha.shape)}")
        if self.missing is not None and (self.missing.shape != self.colour.shape or self.missing.dtype != torch.bool):
            raise InputError(f"missing must be bool {shape}, got {tuple(self.missing.shape)} {self.missing.dtype}")
        if self.depth not in DEPTHS:
            raise InputError(f"depth must be one of {', '.join(DEPTHS)}, got {self.depth!r}")
