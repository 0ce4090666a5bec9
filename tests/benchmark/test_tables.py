"""Tables of rows."""

import pytest
from PIL import Image as PillowImage

from helpers.bench import RUN, plan, rows_of, strictly
from innersr.benchmark.published import Figure, published_figures
from innersr.benchmark.tables import gain_of, gains_table, table_of


def test_an_infinite_psnr_is_null_in_the_file_and_inf_in_the_table(tmp_path):
    (tmp_path / "flat").mkdir()
    PillowImage.new("RGB", (40, 40), (10, 20, 30)).save(tmp_path / "flat" / "a.png")
    rows_file = tmp_path / "rows.jsonl"
    rows = list(rows_of(plan(tmp_path / "flat"), RUN, rows_file))
    assert strictly(rows_file.read_text())["psnr_y"] is None
    assert "| inf | 1.0000 |" in table_of(rows)
    assert table_of(rows_of(plan(tmp_path / "flat"), RUN, rows_file)) == table_of(rows)


def test_rows_of_older_files_have_no_gain_and_no_niqe():
    def row(folder, psnr, ssim, scale=2.0):
        names = {"folder": folder, "scale": scale, "degradation": "g2.0d", "method": "zssr"}
        return names | {"psnr_y": psnr, "ssim_y": ssim, "consistency_psnr": 50.0, "cpu_seconds": 1, "wall_seconds": 0.5}

    rows = [row("a/set5", 30, 0.9), row("b/set14", 20, 0.5, "3x2"), row("a/set5", 31, 0.8)]
    assert table_of(rows).splitlines()[2:] == [
        "| a/set5 | x2 | g2.0d | zssr | 2 | 30.50 | 0.8500 |  | 50.0 | 1.0 | 0.5 |  |  |",
        "| b/set14 | x3x2 | g2.0d | zssr | 1 | 20.00 | 0.5000 |  | 50.0 | 1.0 | 0.5 |  |  |",
    ]


@pytest.mark.usefixtures("examined")
def test_the_table_has_a_column_for_the_given_degradation_if_it_varies(folder):
    rows = list(rows_of(plan(folder, given=("true", "auto")), RUN))
    heading, rule, first, second = table_of(rows).splitlines()
    assert heading.startswith("| images | scale | degradation | given | method | n |")
    assert rule.count("---") == heading.count("|") - 1 == first.count("|") - 1
    assert " | bicubic | true | bicubic | 2 |" in first and " | bicubic | auto | bicubic | 2 |" in second
    assert " given " not in table_of(rows[2:])


def row(psnr, interpolation, folder="photos", degradation="bicubic", **others):
    names = {"folder": folder, "scale": 2.0, "degradation": degradation, "method": "tailor", "ssim_y": 0.9, "niqe": 4.0}
    figures = {"psnr_y": psnr, "interpolation_psnr_y": interpolation, "consistency_psnr": 50.0}
    return names | figures | {"cpu_seconds": 1, "wall_seconds": 1} | others


def test_a_name_of_a_folder_is_one_cell():
    odd = row(30.0, 29.0, folder="made/a|b\nc\x1b")
    assert table_of([odd]).split("\n")[2].startswith(r"| made/a\|b\nc\x1b | x2 |")
    assert gains_table([odd]).split("\n")[2].startswith(r"| a\|b\nc\x1b | ")


def test_the_table_counts_results_below_interpolation():
    rows = [row(31.0, 30.0), row(29.0, 30.5), row(29.96, 30.0, niqe=None), row(50.0, 44.0), row(None, None)]
    assert gain_of(rows[0]) == 1 and gain_of(rows[3]) == gain_of(rows[4]) == 0  # above 42 dB all are alike
    assert table_of(rows[:3]).splitlines()[2].endswith("| 4.0 | 50.0 | 1.0 | 1.0 | -0.18 | 1 of 3, worst -1.50 |")


def test_gains_are_listed_by_kind_and_chain_with_totals():
    rows = [
        row(31.0, 30.0),
        row(33.0, 30.0, folder="more"),
        row(30.0, 31.0, degradation="soft:4"),
        row(25.0, 25.0, folder="made/text", degradation="box"),
    ]
    assert gains_table(rows).splitlines() == [
        "| pictures | degradation | n | PSNR-Y | gain | below interpolation |",
        "|---|---|---|---|---|---|",
        "| photographs | bicubic | 2 | 32.00 | +2.00 | 0 of 2, worst +1.00 |",
        "| photographs | soft:4 | 1 | 30.00 | -1.00 | 1 of 1, worst -1.00 |",
        "| text | box | 1 | 25.00 | +0.00 | 0 of 1, worst +0.00 |",
        "| all photographs |  | 2 | 32.00 | +2.00 | 0 of 2, worst +1.00 |",
        "| all soft photographs |  | 1 | 30.00 | -1.00 | 1 of 1, worst -1.00 |",
        "| all |  | 4 | 29.75 | +0.75 | 1 of 4, worst -1.00 |",
    ]
    both = gains_table([*rows, row(31.0, 30.0, method="bicubic")])
    assert both.startswith("| pictures | degradation | method | n |")


def test_published_figures_stand_below_rows_of_a_whole_test_set():
    rows = [row(37.0, 33.0, folder="data/Set5") for _ in range(5)]
    published = [line for line in table_of(rows).splitlines() if "published: " in line]
    assert published[0] == "| data/Set5 | x2 | bicubic | published: ZSSR 2018 | 5 | 37.37 | 0.9570 |  |  |  |  |  |  |"
    assert "published" not in table_of(rows[:4]) and "published" not in table_of([row(37.0, 33.0)] * 5)


def test_the_eight_kernels_of_gaussian8_are_one_degradation():
    rows = [row(37.0, 33.0, folder="set5", degradation=f"gaussian8:{i}") for i in range(1, 9) for _ in range(5)]
    lines = table_of(rows).splitlines()
    assert lines[2].startswith("| set5 | x2 | gaussian8 | tailor | 40 | 37.00 |")
    assert any("published: DANv2 2021 | 40 | 37.60 |" in line for line in lines)
    assert published_figures("set5", "x4", "gaussian8", count=40)[-1] == Figure("DCLS 2022", 32.12, None)
    assert published_figures("BSD100", "x2", "g2.0d", count=100)[1] == Figure("MZSR(10) 2020", 31.09, 0.8739)
