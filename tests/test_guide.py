"""The guide of the documentation site: its commands and its Python are run, on made pictures."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from typer.testing import CliRunner

from innersr.cli.app import app

DOCUMENTS = Path(__file__).parents[1] / "docs"
GUIDE = sorted((DOCUMENTS / "guide").glob("*.md"))


def pattern(rows=28, columns=32, bands=3, period=7.0):
    """A picture that recurs, with some grain: (rows, columns, bands) in [0, 1]."""
    y, x = np.mgrid[:rows, :columns] / period
    waves = np.stack([np.sin(x * (1 + band / 5)) * np.cos(y) for band in range(bands)], axis=-1)
    return np.clip(0.5 + 0.3 * waves + 0.02 * np.random.default_rng(1).standard_normal(waves.shape), 0, 1)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The files that the guide names, in the folder where its commands run."""
    monkeypatch.chdir(tmp_path)
    rgb = (255 * pattern()).astype(np.uint8)
    for name in ("photo.jpg", "grainy.jpg", "portrait.png", "bricks.png"):
        PIL.Image.fromarray(rgb).save(name, quality=95)
    PIL.Image.fromarray(np.dstack([rgb, rgb[..., :1]])).save("mask.png")
    PIL.Image.fromarray(rgb[:12, :12] // 64 * 64).save("sprite.png")
    for folder, suffix in (("scans", "tif"), ("sharp", "png")):
        Path(folder).mkdir()
        for name in "ab":
            PIL.Image.fromarray(rgb).save(f"{folder}/{name}.{suffix}")
    tifffile.imwrite("cells.tif", (65535 * pattern(bands=1)[..., 0]).astype(np.uint16))
    tifffile.imwrite("scene.tif", (10_000 * pattern(bands=5)).astype(np.uint16), planarconfig="contig")
    tifffile.imwrite("plate.tif", (4 * pattern()).astype(np.float32), photometric="rgb")
    return tmp_path


def blocks(document):
    """Kinds and texts of the blocks of code of a document, in order."""
    return re.findall(
        r"^```(console|python)\n(.*?)^```", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("document", GUIDE, ids=lambda path: path.stem)
def test_all_that_the_guide_tells_to_do_works(document):
    done = 0
    for kind, text in blocks(document):
        if kind == "python":
            with contextlib.redirect_stdout(io.StringIO()) as said:
                exec(text, {})
            assert said.getvalue()
            continue
        for line in text.splitlines():
            command, *arguments = shlex.split(line)
            assert command == "innersr"
            limit = ["--time-limit", "0.2"] if arguments[0] == "upscale" else []
            result = CliRunner().invoke(app, [*arguments, *limit], catch_exceptions=False)
            assert result.exit_code == 0, (line, result.output)
            outputs = [
                value for option, value in zip(arguments, arguments[1:], strict=False) if option in ("-o", "--out")
            ]
            assert all(Path(output).exists() for output in outputs), line
            done += 1
    assert done > 5


def test_every_page_of_the_site_is_reached_and_every_card_is_on_it():
    index = (DOCUMENTS / "index.md").read_text(encoding="utf-8")
    pages = {path.relative_to(DOCUMENTS).with_suffix("").as_posix() for path in DOCUMENTS.rglob("*.md")}
    listed = {line for block in re.findall(r"```\{toctree\}\n(.*?)```", index, re.DOTALL) for line in block.split("\n")}
    assert pages - listed == {"index"}
    cards = (DOCUMENTS / "cards.md").read_text(encoding="utf-8")
    weights = {path.name for path in (DOCUMENTS.parent / "src/innersr/weights").glob("*.md")}
    assert set(re.findall(r"weights/(\S+\.md)", cards)) == weights
