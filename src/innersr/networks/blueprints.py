"""The networks that a checkpoint may hold, by name, and the arguments that each takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from innersr.errors import InputError
from innersr.networks.degradation_predictor import DegradationPredictor
from innersr.networks.detail_stack import DetailStack
from innersr.networks.mixture_policy import MixturePolicy
from innersr.networks.tailored_stack import TailoredStack

Allowed = range | tuple[range, range] | type[bool]


class Blueprint(NamedTuple):
    """How a network is constructed, and the limits of its arguments, within which its weights are counted."""

    construct: Callable[..., nn.Module]
    arguments: Mapping[str, Allowed]


WIDTHS = range(1, 513)

BLUEPRINTS = {
    "DetailStack": Blueprint(
        DetailStack,
        {
            "channels": range(1, 17),
            "factors": (range(1, 9), range(1, 9)),
            "width": WIDTHS,
            "depth": range(2, 65),
            "bias": bool,
        },
    ),
    "TailoredStack": Blueprint(
        TailoredStack,
        {
            "channels": range(1, 17),
            "width": WIDTHS,
            "depth": range(3, 65),
            "hidden": WIDTHS,
            "compression": bool,
        },
    ),
    "DegradationPredictor": Blueprint(DegradationPredictor, {"width": WIDTHS, "hidden": WIDTHS}),
    "MixturePolicy": Blueprint(MixturePolicy, {"features": WIDTHS, "candidates": range(1, 17), "hidden": WIDTHS}),
}


def network_record(network: nn.Module) -> dict[str, Any]:
    """Describe a network for `construct`; InputError if checkpoints do not know it, or allow only smaller ones."""
    name = type(network).__name__
    if name not in BLUEPRINTS:
        raise InputError(f"checkpoints hold {', '.join(BLUEPRINTS)}, got a {name}; save one of these networks")
    given: Any = network.arguments
    record = {"name": name, "arguments": {k: list(v) if isinstance(v, tuple) else v for k, v in given.items()}}
    try:
        construct(record, None)
    except ValueError as error:
        raise InputError(f"this {name} cannot be kept in a checkpoint: {error}") from error
    return record


def construct(record: object, generator: torch.Generator | None, *, most: int = 1 << 25) -> nn.Module:
    """Construct the network of a record.

    Args:
        generator: of the initial weights; None for shapes only, see `layers`, which take no memory.
        most: weights that a network may have; the packaged priors have less than a fortieth of these.

    Raises:
        ValueError: the network is not in the table, or larger than allowed.
    """
    if not isinstance(record, dict) or not isinstance(record.get("arguments"), dict):
        raise ValueError("its header describes no network")
    name = record.get("name")
    if not isinstance(name, str) or name not in BLUEPRINTS:
        raise ValueError(f"its network {shortened(name)} is unknown, known are {', '.join(BLUEPRINTS)}")
    blueprint = BLUEPRINTS[name]
    arguments = _checked_arguments(blueprint, record["arguments"])
    network = blueprint.construct(**arguments, generator=None)
    if (weights := sum(parameter.numel() for parameter in network.parameters())) > most:
        raise ValueError(f"its network has {weights} weights, the most are {most}")
    return network if generator is None else blueprint.construct(**arguments, generator=generator)


def shortened(value: object, *, plain: bool = False) -> str:
    """Format a value for an error message: on one line and not long, whatever a file contains; `plain` is unquoted."""
    text = value if plain and isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def listed(names: Iterable[str]) -> str:
    """Format names from a file for an error message: 20 of them at most."""
    shown = [shortened(name) for name in names]
    more = f" and {len(shown) - 20} more" if len(shown) > 20 else ""
    return ", ".join(shown[:20]) + more


def _checked_arguments(blueprint: Blueprint, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check that each argument is known, of its type and in its range, else raise ValueError; pairs become tuples."""
    if unknown := [name for name in given if name not in blueprint.arguments]:
        raise ValueError(f"its network has no {listed(unknown)}, only {', '.join(blueprint.arguments)}")
    parameters = inspect.signature(blueprint.construct).parameters
    needed = [name for name in blueprint.arguments if parameters[name].default is inspect.Parameter.empty]
    if missing := [name for name in needed if name not in given]:
        raise ValueError(f"its network lacks {listed(missing)}")
    return {name: _checked_argument(name, value, blueprint.arguments[name]) for name, value in given.items()}


def _checked_argument(name: str, value: object, allowed: Allowed) -> object:
    if isinstance(allowed, range):
        # True is an int, and in range(2), but is no number of anything.
        if type(value) is int and value in allowed:
            return value
        limits = f"{allowed[0]} to {allowed[-1]}"
        raise ValueError(f"{name} of its network is a whole number from {limits}, got {shortened(value)}")
    if isinstance(allowed, tuple):
        if isinstance(value, (list, tuple)) and len(value) == len(allowed):
            return tuple(_checked_argument(name, each, limits) for each, limits in zip(value, allowed, strict=True))
        raise ValueError(f"{name} of its network is a pair of numbers, got {shortened(value)}")
    if isinstance(value, bool):
        return value
    raise ValueError(f"{name} of its network is true or false, got {shortened(value)}")
