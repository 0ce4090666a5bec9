"""Objectives by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from innersr.settings import values_of
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
    lesson, pace = values_of(name, settings, kind, Pace)
    return kind(**lesson), replace(PACES[name], **pace)
