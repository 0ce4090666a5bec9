"""What `innersr bench` does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from innersr.benchmark.rows import decibels, given_in, scale_name, table_of
from innersr.benchmark.runner import Plan, run_plan
from innersr.commands.console import Reporter
from innersr.run import Run


def bench(plan: Plan, run: Run, rows_file: Path | None, reporter: Reporter) -> None:
    """Compute the rows of a benchmark and say their means."""
    rows = []
    with reporter.progress("bench") as report:
        for row in run_plan(plan, replace(run, report=report), rows_file):
            rows.append(row)
            how = row["method"] if given_in(row) == "true" else f"{row['method']} given {given_in(row)}"
            reporter.verbose(
                f"{row['folder']}/{row['image']} {scale_name(row['scale'])} {row['degradation']} {how}: "
                f"{decibels(row['psnr_y']):.2f} dB, SSIM {row['ssim_y']:.4f}, {row['cpu_seconds']:.1f} CPU s"
            )
    reporter.text(table_of(rows))
