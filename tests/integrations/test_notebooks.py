"""What notebooks show of images, results and progress, and the tutorial, which is run."""

import base64
import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
import torch

from innersr.images.image import Image
from innersr.integrations import notebooks
from innersr.methods.baselines import Bicubic
from innersr.physics.degradation import Degradation
from innersr.pipeline.result import Result
from innersr.run import Progress, Run

DOCUMENTS = Path(__file__).parents[2] / "docs"


def shown(image):
    return np.asarray(PIL.Image.open(io.BytesIO(image._repr_png_())))


def levels(*values, channels=1):
    return torch.tensor(values).expand(1, channels, 1, -1).clone()


@pytest.mark.parametrize(("channels", "depth"), [(1, "uint8"), (3, "uint16"), (5, "float32")])
def test_an_image_of_any_channels_shows_itself(channels, depth):
    pixels = shown(Image(colour=levels(0.0, 0.2, 1.0, channels=channels), depth=depth))
    assert pixels.tolist() == [[[0, 0, 0, 255], [51, 51, 51, 255], [255, 255, 255, 255]]]


def test_values_outside_the_range_are_stretched_to_it():
    assert shown(Image(colour=levels(-100.0, 0.0, 300.0), depth="float32"))[0, :, 0].tolist() == [0, 64, 255]


def test_alpha_and_holes_are_transparent():
    missing = torch.tensor([[[[False, False, True, True]]]])
    image = Image(
        colour=levels(0.0, 1.0, float("nan"), 1e20),
        alpha=levels(1.0, 0.2, 1.0, 1.0),
        depth="float32",
        missing=missing,
    )
    pixels = shown(image)
    assert pixels[0, :, 3].tolist() == [255, 51, 0, 0]
    assert pixels[0, :2, 0].tolist() == [0, 255]


def test_large_images_are_shown_small():
    assert shown(Image(colour=torch.rand(1, 1, 30, 1500))).shape == (10, 500, 4)


def test_a_result_shows_its_picture_and_what_was_found():
    result = Result(
        image=Image(colour=torch.rand(1, 3, 6, 8)),
        degradation=Degradation(scale=2),
        method=Bicubic(),
        consistency_psnr=40.0,
        notes=("<b> & more",),
    )
    page = result._repr_html_()
    (picture,) = re.findall(r"base64,([^\"]+)", page)
    assert base64.b64decode(picture) == result.image._repr_png_() == result._repr_png_()
    assert all(text in page for text in ("8 × 6, 3 channels", "Bicubic", "40.0 dB", "&lt;b&gt; &amp; more"))
    assert "<th>file</th>" not in page


def test_in_a_notebook_one_element_is_updated(monkeypatch):
    ipython = SimpleNamespace(display=SimpleNamespace(HTML=lambda data: SimpleNamespace(data=data)))
    for name, module in (("IPython", ipython), ("IPython.display", ipython.display)):
        monkeypatch.setitem(sys.modules, name, module)
    shown, updated = [], []
    display = SimpleNamespace(display=lambda element, **_: shown.append(element.data) or handle)
    handle = SimpleNamespace(update=lambda element: updated.append(element.data))
    monkeypatch.setattr(notebooks, "_notebook", lambda: display)
    with notebooks.progress_bar("a & b") as report:
        report(Progress(stage="learn", done=3, total=12, seconds=1.0, loss=0.5))
        report(Progress(stage="learn", done=12, total=12, seconds=4.0))
    assert shown == ["<progress></progress> a &amp; b"]
    assert updated == [
        '<progress max="12" value="3"></progress> a &amp; b: learn 3/12, loss 0.5000, 0:00:03 left',
        '<progress max="12" value="12"></progress> a &amp; b: learn 12/12, 0:00:00 left',
    ]


def test_elsewhere_the_bar_is_on_stderr(capsys):
    with notebooks.progress_bar() as report:
        assert list(Run(device="cpu", report=report).steps("learn", 3)) == [0, 1, 2]
    assert capsys.readouterr().out == ""


def test_the_tutorial_runs():
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient: pip install '.[dev]'")
    pytest.importorskip("ipykernel", reason="needs ipykernel: pip install '.[dev]'")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(DOCUMENTS / "tutorial.ipynb", as_version=4)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    resources = {"metadata": {"path": str(DOCUMENTS)}}
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    kinds = {kind for cell in notebook.cells for output in cell.get("outputs", []) for kind in output.get("data", {})}
    assert {"image/png", "text/html"} <= kinds
    page = "".join(
        output.data.get("text/html", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "data" in output
    )
    assert "<progress max=" in page
    assert "<th>found</th>" in page
