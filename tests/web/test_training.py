"""Training on the page: what happens to a model meanwhile."""

from types import SimpleNamespace

import pytest

pytest.importorskip("gradio", reason="the page needs the extra web")

from innersr.errors import InputError  # noqa: E402 (after what may skip)
from innersr.web.limits import Limits  # noqa: E402
from innersr.web.one_picture.library import Library  # noqa: E402
from innersr.web.one_picture.train import _Train  # noqa: E402
from innersr.web.place import Place  # noqa: E402
from innersr.web.visitors import Visitors, bundled_examples  # noqa: E402


def test_a_model_in_training_is_neither_removed_nor_trained_by_somebody_else(tmp_path):
    """Its folder went, or two trainings wrote into it."""
    place = Place(limits=Limits(), visitors=Visitors(tmp_path, 60), device="cpu", library=tmp_path / "models")
    (one, other), tab = (place.visitors.of(name) for name in "ab"), _Train(place)
    asked = {"picture": str(bundled_examples() / "bricks.png"), "preset": "draft", "longest": 32}
    work, library = tab.begin(SimpleNamespace(**asked, iterations=100_000, seed=0), one), Library(tmp_path / "models")
    chosen = SimpleNamespace(model="bricks")
    while library.names != ["bricks"]:
        next(work)
    for wish in (tab.remove(chosen, one), tab.remove(chosen, other), tab.resume(chosen, other)):
        with pytest.raises(InputError, match="bricks is being trained; wait for it, or press Stop"):
            next(wish)
    one.stop.set()
    assert "bricks is stopped; it can be continued" in [*work][-1][1]
    next(tab.remove(chosen, other))
    assert library.names == []
