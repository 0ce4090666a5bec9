"""Presets of the methods: settings by method and name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
        "balanced": {"steps": 120},
        "best": {"steps": 1500, "crop": 48, "refresh": 250, "views": 8},
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
