"""The rows of a batch, as they are written for other programs."""

import json
import sys
from pathlib import Path

import pytest

from innersr.batch import status
from innersr.batch.status import StatusRow, check_status, save_status
from innersr.errors import ImageFileError, InputError

DONE = StatusRow(input="a.png", output="out/a_x2.png", status="done", seconds=1.25)
FAILED = StatusRow(input="b\udcff.png", output=None, status="failed", error="is empty", remedy="get it again")
ROWS = [DONE, FAILED]
NAMES = ["input", "output", "status", "seconds", "error", "remedy"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def parquet():
    return pytest.importorskip("pyarrow.parquet", reason="Parquet needs the extra parquet")


def test_each_row_is_a_line_of_json():
    save_status(Path("rows.jsonl"), ROWS)
    lines = Path("rows.jsonl").read_text(encoding="utf-8").splitlines()
    done, failed = map(json.loads, lines)
    assert list(done) == NAMES
    assert list(done.values()) == ["a.png", "out/a_x2.png", "done", 1.25, None, None]
    assert list(failed.values()) == ["b\udcff.png", None, "failed", 0, "is empty", "get it again"]


def test_each_row_is_one_of_parquet(parquet):
    save_status(Path("rows.parquet"), ROWS)
    table = parquet.read_table("rows.parquet")
    assert table.to_pylist() == [
        {"input": "a.png", "output": "out/a_x2.png", "status": "done", "seconds": 1.25, "error": None, "remedy": None},
        {
            "input": "b\\udcff.png",  # which is no text
            "output": None,
            "status": "failed",
            "seconds": 0.0,
            "error": "is empty",
            "remedy": "get it again",
        },
    ]


@pytest.mark.parametrize("rows", [[], [DONE], [StatusRow(input="a.png", output=None, status="planned", seconds=3)]])
def test_columns_of_parquet_have_one_type_whatever_they_hold(parquet, rows):
    """Files of several shards are read as one table, which columns of another type would refuse."""
    save_status(Path("rows.parquet"), rows)
    schema = parquet.read_schema("rows.parquet")
    assert schema.names == NAMES
    assert [str(schema.field(name).type) for name in NAMES] == [*["string"] * 3, "double", *["string"] * 2]


def test_no_rows_are_an_empty_file():
    save_status(Path("rows.jsonl"), [])
    assert Path("rows.jsonl").read_bytes() == b""


@pytest.mark.usefixtures("parquet")
@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_an_older_file_is_replaced_whole(suffix):
    path = Path("rows" + suffix)
    save_status(path, ROWS * 40)
    before = path.read_bytes()
    with pytest.raises((ValueError, TypeError)):  # one that cannot be written leaves the older one
        save_status(path, [*ROWS, StatusRow(input="c.png", output=None, status="failed", seconds=_Unwritable())])
    assert path.read_bytes() == before
    save_status(path, [DONE])
    assert 0 < path.stat().st_size < len(before)
    assert [each.name for each in Path().iterdir()] == [path.name]  # nothing is left over


class _Unwritable:
    """A value that neither format can hold."""


@pytest.mark.parametrize("name", ["rows.csv", "rows", "rows.JSONL", "rows.parquet.txt"])
def test_other_suffixes_are_refused_before_the_work(name):
    with pytest.raises(InputError, match=f"^{name}: --status writes .jsonl or .parquet; choose one of them$"):
        check_status(Path(name))


def test_places_that_cannot_be_written_are_refused_before_the_work():
    Path("folder.jsonl").mkdir()
    for path in (Path("folder.jsonl"), Path("missing/rows.jsonl")):
        with pytest.raises((ImageFileError, InputError)):
            check_status(path)
    Path("rows.jsonl").write_text("older", encoding="utf-8")
    check_status(Path("rows.jsonl"))
    assert Path("rows.jsonl").read_text(encoding="utf-8") == "older"  # until there are rows


def test_a_missing_pyarrow_is_reported_before_the_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    check_status(Path("rows.jsonl"))
    with pytest.raises(InputError, match=r"needs pyarrow; pip install .*parquet.*, or write a .jsonl file"):
        check_status(Path("rows.parquet"))


@pytest.mark.usefixtures("parquet")
@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_rows_are_sent_to_an_address_when_all_are_written(suffix, monkeypatch):
    sent = []
    monkeypatch.setattr(status, "is_remote", lambda _path: True)
    monkeypatch.setattr(status, "upload", lambda made, path: sent.append((made.name, made.read_bytes(), path)))
    target = Path("far", "rows" + suffix)
    check_status(target)  # no folder of this machine is asked for
    save_status(target, ROWS)
    monkeypatch.setattr(status, "is_remote", lambda _path: False)
    save_status(Path("near" + suffix), ROWS)
    assert sent == [("rows" + suffix, Path("near" + suffix).read_bytes(), target)]
    assert not Path("far").exists()
