"""Several runs on the same files: each knows what the others made, and what failed."""

import json
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from helpers.bench import draw
from helpers.cli import BICUBIC, names, upscale


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for index, name in enumerate(("in/a.png", "in/b.png", "in/deep/a.png")):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        draw(Path(name), 20, 24, seed=index)
    return tmp_path


def statuses(*arguments, code=0):
    result = upscale("-r", "in", "-o", "out/", *BICUBIC, "--status", "status.jsonl", *arguments)
    assert result.exit_code == code, result.stderr
    rows = map(json.loads, Path("status.jsonl").read_text().splitlines())
    return {Path(row["input"]).as_posix(): row["status"] for row in rows}


def test_what_is_skipped_is_among_the_results_as_json():
    arguments = ("-r", "in", "-o", "out/", *BICUBIC, "--json")
    first, second = ([*map(json.loads, upscale(*arguments).stdout.splitlines())] for _ in range(2))
    results = {(row["input"], row["output"]) for row in first}
    assert len(results) == 3
    assert {(row["input"], row["output"]) for row in second} == results
    assert [row["status"] for row in second] == ["skipped"] * 3


def test_results_in_the_way_of_another_run_are_still_known():
    statuses()
    statuses("--existing", "error", code=1)
    assert set(statuses().values()) == {"skipped"}


def test_a_file_in_the_way_is_a_failure_that_is_tried_again():
    statuses()
    statuses("--existing", "error", code=1)
    assert set(statuses("--retry-failed", "--existing", "overwrite").values()) == {"done"}
    Path("out/b.png").write_bytes(b"mine")
    assert statuses(code=1)["in/b.png"] == "failed"
    assert Path("out/b.png").read_bytes() == b"mine"
    Path("out/b.png").unlink()
    assert {name for name, status in statuses("--retry-failed").items() if status == "done"} == {"in/b.png"}


def test_a_failure_that_a_later_run_did_under_another_name_is_not_tried_again():
    statuses()
    statuses("--existing", "error", code=1)
    assert set(statuses("--existing", "rename").values()) == {"done"}
    assert set(statuses("--retry-failed", "--existing", "overwrite").values()) == {"skipped"}
    assert set(statuses().values()) == {"skipped"}
    Path("out/b.png").write_bytes(b"mine")
    statuses(code=1)
    statuses("--existing", "rename")
    assert set(statuses("--retry-failed", "--existing", "overwrite").values()) == {"skipped"}
    assert Path("out/b.png").read_bytes() == b"mine" and statuses(code=1)["in/b.png"] == "failed"


def test_without_an_earlier_run_no_failure_is_tried_again():
    result = upscale("in", "-o", "out/", "--retry-failed", *BICUBIC)
    assert "no earlier run is recorded for these files, and no failure; leave out --retry-failed" in result.stderr
    assert upscale("in", "-o", "out/", *BICUBIC).exit_code == 0
    result = upscale("in", "-o", "out/", "--retry-failed", *BICUBIC)
    assert "note: no file failed in the last run" in result.stderr


@pytest.mark.parametrize(
    ("suffix", "option", "status"),
    [
        ("png", ("--quality", "90"), "skipped"),
        ("jpg", ("--quality", "90"), "done"),
        ("jpg", ("--compression", "lzw"), "skipped"),
        ("tif", ("--compression", "lzw"), "done"),
        ("tif", ("--quality", "90"), "skipped"),
    ],
)
def test_an_option_that_the_format_has_no_use_for_makes_nothing_anew(suffix, option, status):
    assert set(statuses("--format", suffix).values()) == {"done"}
    assert set(statuses("--format", suffix, *option).values()) == {status}


def test_shards_and_whole_runs_know_each_others_last_results():
    for scale in ("2", "3", "2"):
        statuses("--shard", "1/2", "-s", scale), statuses("--shard", "2/2", "-s", scale)
        assert set(statuses("-s", scale).values()) == {"skipped"}
        assert set(statuses("-s", "4").values()) == {"done"}


def test_results_of_equal_names_in_another_folder_are_no_inputs():
    statuses()
    Path("out").rename("in/earlier")
    assert set(statuses().values()) == {"done"}
    assert names("out") == ["a.png", "b.png", "deep"]


def test_results_that_a_shell_names_with_their_inputs_are_left_out():
    for status in ("done", "skipped"):
        given = sorted(map(str, Path("in").glob("*.png")))
        assert upscale(*given, "--name", "large-{stem}", "--status", "status.jsonl", *BICUBIC).exit_code == 0
        assert [json.loads(line)["status"] for line in Path("status.jsonl").read_text().splitlines()] == [status] * 2
    assert upscale("in/large-a.png", "-o", "larger.png", *BICUBIC).exit_code == 0  # alone


def test_a_single_file_is_skipped_where_that_is_asked_for():
    for _ in range(2):
        assert upscale("in/a.png", "-o", "large.png", "--existing", "skip", *BICUBIC).exit_code == 0
    draw(Path("large.png"), 20, 24, seed=9)
    assert upscale("in/a.png", "-o", "large.png", "--existing", "skip", *BICUBIC).exit_code == 1


def size_of(name):
    with PillowImage.open(name) as image:
        return image.size


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["in/a.png"], ["in/a.png"]),
        (["in/a.png"], ["in/a.png", "-s", "3"]),
        (["in/a.png"], ["in", "-s", "3"]),
        (["in"], ["in", "-s", "3"]),
        (["in"], ["in/a.png", "--metadata", "icc"]),
    ],
)
def test_what_is_a_result_in_place_is_enlarged_again_only_if_that_is_wanted(first, second):
    assert upscale(*first, "--in-place", *BICUBIC).exit_code == 0
    for _ in range(2):
        result = upscale(*second, "--in-place", *BICUBIC)
        assert result.exit_code == 1 and size_of("in/a.png") == (48, 40)
        assert "in/a.png: is the result of an earlier run with --in-place; its original is gone; " in result.stderr
    assert upscale(*second, "--in-place", "--overwrite", *BICUBIC).exit_code == 0
    assert size_of("in/a.png") in ((96, 80), (144, 120))


def test_a_file_that_was_enlarged_in_place_alone_is_skipped_with_its_folder():
    for given in ("in/a.png", "in", "in"):
        assert upscale(given, "--in-place", *BICUBIC).exit_code == 0
        assert size_of("in/a.png") == (48, 40)
    assert "in/a.png: is the result" in upscale("in", "--in-place", "-s", "3", *BICUBIC).stderr
    assert upscale("in", "--in-place", *BICUBIC).exit_code == 0  # whose settings are still known


def test_a_file_that_is_new_under_the_name_of_a_result_in_place_is_enlarged():
    for seed in (1, 2):
        draw(Path("in/a.png"), 20, 24, seed=seed)
        assert upscale("in/a.png", "--in-place", *BICUBIC).exit_code == 0
        assert size_of("in/a.png") == (48, 40)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "tif"], "--in-place keeps the format of each input"),
        (["--name", "{stem}-large"], "--in-place keeps the name of each input; leave --name or --in-place out"),
        (["-o", "out/"], "--in-place would be ignored: -o out/ is not the folder of in/a.png; leave one of them out"),
        (["--existing", "rename"], "--in-place contradicts --existing rename; give one of them"),
    ],
)
def test_what_contradicts_in_place_is_wrong_usage(options, message):
    result = upscale("in", "--in-place", *options, *BICUBIC)
    assert result.exit_code == 2 and message in result.stderr
    assert not Path("out").exists() and size_of("in/a.png") == (24, 20)
