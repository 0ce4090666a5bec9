"""Settings dataclasses from NAME=VALUE texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from innersr.errors import InputError

SEQUENCES: Mapping[str, tuple[type[int] | type[float], str]] = {
    "tuple[int, ...]": (int, "whole numbers separated by commas"),
    "tuple[float, ...]": (float, "numbers separated by commas"),
}


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


def parse_settings(assignments: Sequence[str]) -> dict[str, str]:
    """Return {"steps": "500"} for ["steps=500"].

    Raises:
        InputError: an assignment without "=".
    """
    settings = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise InputError(f"a setting is written name=value, got {assignment!r}")
        settings[name.strip()] = value.strip()
    return settings
