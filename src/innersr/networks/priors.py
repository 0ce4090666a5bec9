"""Priors: trained networks, from the package by name or from a file by path.

The packaged ones are in the folder `weights`: NAME.safetensors, the model card NAME.md, and index.json, which has
{"NAME": {"sha256": ..., "bytes": ..., "about": one line}}.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import os
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from innersr.errors import CheckpointError, InputError
from innersr.networks.checkpoints import (
    Checkpoint,
    build_network,
    check_prior,
    load_checkpoint,
    outline_of,
    parse_checkpoint,
    read_whole,
)

PACKAGED = resources.files("innersr") / "weights"
REPAIR = "the package is damaged; install innersr again"


class PackagedPrior(NamedTuple):
    """An entry of the index of packaged priors."""

    sha256: str
    bytes: int
    about: str


class Description(NamedTuple):
    """Header, number of weights and model card of a prior: Markdown, None without one."""

    header: dict[str, Any]
    weights: int
    card: str | None


def packaged_priors(folder: Traversable = PACKAGED) -> dict[str, PackagedPrior]:
    """The index of the packaged priors, by name; CheckpointError if the package is damaged."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        return {name: PackagedPrior(**entry) for name, entry in index.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"the index of the priors cannot be read ({error}); {REPAIR}") from error


def prior_names(folder: Traversable = PACKAGED) -> tuple[str, ...]:
    """Names of the packaged priors."""
    return tuple(packaged_priors(folder))


def load_prior(name_or_path: str | Path, folder: Traversable = PACKAGED) -> nn.Module:
    """Load a trained network: float32, on the CPU, in evaluation mode, without gradients.

    Args:
        name_or_path: one of `prior_names()`; or a file, whose path ends in .safetensors or contains a folder.
        folder: of the packaged priors.

    Raises:
        InputError: there is no packaged prior of this name.
        CheckpointError: the file is missing, damaged, not a prior, or made by a newer innersr.
    """
    if folder is PACKAGED and not _is_path(name_or_path):
        return copy.deepcopy(_packaged_network(str(name_or_path)))
    return build_network(_checkpoint(name_or_path, folder), name_or_path)


def describe_prior(name_or_path: str | Path, folder: Traversable = PACKAGED) -> Description:
    """Describe a prior; arguments and errors are those of `load_prior`.

    The model card of a file is beside it: NAME.md beside NAME.safetensors.
    """
    tensors, header = _checkpoint(name_or_path, folder)
    count = sum(tensor.numel() for tensor in tensors.values())
    card = Path(name_or_path).with_suffix(".md") if _is_path(name_or_path) else folder / f"{name_or_path}.md"
    try:
        text = card.read_bytes().decode("utf-8", "replace") if card.is_file() else None
    except OSError as error:
        raise CheckpointError(f"{card}: cannot be read ({error.strerror}); check its permissions") from error
    return Description(header, count, text)


def prior_bytes(name_or_path: str | Path) -> bytes:
    """The whole file of a prior, checked; argument and errors are those of `load_prior`."""
    if not _is_path(name_or_path):
        return _packaged_bytes(str(name_or_path), PACKAGED)
    check_prior_file(name_or_path)
    return read_whole(Path(name_or_path))


def check_prior_file(path: str | Path) -> None:
    """Raise CheckpointError unless a file is a prior whose tensors fit its network; its values are not read."""
    check_prior(outline_of(path, "prior"), path)


@functools.lru_cache(maxsize=4)
def _packaged_network(name: str) -> nn.Module:
    """A packaged network, kept for the next image: building one takes ten times as long as copying it."""
    return build_network(_checkpoint(name, PACKAGED), name)


def _is_path(name_or_path: str | Path) -> bool:
    text = str(name_or_path)
    return isinstance(name_or_path, Path) or text.endswith(".safetensors") or "/" in text or os.sep in text


def _checkpoint(name_or_path: str | Path, folder: Traversable) -> Checkpoint:
    if _is_path(name_or_path):
        check_prior_file(name_or_path)
        return load_checkpoint(name_or_path, "prior")
    return parse_checkpoint(_packaged_bytes(str(name_or_path), folder), f"prior {name_or_path}", "prior")


def _packaged_bytes(name: str, folder: Traversable) -> bytes:
    """The file of a packaged prior, checked by its hash before anything in it is parsed."""
    index = packaged_priors(folder)
    if name not in index:
        names = f"choose {', '.join(index)}, or" if index else "none is packaged;"
        raise InputError(f"no prior is called {name!r}; {names} give the path of a .safetensors file")
    try:
        data = (folder / f"{name}.safetensors").read_bytes()
    except OSError as error:
        raise CheckpointError(f"prior {name} cannot be read ({error.strerror}); {REPAIR}") from error
    if hashlib.sha256(data).hexdigest() != index[name].sha256:
        raise CheckpointError(f"prior {name} is not as it was released (its SHA-256 differs); {REPAIR}")
    return data
