"""How far a batch is, in a log."""

import time
from itertools import count

import pytest

from innersr.commands.batch.report import BatchReport
from innersr.commands.console import Reporter


@pytest.fixture
def notes(monkeypatch):
    said = []
    monkeypatch.setattr(Reporter, "note", lambda _, text: said.append(text))
    return said


def begun(*, has_bar):
    report = BatchReport(Reporter(quiet=False, verbose=False, as_json=False), is_batch=True, interval=0.01)
    report.begin(3, has_bar=has_bar)
    return report


def test_a_log_has_lines_while_several_processes_finish_no_file(notes):
    report = begun(has_bar=True)
    deadline = time.monotonic() + 20
    while len(notes) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    report.close()
    assert set(notes) == {"0 of 3 files"} and len(notes) >= 3
    before = len(notes)
    time.sleep(0.05)
    assert len(notes) == before


def test_one_process_has_a_line_where_a_file_ends(notes, monkeypatch):
    clock = count()  # a second at each look
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    report = begun(has_bar=False)
    report.advance()
    report.advance()
    report.close()
    assert notes == ["1 of 3 files", "2 of 3 files"]
