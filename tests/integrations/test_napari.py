"""The plugin in napari itself: found by npe2, shown as a widget, run on a layer. Needs the extra napari and Qt."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari", reason="this runs in napari (pip install '.[napari]' pyqt6)")
npe2 = pytest.importorskip("npe2")
pytest.importorskip("qtpy", reason="the widget needs Qt (pip install pyqt6)")

import napari  # noqa: E402 (after what may skip)
from napari.components import ViewerModel  # noqa: E402
from napari.layers import Image, Layer  # noqa: E402

import innersr.integrations  # noqa: E402


@pytest.fixture
def widget(monkeypatch):
    """What the plugin shows, in Qt without a screen."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    from qtpy.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([])
    plugins = npe2.PluginManager.instance()
    if "innersr-torch" not in plugins:  # an installed one is found by itself
        manifest = Path(innersr.integrations.__file__).with_name("napari.yaml")
        plugins.register(npe2.PluginManifest.from_file(manifest))
    (shown,) = (each for each in plugins.iter_widgets() if each.plugin_name == "innersr-torch")
    yield shown.get_callable()()
    assert application is not None


@pytest.mark.parametrize("shape", [(18, 22), (2, 18, 22)])
def test_the_widget_makes_a_layer_where_the_old_one_lies(widget, shape):
    values = np.random.default_rng(0).integers(0, 4096, shape, np.uint16)
    scale, translate = (4.0, 0.5, 0.25)[-len(shape) :], (3.0, 10.0, 20.0)[-len(shape) :]
    old = Image(values, name="cells", scale=scale, translate=translate)
    viewer = ViewerModel()
    viewer.add_layer(old)
    widget.image.choices = [old]
    widget.scale.value, widget.preset.value, widget.blur.value = 2.0, "draft", 1.0
    new = viewer.add_layer(Layer.create(*widget().result(timeout=60)))
    assert isinstance(new, napari.layers.Image) and new.name == "cells x2"
    assert new.data.shape == (*shape[:-2], 36, 44) and new.data.dtype == np.uint16
    assert tuple(new.scale) == (*scale[:-2], 0.25, 0.125)
    pixels = new.scale[-2:], old.scale[-2:]
    edges = [
        layer.extent.world[:, -2:] - [pixel / 2, -pixel / 2] for layer, pixel in zip((new, old), pixels, strict=True)
    ]
    assert np.allclose(*edges)  # centres of the outer pixels, and half a pixel more
