"""Streams that are closed, full, or read by nobody: the work goes on, and the exit code says what was lost."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.bench import draw
from helpers.cli import BICUBIC, names
from innersr.commands.console import Reporter
from innersr.errors import InnersrError
from innersr.run import Progress

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
MAIN = "import sys; from innersr.cli import main; sys.argv = ['innersr', *sys.argv[1:]]; main()"


def reporter(**changes):
    return Reporter(**{"quiet": False, "verbose": False, "as_json": False} | changes)


@pytest.fixture
def unread():
    """A stream into a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        yield stream


def shell(line, *arguments, folder="."):
    """Run a line of a shell in which "$@" is the command."""
    command = ["sh", "-c", line, "sh", sys.executable, "-c", MAIN, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("as_json", [False, True])
def test_results_that_nobody_reads_are_no_error(unread, monkeypatch, capsys, as_json):
    monkeypatch.setattr(sys, "stdout", unread)
    results = reporter(as_json=as_json)
    for number in range(3):
        results.result(f"{number}.png", {"output": f"{number}.png"})
    assert not results.has_lost_results
    assert capsys.readouterr().err == ""


def test_results_that_do_not_fit_are_one_error(monkeypatch, capsys):
    with open("/dev/full", "w") as full:  # noqa: PTH123 (a device)
        monkeypatch.setattr(sys, "stdout", full)
        results = reporter()
        for number in range(3):
            results.text(f"{number}.png")
    assert results.has_lost_results
    said = "error: standard output: cannot be written (No space left on device); redirect it to where there is space\n"
    assert capsys.readouterr().err == said


def test_notes_that_do_not_fit_are_no_error(monkeypatch):
    with open("/dev/full", "w", buffering=1) as full:  # noqa: PTH123 (a device)
        monkeypatch.setattr(sys, "stderr", full)
        reporters = [reporter(verbose=True), reporter(verbose=True), reporter()]
        reporters[0].note("small")
        reporters[1].verbose("smaller")
        reporters[2].failure(OSError("large"), 1)
        assert not any(each.has_lost_results for each in reporters)
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


def test_names_of_files_are_no_commands_of_the_terminal(capsys):
    reporter().result("a\x1b[31m\r\n.png", {})
    reporter().result(["e\u2028f\u202eg.png", "  \udcff ü"], {})
    reporter().note("b\nc\x9b2J.png: is \t small")
    reporter().failure(InnersrError("d\n.png: is damaged; get it again"), 1)
    assert capsys.readouterr() == (
        "a\\x1b[31m\\r\\n.png\ne\\u2028f\\u202eg.png\n  \\udcff ü\n",
        "note: b\\nc\\x9b2J.png: is \\t small\nerror: d\\n.png: is damaged; get it again\n",
    )


@pytest.mark.parametrize("file", [None, Path("/long" * 1000)], ids=["in its text", "about a file"])
def test_of_a_long_path_an_error_shows_both_ends(capsys, file):
    path = Path("/long" * 1000)
    reporter(as_json=True).failure(InnersrError(f"{path}: other.png: is damaged; get it again"), 1, file)
    out, err = capsys.readouterr()
    shown = f"{'/long' * 48}[...]{'/long' * 48}"
    assert err == f"error: {shown}: other.png: is damaged; get it again\n"
    assert json.loads(out)["error"] == f"{shown}: other.png: is damaged"
    assert json.loads(out).get("input") == (file and str(file))


@pytest.mark.parametrize("name", ["a\n\x1b[2J\x7f\x9b.png", "\u2028\udcff.png"], ids=["codes", "no text"])
def test_json_has_one_line_for_any_name(capsys, name):
    reporter(as_json=True).result("", {"input": name})
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 1 and out[:-1].isprintable() and json.loads(out) == {"input": name}


def test_the_title_of_a_bar_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with reporter().progress("a\n\x1b]0;owned\x07b.png") as report:
        report(Progress(stage="learn", done=1, total=2, seconds=1.0))
    err = capsys.readouterr().err
    assert "a\\n\\x1b]0;owned\\x07b.png" in err and "\x07" not in err


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.png"), "a.png: No such file or directory; "),
        (OSError(errno.ENAMETOOLONG, "File name too long", "a.png"), "a.png: File name too long; use a shorter one"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device; check the path, its permissions"),
        (OSError("nothing is known"), "nothing is known"),
    ],
)
def test_errors_of_the_system_have_a_remedy_and_no_number(capsys, error, text):
    reporter().failure(error, 1)
    assert capsys.readouterr().err.startswith(f"error: {text}")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(closed):
    code, out, err = shell(f'"$@" {closed}', "--version")
    assert (code, err) == (0, "")
    assert out.startswith("innersr ") or ">&-" in closed


def test_help_that_does_not_fit_is_one_error():
    code, _, err = shell('"$@" >/dev/full', "--help")
    assert (code, err) == (1, "error: standard output: cannot be written (No space left on device)\n")


def test_all_files_are_written_whoever_reads_the_results(tmp_path):
    files = [draw(tmp_path / f"{letter}.png") for letter in "abc"]
    code, out, err = shell(
        '{ "$@"; echo "rc $?" >&2; } | head -1', "upscale", *files, "-o", f"{tmp_path}/out/", *BICUBIC
    )
    assert (code, err) == (0, "rc 0\n")
    assert out.count("\n") == 1
    assert names(tmp_path / "out") == ["a.png", "b.png", "c.png"]


def test_a_full_disk_for_the_results_is_not_the_fault_of_an_image(tmp_path):
    files = [draw(tmp_path / f"{letter}.png") for letter in "ab"]
    code, _, err = shell('"$@" >/dev/full', "upscale", *files, "-o", f"{tmp_path}/out/", *BICUBIC)
    assert code == 1
    assert err.startswith("error: standard output: cannot be written") and err.count("\n") == 1
    assert names(tmp_path / "out") == ["a.png", "b.png"]
