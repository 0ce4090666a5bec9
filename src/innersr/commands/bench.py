"""Work of `innersr bench`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from innersr.benchmark.chains import parse_names
from innersr.benchmark.real_life import real_life_plans
from innersr.benchmark.rows import Row, decibels, given_in, identity, scale_name
from innersr.benchmark.runner import Case, Plan, case_pictures, cases_of, run_cases
from innersr.benchmark.tables import gain_of, gains_table, table_of, worst_rows
from innersr.commands.console import Reporter
from innersr.commands.drawings import check_drawing, save_drawing
from innersr.errors import ImageFileError, InputError
from innersr.images.folders import find_versions
from innersr.physics.geometry import parse_scale
from innersr.physics.resize import as_pair
from innersr.physics.symmetries import central_crop
from innersr.plots.sheets import Panel, Pixels, comparison_sheet
from innersr.run import Run


def bench(  # noqa: PLR0913 (the options of the command)
    reporter: Reporter,
    run: Run,
    *,
    folders: Sequence[Path] | None,
    pairs: Sequence[Path] | None,
    real_life: bool,
    methods: str | None,
    peer: Sequence[str] | None,
    degradations: str | None,
    given: str | None,
    told: str | None,
    scales: str,
    limit: int | None,
    crop: int | None,
    out: Path | None,
    pictures: Path | None,
    sheet: Path | None,
    worst: int,
    overwrite: bool,
) -> int:
    """Compute the rows of a benchmark and print their means; return the exit code, 1 if any of them failed."""
    if not (folders or pairs or real_life):
        raise InputError("nothing to measure; give folders of sharp images, made:all, --pairs or --real-life")
    if real_life and degradations is not None:
        raise InputError("--real-life has its own degradations; omit one of the two")
    plan = Plan(
        folders=tuple(folders or ()),
        pairs=tuple(pairs or ()),
        methods=_listed(methods or ("tailor" if real_life else "bicubic,tailor")),
        peers=tuple(peer or ()),
        degradations=parse_names(degradations or "bicubic"),
        given=parse_names(told or given or ("default" if real_life else "true")),
        scales=tuple(parse_scale(text) for text in _listed(scales)),
        limit=limit,
        crop=crop,
    )
    if real_life and not folders:
        reporter.note("no folders of photographs were given: made pictures only")
    plans = real_life_plans(plan) if real_life else [plan]
    cases = [case for each in plans for case in cases_of(each)]
    if sheet is not None:
        others = {file for case in cases for file in case.source.files} | ({out} if out is not None else set())
        check_drawing(sheet, others, overwrite=overwrite)
    _say_versions(folders or (), reporter)
    rows: list[Row] = []
    failures: dict[str, ImageFileError] = {}  # an image that cannot be read fails once for every method

    def fail(error: ImageFileError) -> None:
        if failures.setdefault(str(error), error) is error:
            reporter.failure(error, 1)

    with reporter.progress("bench") as report:
        for row in run_cases(cases, replace(run, report=report), out, pictures, failed=fail):
            rows.append(row)
            reporter.record(row)
            reporter.verbose(_line(row))
    if rows or not failures:
        _say_smaller(rows, crop, reporter)
        reporter.info((gains_table(rows) if real_life else table_of(rows)).split("\n"))
        if sheet is not None:
            _draw_worst(cases, worst_rows(rows, worst), sheet, reporter, run, overwrite=overwrite)
    return 1 if failures else 0


def _say_versions(folders: Sequence[Path], reporter: Reporter) -> None:
    for folder in folders:
        if versions := [] if str(folder).startswith("made:") else find_versions(folder):
            reporter.note(
                f"{folder}: left out as versions of an _HR image: {len(versions)}, such as {versions[0].name}"
            )


def _say_smaller(rows: Sequence[Row], crop: int | None, reporter: Reporter) -> None:
    smaller = sorted({f"{row['folder']}/{row['image']}" for row in rows if crop and _is_smaller(row, crop)})
    if smaller:
        count = f"{len(smaller)} image{'s' * (len(smaller) > 1)}, such as {smaller[0]}"
        reporter.note(f"smaller than --crop {crop}, and measured as far as they reach: {count}")


def _is_smaller(row: Row, crop: int) -> bool:
    """Whether an image has fewer pixels on a side than are measured, which a whole scale divides."""
    factors = as_pair(parse_scale(str(row["scale"])))
    return any(n * factor <= crop - factor for n, factor in zip(row["lr_size"], factors, strict=True))


def _draw_worst(
    cases: Sequence[Case], rows: Sequence[Row], sheet: Path, reporter: Reporter, run: Run, *, overwrite: bool
) -> None:
    with reporter.progress("draw the worst") as report:
        pixels = _sheet_of_the_worst(cases, rows, replace(run, report=report))
    save_drawing(pixels, sheet, overwrite=overwrite)
    which = "the only case" if len(rows) == 1 else f"the {len(rows)} cases with the least gain"
    reporter.result(f"{sheet}  {which}", {"output": str(sheet)})


def _sheet_of_the_worst(cases: Sequence[Case], rows: Sequence[Row], run: Run) -> Pixels:
    """Interpolation, result and truth of the middle part of each case, in a row."""
    by_identity = {identity(case.key(run)): case for case in cases}
    drawn: list[list[Panel]] = []
    for row in rows:
        made = case_pictures(by_identity[identity(row)], run)
        parts = [central_crop(picture, 160) for picture in made]
        labels = (
            f"interpolation {decibels(row['interpolation_psnr_y']):.2f} dB",
            f"{row['method']} {decibels(row['psnr_y']):.2f} dB ({gain_of(row) or 0.0:+.2f})",
            f"truth: {row['folder']}/{row['image']}\n{scale_name(row['scale'])} {row['degradation']}",
        )
        drawn.append([Panel(label, part) for label, part in zip(labels, parts, strict=True)])
    if not drawn:
        raise InputError("there is no row to draw")
    return comparison_sheet(drawn)


def _line(row: Row) -> str:
    how = row["method"] if given_in(row) == "true" else f"{row['method']} given {given_in(row)}"
    return (
        f"{row['folder']}/{row['image']} {scale_name(row['scale'])} {row['degradation']} {how}: "
        f"{decibels(row['psnr_y']):.2f} dB, SSIM {row['ssim_y']:.4f}, {row['cpu_seconds']:.1f} CPU s"
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))
