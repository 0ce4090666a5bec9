"""The Space and the container: what they name is there, and is what the checks were run with."""

import http.server
import itertools
import json
import re
import runpy
import shutil
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from innersr.cli.app import app

ROOT = Path(__file__).parents[2]
PINNED = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split() if "==" in line
)
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def instructions(name):
    return re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)


def test_the_container_runs_a_command_that_parses():
    (entry,), words = (json.loads(*instructions(name)) for name in ("ENTRYPOINT", "CMD"))
    name, *arguments = words
    assert entry == "innersr"
    assert get_command(app).commands[name].make_context(name, arguments).params["allow_public"] is True


def test_the_container_copies_what_is_there():
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for line in instructions("COPY"):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists() and f"!{source}" in kept


def test_the_health_of_the_container_is_asked_past_a_proxy(monkeypatch):
    """A container that was given a proxy, as Docker can be told to, was never healthy."""
    (words,) = instructions("HEALTHCHECK")
    interpreter, option, program = json.loads(words[words.index("[") :])
    assert interpreter == "python" and f":{instructions('EXPOSE')[0]}/" in program
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        own = program.replace("127.0.0.1:7860", f"127.0.0.1:{server.server_port}")
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert subprocess.call([sys.executable, option, own], timeout=60) == 0
    assert subprocess.call([sys.executable, option, own], timeout=60, stderr=subprocess.DEVNULL) == 1  # nobody answers


def test_the_container_runs_as_an_ordinary_user():
    assert instructions("USER") == ["innersr"]


def test_space_and_container_have_the_versions_of_the_checks():
    requirements = (ROOT / "spaces/requirements.txt").read_text(encoding="utf-8")
    assert f"torch=={PINNED['torch']}" in requirements and f"torch=={PINNED['torch']}" in DOCKERFILE
    header = (ROOT / "spaces/README.md").read_text(encoding="utf-8").split("---")[1]
    assert f"sdk_version: {PINNED['gradio']}\n" in header


def test_the_space_asks_for_what_the_package_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (project["optional-dependencies"][name] for name in ("web", "video"))
    needed = {re.match(r"[\w.-]+", each)[0] for each in itertools.chain(project["dependencies"], *extras)}
    lines = (ROOT / "spaces/requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    assert pinned == {name: PINNED[name] for name in needed}


def test_the_space_runs_the_source_that_is_sent_to_it(tmp_path, monkeypatch):
    pytest.importorskip("gradio", reason="the page needs the extra web")
    text = (ROOT / "spaces/README.md").read_text(encoding="utf-8")
    sent = re.findall(r"^hf upload USER/SPACE (\S+) (\S+) --repo-type space", text, re.MULTILINE)
    for source, target in sent:
        shutil.copytree(ROOT / source, tmp_path / target, dirs_exist_ok=True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    runpy.run_path(str(tmp_path / "app.py"))
    assert Path(sys.path[0]) == tmp_path / "src"
    assert (tmp_path / "src/innersr/web/app.py").is_file()


def test_the_space_has_small_limits_and_says_so():
    pytest.importorskip("gradio", reason="the page needs the extra web")
    serving = runpy.run_path(str(ROOT / "spaces/app.py"))["SERVING"]
    text = (ROOT / "spaces/README.md").read_text(encoding="utf-8")
    assert serving.allow_public and serving.host == "0.0.0.0"
    assert f"{serving.limits.pixels // 1_000_000} megapixels" in text
    assert f"files of {serving.limits.megabytes} MB" in text
    assert serving.limits.seconds == 300
