"""The table at the end of a batch."""

import json
from pathlib import Path

import pytest

from helpers.bench import draw
from helpers.cli import BICUBIC, upscale
from innersr.batch.status import StatusRow
from innersr.commands.batch.table import Sizes, files_table

LONG = "in/IMG_20260713_of_a_holiday_by_the_sea.jpeg"
ROWS = [
    StatusRow(input="in/a.png", output="out/a.png", status="done", seconds=12.31),
    StatusRow(input=LONG, output="out/b.jpeg", status="done", seconds=103.2),
    StatusRow(input="in/c.png", output="out/c.png", status="failed", seconds=0.1, error="in/c.png: is damaged"),
    StatusRow(input="in/d\n.png", output="out/d.png", status="skipped"),
]
SIZES = {
    "in/a.png": Sizes(before=(128, 96), after=(256, 192)),
    LONG: Sizes(before=(6000, 4000), after=(12000, 8000)),
}


def test_a_table_names_every_file_with_sizes_time_and_state():
    assert files_table(ROWS, SIZES, None) == [
        "file                                            from          to      s  state",
        "a.png                                         128x96     256x192   12.3  done",
        "IMG_20260713_of_a_holiday_by_the_sea.jpeg  6000x4000  12000x8000  103.2  done",
        "c.png                                                               0.1  failed: is damaged",
        "d\\n.png                                                                  skipped",
    ]


@pytest.mark.parametrize("width", [50, 80])
def test_a_table_fits_into_the_terminal_and_cuts_names_first(width):
    lines = files_table(ROWS, SIZES, width)
    assert max(map(len, lines)) <= width
    assert "6000x4000  12000x8000  103.2  done" in lines[2] and "…" in lines[2]
    assert "failed:" in lines[3] and lines[4].endswith("skipped")


def test_a_very_long_name_widens_its_own_row_alone():
    long = StatusRow(input=f"in/{'x' * 250}.png", output="x", status="done", seconds=1.0)
    plain, lines = files_table(ROWS, SIZES, None), files_table([*ROWS, long], SIZES, None)
    assert max(map(len, lines[:-1])) < max(map(len, plain)) + 50 and lines[-1].split() == [
        long.input[3:],
        "1.0",
        "done",
    ]


def test_of_many_files_the_slowest_are_named():
    many = [StatusRow(input=f"{n}.png", output="x", status="done", seconds=n) for n in range(1, 22)]
    assert [line.split()[0] for line in files_table(many, {}, 80)] == [
        "slowest",
        *(f"{n}.png" for n in range(21, 16, -1)),
    ]
    assert len(files_table(many[:20], {}, 80)) == 21
    assert files_table(21 * ROWS[3:], {}, 80) == []


@pytest.mark.parametrize("option", [None, "-q", "--json"])
def test_a_batch_ends_with_the_table_unless_it_is_quiet(tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    draw(Path("in/a.png"), 6, 8)
    Path("in/b.png").write_text("no image")
    result = upscale("in", "-o", "out/", *BICUBIC, *([option] if option else []))
    lines = result.stdout.splitlines()
    if option is not None:
        assert [json.loads(line)["input"] for line in lines] == (["in/a.png", "in/b.png"] if option == "--json" else [])
        return
    assert lines[1].split() == ["file", "from", "to", "s", "state"]
    assert lines[2].split()[:3] == ["a.png", "8x6", "16x12"] and lines[2].endswith("  done")
    assert lines[3].startswith("b.png") and "  failed: " in lines[3]
    assert lines[4].startswith("1 done, 1 failed in ") and lines[5] == "failed: in/b.png"
    upscale("in", "-o", "out/", *BICUBIC)
    again = upscale("in", "-o", "out/", *BICUBIC).stdout.splitlines()
    assert again[1].split() == ["a.png", "skipped"]
