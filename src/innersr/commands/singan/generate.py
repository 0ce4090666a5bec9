"""What the commands make of a learnt picture: samples, films, scores, the report sheet."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from innersr.commands.console import Reporter
from innersr.commands.interrupts import prompt_interrupts
from innersr.commands.singan.shared import (
    blaming,
    check_sheet,
    check_targets,
    load_complete,
    model_folder,
    read_image,
    save_all,
    save_sheet,
    size_note,
    targets_of,
    wanted_size,
    working,
)
from innersr.errors import InputError
from innersr.images.conversions import image_from
from innersr.images.io import save
from innersr.images.video import save_movie
from innersr.metrics.sifid import load_stem
from innersr.plots.sheets import Panel
from innersr.plots.singan import report_sheet
from innersr.run import Run
from innersr.singan.animation import animate
from innersr.singan.folder.log import read_lines
from innersr.singan.folder.reading import LOG, load_folder
from innersr.singan.learn import make_settings
from innersr.singan.model import PictureModel
from innersr.singan.patch_model import PatchModel, patch_model
from innersr.singan.pictures import PictureSource, from_picture, source_of, to_picture, visible
from innersr.singan.scores import Scores, scores_of


@dataclass(frozen=True, kw_only=True)
class SampleRequest:
    """Everything that `innersr singan sample` was told."""

    model: Path
    """A model folder, or an image file."""
    output: str
    count: int
    size: str | None
    scale: str | None
    start: int
    wrap: str
    sheet: Path | None
    max_size: int | None
    overwrite: bool
    run: Run


@dataclass(frozen=True, kw_only=True)
class AnimateRequest:
    """Everything that `innersr singan animate` was told."""

    model: Path
    output: Path
    frames: int
    fps: float
    start: int
    strength: float
    smoothness: float
    size: str | None
    loop: bool
    wrap: str
    overwrite: bool
    run: Run


@dataclass(frozen=True, kw_only=True)
class ScoreRequest:
    """Everything that `innersr singan score` was told."""

    names: tuple[Path, ...]
    """A model folder and samples of it; samples alone where there is a `real`."""
    real: Path | None
    count: int
    start: int
    inception: Path | None
    layer: str
    run: Run


def sample_pictures(request: SampleRequest, reporter: Reporter) -> None:
    """Write random pictures of what was learnt.

    Raises:
        InnersrError: the request is wrong, nothing is written; or a file cannot be.
    """
    model, source = _sampled_model(request, reporter)
    size = wanted_size(request.size, request.scale, model.size)
    with blaming(request.model):
        model.check_start(request.start)
        model.sizes_for(size)
    targets = targets_of(request.output, request.count, source, "sample")
    given = [request.model] if request.model.is_file() else []
    check_targets(targets, source, size or model.size, given, overwrite=request.overwrite)
    if request.sheet is not None:
        check_sheet(request.sheet, [*targets, *given], overwrite=request.overwrite)
    started = time.monotonic()
    with working(reporter, request.model, request.run, "ask for fewer or smaller samples") as run:
        pictures = model.sample(request.count, size=size, start=request.start, wrap=request.wrap, run=run)
    seconds = time.monotonic() - started
    facts: dict[str, Any] = {"model": str(request.model), "start_scale": request.start, "wrap": request.wrap}
    facts |= {"seed": request.run.seed, "seconds": round(seconds / request.count, 2)}
    save_all(pictures, targets, source, request.overwrite, reporter, f"from scale {request.start}", facts)
    if request.sheet is not None:
        panels = [Panel(target.stem, visible(pictures[i : i + 1], source)) for i, target in enumerate(targets)]
        save_sheet(panels, f"{request.model.name}, from scale {request.start}", request.sheet, request.overwrite)
        reporter.result(f"{request.sheet}  contact sheet", {"output": str(request.sheet), "model": str(request.model)})


def animate_picture(request: AnimateRequest, reporter: Reporter) -> None:
    """Write a film of the picture that was learnt.

    Raises:
        InnersrError: the request is wrong, nothing is written; or the file cannot be.
    """
    saved = load_complete(request.model, request.run)
    source, size = saved.record.source, wanted_size(request.size, None, saved.model.size)
    if source.ranges:
        reporter.note(f"{request.output}: a film has 8 bits; they reach from the lowest to the highest value")
        source = replace(source, depth="uint8", ranges=())
    started = time.monotonic()
    advice = "ask for fewer or smaller frames"
    with prompt_interrupts(), working(reporter, request.model, request.run, advice) as run:
        frames = animate(
            saved.model,
            frames=request.frames,
            start=request.start,
            strength=request.strength,
            smoothness=request.smoothness,
            size=size,
            loop=request.loop,
            wrap=request.wrap,
            run=run,
        )
        images = (from_picture(frame, source)[0] for frame in frames)
        notes = save_movie(images, request.output, fps=request.fps, overwrite=request.overwrite)
    for note in notes:
        reporter.note(f"{request.output}: {note}")
    height, width = size or saved.model.size
    record: dict[str, Any] = {"output": str(request.output), "model": str(request.model), "size": [width, height]}
    record |= {name: getattr(request, name) for name in ("frames", "fps", "strength", "smoothness", "loop", "wrap")}
    record |= {"start_scale": request.start, "seed": request.run.seed, "notes": list(notes)}
    reporter.result(
        f"{request.output}  {request.frames} frames of {width}x{height}, {request.frames / request.fps:.1f} s at "
        f"{request.fps:g} fps, from scale {request.start}, {'a loop' if request.loop else 'no loop'}",
        record | {"seconds": round(time.monotonic() - started, 2)},
    )


def score_samples(request: ScoreRequest, reporter: Reporter) -> None:
    """Say how good samples are, drawn from a model or read from files.

    Raises:
        InnersrError: the request is wrong, or a file cannot be read.
    """
    weights = None if request.inception is None else load_stem(request.inception)
    goal = _goal(request, reporter)
    reconstruction = None
    with working(reporter, goal.path, request.run, "score smaller or fewer pictures") as run:
        if goal.model is None or goal.files:
            samples, origin = _read_samples(goal.files, goal.source, reporter), "read"
        else:
            samples = goal.model.sample(request.count, start=request.start, run=run)
            reconstruction, origin = _from_zero(goal.model.reconstruct()), f"drawn from scale {request.start}"
        scores = scores_of(
            _from_zero(samples),
            _from_zero(goal.picture),
            reconstruction=reconstruction,
            weights=weights,
            layer=request.layer,
            run=run,
        )
    record = scores.record() | {"size": list(scores.size[::-1]), "real_size": list(scores.real_size[::-1])}
    record |= {"real": str(goal.path), "files": [str(file) for file in goal.files]}
    if not goal.files:
        record |= {"start_scale": request.start, "seed": request.run.seed}
    reporter.result("\n".join(_score_lines(goal.path, scores, origin)), record)


def report_model(model: Path, output: Path, overwrite: bool, run: Run, reporter: Reporter) -> None:
    """Draw one sheet on what a folder holds, complete or not.

    Raises:
        InnersrError: there is no model, or the file cannot be written.
    """
    check_sheet(output, [], overwrite=overwrite)
    saved = load_folder(model_folder(model), run.torch_device)
    with working(reporter, model, run, "report on a machine with more") as reporting_run:
        sheet = report_sheet(model.resolve().name, saved, read_lines(model / LOG), reporting_run)
    save(image_from(sheet)[0], output, overwrite=overwrite)
    record = {"output": str(output), "model": str(model), "scales": len(saved.model.scales)}
    reporter.result(f"{output}  {len(saved.model.scales)} of {len(saved.model.sizes[0])} scales", record)


def _sampled_model(request: SampleRequest, reporter: Reporter) -> tuple[PictureModel | PatchModel, PictureSource]:
    if not request.model.is_file():
        if request.max_size is not None:
            raise InputError("--max-size is for image files; a model has the size that it was learnt with, see --size")
        saved = load_complete(request.model, request.run)
        return saved.model, saved.record.source
    image = read_image(request.model, reporter)
    own = {} if request.max_size is None else {"max_size": str(request.max_size)}
    settings = make_settings(settings=own)
    with blaming(request.model):
        source = source_of([image])
        model = patch_model([to_picture(image, source)], settings, run=request.run)
    reporter.note(
        f"{request.model}: is an image, so these samples are made by its patch statistics, and nothing is learnt; "
        "innersr singan train learns it"
    )
    size = (image.colour.shape[-2], image.colour.shape[-1])
    if model.size != size:
        reporter.note(size_note(request.model, size, model.size))
    return model, source


class _Goal(NamedTuple):
    """What samples are compared with, and where they are if they are not to be drawn from a model."""

    path: Path
    picture: Tensor
    source: PictureSource
    model: PictureModel | None
    files: tuple[Path, ...]


def _goal(request: ScoreRequest, reporter: Reporter) -> _Goal:
    if request.real is not None:
        image = read_image(request.real, reporter)
        with blaming(request.real):
            source = source_of([image])
            return _Goal(request.real, to_picture(image, source), source, None, request.names)
    folder, *files = request.names
    saved = load_complete(folder, request.run)
    if len(saved.pictures) > 1:
        reporter.note(f"{folder}: of {len(saved.pictures)} pictures, the first is what samples are compared with")
    return _Goal(folder, saved.pictures[0], saved.record.source, saved.model, tuple(files))


def _read_samples(files: Sequence[Path], source: PictureSource, reporter: Reporter) -> Tensor:
    pictures: list[Tensor] = []
    for file in files:
        image = read_image(file, reporter)
        with blaming(file):
            pictures.append(to_picture(image, source))
        if pictures[-1].shape != pictures[0].shape:
            raise InputError(f"{file}: is not of the size of {files[0]}; score samples of different sizes apart")
    return torch.cat(pictures)


def _from_zero(pictures: Tensor) -> Tensor:
    """Return pictures in [-1, 1] as measures see them, in [0, 1]."""
    return ((pictures.cpu() + 1) / 2).clamp(0, 1)


def _score_lines(path: Path, scores: Scores, origin: str) -> Iterator[str]:
    (height, width), (real_height, real_width) = scores.size, scores.real_size
    pixels = f"{width}x{height} ({origin}), the picture has {real_width}x{real_height}"
    yield f"{path}: {scores.samples} sample{'s' * (scores.samples > 1)} of {pixels}"
    yield f"patch distance  {scores.patch_distance:.3f} levels ({scores.patch_settings})"
    if scores.diversity is not None:
        yield f"diversity       {scores.diversity:.3f}"
    if scores.reconstruction_rmse is not None:
        yield f"reconstruction  {scores.reconstruction_rmse:.3f} levels RMS"
    if scores.sifid is not None:
        details = f"{scores.sifid_layer}, {scores.sifid_weights}, {scores.sifid_pairing}"
        yield f"SIFID           {scores.sifid:.4f} ({details})"
