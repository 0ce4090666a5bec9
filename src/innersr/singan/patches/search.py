"""Nearest patches of a picture: by comparing all, or by what neighbours found. Knows nothing of scales.

A place is the upper left pixel of a patch; places are numbered row by row. A field holds the place of the nearest key
for every query.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.singan.pyramid import Size


@dataclass(frozen=True, kw_only=True, eq=False)
class Patches:
    """The patches of a picture, one of each place, projected onto few axes.

    Args:
        features: (h * w, D).
        size: (h, w), of the grid of places.
        allowed: (h * w,) truth values, the places that may be found; all of them if None.
    """

    features: Tensor = field(repr=False)
    size: Size
    allowed: Tensor | None = field(default=None, repr=False)

    @cached_property
    def penalty(self) -> Tensor:
        """Penalty added to the distance to every patch, (h * w,): infinite for those that may not be found."""
        zeros = torch.zeros_like(self.features[:, 0])
        return zeros if self.allowed is None else zeros.masked_fill(~self.allowed, math.inf)


def principal_axes(picture: Tensor, side: int, count: int) -> Tensor:
    """The axes that the patches of a picture, (1, C, H, W), vary most along: (at most `count`, C, side, side)."""
    channels = picture.shape[1]
    rows = max(1, picture.shape[-2] * picture.shape[-1] // 2**14)  # so many patches are enough for a covariance
    patches = F.unfold(picture, side, stride=(rows, 1))[0].T
    patches = patches - patches.mean(dim=0)
    covariance = (patches.T @ patches).cpu().double()
    axes = torch.linalg.eigh(covariance)[1].flip(1)[:, :count]
    return axes.T.reshape(-1, channels, side, side).to(picture)


def patches_of(picture: Tensor, axes: Tensor, allowed: Tensor | None = None) -> Patches:
    """The patches of a picture, (1, C, H, W).

    Args:
        picture: padded along axes where it is periodic.
        axes: (D, C, side, side) that they are projected onto.
        allowed: (h, w), see `Patches`.
    """
    maps = F.conv2d(picture, axes)[0]
    marks = None if allowed is None else allowed.flatten()
    return Patches(features=maps.flatten(1).T.contiguous(), size=(maps.shape[1], maps.shape[2]), allowed=marks)


def at_heights(patches: Patches, heights: Tensor, weight: float) -> Patches:
    """Patches whose squared distance to others grows by a weight for the squared difference of their heights.

    Args:
        heights: (h,), of the middles of the rows of patches.
    """
    values = (weight**0.5 * heights)[:, None].expand(patches.size).reshape(-1, 1)
    return replace(patches, features=torch.cat([patches.features, values.to(patches.features)], dim=1))


def nearest(
    queries: Patches,
    keys: Patches,
    completeness: float | None = None,
    most: float = math.inf,
    quota: float = math.inf,
) -> Tensor:
    """The field of nearest keys, by comparing every query with every key.

    Args:
        completeness: alpha of the bidirectional similarity (Granot 2022, eq. 1), in squared distance: the distance to
            a key is divided by alpha plus the distance of that key to its own nearest query, so that keys which
            nobody needs yet are preferred. None leaves it out.
        most: that distance of a key to its own nearest query counts as at most so many times the median one, so that
            keys which fit nowhere are not preferred at any price.
        quota: keys that are found more than so many times as often as all are in the mean become dearer, see
            `_balanced`; infinite for no such limit.
    """
    # One product gives |q|^2 - 2qk + |k|^2: q is extended by (1, |q|^2), k by (|k|^2, 1).
    q, k = queries.features, keys.features
    q = torch.cat([q, torch.ones_like(q[:, :1]), q.square().sum(1, keepdim=True)], dim=1)
    k = torch.cat([-2 * k, k.square().sum(1, keepdim=True), torch.ones_like(k[:, :1])], dim=1)
    chunks = q.split(max(1, 2**19 // len(k)))  # distances that stay in the cache of a processor
    if completeness is not None:
        least = torch.full_like(k[:, 0], math.inf)
        for chunk in chunks:
            least = torch.minimum(least, (chunk @ k.T).amin(dim=0))
        least = least.clamp(min=0)
        if math.isfinite(most):  # infinity times a median of 0 is no number
            least = least.clamp(max=most * float(least.median()))
        k = k / (completeness + least)[:, None]
    if math.isfinite(quota):
        return _balanced(q, k, keys.penalty, quota)
    return torch.cat([_argmin(chunk @ k.T + keys.penalty) for chunk in chunks])


def _balanced(q: Tensor, k: Tensor, penalty: Tensor, quota: float) -> Tensor:
    """The field of nearest keys at prices, as in an auction: those of keys that are found too often rise.

    Queries come in turn, so that those which are alike, as in a plain part of a painting, find several keys.
    """
    turns = max(32, len(q) * len(k) // 2**19)
    limit = max(1.0, quota * len(q) / len(k))
    prices, found, unit = torch.zeros_like(penalty), q.new_zeros(len(q), dtype=torch.long), 0.0
    for auction in range(4):
        counts, before = torch.zeros_like(prices), prices
        for turn in range(min(turns, len(q))):
            distances = q[turn::turns] @ k.T + penalty
            if auction == 0:
                unit = max(unit, 0.2 * float(distances.amin(dim=1).median()), 1e-3)
            found[turn::turns] = _argmin(distances + prices)
            counts += torch.bincount(found[turn::turns], minlength=len(k))
            prices = before + unit * (counts / limit).clamp(min=1).log()
    return found


def propagate(
    queries: Patches, keys: Patches, found: Tensor, generator: torch.Generator, rounds: int = 1
) -> tuple[Tensor, Tensor]:
    """Improve a field by what neighbours found and by random places (PatchMatch: Barnes 2009).

    Args:
        found: (h * w,) field.
        generator: of the random places, on the CPU.
        rounds: of neighbours at distances 1, 2 and 4 in four directions, and two random places.

    Returns:
        The field, and the squared distance of every query to its key; neither is ever larger than before.
    """
    height, width = keys.size
    rows, columns = ((found // width).view(queries.size), (found % width).view(queries.size))
    best = _distances(queries, keys, rows, columns)
    device = found.device
    for _ in range(rounds):
        candidates = [(step, shift) for step in (1, 2, 4) for shift in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        for step, (down, right) in candidates:
            y, x = (torch.roll(part, (step * down, step * right), (0, 1)) for part in (rows, columns))
            rows, columns, best = _improved(queries, keys, (rows, columns, best), y + step * down, x + step * right)
        for reach in (max(height, width), max(4, max(height, width) // 4)):
            jump = (2 * torch.rand(2, *queries.size, generator=generator) - 1) * reach
            y, x = jump.round().long().to(device)
            rows, columns, best = _improved(queries, keys, (rows, columns, best), rows + y, columns + x)
    return (rows * width + columns).flatten(), best.flatten()


def _improved(
    queries: Patches, keys: Patches, state: tuple[Tensor, Tensor, Tensor], y: Tensor, x: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, columns and distances, with the candidates (y, x) where those are nearer."""
    rows, columns, best = state
    y, x = y.clamp(0, keys.size[0] - 1), x.clamp(0, keys.size[1] - 1)
    distance = _distances(queries, keys, y, x)
    nearer = distance < best
    return torch.where(nearer, y, rows), torch.where(nearer, x, columns), torch.where(nearer, distance, best)


def _distances(queries: Patches, keys: Patches, rows: Tensor, columns: Tensor) -> Tensor:
    places = (rows * keys.size[1] + columns).flatten()
    squared = (queries.features - keys.features[places]).square().sum(dim=1)
    if keys.allowed is not None:
        squared = squared + keys.penalty[places]
    return squared.view(queries.size)


def _argmin(distances: Tensor) -> Tensor:
    if distances.device.type == "cpu":  # where numpy is twice as fast
        return torch.from_numpy(distances.numpy().argmin(axis=1))
    return distances.argmin(dim=1)
