"""Every command and every piece of Python in the documents is run, on made pictures and with little to learn.

What cannot be run here has a comment above it, `<!-- not tested: REASON -->`, and is counted. The slowest documents
have the marker `docs`: `make docs-commands` runs all. docs/guide has a test of its own.
"""

import contextlib
import io
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
import tifffile
from typer.testing import CliRunner

import innersr.commands.web
from helpers.films import make_video, scenes
from innersr.cli.app import app
from innersr.run import Run

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LESS = {  # what is written: what is run
    "1920x": "64x",
    "4000x": "64x",
    "512x512": "40x40",
    "400x188": "40x30",
    "(188, 400)": "(30, 40)",
    "2000000000": "2000000",
    'preset="best"': 'preset="draft"',
    "steps=60": "steps=2",
    "SinGAN(max_size=400, iterations=1000)": "SinGAN(max_size=34, iterations=1, min_size=11, width=4, ratio=0.6)",
    '"balloons.png", folder="balloons"': '"balloons.png", LITTLE, folder="balloons"',
    "--frames 200": "--frames 3",
    "-n 20": "-n 2",
    "-n 10": "-n 2",
    "-n 6": "-n 2",
    "--max-size 400": "--max-size 34",
    "--preset paper": "",
    "--fine-tune 300": "--fine-tune 1",
    "--steps 40000": "",
    "--start-scale 5": "--start-scale 1",
    "--start-scale 4": "--start-scale 1",
    "DIR DIR": "small small",
    "DIR": "small",
}
LITTLE = {"min_size": 11, "max_size": 34, "ratio": 0.6, "width": 4, "pool": 2, "iterations": 1, "matching": 1}
BRIEFLY = {  # options that are added to a command
    "upscale": "--time-limit 0.1",
    "bench": "--time-limit 0.05 --limit 1 --scales 2",
    "kernel estimate": "--time-limit 0.1",
    "singan train": " ".join(f"--set {name}={value}" for name, value in LITTLE.items()),
    "train supervised": "--steps 2 --batch 2 --set width=6 --set depth=3 --set crop=16",
    "train mzsr": "--steps 2 --batch 1 --set width=6 --set depth=3 --set images=2 --set patch=16 --set inner_steps=2",
    "train tailor": "--steps 2 --batch 2 --set width=6 --set depth=3 --set hidden=4 --set crop=13 --set small_crop=13",
    "train predictor": "--steps 2 --batch 2 --set width=6 --set hidden=8 --set crop=13",
    "web": "--port 0 --no-browser",
}
PICTURES = """photo.jpg photo.png grainy.jpg blurred.jpg portrait.png page1.png page2.png page-1.png rock.png rock.jpg
rock1.jpg rock2.jpg sea.jpg bricks.jpg balloons.png layout.png blots.png edited.png composite.png cows.png stone.png
scream.png lightning.png scans/a.png scans/b.png photos/a.png photos/more/b.png small/a.png in.gif"""
MODELS = ("cows", "stone", "scream", "lightning")


def picture(rows=33, columns=36, bands=3):
    """A picture that recurs, with some grain: uint8 (rows, columns, bands)."""
    y, x = np.mgrid[:rows, :columns] / 5
    waves = np.stack([np.sin(x * (1 + band / 5)) * np.cos(y) for band in range(bands)], axis=-1)
    grain = 5 * np.random.default_rng(1).standard_normal(waves.shape)
    return np.clip(128 + 80 * waves + grain, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the files that the documents name."""
    folder = tmp_path_factory.mktemp("made")
    for name in PICTURES.split():
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        PIL.Image.fromarray(picture()).save(path)
    PIL.Image.fromarray(picture(64, 72)).save(folder / "small/a.png")
    for place, sides in (("photos", 110), ("graphics", 110), ("kodak", 110)):
        (folder / place).mkdir(exist_ok=True)
        for number in range(2):
            PIL.Image.fromarray(picture(sides, sides + number)).save(folder / place / f"{number}.png")
    shutil.copytree(ROOT / "examples", folder / "examples")
    for name in ("mask.png", "hole.png"):
        spot = np.zeros((33, 36), np.uint8)
        spot[8:16, 8:16] = 255
        PIL.Image.fromarray(spot).save(folder / name)
    for name in ("cells.ome.tif", "zstack.tif", "scans.tif"):
        pages = np.stack([picture(20, 24, 1)[..., 0]] * 8)
        more = {"metadata": {"axes": "ZYX", "PhysicalSizeX": 0.2}} if ".ome" in name else {}
        tifffile.imwrite(folder / name, pages, photometric="minisblack", **more)
    tifffile.imwrite(folder / "satellite.tif", picture(20, 24, 5).astype(np.uint16), planarconfig="contig")
    height = np.where(picture(20, 24, 1)[..., 0] > 200, -9999, picture(20, 24, 1)[..., 0]).astype(np.float32)
    for name in ("height.tif", "scan.tif", "map.tif"):
        tifffile.imwrite(folder / name, height if name == "height.tif" else picture(20, 24))
    for name in ("in.mp4", "in.mov", "film.mp4"):
        make_video(folder / name, scenes(2))
    given = BRIEFLY["singan train"].split()
    done(["singan", "train", str(folder / "balloons.png"), "-o", str(folder / "balloons"), *given], "")
    for name in MODELS:
        shutil.copytree(folder / "balloons", folder / name)
    return folder


def blocks(document):
    """Kinds and texts of the blocks of code of a document, in order, and why one is not tested, if so."""
    text = document.read_text(encoding="utf-8")
    found = re.finditer(r"(?:<!-- not tested: (.*?) -->\n+)?^( *)```(\w+)\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [
        (kind, re.sub(rf"^{indent}", "", body, flags=re.MULTILINE), reason)
        for reason, indent, kind, body in (match.groups() for match in found)
        if kind in ("console", "python", "bash", "sh", "shell")
    ]


def calls_of(text, folder):
    """The commands of a block, as bash makes them of it: name, arguments, standard input."""
    said = folder / ".calls"
    shutil.rmtree(said, ignore_errors=True)
    said.mkdir()
    record = "n=$(ls .calls | wc -l); printf '%s\\0' \"$@\" >.calls/$n.$NAME; cat >.calls/$n.$NAME.input"
    stubs = "\n".join(f"{name}() {{ NAME={name}; {record}; }}" for name in ("innersr", "pip"))
    given = "\n".join(line.removeprefix("$ ") for line in text.splitlines())
    slurm = {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_COUNT": "2", "PATH": "/usr/bin:/bin"}
    script = f"set -euo pipefail\n{stubs}\n{given}\n"
    subprocess.run(["bash", "-c", script], cwd=folder, check=True, env=slurm, stdin=subprocess.DEVNULL, timeout=20)
    for path in sorted(said.glob("*.input"), key=lambda path: int(path.name.split(".")[0])):
        yield path.name.split(".")[1], path.with_suffix("").read_text().split("\0")[:-1], path.read_text()


def less(text):
    for written, run in LESS.items():
        text = text.replace(written, run)
    return text


def done(arguments, given):
    """Run a command of innersr in this process."""
    words = " ".join(arguments)
    added = next((more for name, more in BRIEFLY.items() if words.startswith(name)), "")
    if "--resume" in arguments:
        done([word for word in arguments if word != "--resume"], given)  # there must be something to resume
    elif arguments[0] != "web" and arguments[:2] != ["singan", "score"]:
        added += " --overwrite"
    result = CliRunner().invoke(app, [*arguments, *added.split()], input=given)
    assert result.exit_code == 0, (arguments, result.output, result.exception)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(path, id=path.stem, marks=pytest.mark.docs if path.stem in ("benchmarks", "export") else ())
        for path in DOCUMENTS
    ],
)
def test_all_that_a_document_tells_to_do_works(document, made, tmp_path, monkeypatch):
    folder = tmp_path / "here"
    shutil.copytree(made, folder)
    if document.stem == "batch":  # where *.tif becomes PNG
        for name in ("height.tif", "satellite.tif"):
            (folder / name).unlink()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(innersr.commands.web, "threading", SimpleNamespace(Event=lambda: SimpleNamespace(wait=int)))
    if document.stem != "singan":  # which takes none
        monkeypatch.setitem(Run.__init__.__kwdefaults__, "time_limit", 0.1)
    for kind, text, reason in blocks(document):
        if reason is None and kind == "python":
            run_python(less(text))
        elif reason is None:
            for name, arguments, given in calls_of(less(text), folder):
                if name == "innersr":
                    done(arguments, given)
                else:
                    assert name == "pip" and (ROOT / arguments[arguments.index("-c") + 1]).is_file()


def run_python(text):
    """Run a piece of Python, with what the text around it speaks of."""
    import torch

    lr = torch.from_numpy(picture()).permute(2, 0, 1)[None] / 255
    little = innersr.SinGAN(**LITTLE)
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        if "gradio_client" in text:
            pytest.importorskip("gradio", reason="the page needs the extra web")
            from innersr.web.app import Serving, served

            address = stack.enter_context(served(Serving(port=0, browser=False, device="cpu", is_warmed=False)))
            text = text.replace("http://127.0.0.1:7860", address)
        if "import deepinv" in text:
            pytest.importorskip("deepinv", reason="needs deepinv: pip install '.[deepinv]'")
        if "learn_picture" in text:
            shutil.rmtree("balloons")  # that the commands have learned otherwise
            Path("wide.png").unlink()
        exec(text, {"__name__": "__main__", "innersr": innersr, "lr": lr, "LITTLE": little})


def test_what_is_not_tested_is_counted():
    reasons = [reason for document in DOCUMENTS for _, _, reason in blocks(document) if reason is not None]
    assert len(reasons) == 14
    assert sum(len(blocks(document)) for document in DOCUMENTS) > 50
