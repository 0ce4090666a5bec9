"""The command `innersr inspect`: what it says and draws, of any image, and what it refuses."""

import json

import numpy as np
import pytest
import pyvips
import tifffile
import torch
from PIL import Image as PillowImage
from typer.testing import CliRunner

from helpers.images import facade, waves
from innersr import examination
from innersr.blind.estimate import Estimate
from innersr.cli.app import app
from innersr.images.image import Image
from innersr.images.io import read, save
from innersr.physics.degradation import Degradation


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder, with an estimate that is known."""
    monkeypatch.chdir(tmp_path)
    known = Degradation(scale=2, noise=2 / 255)
    monkeypatch.setattr(examination, "examine", lambda *_, **__: Estimate(degradation=known, confidence="high"))
    save(Image(colour=facade(96)), "facade.png")
    return tmp_path


def inspected(*arguments):
    """Run the command in this process; what it raises but its exit code fails."""
    result = CliRunner().invoke(app, ["inspect", *map(str, arguments)], prog_name="innersr")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def record_of(*arguments):
    result = inspected(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def refused(*arguments, code):
    result = inspected(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    return result.stderr


def test_it_says_the_score_in_words_the_steps_and_what_happened():
    lines = inspected("facade.png").stdout.splitlines()
    assert lines[0] == "facade.png  96x96"
    assert lines[1].startswith("  recurrence 0.") and lines[1].endswith("learning from it should pay")
    assert lines[2].endswith("`innersr upscale` would take 15 of 15 steps")
    assert lines[3] == "  blur: none beyond shrinking, noise 0.0/255, confidence high"


def test_a_drawing_that_upscale_interpolates_is_said_so_with_the_method_that_suits_it():
    art = np.random.default_rng(0).integers(0, 6, (20, 20)).repeat(2, 0).repeat(2, 1).astype(np.uint8)
    colours = np.random.default_rng(1).integers(0, 255, (6, 3)).astype(np.uint8)
    PillowImage.fromarray(colours[art]).save("art.png")
    lines = inspected("art.png").stdout.splitlines()
    assert lines[2].endswith("`innersr upscale` would interpolate it")
    assert "drawn with 6 colours" in lines[4] and "-m pixelart" in lines[5]
    assert record_of("art.png")["steps"] == 0


def test_the_record_agrees_with_the_text():
    record = record_of("facade.png")
    assert record["size"] == [96, 96]
    assert 0.4 < record["recurrence"] <= record["detail"] <= 1
    assert record["steps"] == 15
    assert record["output"] is None
    for pair in record["pairs"]:
        assert pair["source"][2] == pytest.approx(pair["patch"][2] / pair["scale"], abs=0.1)


def test_nothing_is_said_of_what_a_written_file_would_lack():
    tags = [(330, "I", 1, 0, True), (42113, "s", 0, "none", True)]
    description = "ImageJ=1.53\nimages=1\n"
    samples = np.zeros((40, 40), np.int16)
    tifffile.imwrite("facade.tif", samples, description=description, extratags=tags, metadata=None)
    assert "of the TIFF are not kept" in " ".join(read("facade.tif").notes)
    result = inspected("facade.tif", "--json")
    note = "int16 samples are kept as float32 values (exact up to 16777216)"
    assert json.loads(result.stdout)["notes"] == [note] and result.stderr == f"note: facade.tif: {note}\n"


def test_smooth_images_get_few_steps():
    save(Image(colour=waves(96)), "waves.png")
    record = record_of("waves.png")
    assert record["steps"] == 0
    assert record["verdict"].startswith(("little of", "no detail"))


def test_the_drawing_is_a_picture_that_is_not_replaced_by_accident():
    assert record_of("facade.png", "-o", "map.png")["output"] == "map.png"
    with PillowImage.open("map.png") as drawn:
        assert drawn.mode == "RGB"
        assert drawn.width > 560
        first = drawn.tobytes()
    assert "map.png: exists" in refused("facade.png", "-o", "map.png", code=1)
    assert inspected("facade.png", "-o", "map.png", "--overwrite").exit_code == 0
    with PillowImage.open("map.png") as drawn:
        assert drawn.tobytes() == first


def test_the_image_itself_is_never_drawn_over():
    before = (PillowImage.open("facade.png").tobytes(),)
    assert "facade.png: is another file of this command" in refused(
        "facade.png", "-o", "./facade.png", "--overwrite", code=2
    )
    assert (PillowImage.open("facade.png").tobytes(),) == before


def test_a_missing_image_or_an_unknown_format_is_one_line():
    assert "missing.png: no such file" in refused("missing.png", code=1)
    assert "map.xyz" in refused("facade.png", "-o", "map.xyz", code=1)


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("deep.png", Image(colour=facade(96) * 0.06, depth="uint16")),  # 12 bits in 16
        ("metres.tif", Image(colour=facade(96) * 900 - 50, depth="float32")),
        ("colour.png", Image(colour=facade(96).repeat(1, 3, 1, 1))),
        ("clear.png", Image(colour=facade(96).repeat(1, 3, 1, 1), alpha=torch.ones(1, 1, 96, 96))),
        ("bands.tif", Image(colour=facade(96).repeat(1, 5, 1, 1))),
    ],
)
def test_every_kind_of_image_gets_the_score_of_its_picture(name, image):
    save(image, name)
    record = record_of(name, "-o", "map.png")
    assert record["recurrence"] == pytest.approx(record_of("facade.png")["recurrence"], abs=0.1)


def test_what_is_transparent_has_no_detail():
    alpha, colour = torch.zeros(1, 1, 96, 96), facade(96).repeat(1, 3, 1, 1)
    alpha[..., :30], colour[..., :30] = 1, 0.5
    save(Image(colour=colour, alpha=alpha), "hidden.png")
    assert record_of("hidden.png")["detail"] == 0


@pytest.mark.parametrize(
    ("sides", "words"), [((1, 1), "too small to tell"), ((8, 300), "too small to tell"), ((40, 40), "no detail")]
)
def test_tiny_and_flat_images_get_clear_words(sides, words):
    pyvips.Image.new_from_array(np.full(sides, 90, np.uint8)).write_to_file("small.png")
    record = record_of("small.png", "-o", "map.png")
    assert record["verdict"].startswith(words)
    assert (record["steps"], record["pairs"]) == (0, [])


def test_the_help_ends_with_an_example():
    page = inspected("--help").stdout
    assert page.split("  Examples:\n")[-1].startswith("    innersr inspect photo.jpg")
