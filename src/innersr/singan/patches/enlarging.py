"""A picture enlarged by its own patches: what they look like at a smaller size says what they look like here.

Patches of a picture recur in it at other sizes (Glasner 2009). So every patch of the enlarged picture becomes that of
the picture whose own soft version, shrunk and enlarged, is nearest to it; in small steps, until the size is reached.
"""

from __future__ import annotations

import torch
from torch import Tensor

from innersr.isolation import isolated
from innersr.physics.resize import Window, cut, image_size, resize
from innersr.run import Run, generator_of
from innersr.singan.draws import Draws
from innersr.singan.patches.search import Patches, patches_of, principal_axes, propagate
from innersr.singan.patches.settings import PatchSettings
from innersr.singan.patches.votes import assemble_sharply
from innersr.singan.pyramid import Size


@isolated
@torch.no_grad()
def enlarged_by_patches(
    picture: Tensor,
    source: Tensor,
    size: Size,
    passes: int,
    run: Run,
    *,
    wraps: tuple[bool, bool] = (False, False),
) -> Tensor:
    """The picture at a larger size, (1, C, H, W) in [-1, 1]; a search at each of the sizes on the way.

    Args:
        picture: (1, C, h, w) in [-1, 1].
        source: that patches are copied from, the picture itself or the whole that it is a part of.
        size: of the result.
        passes: steps on the way, of equal factors.
        run: its seed is used.
        wraps: axes along which picture, source and result are periodic.
    """
    search, small, made = PatchSettings(), image_size(picture), picture
    step = max(full / own for full, own in zip(size, small, strict=True)) ** (1 / passes)
    # An image below two patches goes on beyond its border as `resize` sees it; wrapping, by a patch.
    height, width = (max(n, 2 * search.side) for n in image_size(source))
    down, right = (search.side - 1 if joined else 0 for joined in wraps)
    source = cut(source, Window(0, 0, height + down, width + right), wraps)
    shrunk = [max(search.side, round(n / step)) for n in image_size(source)]
    soft = resize(resize(source, size=(shrunk[0], shrunk[1])), size=image_size(source)).clamp(-1, 1)
    axes = principal_axes(source, search.side, search.axes)
    keys = patches_of(soft, axes)
    for index in range(1, passes + 1):
        height, width = (round(n * (full / n) ** (index / passes)) for n, full in zip(small, size, strict=True))
        guess = resize(made, size=(height, width), wrap=wraps).clamp(-1, 1)
        generator = generator_of(run.seed, Draws.PATCH_STEPS, 0, index)
        made = _copied(guess, source, keys, axes, wraps, generator, run)
        # Else every step drifts from the picture a little, and what undoes it all at the end leaves a lattice.
        missing = picture - resize(made, size=small, wrap=wraps)
        made = (made + resize(missing, size=(height, width), wrap=wraps)).clamp(-1, 1)
    return made


def _copied(
    guess: Tensor,
    source: Tensor,
    keys: Patches,
    axes: Tensor,
    wraps: tuple[bool, bool],
    generator: torch.Generator,
    run: Run,
) -> Tensor:
    """The guess, (1, C, H, W), of the source's patches whose keys are nearest; strip by strip."""
    (height, width), side = image_size(guess), axes.shape[-1]
    margin = side - 1
    rows = _rows_of_strip(width)
    strips = []
    for top in range(0, height, rows):
        run.check_cancelled()
        tall = min(rows, height - top)
        part = cut(guess, Window(top - margin, -margin, top + tall + margin, width + margin), wraps)
        queries = patches_of(part, axes)
        found = propagate(queries, keys, _same_places(queries, keys, top, height), generator, 2)[0]
        copied = assemble_sharply(found, queries.size, source, side)
        strips.append(copied[..., margin:-margin, margin:-margin])
    return torch.cat(strips, dim=-2)


def _rows_of_strip(width: int) -> int:
    return max(64, 2**19 // width)  # 2**19 patches along 32 axes take 64 MiB, and about as much again to compare them


def _same_places(queries: Patches, keys: Patches, top: int, height: int) -> Tensor:
    """The field that every query of a strip finds itself by: like recurs close by, and oftenest at the same place."""
    device, (rows, columns) = keys.features.device, keys.size
    y = ((top + torch.arange(queries.size[0], device=device)) * (rows / height)).long().clamp(max=rows - 1)
    x = torch.linspace(0, columns - 1, queries.size[1], device=device).round().long()
    return (y[:, None] * columns + x).flatten()
