"""Work of `innersr prior`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from innersr.commands.console import Reporter
from innersr.integrations.hugging_face import pull_prior, push_prior
from innersr.networks.priors import describe_prior, packaged_priors


def list_priors(reporter: Reporter) -> None:
    """Print one line, or one JSON object, for each packaged prior."""
    index = packaged_priors()
    if not index:
        reporter.note("no priors come with this installation; `innersr train` makes one")
    width = max((len(name) for name in index), default=0)
    for name, entry in index.items():
        record = {"name": name, "bytes": entry.bytes, "about": entry.about}
        reporter.result(f"{name:<{width}}  {entry.bytes / 1000:5.0f} kB  {entry.about}", record)


def show_prior(reporter: Reporter, *, prior: str) -> None:
    """Print the header, indented, and the model card below it; as JSON the header alone."""
    description = describe_prior(prior)
    lines = [f"{prior}: {description.weights} weights", *_outline(description.header)]
    if description.card is not None:
        lines += ["", *description.card.rstrip().expandtabs(4).replace("\r\n", "\n").split("\n")]
    reporter.result(lines, description.header)


def push(reporter: Reporter, *, prior: str, repository: str, is_private: bool) -> None:
    """Put a prior on the Hugging Face Hub, and print its address."""
    address = push_prior(prior, repository, is_private=is_private)
    reporter.result(address, {"prior": prior, "repository": repository, "address": address})


def pull(reporter: Reporter, *, repository: str, output: Path | None, overwrite: bool) -> None:
    """Get a prior from the Hugging Face Hub, and print where it is and how it is used."""
    path = pull_prior(repository, output, overwrite=overwrite)
    reporter.result(
        f"{path}; for `innersr upscale --set prior={path}`", {"repository": repository, "output": str(path)}
    )


def _outline(record: dict[str, Any], indent: str = "  ") -> Iterator[str]:
    """Yield a line for each value, those of an inner object further in."""
    for key, value in record.items():
        if isinstance(value, dict):
            yield f"{indent}{_plain(key)}:"
            yield from _outline(value, indent + "  ")
        else:
            yield f"{indent}{_plain(key)}: {_plain(value)}"


def _plain(value: object) -> str:
    """A value of the header for people: strings bare, lists of plain values without brackets."""
    if isinstance(value, str) and value.isprintable():
        return value
    if isinstance(value, list) and not any(isinstance(each, (dict, list)) for each in value):
        return ", ".join(_plain(each) for each in value)
    return json.dumps(value)
