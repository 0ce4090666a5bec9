"""Work of `innersr singan inpaint` and `restyle`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from innersr.commands.console import Reporter
from innersr.commands.singan.shared import (
    blaming,
    check_targets,
    read_entering,
    read_image,
    read_mask,
    save_all,
    size_note,
    targets_of,
    with_original,
    working,
)
from innersr.physics.resize import image_size
from innersr.run import Run
from innersr.singan.learn import make_settings
from innersr.singan.masks import soft_mask
from innersr.singan.patches.inpainting import inpaint
from innersr.singan.patches.model import patch_model
from innersr.singan.patches.restyling import restyle
from innersr.singan.pictures import from_picture, source_of, to_picture


def inpaint_picture(
    reporter: Reporter, run: Run, *, picture: Path, output: str, mask: Path, count: int, overwrite: bool
) -> None:
    """Write a picture, at its own size, with the hole that a mask marks filled."""
    image = read_image(picture, reporter)
    with blaming(picture):
        source = source_of([image])
        whole = to_picture(image, source)
    size = image_size(whole)
    hole = soft_mask(read_mask(mask, whole, reporter), size)
    targets = targets_of(output, count, source, "inpainted")
    check_targets(targets, source, size, [picture, mask], overwrite=overwrite)
    settings = make_settings(settings={"max_size": str(max(size))})
    started = time.monotonic()
    with working(reporter, picture, run, "use a smaller picture") as working_run, blaming(picture):
        filled = inpaint(whole, hole, settings, count=count, run=working_run)
    facts: dict[str, Any] = {"input": str(picture), "mask": str(mask), "seed": run.seed}
    facts["seconds"] = round((time.monotonic() - started) / count, 2)
    images = with_original(from_picture(filled, source), image, hole == 0)
    save_all(images, targets, overwrite, reporter, "filled", facts)


def restyle_picture(  # noqa: PLR0913 (the options of the command)
    reporter: Reporter,
    run: Run,
    *,
    layout: Path,
    output: str,
    like: Path,
    start: int | None,
    max_size: int | None,
    overwrite: bool,
) -> None:
    """Write a layout made of the patches of another picture."""
    image = read_image(like, reporter)
    settings = make_settings(settings={} if max_size is None else {"max_size": str(max_size)})
    with blaming(like):
        source = source_of([image])
        model = patch_model(to_picture(image, source), settings, run=run)
    if model.size != image_size(image.colour):
        reporter.note(size_note(like, image_size(image.colour), model.size))
    entering = read_entering(layout, source, model.pyramid[-1], reporter)
    scale = round((len(model.pyramid) - 1) / 3) if start is None else start
    model.check_start(scale)
    targets = targets_of(output, 1, source, "restyled")
    check_targets(targets, source, model.size, [layout, like], overwrite=overwrite)
    started = time.monotonic()
    with working(reporter, layout, run, "use a smaller --max-size") as working_run:
        made = restyle(model, entering, scale, working_run)
    facts = {"input": str(layout), "like": str(like), "start_scale": scale, "seed": run.seed}
    facts["seconds"] = round(time.monotonic() - started, 2)
    how = f"like {like.name}, put in at scale {scale}"
    save_all(from_picture(made, source), targets, overwrite, reporter, how, facts)
