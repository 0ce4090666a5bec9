"""The benchmark: which figures, which rows, and what a file of rows is good for."""

import json
import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from typer.testing import CliRunner

from innersr.benchmark import runner as benchmark
from innersr.benchmark.inputs import estimation_errors
from innersr.benchmark.rows import read_rows, table_of
from innersr.benchmark.runner import Case, Plan, cases_of, compute_row, run_plan
from innersr.blind.estimate import Estimate
from innersr.cli.app import app
from innersr.commands import bench as bench_command
from innersr.errors import ImageFileError, InputError
from innersr.images.folders import FolderImage, load_sharp
from innersr.methods.baselines import Bicubic
from innersr.methods.registry import settings_of
from innersr.metrics.fidelity import consistency_psnr, psnr, psnr_y, ssim, ssim_y
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.named_degradations import parse_degradation
from innersr.physics.resize import resize
from innersr.run import Run

RUN = Run(device="cpu")
COLUMNS = {"image", "method", "degradation", "scale", "psnr_y", "ssim_y", "consistency_psnr", "cpu_seconds"} | {
    "wall_seconds",
    "peak_memory_bytes",
    "settings",
    "seed",
    "versions",
}


def draw(path, height=48, width=60, bands=3, seed=0):
    """Write blurred noise, which has some of everything, as a PNG file."""
    noise = torch.rand(1, bands, height // 3, width // 3, generator=torch.Generator().manual_seed(seed))
    levels = (resize(noise, size=(height, width)).clamp(0, 1)[0] * 255).round().byte().permute(1, 2, 0).numpy()
    PillowImage.fromarray(levels.squeeze()).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "set2").mkdir()
    draw(tmp_path / "set2" / "a.png", seed=1)
    draw(tmp_path / "set2" / "b.png", seed=2)
    return tmp_path / "set2"


def plan(*folders, methods=("bicubic",), degradations=("bicubic",), scales=(2.0,), **others):
    return Plan(folders=folders, methods=methods, degradations=degradations, scales=scales, **others)


def case(path, scale=2.0, degradation="bicubic", settings=None, **others):
    entry, settings = FolderImage(folder="set2", path=path), settings or Bicubic()
    return Case(entry=entry, scale=scale, degradation=degradation, method="bicubic", settings=settings, **others)


@dataclass(frozen=True, kw_only=True)
class Spy:
    """A method that remembers what it was given: [lr, degradation]."""

    seen: list

    def adapt(self, lr, degradation, _run):
        self.seen.extend([lr, degradation])
        return degradation.upsample


@pytest.fixture
def computed(monkeypatch):
    """Count the rows that are computed, by (image, method)."""
    calls = []

    def compute(case, run, pictures=None):
        calls.append((case.entry.path.name, case.method))
        return compute_row(case, run, pictures)

    monkeypatch.setattr(benchmark, "compute_row", compute)
    return calls


def strictly(line):
    def refuse(constant):
        raise ValueError(f"{constant} is not JSON")

    return json.loads(line, parse_constant=refuse)


def test_a_row_has_every_column(folder):
    row = compute_row(case(folder / "a.png"), replace(RUN, seed=3))
    assert set(row) >= COLUMNS
    assert (row["image"], row["method"], row["degradation"], row["scale"]) == ("a.png", "bicubic", "bicubic", 2)
    assert (row["settings"], row["seed"]) == (settings_of(Bicubic()), 3)
    assert set(row["versions"]) == {"innersr", "torch", "python"}
    assert 0 <= row["cpu_seconds"] < 60 and 0 <= row["wall_seconds"] < 60


@pytest.mark.parametrize("scale", [2.0, 3.0, 1.5, (2.0, 3.0)])
def test_the_figures_are_those_of_the_metrics(folder, scale):
    row = compute_row(case(folder / "a.png", scale), RUN)
    hr = load_sharp(folder / "a.png", scale)
    degradation = parse_degradation("bicubic", scale)
    lr = ((degradation(hr.double()) * 255).round() / 255).float()
    sr = resize(lr, scale, size=degradation.hr_size(lr.shape[-2:])).clamp(0, 1)[..., : hr.shape[-2], : hr.shape[-1]]
    shave = (round(degradation.scales[0]), round(degradation.scales[1]))
    figures = {"psnr_y": psnr_y, "ssim_y": ssim_y, "psnr": psnr, "ssim": ssim}
    for name, metric in figures.items():
        assert row[name] == round(metric(sr, hr, shave), 4)
    shrink = partial(degradation.forward, size=lr.shape[-2:])
    assert row["consistency_psnr"] == round(consistency_psnr(sr, lr, shrink), 2)
    assert row["lr_size"] == list(lr.shape[-2:])


@pytest.mark.parametrize("degradation", ["bicubic", "g2.0d", "ganid", "g1.3b", "random:3"])
def test_methods_are_given_the_8_bit_lr_image_of_the_degradation(folder, degradation):
    seen = []
    compute_row(case(folder / "a.png", degradation=degradation, settings=Spy(seen=seen)), RUN)
    lr, given = seen
    levels = lr * 255
    assert (levels - levels.round()).abs().max() < 1e-4  # float32 of n / 255
    exact = parse_degradation(degradation, 2, "a.png")(load_sharp(folder / "a.png", 2).double())
    assert (lr - exact).abs().max() <= 0.5 / 255 + 1e-6
    if given.kernel is not None:
        assert torch.equal(given.kernel, parse_degradation(degradation, 2, "a.png").kernel)


def test_grey_images_are_measured_by_their_grey_values(tmp_path):
    path = draw(tmp_path / "a.png", bands=1)
    row = compute_row(case(path), RUN)
    hr = load_sharp(path, 2)
    lr = ((parse_degradation("bicubic", 2)(hr.double()) * 255).round() / 255).float()
    sr = resize(lr, 2).clamp(0, 1)
    assert hr.shape[1] == 1
    assert row["psnr_y"] == row["psnr"] == round(psnr_y(sr, hr, 2), 4)


def test_random_kernels_repeat_by_seed_and_differ_by_image(folder):
    draw(folder / "c.png", seed=1)  # the same picture as a.png
    first, _, third = run_plan(plan(folder, degradations=("random:5",)), RUN)
    again, *_ = run_plan(plan(folder, degradations=("random:5",)), RUN)
    assert again["psnr_y"] == first["psnr_y"]
    assert third["psnr_y"] != first["psnr_y"]


def test_the_peak_memory_is_that_of_the_row(folder):
    @dataclass(frozen=True, kw_only=True)
    class Greedy:
        megabytes: int

        def adapt(self, _lr, degradation, _run):
            torch.ones(self.megabytes << 18)  # written to, so that the pages are there
            return degradation.upsample

    peaks = [
        compute_row(case(folder / "a.png", settings=Greedy(megabytes=size)), RUN)["peak_memory_bytes"]
        for size in (1, 600, 1)
    ]
    if None in peaks:
        pytest.skip("this system does not tell the peak memory of a stretch of time")
    assert peaks[1] - peaks[0] > 550 << 20 and peaks[1] - peaks[2] > 550 << 20


def test_where_the_peak_cannot_begin_anew_none_is_claimed(folder, monkeypatch):
    monkeypatch.setattr(benchmark, "reset_peak_memory", lambda _device: False)
    assert compute_row(case(folder / "a.png"), RUN)["peak_memory_bytes"] is None


def test_an_infinite_psnr_is_null_in_the_file_and_inf_in_the_table(tmp_path):
    (tmp_path / "flat").mkdir()
    PillowImage.new("RGB", (40, 40), (10, 20, 30)).save(tmp_path / "flat" / "a.png")
    rows_file = tmp_path / "rows.jsonl"
    rows = list(run_plan(plan(tmp_path / "flat"), RUN, rows_file))
    assert strictly(rows_file.read_text())["psnr_y"] is None
    assert "| inf | 1.0000 |" in table_of(rows)
    assert table_of(run_plan(plan(tmp_path / "flat"), RUN, rows_file)) == table_of(rows)


def test_every_combination_is_a_row_once(folder):
    everything = plan(folder, methods=("bicubic", "backprojection"), degradations=("bicubic", "g0.2d"), scales=(2, 3))
    cases = cases_of(everything)
    assert len({(c.entry.path, c.method, c.degradation, c.scale) for c in cases}) == len(cases) == 16
    repeated = plan(folder, folder, methods=("bicubic",) * 2, degradations=("bicubic",) * 2, scales=(2.0, 2))
    assert len(cases_of(repeated)) == 2


def test_a_limit_holds_for_each_folder(folder, tmp_path):
    (tmp_path / "more").mkdir()
    for name in "cde":
        draw(tmp_path / "more" / f"{name}.png")
    cases = cases_of(plan(folder, tmp_path / "more", limit=2))
    assert [c.entry.path.name for c in cases] == ["a.png", "b.png", "c.png", "d.png"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"methods": ("bicubic", "zsr")}, "unknown method 'zsr'"),
        ({"methods": ("bicubic", "zssr:steps=x")}, "setting steps takes int"),
        ({"degradations": ("bicubic", "g2.0")}, "unknown degradation 'g2.0'"),
        ({"degradations": ("random:",)}, "random:SEED needs a whole number"),
        ({"degradations": ("gaussian:0",)}, "positive variances"),
        ({"degradations": ("g2+noise10",)}, "unknown degradation 'g2'"),
        ({"degradations": ("bicubic+noise255",)}, "noise is a standard deviation"),
        ({"degradations": ("bicubic+noise1+g2.0d",)}, "shrinks once"),
        ({"degradations": ("bicubic+jpeg0",)}, r"\+jpeg takes a quality from 1 to 100, got 'bicubic\+jpeg0'"),
        ({"degradations": ("bicubic+jpeg70.5",)}, "quality from 1 to 100"),
        ({"given": ("true", "guess")}, "guess: kernels are read from"),
        ({"given": ("gaussian:0",)}, "positive variances"),
    ],
)
def test_unknown_names_are_errors_before_anything_is_computed(folder, computed, wrong, message):
    with pytest.raises(InputError, match=message):
        list(run_plan(plan(folder, **wrong), RUN))
    assert computed == []


def test_an_image_that_cannot_be_measured_is_named(folder):
    draw(folder / "c.png", 12, 12)
    with pytest.raises(ImageFileError, match=r"c\.png: bicubic x2: .*11x11"):
        list(run_plan(plan(folder), RUN))


def test_pictures_are_kept_by_every_name_that_makes_the_row(folder, tmp_path):
    pictures = tmp_path / "pictures"
    wanted = plan(folder, methods=("bicubic:phase=aligned",), scales=(2.0, (1.0, 3.0)), limit=1, pictures=pictures)
    list(run_plan(wanted, RUN))
    start = f"{tmp_path.name}_set2-a"
    names = [f"{start}-x1x3-bicubic-bicubic_phase=aligned.png", f"{start}-x2-bicubic-bicubic_phase=aligned.png"]
    assert sorted(file.name for file in pictures.iterdir()) == names
    assert [PillowImage.open(pictures / name).size for name in names] == [(60, 48), (60, 48)]


def test_rows_that_the_file_has_are_not_computed_again(folder, tmp_path, computed):
    rows_file = tmp_path / "rows.jsonl"
    first = list(run_plan(plan(folder), RUN, rows_file))
    content = rows_file.read_bytes()
    assert list(run_plan(plan(folder), RUN, rows_file)) == first
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
    list(run_plan(plan(folder), RUN, rows_file))
    list(run_plan(plan(folder), replace(RUN, **change), rows_file))
    assert len(computed) == 4 and len(read_rows(rows_file)) == 4
    list(run_plan(plan(folder), RUN, rows_file))
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
    list(run_plan(plan(folder), RUN, rows_file))
    list(run_plan(plan(folder, **change), RUN, rows_file))
    assert len(computed) == len(read_rows(rows_file)) == 4


@pytest.mark.parametrize("kept", [1, 2, 60, -2, -1])
def test_a_last_line_cut_short_is_dropped_and_computed_again(folder, tmp_path, computed, kept):
    rows_file = tmp_path / "rows.jsonl"
    rows = list(run_plan(plan(folder), RUN, rows_file))
    first, second = rows_file.read_text().splitlines(keepends=True)
    rows_file.write_text(first + second[:kept])
    assert read_rows(rows_file) == rows[:1]
    list(run_plan(plan(folder), RUN, rows_file))
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
        list(run_plan(plan(folder), RUN, rows_file))
    assert computed == []
    assert rows_file.read_bytes() == content.replace(b"ROW", row)


def test_a_place_where_no_rows_can_be_written_is_refused_before_anything_is_computed(folder, tmp_path, computed):
    for place, message in [(tmp_path, "is a folder"), (tmp_path / "nowhere" / "rows.jsonl", "does not exist")]:
        with pytest.raises(InputError, match=message):
            list(run_plan(plan(folder), RUN, place))
    assert computed == []


def test_rows_are_there_as_soon_as_they_are_computed(folder, tmp_path):
    rows = run_plan(plan(folder), RUN, tmp_path / "rows.jsonl")
    next(rows)
    assert len(read_rows(tmp_path / "rows.jsonl")) == 1


def test_the_table_holds_the_means_of_each_folder():
    def row(folder, psnr, ssim, scale=2.0):
        names = {"folder": folder, "scale": scale, "degradation": "g2.0d", "method": "zssr"}
        return names | {"psnr_y": psnr, "ssim_y": ssim, "consistency_psnr": 50.0, "cpu_seconds": 1, "wall_seconds": 0.5}

    rows = [row("a/set5", 30, 0.9), row("b/set14", 20, 0.5, [2.0, 3.0]), row("a/set5", 31, 0.8)]
    assert table_of(rows).splitlines()[2:] == [
        "| a/set5 | x2 | g2.0d | zssr | 2 | 30.50 | 0.8500 | 50.0 | 1.0 | 0.5 |",
        "| b/set14 | x2x3 | g2.0d | zssr | 1 | 20.00 | 0.5000 | 50.0 | 1.0 | 0.5 |",
    ]


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
    monkeypatch.setattr(bench_command, "run_plan", lambda plan, *_: plans.append(plan) or [])
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
        (["--given", "true,guess"], "guess: kernels are read from"),
        (["--out", "nowhere/rows.jsonl"], "does not exist"),
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


def test_an_unreadable_image_is_exit_code_1(folder):
    (folder / "c.png").write_text("no image")
    result = bench(folder, "--methods", "bicubic")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ") and "c.png: not an image" in result.stderr


def test_a_kernel_file_is_a_degradation(folder, tmp_path):
    np.save(tmp_path / "k.npy", gaussian(2.0).numpy())
    row, _ = run_plan(plan(folder, degradations=(str(tmp_path / "k.npy"),)), RUN)
    named, _ = run_plan(plan(folder, degradations=("gaussian:2.0",)), RUN)
    assert math.isclose(row["psnr_y"], named["psnr_y"], abs_tol=1e-3)


# The degradation that methods are given


LONG = gaussian(4.0, 1.0, math.radians(30))


@pytest.fixture
def examined(monkeypatch):
    """Let a kernel be found out that is turned by 75 degrees, and return what was examined: [(lr, scale)]."""
    calls = []

    def examine(lr, scale, _run=None):
        calls.append((lr, scale))
        kernel = gaussian(3.0, 1.0, math.radians(75))
        return Estimate(degradation=Degradation(scale=scale, kernel=kernel, noise=0.02), confidence="medium")

    monkeypatch.setattr("innersr.benchmark.inputs.examine", examine)
    return calls


def test_methods_are_given_the_truth_an_estimate_or_a_kernel(folder, examined):
    given = {}
    for text in ("true", "auto", "gaussian:2.0", "bicubic"):
        row = compute_row(case(folder / "a.png", 2.0, "ganid+noise5", Spy(seen=(seen := [])), given=text), RUN)
        given[text] = seen
        assert row["given"] == text and ("estimate" in row) == (text == "auto")
    assert given["true"][1].noise == pytest.approx(5 / 255) and given["true"][1].anchor == (10, 10)
    assert given["auto"][1].noise == pytest.approx(0.02 + 1.5 / 255)
    assert torch.equal(given["gaussian:2.0"][1].kernel, Degradation(scale=2, kernel=gaussian(2.0)).kernel)
    assert (given["bicubic"][1].kernel, given["gaussian:2.0"][1].noise) == (None, 0)
    assert all(torch.equal(seen[0], given["true"][0]) for seen in given.values())
    ((lr, scale),) = examined
    assert torch.equal(lr, given["true"][0]) and scale == 2


def test_estimating_is_part_of_the_time(folder, monkeypatch):
    clock = iter([0.0, 1.0, 10.0])  # seconds: before, estimated, after
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: next(clock))

    def examine(_lr, scale, _run=None):
        next(clock)
        return Estimate(degradation=Degradation(scale=scale), confidence="high")

    monkeypatch.setattr("innersr.benchmark.inputs.examine", examine)
    assert compute_row(case(folder / "a.png", given="auto"), RUN)["wall_seconds"] == 10


@pytest.mark.usefixtures("examined")
def test_a_row_holds_how_far_what_was_found_out_is_from_the_truth(folder, tmp_path):
    np.save(tmp_path / "k.npy", LONG.numpy())
    row = compute_row(case(folder / "a.png", degradation=f"{tmp_path / 'k.npy'}+noise10", given="auto"), RUN)
    found = row["estimate"]
    assert found["true_covariance"] == pytest.approx([3.25, 1.299, 1.75], abs=2e-3)
    assert found["covariance"] == pytest.approx([1 + 2 * math.cos(math.radians(75)) ** 2, 0.5, 2.866], abs=2e-3)
    assert found["angle_error_degrees"] == pytest.approx(45, abs=0.1)
    assert found["true_variance_ratio"] == pytest.approx(4, rel=1e-3)
    assert (found["confidence"], found["jpeg_quality"]) == ("medium", None)
    assert (found["noise"], found["true_noise"]) == (5.1, 10)
    assert strictly(json.dumps(row)) == row


def test_the_truth_is_the_effective_kernel_and_a_round_one_has_no_angle():
    estimate = Estimate(degradation=Degradation(scale=2, kernel=LONG), confidence="high")
    bicubic = estimation_errors(estimate, Degradation(scale=2))
    assert bicubic["true_covariance"] == pytest.approx([0, 0, 0], abs=1e-3)  # of Keys' cubic
    assert (bicubic["angle_error_degrees"], bicubic["true_variance_ratio"]) == (None, 1)
    folded = estimation_errors(estimate, Degradation(scale=2, kernel=LONG, subsampling="bicubic"))
    assert folded["true_covariance"] == pytest.approx([3.25, 1.299, 1.75], abs=5e-3)
    assert folded["angle_error_degrees"] == pytest.approx(0, abs=0.1)
    broken = estimation_errors(estimate, Degradation(scale=1.5, kernel=LONG))
    assert (broken["true_covariance"], broken["angle_error_degrees"], broken["true_variance_ratio"]) == (None,) * 3


def test_rows_of_version_0_1_name_the_given_degradation_otherwise(folder, tmp_path, computed):
    rows_file = tmp_path / "rows.jsonl"
    rows = list(run_plan(plan(folder), RUN, rows_file))
    rows_file.write_text(rows_file.read_text().replace('"given"', '"told"'))
    assert list(run_plan(plan(folder), RUN, rows_file)) == rows
    assert len(computed) == 2


def test_the_earlier_name_of_the_option_is_understood(folder, tmp_path):
    rows_file = tmp_path / "rows.jsonl"
    assert bench(folder, "--methods", "bicubic", "--told", "bicubic", "--out", rows_file).exit_code == 0
    assert [row["given"] for row in read_rows(rows_file)] == ["bicubic"] * 2
    assert "--told" not in bench("--help").stdout


def test_rows_without_a_given_degradation_hold_the_truth(folder, tmp_path, computed):
    rows_file = tmp_path / "rows.jsonl"
    rows = list(run_plan(plan(folder), RUN, rows_file))
    assert [row.pop("given") for row in rows] == ["true"] * 2
    rows_file.write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))
    assert list(run_plan(plan(folder), RUN, rows_file)) == rows
    assert len(computed) == 2
    both = list(run_plan(plan(folder, given=("gaussian:2.0", "true")), RUN, rows_file))
    assert len(computed) == 4 and both[2:] == rows
    assert table_of(rows).splitlines()[0].startswith("| images | scale | degradation | method | n |")


@pytest.mark.usefixtures("examined")
def test_the_table_has_a_column_for_the_given_degradation_if_it_varies(folder):
    rows = list(run_plan(plan(folder, given=("true", "auto")), RUN))
    heading, rule, first, second = table_of(rows).splitlines()
    assert heading.startswith("| images | scale | degradation | given | method | n |")
    assert rule.count("---") == heading.count("|") - 1 == first.count("|") - 1
    assert " | bicubic | true | bicubic | 2 |" in first and " | bicubic | auto | bicubic | 2 |" in second
    assert " given " not in table_of(rows[2:])


@pytest.mark.usefixtures("examined")
def test_the_command_takes_what_to_tell(folder, tmp_path):
    arguments = ["--methods", "bicubic", "--limit", "1", "--given", "true, auto,gaussian:2.0", "-v"]
    result = bench(folder, *arguments, "--out", tmp_path / "rows.jsonl", "--pictures", tmp_path / "pictures")
    assert result.exit_code == 0
    assert [row["given"] for row in read_rows(tmp_path / "rows.jsonl")] == ["true", "auto", "gaussian:2.0"]
    assert "bicubic bicubic given auto: " in result.stderr and "given true" not in result.stderr
    names = sorted(file.name for file in (tmp_path / "pictures").iterdir())
    start = f"{tmp_path.name}_set2-a-x2-bicubic-bicubic"
    assert names == [f"{start}-given auto.png", f"{start}-given gaussian_2.0.png", f"{start}.png"]
