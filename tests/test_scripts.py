"""The scripts of the repository, as they are called."""

import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from helpers.damage import damaged_json, damaged_value
from innersr.errors import InputError
from innersr.networks.priors import describe_prior, load_prior

SCRIPTS = Path(__file__).parents[1] / "scripts"
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def called(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300, env=ENVIRONMENT, check=False)


@pytest.mark.skipif(shutil.which("bash") is None, reason="a bash script")
def test_the_gpu_script_trains_every_prior_in_miniature(tmp_path):
    result = called("bash", SCRIPTS / "train_on_gpu.sh", tmp_path, "--miniature")
    assert (result.returncode, result.stderr) == (0, "")
    real, published, sub_pixel = (
        tmp_path / f"{name}.safetensors" for name in ("real", "mzsr-direct-x2", "mzsr-direct-x2-lr")
    )
    assert load_prior(real).knows_compression
    assert (load_prior(published).sees_lr, load_prior(sub_pixel).sees_lr) == (False, True)
    for prior in (real, published, sub_pixel):
        provenance = describe_prior(prior).header["provenance"]
        assert (provenance["step"], provenance["settings"]["schedule"]) == (2, "cooldown")
    unknown = called("bash", SCRIPTS / "train_on_gpu.sh", tmp_path, "--tiny")
    assert (unknown.returncode, unknown.stderr) == (2, "unknown option --tiny; there is --miniature\n")


def loaded(name):
    specification = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # where dataclasses look for it
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def fuzz():
    return loaded("fuzz")


def outcome_of(fuzz, folder, error):
    def read(_):
        if error is not None:
            raise error

    return fuzz._outcome(fuzz.Kind(count=1, originals=list, damage=None, read=read), folder)


def test_only_errors_of_innersr_are_no_faults(fuzz, tmp_path):
    assert outcome_of(fuzz, tmp_path, None) == "read"
    assert outcome_of(fuzz, tmp_path, InputError("damaged; get it again")) == "refused"
    assert outcome_of(fuzz, tmp_path, InputError("out of memory")) == "says 'out of memory'"
    assert outcome_of(fuzz, tmp_path, InputError("two\nlines")).startswith("says")
    assert outcome_of(fuzz, tmp_path, KeyError("step")).startswith("KeyError at test_scripts.py:")


def test_the_same_seed_damages_the_same_files(fuzz):
    kind, originals = fuzz.KINDS["kernels"], [{"kernel.txt": bytes(range(200))}]
    made = [[fuzz._damaged("kernels", kind, originals, seed, n) for n in range(20)] for seed in (0, 0, 1)]
    assert made[0] == made[1] != made[2]
    assert sum(files == originals[0] for files in made[0]) < 3  # a zero may be written over a zero


def test_texts_are_damaged_in_their_values():
    sound, draws = {"step": 3, "settings": {"batch": 4}}, random.Random(0)
    made = [damaged_value(sound, draws) for _ in range(50)]
    assert sum(value == sound for value in made) < 5
    assert {"step": 3, "settings": {}} in made
    assert len({damaged_json(b'{"step": 3}', draws) for _ in range(50)}) > 20


def test_every_use_of_singan_has_a_small_sheet_in_the_documents(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason="draws sheets")
    sheets, documents = loaded("singan_sheets"), SCRIPTS.parent / "docs"
    text = (documents / "singan.md").read_text(encoding="utf-8")
    for use in sheets.USES:
        name = f"singan-{use}.webp"
        assert f"]({name})" in text
        assert (documents / name).stat().st_size < 200_000
    panels = [sheets.Panel("a boat", 2 * torch.rand(1, 3, 9, 12) - 1)]
    monkeypatch.setattr(sheets, "USES", dict.fromkeys(("samples", "upscale"), lambda _run: panels))
    monkeypatch.setattr(sys, "argv", ["singan_sheets", "upscale", "--output", str(tmp_path)])
    sheets.main()
    assert [path.name for path in tmp_path.iterdir()] == ["singan-upscale.webp"]
    monkeypatch.setattr(sys, "argv", ["singan_sheets", "dance"])
    with pytest.raises(SystemExit):
        sheets.main()
    assert "unknown use dance; there are samples, upscale" in capsys.readouterr().err


def test_sheets_of_samples_beside_references_hide_whose_they_are(tmp_path, monkeypatch):
    script, places, samples = loaded("singan_references"), tmp_path / "places50", tmp_path / "samples"
    names = {places / f"{name}/3.jpg" for name in ("Real", "A", "B")} | {samples / f"3/sample-{n}.png" for n in (0, 1)}
    for name in names:
        name.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 8)).save(name)
    monkeypatch.setattr(sys, "argv", ["", str(places), str(samples), str(tmp_path / "sheets")])
    script.main()
    key = json.loads((tmp_path / "sheets" / "key.json").read_text())
    assert {Path(path) for path in key["3"].values()} == names - {places / "Real" / "3.jpg"}
    assert list(key["3"]) == ["A", "B", "C", "D"]
    assert Image.open(tmp_path / "sheets" / "3.png").width > 3 * 24
