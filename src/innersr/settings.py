"""Settings dataclasses from NAME=VALUE texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from innersr.errors import InputError


def values_of(owner: str, given: Mapping[str, Any], *kinds: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (dataclasses)
    """Values of settings, given as they are or as text, grouped by the dataclass that has a field of that name.

    Args:
        owner: name for the errors.
        given: {"steps": 500} or {"steps": "500"}.
        kinds: dataclasses whose fields are int, float, str, bool, tuple[int, ...] or tuple[float, ...]. The first one
            that has the field takes the value.

    Returns:
        Keyword arguments for each of `kinds`.

    Raises:
        InputError: no dataclass has such a field, or the text does not fit the field.
    """
    fields = [{field.name: str(field.type) for field in dataclasses.fields(kind)} for kind in kinds]
    values: list[dict[str, Any]] = [{} for _ in kinds]
    for name, value in given.items():
        place = next((place for place, names in enumerate(fields) if name in names), None)
        if place is None:
            known = ", ".join(name for names in fields for name in names) or "none"
            raise InputError(f"{owner} has no setting {name!r}; it has {known}")
        values[place][name] = _parsed(name, value, fields[place][name]) if isinstance(value, str) else value
    return values


def check_numbers(settings: object, *names: str, is_optional: bool = False) -> None:
    """Raise InputError for the first of these settings that is not a number, or None if that `is_optional`."""
    for name in names:
        value = getattr(settings, name)
        if not (isinstance(value, Real) or (value is None and is_optional)) or isinstance(value, bool):
            raise InputError(f"{name} must be a number, got {value!r}")


def check_choices(settings: object, **choices: Iterable[str]) -> None:
    """Raise InputError unless each of these settings has one of its choices."""
    for name, values in choices.items():
        value = getattr(settings, name)
        if str(value) not in values:
            raise InputError(f"{name} must be one of {', '.join(values)}, got {value!r}")


def parse_settings(assignments: Sequence[str]) -> dict[str, str]:
    """{"steps": "500"} of ["steps=500"]; raises InputError for an assignment without "="."""
    settings = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise InputError(f"a setting is written name=value, got {assignment!r}")
        settings[name.strip()] = value.strip()
    return settings


def _parsed(name: str, text: str, kind: str) -> object:
    kind = kind.removesuffix(" | None")
    numbers = {"int": int, "float": float}
    is_sequence = kind.startswith("tuple[")
    element = kind.removeprefix("tuple[").removesuffix(", ...]")
    try:
        if is_sequence:
            return tuple(numbers[element](part) for part in text.split(","))
        if kind == "bool":
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
        return text if kind == "str" else numbers[kind](text)
    except (KeyError, ValueError):
        sequence = f"{'whole ' * (element == 'int')}numbers separated by commas"
        raise InputError(f"setting {name} takes {sequence if is_sequence else kind}, got {text!r}") from None
