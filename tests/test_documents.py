"""What the documents promise: commands that parse, an example that works, constraints for every dependency."""

import re
import shlex
import sys
import tomllib
import types
from pathlib import Path

import pytest
import torch
from typer.main import get_command

from innersr.benchmark.published import published_figures
from innersr.cli.app import app
from innersr.errors import InputError
from innersr.physics.degradation import Degradation
from innersr.run import Run

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands_of(document):
    """Return the arguments of all `innersr` commands in a document's console blocks."""
    blocks = re.findall(r"^ *```console\n(.*?)^ *```", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    parts = [part for line in lines for part in line.strip().removeprefix("$ ").split("&&")]
    words = [shlex.split(part, comments=True) for part in parts if "innersr" in part]
    return [arguments[1:] for arguments in words if arguments[:1] == ["innersr"]]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(command, id=f"{document.name}: {' '.join(command)}")
        for document in DOCUMENTS
        for command in commands_of(document)
    ],
)
def test_documented_commands_parse(arguments):
    command, context, name = get_command(app), None, "innersr"
    while True:
        context = command.make_context(name, list(arguments), parent=context)
        if not hasattr(command, "resolve_command"):
            break
        name, command, arguments = command.resolve_command(context, [*context._protected_args, *context.args])


def test_the_example_of_a_method_works():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    example = types.ModuleType("sharpen")
    sys.modules["sharpen"] = example  # dataclasses look their module up
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], example.__dict__)
    lr, degradation = torch.rand(1, 3, 8, 10), Degradation(scale=2)
    assert example.Sharpen().adapt(lr, degradation, Run())(lr).shape == (1, 3, 16, 20)
    with pytest.raises(InputError, match="strongest must be 0 or more"):
        example.Sharpen(strongest=-1)


def test_constraints_pin_every_direct_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {re.match(r"[A-Za-z0-9._-]+", dependency)[0].replace("_", "-").lower() for dependency in wanted}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].replace("_", "-").lower() for line in lines if "==" in line}
    assert names - {"innersr-torch"} <= pinned


def test_installing_names_this_distribution_not_another_of_pypi():
    """PyPI's `innersr` is another tool: an extra of it would not be found, and its code would be installed."""
    files = [path for folder in ("src", "docs", "tests") for path in (ROOT / folder).rglob("*.[pm][yd]")]
    wrong = r"\binnersr\[[a-z]|pip install (?:-\S+ )*'?innersr(?!-torch)\b"
    texts = {path: path.read_text(encoding="utf-8") for path in [*files, *DOCUMENTS, ROOT / "pyproject.toml"]}
    assert len(texts) > 200
    assert [path for path, text in texts.items() if path != Path(__file__) and re.search(wrong, text)] == []


def test_what_adds_an_optional_part_works_today():
    """`innersr-torch[web]` is on no package index yet; `'.[web]'` works in a clone."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    sources = [*(ROOT / "src").rglob("*.py"), *DOCUMENTS]
    texts = {path: path.read_text(encoding="utf-8") for path in sources}
    assert [path for path, text in texts.items() if "innersr-torch[" in text] == []
    named = [
        name for text in texts.values() for name in re.findall(r"how_to_install\('(\w+)'\)|'\.\[([\w,]+)\]'", text)
    ]
    extras = {extra for pair in named for extra in "".join(pair).split(",")}
    assert {"web", "video", "tiff", "ray"} <= extras <= set(project["optional-dependencies"])


def test_published_figures_are_those_that_were_read():
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    known, larger = (
        text.split(f"## {heading}")[1].split("##")[0] for heading in ("Known degradation", "Larger factors")
    )
    columns = ["bicubic x2", "g0.2d x2", "g2.0d x2", "ganid x2", "g1.3b x2"], ["bicubic x3", "bicubic x4", "g2.0d x4"]
    told = 0
    for section, headings in zip((known, larger), columns, strict=True):
        for method, cells in re.findall(r"\| (ZSSR|MZSR)[^|]*, published \|(.*)\|", section):
            for heading, cell in zip([*headings, "CPU s"], [*cells.split("|"), ""], strict=False):
                degradation, _, scale = heading.partition(" ")
                figures = published_figures("set5", scale, degradation, count=5)
                read = {figure.method[:4]: figure for figure in figures}.get(method)
                psnr, _, ssim = cell.strip().partition(" / ")
                if psnr:
                    assert read is not None and float(psnr) == read.psnr and ssim in ("", f"{read.ssim:.4f}")
                    told += 1
    assert told == 5 + 4 + 3 + 1


def test_a_promise_of_the_same_bytes_says_of_how_many_threads():
    paths = [*DOCUMENTS, *(ROOT / "docs" / "guide").glob("*.md"), *(ROOT / "src").rglob("*.py")]
    texts = {path.name: re.sub(r"\s+", " ", path.read_text(encoding="utf-8")) for path in paths}
    promises = [
        (name, promise)
        for name, text in texts.items()
        for promise in re.findall(r"same seed[^.;]*?same bytes[^.;]*", text, re.IGNORECASE)
    ]
    assert len(promises) >= 4
    assert [promise for promise in promises if "thread" not in promise[1]] == []
