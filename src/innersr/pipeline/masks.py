"""Masks: where a picture is enlarged with detail, and where it is interpolated only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import ImageFileError
from innersr.images.io import read
from innersr.physics.degradation import Degradation
from innersr.physics.resize import image_size


@dataclass(frozen=True, eq=False)
class DetailMask:
    """How much of the detail of a result each of its pixels gets.

    Args:
        share: (1, 1, H, W) in [0, 1]: 1 for the result, 0 for the interpolated picture.
    """

    share: Tensor

    def mixed(self, sr: Tensor, lr: Tensor, degradation: Degradation) -> Tensor:
        """A result (1, C, H, W) where the mask lets it through, the interpolated `lr` elsewhere."""
        share = self.share.to(sr)
        plain = degradation.upsample(lr).clamp_(0, 1)
        return torch.where(share == 0, plain, torch.where(share == 1, sr, plain + share * (sr - plain)))

    def masking(self, upscaler: Callable[[Tensor], Tensor], degradation: Degradation) -> Callable[[Tensor], Tensor]:
        """An upscaler of whole images whose results are `mixed`."""
        return lambda lr: self.mixed(upscaler(lr), lr, degradation)


def read_detail_mask(
    path: Path,
    lr_size: tuple[int, int],
    hr_size: tuple[int, int],
    wraps: tuple[bool, bool] = (False, False),
    *,
    pixel_limit: int,
) -> DetailMask:
    """Read a mask file: white for detail, black for interpolation only, grey for some; transparent counts as black.

    Detail fades in over two pixels of the picture, all of them within the white, so that what is black is interpolated
    to the last pixel.

    Args:
        path: an image file of the shape of the picture, of any size; that of the picture or the result is exact.
        lr_size: (height, width) of the picture.
        hr_size: (height, width) of the result.
        wraps: whether the picture continues on its opposite side, (vertical, horizontal).
        pixel_limit: as for pictures.

    Raises:
        ImageFileError: the file cannot be read, or has another shape.
    """
    image = read(path, pixel_limit=pixel_limit)
    drawn, (rows, columns) = image.colour.mean(dim=1, keepdim=True), image_size(image.colour)
    if image.alpha is not None:
        drawn = drawn * image.alpha
    check_shape(path, (rows, columns), lr_size)
    drawn = F.interpolate(drawn.nan_to_num(0.0).clamp(0, 1), hr_size, mode="nearest-exact")
    reach = max(1, round(max(after / before for after, before in zip(hr_size, lr_size, strict=True))))
    return DetailMask(_faded(drawn, reach, wraps))


def check_shape(path: Path, mask: tuple[int, int], *pictures: tuple[int, int]) -> None:
    """Raise ImageFileError if a mask has another shape than all of some sizes of its picture, (height, width) each.

    Sizes that were rounded to whole pixels are of the same shape.
    """
    rows, columns = mask
    for height, width in pictures:
        stretch = rows * width - columns * height
        if abs(stretch) <= max(rows, columns, height, width):  # one pixel of the mask or the picture
            return
    height, width = pictures[0]
    sizes = f"{columns} x {rows} pixels, which is another shape than the picture's {width} x {height}"
    raise ImageFileError(f"{path}: the mask has {sizes}; draw it on the picture")


def _faded(drawn: Tensor, reach: int, wraps: tuple[bool, bool]) -> Tensor:
    """The mean over a square of the least within that square, 0 wherever `drawn` is and 1 well within its white."""
    for axis, is_wrapped in zip((2, 3), wraps, strict=True):
        size = drawn.shape[axis]
        places = torch.arange(-2 * reach, size + 2 * reach)
        places = places % size if is_wrapped else places.clamp(0, size - 1)
        drawn = drawn.index_select(axis, places)
    side = 2 * reach + 1
    least = -F.max_pool2d(-drawn, side, stride=1)
    return F.avg_pool2d(least.double(), side, stride=1).float().clamp_(0, 1)
