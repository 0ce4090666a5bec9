"""Files of adapted methods, for other images of the same camera, scanner or film.

A file is a checkpoint of kind "adapted": the networks with all their weights, the method with its settings, the
degradation, and the prior that the method began with. Later versions of that prior change nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from torch import Tensor

from innersr.errors import CheckpointError, InputError, reason_of
from innersr.methods.mixture import learnt_networks, restored_upscaler
from innersr.methods.options import UpscaleOptions
from innersr.methods.protocols import Method
from innersr.methods.registry import METHODS, make_method, name_of, settings_of
from innersr.methods.upscalers.module import with_run
from innersr.networks.blueprints import network_record
from innersr.networks.checkpoints import Checkpoint, build_network, load_checkpoint, outline_of, save_checkpoint
from innersr.physics.geometry import scale_text
from innersr.physics.resize import as_pair
from innersr.pipeline.adaptation import Adaptation
from innersr.pipeline.degradation_records import CauseRecord, cause_of_record, record_of_cause
from innersr.run import Run


class _Record(msgspec.Struct):
    """The header of a file, see `Adaptation`."""

    method: str
    settings: dict[str, Any]
    cause: CauseRecord
    given: CauseRecord
    """`Adaptation.fitted`."""
    channels: Annotated[int, msgspec.Meta(ge=1)]
    networks: Annotated[list[list[dict[str, Any]]], msgspec.Meta(max_length=64)]
    priors: dict[str, str | None]
    notes: list[str] = msgspec.field(default_factory=list)


def save_adaptation(adaptation: Adaptation, path: str | Path) -> None:
    """Save what a method learnt; an existing file is replaced at the end.

    Raises:
        InputError: the method does not make upscalers again, as SinGAN, or one that is not innersr's; or the image was
            put together from several.
        CheckpointError: the file cannot be written.
    """
    method = adaptation.method
    check_keepable(method)
    cause, kernels = record_of_cause(adaptation.cause, "cause")
    fitted, kernels_of_fitted = record_of_cause(adaptation.fitted, "given")
    groups = learnt_networks(adaptation.upscaler)
    header = {
        "kind": "adapted",
        "method": name_of(method),
        "settings": settings_of(method),
        "cause": cause,
        "given": fitted,
        "channels": adaptation.channels,
        "networks": [[network_record(network) for network in group] for group in groups],
        "priors": dict(adaptation.priors),
        "notes": [*adaptation.notes],
    }
    tensors = {
        f"{_place(number, index)}{name}": tensor
        for number, group in enumerate(groups)
        for index, network in enumerate(group)
        for name, tensor in network.state_dict().items()
    }
    save_checkpoint(path, {**tensors, **kernels, **kernels_of_fitted}, header)


def check_keepable(method: Method) -> None:
    """Raise InputError if what a method learns cannot be kept in a file."""
    if name_of(method) not in METHODS or not hasattr(method, "upscaler"):
        kept = ", ".join(name for name, kind in METHODS.items() if hasattr(kind, "upscaler"))
        raise InputError(f"what {name_of(method)} learns is kept in no file (--save-adapted); use one of {kept}")


def load_fitting(path: str | Path, options: UpscaleOptions) -> Adaptation:
    """Load what a method learnt, on the CPU, and make sure that it is what the options ask for.

    Raises:
        CheckpointError: see `load_adaptation`.
        InputError: it is for another scale or method.
    """
    kept = load_adaptation(path, Run(device="cpu"))
    learnt, requested = kept.degradation.scales, as_pair(options.scale)
    if scale_text(learnt) != scale_text(requested):
        remedy = f"ask for {scale_text(learnt)} (-s {scale_text(learnt)}), or learn anew"
        raise InputError(f"{path}: was learnt for scale {scale_text(learnt)}, not {scale_text(requested)}; {remedy}")
    method = options.method
    if (method if isinstance(method, str) else name_of(method)) not in ("tailor", name_of(kept.method)):
        raise InputError(f"{path}: was learnt by {name_of(kept.method)}, not by {method}; leave the method out")
    return kept


def load_adaptation(path: str | Path, run: Run) -> Adaptation:
    """Load what a method learnt, to be applied by a run: on its device, with its precision, tiles and progress.

    Raises:
        CheckpointError: the file is missing, damaged, or no file of `save_adaptation`.
    """
    outline_of(path, "adapted")
    tensors, header = load_checkpoint(path, "adapted")
    try:
        record = msgspec.convert(header, _Record)
        settings = {k: tuple(v) if isinstance(v, list) else v for k, v in record.settings.items()}
        method = make_method(record.method, settings=settings)
        cause, fitted = (cause_of_record(each, tensors) for each in (record.cause, record.given))
        groups = [
            [
                build_network(Checkpoint(_under(_place(number, index), tensors), {"network": network}), path)
                for index, network in enumerate(group)
            ]
            for number, group in enumerate(record.networks)
        ]
        upscaler = restored_upscaler(method, groups, fitted, run, record.channels)
    except (InputError, msgspec.ValidationError, TypeError, ValueError, LookupError) as error:
        raise CheckpointError(
            f"{path}: is damaged ({reason_of(error)}); learn anew from an image of the kind"
        ) from error
    return Adaptation(
        method=method,
        upscaler=with_run(upscaler, run),
        cause=cause,
        fitted=fitted,
        channels=record.channels,
        priors=record.priors,
        notes=tuple(record.notes),
    )


def _place(number: int, index: int) -> str:
    """Prefix of the tensors of a network: of the part of the upscaler, and among its networks."""
    return f"part.{number}.{index}."


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
