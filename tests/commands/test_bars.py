"""Progress of a command: bars in a terminal, lines in a log; results stay where standard output goes."""

import contextlib
import io
import json
import sys
import time

import pytest
from rich.console import Console

from innersr.commands.bars import Bars
from innersr.commands.batch.report import BatchReport
from innersr.commands.console import Reporter
from innersr.run import Progress

NAME = "IMG_20260713_of_a_holiday_by_the_sea_[1].jpeg"
LEARNING = Progress(stage="learn", done=120, total=400, seconds=60, loss=0.01234)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self):
        return True


def in_terminal(monkeypatch):
    """Standard error in a terminal of 80 columns."""
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    for name, value in (("TERM", "xterm"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    return stream


def reporter(**changes):
    return Reporter(**{"quiet": False, "verbose": False, "as_json": False} | changes)


def batch(reporter, total=3):
    report = BatchReport(reporter, is_batch=True)
    report.begin(total)
    return report


@pytest.mark.parametrize("as_json", [True, False])
def test_results_go_where_standard_output_goes_while_bars_are_drawn(monkeypatch, as_json):
    terminal = in_terminal(monkeypatch)
    file = io.StringIO()
    monkeypatch.setattr("sys.stdout", file)
    results = reporter(as_json=as_json)
    report = batch(results)
    with results.progress("a.png"):
        results.result("a.png -> b.png", {"output": "b.png"})
        results.note("a.png: is small")
        sys.stdout.write("from a library\n")
    report.close()
    written = ['{"output": "b.png"}' if as_json else "a.png -> b.png", "from a library"]
    assert file.getvalue().splitlines() == written
    assert "0 of 3 files" in terminal.getvalue() and "note: a.png: is small" in terminal.getvalue()


def test_results_in_the_same_terminal_are_above_the_bars_and_whole(monkeypatch):
    terminal = in_terminal(monkeypatch)
    monkeypatch.setattr("sys.stdout", terminal)
    results = reporter(as_json=True)
    record = {"output": 30 * "a name of several words "}
    report = batch(results)
    results.result("", record)
    report.close()
    assert f"{json.dumps(record)}\n" in terminal.getvalue()


@pytest.mark.parametrize("quiet", [True, False])
def test_nothing_is_drawn_where_nothing_is_wanted(monkeypatch, quiet):
    terminal = in_terminal(monkeypatch)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    report = batch(results := reporter(quiet=quiet))
    with results.progress("a.png") as show:
        assert (show is None) == quiet
    report.advance()
    report.close()
    assert (terminal.getvalue() == "") == quiet


def drawn(width, *titles):
    """The rows of a batch of three files in so many columns, as lines."""
    bars, file = Bars(print), io.StringIO()
    console = Console(file=file, width=width)
    with bars.count(3, lambda: "1 failed, 0:00:20 left") as advance:
        advance()
        with bars.progress(titles[0]) as show:
            show(LEARNING)
            console.print(bars._table(width))
    return file.getvalue().splitlines()


def test_all_files_and_the_current_file_have_a_bar_each():
    first, second = drawn(80, "a.png")
    assert first.startswith("1 of 3 files ━━━") and first.rstrip().endswith("1 failed, 0:00:20 left")
    assert second.startswith("a.png: learn ━━━") and second.rstrip().endswith("120/400 loss 0.0123 0:02:20 left")


@pytest.mark.parametrize("width", [50, 80, 30])
def test_long_names_are_cut_and_figures_are_not(width):
    first, second = drawn(width, NAME)
    assert max(len(first), len(second)) <= width
    assert "…: learn" in second
    if width >= 50:
        assert "1 failed, 0:00:20 left" in first and "120/400 loss 0.0123 0:02:20 left" in second
    assert ("━━" in second) == (width == 80)


def wait_for(lines, number):
    deadline = time.monotonic() + 20
    while len(lines) < number and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(lines) >= number


def test_a_log_has_a_line_of_all_rows_at_an_interval_though_nothing_is_reported():
    lines = []
    bars = Bars(lines.append, interval=0.01)
    with bars.count(3, lambda: "0:00:20 left") as advance:
        wait_for(lines, 2)
        advance()
        with bars.progress("a.png") as show:
            seen = len(lines)
            wait_for(lines, seen + 2)
            show(LEARNING)
            seen = len(lines)
            wait_for(lines, seen + 2)
    assert lines[0] == "0 of 3 files 0:00:20 left"
    assert "1 of 3 files 0:00:20 left; a.png: at work" in lines
    assert lines[-1] == "1 of 3 files 0:00:20 left; a.png: learn 120/400 loss 0.0123 0:02:20 left"
    seen = len(lines)
    time.sleep(0.05)
    assert len(lines) == seen


def test_the_time_left_follows_from_the_files_so_far_and_runs_on(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Reporter, "count", lambda *_: contextlib.nullcontext())
    report = batch(reporter(), total=4)
    assert report._figures() == ""
    for status, seconds, expected in (
        ("skipped", 0, ""),
        ("done", 10, "0:00:20 left"),
        ("failed", 2, "1 failed, 0:00:12 left"),
    ):
        now[0] += seconds
        report.add("a.png", None, status)
        report.advance()
        assert report._figures() == expected
    now[0] += 5
    assert report._figures() == "1 failed, 0:00:07 left"
    now[0] += 50
    assert report._figures() == "1 failed, 0:00:00 left"
