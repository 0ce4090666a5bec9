"""Images as SinGAN learns them, pictures with values in [-1, 1], and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.images.formats import DEPTHS
from innersr.images.image import Image
from innersr.images.metadata import Metadata

ALPHAS = ("none", "opaque", "learnt")


@dataclass(frozen=True, kw_only=True)
class PictureSource:
    """The conversion of images into pictures, with all that is needed to reverse it.

    Args:
        bands: of colour.
        depth: of the samples, "uint8", "uint16" or "float32".
        alpha: "none"; "opaque" everywhere, which is not learned but given back; or "learnt", as the last channel.
        ranges: (lowest, highest) colour of each band, which become -1 and 1; 0 and 1 if none are given.
        icc: the colour profile.

    Raises:
        InputError: an unknown depth or alpha, or ranges that are not one finite pair a band.
    """

    bands: int
    depth: str = "uint8"
    alpha: str = "none"
    ranges: tuple[tuple[float, float], ...] = ()
    icc: bytes | None = None

    def __post_init__(self) -> None:
        if self.bands < 1:
            raise InputError(f"an image has 1 band of colour at least, got {self.bands}")
        if self.depth not in DEPTHS or self.alpha not in ALPHAS:
            raise InputError(
                f"depth must be one of {', '.join(DEPTHS)} and alpha one of {', '.join(ALPHAS)}, "
                f"got {self.depth!r} and {self.alpha!r}"
            )
        if self.ranges and len(self.ranges) != self.bands:
            raise InputError(f"there must be one range a band, got {len(self.ranges)} for {self.bands} bands")
        if not all(-math.inf < low <= high < math.inf for low, high in self.ranges):
            raise InputError("ranges must be finite pairs, the lowest value before the highest")

    @property
    def channels(self) -> int:
        """Channels of the pictures."""
        return self.bands + (self.alpha == "learnt")


def source_of(images: Sequence[Image]) -> PictureSource:
    """The common conversion of images of one subject into pictures.

    Colours of integer images, and of float images between 0 and 1, keep their range; other float images are
    stretched band by band to their lowest and highest visible value.

    Raises:
        InputError: no image; different bands or colour profiles; NaN or infinite values; nothing is visible.
    """
    if not images:
        raise InputError("there must be one image at least to learn from, got none")
    bands = {image.colour.shape[1] for image in images}
    if len(bands) > 1:
        raise InputError(f"the images have different numbers of colour bands ({_listed(bands)}); convert them to one")
    profiles = {image.metadata.icc for image in images}
    if len(profiles) > 1:
        raise InputError("the images have different colour profiles; convert them to one")
    extremes = torch.stack([_extremes(image) for image in images])
    low, high = extremes[:, 0].amin(dim=0), extremes[:, 1].amax(dim=0)
    depth = max((image.depth for image in images), key=[*DEPTHS].index)
    is_stretched = depth == "float32" and not (low.min() >= 0 and high.max() <= 1)
    return PictureSource(
        bands=bands.pop(),
        depth=depth,
        alpha=_alpha_of(images),
        ranges=tuple(zip(low.tolist(), high.tolist(), strict=True)) if is_stretched else (),
        icc=profiles.pop(),
    )


def to_picture(image: Image, like: Image | PictureSource | None = None) -> Tensor:
    """An image as (1, C, H, W) in [-1, 1].

    Alpha is the last channel, and the colours are premultiplied: what transparent pixels hide is not learned. An
    image that is opaque everywhere is learned without alpha.

    Args:
        image: of any depth and number of bands.
        like: what the picture is to fit, such as the source of a model, where values outside its ranges are
            clipped; the image itself if None.

    Raises:
        InputError: other bands than those of `like`; transparent pixels where `like` has none; NaN or infinite values.
    """
    source = _source(image if like is None else like)
    bands = image.colour.shape[1]
    if bands != source.bands:
        noun = "band" if bands == 1 else "bands"
        raise InputError(f"the image has {bands} colour {noun}, not {source.bands} as was learned; convert it to these")
    _extremes(image)
    colour = image.colour
    if source.ranges:
        low, span = _stretch(source)
        colour = ((colour.double() - low) / span).float()
    colour = colour.clamp(0, 1)
    if source.alpha == "learnt":
        alpha = torch.ones_like(colour[:, :1]) if image.alpha is None else image.alpha
        premultiplied = torch.where(alpha > 0, colour * alpha, torch.zeros_like(colour))
        return torch.cat([premultiplied, alpha], dim=1) * 2 - 1
    if not _is_opaque(image):
        raise InputError("the image has transparent pixels, what was learned has none; remove its alpha channel")
    return colour * 2 - 1


def from_picture(pictures: Tensor, like: Image | PictureSource) -> list[Image]:
    """Return pictures, (N, C, H, W), as images; values outside [-1, 1] are clipped.

    Of the metadata the colour profile is kept: the rest says something of the image that was learned from.

    Args:
        pictures: on any device.
        like: what `to_picture` was given.

    Raises:
        InputError: other channels than those of `like`.
    """
    source = _source(like)
    if pictures.shape[1] != source.channels:
        raise InputError(f"pictures of such images have {source.channels} channels, got {pictures.shape[1]}")
    colour = (pictures.detach().cpu().float().clamp(-1, 1) + 1) / 2
    alpha = None
    if source.alpha == "learnt":
        colour, alpha = colour[:, :-1], colour[:, -1:]
        visible = 0.5 / (DEPTHS[source.depth].white or 65535)  # below it alpha is stored as 0; floats count as 16 bits
        straight = (colour / alpha.clamp(min=visible)).clamp(max=1)
        colour = torch.where(alpha >= visible, straight, torch.zeros_like(straight))
    elif source.alpha == "opaque":
        alpha = torch.ones_like(colour[:, :1])
    if source.ranges:
        low, span = _stretch(source)
        colour = (low + span * colour.double()).float()
    return [
        Image(
            colour=colour[index : index + 1].contiguous(),
            alpha=None if alpha is None else alpha[index : index + 1].contiguous(),
            depth=source.depth,
            metadata=Metadata(icc=source.icc),
        )
        for index in range(len(colour))
    ]


def _source(like: Image | PictureSource) -> PictureSource:
    return source_of([like]) if isinstance(like, Image) else like


def _extremes(image: Image) -> Tensor:
    """(2, bands): the lowest and the highest visible value of each band."""
    values = image.colour[0].flatten(1)
    if image.alpha is not None:
        values = values[:, image.alpha.flatten() > 0]
    if values.shape[1] == 0:
        raise InputError("every pixel of the image is transparent; there is nothing to learn")
    extremes = torch.stack(torch.aminmax(values, dim=1))
    if not extremes.isfinite().all():
        raise InputError("the image holds NaN or infinite values; they have no colour, fill them first")
    return extremes


def _alpha_of(images: Sequence[Image]) -> str:
    if not all(_is_opaque(image) for image in images):
        return "learnt"
    return "none" if all(image.alpha is None for image in images) else "opaque"


def _is_opaque(image: Image) -> bool:
    return image.alpha is None or bool(image.alpha.min() == 1)


def _stretch(source: PictureSource) -> tuple[Tensor, Tensor]:
    """(1, bands, 1, 1) each: the lowest colour, and how far the highest is from it."""
    low, high = torch.tensor(source.ranges, dtype=torch.float64).T[..., None, None]
    return low[None], torch.where(high > low, high - low, torch.ones_like(low))[None]


def _listed(numbers: set[int]) -> str:
    return ", ".join(str(number) for number in sorted(numbers))


def visible(pictures: Tensor, source: PictureSource) -> Tensor:
    """Pictures of a model, (N, C, H, W) in [-1, 1], as they are looked at: in [0, 1], alpha on white."""
    colour = (pictures.detach().cpu().clamp(-1, 1) + 1) / 2
    if source.alpha == "learnt":
        colour = (colour[:, :-1] + 1 - colour[:, -1:]).clamp(0, 1)
    return colour
