"""The commands `innersr prior`: which trained networks there are, what they are and where they come from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from innersr.cli_shared import Json, examples, reporting

if TYPE_CHECKING:
    from innersr.priors import Description, Entry
    from innersr.voice import Voice

prior_app = typer.Typer(
    help="Look at priors: networks trained on many images.",
    epilog=examples("innersr prior list"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@prior_app.command("list", epilog=examples("innersr prior list"))
def prior_list(as_json: Json = False) -> None:
    """Say which priors come with this installation."""
    with reporting(as_json=as_json) as voice:
        from innersr.priors import packaged_priors

        say_priors(packaged_priors(), voice)


@prior_app.command("show", epilog=examples("innersr prior show mine.safetensors"))
def prior_show(
    prior: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A name of the list, or a .safetensors file.")],
    as_json: Json = False,
) -> None:
    """Say a prior's network, training and validation, and its model card."""
    with reporting(as_json=as_json) as voice:
        from innersr.priors import describe_prior

        say_prior(prior, describe_prior(prior), voice)


def say_priors(index: dict[str, Entry], voice: Voice) -> None:
    """Say one line, or one JSON object, for each prior."""
    if not index:
        voice.note("no priors come with this installation; `innersr train` makes one")
    width = max((len(name) for name in index), default=0)
    for name, entry in index.items():
        record = {"name": name, "bytes": entry.bytes, "about": entry.about}
        voice.result(f"{name:<{width}}  {entry.bytes / 1000:5.0f} kB  {entry.about}", record)


def say_prior(name: str, description: Description, voice: Voice) -> None:
    """Say the header, indented, and the model card below it; as JSON the header alone."""
    lines = [f"{name}: {description.weights} weights", *_outline(description.header)]
    if description.card is not None:
        lines += ["", _printable(description.card.rstrip())]
    voice.result("\n".join(lines), description.header)


def _outline(record: dict[str, Any], indent: str = "  ") -> Iterator[str]:
    """Yield a line for each value, those of an inner object further in."""
    for key, value in record.items():
        if isinstance(value, dict):
            yield f"{indent}{_plain(key)}:"
            yield from _outline(value, indent + "  ")
        else:
            yield f"{indent}{_plain(key)}: {_plain(value)}"


def _plain(value: object) -> str:
    """Return a value of the header for people, a list of plain values without its brackets."""
    if isinstance(value, str) and value.isprintable():
        return value
    if isinstance(value, list) and not any(isinstance(each, (dict, list)) for each in value):
        return ", ".join(_plain(each) for each in value)
    return json.dumps(value)


def _printable(text: str) -> str:
    """Return text without what could steer a terminal."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")
