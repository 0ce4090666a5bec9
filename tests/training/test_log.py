"""The log of a training: JSON lines that stay true when it is resumed, and curves for TensorBoard."""

import json

import pytest

from innersr.errors import CheckpointError
from innersr.training import log as training_log
from innersr.training.log import TrainingLog


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def opened(folder, step=0, note=pytest.fail):
    return TrainingLog(folder / "log.jsonl", folder / "events", step, note)


def written(folder, *steps):
    log = opened(folder)
    for step in steps:
        log.write(step, {"loss": step / 8})
    log.close()


def test_a_record_is_a_line(tmp_path):
    log = opened(tmp_path)
    log.write(5, {"loss": 0.25, "validation": {"bicubic x2": 30.5}})
    assert lines(tmp_path) == [{"step": 5, "loss": 0.25, "validation": {"bicubic x2": 30.5}}]


def test_lines_after_the_saved_state_are_dropped(tmp_path):
    written(tmp_path, 2, 4, 6)
    opened(tmp_path, step=4).write(5, {})
    assert [line["step"] for line in lines(tmp_path)] == [2, 4, 5]


def test_what_a_crash_left_of_a_line_is_dropped(tmp_path):
    written(tmp_path, 2)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    opened(tmp_path, step=4).write(5, {})
    assert [line["step"] for line in lines(tmp_path)] == [2, 5]


@pytest.mark.parametrize("line", ["{}", '{"step": null}', '{"step": -1}', "[3]", '{"step": 3, "loss": Infinity}'])
def test_a_damaged_log_is_set_aside_and_reported(tmp_path, line):
    written(tmp_path, 2, 4)
    damaged = line + "\n" + (tmp_path / "log.jsonl").read_text(encoding="utf-8")
    (tmp_path / "log.jsonl").write_text(damaged, encoding="utf-8")
    told = []
    opened(tmp_path, step=4, note=told.append).write(5, {})
    assert [line["step"] for line in lines(tmp_path)] == [2, 4, 5]
    assert (tmp_path / "log.damaged.jsonl").read_text(encoding="utf-8") == damaged
    used = "the log is kept as log.damaged.jsonl, its 2 sound lines are used"
    assert told == [f"{tmp_path / 'log.jsonl'}: line 1 is damaged; {used}"]


def test_a_log_that_is_a_folder_is_reported(tmp_path):
    (tmp_path / "log.jsonl").mkdir()
    for step in (0, 4):
        with pytest.raises(CheckpointError, match=r"log\.jsonl: cannot be"):
            opened(tmp_path, step)


def test_a_new_training_begins_a_new_log(tmp_path):
    written(tmp_path, 2, 4)
    opened(tmp_path)
    assert lines(tmp_path) == []


def test_figures_become_curves_where_tensorboard_is_installed(tmp_path, monkeypatch):
    told = []

    class Writer:
        def __init__(self, folder, purge_step):
            told.append((folder, purge_step))

        def add_scalar(self, name, value, step):
            told.append((name, value, step))

        def flush(self):
            told.append("flushed")

        def close(self):
            told.append("closed")

    monkeypatch.setattr(training_log, "SummaryWriter", Writer)
    log = opened(tmp_path, step=3)
    log.write(5, {"loss": 0.25, "validation": {"g2.0d x2": 31.5}})
    log.close()
    curves = [("loss", 0.25, 5), ("validation/g2.0d x2", 31.5, 5)]
    assert told == [(str(tmp_path / "events"), 3), *curves, "flushed", "closed"]
