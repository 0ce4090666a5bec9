"""Work of `innersr singan sample`, `animate` and `report`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from innersr.commands.console import Reporter
from innersr.commands.drawings import check_drawing, save_drawing
from innersr.commands.singan.shared import (
    blaming,
    check_targets,
    model_folder,
    open_subject,
    requested_size,
    save_all,
    targets_of,
    working,
)
from innersr.errors import InputError
from innersr.images.films.movie import save_movie
from innersr.images.formats import BY_SUFFIX
from innersr.paths import check_apart
from innersr.plots.sheets import Panel, contact_sheet
from innersr.plots.singan import report_sheet
from innersr.run import Run
from innersr.singan.animation import animate
from innersr.singan.folder.log import read_lines
from innersr.singan.folder.reading import LOG, load_folder
from innersr.singan.model import PictureModel
from innersr.singan.patches.model import PatchModel
from innersr.singan.pictures import PictureSource, from_picture, visible
from innersr.singan.pyramid import Size


@dataclass(frozen=True, kw_only=True)
class _Order:
    """Samples that were asked of one image file or model folder, everything checked."""

    path: Path
    sampler: PictureModel | PatchModel
    source: PictureSource
    size: Size | None
    targets: list[Path]


def sample_pictures(  # noqa: PLR0913 (the options of the command)
    reporter: Reporter,
    run: Run,
    *,
    models: Sequence[Path],
    output: str,
    count: int,
    size: str | None,
    scale: str | None,
    start: int,
    wrap: str,
    sheet: Path | None,
    max_size: int | None,
    engine: str,
    overwrite: bool,
) -> None:
    """Write random pictures of image files or of the pictures of model folders, of patches or by their networks."""
    if engine == "network" and run.time_limit is not None:
        raise InputError("--time-limit ends searches for patches; a network has none to end, ask for fewer samples")
    _check_names(models, output)
    given = [model for model in models if model.is_file()]
    orders = []
    for model in models:
        sampler, source, originals, _ = open_subject(model, engine, max_size, run, reporter)
        if engine == "patches" and len(originals) > 1:
            reporter.note(f"{model}: of {len(originals)} pictures, the first is sampled; --engine network knows all")
        requested = requested_size(size, scale, sampler.size)
        with blaming(model, kind=InputError):
            sampler.check_start(start)
            sampler.sizes_for(requested)
        targets = targets_of(output, count, source, "sample" if len(models) == 1 else model.stem)
        check_targets(targets, source, requested or sampler.size, given, overwrite=overwrite)
        orders.append(_Order(path=model, sampler=sampler, source=source, size=requested, targets=targets))
    if sheet is not None:
        check_drawing(sheet, [*(target for order in orders for target in order.targets), *given], overwrite=overwrite)
    panels = []
    facts: dict[str, Any] = {"start_scale": start, "wrap": wrap, "seed": run.seed, "engine": engine}
    for order in orders:
        started = time.monotonic()
        with working(reporter, order.path, run, "ask for fewer or smaller samples") as working_run:
            pictures = order.sampler.sample(count, size=order.size, start=start, wrap=wrap, run=working_run)
        if working_run.time_used() > 1:
            reporter.note(f"{order.path}: after the time limit every scale was searched once, which leaves seams")
        seconds = round((time.monotonic() - started) / count, 2)
        how, record = f"from scale {start}, by {engine}", {"model": str(order.path)} | facts | {"seconds": seconds}
        save_all(from_picture(pictures, order.source), order.targets, overwrite, reporter, how, record)
        parts = zip(order.targets, pictures.split(1), strict=True)
        panels += [Panel(target.stem, visible(one, order.source)) for target, one in parts if sheet is not None]
    if sheet is not None:
        names = ", ".join(model.name for model in models)
        save_drawing(contact_sheet(panels, f"{names}, from scale {start}"), sheet, overwrite=overwrite)
        record = {"output": str(sheet), "model": str(models[0]) if len(models) == 1 else [str(m) for m in models]}
        reporter.result(f"{sheet}  contact sheet", record)


def _check_names(models: Sequence[Path], output: str) -> None:
    """Refuse several pictures for one file, or with one name."""
    if len(models) == 1:
        return
    if Path(output).suffix.lower() in BY_SUFFIX and not Path(output).is_dir():
        raise InputError(f"{output}: samples of {len(models)} pictures need a folder; write {Path(output).stem}/")
    stems = [model.stem for model in models]
    twice = next((model for model in models if stems.count(model.stem) > 1), None)
    if twice is not None:
        raise InputError(f"{twice}: another picture is called {twice.stem} too, and so would be its samples; run twice")


def animate_picture(
    reporter: Reporter,
    run: Run,
    *,
    model: Path,
    output: Path,
    size: str | None,
    max_size: int | None,
    engine: str,
    **options: Any,  # noqa: ANN401 (of several types)
) -> None:
    """Write a film of an image file or of the picture of a model, of patches or by its network.

    Args:
        options: frames, fps, start, strength, smoothness, loop, wrap and overwrite, as `animate` and `save_movie`
            have them.
    """
    fps, overwrite = options.pop("fps"), options.pop("overwrite")
    check_apart(output, [model])
    subject = open_subject(model, engine, max_size, run, reporter)
    source, requested = subject.source, requested_size(size, None, subject.model.size)
    if engine == "patches" and len(subject.pictures) > 1:
        reporter.note(f"{model}: of {len(subject.pictures)} pictures, the first is animated")
    if source.ranges:
        reporter.note(f"{output}: a film has 8 bits; they reach from the lowest to the highest value")
        source = replace(source, depth="uint8", ranges=())
    started = time.monotonic()
    advice = "ask for fewer or smaller frames"
    with working(reporter, model, run, advice) as working_run:
        frames = animate(subject.model, size=requested, run=working_run, **options)
        images = (from_picture(frame, source)[0] for frame in frames)
        notes = save_movie(images, output, fps=fps, overwrite=overwrite)
    reporter.notes(output, notes)
    height, width = requested or subject.model.size
    count, start = options["frames"], options.pop("start")
    record: dict[str, Any] = {"output": str(output), "model": str(model), "size": [width, height], "fps": fps}
    record |= options | {"start_scale": start, "seed": run.seed, "engine": engine, "notes": list(notes)}
    reporter.result(
        f"{output}  {count} frames of {width}x{height}, {count / fps:.1f} s at {fps:g} fps, from scale {start}, "
        f"{'a loop' if options['loop'] else 'no loop'}, by {engine}",
        record | {"seconds": round(time.monotonic() - started, 2)},
    )


def report_model(reporter: Reporter, run: Run, *, model: Path, output: Path, overwrite: bool) -> None:
    """Draw one sheet about a model, complete or not."""
    check_drawing(output, [], overwrite=overwrite)
    saved = load_folder(model_folder(model), run.torch_device)
    with working(reporter, model, run, "report on a machine with more") as reporting_run:
        sheet = report_sheet(model.resolve().name, saved, read_lines(model / LOG), reporting_run)
    save_drawing(sheet, output, overwrite=overwrite)
    record = {"output": str(output), "model": str(model), "scales": len(saved.model.scales)}
    reporter.result(f"{output}  {len(saved.model.scales)} of {len(saved.model.sizes[0])} scales", record)
