"""Methods x images x degradations -> rows of figures."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import groupby, islice
from pathlib import Path

import torch
from torch import Tensor

from innersr.benchmark.chains import parse_chain
from innersr.benchmark.inputs import TRUE, check_given, estimation_errors, given_degradation
from innersr.benchmark.rows import Row, check_appendable, finite, identity, read_rows, scale_name
from innersr.errors import ImageFileError, InputError
from innersr.images.folders import FolderImage, find_images, load_sharp
from innersr.images.image import Image
from innersr.images.io import save
from innersr.json_lines import append_record
from innersr.memory import peak_memory, reset_peak_memory
from innersr.methods.protocols import Method
from innersr.methods.registry import parse_method, resolve, settings_of
from innersr.metrics.fidelity import METRICS, consistency_psnr
from innersr.physics.resize import Scale, as_pair, image_size
from innersr.run import Run


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A benchmark: every method on every image under every degradation at every scale."""

    folders: tuple[Path, ...]
    methods: tuple[str, ...]
    degradations: tuple[str, ...]
    scales: tuple[Scale, ...]
    given: tuple[str, ...] = (TRUE,)
    """The degradations that methods are given, see `given_degradation`."""
    limit: int | None = None
    """At most so many images of each folder."""
    pictures: Path | None = None
    """Folder for the results as PNG files."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row to compute."""

    entry: FolderImage
    scale: Scale
    degradation: str
    method: str
    settings: Method
    given: str = TRUE

    def key(self, run: Run) -> Row:
        """The columns that identify the row."""
        scales = as_pair(self.scale)
        return {
            "folder": self.entry.folder,
            "image": self.entry.path.name,
            "method": self.method,
            "degradation": self.degradation,
            "given": self.given,
            "scale": scales[0] if scales[0] == scales[1] else list(scales),
            "seed": run.seed,
            "settings": settings_of(self.settings),
            "device": str(run.torch_device),
            "precision": run.precision,
            "time_limit": run.time_limit,
        }


def cases_of(plan: Plan) -> list[Case]:
    """The cases of a plan in order.

    Raises:
        InputError: an unknown name, or a folder without images. Nothing was computed yet.
    """
    folders = groupby(find_images(plan.folders), key=lambda entry: entry.folder)
    entries = [entry for _, images in folders for entry in islice(images, plan.limit)]
    # All the steps, also for estimated degradations: their rows show the cost of the estimate, and nothing else.
    methods = {name: resolve(parse_method(name), is_estimated=False) for name in plan.methods}
    scales, degradations = dict.fromkeys(plan.scales), dict.fromkeys(plan.degradations)
    given = dict.fromkeys(plan.given)
    for scale in scales:
        for name in degradations:
            parse_chain(name, scale)
        for text in given:
            check_given(text, scale)
    return [
        Case(entry=entry, scale=scale, degradation=degradation, method=name, settings=settings, given=text)
        for scale in scales
        for degradation in degradations
        for text in given
        for name, settings in methods.items()
        for entry in entries
    ]


def run_plan(plan: Plan, run: Run, rows_file: Path | None = None) -> Iterator[Row]:
    """Yield every row of a plan; rows that the file already holds are read, others are computed and appended.

    Raises:
        InputError: the plan or the file is wrong. Nothing was computed yet.
        ImageFileError: an image cannot be read, measured or written.
    """
    cases = cases_of(plan)
    if rows_file:
        check_appendable(rows_file)
    known = {identity(row): row for row in (read_rows(rows_file) if rows_file else [])}
    for case in cases:
        key = case.key(run)
        row = known.get(identity(key))
        if row is None:
            try:
                row = compute_row(case, run.start(), plan.pictures)
            except InputError as error:  # its message names no file
                raise ImageFileError(f"{case.entry.path}: {case.method} {scale_name(case.scale)}: {error}") from error
            if rows_file:
                append_record(rows_file, dict(sorted(row.items())))
        yield row


def compute_row(case: Case, run: Run, pictures: Path | None = None) -> Row:
    """Shrink one image to 8 bits, upscale it again, and measure. The time includes the estimate."""
    name, chain = case.entry.path.name, parse_chain(case.degradation, case.scale)
    hr, lr, degradation = chain.apply(load_sharp(case.entry.path, case.scale), case.scale, name, run.generator())
    is_own_peak = reset_peak_memory(run.torch_device)
    wall, cpu = time.perf_counter(), time.process_time()
    device_lr = lr.to(run.torch_device)
    with run.exact():
        given, estimate = given_degradation(case.given, device_lr, degradation, run)
        sr = case.settings.adapt(device_lr, given, run)(device_lr).cpu()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = peak_memory(run.torch_device) if is_own_peak else None
    sr = sr[..., : hr.shape[-2], : hr.shape[-1]]
    shave = (round(degradation.scales[0]), round(degradation.scales[1]))
    if pictures is not None:
        _save_picture(sr, case, pictures)
    agreement = consistency_psnr(sr, lr, partial(degradation.forward, size=image_size(lr)))
    return {
        **case.key(run),
        **{name: finite(round(metric(sr, hr, shave), 4)) for name, metric in METRICS.items()},
        "consistency_psnr": finite(round(agreement, 2)),
        "cpu_seconds": round(cpu, 2),
        "wall_seconds": round(wall, 2),
        "peak_memory_bytes": peak,
        "lr_size": [*image_size(lr)],
        **({} if estimate is None else {"estimate": estimation_errors(estimate, degradation)}),
        "threads": torch.get_num_threads(),
        "versions": {"innersr": version("innersr"), "torch": torch.__version__, "python": platform.python_version()},
    }


def _save_picture(sr: Tensor, case: Case, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    words = [case.entry.folder, case.entry.path.stem, scale_name(case.scale), case.degradation, case.method]
    words += [] if case.given == TRUE else [f"given {case.given}"]
    name = re.sub("[/:;]", "_", "-".join(words))
    save(Image(colour=sr.contiguous()), folder / f"{name}.png", overwrite=True)
