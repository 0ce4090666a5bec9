"""The command `innersr bench`."""

import json

import pytest
from PIL import Image as PillowImage
from typer.testing import CliRunner

from helpers.bench import RUN, case, draw
from innersr.benchmark import runner as benchmark
from innersr.benchmark.rows import read_rows
from innersr.benchmark.runner import compute_row
from innersr.benchmark.tables import table_of
from innersr.cli.app import app
from innersr.commands import bench as bench_command
from innersr.plots.sheets import comparison_sheet


def bench(*arguments):
    result = CliRunner().invoke(app, ["bench", *map(str, arguments), "--device", "cpu"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_the_command_ends_with_the_table_and_nothing_else_on_stdout(folder, tmp_path):
    rows_file = tmp_path / "rows.jsonl"
    tiny = "zssr:steps=2;pixels=500;width=4;depth=2;self_ensemble=no"
    result = bench(folder, "--methods", f"bicubic, {tiny}", "--degradations", "bicubic , g0.2d", "--out", rows_file)
    assert (result.exit_code, result.stderr) == (0, "")
    rows = read_rows(rows_file)
    assert len(rows) == 8 and result.stdout == table_of(rows) + "\n"
    assert rows[-1]["settings"]["width"] == 4
    assert result.stdout.count("\n") == 6


def test_the_command_compares_the_default_method_with_interpolation(folder, monkeypatch):
    plans = []
    monkeypatch.setattr(bench_command, "cases_of", lambda plan: plans.append(plan) or [])
    assert bench(folder).exit_code == 0
    assert [plan.methods for plan in plans] == [("bicubic", "tailor")]


def test_the_tiles_of_the_command_change_no_figure(folder, tmp_path, monkeypatch):
    runs = []
    monkeypatch.setattr(benchmark, "compute_row", lambda case, run, _: runs.append(run.tile) or compute_row(case, run))
    tiny = "zssr:steps=2;width=4;depth=2;pixels=500"
    figures = {}
    for tile in ("auto", "0", "16"):
        rows_file = tmp_path / f"{tile}.jsonl"
        assert bench(folder, "--methods", tiny, "--limit", 1, "--tile", tile, "--out", rows_file).exit_code == 0
        figures[tile] = read_rows(rows_file)[0]["psnr_y"]
    assert runs == [None, 0, 16]
    assert figures["auto"] == figures["0"]
    assert figures["16"] == pytest.approx(figures["0"], abs=0.01)  # a few pixels are rounded to the next grey level


def test_the_command_says_rows_when_verbose_and_nothing_when_quiet(folder):
    said = bench(folder, "--methods", "bicubic", "-v").stderr
    first = compute_row(case(folder / "a.png"), RUN)
    assert f"set2/a.png x2 bicubic bicubic: {first['psnr_y']:.2f} dB" in said.splitlines()[0]
    quiet = bench(folder, "--methods", "bicubic", "-q")
    assert (quiet.stdout, quiet.stderr) == ("", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scales", "2,1"], "scale must be a number"),
        (["--scales", "2,,4"], "scale must be a number"),
        (["--methods", "bicubic,"], "unknown method ''"),
        (["--degradations", "gauss"], "unknown degradation 'gauss'"),
        (
            ["--given", "true,guess"],
            "there is no kernel 'guess'; give true, auto, estimate, default, bicubic, gaussian:VAR, or",
        ),
        (["--seed", "-1"], "seed must be"),
        (["--tile", "some"], "tile must be auto, 0 for the whole image at once, or a number of pixels, got 'some'"),
        (["--limit", "0"], "limit"),
    ],
)
def test_wrong_usage_of_the_command_is_exit_code_2(folder, computed, arguments, message):
    result = bench(folder, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert computed == []


def test_an_unreadable_image_is_reported_once_and_the_others_are_measured(folder):
    (folder / "aa.png").touch()
    result = bench(folder, "--methods", "bicubic,backprojection", "--json")
    assert result.exit_code == 1
    assert result.stderr == f"error: {folder}/aa.png: is empty (0 bytes); get the file again\n"
    *rows, failure = sorted((json.loads(line) for line in result.stdout.splitlines()), key=lambda row: "error" in row)
    assert [(row["image"], row["method"]) for row in rows] == [
        (image, method) for method in ("bicubic", "backprojection") for image in ("a.png", "b.png")
    ]
    assert failure["error"] == f"{folder}/aa.png: is empty (0 bytes)"
    assert (failure["remedy"], failure["exit_code"]) == ("get the file again", 1)


def test_images_that_are_left_out_as_versions_are_reported(folder):
    for name in ("a_HR", "a_LR", "a_2"):
        draw(folder / f"{name}.png", 24, 30)
    result = bench(folder, "--methods", "bicubic", "--json")
    assert result.exit_code == 0
    assert result.stderr == f"note: {folder}: left out as versions of an _HR image: 1, such as a_LR.png\n"
    assert [json.loads(line)["image"] for line in result.stdout.splitlines()] == [
        "a.png",
        "a_2.png",
        "a_HR.png",
        "b.png",
    ]


def test_an_unreadable_pair_does_not_end_the_others(folder):
    for name in ("a", "b"):
        draw(folder / f"{name}_LR.png", 24, 30)
    (folder / "a.png").write_text("no image")
    result = bench("--pairs", folder, "--methods", "bicubic", "--json")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {folder}/a.png: not an image") and result.stderr.count("\n") == 1
    assert [json.loads(line).get("image") for line in result.stdout.splitlines()] == [None, "b.png"]


def test_a_pair_of_scales_is_width_and_height_in_json_and_in_the_table(folder, tmp_path):
    options = ("--methods", "bicubic", "--limit", "1", "--out", tmp_path / "rows.jsonl", "--scales", "2x3")
    assert json.loads(bench(folder, "--json", *options).stdout)["scale"] == "2x3"
    result = bench(folder, "--verbose", *options)
    assert " x2x3 " in result.stdout and "x3x2" not in result.output


def test_the_rows_are_json_when_asked(folder, tmp_path):
    result = bench(folder, "--methods", "bicubic", "--json", "--out", tmp_path / "rows.jsonl")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [json.loads(line) for line in result.stdout.splitlines()] == read_rows(tmp_path / "rows.jsonl")


def test_the_earlier_name_of_the_option_is_understood(folder, tmp_path):
    rows_file = tmp_path / "rows.jsonl"
    assert bench(folder, "--methods", "bicubic", "--told", "bicubic", "--out", rows_file).exit_code == 0
    assert [row["given"] for row in read_rows(rows_file)] == ["bicubic"] * 2
    assert "--told" not in bench("--help").stdout


@pytest.mark.usefixtures("examined")
def test_the_command_takes_what_methods_are_given(folder, tmp_path):
    arguments = ["--methods", "bicubic", "--limit", "1", "--given", "true, auto,gaussian:2.0", "-v"]
    result = bench(folder, *arguments, "--out", tmp_path / "rows.jsonl", "--pictures", tmp_path / "pictures")
    assert result.exit_code == 0
    assert [row["given"] for row in read_rows(tmp_path / "rows.jsonl")] == ["true", "auto", "gaussian:2.0"]
    assert "bicubic bicubic given auto: " in result.stderr and "given true" not in result.stderr
    names = sorted(file.name for file in (tmp_path / "pictures").iterdir())
    start = f"{tmp_path.name}_set2-a-x2-bicubic-bicubic"
    assert names == [f"{start}-given auto.png", f"{start}-given gaussian_2.0.png", f"{start}.png"]


def test_nothing_to_measure_is_wrong_usage():
    result = bench()
    assert result.exit_code == 2 and "give folders of sharp images, made:all, --pairs or --real-life" in result.stderr


def test_real_life_has_its_own_degradations(folder):
    result = bench(folder, "--real-life", "--degradations", "box")
    assert result.exit_code == 2 and "--real-life has its own degradations" in result.stderr


def test_real_life_measures_the_default_method_blind_and_tells_gains(folder, monkeypatch):
    plans = []
    monkeypatch.setattr(bench_command, "cases_of", lambda plan: plans.append(plan) or [])
    monkeypatch.setattr(bench_command, "gains_table", lambda _rows: "gains")
    assert bench(folder, "--real-life").stdout == "gains\n"
    assert {(plan.methods, plan.given, plan.limit, plan.crop) for plan in plans} == {
        (("tailor",), ("default",), 6, 256)
    }
    assert plans[0].folders == (folder,)
    assert "made pictures only" in bench("--real-life").stderr


def test_made_pictures_and_a_crop_are_measured_by_the_command(tmp_path):
    rows_file = tmp_path / "rows.jsonl"
    options = ["--methods", "bicubic", "--limit", 1, "--crop", 48, "--degradations", "box", "--out", rows_file]
    assert bench("made:pixelart", *options).exit_code == 0
    (row,) = read_rows(rows_file)
    assert (row["folder"], row["image"], row["crop"], row["lr_size"]) == ("made/pixelart", "pixelart-1", 48, [24, 24])


def test_the_sheet_shows_the_cases_with_the_least_gain(folder, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(bench_command, "comparison_sheet", lambda rows: drawn.extend(rows) or comparison_sheet(rows))
    rows_file, sheet = tmp_path / "rows.jsonl", tmp_path / "worst.png"
    asked = (folder, "--methods", "backprojection", "--degradations", "bicubic,g2.0d", "--out", rows_file)
    assert bench(*asked, "--sheet", sheet, "--worst", 2).exit_code == 0
    gains = sorted(row["psnr_y"] - row["interpolation_psnr_y"] for row in read_rows(rows_file))
    labels = [[panel.label for panel in row] for row in drawn]
    assert [f"({gain:+.2f})" in row[1] for gain, row in zip(gains, labels, strict=False)] == [True, True]
    assert [panel.picture.shape for panel in drawn[0]] == [drawn[0][2].picture.shape] * 3
    assert sheet.stat().st_size > 1000
    again = bench(*asked, "--sheet", sheet)
    assert again.exit_code == 1 and "--overwrite" in again.stderr


def test_images_smaller_than_the_crop_are_noted(folder):
    said = bench(folder, "--methods", "bicubic", "--crop", 4000).stderr
    assert "note: smaller than --crop 4000, and measured as far as they reach: " in said
    assert "smaller" not in bench(folder, "--methods", "bicubic", "--crop", 32).stderr


def test_a_misspelt_name_of_what_methods_are_given_is_corrected(folder):
    assert "there is no kernel 'tru'; did you mean true?" in bench(folder, "--given", "tru").stderr
    said = bench(folder, "--given", "guess").stderr
    assert "there is no kernel 'guess'; give true, auto, estimate, default, bicubic, gaussian:VAR" in said


def test_no_table_is_printed_where_nothing_was_measured(tmp_path):
    (tmp_path / "tiny").mkdir()
    PillowImage.new("RGB", (8, 4)).save(tmp_path / "tiny" / "t.png")
    result = bench(tmp_path / "tiny", "--methods", "bicubic", "--scales", 4)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("leaves less than 1x1; use a larger image\n")


def test_a_sheet_says_how_many_cases_it_shows(folder, tmp_path):
    asked = (folder, "--methods", "bicubic", "--limit", 1, "--sheet", tmp_path / "worst.png")
    assert bench(*asked).stdout.endswith("worst.png  the only case\n")
