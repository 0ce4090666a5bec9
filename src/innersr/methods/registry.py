"""Methods and their presets by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, ClassVar

from innersr.errors import InputError
from innersr.methods.protocols import Method
from innersr.methods.tailor import Tailor
from innersr.settings import parse_settings, values_of


class _Methods(Mapping[str, type[Method]]):
    """Classes by name; a module is imported when its class is first used, which keeps start-up fast."""

    _places: ClassVar[Mapping[str, str]] = {
        "tailor": "tailor.Tailor",
        "zssr": "zssr.ZSSR",
        "mzsr": "mzsr.MZSR",
        "supervised": "supervised.Supervised",
        "singan": "singan.SinGANUpscaling",
        "backprojection": "baselines.BackProjection",
        "bicubic": "baselines.Bicubic",
        "pixelart": "pixelart.PixelArt",
    }

    def __getitem__(self, name: str) -> type[Method]:
        module, _, kind = self._places[name].partition(".")
        found: type[Method] = getattr(import_module(f"innersr.methods.{module}"), kind)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


METHODS: Mapping[str, type[Method]] = _Methods()


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

METHOD_PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "tailor": {
        "draft": {"steps": 0, "views": 1},
        "balanced": {"steps": 15, "further_steps": 60},
        "best": {"steps": 1500, "crop": 48, "batch": 1, "learning_rate": 3e-4, "refresh": 250, "views": 8},
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


def make_method(name: str, preset: str | None = None, settings: Mapping[str, Any] | None = None) -> Method:
    """Make the method called `name`, its preset's settings overridden by `settings`.

    Args:
        name: a key of METHODS.
        preset: a key of METHOD_PRESETS[name]; None for "balanced", except that Tailor then chooses its steps.
        settings: field names and values, as they are or as text, e.g. {"steps": "500"}.

    Raises:
        InputError: an unknown method, preset or field, or a value that does not fit the field.
    """
    if name not in METHODS:
        raise InputError(f"unknown method {name!r}; there are {', '.join(METHODS)}")
    presets = METHOD_PRESETS.get(name, {})
    if preset is not None and preset not in presets:
        there = f"there are {', '.join(presets)}" if presets else "it has none"
        raise InputError(f"unknown preset {preset!r} of {name}; {there}")
    method = METHODS[name]
    own = {} if preset is None and method is Tailor else presets.get(preset or "balanced", {})
    (values,) = values_of(name, settings or {}, method)
    return method(**{**own, **values})


def name_of(method: Method) -> str:
    """Name of a method, a key of METHODS; of one that is not among them, its class."""
    kind = type(method).__name__
    return next((name for name, place in _Methods._places.items() if place.endswith(f".{kind}")), kind)


def resolve(method: Method, *, is_estimated: bool) -> Method:
    """Settle Tailor's steps, which depend on whether the degradation was estimated; other methods stay the same."""
    return method.resolved(is_estimated=is_estimated) if isinstance(method, Tailor) else method


def settings_of(method: Method) -> dict[str, Any]:
    """A method's hyperparameters, for records."""
    return dataclasses.asdict(method) if dataclasses.is_dataclass(method) and not isinstance(method, type) else {}


def parse_method(text: str) -> Method:
    """The method that "zssr" or "zssr:preset=best;steps=500" names; raises InputError for unknown names or values."""
    name, _, rest = text.partition(":")
    settings = parse_settings([part for part in rest.split(";") if part])
    return make_method(name, settings.pop("preset", None), settings)
