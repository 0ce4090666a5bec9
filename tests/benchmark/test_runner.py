"""Plans and their rows: which figures, of what."""

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image as PillowImage

from helpers.bench import RUN, Spy, case, draw, plan, rows_of
from innersr.benchmark import runner as benchmark
from innersr.benchmark.runner import cases_of, compute_row
from innersr.blind.estimate import Estimate
from innersr.errors import ImageFileError, InputError
from innersr.images.folders import load_sharp
from innersr.methods.baselines import Bicubic
from innersr.methods.registry import settings_of
from innersr.metrics.fidelity import consistency_psnr, psnr, psnr_y, ssim, ssim_y
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.named_degradations import parse_degradation
from innersr.physics.resize import resize

COLUMNS = {"image", "method", "degradation", "scale", "psnr_y", "ssim_y", "consistency_psnr", "cpu_seconds"} | {
    "wall_seconds",
    "peak_memory_bytes",
    "settings",
    "seed",
    "versions",
    "interpolation_psnr_y",
    "niqe",
}


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


@pytest.mark.parametrize("pair", [False, True])
def test_a_picture_has_the_same_figure_in_any_range(tmp_path, pair):
    y, x = np.mgrid[:48, :64]
    z = 0.5 + 0.3 * np.sin(x / 2.5) * np.cos(y / 3.5) + 0.15 * ((x // 9 + y // 7) % 2)
    kinds = {
        "levels": (z * 65535).round().astype(np.uint16),
        "narrow": (z * 6553.5).round().astype(np.uint16),
        "shifted": (z * 100 - 20).astype(np.float32),
        "small": (z * 0.003).astype(np.float32),
    }
    figures = []
    for name, values in kinds.items():
        folder = tmp_path / name
        folder.mkdir()
        tifffile.imwrite(folder / "a.tif", values)
        if pair:
            means = values.astype(np.float64).reshape(24, 2, 32, 2).mean((1, 3))
            tifffile.imwrite(folder / "a_LR.tif", means.astype(values.dtype))
        (row,) = rows_of(plan(pairs=(folder,)) if pair else plan(folder), RUN)
        figures.append(row["psnr_y"])
    assert figures == pytest.approx([figures[0]] * 4, abs=0.02)  # dB: rounding of 6553 levels
    assert 10 < figures[0] < 40


def test_random_kernels_repeat_by_seed_and_differ_by_image(folder):
    draw(folder / "c.png", seed=1)  # the same picture as a.png
    first, _, third = rows_of(plan(folder, degradations=("random:5",)), RUN)
    again, *_ = rows_of(plan(folder, degradations=("random:5",)), RUN)
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


def test_every_combination_is_a_row_once(folder):
    everything = plan(folder, methods=("bicubic", "backprojection"), degradations=("bicubic", "g0.2d"), scales=(2, 3))
    cases = cases_of(everything)
    assert len({(c.source.name, c.method, c.degradation, c.scale) for c in cases}) == len(cases) == 16
    repeated = plan(folder, folder, methods=("bicubic",) * 2, degradations=("bicubic",) * 2, scales=(2.0, 2))
    assert len(cases_of(repeated)) == 2


def test_a_limit_holds_for_each_folder(folder, tmp_path):
    (tmp_path / "more").mkdir()
    for name in "cde":
        draw(tmp_path / "more" / f"{name}.png")
    cases = cases_of(plan(folder, tmp_path / "more", limit=2))
    assert [c.source.name for c in cases] == ["a.png", "b.png", "c.png", "d.png"]


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
        ({"given": ("true", "guess")}, "there is no kernel 'guess'"),
        ({"given": ("gaussian:0",)}, "positive variances"),
    ],
)
def test_unknown_names_are_errors_before_anything_is_computed(folder, computed, wrong, message):
    with pytest.raises(InputError, match=message):
        list(rows_of(plan(folder, **wrong), RUN))
    assert computed == []


def test_an_image_that_cannot_be_measured_is_named(folder):
    draw(folder / "c.png", 12, 12)
    with pytest.raises(ImageFileError, match=r"c\.png: bicubic x2: .*11x11"):
        list(rows_of(plan(folder), RUN))


def test_pictures_are_kept_by_every_name_that_makes_the_row(folder, tmp_path):
    pictures = tmp_path / "pictures"
    wanted = plan(folder, methods=("bicubic:phase=aligned",), scales=(2.0, (1.0, 3.0)), limit=1)
    list(rows_of(wanted, RUN, pictures=pictures))
    start = f"{tmp_path.name}_set2-a"
    names = [f"{start}-x2-bicubic-bicubic_phase=aligned.png", f"{start}-x3x1-bicubic-bicubic_phase=aligned.png"]
    assert sorted(file.name for file in pictures.iterdir()) == names
    assert [PillowImage.open(pictures / name).size for name in names] == [(60, 48), (60, 48)]


def test_a_kernel_file_is_a_degradation(folder, tmp_path):
    np.save(tmp_path / "k.npy", gaussian(2.0).numpy())
    row, _ = rows_of(plan(folder, degradations=(str(tmp_path / "k.npy"),)), RUN)
    named, _ = rows_of(plan(folder, degradations=("gaussian:2.0",)), RUN)
    assert math.isclose(row["psnr_y"], named["psnr_y"], abs_tol=1e-3)


def test_estimating_is_part_of_the_time(folder, monkeypatch):
    clock = iter([0.0, 1.0, 10.0])  # seconds: before, estimated, after
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: next(clock))

    def examine(_lr, scale, _run=None, **_):
        next(clock)
        return Estimate(degradation=Degradation(scale=scale), confidence="high")

    monkeypatch.setattr("innersr.benchmark.inputs.examine", examine)
    assert compute_row(case(folder / "a.png", given="auto"), RUN)["wall_seconds"] == 10
