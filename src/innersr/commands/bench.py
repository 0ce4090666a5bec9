"""Work of `innersr bench`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from innersr.benchmark.chains import parse_names
from innersr.benchmark.rows import decibels, given_in, scale_name, table_of
from innersr.benchmark.runner import Plan, run_plan
from innersr.commands.console import Reporter
from innersr.physics.geometry import parse_scale
from innersr.run import Run


def bench(  # noqa: PLR0913 (the options of the command)
    reporter: Reporter,
    run: Run,
    *,
    folders: Sequence[Path],
    methods: str,
    degradations: str,
    given: str,
    told: str | None,
    scales: str,
    limit: int | None,
    out: Path | None,
    pictures: Path | None,
) -> None:
    """Compute the rows of a benchmark and print their means."""
    plan = Plan(
        folders=tuple(folders),
        methods=_listed(methods),
        degradations=parse_names(degradations),
        given=parse_names(told or given),
        scales=tuple(parse_scale(text) for text in _listed(scales)),
        limit=limit,
        pictures=pictures,
    )
    rows = []
    with reporter.progress("bench") as report:
        for row in run_plan(plan, replace(run, report=report), out):
            rows.append(row)
            how = row["method"] if given_in(row) == "true" else f"{row['method']} given {given_in(row)}"
            reporter.verbose(
                f"{row['folder']}/{row['image']} {scale_name(row['scale'])} {row['degradation']} {how}: "
                f"{decibels(row['psnr_y']):.2f} dB, SSIM {row['ssim_y']:.4f}, {row['cpu_seconds']:.1f} CPU s"
            )
    reporter.text(table_of(rows))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))
