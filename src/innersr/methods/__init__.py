"""The methods by name, with their presets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from innersr.errors import InputError
from innersr.methods.baselines import BackProjection, Bicubic
from innersr.methods.mzsr import MZSR
from innersr.methods.protocols import Method, Upscaler
from innersr.methods.singan.upscaling import SinGANUpscaling
from innersr.methods.supervised import Supervised
from innersr.methods.tailor import Tailor
from innersr.methods.zssr import ZSSR

__all__ = [
    "METHODS",
    "PRESETS",
    "MZSR",
    "BackProjection",
    "Bicubic",
    "Method",
    "SinGANUpscaling",
    "Supervised",
    "Tailor",
    "Upscaler",
    "ZSSR",
    "make_method",
    "parse_setting",
    "settings_of",
]

METHODS: Mapping[str, type[Method]] = {
    "tailor": Tailor,
    "zssr": ZSSR,
    "mzsr": MZSR,
    "supervised": Supervised,
    "singan": SinGANUpscaling,
    "backprojection": BackProjection,
    "bicubic": Bicubic,
}

# The configurations of the paper's code (Shocher 2018): ideal, gradual, given kernel, real.
# Differs from the paper: gradual scales grow by equal factors on both axes, with 10 steps of back-projection each.
PAPER_ZSSR = {
    "steps": 3000,
    "pixels": 128 * 128,
    "crop": 128,
    "learning_rate": 1e-3,
    "schedule": "plateau",
    "fathers": 6,
    "smallest_father": 0.5,
    "refresh": 0,
    "network": "interpolated",
    "initial_variance": 0.1,
}

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "tailor": {
        "draft": {"steps": 0, "views": 1},
        "balanced": {},
        "best": {"steps": 1500, "crop": 48, "refresh": 250, "views": 8},
    },
    "mzsr": {
        "draft": {"steps": 1, "back_projection": 20},
        "balanced": {"father": "sharpened", "self_ensemble": True, "back_projection": 20},
        "paper": {},
    },
    "singan": {"draft": {"steps": 150}, "balanced": {}, "best": {"steps": 1500}},
    "zssr": {
        "draft": {"steps": 800, "refresh": 100},
        "balanced": {},
        "best": {"steps": 8000, "refresh": 150},
        "paper": PAPER_ZSSR,
        "paper-gradual": {**PAPER_ZSSR, "gradual": 6},
        "paper-kernel": {**PAPER_ZSSR, "self_ensemble": False, "back_projection": 2},
        "paper-real": {**PAPER_ZSSR, "smallest_father": 0.75, "son_noise": 0.0125, "back_projection": 0},
    },
}

SEQUENCES: Mapping[str, tuple[type[int] | type[float], str]] = {
    "tuple[int, ...]": (int, "whole numbers separated by commas"),
    "tuple[float, ...]": (float, "numbers separated by commas"),
}


def make_method(name: str, preset: str | None = None, settings: Mapping[str, str] | None = None) -> Method:
    """Return the method called `name`, its preset's settings overridden by `settings`.

    Args:
        name: a key of METHODS.
        preset: a key of PRESETS[name], where the method has presets.
        settings: field names and values as text, e.g. {"steps": "500"}.

    Raises:
        InputError: an unknown method, preset or field, or a value that does not fit the field.
    """
    if name not in METHODS:
        raise InputError(f"unknown method {name!r}; there are {', '.join(METHODS)}")
    presets = PRESETS.get(name, {})
    if preset is not None and preset not in presets:
        there = f"there are {', '.join(presets)}" if presets else "it has none"
        raise InputError(f"unknown preset {preset!r} of {name}; {there}")
    method = METHODS[name]
    fields = {field.name: field for field in dataclasses.fields(method)}  # type: ignore[arg-type]
    values = dict(presets.get(preset or "balanced", {}))
    for key, text in (settings or {}).items():
        if key not in fields:
            raise InputError(f"{name} has no setting {key!r}; it has {', '.join(fields) or 'none'}")
        values[key] = parse_setting(key, text, str(fields[key].type))
    return method(**values)


def settings_of(method: Method) -> dict[str, Any]:
    """Return a method's hyperparameters, for records."""
    return dataclasses.asdict(method) if dataclasses.is_dataclass(method) and not isinstance(method, type) else {}


def parse_setting(key: str, text: str, kind: str) -> object:
    """Return the value of a setting given as text.

    Args:
        key: its name, for the error.
        text: such as "500", "yes", or "0.01,0.005" of a sequence.
        kind: of the field: "int", "float", "str", "bool", "tuple[int, ...]" or "tuple[float, ...]".

    Raises:
        InputError: the text is no such value.
    """
    booleans = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        if kind == "bool":
            return booleans[text.lower()]
        if kind in SEQUENCES:
            number, _ = SEQUENCES[kind]
            return tuple(number(part) for part in text.split(","))
        return {"int": int, "float": float, "str": str}[kind](text)
    except (KeyError, ValueError):
        wanted = SEQUENCES[kind][1] if kind in SEQUENCES else kind
        raise InputError(f"setting {key} takes {wanted}, got {text!r}") from None
