"""Files that version 0.1 wrote are read, and what was begun with them goes on."""

import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from innersr.cli.app import app
from innersr.networks.checkpoints import load_checkpoint
from innersr.networks.priors import load_prior
from innersr.singan.learn import load_picture_model

EARLIER = Path(__file__).parent / "data" / "version-0.1"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a copy of the folder of earlier files."""
    shutil.copytree(EARLIER, tmp_path / "earlier")
    monkeypatch.chdir(tmp_path / "earlier")
    return tmp_path / "earlier"


def innersr(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", ["supervised-prior", "tailor"])
def test_an_earlier_prior_is_a_network_still(name):
    network = load_prior(f"./{name}.safetensors")
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())
    assert sum(parameter.numel() for parameter in network.parameters()) > 500


def test_an_earlier_training_goes_on():
    def step():
        return load_checkpoint("supervised.state.safetensors", "training").header["step"]

    assert 2 <= step() < 60
    settings = [word for setting in ("width=4", "depth=3", "crop=16") for word in ("--set", setting)]
    own = ["--data", "photos", "--out", "supervised.safetensors", "--batch", 2, "--device", "cpu"]
    innersr("train", "supervised", *own, *settings, "--precision", "fp32", "--steps", 60, "--resume")
    assert step() == 60
    assert load_prior("./supervised.safetensors")


def test_an_earlier_picture_model_draws_samples():
    model = load_picture_model("model")
    assert model.sample(size=(30, 50)).shape == (1, 3, 30, 50)
    innersr("singan", "sample", "model", "-o", "sample.png", "--seed", 3)
    assert Path("sample.png").stat().st_size > 0
