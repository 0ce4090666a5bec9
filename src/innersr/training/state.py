"""The saved state of a training, checked before it is used."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from innersr.errors import CheckpointError, FileError, InnersrError, InputError
from innersr.networks.blueprints import shortened
from innersr.networks.checkpoints import load_checkpoint, outline_of, save_checkpoint
from innersr.training.crops import EXTRA_SHARE
from innersr.training.learner import Learner
from innersr.training.registry import EARLIER_NAMES


class Header(msgspec.Struct, kw_only=True):
    """The header of a state.

    Args:
        step: that was made last.
        seconds: that the training has taken.
        settings: see `Session.settings`.
        diverged: how often weights were restored, see `DivergenceGuard`.
        moments: whether the optimizers' are saved of all parameters, or only of those that have had gradients, as
            until version 0.2.
    """

    step: Annotated[int, Meta(ge=0)]
    seconds: Annotated[float, Meta(ge=0, le=1e12)]
    settings: dict[str, Any]
    moments: Literal["all", "used"] = "used"
    diverged: Annotated[int, Meta(ge=0, le=100)] = 0


class _Surroundings(msgspec.Struct, kw_only=True):
    """The settings of a session that belong neither to its objective nor to its schedule."""

    objective: str
    precision: Literal["float32", "bfloat16"]
    data: list[str]
    initial: str | None = None
    extra_share: Annotated[float, Meta(ge=0, le=1)] = EXTRA_SHARE


def save_state(path: Path, learner: Learner[Any], seconds: float, settings: dict[str, Any]) -> None:
    """Save the state of a training, and the seconds that it has taken; CheckpointError if it cannot be written."""
    header = Header(step=learner.step, seconds=seconds, settings=settings, moments="all", diverged=learner.guard.count)
    save_checkpoint(path, learner.tensors(), {"kind": "training", **msgspec.to_builtins(header)})


def restore_state(
    path: Path, learner: Learner[Any], settings: Mapping[str, Any], *kinds: type, changeable: Collection[str] = ()
) -> tuple[float, dict[str, Any]]:
    """Restore a learner from a saved state; return the seconds that training has taken, and the changed settings.

    Args:
        settings: of the session that is resumed.
        kinds: the dataclasses of its objective and its schedule.
        changeable: names of the settings that may differ from the state's.

    Raises:
        InputError: there is no state, or it was started with other settings, or is beyond the last step.
        CheckpointError: it is damaged.
    """
    if not path.exists():
        raise FileError(f"{path}: there is no such file to resume; leave out --resume to start")
    outline = outline_of(path, "training")
    try:
        header = msgspec.convert(outline.header, Header)
        started = _settings_of(header, *kinds)
        changes = {name: value for name, value in settings.items() if started.get(name) != value}
        for name in (name for name in changes if name not in changeable):
            was = f"{name}={shortened(started.get(name), plain=True)}"
            remedy = "continue with that, or start anew with --overwrite"
            raise InputError(f"{path}: was started with {was}, not {changes[name]}; {remedy}")
        if header.step > settings["steps"]:
            raise InputError(f"{path}: is at step {header.step} already; set steps={header.step} or more")
        learner.check(outline.tensors, header.step, moments=header.moments)
        tensors = load_checkpoint(path, "training").tensors
        learner.check(tensors, header.step, moments=header.moments)
    except InnersrError:
        raise
    except ValueError as error:
        raise CheckpointError(f"{path}: is damaged ({error}); start anew with --overwrite") from error
    learner.restore(tensors, header.step, header.diverged)
    return header.seconds, changes


def _settings_of(header: Header, *kinds: type) -> dict[str, Any]:
    """The settings in a header, under their names of today; ValueError if one has a wrong type or value."""
    recorded = {EARLIER_NAMES.get(name, name): value for name, value in header.settings.items()}
    if "lesson" in recorded:  # the record of version 0.1
        recorded["objective"] = msgspec.convert(recorded["lesson"], str).replace("Lesson", "Objective")
    surroundings = msgspec.convert(recorded, _Surroundings)
    if surroundings.objective != kinds[0].__name__:
        return {"objective": surroundings.objective}
    # A setting that was added after the state was saved had its default value then.
    own = [asdict(msgspec.convert(recorded, kind)) for kind in kinds]
    started = {**own[0], **own[1], **msgspec.to_builtins(surroundings)}
    if header.step > started["steps"]:
        raise ValueError(f"step {header.step} of {started['steps']}")
    return started
