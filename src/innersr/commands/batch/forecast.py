"""Forecast of the time that many files take, measured on one of them, whose result is not kept."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from innersr.batch.places import size_in_header
from innersr.batch.remote import is_remote
from innersr.commands.upscale_file import FileJob, upscale_silently
from innersr.images.films.recognition import is_video


def forecast(jobs: Sequence[FileJob]) -> tuple[float, Path] | None:
    """Seconds that one process takes for all the files, and the file of median size that was measured.

    The time is in proportion to the pixels. None where no header can be read, or that file fails. Videos are left out,
    for their headers need not tell how long they are.
    """
    jobs = [job for job in jobs if is_remote(job.source) or not is_video(job.source)]
    sizes = [(job, size_in_header(job.source)) for job in jobs]
    pixels = sorted(((size[0] * size[1], index) for index, (_, size) in enumerate(sizes) if size is not None))
    if not pixels:
        return None
    count, index = pixels[len(pixels) // 2]
    job = jobs[index]
    with tempfile.TemporaryDirectory() as folder:
        options = replace(job.options, save_adapted=None)
        outcome = upscale_silently(replace(job, target=Path(folder, job.target.name), options=options, compare=None))
    if outcome.error is not None:
        return None
    return outcome.seconds / count * sum(each for each, _ in pixels), job.source
