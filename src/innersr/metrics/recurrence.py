"""Cross-scale recurrence: how well smaller copies of an image explain its patches. Knows nothing about files.

Small patches of natural images recur in the same image at other scales (Glasner, Bagon, Irani 2009). A patch that is
found in a shrunk copy lies, larger and with more detail, in the image itself: the material of internal learning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import isolated, require_tensor
from innersr.metrics.grey_levels import check_image, linear_luma
from innersr.physics.resize import resize
from innersr.run import generator_of


@dataclass(frozen=True, kw_only=True)
class RecurrenceSettings:
    """Settings of the measurement, chosen on Kodak 24 (docs/inspect.md)."""

    copies: tuple[float, ...] = (1 / 1.25, 1 / 1.5, 1 / 2)  # sizes of the copies that are searched
    patch: int = 5  # side of a patch in pixels
    queries: int = 64**2  # patches that are searched for, at most, on a regular grid
    entries: int = 3 * 2**14  # patches of all copies that are searched, at most, at random
    groups: int = 12
    """Groups of entries of which the best match each is a candidate; those at the patch's own place do not count."""
    min_detail: float = 4 / 255  # standard deviation, beside its plane, of a patch that has detail
    min_entry_detail: float = 2 / 255  # the same of a patch of a copy
    noise_sigmas: float = 2.0  # standard deviations of the noise that detail has to exceed
    chance: float = 0.5  # explained variance that means nothing: among so many entries, noise finds 0.6 of its own
    full_score: float = 0.4  # score from which on all steps are worth their time


@dataclass(frozen=True, kw_only=True)
class ExampleSettings:
    """Settings of the pairs of patches that are shown; see `RecurrenceSettings`."""

    count: int = 4
    copies: tuple[float, ...] = (1 / 1.5, 1 / 2)  # small enough that a patch differs visibly from what explains it
    overview: int = 192  # long side, in pixels, of the image that examples are searched in, at most
    patch: int = 9
    queries: int = 1500
    entries: int = 16_000
    min_explained: float = 0.67  # explained variance of an example
    min_contrast: float = 0.4  # contrast of what explains an example, relative to its own
    distance: float = 2.5  # distance between two examples, in sides of a patch
    corner: float = 0.4  # ratio of the structure tensor's eigenvalues from which on a patch counts as more than an edge


SETTINGS = RecurrenceSettings()
EXAMPLES = ExampleSettings()


class Box(NamedTuple):
    """A square of an image: its upper left corner and its side, in pixels."""

    top: float
    left: float
    side: float


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A patch, and a larger place in the same image that resembles it."""

    patch: Box
    source: Box  # resembles the patch once it is shrunk by `scale`
    scale: float  # side of the patch relative to the source's
    explained: float  # share of the patch's variance that the shrunk source explains, in [0, 1]


@dataclass(frozen=True, kw_only=True, eq=False)
class Recurrence:
    """Recurrence of an image in its own smaller copies."""

    map: Tensor
    """(H, W) in [0, 1]: how well the detail around each pixel is explained, from 0 (no better than by chance, or no
    detail) to 1 (perfectly)."""
    score: float  # the mean of the map
    detail: float  # share of the image, in [0, 1], that has detail to be explained
    pairs: tuple[Pair, ...]  # examples, the clearest first

    @property
    def verdict(self) -> str:
        """One line for the user: what to expect from learning from the image."""
        if min(self.map.shape) < 2 * SETTINGS.patch:
            return "too small to tell"
        if self.detail == 0:
            return "no detail to learn from"
        if self.score >= SETTINGS.full_score:
            return "much of the image is detail that recurs at a larger size: learning from it should pay"
        if self.score >= SETTINGS.full_score / 2:
            return "some of the image is detail that recurs at a larger size: learning from it should help a little"
        return "little of the image is detail that recurs at a larger size: there is not much to learn from it"


@isolated
@torch.no_grad()
def recurrence_of(image: Tensor, noise: float = 0.0) -> Recurrence:
    """Measure how well an image's smaller copies explain its patches.

    5x5 patches of the luma, normalised in contrast and without their best-fitting plane, which interpolation explains
    too, are searched for in copies of 4/5, 2/3 and 1/2 of the size, everywhere but at their own place. Of large images
    a regular grid of patches is searched for, among a random sample of the copies' patches. The same image gives the
    same bytes.

    Args:
        image: (1, C, H, W) in [0, 1], on any device.
        noise: standard deviation of the image's noise; only what stands out from it is detail.

    Raises:
        InputError: not one image, or a noise that is negative or not finite.
    """
    if require_tensor(image).ndim != 4 or len(image) != 1 or 0 in image.shape:
        raise InputError(f"recurrence needs one image, (1, C, H, W), got {tuple(image.shape)}; give one at a time")
    check_image(image)
    if not 0 <= noise < math.inf:
        raise InputError(f"noise is a standard deviation, 0 or more, got {noise}")
    planes = image.detach().cpu().float()
    light = (linear_luma(planes) if planes.shape[1] == 3 else planes.mean(1, keepdim=True))[0, 0]
    height, width = light.shape
    if min(height, width) < 2 * SETTINGS.patch:  # its smallest copy holds no patch
        return Recurrence(map=torch.zeros(height, width), score=0.0, detail=0.0, pairs=())
    rows, columns = _grid(height, width)
    queries = _patches_at(light, rows.repeat_interleave(len(columns)), columns.repeat(len(rows)), 1.0, SETTINGS.patch)
    min_detail = max(SETTINGS.min_detail, SETTINGS.noise_sigmas * noise)
    is_detailed = queries.contrast > min_detail
    entries = _entries(light, SETTINGS, max(SETTINGS.min_entry_detail, noise))
    explained = torch.zeros(len(is_detailed))
    match = _nearest(queries.only(is_detailed), entries, reach=SETTINGS.patch)
    explained[is_detailed] = ((match.explained - SETTINGS.chance) / (1 - SETTINGS.chance)).clamp(min=0)
    coarse = explained.view(1, 1, len(rows), len(columns))
    fine = F.interpolate(coarse, (height, width), mode="bilinear")[0, 0].clamp(0, 1)
    return Recurrence(
        map=fine,
        score=float(fine.double().mean()),
        detail=float(is_detailed.double().mean()),
        pairs=_examples(light, min_detail),
    )


def steps_for(score: float, steps: int) -> int:
    """Number of training steps that an image of this score is worth: all of them from a score of 0.4 on."""
    return math.ceil(steps * min(1.0, max(0.0, score) / SETTINGS.full_score))


class _Patches(NamedTuple):
    """Patches as points of the unit sphere: the closer two are, the better one explains the other."""

    points: Tensor  # (n, side^2) of length 1, without their best-fitting plane
    contrast: Tensor  # (n,): standard deviations beside that plane, before normalisation
    centres: Tensor  # (n, 2): rows and columns in the image, in pixels
    scales: Tensor  # (n,): sizes of their copies

    def only(self, which: Tensor) -> _Patches:
        """A selection, by index or by mask."""
        return _Patches(*(field[which] for field in self))


class _Match(NamedTuple):
    explained: Tensor  # (n,) in [0, 1], 0 where nothing was found
    entry: Tensor  # (n,): index of what explains it


def _grid(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of the corners of the patches to search for, evenly over the image."""
    spacing = max(1.0, math.sqrt(height * width / SETTINGS.queries))
    axes = []
    for length in (height, width):
        count = max(1, int(length / spacing))
        middles = (torch.arange(count, dtype=torch.float64) + 0.5) * length / count
        axes.append((middles - SETTINGS.patch / 2).round().long().clamp(0, length - SETTINGS.patch))
    return axes[0], axes[1]


def _patches_at(plane: Tensor, rows: Tensor, columns: Tensor, scale: float, side: int) -> _Patches:
    """Cut patches out of a copy of the size `scale` at the given upper left corners."""
    values = plane.unfold(0, side, 1).unfold(1, side, 1)[rows, columns].flatten(1)
    plane_basis = _plane_basis(side)
    values = values - values @ plane_basis.mT @ plane_basis
    length = values.norm(dim=1)
    centres = (torch.stack([rows, columns], 1) + side / 2) / scale
    points = values / length.clamp(min=1e-6)[:, None]
    return _Patches(points, length / side, centres, torch.full_like(length, scale))


def _plane_basis(side: int) -> Tensor:
    """(3, side^2): a constant, a vertical and a horizontal slope, orthonormal."""
    slope = torch.arange(side, dtype=torch.float32) - (side - 1) / 2
    level = torch.ones(side)
    rows = torch.stack([torch.outer(a, b).flatten() for a, b in ((level, level), (slope, level), (level, slope))])
    return rows / rows.norm(dim=1, keepdim=True)


def _entries(light: Tensor, settings: RecurrenceSettings | ExampleSettings, min_contrast: float) -> _Patches:
    """Patches of the copies that have contrast; of large copies a random sample."""
    side, share = settings.patch, settings.entries // len(settings.copies)
    found = []
    for number, scale in enumerate(settings.copies):
        copy = resize(light, scale)
        rows, columns = (n - side + 1 for n in copy.shape)
        if min(rows, columns) < 1:
            continue
        chosen = torch.arange(rows * columns)
        if len(chosen) > share:
            chosen = torch.randint(len(chosen), (share,), generator=generator_of(0, side, number))
        patches = _patches_at(copy, chosen // columns, chosen % columns, scale, side)
        found.append(patches.only(patches.contrast > min_contrast))
    return _Patches(*(torch.cat(fields) for fields in zip(*found, strict=True)))


def _nearest(queries: _Patches, entries: _Patches, reach: float) -> _Match:
    """Find for each patch the entry that explains it best, from further away than `reach` pixels.

    The squared cosine of two points is the share of the one's variance that the other, times the best positive factor,
    explains.
    """
    if len(entries.points) == 0 or len(queries.points) == 0:
        return _Match(torch.zeros(len(queries.points)), torch.zeros(len(queries.points), dtype=torch.long))
    groups = entries.points.mT.tensor_split(min(SETTINGS.groups, len(entries.points)), dim=1)
    starts = torch.tensor([0, *(group.shape[1] for group in groups[:-1])]).cumsum(0)
    found = [torch.stack(part) for part in zip(*((queries.points @ group).max(1) for group in groups), strict=True)]
    likeness, numbers = found[0].mT, (found[1] + starts[:, None]).mT
    gaps = (entries.centres[numbers] - queries.centres[:, None]).abs().amax(2)
    best, place = likeness.where(gaps > reach, -1.0).max(1)
    return _Match(best.clamp(0, 1).square(), numbers.gather(1, place[:, None])[:, 0])


def _examples(light: Tensor, min_contrast: float) -> tuple[Pair, ...]:
    """Pairs to show: detailed, more than a straight edge, well explained, from different places."""
    zoom = min(1.0, EXAMPLES.overview / max(light.shape))
    small = light if zoom == 1 else resize(light, zoom)
    side = EXAMPLES.patch
    if min(small.shape) < 2 * side:
        return ()
    rows, columns = (n - side + 1 for n in small.shape)
    chosen = torch.randint(rows * columns, (EXAMPLES.queries,), generator=generator_of(0, side, -1))
    patches = _patches_at(small, chosen // columns, chosen % columns, 1.0, side)
    patches = patches.only(patches.contrast > min_contrast)
    entries = _entries(small, EXAMPLES, min_contrast)
    match = _nearest(patches, entries, reach=EXAMPLES.distance * side)
    worth = match.explained * patches.contrast.sqrt() * (_isotropy(patches.points) / EXAMPLES.corner).clamp(max=1)
    worth = worth.where(match.explained > EXAMPLES.min_explained, 0.0)
    if len(entries.contrast):
        worth = worth.where(entries.contrast[match.entry] > EXAMPLES.min_contrast * patches.contrast, 0.0)
    pairs: list[Pair] = []
    taken = torch.empty(0, 2)
    for number in worth.argsort(descending=True, stable=True).tolist():
        if len(pairs) == EXAMPLES.count or worth[number] == 0:
            break
        entry = int(match.entry[number])
        ends = torch.stack([patches.centres[number], entries.centres[entry]])
        if len(taken) and float((ends[:, None] - taken).abs().amax(2).min()) < EXAMPLES.distance * side:
            continue
        taken = torch.cat([taken, ends])
        scale = float(entries.scales[entry])
        patch, source = (
            Box(float(row - length / 2) / zoom, float(column - length / 2) / zoom, length / zoom)
            for (row, column), length in zip(ends, (side, side / scale), strict=True)
        )
        pairs.append(Pair(patch=patch, source=source, scale=scale, explained=float(match.explained[number])))
    return tuple(pairs)


def _isotropy(points: Tensor) -> Tensor:
    """Ratio of the structure tensor's eigenvalues: 0 for straight edges, up to 1 for corners."""
    side = math.isqrt(points.shape[1])
    values = points.view(-1, side, side)
    dx = (values[:, 1:-1, 2:] - values[:, 1:-1, :-2]).flatten(1)
    dy = (values[:, 2:, 1:-1] - values[:, :-2, 1:-1]).flatten(1)
    xx, yy, xy = (dx * dx).sum(1), (dy * dy).sum(1), (dx * dy).sum(1)
    middle, spread = (xx + yy) / 2, (((xx - yy) / 2).square() + xy.square()).sqrt()
    return (middle - spread).clamp(min=0) / (middle + spread).clamp(min=1e-12)
