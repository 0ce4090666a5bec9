"""Exit codes of every command: 1 where a file is missing or there already, 2 for wrong usage."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image as PillowImage
from typer.testing import CliRunner

from helpers.networks import network
from helpers.priors import write_prior
from innersr.cli.app import app

COMMANDS = {  # what is wrong comes last: {in} is a file that is given, {out} one that is written
    "upscale": "{in.png} -o {out.png} -m bicubic --kernel bicubic",
    "bench": "{in/} --sheet {out.png} --methods bicubic",
    "export": "{in.safetensors} {out.onnx}",
    "inspect": "{in.png} -o {out.png}",
    "kernel show": "{in.npy} --plot {out.png}",
    "kernel estimate": "{in.png} -o {out.npy}",
    "kernel convert": "{in.npy} {out.npy}",
    "prior show": "{in.safetensors}",
    "prior push": "{in.safetensors} somebody/x",
    "prior pull": "somebody/x -o {out.safetensors}",
    "singan train": "{in.png} -o {out/}",
    "singan sample": "{in.png} -o {out.png}",
    "singan animate": "{in.png} -o {out.gif}",
    "singan inpaint": "a.png --mask {in.png} -o {out.png}",
    "singan restyle": "a.png --like {in.png} -o {out.png}",
    "singan paint": "a.png {in.png} -o {out.png}",
    "singan edit": "a.png a.png {in.png} -o {out.png}",
    "singan harmonize": "a.png {in.png} mask.png -o {out.png}",
    "singan score": "a.png --of {in.png} --no-judge",
    "singan report": "{in/} -o {out.png}",
    "train tailor": "--data {in/} --out {out.safetensors} --steps 1",
    "train mzsr": "--data {in/} --out {out.safetensors} --steps 1",
    "train supervised": "--data {in/} --out {out.safetensors} --steps 1",
    "train predictor": "--data {in/} --out {out.safetensors} --steps 1",
    "train mixture": "--data {in/} --out {out.safetensors} --steps 1",
}
WITHOUT_FILES = {"doctor", "prior list", "web"}
FURTHER = {  # more ways to name a file that is missing
    "export": ["nosuch/prior.safetensors out.onnx", "nosuch.safetensors out.onnx"],
    "kernel show": ["nosuch.npy", "gaussian:2 nosuch.mat"],
    "bench": ["--pairs nosuch", "folder --peer spandrel:nosuch.pth", "folder --degradations nosuch.npy"],
    "singan score": ["nosuch", "nosuch.png --of a.png", "a.png --of a.png --no-judge --inception nosuch.safetensors"],
    "upscale": ["a.png --kernel nosuch.npy", "a.png --mask nosuch.png", "a.png --set prior=nosuch.safetensors"],
}
WRONG_USAGE = [
    "upscale a.png -m nosuch",
    "upscale a.png --kernel gausian:2",
    "bench folder --methods nosuch",
    "bench folder --degradations nosuch",
    "bench made:nosuch",
    "export nosuch out.onnx",
    "kernel show gausian:2",
    "kernel show gaussian:1,2",
    "kernel estimate a.png --method nosuch",
    "kernel convert gaussian:2 out.npy --convention nosuch",
    "prior show nosuch",
    "singan train a.png -o out --preset nosuch",
    "singan sample a.png -o out.png --engine nosuch",
    "singan sample a.png -o out.png --wrap nosuch",
    "singan paint a.png a.png -o out.png --start-scale 99",
    "train tailor --data folder --out out.safetensors --set nosuch=1",
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work beside a picture, its mask and a folder of pictures."""
    monkeypatch.chdir(tmp_path)
    picture = np.random.default_rng(3).integers(0, 256, (40, 48, 3), np.uint8)
    mask = np.zeros((40, 48), np.uint8)
    mask[10:16, 10:16] = 255
    PillowImage.fromarray(picture).save("a.png")
    PillowImage.fromarray(mask).save("mask.png")
    (tmp_path / "folder").mkdir()
    shutil.copy("a.png", "folder/a.png")
    return tmp_path


def failed(line):
    """Return the exit code and the error of a command that writes nothing."""
    before = sorted(path for path in Path().rglob("*") if ".innersr" not in path.parts)
    result = CliRunner().invoke(app, line.split(), prog_name="innersr")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert sorted(path for path in Path().rglob("*") if ".innersr" not in path.parts) == before
    return result.exit_code, result.stderr


def with_files(line, given, written):
    for kind in (".png", ".npy", ".safetensors", ".onnx", ".gif", "/"):
        line = line.replace(f"{{in{kind}}}", given(kind)).replace(f"{{out{kind}}}", written(kind))
    return line


def there(kind):
    """A file of a kind that can be used."""
    if kind == ".npy":
        np.save("k.npy", np.ones((3, 3)))
    if kind == ".safetensors":
        write_prior(Path("prior.safetensors"), network())
    return {".png": "a.png", ".npy": "k.npy", ".safetensors": "prior.safetensors", "/": "folder"}.get(kind, "")


def test_every_command_is_among_them():
    def names(command, words=()):
        inner = getattr(command, "commands", None)
        return {" ".join(words)} if inner is None else {n for k, c in inner.items() for n in names(c, (*words, k))}

    assert names(typer.main.get_command(app)) == COMMANDS.keys() | WITHOUT_FILES


@pytest.mark.parametrize("name", [name for name, line in COMMANDS.items() if "{in" in line])
def test_a_missing_file_is_exit_code_1(name):
    if name.startswith("prior"):
        pytest.importorskip("huggingface_hub")
    if name == "export":
        pytest.importorskip("onnxscript")
    line = with_files(COMMANDS[name], lambda kind: f"nosuch{kind.rstrip('/')}", lambda kind: f"out{kind.rstrip('/')}")
    code, error = failed(f"{name} {line}")
    assert (code, "nosuch" in error) == (1, True), error


@pytest.mark.parametrize("line", [f"{name} {line}" for name, lines in FURTHER.items() for line in lines])
def test_a_missing_file_is_exit_code_1_however_it_is_named(line):
    if line.startswith("export"):
        pytest.importorskip("onnxscript")
    if "spandrel" in line:
        pytest.importorskip("spandrel")
    code, error = failed(line)
    assert (code, "nosuch" in error) == (1, True), error


@pytest.mark.parametrize("name", [name for name, line in COMMANDS.items() if "{out" in line and name != "upscale"])
def test_a_file_that_is_there_already_is_exit_code_1(name):
    if name == "prior pull":
        pytest.importorskip("huggingface_hub")
    if name == "export":
        pytest.importorskip("onnxscript")

    def existing(kind):
        path = Path(f"mine{kind.rstrip('/')}")
        path.mkdir(exist_ok=True) if kind == "/" else path.write_bytes(b"mine")
        if kind == "/":
            (path / "note.txt").write_bytes(b"mine")
        return str(path)

    if name == "singan report":
        Path("folder/a.png").unlink()
        CliRunner().invoke(app, ["singan", "train", "a.png", "-o", "folder", "--set", "iterations=1"])
    code, error = failed(f"{name} {with_files(COMMANDS[name], there, existing)}")
    assert (code, "mine" in error) == (1, True), error


@pytest.mark.parametrize("line", WRONG_USAGE)
def test_wrong_usage_is_exit_code_2(line):
    if line.startswith("export"):
        pytest.importorskip("onnxscript")
    code, error = failed(line)
    assert (code, error.startswith("error: ")) == (2, True), error
