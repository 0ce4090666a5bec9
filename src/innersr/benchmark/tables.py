"""Tables of benchmark rows: means by folder, and gains over interpolation by kind and chain."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress

from innersr.benchmark.published import published_figures
from innersr.benchmark.rows import Row, decibels, given_in, scale_name
from innersr.errors import on_one_line


def table_of(rows: Iterable[Row]) -> str:
    """Markdown table of the means over the images of each folder, with published figures where there are any."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[(*_case(row), given_in(row), row["method"])].append(row)
    columns = ["images", "scale", "degradation", "given", "method"]
    is_named = [name != "given" or len({group[3] for group in groups}) > 1 for name in columns]
    decimals = {"psnr_y": 2, "ssim_y": 4, "niqe": 1, "consistency_psnr": 1, "cpu_seconds": 1, "wall_seconds": 1}
    headings = ["n", "PSNR-Y", "SSIM-Y", "NIQE", "consistency", "CPU s", "wall s", "gain", "below interpolation"]
    lines = [_line([*compress(columns, is_named), *headings])]
    lines.append("|---" * (lines[0].count("|") - 1) + "|")
    last = {group[:3]: group for group in groups}
    for group, members in groups.items():
        figures = [_mean(members, key, places) for key, places in decimals.items()]
        lines.append(_line([*compress(group, is_named), str(len(members)), *figures, *_gain_columns(members)]))
        if last[group[:3]] == group:
            for figure in published_figures(*group[:3], count=len(members)):
                names = [*group[:3], "", f"published: {figure.method}"]
                ssim = "" if figure.ssim is None else f"{figure.ssim:.4f}"
                cells = [str(len(members)), f"{figure.psnr:.2f}", ssim, *[""] * 6]
                lines.append(_line([*compress(names, is_named), *cells]))
    return "\n".join(lines)


def gains_table(rows: Sequence[Row]) -> str:
    """Markdown table of the gains over interpolation by kind of picture and degradation, with totals."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        how = (given_in(row), row["method"])
        kind = row["folder"].removeprefix("made/") if row["folder"].startswith("made/") else "photographs"
        groups[(kind, *_case(row)[1:], *how)].append(row)
        if kind == "photographs":
            is_soft = "soft:" in row["degradation"]
            groups[("all soft photographs" if is_soft else "all photographs", "", "", *how)].append(row)
        groups[("all", "", "", *how)].append(row)
    columns = ["pictures", "scale", "degradation", "given", "method"]
    is_named = [i not in (1, 3, 4) or len({group[i] for group in groups} - {""}) > 1 for i in range(len(columns))]
    lines = [_line([*compress(columns, is_named), "n", "PSNR-Y", "gain", "below interpolation"])]
    lines.append("|---" * (lines[0].count("|") - 1) + "|")
    for group in sorted(groups, key=lambda group: (group[0].startswith("all"), group[0] == "all")):
        members = groups[group]
        figures = [str(len(members)), _mean(members, "psnr_y", 2), *_gain_columns(members)]
        lines.append(_line([*compress(group, is_named), *figures]))
    return "\n".join(lines)


def gain_of(row: Mapping[str, float | None]) -> float | None:
    """Gain in dB of PSNR-Y over bicubic interpolation of the same input; None in rows of older files.

    Both count up to 42 dB: better results look the same, and flat pictures would outweigh all others.
    """
    if "interpolation_psnr_y" not in row:
        return None
    most = 42.0
    return min(most, decibels(row["psnr_y"])) - min(most, decibels(row["interpolation_psnr_y"]))


def worst_rows(rows: Iterable[Row], count: int) -> list[Row]:
    """The rows with the least gain over interpolation, the worst first; rows of older files have none."""
    return sorted((row for row in rows if gain_of(row) is not None), key=lambda row: gain_of(row) or 0.0)[:count]


def _case(row: Row) -> tuple[str, str, str]:
    """Folder, scale and degradation of a row; the kernels of a set are one degradation."""
    return row["folder"], scale_name(row["scale"]), re.sub(r"\bgaussian8:[1-8]", "gaussian8", row["degradation"])


def _mean(rows: Sequence[Row], key: str, places: int) -> str:
    """The mean of a figure; nothing where rows of older files lack it, or where it is not defined (NIQE)."""
    if key == "niqe":
        scores = [row["niqe"] for row in rows if row.get("niqe") is not None]
        return f"{sum(scores) / len(scores):.{places}f}" if scores else ""
    return f"{sum(decibels(row[key]) for row in rows) / len(rows):.{places}f}"


def _gain_columns(rows: Sequence[Row]) -> list[str]:
    """The mean gain over interpolation; how many are below it by more than what rounding makes, and the worst gain."""
    gains = [gain for row in rows if (gain := gain_of(row)) is not None]
    if not gains:
        return ["", ""]
    noticeable = 0.05  # dB
    below = sum(gain < -noticeable for gain in gains)
    return [f"{sum(gains) / len(gains):+.2f}", f"{below} of {len(gains)}, worst {min(gains):+.2f}"]


def _line(cells: Sequence[str]) -> str:
    cells = [on_one_line(cell).replace("|", "\\|") for cell in cells]  # the name of a folder may hold anything
    return f"| {' | '.join(cells)} |"
