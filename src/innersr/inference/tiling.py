"""Work on an image tile by tile, within the free memory. Knows no network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from torch import Tensor

from innersr.memory import free_memory, is_out_of_memory, release_cached_memory
from innersr.physics.resize import Window, image_size
from innersr.run import Run

LARGEST_TILE = 512  # LR pixels; what tiles compute twice is then 13 % at 16 layers, and a pass over more is not faster
SMALLEST_TILE = 16  # LR pixels; halving goes no further


def tile_side(lr_size: tuple[int, int], run: Run, *, pixel_floats: float) -> int:
    """Choose the side of the tiles in LR pixels: as the run asks (0: one tile), else for a quarter of the free memory.

    A network pass holds `pixel_floats` float32 values per LR pixel.
    """
    if run.tile is not None:
        return run.tile or max(lr_size)
    affordable = math.isqrt(int(free_memory(run.torch_device) / 4 / (4 * pixel_floats)))  # 4 bytes each
    return min(LARGEST_TILE, max(SMALLEST_TILE, affordable))


def apply_tiled(
    compute: Callable[[Window], Tensor],
    lr_size: tuple[int, int],
    result: Tensor,
    *,
    side: int,
    run: Run,
    stage: str = "upscale",
) -> Tensor:
    """Fill `result` tile by tile. If memory runs out, the remaining tiles are halved.

    Args:
        compute: the part of the result that a tile of the LR image covers. If it takes in as much around the tile as
            the receptive field of its network, there are no seams.
        lr_size: (h, w) of the LR image.
        result: (N, C, H, W), written to.
        side: of a tile in LR pixels.
        run: progress, cancelling.
        stage: name of this work in progress reports.

    Raises:
        MemoryError, torch.OutOfMemoryError, RuntimeError: memory runs out even with tiles of 16 pixels.
    """
    tiles = [*_split(Window(0, 0, *lr_size), side)]
    while tiles:
        done = 0
        try:
            for index in run.steps(stage, len(tiles), limited=False):
                part = hr_part(tiles[index], lr_size, image_size(result))
                result[..., part.top : part.bottom, part.left : part.right] = compute(tiles[index])
                done = index + 1
            return result
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or side <= SMALLEST_TILE:
                raise
        # Outside the handler, which would keep the memory of the failed pass.
        release_cached_memory(result.device)
        side = max(SMALLEST_TILE, side // 2)
        tiles = [part for tile in tiles[done:] for part in _split(tile, side)]
    return result


def hr_part(tile: Window, lr_size: tuple[int, int], hr_size: tuple[int, int]) -> Window:
    """The part of the HR image that a tile of the LR image covers; tiles cover all of it, once."""
    rows, columns = hr_size[0] / lr_size[0], hr_size[1] / lr_size[1]
    edges = (tile.top * rows, tile.left * columns, tile.bottom * rows, tile.right * columns)
    return Window(*(math.floor(edge + 0.5) for edge in edges))


def with_halo(part: Window, halo: int, size: tuple[int, int], wraps: tuple[bool, bool]) -> Window:
    """Enlarge a part by its halo, up to the borders of the image unless it wraps around."""
    top, left, bottom, right = part.top - halo, part.left - halo, part.bottom + halo, part.right + halo
    if not wraps[0]:
        top, bottom = max(0, top), min(size[0], bottom)
    if not wraps[1]:
        left, right = max(0, left), min(size[1], right)
    return Window(top, left, bottom, right)


def _split(tile: Window, side: int) -> Iterator[Window]:
    for top in range(tile.top, tile.bottom, side):
        for left in range(tile.left, tile.right, side):
            yield Window(top, left, min(top + side, tile.bottom), min(left + side, tile.right))
