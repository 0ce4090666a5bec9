import json
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from typer.testing import CliRunner

from helpers.networks import generator, network
from helpers.priors import prior_for, write_prior
from innersr.cli.app import app
from innersr.errors import InnersrError, InputError
from innersr.export import onnx_files
from innersr.export.graphs import conditioning_inputs, graph_of
from innersr.export.onnx_files import export_onnx, write_onnx
from innersr.methods.tailor import Tailor
from innersr.networks.priors import load_prior
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.pipeline.adapted_files import load_adaptation
from innersr.pipeline.files import upscale
from innersr.run import Run

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package, reason=f"needs {package}: pip install '.[onnx]'")

AGREEMENT = 1e-4
TINY = Tailor(prior=prior_for("tailor"), steps=0, views=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("onnx")


@pytest.fixture(scope="module")
def prior(folder):
    return write_prior(folder / "tiny.safetensors", network(compression=True))


@pytest.fixture(scope="module")
def printed(folder, prior):
    """The record that the command prints; its file is for one degradation."""
    arguments = [str(prior), str(folder / "fixed.onnx"), "--kernel", "gaussian:2.0", "--json"]
    result = CliRunner().invoke(app, ["export", *arguments], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def run(path, **inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})[0])


@pytest.mark.parametrize(("count", "size"), [(1, (9, 31)), (3, (40, 26))])
def test_onnxruntime_agrees_at_any_size(count, size, printed, prior):
    lr = torch.rand(count, 3, *size, generator=generator())
    expected = graph_of(load_prior(prior), Degradation(scale=2, kernel=gaussian(2.0)))(lr)
    made = run(printed["output"], lr=lr)
    assert made.shape == (count, 3, 2 * size[0], 2 * size[1])
    assert (made - expected).abs().max() < AGREEMENT


def test_the_command_prints_what_users_need_to_know(printed):
    assert (printed["inputs"], printed["scale"], printed["channels"]) == (["lr"], 2, 3)
    assert 0 <= printed["difference"] < AGREEMENT
    assert printed["bytes"] == Path(printed["output"]).stat().st_size


def test_the_file_says_itself_what_it_is(printed, prior):
    import onnxruntime

    session = onnxruntime.InferenceSession(printed["output"], providers=["CPUExecutionProvider"])
    said = session.get_modelmeta().custom_metadata_map
    assert said["innersr.prior"] == str(prior)
    assert (said["innersr.scale"], said["innersr.halo"]) == ("2", str(printed["halo"]))
    assert "kernel=" in said["innersr.degradation"]


def test_any_degradation_is_an_input(folder, prior):
    made = export_onnx(prior, folder / "any.onnx", Degradation(scale=3), any_degradation=True)
    assert made.inputs == ("lr", "vector", "filters")
    stack, degradation = load_prior(prior), Degradation(scale=3, kernel=gaussian(3.0), noise=0.02)
    lr = torch.rand(1, 3, 14, 30, generator=generator())
    result = run(made.path, lr=lr, **conditioning_inputs(stack, degradation))
    assert (result - graph_of(stack, degradation)(lr)).abs().max() < AGREEMENT


def test_a_file_that_computes_something_else_is_not_written(folder, prior, monkeypatch):
    monkeypatch.setattr(onnx_files, "_converted", lambda *_: __import__("onnx").ModelProto())
    monkeypatch.setattr(onnx_files, "_difference", lambda *_: float("nan"))
    with pytest.raises(InnersrError, match="onnxruntime differs from PyTorch by nan"):
        write_onnx(graph_of(load_prior(prior), Degradation(scale=2)), folder / "wrong.onnx", {})
    assert not (folder / "wrong.onnx").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--kernel", "auto"], "sees no image before it runs"),
        (["--any-degradation", "--noise", "3"], "comes with each image"),
        (["--any-degradation", "--grey"], "repeat a grey image"),
        (["--any-degradation", "-s", "1.5"], "enlarges 2, 3, 4 times"),
        (["-s", "6"], "enlarges 2, 3, 4 times"),
        (
            ["--noise", "poisson:5"],
            "knows no counting noise; give one standard deviation (--noise 5)",
        ),
    ],
)
def test_the_command_refuses_in_one_line(options, words, prior, folder):
    result = CliRunner().invoke(app, ["export", str(prior), str(folder / "refused.onnx"), *options])
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (folder / "refused.onnx").exists()


def test_what_was_learnt_on_an_image_is_exported_with_its_degradation(folder, monkeypatch):
    kept, pixels = folder / "kept.safetensors", torch.rand(3, 24, 20, generator=generator())
    method = Tailor(prior=prior_for("tailor"), steps=2, crop=8, views=1)
    run_settings = Run(device="cpu", precision="fp32")
    degradation = Degradation(scale=3, kernel=gaussian(2.0))
    upscale(pixels, degradation=degradation, method=method, run=run_settings, save_adapted=kept)
    expected = load_adaptation(kept, run_settings).upscaler(pixels[None])
    written = []
    monkeypatch.setattr(onnx_files, "write_onnx", lambda graph, *_, **__: written.append(graph))
    export_onnx(kept, folder / "kept.onnx")
    assert (written[0](pixels[None]) - expected).abs().max() < 1e-5
    with pytest.raises(InputError, match="a degradation of its own"):
        export_onnx(kept, folder / "kept.onnx", Degradation(scale=2))


@pytest.mark.parametrize(
    ("method", "noise", "words"),
    [
        (TINY, "poisson:5", "was learnt under counting noise; learn with one standard deviation (--noise 5)"),
        ("bicubic", None, "holds no network; learn with tailor, zssr, mzsr or supervised"),
        ("backprojection", None, "holds no network; learn with tailor, zssr, mzsr or supervised"),
    ],
)
def test_what_has_no_graph_is_refused_as_what_it_is(folder, method, noise, words):
    kept, pixels = (
        folder / f"{method if noise is None else 'counted'}.safetensors",
        torch.rand(3, 24, 20, generator=generator()),
    )
    run_settings = Run(device="cpu", precision="fp32")
    upscale(pixels, kernel="bicubic", noise=noise, method=method, run=run_settings, save_adapted=kept)
    with pytest.raises(InputError, match=re.escape(f"{kept}: {words}")):
        export_onnx(kept, folder / "kept.onnx")


def test_noise_is_refused_for_networks_that_know_none(folder):
    with pytest.raises(InputError, match="a DetailStack knows neither noise nor compression; leave them out"):
        export_onnx(prior_for("supervised"), folder / "noisy.onnx", Degradation(scale=2, noise=0.02))


def test_names_and_existing_files_are_checked_first(folder):
    with pytest.raises(InputError, match="ends in .onnx"):
        export_onnx("tailor", folder / "network.pt")
    (folder / "there.onnx").write_bytes(b"mine")
    with pytest.raises(InputError, match="exists"):
        export_onnx("tailor", folder / "there.onnx")
    assert (folder / "there.onnx").read_bytes() == b"mine"


def test_a_missing_package_is_named_with_its_remedy(monkeypatch, folder):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(InputError, match=r"need onnxscript: pip install '\.\[onnx\]'"):
        export_onnx("tailor", folder / "missing.onnx")


def test_the_documented_tiles_give_what_the_whole_image_gives(printed, tmp_path, monkeypatch):
    documents = Path(__file__).parents[2] / "docs" / "export.md"
    tiles, conditioning = re.findall(r"```python\n(.*?)```", documents.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tailor-x2.onnx").write_bytes(Path(printed["output"]).read_bytes())
    pixels = (255 * torch.rand(40, 150, 3, generator=generator())).to(torch.uint8).numpy()
    PIL.Image.fromarray(pixels).save("photo.png")
    small = tiles.replace("256", "32")
    assert small != tiles
    exec(small, {})
    lr = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    made = torch.from_numpy(np.array(PIL.Image.open("photo_x2.png"))).permute(2, 0, 1)[None] / 255
    assert (made - run(printed["output"], lr=lr)).abs().max() < 0.6 / 255
    told = {}
    exec(conditioning, told)
    assert {name: array.shape[1:] for name, array in told["inputs"].items()}["filters"] == (1, 25, 25)
