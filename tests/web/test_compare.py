"""The tab "Compare", without the page around it."""

from types import SimpleNamespace

import pytest
from PIL import Image as PillowImage

gradio = pytest.importorskip("gradio", reason="the page needs the extra web")

from innersr.web.compare import _Compare  # noqa: E402 (after what may skip)
from innersr.web.limits import Limits  # noqa: E402
from innersr.web.place import Place  # noqa: E402
from innersr.web.visitors import Visitors  # noqa: E402


@pytest.mark.parametrize(("name", "kind"), [("a.png", "PNG"), ("a.tga", "TGA"), ("a.ppm", "PPM"), ("a.dat", "TIFF")])
def test_every_picture_that_is_read_is_compared(tmp_path, name, kind):
    place = Place(limits=Limits(), visitors=Visitors(tmp_path, 60), device="cpu")
    path = place.visitors.uploads / name
    PillowImage.linear_gradient("L").resize((30, 20)).convert("RGB").save(path, format=kind)
    asked = {"picture": str(path), "truth": None, "methods": ["bicubic"], "scale": 2, "preset": "draft"}
    *_, (table, _, _) = _Compare(place).compare(SimpleNamespace(**asked), place.visitors.of("a"))
    assert [row[0] for row in table["data"]] == ["bicubic"]
