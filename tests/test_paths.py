"""Where results go: folders that are made, the home folder, and never over what was given."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from typer.testing import CliRunner

from helpers.bench import draw
from helpers.cli import BICUBIC, failed, names, upscale
from helpers.priors import network_for, write_prior
from innersr.cli.app import app
from innersr.paths import is_one_file
from innersr.physics.kernel_files import save_kernel
from innersr.physics.kernels import gaussian

SIZE = (60, 48)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder that has two photographs."""
    monkeypatch.chdir(tmp_path)
    draw("a.png"), draw("b.png", seed=1)
    return tmp_path


def size_of(name):
    return PillowImage.open(name).size


def innersr(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize("given", ["--output=~/", "--output=~/large.png", "--output=~/deep/er/"])
def test_a_tilde_is_the_home_folder(folder, monkeypatch, given):
    (folder / "home").mkdir()
    monkeypatch.setenv("HOME", str(folder / "home"))
    assert upscale("a.png", given, *BICUBIC).exit_code == 0
    where = given.removeprefix("--output=~/")
    assert size_of(folder / "home" / (where if where.endswith(".png") else f"{where}a.png")) == (120, 96)
    assert "~" not in names()


def test_a_tilde_is_the_home_folder_in_inputs_kernels_and_settings(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    save_kernel(gaussian(1.0), "k.npy")
    assert upscale("~/a.png", "--kernel=~/k.npy", "-m", "bicubic", "-q").exit_code == 0
    said = failed("a.png", "--kernel", "bicubic", "--set", "prior=~/none.safetensors", "-o", "c.png")
    assert f"{folder}/none.safetensors: no such file" in said


def test_the_folders_of_a_folder_are_made():
    assert upscale("a.png", "-o", "deep/er/", *BICUBIC).exit_code == 0
    assert names("deep/er") == ["a.png"]


def test_a_folder_that_cannot_be_made_is_reported_with_a_remedy():
    assert (
        failed("a.png", "-o", "b.png/x/")
        == "error: b.png/x: cannot be created as a folder (Not a directory); check the path\n"
    )


def test_a_dangling_link_is_not_replaced_unless_asked():
    Path("link.png").symlink_to("nowhere.png")
    assert "link.png: exists" in failed("a.png", "-o", "link.png", *BICUBIC)
    assert Path("link.png").is_symlink()


@pytest.mark.parametrize("output", [".", "./", "../{name}/", "link/"])
def test_inputs_are_not_replaced_by_results(folder, output):
    Path("link").symlink_to(folder)
    output = output.format(name=folder.name)
    said = failed("a.png", "b.png", "-o", output, "--overwrite", *BICUBIC, code=2)
    assert "a.png: the result would replace the input a.png; choose another folder with -o, or --in-place" in said
    assert size_of("a.png") == size_of("b.png") == SIZE


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_an_input_by_another_name_is_not_replaced(link):
    link("a.png", "other.png")
    assert "the result would replace the input a.png" in failed("a.png", "-o", "other.png", code=2)
    assert size_of("a.png") == SIZE


def test_what_is_named_with_an_input_and_may_be_its_result_is_neither_replaced_nor_enlarged():
    draw("a_x2.png", seed=3)
    before = Path("a_x2.png").read_bytes()
    result = upscale("a.png", "a_x2.png", "--overwrite", *BICUBIC)
    assert result.exit_code == 1
    assert "error: a.png: the result would replace the input a_x2.png" in result.stderr
    assert "a_x2.png left out as an earlier result" in result.stderr
    assert Path("a_x2.png").read_bytes() == before and "a_x2_x2.png" not in names()


def test_a_known_result_that_is_named_with_its_input_is_made_anew():
    upscale("a.png", "b.png", *BICUBIC)
    assert upscale("a.png", "a_x2.png", "--overwrite", *BICUBIC).exit_code == 0
    assert size_of("a_x2.png") == (120, 96) and "a_x2_x2.png" not in names()


def test_a_result_does_not_replace_that_of_another_input():
    Path("sub").mkdir()
    Path("sub/a_x2.png").symlink_to("../a_x2.png")
    draw("sub/a.png", seed=2)
    result = upscale("a.png", "sub/a.png", "--overwrite", *BICUBIC)
    assert result.exit_code == 1
    assert "sub/a.png: sub/a_x2.png is the result of another input; upscale them apart" in result.stderr


@pytest.mark.parametrize("where", [[], ["-o", "."], ["-o", "./", "--overwrite"]])
def test_inputs_are_replaced_in_place_when_asked(where):
    assert upscale("a.png", "b.png", "--in-place", *where, *BICUBIC).exit_code == 0
    assert names() == ["a.png", "b.png"]
    assert size_of("a.png") == size_of("b.png") == (120, 96)


def test_in_place_no_input_replaces_another():
    Path("out").mkdir()
    Path("out/a.png").symlink_to("../b.png")
    said = failed("a.png", "b.png", "--in-place", "-o", "out/", *BICUBIC, code=2)
    assert "--in-place would be ignored: -o out/ is not the folder of a.png; leave one of them out" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["kernel", "estimate", "a.png", "-o", "a.png"],
        ["kernel", "estimate", "a.png", "--plot", "a.png"],
        ["kernel", "show", "k.png", "--plot", "k.png"],
        ["kernel", "show", "k.png", "gaussian:2", "--plot", "k.png"],
        ["kernel", "convert", "k.png", "k.png"],
        ["kernel", "convert", "k.npy#1", "k.npy"],
        ["kernel", "show", "k.png#1", "--plot", "k.png"],
        ["kernel", "show", "k.png#1", "gaussian:2", "--plot", "k.png"],
        ["inspect", "a.png", "-o", "a.png"],
        ["singan", "sample", "a.png", "-o", "a.png"],
        ["singan", "sample", "a.png", "-o", "s.png", "--sheet", "a.png"],
        ["singan", "train", "a.png", "-o", "model", "--report", "a.png"],
        ["singan", "train", "a.png", "-o", "model", "--preview", ".", "--report", "scale-0-sample.png"],
        ["singan", "animate", "a.webp", "-o", "a.webp"],
        ["singan", "paint", "a.png", "b.png", "-o", "a.png"],
        ["singan", "paint", "a.png", "b.png", "-o", "a.png", "--all-scales"],
        ["bench", ".", "--sheet", "a.png"],
        ["bench", "--pairs", ".", "--sheet", "a_LR.png"],
        ["export", "./p.onnx", "p.onnx"],
        ["train", "tailor", "--data", ".", "--out", "p.safetensors", "--initial", "./p.safetensors"],
        ["upscale", "a.png", "--mask", "b.png", "-o", "b.png"],
        ["upscale", "a.png", "--kernel", "k.png#1", "-o", "k.png"],
        ["upscale", "a.png", "--mask", "b.png", "--compare", "b.png"],
        ["upscale", "a.png", "--set", "prior=./p.safetensors", "--save-adapted", "p.safetensors"],
    ],
    ids=" ".join,
)
def test_no_command_writes_over_what_it_reads(arguments):
    save_kernel(gaussian(1.0), "k.png")
    np.save("k.npy", np.ones((3, 3, 2)))
    PillowImage.open("a.png").save("a.webp")
    draw("a_LR.png", 24, 30)
    for suffix in ("safetensors", "onnx"):
        write_prior(Path(f"p.{suffix}"), network_for("tailor"))
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    result = innersr(*arguments, "--overwrite")
    assert result.exit_code != 0
    assert ": is another file of this command; give each result a name of its own" in result.stderr
    assert {path: path.read_bytes() for path in before} == before


def test_one_file_has_many_names(folder):
    os.link("a.png", "hard.png")
    assert is_one_file(Path("a.png"), folder / "hard.png")
    assert not is_one_file(Path("a.png"), Path("b.png"))
    assert is_one_file(Path("new.png"), folder / "x" / ".." / "new.png")
    assert not is_one_file(Path("new.png"), Path("a.png"))
