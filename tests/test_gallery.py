"""The programs of the gallery of the documentation site are run, and their figures looked at."""

import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

GALLERY = sorted((Path(__file__).parents[1] / "docs/gallery").glob("plot_*.py"))


@pytest.fixture
def titles(monkeypatch):
    """Function that runs a program, and returns the titles of the pictures that it draws."""
    plt.switch_backend("agg")

    def run(path):
        monkeypatch.chdir(path.parent)
        runpy.run_path(str(path))
        return [axis.get_title() for axis in plt.gcf().axes if axis.images]

    yield run
    plt.close("all")


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_a_program_of_the_gallery_draws_several_pictures(titles, path):
    assert len(set(titles(path))) >= 2


def test_the_gallery_shows_that_a_known_blur_helps(titles):
    (path,) = (path for path in GALLERY if path.stem == "plot_known_blur")
    wrong, right = (float(re.search(r"([\d.]+) dB", title)[1]) for title in titles(path)[:2])
    assert right > wrong + 1
