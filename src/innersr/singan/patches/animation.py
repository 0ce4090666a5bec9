"""The frames of an animation by patches: the layout walks around that of the picture, under a little noise.

All frames are made together. After every search each becomes a mean of itself and its neighbours in time, so that
what is found changes gradually: nearest patches alone jump from frame to frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.memory import free_memory
from innersr.physics.resize import resize
from innersr.run import Run, generator_of
from innersr.singan.draws import Draws
from innersr.singan.patches.guess import Frame, Perturbation, bent, cells_of
from innersr.singan.patches.model import PatchModel
from innersr.singan.pyramid import Size
from innersr.singan.walk import Walk


@isolated
@torch.no_grad()
def patch_frames(
    model: PatchModel, walk: Walk, start: int, sizes: tuple[Size, ...], wraps: tuple[bool, bool], run: Run
) -> list[Tensor]:
    """All frames, (1, C, H, W) in [-1, 1] each.

    Args:
        walk: of the layout, around the picture's.
        start: scale whose layout moves.
        sizes: of all scales of the frames.
        wraps: axes along which frames are periodic.

    Raises:
        InputError: more frames than the memory holds.
    """
    _check_memory(model, walk.frames, sizes[-1])
    # Two searches instead of five are enough for frames that agree with their neighbours, in 40 % of the time.
    search = replace(model.search, searches=min(2, model.search.searches))
    finer = [size / first for size, first in zip(sizes[start], sizes[0], strict=True)]
    # At the scale itself a displacement below half a pixel finds the picture again, and one above jumps by a pixel.
    entered = min(start + 2, len(sizes) - 1)
    frame = Frame(size=sizes[entered], margin=model.side - 1, wraps=wraps)
    coarse = resize(model.pyramid[entered], size=sizes[entered], wrap=wraps).clamp(-1, 1)
    guesses = [
        bent(coarse, frame, search.sway, search.noise, finer, moved)
        for moved in _perturbations(walk, frame, cells_of(search, finer), run)
    ]
    turns = iter(run.steps("animate", (len(sizes) - entered) * search.searches, limited=False))

    def change(_scale: int, _frame: Frame, made: list[Tensor]) -> list[Tensor]:
        next(turns)
        return _smoothed(made, loop=walk.loop)

    frames = replace(model, search=search).refined_together(guesses, sizes, entered, wraps, run, 0, change)
    next(turns, None)  # so that the last step is reported
    return frames


def _perturbations(walk: Walk, frame: Frame, cells: Size, run: Run) -> list[Perturbation]:
    """What the layout of every frame differs from the picture's by."""

    def push(index: int) -> Tensor:
        run.check_cancelled()
        drawn = Perturbation.drawn(frame, cells, generator_of(run.seed, Draws.PATCH_WALK, index))
        return torch.cat([part.flatten() for part in drawn]).view(1, 1, 1, -1)

    shapes = cells, (cells[0], 1), frame.outer
    counts = [height * width for height, width in shapes]
    walked = [at.flatten().split(counts) for at in walk.noises(torch.zeros(1, 1, 1, sum(counts)), push)]
    return [
        Perturbation(*(part.view(1, 1, *shape) for part, shape in zip(parts, shapes, strict=True))) for parts in walked
    ]


def _smoothed(frames: Sequence[Tensor], *, loop: bool) -> list[Tensor]:
    """Each frame as half of itself and a quarter of the frames before and after it."""
    last = len(frames) - 1
    before = [frames[index - 1 if index or loop else 0] for index in range(last + 1)]
    after = [frames[(index + 1) % (last + 1) if loop else min(index + 1, last)] for index in range(last + 1)]
    return [(a + 2 * b + c) / 4 for a, b, c in zip(before, frames, after, strict=True)]


def _check_memory(model: PatchModel, frames: int, size: Size) -> None:
    # Of every frame: its values before and after a search, and the place of every patch.
    needed = frames * size[0] * size[1] * (3 * 4 * model.channels + 8)
    if needed > free_memory(model.device):
        raise InputError(
            f"{frames} frames of {size[1]}x{size[0]} need {needed / 2**30:.1f} GiB at once; "
            "ask for fewer or smaller frames"
        )
