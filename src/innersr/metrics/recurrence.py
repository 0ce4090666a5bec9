"""Cross-scale recurrence: how well smaller copies of an image explain its patches. Knows nothing about files.

Small patches of natural images come again in the same image at other scales (Glasner, Bagon, Irani 2009). One that
is found in a shrunk copy lies, larger and with more detail, in the image itself: what internal learning learns from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.physics.resize import resize
from innersr.run import generator_of

try:
    import faiss
except ImportError:  # not on macOS, where its OpenMP and torch's end each other's process
    faiss = None  # type: ignore[assignment]


COPIES = (1 / 1.25, 1 / 1.5, 1 / 2)  # sizes of the copies that patches are looked for in
PATCH = 5  # pixels of the side of a patch
QUERIES = 64**2  # places whose patches are looked for, at most
ENTRIES = 3 * 2**14  # patches of all copies together that they are looked for among, at most
CELLS, PROBED = 256, 16  # that the entries are sorted into by likeness, and the nearest that are searched
CELL_LEAST = 40  # entries that a cell is made from, at least
CANDIDATES = 6  # nearest neighbours of a patch, of which those from its own place do not count
LEAST_DETAIL = 4 / 255  # standard deviation, beside its plane, of a patch that has something to learn from
LEAST_ENTRY = 2 / 255  # the same of a patch of a copy
CHANCE = 0.5  # explained part of the variance that means nothing: among so many entries, noise finds 0.6 of its own
LOUD = 2.0  # standard deviations of the noise that detail has to exceed
LUMA = (0.299, 0.587, 0.114)  # of ITU-R BT.601
MUCH = 0.4  # the score from which on all steps are worth their time
EXAMPLES = 4  # pairs, at most
EXAMPLE_COPIES = COPIES[1:]  # so that an example differs visibly from what explains it
OVERVIEW = 192  # pixels of the long side of the copy that examples are looked for in, at most
EXAMPLE_PATCH = 9  # pixels of the side of an example, there
EXAMPLE_QUERIES, EXAMPLE_ENTRIES = 1500, 16_000
LEAST_LIKENESS = 0.67  # the explained part of an example
LEAST_CONTRAST = 0.4  # of what explains an example, in units of its own
APART = 2.5  # sides of an example that two of them are apart, at least
CORNERS = 0.4  # ratio of the structure tensor's eigenvalues from which on a patch is much more than an edge


class Box(NamedTuple):
    """A square of an image: where its upper left corner lies and its side, in pixels."""

    top: float
    left: float
    side: float


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A patch, and the larger thing in the same image that it looks like."""

    patch: Box
    source: Box
    """What it looks like, once it is shrunk by `scale`."""
    scale: float
    """Side of the patch in units of the source's."""
    explained: float
    """Part of the patch's variance that the shrunk source explains, in [0, 1]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Recurrence:
    """How much of an image comes again in its own smaller copies."""

    map: Tensor
    """(H, W) in [0, 1]: how well the detail around each pixel is explained, from 0 (no better than by chance, or there
    is no detail) to 1 (perfectly)."""
    score: float
    """The mean of the map."""
    detail: float
    """The part of the image, in [0, 1], that has detail to be explained."""
    pairs: tuple[Pair, ...]
    """Examples, the most telling first."""


@torch.no_grad()
def recurrence_of(image: Tensor, noise: float = 0.0) -> Recurrence:
    """Measure how well an image's smaller copies explain its patches.

    Patches of 5x5 pixels of the brightness, without the plane that fits them best and brought to one contrast, are
    looked for in copies of 4/5, 2/3 and 1/2 of the size, everywhere but at their own place. Slopes are left out
    because interpolation explains them, too. Enlarged copies would have nothing to teach: what explains a patch there
    has less detail than the patch itself. Of large images a regular grid of patches is looked for, in a random part of
    the copies' patches; the search is nearly exact. The same image gives the same bytes.

    Args:
        image: (1, C, H, W) in [0, 1], on any device.
        noise: standard deviation of the image's noise; what does not stand out from it is no detail.

    Raises:
        InputError: not one image, or a noise that is negative or not finite.
    """
    if image.ndim != 4 or len(image) != 1 or 0 in image.shape:
        raise InputError(f"recurrence needs one image, (1, C, H, W), got {tuple(image.shape)}; give one at a time")
    if not 0 <= noise < math.inf:
        raise InputError(f"noise is a standard deviation, 0 or more, got {noise}")
    light = _brightness(image)
    height, width = light.shape
    if min(height, width) < 2 * PATCH:  # its smallest copy holds no patch
        return Recurrence(map=torch.zeros(height, width), score=0.0, detail=0.0, pairs=())
    rows, columns = _grid(height, width)
    queries = _patches_at(light, rows.repeat_interleave(len(columns)), columns.repeat(len(rows)), 1.0, PATCH)
    is_detailed = queries.contrast > max(LEAST_DETAIL, LOUD * noise)
    entries = _entries(light, COPIES, PATCH, ENTRIES, max(LEAST_ENTRY, noise))
    explained = torch.zeros(len(is_detailed))
    match = _nearest(queries.only(is_detailed), entries, reach=PATCH)
    explained[is_detailed] = ((match.explained - CHANCE) / (1 - CHANCE)).clamp(min=0)
    coarse = explained.view(1, 1, len(rows), len(columns))
    fine = F.interpolate(coarse, (height, width), mode="bilinear")[0, 0].clamp(0, 1)
    return Recurrence(
        map=fine,
        score=float(fine.double().mean()),
        detail=float(is_detailed.double().mean()),
        pairs=_examples(light, max(LEAST_DETAIL, LOUD * noise)),
    )


def steps_for(score: float, steps: int) -> int:
    """Return how many of a method's steps an image of this score is worth: all of them from a score of 0.4 on."""
    return math.ceil(steps * min(1.0, max(0.0, score) / MUCH))


class _Patches(NamedTuple):
    """Patches as points that lie the nearer, the better one explains the other."""

    points: Tensor
    """(n, side^2) of length 1, without the plane that fits them best."""
    contrast: Tensor
    """(n,): standard deviations beside that plane, before they had length 1."""
    centres: Tensor
    """(n, 2): rows and columns in the image, in pixels."""
    scales: Tensor
    """(n,): sizes of the copies that they are of."""

    def only(self, which: Tensor) -> _Patches:
        """Return some of them, by number or by truth values."""
        return _Patches(*(field[which] for field in self))


class _Match(NamedTuple):
    explained: Tensor
    """(n,) in [0, 1], 0 where nothing was found."""
    entry: Tensor
    """(n,): the number of what explains it."""


def _brightness(image: Tensor) -> Tensor:
    """Return (H, W) on the CPU; of other than three bands their mean."""
    planes = image[0].detach().cpu().float()
    if len(planes) != 3:
        return planes.mean(0)
    return sum(weight * plane for weight, plane in zip(LUMA, planes, strict=True))


def _grid(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return the rows and columns of the corners of the patches that are looked for, evenly over the image."""
    spacing = max(1.0, math.sqrt(height * width / QUERIES))
    axes = []
    for length in (height, width):
        count = max(1, int(length / spacing))
        middles = (torch.arange(count, dtype=torch.float64) + 0.5) * length / count
        axes.append((middles - PATCH / 2).round().long().clamp(0, length - PATCH))
    return axes[0], axes[1]


def _patches_at(plane: Tensor, rows: Tensor, columns: Tensor, scale: float, side: int) -> _Patches:
    """Cut the patches whose upper left corners are given out of a copy of the size `scale`."""
    values = plane.unfold(0, side, 1).unfold(1, side, 1)[rows, columns].flatten(1)
    plane_basis = _plane_basis(side)
    values = values - values @ plane_basis.mT @ plane_basis
    length = values.norm(dim=1)
    centres = (torch.stack([rows, columns], 1) + side / 2) / scale
    points = values / length.clamp(min=1e-6)[:, None]
    return _Patches(points, length / side, centres, torch.full_like(length, scale))


def _plane_basis(side: int) -> Tensor:
    """Return (3, side^2): a constant, a vertical and a horizontal slope, orthogonal and of length 1."""
    slope = torch.arange(side, dtype=torch.float32) - (side - 1) / 2
    level = torch.ones(side)
    rows = torch.stack([torch.outer(a, b).flatten() for a, b in ((level, level), (slope, level), (level, slope))])
    return rows / rows.norm(dim=1, keepdim=True)


def _entries(light: Tensor, copies: Sequence[float], side: int, most: int, least_contrast: float) -> _Patches:
    """Return patches of the copies: all that have contrast, or as many of each at random as may be."""
    found = []
    for number, scale in enumerate(copies):
        copy = resize(light, scale)
        places = (copy.shape[0] - side + 1, copy.shape[1] - side + 1)
        if min(places) < 1:
            continue
        count, share = places[0] * places[1], most // len(copies)
        chosen = torch.arange(count)
        if count > share:
            chosen = torch.randint(count, (share,), generator=generator_of(0, side, number))
        patches = _patches_at(copy, chosen // places[1], chosen % places[1], scale, side)
        found.append(patches.only(patches.contrast > least_contrast))
    return _Patches(*(torch.cat(fields) for fields in zip(*found, strict=True)))


def _nearest(queries: _Patches, entries: _Patches, reach: float) -> _Match:
    """Find for each patch the entry that explains it best, from further away than `reach` pixels.

    The squared distance d of two points of length 1 is 2 - 2 cos, and cos^2 is the part of the one's variance that
    the other, times the best factor, explains. That factor has to be positive.
    """
    count = min(CANDIDATES, len(entries.points))
    if count == 0 or len(queries.points) == 0:
        return _Match(torch.zeros(len(queries.points)), torch.zeros(len(queries.points), dtype=torch.long))
    search = _searched_exactly if faiss is None else _searched_fast
    likeness, numbers = search(entries.points, queries.points, count)
    gaps = (entries.centres[numbers] - queries.centres[:, None]).abs().amax(2)
    best, place = likeness.where(gaps > reach, -1.0).max(1)
    return _Match(best.clamp(0, 1).square(), numbers.gather(1, place[:, None])[:, 0])


def _searched_fast(points: Tensor, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the `count` greatest inner products with each query, (n, count), and whose they are, nearly exactly."""
    faiss.omp_set_num_threads(torch.get_num_threads())
    cells = max(1, min(CELLS, len(points) // CELL_LEAST))
    length = points.shape[1]
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(length), length, cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1  # a few points are enough where there are no more; it would say so on stderr
    some = points[:: max(1, len(points) // (CELL_LEAST * cells))].contiguous()
    index.train(some.numpy())
    index.add(points.numpy())
    index.nprobe = PROBED
    likeness, numbers = index.search(queries.numpy(), count)
    return torch.from_numpy(likeness), torch.from_numpy(numbers)


def _searched_exactly(points: Tensor, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return what `_searched_fast` does, without faiss, in five times its time."""
    found = [(part @ points.mT).topk(count, dim=1) for part in queries.split(256)]
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])


def _examples(light: Tensor, least_contrast: float) -> tuple[Pair, ...]:
    """Return pairs to show: detailed, more than a straight edge, well explained, from different places."""
    zoom = min(1.0, OVERVIEW / max(light.shape))
    small = light if zoom == 1 else resize(light, zoom)
    side = EXAMPLE_PATCH
    if min(small.shape) < 2 * side:
        return ()
    places = (small.shape[0] - side + 1, small.shape[1] - side + 1)
    chosen = torch.randint(places[0] * places[1], (EXAMPLE_QUERIES,), generator=generator_of(0, side, -1))
    patches = _patches_at(small, chosen // places[1], chosen % places[1], 1.0, side)
    patches = patches.only(patches.contrast > least_contrast)
    entries = _entries(small, EXAMPLE_COPIES, side, EXAMPLE_ENTRIES, least_contrast)
    match = _nearest(patches, entries, reach=APART * side)
    worth = match.explained * patches.contrast.sqrt() * (_isotropy(patches.points) / CORNERS).clamp(max=1)
    worth = worth.where(match.explained > LEAST_LIKENESS, 0.0)
    if len(entries.contrast):
        worth = worth.where(entries.contrast[match.entry] > LEAST_CONTRAST * patches.contrast, 0.0)
    pairs: list[Pair] = []
    taken = torch.empty(0, 2)
    for number in worth.argsort(descending=True, stable=True).tolist():
        if len(pairs) == EXAMPLES or worth[number] == 0:
            break
        entry = int(match.entry[number])
        ends = torch.stack([patches.centres[number], entries.centres[entry]])
        if len(taken) and float((ends[:, None] - taken).abs().amax(2).min()) < APART * side:
            continue
        taken = torch.cat([taken, ends])
        scale = float(entries.scales[entry])
        boxes = [
            Box(float(row - length / 2) / zoom, float(column - length / 2) / zoom, length / zoom)
            for (row, column), length in zip(ends, (side, side / scale), strict=True)
        ]
        likeness = float(match.explained[number])
        pairs.append(Pair(patch=boxes[0], source=boxes[1], scale=scale, explained=likeness))
    return tuple(pairs)


def _isotropy(points: Tensor) -> Tensor:
    """Return the ratio of the structure tensor's eigenvalues: 0 for straight edges, up to 1 for what has corners."""
    side = math.isqrt(points.shape[1])
    values = points.view(-1, side, side)
    dx = (values[:, 1:-1, 2:] - values[:, 1:-1, :-2]).flatten(1)
    dy = (values[:, 2:, 1:-1] - values[:, :-2, 1:-1]).flatten(1)
    xx, yy, xy = (dx * dx).sum(1), (dy * dy).sum(1), (dx * dy).sum(1)
    middle, spread = (xx + yy) / 2, (((xx - yy) / 2).square() + xy.square()).sqrt()
    return (middle - spread).clamp(min=0) / (middle + spread).clamp(min=1e-12)
