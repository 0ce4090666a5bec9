"""How samples are made of nearest patches."""

from __future__ import annotations

import math
from dataclasses import dataclass

from innersr.errors import InputError


@dataclass(frozen=True, kw_only=True)
class PatchSettings:
    """Settings of `PatchModel`.

    Args:
        side: of a patch in pixels.
        axes: that patches are compared along, the principal ones.
        searches: at each scale; after each one the picture is assembled anew.
        pairs: of patches that are compared at most; scales that have more search from neighbour to neighbour.
        completeness: alpha, the smaller, the more of the picture's patches appear (Granot 2022, eq. 1); in mean
            squared difference of values in [-1, 1]. 0 leaves it out.
        variety: deviation that layouts should have from sample to sample, in units of the picture's; the displacement
            is made as large as that needs, so that busy pictures keep together and plain ones still vary.
        bend: the largest of that displacement: standard deviation of columns, as a share of the picture's width; rows
            move about as far.
        bends: cells of the displacement along each axis; inside one the layout moves together.
        layouts: that are drawn for a sample, of which one is taken so that the mean detail is the picture's.
        noise: standard deviation of what is added to the layout, in units of values in [-1, 1].
        sway: displacement of the frames of animations, instead of the bend; where a walk strays by 1, so by half at the
            usual strength. The same for all pictures, so that all move.
        height: mean squared difference that a patch of the lower border counts as at the upper one, in such units; so
            that sky stays above. Less between, as the square of the distance. 0 leaves it out.
        unused: how far the least used patches are preferred at most, in times the median one, where heights count; so
            that ground which a layout leaves out is not put into the sky. 1 at least.
        quota: how many times its even share a patch is taken at most, about, where all are compared; infinite for no
            limit. Keeps plain parts of a painting from being tiled with one patch.
        foreign: difference of a colour from that of the nearest patches (root mean square over the channels, of values
            in [-1, 1]) beyond which what is put in keeps its own; infinite for patches only.

    Raises:
        InputError: a setting out of its range.
    """

    side: int = 7
    axes: int = 32
    searches: int = 5
    pairs: int = 2**24
    completeness: float = 0.005
    variety: float = 0.42
    bend: float = 0.3
    bends: int = 2
    layouts: int = 8
    noise: float = 0.4
    sway: float = 0.05
    height: float = 0.5
    unused: float = 4
    quota: float = math.inf
    foreign: float = math.inf

    def __post_init__(self) -> None:
        if self.side < 3 or self.side % 2 == 0:
            raise InputError(f"side must be odd, and 3 at least, got {self.side}")
        if min(self.axes, self.searches, self.bends, self.layouts) < 1 or self.pairs < 0:
            raise InputError("axes, searches, bends and layouts must be 1 at least, pairs 0 at least")
        if not self.unused >= 1:
            raise InputError(f"unused must be 1 at least, got {self.unused}")
        if not self.quota >= 1:
            raise InputError(f"quota must be 1 at least, got {self.quota}")
        if not self.foreign >= 0:
            raise InputError(f"foreign must be 0 or positive, got {self.foreign}")
        names = ("completeness", "variety", "bend", "noise", "sway", "height")
        if not all(0 <= getattr(self, name) < math.inf for name in names):
            raise InputError(f"{', '.join(names[:-1])} and {names[-1]} must be 0 or positive, and finite")
