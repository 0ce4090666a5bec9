"""Objectives by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from innersr.errors import InputError
from innersr.settings import parse_setting
from innersr.training.learner import Pace
from innersr.training.objective import Lesson
from innersr.training.objectives.mzsr import MZSRLesson
from innersr.training.objectives.predictor import PredictorLesson
from innersr.training.objectives.supervised import SupervisedLesson
from innersr.training.objectives.tailor import TailorLesson

LESSONS: Mapping[str, type[Lesson[Any]]] = {
    "supervised": SupervisedLesson,
    "mzsr": MZSRLesson,
    "tailor": TailorLesson,
    "predictor": PredictorLesson,
}

PACES: Mapping[str, Pace] = {  # where nothing else is said
    "supervised": Pace(learning_rate=4e-4),
    "mzsr": Pace(learning_rate=1e-4),
    "tailor": Pace(),
    "predictor": Pace(),
}


def lesson_and_pace(name: str, settings: Mapping[str, str]) -> tuple[Lesson[Any], Pace]:
    """Return the lesson of a name and its pace, with settings as text, e.g. {"width": "32", "steps": "500"}.

    Raises:
        InputError: an unknown setting, or a value that does not fit it.
    """
    kind: Any = LESSONS[name]
    kinds = {"lesson": {f.name: str(f.type) for f in dataclasses.fields(kind)}}
    kinds["pace"] = {f.name: str(f.type) for f in dataclasses.fields(Pace)}
    values: dict[str, dict[str, Any]] = {"lesson": {}, "pace": {}}
    for key, text in settings.items():
        owners = [owner for owner, fields in kinds.items() if key in fields]
        if not owners:
            known = ", ".join([*kinds["lesson"], *kinds["pace"]])
            raise InputError(f"{name} has no setting {key!r}; it has {known}")
        values[owners[0]][key] = parse_setting(key, text, kinds[owners[0]][key])
    return kind(**values["lesson"]), replace(PACES[name], **values["pace"])
