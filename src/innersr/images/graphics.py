"""Pictures drawn by software, told apart from photographs by exact counts: few colours, equal neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.images.formats import DEPTHS
from innersr.images.image import Image


@dataclass(frozen=True, kw_only=True)
class GraphicSettings:
    """Limits of `recognised_graphic`: photographs, also poor ones, keep well away from them."""

    few: tuple[int, int] = (8, 16)  # shades of grey, colours: of 1-bit pictures, boards, dithering
    palette: tuple[int, int] = (48, 256)  # likewise, of pictures in which many neighbours are equal
    equal_in_palette: tuple[float, float] = (0.45, 0.3)  # likewise: least share of those neighbours
    pixels_a_colour: int = 4  # at least: any picture of a few pixels has few colours
    pixels_a_flat_colour: int = 32  # at least, where flat areas and not the number of colours tell
    flat_colours: int = 4096  # at most, likewise
    equal_in_flat: float = 0.45  # least share of equal neighbours, likewise
    sampled: int = 2**16  # pixels in which colours are counted first: nearly all pictures are out then
    art_colours: int = 64  # of pixel art, at most
    art_side: int = 512  # pixels, its longer side at most
    art_smooth: float = 0.25  # of its changes that are smoothed, at most
    pattern_colours: int = 512  # at most, of a pattern that was shrunk
    longest_period: int = 20  # pixels, of a pattern
    repeated: float = 0.5  # of the pixels that are not in flat areas, at least, in a pattern
    pixels_a_label: int = 16  # at least, of a map of classes or labels
    equal_in_labels: float = 0.5  # likewise: least share of equal neighbours, apart from the background
    least_steps: float = 0.8  # likewise: of changes by the least step, at most; slopes have more


SETTINGS = GraphicSettings()


@dataclass(frozen=True, kw_only=True)
class Graphic:
    """A picture drawn by software, as `recognised_graphic` found it."""

    colours: int
    """Number of different colours; all that is transparent counts as one."""
    is_pixel_art: bool
    """Whether the method `pixelart` would suit."""
    has_few_colours: bool = False
    """As 1-bit pictures, boards and dithering have."""
    is_pattern: bool = False
    """Whether most of it repeats exactly and closely along both axes, as boards do also after shrinking."""

    @property
    def summary(self) -> str:
        """One line for the user."""
        colours = "one colour" if self.colours == 1 else f"{self.colours} colours"
        return f"drawn with {colours}: taken as clean, without noise, blur and JPEG"


def recognised_graphic(image: Image) -> Graphic | None:
    """Recognise a drawn 8-bit picture, whose texture is not noise: 1-bit, dithered, a board, a palette, pixel art.

    None for photographs, and in case of doubt.
    """
    if image.depth != "uint8" or image.colour.shape[1] not in (1, 3):
        return None
    planes = image.colour if image.alpha is None else torch.cat([image.colour * (image.alpha > 0), image.alpha], 1)
    pixels = planes[0, 0].numel()
    most = min(SETTINGS.flat_colours, pixels // SETTINGS.pixels_a_colour)
    if len(_colour_codes(planes.flatten(2)[..., :: max(1, pixels // SETTINGS.sampled)]).unique()) > most:
        return None
    codes, is_colour = _colour_codes(planes), image.colour.shape[1] == 3 and not _is_grey(image.colour)
    colours = len(codes.unique())
    equal = float(torch.cat([(codes.diff(dim=axis) == 0).flatten() for axis in (0, 1)]).float().mean())
    is_few = colours <= SETTINGS.few[is_colour]
    is_palette = colours <= SETTINGS.palette[is_colour] and equal >= SETTINGS.equal_in_palette[is_colour]
    is_flat = is_colour and colours * SETTINGS.pixels_a_flat_colour <= pixels and equal >= SETTINGS.equal_in_flat
    is_pattern = colours <= min(SETTINGS.pattern_colours, pixels // SETTINGS.pixels_a_flat_colour)
    is_pattern = is_pattern and _repeated_share(codes) >= SETTINGS.repeated
    if colours > most or not (is_few or is_palette or is_flat or is_pattern):
        return None
    is_art = 2 < colours <= SETTINGS.art_colours and max(codes.shape) <= SETTINGS.art_side
    light = image.colour[0].mean(0) if image.alpha is None else (image.colour * image.alpha)[0].mean(0)
    is_art = is_art and _smooth_share(codes, light) <= SETTINGS.art_smooth
    return Graphic(colours=colours, is_pixel_art=is_art, has_few_colours=is_few, is_pattern=is_pattern)


def graphic_notes(image: Image) -> tuple[str, ...]:
    """Sentences for the user if a picture was taken for a drawing."""
    graphic = recognised_graphic(image)
    if graphic is None:
        return ()
    hint = "it looks like pixel art; the method pixelart (-m pixelart) keeps its colours"
    return (graphic.summary, hint) if graphic.is_pixel_art else (graphic.summary,)


def label_notes(image: Image) -> tuple[str, ...]:
    """A sentence for the user if the values of one band may be classes or labels, which are interpolated.

    8-bit pictures without a no-data value and place on Earth are left out: most are drawings, see `graphic_notes`.
    """
    values, is_measured = image.colour[0, 0], image.metadata.nodata is not None or image.metadata.is_of_map
    if image.colour.shape[1] != 1 or (image.depth == "uint8" and not is_measured):
        return ()
    values = values.nan_to_num(-1) * (DEPTHS[image.depth].white or 1)
    whole = values.round()
    most = min(SETTINGS.flat_colours, values.numel() // SETTINGS.pixels_a_label)
    sampled = whole.flatten()[:: max(1, whole.numel() // SETTINGS.sampled)]
    if len(sampled.unique()) > most or not torch.allclose(values, whole, rtol=1e-6, atol=1e-3):
        return ()
    found, counts = whole.unique(return_counts=True)
    if not 1 < len(found) <= most:
        return ()
    background = found[counts.argmax()]
    steps = []
    for axis in (0, 1):
        first, second = (whole.narrow(axis, start, whole.shape[axis] - 1) for start in (0, 1))
        steps.append((second - first).abs()[(first != background) | (second != background)])
    sizes = torch.cat(steps)
    changes = sizes[sizes > 0]
    is_slope = len(found) > 2 and float((changes == changes.min()).float().mean()) > SETTINGS.least_steps  # noqa: PLR2004
    if is_slope or float((sizes == 0).float().mean()) < SETTINGS.equal_in_labels:
        return ()
    return (
        "if its values are classes or labels, interpolation mixes them; the method pixelart (-m pixelart) keeps them",
    )


def _colour_codes(planes: Tensor) -> Tensor:
    """One integer for each colour of (1, C, ...); all that is transparent has the same if its colour is 0."""
    codes = torch.zeros(planes.shape[2:], dtype=torch.int64)
    for plane in (planes[0] * 255).round().to(torch.int64):
        codes = codes * 256 + plane
    return codes


def _is_grey(colour: Tensor) -> bool:
    return bool((colour[:, :1] == colour[:, 1:]).all())


def _repeated_share(codes: Tensor) -> float:
    """Share of the pixels whose 5x5 neighbourhood recurs within a few pixels along both axes, without flat areas."""
    side, period = 5, SETTINGS.longest_period
    codes = codes[:256, :256]  # a corner is enough of a larger picture
    if min(codes.shape) < 2 * period:
        return 0.0
    inside = codes[: -period - side + 1, : -period - side + 1]  # first corners of neighbourhoods with room to move
    recurs = torch.ones_like(inside, dtype=torch.bool)
    for axis in (0, 1):
        found = torch.zeros_like(recurs)
        for shift in range(1, period + 1):
            same = codes.narrow(axis, shift, codes.shape[axis] - shift) == codes.narrow(
                axis, 0, codes.shape[axis] - shift
            )
            found |= _all_of(same, side)[: inside.shape[0], : inside.shape[1]]
        recurs &= found
    steps = (codes.diff(dim=0)[:, :-1] == 0) & (codes.diff(dim=1)[:-1] == 0)
    is_flat = _all_of(steps, side - 1)[: inside.shape[0], : inside.shape[1]]
    return float((recurs & ~is_flat).sum()) / max(1, int((~is_flat).sum()))


def _all_of(marks: Tensor, side: int) -> Tensor:
    """Whether all of side x side marks are set, by the first corner."""
    return F.max_pool2d(1 - marks[None].float(), side, stride=1)[0] == 0


def _smooth_share(codes: Tensor, light: Tensor) -> float:
    """Share of the changes from pixel to pixel that lead over a single shade between its neighbours: smoothed edges."""
    changes = between = 0
    for axis in (0, 1):
        steps, rises = codes.diff(dim=axis) != 0, light.diff(dim=axis)
        count = steps.shape[axis] - 1
        if count < 0:  # a single row or column
            continue
        is_ramp = rises.narrow(axis, 0, count) * rises.narrow(axis, 1, count) > 0
        changes += int(steps.sum())
        between += int(is_ramp.sum())
    return between / max(changes, 1)
