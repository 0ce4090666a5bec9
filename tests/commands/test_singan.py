"""`innersr singan`: what a user meets, from a picture's file to the files that are made of it."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image as PillowImage
from safetensors.torch import save_file
from typer.testing import CliRunner

from helpers.processes import SECONDS, innersr_process
from innersr.cli.app import app
from innersr.commands.console import Reporter
from innersr.commands.singan import generate as singan_commands
from innersr.commands.singan import manipulate as singan_refine_commands
from innersr.commands.singan import patches as singan_patch_commands
from innersr.commands.singan import score as singan_score_commands
from innersr.commands.singan import train as singan_train_commands
from innersr.commands.singan.shared import read_entering
from innersr.images.io import read
from innersr.metrics.sifid import STEM
from innersr.networks.checkpoints import load_checkpoint
from innersr.run import Run
from innersr.singan.folder.reading import load_folder
from innersr.singan.learn import make_settings
from innersr.singan.pictures import source_of
from innersr.singan.settings import SINGAN_PRESETS, SinGAN, described
from innersr.singan.training.scale import ScaleLearner

COMMANDS = ["train", "sample", "inpaint", "restyle", "paint", "edit", "harmonize", "animate", "score", "report"]
HEIGHT, WIDTH = 28, 34
TINY = {"min_size": 11, "max_size": 34, "ratio": 0.6, "width": 4, "pool": 2, "iterations": 3, "matching": 1}
SETTINGS = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
BRIEF = [*SETTINGS, "--set", "iterations=1"]
DOCUMENT = Path(__file__).parents[2] / "docs" / "singan.md"


def innersr(*arguments):
    """Run the command in this process, on the CPU; what it raises besides its exit code fails the test."""
    result = CliRunner().invoke(app, ["singan", *map(str, arguments), "--device", "cpu"], prog_name="innersr")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def done(*arguments):
    """Return what a command says on stdout."""
    result = innersr(*arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def records(*arguments):
    """Return the JSON objects that a command says."""
    return [json.loads(line) for line in done(*arguments, "--json").splitlines()]


def refused(*arguments, code=2):
    """Return the last line on stderr of a command that ends with an error."""
    result = innersr(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    *notes, last = result.stderr.splitlines()
    assert last.startswith("error: ")
    assert all(note.startswith("note: ") for note in notes)
    return last


def levels(height=HEIGHT, width=WIDTH, bands=3, seed=1):
    """Return uint8 samples: smooth blots."""
    noise = torch.rand(1, bands, 5, 6, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(noise, (height, width), mode="bicubic").clamp(0, 1)
    return (smooth[0] * 255).byte().permute(1, 2, 0).numpy().squeeze()


def draw(name, samples):
    PillowImage.fromarray(samples).save(name)
    return name


def pixels(name):
    return np.asarray(PillowImage.open(name)).astype(int)


def size_of(name):
    return PillowImage.open(name).size


def names(folder="."):
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Return a folder with photo.png and what was learned of it, model."""
    folder = tmp_path_factory.mktemp("learnt")
    draw(folder / "photo.png", levels())
    done("train", folder / "photo.png", "-o", folder / "model", *SETTINGS, "--precision", "fp32")
    return folder


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, learned):
    """Work in a folder of its own that has photo.png and its model."""
    shutil.copytree(learned, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def changed():
    """Draw changed.png, the photograph with a square on it, and mask.png, which marks it."""
    samples, mask = levels(), np.zeros((HEIGHT, WIDTH), np.uint8)
    samples[4:9, 4:9], mask[4:9, 4:9] = (250, 20, 20), 255
    return draw("changed.png", samples), draw("mask.png", mask)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_examples(command):
    *_, page_end = done(command, "--help").split("  Examples:\n")
    assert page_end.startswith(f"    innersr singan {command} ")


def commands_in(text):
    return [line.strip() for line in text.splitlines() if line.strip().startswith("innersr singan ")]


def documented():
    helps = [CliRunner().invoke(app, ["singan", command, "--help"]).stdout for command in COMMANDS]
    lines = commands_in("\n".join([*helps, DOCUMENT.read_text(encoding="utf-8")]))
    return [line for line in dict.fromkeys(lines) if "COMMAND" not in line]


@pytest.mark.parametrize("line", documented())
def test_documented_commands_are_understood(line, monkeypatch):
    started = []
    for module, name in (
        (singan_train_commands, "train_picture"),
        (singan_commands, "sample_pictures"),
        (singan_commands, "animate_picture"),
        (singan_score_commands, "score_samples"),
        (singan_commands, "report_model"),
        (singan_refine_commands, "manipulate_picture"),
        (singan_patch_commands, "inpaint_picture"),
        (singan_patch_commands, "restyle_picture"),
    ):
        monkeypatch.setattr(module, name, lambda *given, **_: started.append(given) or 0)
    _, _, *arguments = shlex.split(line, comments=True)
    assert done(*arguments) == ""
    assert len(started) == 1
    request = started[0][0]
    if hasattr(request, "preset"):
        assert make_settings(request.preset, request.settings)


def test_the_document_has_every_setting_of_both_presets():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| ..", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    table = {name: values for name, *values in rows}
    expected = {}
    for field in fields(SinGAN):
        values = [getattr(SinGAN(**SINGAN_PRESETS[preset]), field.name) for preset in ("balanced", "paper")]
        said = {True: "yes", False: "no", (): ""}
        expected[field.name] = [
            said[value] if isinstance(value, bool | tuple) else f"{value:g}" if isinstance(value, float) else str(value)
            for value in values
        ]
    assert table == expected


def test_help_imports_nothing_that_is_slow():
    code = (
        "import sys\nfrom innersr.cli import main\nsys.argv = ['innersr', 'singan', 'train', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    print({'torch', 'numpy', 'pyvips', 'rich'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS, check=True)
    assert result.stdout.endswith("\nset()\n")


def test_a_training_leaves_a_model_and_says_what_it_is():
    (record,) = records("train", "photo.png", "-o", "new", *SETTINGS)
    assert names("new") == ["model.safetensors", "settings.json", "training.jsonl"]
    assert (record["size"], record["output"], record["settings"]["width"]) == ([WIDTH, HEIGHT], "new", 4)
    assert record["reconstruction_rmse"] > 0
    assert names() == ["model", "new", "photo.png"]


def test_a_shrunk_picture_is_reported():
    draw("large.png", levels(140, 170))
    result = innersr("train", "large.png", "-o", "new", *BRIEF)
    assert result.stderr == "note: large.png: works at 34x28 of 170x140 pixels; --max-size 68 for more\n"


def test_max_size_is_a_setting():
    (record,) = records("train", "photo.png", "-o", "new", "--max-size", 24, *SETTINGS[:2], *SETTINGS[4:])
    assert record["size"] == [24, 20]


def test_previews_and_the_report_are_drawn():
    scales = records("train", "photo.png", "-o", "new", *BRIEF, "--preview", "seen", "--report", "r.png")[0]["scales"]
    assert names("seen") == sorted(
        f"scale-{k}-{what}.png" for k in range(scales) for what in ("sample", "reconstruction")
    )
    sizes = load_folder("new").record.sizes[0]
    assert [size_of(f"seen/scale-{k}-reconstruction.png")[::-1] for k in range(scales)] == list(sizes)
    assert (
        pixels(f"seen/scale-{scales - 1}-sample.png") != pixels(f"seen/scale-{scales - 1}-reconstruction.png")
    ).any()
    done("report", "new", "-o", "again.png")
    assert (pixels("r.png") == pixels("again.png")).all()


def test_a_second_training_does_not_replace_the_first():
    again = ["train", "photo.png", "-o", "model", *SETTINGS, "--precision", "fp32"]
    assert "model: holds this model already; --resume continues it" in refused(*again, code=1)
    assert "with iterations=3, not 2" in refused(*again, "--set", "iterations=2", code=1)
    assert "with iterations=3, not 2" in refused(*again, "--set", "iterations=2", "--resume")
    assert "--resume or --overwrite, not both" in refused(*again, "--resume", "--overwrite")
    assert done(*again, "--resume").startswith("model  ")
    assert done(*again, "--overwrite").startswith("model  ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "colour=red"], "singan has no setting 'colour'; it has min_size, max_size,"),
        (["--set", "width=wide"], "setting width takes int, got 'wide'"),
        (["--set", "block_widths=4,x"], "setting block_widths takes whole numbers separated by commas, got '4,x'"),
        (
            ["--set", "min_size=30"],
            "photo.png: a picture of 34x28 pixels is smaller than the coarsest scale (30); enlarge it first",
        ),
        (["--preset", "slow"], "unknown preset 'slow' of singan; there are draft, balanced, best, paper"),
        (["--report", "photo.png"], "photo.png: is another file of this command"),
        (["--report", "r.xyz"], "r.xyz: '.xyz' is not a suffix of an image format"),
        (["--preview", "new"], "new: is the model's folder"),
        (["--preview", "photo.png/x"], "photo.png/x: cannot be created as a folder"),
    ],
)
def test_wrong_trainings_are_refused_before_they_begin(arguments, said):
    code = 1 if re.search("smaller than|not a suffix|cannot be created", said) else 2
    assert said in refused("train", "photo.png", "-o", "new", *SETTINGS, *arguments, code=code)
    assert not Path("new").exists()


def test_pictures_of_one_subject_have_the_same_bands():
    draw("grey.png", levels(bands=1))
    line = refused("train", "photo.png", "grey.png", "-o", "new", *SETTINGS, code=1)
    assert "photo.png, grey.png: the images have different numbers of colour bands (1, 3)" in line


def test_several_pictures_are_one_subject():
    draw("other.png", levels(HEIGHT, HEIGHT, seed=2))
    done("train", "photo.png", "other.png", "-o", "two", *BRIEF)
    assert [picture.shape[-2:] for picture in load_folder("two").pictures] == [(HEIGHT, WIDTH), (HEIGHT, HEIGHT)]
    done("report", "two", "-o", "two.png")


def test_memory_that_runs_out_is_reported(monkeypatch):
    def allocate(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(ScaleLearner, "iterate", allocate)
    line = refused("train", "photo.png", "-o", "new", *SETTINGS, code=1)
    assert line.startswith("error: new: out of memory; use a smaller --max-size")


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_a_stopped_training_resumes_to_the_same_model():
    command = ["train", "photo.png", "-o", "new", *SETTINGS, "--set", "iterations=25", "--precision", "fp32"]
    with innersr_process("singan", *command, "--device", "cpu") as process:
        process.wait_for(Path("new/training.safetensors"))
        process.send_signal(signal.SIGTERM)
        code, out, err = process.end()
    assert (code, out) == (143, "")
    assert re.fullmatch(
        r"note: stopped after iteration \d+ of scale \d of 0 to 3; the same command with --resume continues it\n",
        err,
    )
    assert "scales are trained; finish the training first (--resume)" in refused("sample", "new", "-o", "a.png", code=1)
    assert re.search(r"r.png  \d of 4 scales", done("report", "new", "-o", "r.png"))
    done(*command, "--resume")
    interrupted = load_checkpoint("new/model.safetensors").tensors
    done(*command, "--overwrite")
    whole = load_checkpoint("new/model.safetensors").tensors
    assert all(torch.equal(interrupted[name], whole[name]) for name in whole)


def test_the_same_seed_gives_the_same_samples():
    made = records("sample", "model", "-o", "out/", "-n", 3, "--seed", 5)
    assert [record["output"] for record in made] == [f"out/sample-{k}.png" for k in range(3)]
    done("sample", "model", "-o", "one.png", "--seed", 5)
    done("sample", "model", "-o", "other.png", "--seed", 6)
    assert Path("one.png").read_bytes() == Path("out/sample-0.png").read_bytes()
    assert (pixels("one.png") != pixels("other.png")).any()
    assert (pixels("one.png") != pixels("out/sample-1.png")).any()


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ([], (WIDTH, HEIGHT)),
        (["--size", "50x20"], (50, 20)),
        (["--scale", "1.5"], (51, 42)),
        (["--scale", "2x1", "--start-scale", "2"], (2 * WIDTH, HEIGHT)),
    ],
)
def test_samples_have_the_size_that_is_asked_for(asked, size):
    (record,) = records("sample", "model", "-o", "a.png", *asked)
    assert size_of("a.png") == tuple(record["size"]) == size


def test_seamless_samples_are_others():
    done("sample", "model", "-o", "a.png")
    done("sample", "model", "-o", "b.png", "--wrap", "xy")
    assert (pixels("a.png") != pixels("b.png")).any()


def test_a_sheet_shows_the_samples():
    said = done("sample", "model", "-o", "out", "-n", 4, "--sheet", "sheet.png").splitlines()
    assert len(said) == 5
    assert said[-1] == "sheet.png  contact sheet"
    assert size_of("sheet.png")[0] > 4 * 5 * WIDTH  # enlarged five times, in one row


def test_an_image_is_sampled_without_learning():
    result = innersr("sample", "photo.png", "-o", "a.png", "--max-size", 30)
    assert result.exit_code == 0
    assert "photo.png: works at 30x25 of 34x28 pixels; --max-size 34 for more" in result.stderr
    assert size_of("a.png") == (30, 25)


def test_several_pictures_are_sampled_at_once():
    Path("other.png").write_bytes(Path("photo.png").read_bytes())
    said = done("sample", "photo.png", "other.png", "model", "-o", "out/", "-n", 2, "--sheet", "sheet.png")
    assert sorted(path.name for path in Path("out").iterdir()) == [
        f"{stem}-{index}.png" for stem in ("model", "other", "photo") for index in range(2)
    ]
    assert (pixels("out/photo-1.png") == pixels("out/other-1.png")).all()
    assert len(said.splitlines()) == 7
    assert size_of("sheet.png")[0] > 6 * WIDTH


def test_a_search_ends_at_the_time_limit():
    whole = innersr("sample", "photo.png", "-o", "a.png")
    ended = innersr("sample", "photo.png", "-o", "b.png", "--time-limit", "1e-9")
    note = "photo.png: after the time limit every scale was searched once, which leaves seams"
    assert note not in whole.stderr
    assert note in ended.stderr
    assert (pixels("a.png") != pixels("b.png")).any()


def test_a_model_is_sampled_by_its_network_on_request():
    (network,) = records("sample", "model", "-o", "a.png", "--engine", "network")
    (patches,) = records("sample", "model", "-o", "b.png")
    assert (network["engine"], patches["engine"]) == ("network", "patches")
    expected = load_folder(Path("model"), torch.device("cpu")).model.sample(run=Run(device="cpu"))
    assert (pixels("a.png") == ((expected[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()).all()
    assert (pixels("a.png") != pixels("b.png")).any()


def test_a_hole_is_filled_and_all_else_stays():
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:16, 12:20] = 255
    draw("mask.png", mask)
    said = done("inpaint", "photo.png", "--mask", "mask.png", "-o", "a.png")
    assert said == f"a.png  {WIDTH}x{HEIGHT}  filled\n"
    changed = (pixels("a.png") != pixels("photo.png")).any(axis=-1)
    assert changed.any()
    assert not changed[mask == 0].any()
    done("inpaint", "photo.png", "--mask", "mask.png", "-o", "out/", "-n", 2)
    assert sorted(path.name for path in Path("out").iterdir()) == ["inpainted-0.png", "inpainted-1.png"]
    draw("none.png", mask * 0)
    said = refused("inpaint", "photo.png", "--mask", "none.png", "-o", "b.png", code=1)
    assert "none.png: the mask marks nothing" in said


@pytest.mark.parametrize("command", [["inpaint", "--mask"], ["edit", "a.png"]], ids=["inpaint", "edit"])
def test_colours_of_transparent_pixels_outside_the_mask_stay(command):
    before = np.dstack([levels(seed=2), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    before[:, 25:, 3] = np.arange(WIDTH - 25)  # transparent, and hardly visible ones
    draw("a.png", before)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:14, 5:8] = 255
    draw("mask.png", mask)
    name, *second = command
    done(name, "a.png", *second, "mask.png", "-o", "b.png")
    assert (pixels("b.png")[:, 25:] == before[:, 25:]).all()


def test_a_filled_picture_of_floats_keeps_its_values_outside_the_hole():
    before = np.random.default_rng(2).normal(5, 100, (HEIGHT, WIDTH, 3)).astype(np.float32)
    tifffile.imwrite("a.tif", before)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:16, 12:20] = 255
    draw("mask.png", mask)
    done("inpaint", "a.tif", "--mask", "mask.png", "-o", "b.tif")
    assert (tifffile.imread("b.tif") == before)[mask == 0].all()


@pytest.mark.parametrize("size", [(2 * HEIGHT, 2 * WIDTH), (14, 17), (270, 400)])
def test_a_mask_has_the_shape_of_its_picture_at_any_size(size):
    mask = np.zeros(size, np.uint8)
    mask[size[0] // 3 : size[0] // 2, size[1] // 3 : size[1] // 2] = 255
    draw("mask.png", mask)
    is_of_shape = size[1] < 400
    for command in (["inpaint", "photo.png", "--mask", "mask.png"], ["edit", "photo.png", "photo.png", "mask.png"]):
        if is_of_shape:
            done(*command, "-o", "a.png", "--overwrite")
        else:
            assert (
                "mask.png: the mask has 400 x 270 pixels, which is another shape than the picture's 34 x 28; draw it on"
                in refused(*command, "-o", "a.png", code=1)
            )


def test_a_mask_may_be_drawn_on_a_picture_that_is_shrunk():
    draw("large.png", levels(83, 101))
    mask = np.zeros((83, 101), np.uint8)
    mask[30:50, 30:50] = 255
    draw("mask.png", mask)
    done("harmonize", "model", "large.png", "mask.png", "-o", "a.png")


def test_a_layout_gets_the_patches_of_another_picture():
    draw("layout.png", levels(seed=4))
    (record,) = records("restyle", "layout.png", "--like", "photo.png", "-o", "a.png", "--start-scale", 0)
    assert (record["start_scale"], record["like"], record["size"]) == (0, "photo.png", [WIDTH, HEIGHT])
    low, high = pixels("photo.png").min(axis=(0, 1)), pixels("photo.png").max(axis=(0, 1))
    assert ((pixels("a.png") >= low) & (pixels("a.png") <= high)).all()
    assert "start scale must be from 0" in refused(
        "restyle", "layout.png", "--like", "photo.png", "-o", "b.png", "--start-scale", 99
    )


def test_depth_and_alpha_are_those_of_the_picture():
    alpha = np.tile(np.linspace(0, 255, WIDTH, dtype=np.uint8), (HEIGHT, 1))
    draw("clear.png", np.dstack([levels(), alpha]))
    done("train", "clear.png", "-o", "clear", *BRIEF, "--preview", "seen", "--report", "r.png")
    done("sample", "clear", "-o", "a.png")
    assert PillowImage.open("a.png").mode == "RGBA"
    assert "JPEG holds no alpha" in refused("sample", "clear", "-o", "a.jpg", code=1)
    PillowImage.fromarray(levels(bands=1).astype(np.uint16) * 257).save("deep.png")
    done("train", "deep.png", "-o", "deep", *BRIEF)
    done("sample", "deep", "-o", "out/")
    image = read("out/sample-0.png")
    assert (image.depth, image.colour.shape[1]) == ("uint16", 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model", "-o", "a.png", "-n", 2], "a.png: 2 pictures need a folder; write a/"),
        (["model", "-o", "a.png", "--size", "50"], "size must be WIDTHxHEIGHT in pixels, such as 400x300, got '50'"),
        (["model", "-o", "a.png", "--scale", "0.1"], "model: a sample must have at least 11x11 pixels, got 3x3"),
        (["model", "-o", "a.png", "--scale", "x2x"], "scale must be a factor, or two (width x height)"),
        (["model", "-o", "a.png", "--scale", "2", "--size", "50x50"], "give --size or --scale, not both"),
        (["model", "-o", "a.png", "--size", "99999x99999"], "a result of 99999x99999 is too large"),
        (
            ["model", "-o", "a.png", "--start-scale", 9],
            "model: the start scale must be from 0, the coarsest, to 3, got 9",
        ),
        (["model", "-o", "a.png", "--wrap", "z"], "wrap must be x, y, xy or yx, got 'z'"),
        (["model", "-o", "a.png", "--max-size", "20"], "--max-size is for image files"),
        (["model", "-o", "a.png", "--sheet", "a.png"], "a.png: is another file of this command"),
        (["photo.png", "-o", "photo.png", "--overwrite"], "photo.png: is another file of this command"),
        (["model", "-o", "photo.png/x/", "-n", 2], "photo.png/x: cannot be created as a folder (Not a directory)"),
        (["model", "-o", "a.png", "--engine", "gan"], "--engine must be patches or network, got 'gan'"),
        (["photo.png", "-o", "a.png", "--engine", "network"], "photo.png: is an image, which has no network"),
        (["photo.png", "model", "-o", "a.png"], "a.png: samples of 2 pictures need a folder; write a/"),
        (["photo.png", "model/../photo.png", "-o", "a/"], "another picture is called photo too"),
        (["model", "-o", "a.png", "--engine", "network", "--time-limit", "1"], "a network has none to end"),
    ],
)
def test_wrong_samples_are_refused(arguments, said):
    assert said in refused("sample", *arguments, code=1 if "cannot be created" in said else 2)
    assert names() == ["model", "photo.png"]


def test_existing_files_are_kept_without_overwrite():
    before = draw("a.png", levels(seed=3)) and Path("a.png").read_bytes()
    assert "a.png: exists" in refused("sample", "model", "-o", "a.png", code=1)
    assert Path("a.png").read_bytes() == before
    done("sample", "model", "-o", "a.png", "--overwrite")
    assert Path("a.png").read_bytes() != before


def test_a_folder_without_a_model_is_refused():
    Path("empty").mkdir()
    assert "empty: holds no model (no settings.json)" in refused("sample", "empty", "-o", "a.png", code=1)
    assert "nowhere: no such file or folder" in refused("score", "nowhere", code=1)
    assert "nowhere: no such file or folder; check the path" in refused("sample", "nowhere", "-o", "a.png", code=1)
    assert "photo.png: is a file, not a model folder; innersr singan train photo.png" in refused(
        "report", "photo.png", "-o", "a.png"
    )


def test_a_painting_is_put_in_at_a_scale_that_is_named():
    draw("painting.png", levels(seed=4))
    said = done("paint", "model", "painting.png", "-o", "a.png")
    assert said == "a.png  34x28  put in at scale 1 of 1 to 3, the default; --all-scales shows all of them\n"
    said = done("paint", "model", "painting.png", "-o", "b.png", "--start-scale", 3)
    assert said == "b.png  34x28  put in at scale 3 of 1 to 3\n"
    assert (pixels("a.png") != pixels("b.png")).any()


@pytest.mark.parametrize(
    "command", [["restyle", "{}", "--like", "photo.png"], ["paint", "model", "{}"], ["edit", "model", "{}", "mask.png"]]
)
@pytest.mark.usefixtures("changed")
def test_what_enters_may_be_grey_or_transparent(command):
    grey = levels(bands=1, seed=4)
    draw("grey.png", grey)
    draw("rgb.png", np.dstack([grey] * 3))
    results = []
    for name in ("grey.png", "rgb.png"):
        results.append(innersr(*(word.format(name) for word in command), "-o", f"made-{name}"))
    note = "note: grey.png: is grey, which is taken for all 3 bands of the picture\n"
    assert [result.stderr for result in results] == [note, ""]
    assert (pixels("made-grey.png") == pixels("made-rgb.png")).all()
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    alpha[:10] = 0
    draw("clear.png", np.dstack([grey, grey, grey, alpha]))
    result = innersr(*(word.format("clear.png") for word in command), "-o", "clear-made.png")
    assert result.stderr == "note: clear.png: is transparent, where it gets the mean colour of the picture\n"


def test_what_is_transparent_enters_with_the_mean_colour_of_the_picture():
    picture, alpha = levels(seed=4), np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    alpha[:10], alpha[10:12] = 0, 51
    draw("clear.png", np.dstack([picture, alpha]))
    reporter, source = Reporter(quiet=True, verbose=False, as_json=False), source_of([read(Path("photo.png"))])
    own = torch.tensor([0.5, -0.5, 0.0])[None, :, None, None].expand(1, 3, 5, 5)
    made = read_entering(Path("clear.png"), source, own, reporter)[0].movedim(0, -1).numpy()
    mean, share, whole = np.array([0.5, -0.5, 0.0]), alpha / 255, picture / 127.5 - 1
    assert np.allclose(made, share * whole + (1 - share) * mean, atol=1e-5)


def test_a_painting_of_another_shape_keeps_it():
    draw("painting.png", levels(100, 50, seed=4))
    result = innersr("paint", "model", "painting.png", "-o", "a.png")
    assert result.stderr == "note: painting.png: 50x100 is resized to 22x44, the size of the model\n"
    assert size_of("a.png") == (22, 44)


def test_all_scales_are_drawn_on_one_sheet():
    draw("painting.png", levels(seed=4))
    (record,) = records("paint", "model", "painting.png", "-o", "sheet.png", "--all-scales")
    assert record["scales"] == [1, 2, 3]
    assert size_of("sheet.png")[0] > 4 * 5 * WIDTH  # the painting, too
    assert "leave out --start-scale and --count" in refused(
        "paint", "model", "painting.png", "-o", "b.png", "--all-scales", "-n", 2
    )


def test_few_colours_change_the_result():
    draw("painting.png", levels(seed=4))
    for name, more in (("a.png", []), ("b.png", ["--colours", 3]), ("c.png", ["--colours", 3])):
        done("paint", "model", "painting.png", "-o", name, *more)
    assert (pixels("a.png") != pixels("b.png")).any()
    assert (pixels("b.png") == pixels("c.png")).all()


@pytest.mark.parametrize("command", ["edit", "harmonize"])
def test_outside_of_the_mask_the_picture_stays(command, changed):
    done(command, "model", *changed, "-o", "a.png")
    result, photo = pixels("a.png"), pixels("photo.png")
    assert (result[-8:, -8:] == photo[-8:, -8:]).all()
    assert (result[4:9, 4:9] != photo[4:9, 4:9]).any()


def test_fine_tuning_changes_what_is_harmonized_and_no_file_of_the_model(changed):
    before = Path("model/model.safetensors").read_bytes()
    done("harmonize", "model", *changed, "-o", "out/", "-n", 2)
    assert names("out") == ["harmonized-0.png", "harmonized-1.png"]
    done("harmonize", "model", *changed, "-o", "b.png", "--fine-tune", 3)
    assert (pixels("out/harmonized-0.png") != pixels("b.png")).any()
    assert Path("model/model.safetensors").read_bytes() == before


@pytest.mark.usefixtures("changed")
def test_what_is_transparent_marks_nothing():
    marked = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    marked[..., :3] = 255
    draw("clear.png", marked)
    said = refused("edit", "model", "changed.png", "clear.png", "-o", "a.png", code=1)
    assert "clear.png: the mask marks nothing" in said
    marked[4:9, 4:9, 3] = 255
    draw("painted.png", marked)
    done("edit", "model", "changed.png", "painted.png", "-o", "a.png")
    done("edit", "model", "changed.png", "mask.png", "-o", "b.png")
    assert (pixels("a.png") == pixels("b.png")).all()


@pytest.mark.usefixtures("changed")
def test_an_edit_belongs_to_the_picture_that_is_nearest():
    other = levels(seed=2)
    draw("other.png", other)
    done("train", "photo.png", "other.png", "-o", "two", *BRIEF)
    other[4:9, 4:9] = 0
    draw("changed.png", other)
    done("edit", "two", "changed.png", "mask.png", "-o", "a.png")
    assert (pixels("a.png")[-8:, -8:] == other[-8:, -8:]).all()


@pytest.mark.parametrize(
    ("kind", "engines"),
    [("paint", ["patches", "patches"]), ("edit", ["patches", "patches"]), ("harmonize", ["network", "patches"])],
)
def test_pictures_are_changed_without_training(changed, kind, engines):
    given = changed[:1] if kind == "paint" else changed
    records_of = [
        records(kind, subject, *given, "-o", f"{subject[:5]}-made.png")[0] for subject in ("model", "photo.png")
    ]
    assert [record["engine"] for record in records_of] == engines
    for engine in ("patches", "network"):
        done(kind, "model", *given, "-o", f"{engine}.png", "--engine", engine)
        assert (pixels(f"{engine}.png") == pixels("model-made.png")).all() == (engine == engines[0])


def test_options_of_networks_are_refused_for_patches(changed):
    assert "palettes and fine-tuning train a network; leave out --engine patches" in refused(
        "harmonize", "model", *changed, "-o", "a.png", "--fine-tune", 3, "--engine", "patches"
    )
    assert "photo.png: is an image, which has no network" in refused(
        "paint", "photo.png", changed[0], "-o", "a.png", "--colours", 3
    )
    assert "--engine must be patches or network, got 'gan'" in refused(
        "edit", "model", *changed, "-o", "a.png", "--engine", "gan"
    )


def test_wrong_pictures_are_refused(changed):
    draw("tall.png", levels(60, 30))
    assert "tall.png: has 30x60 pixels, the picture 34x28" in refused(
        "edit", "model", "tall.png", "mask.png", "-o", "a.png"
    )
    tifffile.imwrite(
        "two.tif", np.zeros((2, HEIGHT, WIDTH), np.uint8), photometric="minisblack", planarconfig="separate"
    )
    assert "two.tif: the image has 2 colour bands, not 3 as was learned" in refused(
        "paint", "model", "two.tif", "-o", "a.png", code=1
    )
    draw("grey.png", levels(bands=1))
    assert "grey.png: the image has 1 colour band, not 3 as was learned" in refused(
        "score", "model", "grey.png", code=1
    )
    draw("white.png", np.full((HEIGHT, WIDTH), 255, np.uint8))
    assert "white.png: the mask marks everything" in refused(
        "harmonize", "model", "changed.png", "white.png", "-o", "a.png", "--fine-tune", 9999999, code=1
    )
    assert "changed.png: is another file of this command" in refused(
        "edit", "model", *changed, "-o", "changed.png", "--overwrite"
    )
    assert "model: the scale must be from 1 to 3, the finest, got 4" in refused(
        "edit", "model", *changed, "-o", "a.png", "--start-scale", 4
    )
    assert not Path("a.png").exists()


@pytest.mark.parametrize(("subject", "engine"), [("model", "patches"), ("model", "network"), ("photo.png", "patches")])
def test_a_film_has_the_frames_that_are_asked_for(subject, engine):
    asked = ("--frames", 5, "--fps", 20, "--size", "40x20", "--no-loop")
    said = done("animate", subject, "-o", "a.gif", *asked, "--engine", engine)
    assert said == f"a.gif  5 frames of 40x20, 0.2 s at 20 fps, from scale 0, no loop, by {engine}\n"
    film = PillowImage.open("a.gif")
    assert (film.n_frames, film.size, film.info["duration"]) == (5, (40, 20), 50)


def test_wrong_films_are_refused():
    assert "a.png: '.png' is not a suffix of a film format" in refused("animate", "model", "-o", "a.png")
    assert "smoothness must be 0 or more" in refused("animate", "model", "-o", "a.gif", "--smoothness", 1)
    assert "photo.png: is an image, which has no network" in refused(
        "animate", "photo.png", "-o", "a.gif", "--engine", "network"
    )


def test_a_model_is_scored_by_samples_that_are_drawn():
    (record,) = records("score", "model", "-n", 3)
    assert (record["samples"], record["size"], record["start_scale"]) == (3, [WIDTH, HEIGHT], 0)
    assert record["diversity"] > 0
    assert record["reconstruction_rmse"] > 0
    assert record["sifid"] is None
    each = record["feature_distance_of_each"]
    assert record["feature_distance"] == record["feature_distances"]["block 4"] == pytest.approx(sum(each) / 3)
    lines = done("score", "model", "-n", 3).splitlines()
    assert lines[0] == "model: 3 samples of 34x28 (drawn from scale 0), the picture has 34x28"
    kinds = ["feature", "diversity", "border", "interior", "oblique", "reconstruction", "patch"]
    assert [line.split()[0] for line in lines[1:]] == kinds
    assert "(after block 4 of EfficientNet-Lite0, SHA-256 of the weights 579344248a93; block 2 " in lines[1]
    assert "(optimised by patch matching: not a judge; " in lines[-1]


def test_files_and_folders_are_scored_against_the_picture():
    done("sample", "model", "-o", "out/", "-n", 3, "--engine", "network")
    files = [f"out/sample-{k}.png" for k in range(3)]
    (of_files,), (drawn,) = records("score", "model", *files), records("score", "model", "-n", 3)
    for score in ("patch_distance", "feature_distance", "diversity", "border_energy", "interior_energy"):
        assert of_files[score] == pytest.approx(drawn[score], rel=0.02)  # files have 8 bits
    assert of_files["reconstruction_rmse"] is None
    (of_folder,) = records("score", "model", "out")
    assert of_folder == of_files
    (against,) = records("score", "out", "--of", "photo.png")
    assert (against["files"], against["real"]) == (files, "photo.png")
    assert against["patch_distance"] == pytest.approx(of_files["patch_distance"], rel=0.01)


def test_the_picture_itself_has_no_distance():
    (record,) = records("score", "photo.png", "--of", "photo.png")
    assert (record["patch_distance"], record["diversity"]) == (0, None)
    assert record["feature_distance"] == pytest.approx(0, abs=1e-6)
    assert (record["border_energy"], record["interior_energy"], record["oblique_energy"]) == (1, 1, 1)


def test_scores_without_the_judge_need_no_further_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    said = refused("score", "photo.png", "--of", "photo.png")
    assert "pip install '.[judge]' in the clone of innersr, or leave it out (--no-judge" in said
    (record,) = records("score", "photo.png", "--of", "photo.png", "--no-judge")
    assert (record["feature_distance"], record["patch_distance"]) == (None, 0)


def test_a_sifid_names_its_layer_and_weights():
    generator = torch.Generator().manual_seed(3)
    tensors = {}
    for name, shape, *_ in STEM:
        tensors[f"{name}.conv.weight"] = torch.randn(shape, generator=generator) / 10
        for part in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{name}.bn.{part}"] = torch.rand(shape[:1], generator=generator)
    save_file(tensors, "random.safetensors")
    scored = ["score", "--of", "photo.png", "photo.png", "--no-judge", "--inception", "random.safetensors"]
    (record,) = records(*scored, "--layer", "before-first-pool")
    assert record["sifid"] == pytest.approx(0, abs=1e-6)
    assert record["sifid_layer"] == "before-first-pool"
    assert (
        done(*scored).splitlines()[-2].startswith("SIFID             0.0000 (before-second-pool, random.safetensors, ")
    )
    assert "one of before-second-pool, before-first-pool, got 'last'" in refused(*scored, "--layer", "last")


def test_wrong_scores_are_refused():
    draw("small.png", levels(40, 40))
    assert "small.png: is not of the size of photo.png" in refused("score", "model", "photo.png", "small.png")
    assert "name the picture that samples are of with --of" in refused("score", "photo.png", "photo.png")
    assert "no.safetensors: no such file" in refused("score", "model", "--inception", "no.safetensors", code=1)


def test_samples_of_another_size_than_their_picture_are_scored_with_a_note():
    draw("large.png", levels(60, 60))
    for samples, of, sizes in (
        ("photo.png", "large.png", "60x60 pixels, its samples 34x28"),
        ("large.png", "photo.png", "34x28 pixels, its samples 60x60"),
    ):
        result = innersr("score", samples, "--of", of)
        assert result.exit_code == 0
        assert f"note: {of}: has {sizes}, and scores compare pixels as they are" in result.stderr
    assert "note:" not in innersr("score", "photo.png", "--of", "photo.png").stderr
    assert "note:" not in innersr("score", "model", "large.png").stderr  # whose picture has the size of the model


def test_the_report_has_a_column_for_each_scale():
    assert done("report", "model", "-o", "r.png") == "r.png  4 of 4 scales\n"
    width, height = size_of("r.png")
    assert width > 4 * 200
    assert height > 5 * 150  # picture, reconstruction, three samples; curves below
    assert "r.png: exists" in refused("report", "model", "-o", "r.png", code=1)


def test_the_former_name_of_a_preset_is_understood_with_a_note():
    result = innersr("train", "photo.png", "-o", "new", "--preset", "fast", "--set", "colour=red")
    note, error = result.stderr.splitlines()
    assert note == "note: preset fast is called balanced now"
    assert error.startswith("error: singan has no setting 'colour'")


def test_settings_are_said_by_what_differs_from_the_nearest_preset():
    assert described(make_settings("balanced")) == "balanced"
    assert described(make_settings("paper")) == "paper"
    changed = make_settings("paper", {"max_size": "500", "block_widths": "4,4,4,4,4"})
    assert described(changed) == "paper, max_size=500, block_widths=4,4,4,4,4"
