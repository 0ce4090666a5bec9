"""Work of `innersr singan paint`, `edit` and `harmonize`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from innersr.commands.console import Reporter
from innersr.commands.drawings import check_drawing, save_drawing
from innersr.commands.singan.shared import (
    Subject,
    blaming,
    check_targets,
    open_subject,
    read_entering,
    read_mask,
    save_all,
    targets_of,
    with_original,
    working,
)
from innersr.errors import InputError
from innersr.physics.resize import image_size, resize
from innersr.plots.sheets import Panel, contact_sheet
from innersr.run import Run
from innersr.singan.manipulation import (
    contact_sheet_scales,
    default_scale,
    edit,
    harmonize,
    paint,
    quantized_paint,
)
from innersr.singan.model import PictureModel
from innersr.singan.patches.model import PatchModel, patch_model
from innersr.singan.pictures import from_picture, to_picture, visible
from innersr.singan.pyramid import Size
from innersr.singan.training.fine_tuning import check_scale, fine_tune

RESULTS = {"paint": "painted", "edit": "edited", "harmonize": "harmonized"}
Make = Callable[[int, Run], Tensor]
"""From a scale to the results of the picture entering there, (count, C, H, W) in [-1, 1]."""


def manipulate_picture(  # noqa: PLR0913 (the options of the commands)
    reporter: Reporter,
    run: Run,
    *,
    kind: str,
    model: Path,
    picture: Path,
    output: str,
    start: int | None,
    all_scales: bool,
    count: int,
    engine: str | None,
    max_size: int | None,
    overwrite: bool,
    mask: Path | None = None,
    colours: int | None = None,
    fine_tune: int | None = None,
) -> None:
    """Write what a subject makes of a picture: at one scale, or a contact sheet of all.

    Args:
        kind: "paint", "edit" or "harmonize".
        model: folder of a model, or image file.
        engine: "patches" or "network"; that which suits if None.
        mask: of the picture; None for a painting.
        colours: size of the palette that the scale is trained on again, if any.
        fine_tune: iterations of each scale, if any.
    """
    if all_scales and (start is not None or count > 1):
        raise InputError("--all-scales draws one result of each scale; leave out --start-scale and --count")
    engine = _engine_of(engine, kind, model, is_training=colours is not None or fine_tune is not None)
    subject = open_subject(model, engine, max_size, run, reporter)
    scale = default_scale(subject.model, kind) if start is None else start
    with blaming(model, kind=InputError):
        check_scale(subject.model, scale)
    entered, own = _read_picture(picture, mask is not None, subject, reporter)
    subject = _of_nearest(subject, entered, run)
    marked = None if mask is None else read_mask(mask, entered, reporter, own)
    make = _maker(subject, entered, marked, kind, colours or fine_tune, count)
    inputs, source = [path for path in (model, picture, mask) if path is not None], subject.source
    facts: dict[str, Any] = {"model": str(model), "input": str(picture), "seed": run.seed, "engine": engine}
    if all_scales:
        panels = [Panel("as it enters", visible(entered, source))]
        with working(reporter, picture, run, "use a machine with more") as working_run:
            check_drawing(Path(output), inputs, overwrite=overwrite)
            quiet = replace(working_run, report=None)
            tried = contact_sheet_scales(subject.model, lambda k: make(k, quiet), working_run)
        panels += [Panel(f"scale {k}", visible(result, source)) for k, result in tried]
        sheet = contact_sheet(panels, f"{picture.name} {RESULTS[kind]} by {model.name}")
        save_drawing(sheet, Path(output), overwrite=overwrite)
        text = f"{output}  contact sheet, scales 1 to {len(tried)}; make the one you like with --start-scale"
        reporter.result(text, {"output": output, "scales": [k for k, _ in tried]} | facts)
        return
    targets = targets_of(output, count, source, RESULTS[kind])
    check_targets(targets, source, image_size(entered), inputs, overwrite=overwrite)
    started = time.monotonic()
    with working(reporter, picture, run, "ask for fewer results") as working_run:
        pictures = make(scale, working_run)
    facts |= {"start_scale": scale, "colours": colours, "fine_tune": fine_tune}
    facts["seconds"] = round((time.monotonic() - started) / count, 2)
    how = f"put in at scale {scale} of 1 to {len(subject.model.sizes[0]) - 1}"
    if start is None:
        how += ", the default; --all-scales shows all of them"
    images = from_picture(pictures, source)
    if marked is not None and subject.image is not None:
        kept = (pictures.cpu() == to_picture(subject.image, source)).all(dim=1, keepdim=True)
        images = with_original(images, subject.image, kept)
    save_all(images, targets, overwrite, reporter, how, facts)


def _engine_of(engine: str | None, kind: str, model: Path, *, is_training: bool) -> str:
    """The engine that is asked for, or the better one: patches lose the shape of objects that are harmonized."""
    if engine is None:
        return "network" if is_training or (kind == "harmonize" and not model.is_file()) else "patches"
    if is_training and engine == "patches":
        raise InputError("palettes and fine-tuning train a network; leave out --engine patches")
    return engine


def _read_picture(path: Path, is_masked: bool, subject: Subject, reporter: Reporter) -> tuple[Tensor, Size]:
    """The picture that enters, at the size to work at, and the size of its file."""
    picture = read_entering(path, subject.source, subject.pictures[0], reporter)
    own, trained = image_size(picture), subject.model.size
    size = _working_size(own, trained)
    if is_masked and size != trained:
        raise InputError(
            f"{path}: has {own[1]}x{own[0]} pixels, the picture {trained[1]}x{trained[0]}; "
            "give a changed version of that picture, of the same shape"
        )
    if size == own:
        return picture, own
    reporter.note(f"{path}: {own[1]}x{own[0]} is resized to {size[1]}x{size[0]}, the size of the model")
    return resize(picture, size=size).clamp(-1, 1), own


def _working_size(own: Size, trained: Size) -> Size:
    """Size of the model's picture if it has the same shape; else a size of as many pixels."""
    if abs(own[0] * trained[1] / (own[1] * trained[0]) - 1) <= 0.02:  # rounding of the sides
        return trained
    factor = math.sqrt(trained[0] * trained[1] / (own[0] * own[1]))
    return max(1, round(factor * own[0])), max(1, round(factor * own[1]))


def _of_nearest(subject: Subject, entered: Tensor, run: Run) -> Subject:
    """The same, by the patches of that of several pictures which is most like the one that enters."""
    if isinstance(subject.model, PictureModel) or len(subject.pictures) == 1:
        return subject
    nearest = _nearest(subject.pictures, entered)
    return subject._replace(model=patch_model(nearest, subject.model.settings, run=run))


def _maker(subject: Subject, picture: Tensor, mask: Tensor | None, kind: str, training: int | None, count: int) -> Make:
    """What is done with a picture.

    Args:
        training: colours of the palette, or iterations of fine-tuning, if any.
    """
    model, pictures = subject.model, subject.pictures
    if mask is None:
        if training is None or isinstance(model, PatchModel):
            return lambda scale, run: paint(model, picture, scale, run, count=count)
        return lambda scale, run: quantized_paint(model, picture, scale, run, pictures, colours=training, count=count)
    before = _fitted(_nearest(pictures, picture), picture)
    if kind == "edit":
        return lambda scale, run: edit(model, picture, mask, scale, run, before, count).blended

    def harmonized(scale: int, run: Run) -> Tensor:
        tuned = model
        if training is not None and isinstance(model, PictureModel):
            tuned = fine_tune(model, picture, pictures, scale, run, training)
        return harmonize(tuned, picture, mask, scale, run, before, count).blended

    return harmonized


def _nearest(pictures: Sequence[Tensor], picture: Tensor) -> Tensor:
    """That of several pictures which is most like another one."""
    return min(pictures, key=lambda one: float(F.mse_loss(_fitted(one, picture), picture)))


def _fitted(one: Tensor, picture: Tensor) -> Tensor:
    """A picture at the size of another one."""
    return resize(one, size=image_size(picture)).clamp(-1, 1)
