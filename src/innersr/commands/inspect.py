"""What `innersr inspect` does, once its arguments are read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from innersr.commands.console import Reporter
from innersr.commands.interrupts import prompt_interrupts
from innersr.errors import InputError
from innersr.images.conversions import image_from
from innersr.images.io import check_writable, read, save
from innersr.methods.registry import make_method, resolve, settings_of
from innersr.metrics.recurrence import SETTINGS, Pair, Recurrence, recurrence_of, steps_for
from innersr.pipeline import channels_of, examine_image
from innersr.plots.recurrence import recurrence_sheet
from innersr.run import Run

SCALE = 2.0  # that the estimate is for
METHOD = "tailor"  # whose steps are told

VERDICTS = (  # from which score on, and what to expect
    (0.4, "much of the image is detail that comes again, larger: learning from it should pay"),
    (0.2, "some of the image is detail that comes again, larger: learning from it should help a little"),
    (0.0, "little of the image is detail that comes again, larger: there is not much to learn from it"),
)


@dataclass(frozen=True, kw_only=True)
class InspectRequest:
    """Everything that `innersr inspect` was told."""

    source: Path
    output: Path | None
    """Of the drawing; None draws nothing."""
    overwrite: bool
    run: Run


def inspect_file(request: InspectRequest, reporter: Reporter) -> None:
    """Say what can be learnt from an image, what happened to it, and draw where its patches come again.

    Raises:
        InputError: the drawing would replace the image.
        ImageFileError: the image cannot be read, or the drawing cannot be written.
    """
    _check(request)
    started = time.monotonic()
    image = read(request.source)
    for note in image.notes:
        reporter.note(f"{request.source}: {note}")
    bands = channels_of(image, request.run)
    estimate = examine_image(image, SCALE, request.run)
    found = recurrence_of(bands, estimate.degradation.noise)
    height, width = bands.shape[-2:]
    all_steps = int(settings_of(resolve(make_method(METHOD), is_estimated=True))["steps"])
    steps = steps_for(found.score, all_steps)
    lines = [
        f"recurrence {found.score:.2f}: {verdict(found)}",
        f"detail in {100 * found.detail:.0f} % of the image; `innersr upscale` would take {steps} of {all_steps} steps",
        estimate.summary,
    ]
    if request.output is not None:
        drawing, _ = image_from(recurrence_sheet(bands, found, [f"{request.source.name}, {width}x{height}", *lines]))
        with prompt_interrupts():
            save(drawing, request.output, overwrite=request.overwrite)
    record = {
        "input": str(request.source),
        "size": [width, height],
        "recurrence": round(found.score, 4),
        "detail": round(found.detail, 4),
        "steps": steps,
        "verdict": verdict(found),
        "estimate": estimate.summary,
        "confidence": estimate.confidence,
        "pairs": [_pair_record(pair) for pair in found.pairs],
        "output": None if request.output is None else str(request.output),
        "seconds": round(time.monotonic() - started, 2),
        "notes": list(image.notes),
    }
    reporter.result("\n".join([f"{request.source}  {width}x{height}", *(f"  {line}" for line in lines)]), record)


def verdict(found: Recurrence) -> str:
    """Return what a measurement means, in words."""
    if min(found.map.shape) < 2 * SETTINGS.patch:
        return "too small to tell"
    if found.detail == 0:
        return "no detail that could be learnt from"
    return next(words for least, words in VERDICTS if found.score >= least)


def _check(request: InspectRequest) -> None:
    """Refuse, before the image is read, what cannot be written."""
    if request.output is None:
        return
    if request.output.resolve() == request.source.resolve():
        raise InputError(f"{request.output}: is the image itself; give the drawing another name")
    check_writable(request.output, depth="uint8", bands=3, has_alpha=False, overwrite=request.overwrite)


def _pair_record(pair: Pair) -> dict[str, Any]:
    """Return the two squares as [left, top, side] in pixels."""
    squares = {
        name: [round(value, 1) for value in (box.left, box.top, box.side)]
        for name, box in (("patch", pair.patch), ("source", pair.source))
    }
    return {**squares, "scale": round(pair.scale, 4), "explained": round(pair.explained, 4)}
