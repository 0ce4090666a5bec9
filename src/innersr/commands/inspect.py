"""Work of `innersr inspect`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from innersr.commands.console import Reporter
from innersr.commands.drawings import check_drawing, save_drawing
from innersr.examination import examine_normalised, read_with_no_data
from innersr.images.graphics import graphic_notes
from innersr.inference.normalisation import normalise
from innersr.isolation import isolation
from innersr.methods.registry import make_method, resolve, settings_of
from innersr.metrics.recurrence import Pair, recurrence_of, steps_for
from innersr.physics.resize import image_size
from innersr.plots.before_after import looked_at
from innersr.plots.recurrence import recurrence_sheet
from innersr.run import Run


def inspect_file(reporter: Reporter, run: Run, *, source: Path, output: Path | None, overwrite: bool) -> None:
    """Report how much can be learned from an image and how it was degraded; draw where its patches recur."""
    if output is not None:
        check_drawing(output, [source], overwrite=overwrite)
    started = time.monotonic()
    image = read_with_no_data(source)
    reporter.notes(source, image.reading_notes)
    with isolation():
        normalised = normalise(image, run, "auto")
        estimate = examine_normalised(normalised, 2, run)
    channels = normalised.channels
    found = recurrence_of(channels, estimate.degradation.noise)
    height, width = image_size(channels)
    all_steps = int(settings_of(resolve(make_method("tailor"), is_estimated=True))["steps"])
    is_interpolated = not estimate.regions and estimate.interpolated == 1
    steps = 0 if is_interpolated else steps_for(found.score, all_steps)
    plan = "interpolate it" if is_interpolated else f"take {steps} of {all_steps} steps"
    lines = [
        f"recurrence {found.score:.2f}: {found.verdict}",
        f"detail in {100 * found.detail:.0f} % of the image; `innersr upscale` would {plan}",
        estimate.summary,
        *graphic_notes(image),
    ]
    if output is not None:
        sheet = recurrence_sheet(looked_at(image), found, [f"{source.name}, {width}x{height}", *lines])
        save_drawing(sheet, output, overwrite=overwrite)
    record = {
        "input": str(source),
        "size": [width, height],
        "recurrence": round(found.score, 4),
        "detail": round(found.detail, 4),
        "steps": steps,
        "verdict": found.verdict,
        "estimate": estimate.summary,
        "confidence": estimate.confidence,
        "pairs": [_pair_record(pair) for pair in found.pairs],
        "output": None if output is None else str(output),
        "seconds": round(time.monotonic() - started, 2),
        "notes": list(image.reading_notes),
    }
    reporter.result([f"{source}  {width}x{height}", *(f"  {line}" for line in lines)], record)


def _pair_record(pair: Pair) -> dict[str, Any]:
    """The two squares as [left, top, side] in pixels."""
    squares = {
        name: [round(value, 1) for value in (box.left, box.top, box.side)]
        for name, box in (("patch", pair.patch), ("source", pair.source))
    }
    return {**squares, "scale": round(pair.scale, 4), "explained": round(pair.explained, 4)}
