"""Scores of samples: how like the picture's their features, patches and energies are, and their diversity.

The feature distance is the judge: nothing in training or sampling sees it. The patch distance is none, because
patch matching minimises it.

Pictures in here are (N, C, H, W) in [0, 1], as files hold them and as `innersr.metrics` measures them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.metrics.energies import gradient_energies, oblique_energy
from innersr.metrics.feature_distance import FeatureNetwork, feature_distances
from innersr.metrics.grey_levels import PEAK, check_image
from innersr.metrics.patch_distance import patch_distance
from innersr.metrics.sifid import DEFAULT_LAYER, InceptionStem, sifid
from innersr.physics.resize import image_size
from innersr.run import Run

PATCH, SCALES, PROJECTIONS, SEED = 7, 3, 64, 0  # of the patch distance: always the same, so that scores compare


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The scores of samples, with all that they depend on."""

    samples: int
    """Their number."""
    size: tuple[int, int]
    """(height, width) of the samples."""
    real_size: tuple[int, int]
    """(height, width) of the picture."""
    feature_distance: float | None
    """Mean over the samples of the judge's Frechet distance to the picture; None without a network."""
    feature_distances: Mapping[str, float] | None
    """The same by the block after which features are taken, such as "block 4"."""
    feature_distance_of_each: tuple[float, ...] | None
    """Of every sample, by the judge."""
    feature_network: str | None
    """Name of the network, the judge's block, and the weights' digest."""
    diversity: float | None
    """Deviation of a value over the samples, in the mean, in units of the picture's (Shaham 2019, sec. 4).

    0 for equal samples; None for a single sample, or for a picture of one value.
    """
    border_energy: float | None
    """Squared gradients of the outer 8 pixels, mean over the samples, relative to those of the picture's.

    None for a picture without any, as for the two below.
    """
    interior_energy: float | None
    """The same of the other pixels."""
    oblique_energy: float | None
    """Power in the corners of the spectrum, mean over the samples, relative to the picture's: hatches."""
    reconstruction_rmse: float | None
    """Error of the reconstruction, in grey levels; None without one."""
    sifid: float | None
    """Mean single-image Frechet inception distance; None without weights."""
    sifid_layer: str | None
    sifid_pairing: str | None
    sifid_weights: str | None
    """File name and digest of the user's weights."""
    patch_distance: float
    """Mean over the samples of their patch distance to the picture, in grey levels; 0 for the same patches.

    Patch matching minimises it, in training and in sampling: it does not judge their results.
    """
    patch_settings: str
    """How that was measured."""

    def record(self) -> dict[str, Any]:
        """The scores as plain JSON values."""
        each = None if self.feature_distance_of_each is None else list(self.feature_distance_of_each)
        sizes = {"size": list(self.size), "real_size": list(self.real_size)}
        return dataclasses.asdict(self) | sizes | {"feature_distance_of_each": each}


@isolated
def scores_of(
    samples: Tensor,
    real: Tensor,
    *,
    reconstruction: Tensor | None = None,
    judge: FeatureNetwork | None = None,
    weights: InceptionStem | None = None,
    layer: str = DEFAULT_LAYER,
    run: Run | None = None,
) -> Scores:
    """Scores of samples of a picture.

    Args:
        samples: (N, C, H, W) in [0, 1], of any size.
        real: (1, C, h, w), the picture at the size that it was learned at.
        reconstruction: (1, C, h, w), of the picture.
        judge: for the feature distance, see `metrics.feature_distance.load_feature_network`.
        weights: for the SIFID, see `metrics.sifid.load_stem`.

    Raises:
        InputError: values outside [0, 1], bands that differ, a reconstruction of another size, or pictures that are
            too small for a measure.
    """
    for name, picture in (("a sample", samples), ("the picture", real), ("the reconstruction", reconstruction)):
        if picture is not None:
            _check(name, picture, real)
    if reconstruction is not None and reconstruction.shape != real.shape:
        raise InputError(
            f"the reconstruction has {_pixels(reconstruction)} pixels, the picture {_pixels(real)}; "
            "give the picture at the last scale"
        )
    distances, judged = [], []
    for index in (run or Run()).steps("score", len(samples), limited=False):
        sample = samples[index : index + 1]
        distances.append(patch_distance(sample, real, patch=PATCH, scales=SCALES, projections=PROJECTIONS, seed=SEED))
        if judge is not None:
            judged.append(feature_distances(sample, real, judge))
    (border, interior), (own_border, own_interior) = gradient_energies(samples), gradient_energies(real)
    return Scores(
        samples=len(samples),
        size=image_size(samples),
        real_size=image_size(real),
        **_judgement(judged, judge),
        diversity=diversity(samples, real),
        border_energy=_relative(border, own_border),
        interior_energy=_relative(interior, own_interior),
        oblique_energy=_relative(oblique_energy(samples), oblique_energy(real)),
        reconstruction_rmse=None if reconstruction is None else rmse(reconstruction, real),
        sifid=None if weights is None else sifid(samples, real, weights, layer),
        sifid_layer=None if weights is None else layer,
        sifid_pairing=None if weights is None else "each sample with the picture, mean",
        sifid_weights=None if weights is None else weights.name,
        patch_distance=sum(distances) / len(distances),
        patch_settings=f"patches of {PATCH}x{PATCH}, {SCALES} scales, {PROJECTIONS} projections, seed {SEED}",
    )


@isolated
def diversity(samples: Tensor, real: Tensor) -> float | None:
    """Standard deviation of samples, in units of the picture's own (Shaham 2019, sec. 4).

    The standard deviation of every value over the samples, averaged over pixels and channels, divided by that of all
    values of the picture. Both are of samples of a population (N - 1), so that few samples do not look more alike.

    Args:
        samples: (N, C, H, W).
        real: (1, C, h, w).

    Returns:
        None for a single sample, or for a picture of one value.
    """
    whole = real.cpu().double().std()
    if len(samples) < 2 or whole == 0:
        return None
    return float(samples.cpu().double().std(dim=0).mean() / whole)


def rmse(a: Tensor, b: Tensor) -> float:
    """Root mean squared difference of two pictures in [0, 1], in grey levels of 255."""
    return float(PEAK * (a.cpu().double() - b.cpu().double()).square().mean().sqrt())


def _judgement(judged: Sequence[Mapping[int, Tensor]], judge: FeatureNetwork | None) -> dict[str, Any]:
    """What `Scores` holds of the feature distances of every sample."""
    if judge is None:
        names = ("feature_distance", "feature_distances", "feature_distance_of_each", "feature_network")
        return dict.fromkeys(names)
    each = {block: torch.cat([one[block] for one in judged]) for block in judge.measured}
    return {
        "feature_distance": float(each[judge.judge].mean()),
        "feature_distances": {f"block {block}": float(values.mean()) for block, values in each.items()},
        "feature_distance_of_each": tuple(each[judge.judge].tolist()),
        "feature_network": f"block {judge.judge} of {judge.name}",
    }


def _relative(energies: Tensor, own: Tensor) -> float | None:
    """Mean energy of samples, (N,), in units of the picture's, (1,); None if that is 0."""
    return float(energies.mean() / own) if float(own) > 0 else None


def _check(name: str, picture: Tensor, real: Tensor) -> None:
    check_image(picture)
    low, high = (float(value) for value in torch.aminmax(picture))
    slack = 1e-3  # for rounding
    if low < -slack or high > 1 + slack:
        raise InputError(
            f"scores need values in [0, 1], {name} has them from {low:.3g} to {high:.3g}; "
            "give (x + 1) / 2 of what a model makes"
        )
    if picture.shape[1] != real.shape[1]:
        raise InputError(f"{name} has {picture.shape[1]} bands, the picture {real.shape[1]}; give the same ones")
    if picture is real and len(real) != 1:
        raise InputError(f"samples are held against one picture, got {len(real)}; score them for each on its own")


def _pixels(x: Tensor) -> str:
    return f"{x.shape[-1]}x{x.shape[-2]}"
