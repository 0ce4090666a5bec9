"""Objectives by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from innersr.settings import values_of
from innersr.training.learner import TrainingSchedule
from innersr.training.objective import Objective
from innersr.training.objectives.mixture import MixtureObjective
from innersr.training.objectives.mzsr import MZSRObjective
from innersr.training.objectives.predictor import PredictorObjective
from innersr.training.objectives.supervised import SupervisedObjective
from innersr.training.objectives.tailor import TailorObjective

OBJECTIVES: Mapping[str, type[Objective[Any]]] = {
    "supervised": SupervisedObjective,
    "mzsr": MZSRObjective,
    "tailor": TailorObjective,
    "predictor": PredictorObjective,
    "mixture": MixtureObjective,
}

EARLIER_NAMES = {"mistaken": "kernel_error", "grain": "coloured_noise"}  # of settings, until version 0.2


def make_objective(name: str, settings: Mapping[str, str]) -> tuple[Objective[Any], TrainingSchedule]:
    """The objective of a name and its schedule, with settings as text, e.g. {"width": "32", "steps": "500"}.

    Raises:
        InputError: an unknown setting, or a value that does not fit it.
    """
    kind: Any = OBJECTIVES[name]
    texts = {EARLIER_NAMES.get(key, key): text for key, text in settings.items()}
    objective, schedule = values_of(name, texts, kind, TrainingSchedule)
    default = TrainingSchedule(learning_rate={"supervised": 4e-4, "mzsr": 1e-4}.get(name, 1e-3))
    return kind(**objective), replace(default, **schedule)
