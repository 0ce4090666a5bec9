"""Many files in one command: what is done again, what is left, and what is said."""

import json
import os
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from helpers.cli import BICUBIC, names, upscale
from helpers.films import make_video, scenes
from innersr.batch.manifest import digest_of
from innersr.pipeline import tasks


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for index, name in enumerate(("in/a.png", "in/b.png", "in/deep/a.png")):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        draw(name, index)
    return tmp_path


def draw(name, seed):
    levels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    PillowImage.fromarray(levels).save(name)


def many(*arguments, code=0):
    result = upscale("-r", "in", "-o", "out/", *BICUBIC, *arguments)
    assert result.exit_code == code, result.stderr
    return result


def statuses(*arguments, code=0):
    many("--status", "status.jsonl", *arguments, code=code)
    return {Path(row["input"]).as_posix(): row["status"] for row in rows()}


def rows():
    return [json.loads(line) for line in Path("status.jsonl").read_text().splitlines()]


def test_the_tree_is_kept_and_counted():
    said = many().stdout.splitlines()
    assert names("out") == ["a.png", "b.png", "deep"] and names("out/deep") == ["a.png"]
    assert said[-1].startswith("3 done in 0:00:0")


def test_what_is_done_is_skipped_and_what_changed_is_done_again():
    assert set(statuses().values()) == {"done"}
    assert set(statuses().values()) == {"skipped"}
    draw("in/b.png", 7)
    before = Path("out/b.png").read_bytes()
    assert statuses() == {"in/a.png": "skipped", "in/b.png": "done", "in/deep/a.png": "skipped"}
    assert Path("out/b.png").read_bytes() != before
    assert set(statuses("-s", "3").values()) == {"done"}
    with PillowImage.open("out/a.png") as image:
        assert image.size == (72, 60)


def test_a_result_that_somebody_edited_is_not_replaced():
    many()
    Path("out/a.png").write_bytes(b"edited")
    result = many(code=1)
    assert "out/a.png: exists, and is not an unchanged result of an earlier run; use --existing" in result.stderr
    assert Path("out/a.png").read_bytes() == b"edited"
    many("--existing", "rename")
    assert names("out") == ["a-2.png", "a.png", "b-2.png", "b.png", "deep"]
    many("--existing", "overwrite")
    assert Path("out/a.png").read_bytes() == Path("out/a-2.png").read_bytes()


def test_files_that_are_there_may_be_an_error():
    many()
    assert statuses("--existing", "error", code=1) == dict.fromkeys(["in/a.png", "in/b.png", "in/deep/a.png"], "failed")


def test_a_failure_is_reported_with_its_remedy_and_tried_again():
    Path("in/b.png").write_text("no image")
    assert statuses(code=1)["in/b.png"] == "failed"
    row = next(row for row in rows() if row["status"] == "failed")
    assert row["error"].startswith("in/b.png: ") and row["remedy"]
    draw("in/b.png", 3), draw("in/c.png", 4)
    assert {name: s for name, s in statuses("--retry-failed").items() if s == "done"} == {"in/b.png": "done"}
    assert names("out") == ["a.png", "b.png", "deep"]


def test_a_plan_writes_nothing():
    said = many("--dry-run").stdout
    assert "in/a.png -> out/a.png  24x20 -> 48x40  about 1 MiB" in said and "3 planned" in said
    assert "this takes about 0:00:0" in said and "in one process, as measured on in/" in said
    assert not Path("out/.innersr").exists() and names("out") == []


def test_a_plan_says_what_cannot_be_read():
    for name, content in {"empty.png": b"", "text.png": b"no image", "cut.png": b"\x89PNG\r\n\x1a\n"}.items():
        Path("in", name).write_bytes(content)
    result = many("--dry-run", code=1)
    assert "error: in/empty.png: is empty (0 bytes)" in result.stderr
    assert "error: in/text.png: not an image of a known format" in result.stderr
    assert "3 planned, 3 failed" in result.stdout and "failed: in/cut.png" in result.stdout and "?" not in result.stdout


def test_a_plan_has_the_sizes_of_films():
    make_video(Path("film.mp4"), scenes(2))
    Path("film.mov").write_bytes(b"no film")
    result = upscale("film.mp4", "film.mov", "-o", "out/", "--dry-run", *BICUBIC)
    assert "film.mp4 -> out/film.mp4  48x32 -> 96x64  about 1 MiB" in result.stdout
    assert result.exit_code == 1 and "error: film.mov: " in result.stderr


@pytest.mark.parametrize(
    ("asked", "small", "large"),
    [
        (["--size", "60x60<"], "24x20 -> 60x50", "in/large.png -> out/large.png  80x72 -> 80x72"),
        (["--size", "60x60"], "24x20 -> 60x50", "in/large.png: size 60x60 makes 60x54 of an image of 80x72"),
        (["-s", "1.02"], "in/a.png: scale 1.02 adds no pixel to an image of 24x20", "80x72 -> 81x73"),
    ],
)
def test_a_plan_and_the_work_agree_on_every_file(asked, small, large):
    PillowImage.new("L", (80, 72)).save("in/large.png")
    plan, work = (upscale("in", "-o", "out/", *BICUBIC, *asked, *more) for more in (["--dry-run"], []))
    assert plan.exit_code == work.exit_code
    for said in (small, large):
        assert said in plan.stdout + plan.stderr
        assert said.split("  ")[-1] in work.stdout + work.stderr


def test_shards_are_apart_and_together_whole():
    draw("in/a.jpg", 3)  # its result has the name of another's, which is in the other shard
    first, second = (set(statuses("--format", "png", "--shard", f"{number}/2")) for number in (1, 2))
    assert not first & second and first | second == set(statuses("--format", "png"))
    assert set(statuses("--format", "png").values()) == {"skipped"}
    assert names("out") == ["a-2.png", "a.png", "b.png", "deep"]


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b"])
def test_wrong_shards_are_wrong_usage(shard):
    assert "--shard is I/N, such as 2/8" in many("--shard", shard, code=2).stderr


def test_several_processes_give_the_same_bytes():
    many()
    several = upscale("-r", "in", "-o", "two/", *BICUBIC, "--jobs", "2")
    assert several.exit_code == 0 and "3 done" in several.stdout
    for name in ("a.png", "b.png", "deep/a.png"):
        assert Path("two", name).read_bytes() == Path("out", name).read_bytes()


def test_rows_as_parquet():
    parquet = pytest.importorskip("pyarrow.parquet")
    many("--status", "status.parquet")
    table = parquet.read_table("status.parquet")
    assert table.column("status").to_pylist() == ["done"] * 3
    assert "choose one of them" in many("--status", "status.csv", code=2).stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_rows_have_names_that_are_no_text(suffix):
    pytest.importorskip("pyarrow.parquet")
    name = os.fsdecode(b"\xff\n.png")
    draw(Path("in", name), 3)
    many("--status", f"status{suffix}")
    if suffix == ".jsonl":
        rows = [json.loads(line) for line in Path("status.jsonl").read_text(encoding="utf-8").splitlines()]
        assert (f"in/{name}", f"out/{name}") in [(row["input"], row["output"]) for row in rows]
    else:
        table = import_module("pyarrow.parquet").read_table("status.parquet")
        assert "in/\\udcff\n.png" in table.column("input").to_pylist()
    assert set(statuses().values()) == {"skipped"}  # the manifest knows it, too


@pytest.mark.parametrize("status", ["missing/status.jsonl", f"{'x' * 250}.jsonl", "in/../in.jsonl/"])
def test_rows_that_cannot_be_written_are_reported_before_the_work(status):
    Path("in.jsonl").mkdir()
    said = many("--status", status, code=1)
    assert said.stderr.startswith("error: ") and status.rstrip("/")[-12:] in said.stderr and said.stdout == ""
    assert not Path("out").exists()


def test_an_input_is_never_replaced_by_a_pattern_of_names():
    result = upscale("in/a.png", "in/b.png", "--name", "{stem}{suffix}", *BICUBIC)
    assert result.exit_code == 1 and "the result would replace the input in/a.png" in result.stderr
    before = Path("in/b.png").read_bytes()
    result = upscale("in/a.png", "in/b.png", "--name", "b.png", *BICUBIC)
    assert result.exit_code == 1 and "in/a.png: the result would replace the input in/b.png" in result.stderr
    assert Path("in/b.png").read_bytes() == before


def test_a_result_whose_run_was_killed_before_it_recorded_it_is_made_again():
    many()
    manifest, result = Path("out/.innersr/manifest.jsonl"), Path("out/b.png").read_bytes()
    lines = manifest.read_text().splitlines(keepends=True)
    assert [json.loads(line)["status"] for line in lines] == ["started", "done"] * 3
    manifest.write_text("".join(lines[:3]) + lines[3][:30])
    Path("out/deep/a.png").unlink()  # which was not begun then
    assert statuses() == {"in/a.png": "skipped", "in/b.png": "done", "in/deep/a.png": "done"}
    assert Path("out/b.png").read_bytes() == result


def test_a_file_of_somebody_else_is_not_replaced_after_a_failure():
    Path("out").mkdir()
    Path("out/b.png").write_bytes(b"mine")
    for _ in range(2):
        assert statuses(code=1)["in/b.png"] == "failed"
    assert Path("out/b.png").read_bytes() == b"mine"


def test_a_repeated_batch_in_place_enlarges_nothing_twice():
    for name in ("a.png", "b.png"):
        Path("in", name).rename(name)
    for _ in range(2):
        assert upscale("a.png", "b.png", "--in-place", *BICUBIC).exit_code == 0
        with PillowImage.open("a.png") as image:
            assert image.size == (48, 40)
    manifest = Path(".innersr/manifest.jsonl")
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:3]))  # b was replaced, unsaid
    assert upscale("a.png", "b.png", "--in-place", *BICUBIC).exit_code == 0
    with PillowImage.open("b.png") as image:
        assert image.size == (48, 40)


def test_an_input_that_changes_meanwhile_fails_and_is_done_again(monkeypatch):
    save = tasks.FileTask.save

    def late(task, result):
        if task.source == Path("in/b.png"):
            draw("in/b.png", 9)
        return save(task, result)

    with monkeypatch.context() as patch:
        patch.setattr(tasks.FileTask, "save", late)
        assert "in/b.png: changed while it was upscaled; upscale it again" in many(code=1).stderr
    assert statuses() == {"in/a.png": "skipped", "in/b.png": "done", "in/deep/a.png": "skipped"}


def test_an_input_that_vanishes_meanwhile_is_a_failure(monkeypatch):
    save = tasks.FileTask.save

    def late(task, result):
        Path("in/b.png").unlink(missing_ok=True)
        return save(task, result)

    monkeypatch.setattr(tasks.FileTask, "save", late)
    assert statuses(code=1) == {"in/a.png": "done", "in/b.png": "failed", "in/deep/a.png": "done"}


def test_clocks_that_jump_are_no_reason_to_begin_again():
    many()
    os.utime("in/a.png", (0, 0)), os.utime("in/b.png", (2**33, 2**33))
    assert set(statuses().values()) == {"skipped"}


def test_results_under_any_name_are_no_inputs_of_the_next_run():
    large = ["in/a-large.png", "in/b-large.png"]
    for _ in range(2):
        assert upscale("in", *BICUBIC, "--name", "{stem}-large").exit_code == 0
        assert sorted(path.as_posix() for path in Path("in").glob("*-large*")) == large
    draw("in/a-large.png", 5)  # now it is somebody's picture
    upscale("in", *BICUBIC, "--name", "{stem}-large")
    assert names("in") == ["a-large-large.png", "a-large.png", "a.png", "b-large.png", "b.png", "deep"]


def test_a_repeated_batch_of_a_folder_in_place_enlarges_nothing_twice():
    for status in ("done", "skipped"):
        upscale("in", "--in-place", *BICUBIC, "--status", "status.jsonl")
        assert [row["status"] for row in rows()] == [status] * 2


@pytest.mark.parametrize("shards", [[()], [("--shard", "1/2"), ("--shard", "2/2")]])
def test_names_that_a_format_makes_equal_are_numbered(shards):
    PillowImage.open("in/a.png").transpose(1).save("in/a.bmp")
    for shard in shards * 2:
        assert upscale("in", "-o", "out/", *BICUBIC, "--format", "webp", *shard).exit_code == 0
        assert names("out")[-1:] in (["b.webp"], ["a.webp"], ["a-2.webp"])
    assert names("out") == ["a-2.webp", "a.webp", "b.webp"]


def test_sizes_are_read_only_where_names_tell_them(monkeypatch):
    read = []
    monkeypatch.setattr("innersr.commands.upscale.size_in_header", read.append)
    many()
    assert read == []
    upscale("in", *BICUBIC)
    assert len(read) == 2


def spied_digests(monkeypatch):
    """The names of the files that are read whole to know whether they changed, as they are."""
    read = []

    def spy(path):
        digest = digest_of(path)
        read.append(path.as_posix())
        return digest

    for module in ("innersr.batch.manifest", "innersr.commands.batch.records"):
        monkeypatch.setattr(f"{module}.digest_of", spy)
    return read


def test_an_input_is_read_as_its_turn_comes(monkeypatch):
    read, upscaled = spied_digests(monkeypatch), []
    save = tasks.FileTask.save

    def spy(task, result):
        upscaled.append((task.source.as_posix(), [name for name in read if name.startswith("in/")]))
        return save(task, result)

    monkeypatch.setattr(tasks.FileTask, "save", spy)
    many()
    assert upscaled[0] == ("in/a.png", ["in/a.png"])
    assert [seen[-1] for _, seen in upscaled] == [source for source, _ in upscaled]


def test_a_plan_reads_only_what_changed(monkeypatch):
    many()
    draw("in/b.png", 7)
    read = spied_digests(monkeypatch)
    said = many("--dry-run").stdout
    assert "1 planned, 2 skipped" in said
    assert read == ["in/b.png"]


def test_earlier_results_are_known_by_size_and_time(monkeypatch):
    assert upscale("in", *BICUBIC).exit_code == 0
    read = spied_digests(monkeypatch)
    assert upscale("in", *BICUBIC, "--dry-run").exit_code == 0
    assert read == []


def test_another_version_of_the_program_makes_nothing_anew(monkeypatch):
    many()
    monkeypatch.setattr("innersr.__version__", "99.0")
    assert set(statuses().values()) == {"skipped"}


def test_other_priors_make_all_anew(monkeypatch):
    many()
    monkeypatch.setattr("innersr.commands.upscale.packaged_priors", dict)
    assert set(statuses().values()) == {"done"}
