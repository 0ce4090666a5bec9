"""Work of `innersr singan paint`, `edit` and `harmonize`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from innersr.commands.console import Reporter
from innersr.commands.drawings import check_drawing, save_drawing
from innersr.commands.singan.shared import (
    blaming,
    check_targets,
    load_complete,
    read_image,
    read_mask,
    save_all,
    targets_of,
    working,
)
from innersr.errors import InputError
from innersr.physics.resize import image_size, resize
from innersr.plots.sheets import Panel, contact_sheet
from innersr.run import Run
from innersr.singan.folder.reading import SavedModel
from innersr.singan.manipulation import (
    EDIT_SHARE,
    HARMONIZE_SHARE,
    PAINT_SHARE,
    contact_sheet_scales,
    edit,
    harmonize,
    paint,
    quantized_paint,
    scale_along,
)
from innersr.singan.pictures import to_picture, visible
from innersr.singan.pyramid import Size
from innersr.singan.training.fine_tuning import check_scale, fine_tune

SHARES = {"paint": PAINT_SHARE, "edit": EDIT_SHARE, "harmonize": HARMONIZE_SHARE}
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
    overwrite: bool,
    mask: Path | None = None,
    colours: int | None = None,
    fine_tune: int | None = None,
) -> None:
    """Write what a model makes of a picture: at one scale, or a contact sheet of all.

    Args:
        kind: "paint", "edit" or "harmonize".
        mask: of the picture; None for a painting.
        colours: size of the palette that the scale is trained on again, if any.
        fine_tune: iterations of each scale, if any.
    """
    if all_scales and (start is not None or count > 1):
        raise InputError("--all-scales draws one result of each scale; leave out --start-scale and --count")
    saved = load_complete(model, run)
    scale = scale_along(saved.model, SHARES[kind]) if start is None else start
    with blaming(model):
        check_scale(saved.model, scale)
    entered = _read_picture(picture, mask is not None, saved, reporter)
    if mask is None:
        make = _painter(saved, entered, colours, count)
    else:
        make = _blender(saved, entered, read_mask(mask, entered, reporter), kind, fine_tune, count)
    inputs, source = [path for path in (picture, mask) if path is not None], saved.record.source
    facts: dict[str, Any] = {"model": str(model), "input": str(picture), "seed": run.seed}
    if all_scales:
        target = Path(output)
        check_drawing(target, inputs, overwrite=overwrite)
        with working(reporter, picture, run, "use a machine with more") as working_run:
            quiet = replace(working_run, report=None)
            tried = contact_sheet_scales(saved.model, lambda k: make(k, quiet), working_run)
        panels = [Panel("as it enters", visible(entered, source))]
        panels += [Panel(f"scale {k}", visible(result, source)) for k, result in tried]
        sheet = contact_sheet(panels, f"{picture.name} {RESULTS[kind]} by {model.name}")
        save_drawing(sheet, target, overwrite=overwrite)
        scales = [k for k, _ in tried]
        reporter.result(
            f"{target}  contact sheet, scales {scales[0]} to {scales[-1]}; make the one you like with --start-scale",
            {"output": str(target), "scales": scales} | facts,
        )
        return
    targets = targets_of(output, count, source, RESULTS[kind])
    check_targets(targets, source, image_size(entered), inputs, overwrite=overwrite)
    started = time.monotonic()
    with working(reporter, picture, run, "ask for fewer results") as working_run:
        pictures = make(scale, working_run)
    facts |= {"start_scale": scale, "colours": colours, "fine_tune": fine_tune}
    facts["seconds"] = round((time.monotonic() - started) / count, 2)
    how = f"put in at scale {scale} of 1 to {len(saved.model.scales) - 1}"
    if start is None:
        how += ", the default; --all-scales shows all of them"
    save_all(pictures, targets, source, overwrite, reporter, how, facts)


def _read_picture(path: Path, is_masked: bool, saved: SavedModel, reporter: Reporter) -> Tensor:
    """Read the picture that enters, at the size to work at."""
    image = read_image(path, reporter)
    with blaming(path):
        picture = to_picture(image, saved.record.source)
    own, trained = image_size(picture), saved.model.size
    size = _working_size(own, trained)
    if is_masked and size != trained:
        raise InputError(
            f"{path}: has {own[1]}x{own[0]} pixels, the trained picture {trained[1]}x{trained[0]}; "
            "give a changed version of that picture, of the same shape"
        )
    if size == own:
        return picture
    reporter.note(f"{path}: {own[1]}x{own[0]} is resized to {size[1]}x{size[0]}, the size of the model")
    return resize(picture, size=size).clamp(-1, 1)


def _working_size(own: Size, trained: Size) -> Size:
    """Size of the model's picture if it has the same shape; else a size of as many pixels."""
    if abs(own[0] * trained[1] / (own[1] * trained[0]) - 1) <= 0.02:  # rounding of the sides
        return trained
    factor = math.sqrt(trained[0] * trained[1] / (own[0] * own[1]))
    return max(1, round(factor * own[0])), max(1, round(factor * own[1]))


def _painter(saved: SavedModel, painting: Tensor, colours: int | None, count: int) -> Make:
    if colours is None:
        return lambda scale, run: paint(saved.model, painting, scale, run, count=count)
    return lambda scale, run: quantized_paint(
        saved.model, painting, scale, run, saved.pictures, colours=colours, count=count
    )


def _blender(saved: SavedModel, picture: Tensor, mask: Tensor, kind: str, iterations: int | None, count: int) -> Make:
    model, pictures = saved.model, saved.pictures
    before = _nearest(picture, pictures)
    if kind == "edit":
        return lambda scale, run: edit(model, picture, mask, scale, run, before, count).blended

    def harmonized(scale: int, run: Run) -> Tensor:
        tuned = fine_tune(model, picture, pictures, scale, run, iterations) if iterations else model
        return harmonize(tuned, picture, mask, scale, run, before, count).blended

    return harmonized


def _nearest(picture: Tensor, pictures: tuple[Tensor, ...]) -> Tensor:
    """The model's picture that is most like `picture`, at its size."""
    fitted = [resize(one, size=image_size(picture)).clamp(-1, 1) for one in pictures]
    return min(fitted, key=lambda one: float(F.mse_loss(one, picture)))
