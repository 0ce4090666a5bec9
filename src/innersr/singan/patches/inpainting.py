"""A hole in a picture, filled with patches from around it (Granot 2022, sec. 4)."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.physics.resize import image_size, resize
from innersr.run import Run, generator_of
from innersr.singan.draws import Draws
from innersr.singan.patches.guess import Frame, Guess
from innersr.singan.patches.model import PatchModel, patch_model
from innersr.singan.settings import SinGAN


@isolated
@torch.no_grad()
def inpaint(
    picture: Tensor,
    mask: Tensor,
    settings: SinGAN,
    *,
    count: int = 1,
    run: Run | None = None,
) -> Tensor:
    """Fill the hole of a picture: (count, C, H, W) in [-1, 1], the picture itself wherever the mask is 0.

    The first filling is what surrounds the hole, under noise of the seed, so that several differ.

    Args:
        picture: (1, C, H, W) in [-1, 1].
        mask: (1, 1, H, W), above 0 in the hole, of which nothing is used.
        settings: of the pyramid; its `max_size` must be the picture's long side at least.

    Raises:
        InputError: a mask of another size, one without a hole, or one that leaves less than a tenth of the patches.
    """
    run, size = run or Run(), image_size(picture)
    if tuple(mask.shape) != (1, 1, *size):
        raise InputError(f"the mask must be (1, 1, {size[0]}, {size[1]}) as the picture is, got {tuple(mask.shape)}")
    if max(size) > settings.max_size:
        raise InputError(f"max_size is {settings.max_size}, the picture has {max(size)} pixels; raise it to that")
    hole = (mask > 0).to(picture)
    if not bool(hole.any()):
        raise InputError("the mask marks nothing; paint what is to be filled white")
    if bool(hole.all()):
        raise InputError("the mask marks the whole picture; leave some of it to copy from")
    model = patch_model(_surroundings(picture, hole), settings, run=run)
    holes = [(resize(hole.to(model.device), size=scale) > 0.02).to(picture.dtype) for scale in model.sizes[0]]
    holes[-1] = hole.to(model.device)
    model = replace(model, allowed=tuple(_beside(marked, model.side) for marked in holes))
    # At coarser scales than that too few patches are left to choose from.
    start = next((k for k, marks in enumerate(model.allowed) if float(marks.float().mean()) >= 0.1), None)
    if start is None:
        raise InputError("the mask leaves hardly a patch to copy; mark less of the picture")
    filled = [_filled(model, holes, start, run, index) for index in run.steps("inpaint", count, limited=False)]
    return torch.where(hole.bool(), torch.cat(filled).to(picture), picture)


def _filled(model: PatchModel, holes: list[Tensor], start: int, run: Run, index: int) -> Tensor:
    first = model.pyramid[start]
    noise = torch.randn(first.shape, generator=generator_of(run.seed, Draws.PATCH_NOISE, index)).to(first)
    frame = Frame(size=image_size(first), margin=model.side - 1, wraps=(False, False))
    guess = Guess(frame.around(first + first.std() * noise * holes[start]))

    def keep(scale: int, made: Tensor) -> Tensor:
        return torch.where(holes[scale] > 0, made, model.pyramid[scale])

    return model.refined(guess, model.sizes[0], start, (False, False), run, index, keep)


def _beside(hole: Tensor, side: int) -> Tensor:
    """The places, (h, w), of patches that do not touch the hole, (1, 1, H, W)."""
    return F.max_pool2d(hole, side, stride=1)[0, 0] == 0


def _surroundings(picture: Tensor, hole: Tensor) -> Tensor:
    """The picture with its hole filled by the mean of the nearest known pixels."""
    known, values = 1 - hole, picture * (1 - hole)
    reach = 1
    while bool((known == 0).any()):
        side = 2 * reach + 1
        shares, sums = (F.avg_pool2d(x, side, stride=1, padding=reach) for x in (known, values))
        unknown = (known == 0) & (shares > 0)
        values = torch.where(unknown, sums / shares.clamp(min=1e-12), values)
        known = torch.maximum(known, unknown.to(known))
        reach = min(2 * reach, max(1, min(image_size(picture)) // 2))
    return values
