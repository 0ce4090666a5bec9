"""Blind estimation: blur, sharpening, noise and compression, from the image alone, and how far to rely on them.

Some degradations cannot be told apart: a soft scene and a blurred sharp one can give the very same image. So there are
several candidates, each with a share in the result, see `MixturePolicy`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from innersr.blind.candidates import CANDIDATES, candidates_of, cautious_compression
from innersr.blind.counting import find_counting_noise
from innersr.blind.finding import Finding, find, find_stabilised, roughness
from innersr.blind.regions import find_regions
from innersr.blind.strong_edges import strong_edges
from innersr.errors import InputError
from innersr.isolation import isolated, require_tensor
from innersr.metrics.grey_levels import check_image
from innersr.networks.mixture_policy import MixturePolicy
from innersr.networks.priors import load_prior
from innersr.physics import kernels
from innersr.physics.degradation import MAX_NOISE, Degradation
from innersr.physics.jpeg import jpeg_quality, jpeg_strength
from innersr.physics.noise.counting import CountingNoise
from innersr.physics.resize import Scale
from innersr.run import Run

CONFIDENCES = ("none", "low", "medium", "high")


@dataclass(frozen=True, kw_only=True)
class EstimateSettings:
    """Settings of `examine`, chosen in docs/experiments.md, "Blind: telling blur and noise"."""

    least_side: int = 16  # LR pixels: smaller images show too little, and have no room for a kernel
    least_roughness: float = 0.6  # 8-bit levels: RMS difference from 3x3 means that an estimate needs
    high_confidence: float = 0.15  # below this standard deviation of the logarithmic size
    medium_confidence: float = 0.25  # likewise
    judged_scale: float = 2.0  # at which the policy judges; its soft scenes were soft enough at this scale alone
    least_share: float = 0.12  # a candidate with less is left out
    most_kept_noise: float = 8 / 255  # under more nothing is interpolated, which would keep it
    loud: float = 12 / 255  # noise that can look like details of single pixels
    overlooked: float = 0.5  # of the shares, that goes to the cautious candidate where a compression was overlooked


SETTINGS = EstimateSettings()


class Candidate(NamedTuple):
    """A degradation that the image may have, and the share of its restoration in the result."""

    degradation: Degradation
    share: float


class EstimatedRegion(NamedTuple):
    """A part of a mixed image, and its own estimate."""

    estimate: Estimate
    cells: Tensor  # (rows, columns), bool, of a grid over the image


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """The probable degradation of an image, and the candidates to restore it by."""

    degradation: Degradation
    """As found."""
    confidence: str
    """One of CONFIDENCES; "none" if the image shows too little; then the degradation is bicubic."""
    jpeg_quality: int | None = None
    """1 to 100, of a compression that left traces; None without any."""
    mixture: tuple[Candidate, ...] = ()
    """The candidates where there are several or a part is interpolated, the largest share first."""
    regions: tuple[EstimatedRegion, ...] = ()
    """Two, of an image that was put together from several, whose noise or compression differ; the larger one first,
    which the other fields describe. Empty for an image of one piece."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The mixture, or the degradation alone. What the shares lack of 1 is the share of interpolation."""
        return self.mixture or (Candidate(self.degradation, 1.0),)

    @property
    def given(self) -> Degradation:
        """The degradation with the largest share, for methods that are given one."""
        return self.candidates[0].degradation

    @property
    def wraps(self) -> tuple[bool, bool]:
        """Whether the image continues on its opposite side: (vertical, horizontal)."""
        return self.degradation.wraps

    @property
    def told(self) -> Degradation:
        """Deprecated name of `given`."""
        warnings.warn("Estimate.told is now Estimate.given", DeprecationWarning, stacklevel=2)
        return self.given

    @property
    def interpolated(self) -> float:
        """Share of interpolation in the result, in [0, 1]."""
        share = 1 - sum(candidate.share for candidate in self.candidates)
        return share if share > 1e-6 else 0.0  # smaller remainders are rounding errors

    @property
    def greatest_noise(self) -> float:
        """Largest noise that any region is given, in [0, 1]."""
        return max(region.estimate.given.noise for region in self.regions) if self.regions else self.given.noise

    @property
    def summary(self) -> str:
        """One line: standard deviations of the blur in pixels of the result, noise in 8-bit levels, confidence."""
        if self.regions:
            return "; ".join(f"{100 * r.cells.float().mean():.0f} % {r.estimate.summary}" for r in self.regions)
        noise = self.degradation.counting
        words = [f"noise {255 * self.degradation.noise:.1f}/255" + (f" ({noise.text})" if noise else "")]
        if self.jpeg_quality is not None:
            words.append(f"JPEG quality about {self.jpeg_quality}")
        words.append(f"confidence {self.confidence}")
        if self.interpolated > 0:
            words.append(f"{100 * self.interpolated:.0f} % interpolated to be safe")
        return f"blur: {self.blur_summary}, {', '.join(words)}"

    @property
    def blur_summary(self) -> str:
        """Standard deviations of the blur in pixels of the result, or a few words where there is none to measure."""
        if self.confidence == "none":
            return "cannot tell (no edges to judge by), bicubic assumed"
        if self.degradation.kernel is None:
            return "none beyond shrinking"
        shape = kernels.shape_of(self.degradation.kernel)
        if shape.long_variance < 0:
            return "none, it was sharpened"
        long, short = (f"{deviation:.1f}" for deviation in shape.deviations)
        if shape.deviations[0] < 0.3:  # noqa: PLR2004
            return "hardly any"
        return f"{long}x{short} px{shape.direction if long != short else ''}"

    def believed(self) -> Estimate:
        """The estimate whose degradation, as found, is the only candidate."""
        return replace(self, mixture=(), regions=self._regions_by(Estimate.believed))

    def deblurred(self, amount: float) -> Estimate:
        """The estimate that removes more of the blur that was found, or less.

        Args:
            amount: 0 for no more blur than that of shrinking, 0.5 for the shares as they are, 1 to believe what was
                found.

        Raises:
            InputError: an amount outside [0, 1].
        """
        if not 0 <= amount <= 1:
            raise InputError(f"deblur is from 0 to 1, got {amount:g}")
        if amount == 0.5 or self.confidence == "none":  # noqa: PLR2004
            return self
        if self.regions:
            regions = self._regions_by(lambda estimate: estimate.deblurred(amount))
            return replace(replace(self, regions=()).deblurred(amount), regions=regions)
        if amount > 0.5:  # noqa: PLR2004
            kept = 2 - 2 * amount
            return self.shared([*((d, kept * share) for d, share in self.candidates), (self.degradation, 1 - kept)])
        sharp = [(d, share) for d, share in self.candidates if d.kernel is not None]
        others = [(d, share) for d, share in self.candidates if d.kernel is None]
        found = (self.degradation.noise, self.degradation.compression)
        plain = next((d for d, _ in others if (d.noise, d.compression) == found), self._plain)
        moved = (plain, (1 - 2 * amount) * sum(share for _, share in sharp))
        return self.shared([*others, *((d, 2 * amount * share) for d, share in sharp), moved])

    def with_given(self, **changes: Any) -> Estimate:  # noqa: ANN401 (of several types)
        """The estimate with fields of all its degradations, such as the noise, replaced by what the user knows."""
        return self._mapped(lambda degradation: replace(degradation, **changes))

    def with_quality(self, quality: int) -> Estimate:
        """The estimate of an image that was saved as a JPEG of a quality, in all its regions."""
        changed = self.with_given(compression=jpeg_strength(quality))
        regions = changed._regions_by(lambda estimate: replace(estimate, jpeg_quality=quality))
        return replace(changed, jpeg_quality=quality, regions=regions)

    def with_counting_noise(self, noise: CountingNoise, lr: Tensor) -> Estimate:
        """The estimate made from a stabilised image, for the image itself, (1, C, H, W).

        The noise was measured: no candidate has more of it to be on the safe side.
        """
        deviation = min(noise.deviation(lr), MAX_NOISE)
        return self.with_given(noise=deviation, counting=noise, compression=0.0)._with_one_unblurred()

    def never_compressed(self) -> Estimate:
        """The estimate for an image that has too many levels to come from 8 bits, and from a compression.

        Where no noise was found, none is assumed to be on the safe side either, which would smooth measured values; and
        of a blur that was found with low confidence, none is removed, which would change them.
        """
        known = {"compression": 0.0} | ({"noise": 0.0} if self.degradation.noise == 0 else {})
        changed = replace(replace(self, regions=()).with_given(**known), jpeg_quality=None)
        if self.confidence == "low":
            changed = changed.deblurred(0.0)
        if self.degradation.noise == 0 and self.mixture:
            changed = changed._with_one_unblurred()
        return replace(changed, regions=self._regions_by(Estimate.never_compressed))

    def fitted(self, lr_size: tuple[int, int]) -> Estimate:
        """The estimate with all its degradations fitted to an image size, see `Degradation.fitted`."""
        return self._mapped(lambda degradation: degradation.fitted(lr_size))

    def shared(self, parts: Sequence[tuple[Degradation, float]]) -> Estimate:
        """The estimate with these degradations and shares as its mixture; the shares of one object are added up."""
        sums: dict[int, Candidate] = {}
        for degradation, share in parts:
            sums[id(degradation)] = Candidate(degradation, share + sums.get(id(degradation), (None, 0.0))[1])
        ordered = sorted(sums.values(), key=lambda candidate: -candidate.share)
        chosen = [candidate for candidate in ordered if candidate.share > 0]
        return replace(self, mixture=tuple(chosen or ordered[:1]))  # one without a share where all is interpolated

    def by_interpolation(self, kept: float) -> Estimate:
        """The estimate of an image that interpolation suits best: a share of the plain restoration, and no other."""
        return replace(self.shared([(self._plain, kept)]), confidence="low")

    def unblurred(self) -> Estimate:
        """The estimate of an image that is neither blurred nor sharpened: half plain, half with more compression."""
        plain = self._plain
        return self.shared([(plain, 0.5), (replace(plain, compression=cautious_compression(plain.compression)), 0.5)])

    @property
    def _plain(self) -> Degradation:
        """The degradation as found, without its blur: bicubic shrinking with the same noise and compression."""
        return replace(self.degradation, kernel=None, anchor="aligned", subsampling=None)

    def _with_one_unblurred(self) -> Estimate:
        """The estimate with the shares of its unblurred candidates, which are alike, added up."""
        plain = next((d for d, _ in self.mixture if d.kernel is None), None)
        if plain is None:
            return self
        return self.shared([(plain if d.kernel is None else d, share) for d, share in self.mixture])

    def _mapped(self, change: Callable[[Degradation], Degradation]) -> Estimate:
        changed = {id(d): change(d) for d in (self.degradation, *(c.degradation for c in self.candidates))}
        mixture = tuple(Candidate(changed[id(d)], share) for d, share in self.mixture)
        regions = self._regions_by(lambda estimate: estimate._mapped(change))
        return replace(self, degradation=changed[id(self.degradation)], mixture=mixture, regions=regions)

    def _regions_by(self, change: Callable[[Estimate], Estimate]) -> tuple[EstimatedRegion, ...]:
        return tuple(region._replace(estimate=change(region.estimate)) for region in self.regions)


@isolated
def examine(lr: Tensor, scale: Scale, run: Run | None = None, *, is_thorough: bool = False) -> Estimate:
    """Estimate the degradation of an image, (1, C, H, W) in [0, 1].

    `is_thorough` takes eight times as long, for an estimate that will be relied on.

    Raises:
        InputError: more or fewer than one image, or no tensor of floats around [0, 1].
        CheckpointError: the package is damaged.
    """
    if require_tensor(lr).ndim != 4 or lr.shape[0] != 1:
        raise InputError(f"examine takes one image, (1, C, H, W), got {tuple(lr.shape)}")
    check_image(lr)
    low, high = (float(end) for end in lr.aminmax())
    if low < -0.5 or high > 1.5:  # noqa: PLR2004 (overshoots of resampling are smaller)
        raise InputError(f"examine takes values in [0, 1], got {low:.4g} to {high:.4g}; divide them by their white")
    run = run or Run()
    x = lr.detach().to(run.torch_device, torch.float32)
    grey = x.mean(1, keepdim=True)
    if min(grey.shape[-2:]) < SETTINGS.least_side or roughness(grey) * 255 < SETTINGS.least_roughness:
        return Estimate(degradation=Degradation(scale=scale), confidence="none")
    counting = find_counting_noise(x)
    if counting is not None:
        return _estimate_by(find_stabilised(x, counting), scale).with_counting_noise(counting, x)
    finding = find(x, is_thorough=is_thorough)
    edges, is_compressed = strong_edges(x), finding.compression > 0
    is_noise = edges.may_be_noise and finding.noise > SETTINGS.loud
    if edges.are_of_single_pixels and not is_noise and (is_compressed or edges.density > 1):
        # Clean ones of less are often fine textures. Their detail is no noise.
        return _estimate_by(finding._replace(noise=0.0), scale).by_interpolation(kept=0.0 if edges.density > 1 else 0.2)
    if edges.are_of_pixel_art and is_compressed:
        return _estimate_by(finding, scale).unblurred()
    regions = find_regions(x, finding)
    if not regions:
        return _estimate_by(finding, scale)
    estimated = tuple(EstimatedRegion(_estimate_by(region.finding, scale), region.cells) for region in regions)
    return replace(estimated[0].estimate, regions=estimated)


def _estimate_by(finding: Finding, scale: Scale) -> Estimate:
    """The estimate that follows from a finding, at a scale."""
    degradations = candidates_of(finding, scale)
    interpolated, *shares = shares_of(finding).tolist()
    if finding.is_overlooked:
        # The policy's input, the predictor's answers, lacks the compression as well.
        moved = SETTINGS.overlooked * sum(shares)
        shares = [(1 - SETTINGS.overlooked) * share for share in shares]
        shares[CANDIDATES.index("cautious")] += moved
    if finding.noise > SETTINGS.most_kept_noise:
        shares[CANDIDATES.index("cautious")] += interpolated
    found = Estimate(
        degradation=degradations[CANDIDATES.index("sharpened" if finding.is_sharpened else "blurred")],
        confidence=_confidence(finding, interpolated),
        jpeg_quality=jpeg_quality(finding.compression) if finding.compression > 0 else None,
    )
    return found.shared(list(zip(degradations, shares, strict=True)))


@torch.no_grad()
def shares_of(finding: Finding) -> Tensor:
    """Shares of interpolation and of CANDIDATES, (1 + N,) of sum 1, small ones 0.

    They are those of any scale: whether a scene was soft or its image was blurred is seen in LR pixels.
    """
    shares = _policy()(finding.features[None], torch.tensor([SETTINGS.judged_scale]))[0]
    shares = torch.where(shares < SETTINGS.least_share, 0.0, shares)
    return shares / shares.sum()


def _confidence(finding: Finding, interpolated: float) -> str:
    deviation = float(finding.deviations[0])
    if interpolated > 0.5 or deviation >= SETTINGS.medium_confidence:  # noqa: PLR2004 (half of nothing is done)
        return "low"
    is_high = deviation < SETTINGS.high_confidence and interpolated < 0.2  # noqa: PLR2004
    return "high" if is_high else "medium"


@lru_cache(maxsize=1)
def _policy() -> MixturePolicy:
    network = load_prior("mixture")
    assert isinstance(network, MixturePolicy)  # the package's own file, checked by its hash
    return network
