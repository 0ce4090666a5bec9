"""Logs of one JSON object per line."""

import errno
import os
from typing import TypedDict

import pytest

from innersr.json_lines import append_record, bytes_of, read_records, recover_records, sound_records


def test_records_come_back_in_order(tmp_path):
    path = tmp_path / "log.jsonl"
    assert read_records(path) == []
    append_record(path, {"step": 1})
    append_record(path, {"step": 2, "name": "Ü"})
    assert read_records(path) == [{"step": 1}, {"step": 2, "name": "Ü"}]


def test_a_full_disk_is_reported_with_the_name_of_the_log(tmp_path):
    resource = pytest.importorskip("resource")  # not on Windows
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            append_record(tmp_path / "log.jsonl", {"step": 1})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.filename == str(tmp_path / "log.jsonl")


@pytest.mark.parametrize("rest", ['{"step"', "{", '{"step": 3}'])
def test_a_line_that_a_crash_cut_short_does_not_count(tmp_path, rest):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n' + rest)
    assert read_records(path) == [{"step": 1}]
    append_record(path, {"step": 2})
    assert read_records(path) == [{"step": 1}, {"step": 2}]


@pytest.mark.parametrize("line", ["nonsense", "[1]", "7", "[" * 100_000])
def test_a_line_that_is_no_object_is_named_by_its_number(tmp_path, line):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n' + line + "\n")
    with pytest.raises(ValueError, match="^2$"):
        read_records(path)


def test_nothing_is_written_that_is_not_json(tmp_path):
    path = tmp_path / "log.jsonl"
    append_record(path, {"loss": 1.0})
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_record(path, {"loss": float("nan")})
    assert read_records(path) == [{"loss": 1.0}]


class Step(TypedDict):
    step: int


@pytest.mark.parametrize(
    "line", ["", "7", '{"step": "1"}', '{"step": true}', '{"loss": 1}', '{"step": 1, "loss": NaN}', "\\", "[" * 100_000]
)
def test_a_damaged_log_is_kept_and_its_sound_lines_go_on(tmp_path, line):
    path, told = tmp_path / "log.jsonl", []
    for name in ("log.damaged.jsonl", "log.damaged-2.jsonl"):
        path.write_text('{"step": 1}\n' + line + '\n{"step": 2, "loss": 0.5}\n')
        assert recover_records(path, Step, told.append) == [{"step": 1}, {"step": 2, "loss": 0.5}]
        assert told.pop() == f"{path}: line 2 is damaged; the log is kept as {name}, its 2 sound lines are used"
        assert line in (tmp_path / name).read_text()
        assert (tmp_path / name).read_bytes() == path.read_bytes()


@pytest.mark.skipif(not hasattr(os.stat_result, "st_blocks"), reason="sizes on the disk are not told")
def test_a_damaged_log_of_gigabytes_is_kept_without_a_copy(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n')
    os.truncate(path, 3 << 30)  # zeros that take no disk
    assert recover_records(path, Step, lambda _: None) == [{"step": 1}]
    assert (tmp_path / "log.damaged.jsonl").stat().st_blocks * 512 < 1 << 20


def test_a_damaged_log_is_copied_where_there_are_no_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "log.jsonl"
    path.write_text("damaged\n")
    assert recover_records(path, Step, lambda _: None) == []
    assert (tmp_path / "log.damaged.jsonl").read_text() == "damaged\n"
    assert not (tmp_path / "log.damaged.jsonl").samefile(path)


def test_a_file_of_one_record_is_read_if_it_is_not_too_long(tmp_path):
    path = tmp_path / "record.json"
    path.write_bytes(b"{}")
    assert bytes_of(path, 2) == b"{}"
    with pytest.raises(ValueError, match="more than 0 MiB"):
        bytes_of(path, 1)
    os.truncate(path, 3 << 30)
    with pytest.raises(ValueError, match="more than 16 MiB"):
        bytes_of(path)


def test_a_sound_log_stays_where_it_is(tmp_path):
    path = tmp_path / "log.jsonl"
    assert recover_records(path, Step, pytest.fail) == []
    append_record(path, {"step": 1})
    assert recover_records(path, Step, pytest.fail) == [{"step": 1}]
    assert path.exists()


def test_a_line_that_is_no_record_is_not_read(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n')
    os.truncate(path, 3 << 30)  # sparse
    assert sound_records(path, Step) == ([{"step": 1}], [2])
