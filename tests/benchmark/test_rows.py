"""The file of rows: what it is good for."""

import json
from dataclasses import replace

import pytest

from helpers.bench import RUN, case, plan, rows_of, strictly
from innersr.benchmark.rows import read_rows
from innersr.benchmark.runner import compute_row
from innersr.benchmark.tables import table_of
from innersr.errors import InputError


def test_rows_that_the_file_has_are_not_computed_again(folder, tmp_path, computed):
    rows_file = tmp_path / "rows.jsonl"
    first = list(rows_of(plan(folder), RUN, rows_file))
    content = rows_file.read_bytes()
    assert list(rows_of(plan(folder), RUN, rows_file)) == first
    assert computed == [("a.png", "bicubic"), ("b.png", "bicubic")]
    assert rows_file.read_bytes() == content
    assert [strictly(line) for line in rows_file.read_text().splitlines()] == first


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"time_limit": 5.0}, {"precision": "bf16"}],
    ids=str,
)
def test_another_circumstance_extends_the_file(folder, tmp_path, computed, change):
    rows_file = tmp_path / "rows.jsonl"
    list(rows_of(plan(folder), RUN, rows_file))
    list(rows_of(plan(folder), replace(RUN, **change), rows_file))
    assert len(computed) == 4 and len(read_rows(rows_file)) == 4
    list(rows_of(plan(folder), RUN, rows_file))
    assert len(computed) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"methods": ("bicubic:phase=aligned",)},
        {"degradations": ("g0.2d",)},
        {"degradations": ("bicubic+noise2",)},
        {"scales": (3.0,)},
        {"given": ("gaussian:2.0",)},
    ],
    ids=str,
)
def test_another_plan_extends_the_file(folder, tmp_path, computed, change):
    rows_file = tmp_path / "rows.jsonl"
    list(rows_of(plan(folder), RUN, rows_file))
    list(rows_of(plan(folder, **change), RUN, rows_file))
    assert len(computed) == len(read_rows(rows_file)) == 4


def test_rows_of_earlier_files_know_a_pair_of_scales(folder, tmp_path, computed):
    rows_file = tmp_path / "rows.jsonl"
    rows = list(rows_of(plan(folder, scales=((3.0, 2.0),)), RUN, rows_file))
    assert rows[0]["scale"] == "2x3"
    rows_file.write_text(rows_file.read_text().replace('"2x3"', "[3.0, 2.0]"))
    assert list(rows_of(plan(folder, scales=((3.0, 2.0),)), RUN, rows_file)) == rows
    assert len(computed) == 2


@pytest.mark.parametrize("kept", [1, 2, 60, -2, -1])
def test_a_last_line_cut_short_is_dropped_and_computed_again(folder, tmp_path, computed, kept):
    rows_file = tmp_path / "rows.jsonl"
    rows = list(rows_of(plan(folder), RUN, rows_file))
    first, second = rows_file.read_text().splitlines(keepends=True)
    rows_file.write_text(first + second[:kept])
    assert read_rows(rows_file) == rows[:1]
    list(rows_of(plan(folder), RUN, rows_file))
    assert computed[2:] == [("b.png", "bicubic")]
    assert [row["psnr_y"] for row in read_rows(rows_file)] == [row["psnr_y"] for row in rows]


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"hello", 1), (b"hello\n", 1), (b"{}\n", 1), (b"[1]\n", 1), (b"3\n", 1), (b"\n", 1), (b"\xff\xfe\n", 1)]
    + [(b"ROW\nhello", 2), (b"ROW\n{}\nROW\n", 2)],
)
def test_a_foreign_line_is_an_error_and_stays_as_it_is(folder, tmp_path, computed, content, line):
    row = json.dumps(compute_row(case(folder / "a.png"), RUN)).encode()
    rows_file = tmp_path / "rows.jsonl"
    rows_file.write_bytes(content.replace(b"ROW", row))
    with pytest.raises(InputError, match=f"rows.jsonl: line {line} is not a benchmark row; name another file"):
        list(rows_of(plan(folder), RUN, rows_file))
    assert computed == []
    assert rows_file.read_bytes() == content.replace(b"ROW", row)


def test_a_place_where_no_rows_can_be_written_is_refused_before_anything_is_computed(folder, tmp_path, computed):
    for place, message in [(tmp_path, "is a folder"), (tmp_path / "nowhere" / "rows.jsonl", "does not exist")]:
        with pytest.raises(InputError, match=message):
            list(rows_of(plan(folder), RUN, place))
    assert computed == []


def test_rows_are_there_as_soon_as_they_are_computed(folder, tmp_path):
    rows = rows_of(plan(folder), RUN, tmp_path / "rows.jsonl")
    next(rows)
    assert len(read_rows(tmp_path / "rows.jsonl")) == 1


def test_rows_of_version_0_1_name_the_given_degradation_otherwise(folder, tmp_path, computed):
    rows_file = tmp_path / "rows.jsonl"
    rows = list(rows_of(plan(folder), RUN, rows_file))
    rows_file.write_text(rows_file.read_text().replace('"given"', '"told"'))
    assert list(rows_of(plan(folder), RUN, rows_file)) == rows
    assert len(computed) == 2


def test_rows_without_a_given_degradation_hold_the_truth(folder, tmp_path, computed):
    rows_file = tmp_path / "rows.jsonl"
    rows = list(rows_of(plan(folder), RUN, rows_file))
    assert [row.pop("given") for row in rows] == ["true"] * 2
    rows_file.write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))
    assert list(rows_of(plan(folder), RUN, rows_file)) == rows
    assert len(computed) == 2
    both = list(rows_of(plan(folder, given=("gaussian:2.0", "true")), RUN, rows_file))
    assert len(computed) == 4 and both[2:] == rows
    assert table_of(rows).splitlines()[0].startswith("| images | scale | degradation | method | n |")
