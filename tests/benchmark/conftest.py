"""A folder of two images, and what was computed or examined."""

import math

import pytest

from helpers.bench import draw
from innersr.benchmark import runner as benchmark
from innersr.benchmark.runner import compute_row
from innersr.blind.estimate import Estimate
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "set2").mkdir()
    draw(tmp_path / "set2" / "a.png", seed=1)
    draw(tmp_path / "set2" / "b.png", seed=2)
    return tmp_path / "set2"


@pytest.fixture
def computed(monkeypatch):
    """Count the rows that are computed, by (image, method)."""
    calls = []

    def compute(case, run, pictures=None):
        calls.append((case.source.name, case.method_name))
        return compute_row(case, run, pictures)

    monkeypatch.setattr(benchmark, "compute_row", compute)
    return calls


@pytest.fixture
def examined(monkeypatch):
    """Let a kernel be found out that is turned by 75 degrees, and return what was examined: [(lr, scale)]."""
    calls = []

    def examine(lr, scale, _run=None, **_):
        calls.append((lr, scale))
        kernel = gaussian(3.0, 1.0, math.radians(75))
        return Estimate(degradation=Degradation(scale=scale, kernel=kernel, noise=0.02), confidence="medium")

    monkeypatch.setattr("innersr.benchmark.inputs.examine", examine)
    return calls
