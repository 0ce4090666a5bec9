"""The plugin of napari, without napari, whose wheels and Qt are too heavy for tests."""

import concurrent.futures
import inspect
import sys
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Literal

import numpy as np
import pytest

import innersr
from innersr.errors import InputError
from innersr.integrations.napari_layers import super_resolve_layer, super_resolved
from innersr.run import Run

ROOT = Path(__file__).parents[2]
RUN = Run(device="cpu", precision="fp32")


def layer(data, *, rgb=False, **more):
    axes = data.ndim - rgb
    settings = {"name": "cells", "scale": (1.0,) * axes, "translate": (0.0,) * axes, "multiscale": False}
    return SimpleNamespace(data=data, rgb=rgb, **(settings | more))


def drawn(*shape, dtype=np.uint16):
    values = np.random.default_rng(3).random(shape)
    return (values * np.iinfo(dtype).max).astype(dtype) if np.dtype(dtype).kind == "u" else values.astype(dtype)


@pytest.mark.parametrize(
    ("shape", "rgb", "dtype"),
    [((14, 16), False, np.uint8), ((2, 2, 14, 16), False, np.uint16), ((14, 16, 3), True, np.float32)],
)
def test_every_plane_of_a_layer_grows(shape, rgb, dtype):
    data, settings, kind = super_resolved(
        layer(drawn(*shape, dtype=dtype), rgb=rgb), scale=2, preset="draft", blur=1.0, run=RUN
    )
    axes = len(shape) - rgb
    assert data.shape == (*shape[: axes - 2], 28, 32, *shape[axes:])
    assert (data.dtype, settings["rgb"], settings["name"], kind) == (dtype, rgb, "cells x2", "image")


def test_planes_of_a_stack_are_upscaled_alike():
    plane = drawn(14, 16)
    data, *_ = super_resolved(layer(np.stack([plane, drawn(14, 16) // 2, plane])), scale=2, preset="draft", run=RUN)
    assert np.array_equal(data[0], data[2])
    assert not np.array_equal(data[0], data[1])


def test_the_new_layer_lies_where_the_old_one_does():
    stack = layer(drawn(2, 9, 12), scale=(5.0, 0.4, 0.2), translate=(1.0, 10.0, 20.0))
    data, settings, _ = super_resolved(stack, scale=3, preset="draft", blur=2.0, run=RUN)
    assert settings["scale"] == pytest.approx((5.0, 0.4 / 3, 0.2 / 3))
    for axis, (start, step) in {1: (10.0, 0.4), 2: (20.0, 0.2)}.items():
        first_edge = settings["translate"][axis] - settings["scale"][axis] / 2
        assert first_edge == pytest.approx(start - step / 2)
        assert data.shape[axis] * settings["scale"][axis] == pytest.approx(stack.data.shape[axis] * step)
    assert settings["translate"][0] == 1.0


def test_noise_is_in_the_values_of_the_layer():
    clean = np.full((14, 16), 30_000, np.uint16) + drawn(14, 16) // 64
    weak, strong = (
        super_resolved(layer(clean), scale=2, preset="draft", blur=1.0, noise=n, run=RUN)[0] for n in (1.0, 600.0)
    )
    assert strong.std() < 0.8 * weak.std()


def test_the_finest_level_of_a_pyramid_is_taken():
    pyramid = SimpleNamespace(
        data=[drawn(14, 16), drawn(7, 8)], rgb=False, name="p", scale=(1, 1), translate=(0, 0), multiscale=True
    )
    assert super_resolved(pyramid, scale=2, preset="draft", blur=1.0, run=RUN)[0].shape == (28, 32)


def test_a_layer_that_is_no_image_is_refused():
    with pytest.raises(InputError, match="cells: needs two axes"):
        super_resolved(layer(drawn(16)), scale=2, preset="draft")
    with pytest.raises(InputError, match="holds real numbers"):
        super_resolved(layer(drawn(14, 16).astype(complex)), scale=2, preset="draft", run=RUN)


def test_whole_numbers_are_values_as_floats_are():
    plane = drawn(14, 16) // 4 - 90.0
    whole, floats = (
        super_resolved(layer(plane.astype(dtype)), scale=2, preset="draft", blur=1.0, noise=0.02, run=RUN)[0]
        for dtype in (np.int16, np.float32)
    )
    assert whole.dtype == np.int16 and np.abs(whole - floats).max() <= 0.501


def test_the_widget_does_not_wait_for_the_result():
    future = super_resolve_layer(layer(drawn(14, 16)), preset="draft", blur=1.0)
    assert future.result(timeout=60)[0].shape == (28, 32)


def test_the_manifest_is_found_and_names_a_function():
    npe2 = pytest.importorskip("npe2", reason="needs npe2: pip install '.[napari]'")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, file = project["entry-points"]["napari.manifest"]["innersr-torch"].partition(":")
    assert module == "innersr.integrations"
    manifest = npe2.PluginManifest.from_file(Path(innersr.__file__).parent / "integrations" / file)
    assert manifest.name == project["name"]
    manifest.validate_imports()
    (widget,) = manifest.contributions.widgets
    (command,) = (each for each in manifest.contributions.commands if each.id == widget.command)
    assert str(command.python_name) == "innersr.integrations.napari_layers:super_resolve_layer"


def test_magicgui_understands_the_annotations(monkeypatch):
    """It makes editors of the arguments, and adds the layer when the future is done; napari itself is stood in for."""
    resolution = pytest.importorskip("magicgui._type_resolution", reason="needs magicgui, which comes with napari")
    modules = {name: ModuleType(name) for name in ("napari", "napari.layers", "napari.types")}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    modules["napari"].layers, modules["napari"].types = modules["napari.layers"], modules["napari.types"]
    modules["napari.layers"].Image, modules["napari.types"].LayerDataTuple = SimpleNamespace, tuple
    signature = inspect.signature(super_resolve_layer)
    resolved = {name: resolution.resolve_single_type(each.annotation) for name, each in signature.parameters.items()}
    presets = Literal["draft", "balanced", "best"]
    numbers = dict.fromkeys(("scale", "blur", "noise"), float)
    assert resolved == {"image": SimpleNamespace, "preset": presets} | numbers
    assert resolution.resolve_single_type(signature.return_annotation) == concurrent.futures.Future[tuple]
