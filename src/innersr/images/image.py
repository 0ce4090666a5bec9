"""An image in memory, with its metadata."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field

import PIL.Image
import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.images.colours.screen import in_srgb, profile_of, white_of
from innersr.images.formats import DEPTHS
from innersr.images.metadata import PALETTE, Metadata, TiffLayout


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
        is_rgb: whether the first three channels are red, green and blue, for TIFF files; None: only if there are three.
        is_lossless: whether the WebP or AVIF file stores its values without loss, as `save` then does.
        layout: how a TIFF file stores its pixels, as `save` then does; uint8 and uint16 values whose 0 is white are
            inverted here.
        missing: bool, (1, C, H, W): values without data, which may be anything, NaN included. None for none.

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

    @property
    def has_indices(self) -> bool:
        """Whether its values are indices of colours of a TIFF's palette."""
        return any(tag.code == PALETTE for tag in self.metadata.tags)

    @property
    def reading_notes(self) -> tuple[str, ...]:
        """The notes without those about what a written file would lack."""
        return tuple(note for note in self.notes if not re.search(r"\b(is|are) not kept\b", note))

    def _repr_png_(self) -> bytes:
        """The picture as a notebook shows it: 8 bits, at most 512 pixels a side, no data as transparent."""
        side, (height, width) = 512, self.colour.shape[-2:]
        step = -(-max(height, width) // side)
        colour, alpha = self.colour[0, :, ::step, ::step], self.alpha
        bands = colour[:3] if colour.shape[0] >= 3 else colour[:1].expand(3, -1, -1)  # noqa: PLR2004 (RGB)
        known = torch.ones_like(bands, dtype=torch.bool) if self.missing is None else bands.isfinite()
        if self.missing is not None:
            known &= ~self.missing[0, : len(colour), ::step, ::step].any(0)
        values, icc = bands.nan_to_num(0, 0, 0), profile_of(self.metadata.icc, len(colour), is_rgb=self.is_rgb)
        if icc is None:
            shown = _displayed(values, known)
        else:
            values = values.masked_fill(~known, 0.0)[None, : len(colour)]
            shown = in_srgb(values, icc, white_of(values, self.depth))[0].clamp(0, 1).expand(3, -1, -1)
        opacity = known.all(0, keepdim=True).float()
        if alpha is not None:
            opacity = opacity * alpha[0, :, ::step, ::step]
        levels = (255 * torch.cat([shown, opacity])).round().to(torch.uint8).permute(1, 2, 0).contiguous()
        stream = io.BytesIO()
        PIL.Image.fromarray(levels.numpy()).save(stream, "PNG")
        return stream.getvalue()


def _displayed(bands: Tensor, known: Tensor) -> Tensor:
    """Bands in [0, 1]: as they are, or from their least to their greatest known value where they leave that range."""
    values = bands[known]
    if values.numel() == 0 or (values.min() >= 0 and values.max() <= 1):
        return bands.clamp(0, 1)
    low, high = values.min(), values.max()
    return ((bands - low) / (high - low).clamp(min=torch.finfo(torch.float32).tiny)).clamp(0, 1)
