"""What `innersr singan paint`, `edit`, `harmonize` make of another picture, once their arguments are read."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from innersr.commands.console import Reporter
from innersr.commands.singan.shared import (
    blaming,
    check_sheet,
    check_targets,
    load_complete,
    read_image,
    save_all,
    save_sheet,
    targets_of,
    working,
)
from innersr.errors import InputError
from innersr.physics.resize import resize
from innersr.plots.sheets import Panel
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
from innersr.singan.masks import soft_mask
from innersr.singan.pictures import to_picture, visible
from innersr.singan.pyramid import Size
from innersr.singan.training.fine_tuning import check_scale, fine_tune

SHARES = {"paint": PAINT_SHARE, "edit": EDIT_SHARE, "harmonize": HARMONIZE_SHARE}
RESULTS = {"paint": "painted", "edit": "edited", "harmonize": "harmonized"}
ASPECT = 0.02  # by which an edited picture may differ from the learnt one: rounding of sides
Make = Callable[[int, Run], Tensor]
"""From a scale to the results of putting the picture in there, (count, C, H, W) in [-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class RefineRequest:
    """Everything that one of the three commands was told."""

    command: str
    """"paint", "edit" or "harmonize"."""
    model: Path
    picture: Path
    mask: Path | None = None
    """Of the picture; None for a painting."""
    output: str
    start: int | None
    all_scales: bool
    count: int
    colours: int | None = None
    """Of the palette that the scale is trained for once more; None leaves it."""
    fine_tune: int | None = None
    """Iterations of each scale; None leaves the model as it is."""
    overwrite: bool
    run: Run


def refine_picture(request: RefineRequest, reporter: Reporter) -> None:
    """Write what a model makes of a picture: at one scale, or a contact sheet of all.

    Raises:
        InnersrError: the request is wrong, nothing is written; or a file cannot be.
    """
    if request.all_scales and (request.start is not None or request.count > 1):
        raise InputError("--all-scales draws one result of each scale; leave out --start-scale and --count")
    saved = load_complete(request.model, request.run)
    scale = scale_along(saved.model, SHARES[request.command]) if request.start is None else request.start
    with blaming(request.model):
        check_scale(saved.model, scale)
    picture = _read_picture(request, saved, reporter)
    make = _maker(request, saved, picture, reporter)
    if request.all_scales:
        _write_sheet(request, saved, picture, make, reporter)
        return
    source, size = saved.record.source, (picture.shape[-2], picture.shape[-1])
    targets = targets_of(request.output, request.count, source, RESULTS[request.command])
    check_targets(targets, source, size, _given(request), overwrite=request.overwrite)
    started = time.monotonic()
    with working(reporter, request.picture, request.run, "ask for fewer results") as run:
        pictures = make(scale, run)
    facts: dict[str, Any] = {"model": str(request.model), "input": str(request.picture), "start_scale": scale}
    facts |= {"colours": request.colours, "fine_tune": request.fine_tune, "seed": request.run.seed}
    facts["seconds"] = round((time.monotonic() - started) / request.count, 2)
    last = len(saved.model.scales) - 1
    how = f"put in at scale {scale} of 1 to {last}"
    if request.start is None:
        how += ", the default; --all-scales shows all of them"
    save_all(pictures, targets, source, request.overwrite, reporter, how, facts)


def _write_sheet(request: RefineRequest, saved: SavedModel, picture: Tensor, make: Make, reporter: Reporter) -> None:
    target, source = Path(request.output), saved.record.source
    check_sheet(target, _given(request), overwrite=request.overwrite)
    with working(reporter, request.picture, request.run, "use a machine with more") as run:
        quiet = replace(run, report=None)
        tried = contact_sheet_scales(saved.model, lambda scale: make(scale, quiet), run)
    panels = [Panel("as it is put in", visible(picture, source))]
    panels += [Panel(f"scale {scale}", visible(result, source)) for scale, result in tried]
    title = f"{request.picture.name} {RESULTS[request.command]} by {request.model.name}"
    save_sheet(panels, title, target, request.overwrite)
    scales = [scale for scale, _ in tried]
    record = {"output": str(target), "model": str(request.model), "input": str(request.picture), "scales": scales}
    reporter.result(
        f"{target}  contact sheet, scales {scales[0]} to {scales[-1]}; make the one you like with --start-scale",
        record | {"seed": request.run.seed},
    )


def _read_picture(request: RefineRequest, saved: SavedModel, reporter: Reporter) -> Tensor:
    """Return the picture that was given, of the size to work at."""
    image = read_image(request.picture, reporter)
    with blaming(request.picture):
        picture = to_picture(image, saved.record.source)
    own, learnt = (picture.shape[-2], picture.shape[-1]), saved.model.size
    size = _working_size(own, learnt)
    if request.mask is not None and size != learnt:
        raise InputError(
            f"{request.picture}: has {own[1]}x{own[0]} pixels, the picture that was learnt {learnt[1]}x{learnt[0]}; "
            "give a changed version of that picture, of the same shape"
        )
    if size == own:
        return picture
    reporter.note(f"{request.picture}: {own[1]}x{own[0]} is made {size[1]}x{size[0]}, the size that the model works at")
    return resize(picture, size=size).clamp(-1, 1)


def _working_size(own: Size, learnt: Size) -> Size:
    """Return the size of the picture that was learnt, where it has the same shape; else one of as many pixels."""
    if abs(own[0] * learnt[1] / (own[1] * learnt[0]) - 1) <= ASPECT:
        return learnt
    factor = math.sqrt(learnt[0] * learnt[1] / (own[0] * own[1]))
    return max(1, round(factor * own[0])), max(1, round(factor * own[1]))


def _maker(request: RefineRequest, saved: SavedModel, picture: Tensor, reporter: Reporter) -> Make:
    """Return what makes the results, once the mask is found to be one."""
    model, pictures, count = saved.model, saved.pictures, request.count
    if request.mask is None:
        if request.colours is None:
            return lambda scale, run: paint(model, picture, scale, run, count=count)
        colours = request.colours
        return lambda scale, run: quantized_paint(model, picture, scale, run, pictures, colours=colours, count=count)
    mask = _read_mask(request.mask, reporter)
    with blaming(request.mask):
        soft_mask(mask, (picture.shape[-2], picture.shape[-1]))  # refused before the work
    before = _nearest(picture, pictures)
    if request.command == "edit":
        return lambda scale, run: edit(model, picture, mask, scale, run, before, count).blended

    def harmonized(scale: int, run: Run) -> Tensor:
        iterations = request.fine_tune
        tuned = fine_tune(model, picture, pictures, scale, run, iterations) if iterations else model
        return harmonize(tuned, picture, mask, scale, run, before, count).blended

    return harmonized


def _read_mask(path: Path, reporter: Reporter) -> Tensor:
    """Return (1, C, H, W), bright where it marks; what is transparent marks nothing."""
    image = read_image(path, reporter)
    return image.colour if image.alpha is None else image.colour * image.alpha


def _nearest(picture: Tensor, pictures: tuple[Tensor, ...]) -> Tensor:
    """Return, of the pictures that were learnt, the one that is most like a picture, at its size."""
    size = (picture.shape[-2], picture.shape[-1])
    fitted = [resize(one, size=size).clamp(-1, 1) for one in pictures]
    return min(fitted, key=lambda one: float(F.mse_loss(one, picture)))


def _given(request: RefineRequest) -> list[Path]:
    return [path for path in (request.picture, request.mask) if path is not None]
