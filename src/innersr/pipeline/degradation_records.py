"""Degradations and estimates as plain values of a file's header, with their kernels as tensors. Knows no file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from torch import Tensor

from innersr.blind.estimate import Candidate, Estimate
from innersr.errors import InputError
from innersr.physics.degradation import Degradation
from innersr.physics.noise.counting import CountingNoise

Pair = tuple[float, float]


class DegradationRecord(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of a degradation; its kernel is a tensor of this name, or there is none."""

    scale: Pair
    kernel: str | None
    anchor: str | Pair
    subsampling: str
    noise: float
    counting: dict[Literal["gain", "read", "black"], float] | None
    compression: float
    wrap: str


class EstimateRecord(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of an estimate; its degradations are indices into a list."""

    found: int
    confidence: str
    jpeg_quality: int | None
    mixture: list[tuple[int, float]]


class CauseRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A degradation, the first of the list, or an estimate of them."""

    degradations: Annotated[list[DegradationRecord], msgspec.Meta(min_length=1, max_length=16)]
    estimate: EstimateRecord | None


def record_of_cause(cause: Degradation | Estimate, prefix: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A degradation or an estimate as plain values, and its kernels, whose names begin with a prefix.

    Raises:
        InputError: an estimate of several regions, which are those of one image.
    """
    if isinstance(cause, Degradation):
        different = [cause]
        estimate = None
    else:
        if cause.regions:
            raise InputError("what was learnt from an image of several parts is for that image alone")
        different = [*{id(d): d for d in (cause.degradation, *(c.degradation for c in cause.mixture))}.values()]
        places = {id(degradation): place for place, degradation in enumerate(different)}
        estimate = EstimateRecord(
            found=places[id(cause.degradation)],
            confidence=cause.confidence,
            jpeg_quality=cause.jpeg_quality,
            mixture=[(places[id(degradation)], share) for degradation, share in cause.mixture],
        )
    kernels = {f"{prefix}.{place}": d.kernel for place, d in enumerate(different) if d.kernel is not None}
    records = [_record_of(d, f"{prefix}.{place}") for place, d in enumerate(different)]
    return msgspec.to_builtins(CauseRecord(degradations=records, estimate=estimate)), kernels


def cause_of_record(record: CauseRecord, kernels: Mapping[str, Tensor]) -> Degradation | Estimate:
    """Undo `record_of_cause`; raises InputError or LookupError for values that no degradation has."""
    degradations = [_degradation_of(each, kernels) for each in record.degradations]
    estimate = record.estimate
    if estimate is None:
        return degradations[0]
    mixture = tuple(Candidate(degradations[place], share) for place, share in estimate.mixture)
    if not all(share >= 0 for _, share in mixture) or sum(share for _, share in mixture) > 1 + 1e-6:  # rounding
        raise InputError("the shares of a mixture are from 0 to 1, and so is their sum")
    return Estimate(
        degradation=degradations[estimate.found],
        confidence=estimate.confidence,
        jpeg_quality=estimate.jpeg_quality,
        mixture=mixture,
    )


def _record_of(degradation: Degradation, kernel: str) -> DegradationRecord:
    counting = degradation.counting
    return DegradationRecord(
        scale=degradation.scales,
        kernel=None if degradation.kernel is None else kernel,
        anchor=getattr(degradation.anchor, "name", degradation.anchor),
        subsampling=str(degradation.subsampling),
        noise=degradation.noise,
        counting=None if counting is None else {"gain": counting.gain, "read": counting.read, "black": counting.black},
        compression=degradation.compression,
        wrap=degradation.wrap,
    )


def _degradation_of(record: DegradationRecord, kernels: Mapping[str, Tensor]) -> Degradation:
    counting = None if record.counting is None else CountingNoise(**record.counting)
    return Degradation(
        scale=record.scale,
        kernel=None if record.kernel is None else kernels[record.kernel],
        anchor=record.anchor,
        subsampling=record.subsampling,
        noise=record.noise,
        counting=counting,
        compression=record.compression,
        wrap=record.wrap,
    )
