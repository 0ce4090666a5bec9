"""Methods x images x degradations -> rows of figures, one JSON object each."""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from itertools import compress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from innersr.benchmark_images import TRUE, check_told, measures_of, small_image, told_of
from innersr.dataset import Entry, find_images, load_sharp
from innersr.errors import ImageFileError, InputError
from innersr.image import Image, save
from innersr.methods import Method, settings_of
from innersr.metrics import METRICS, consistency_psnr
from innersr.resize import Scale, as_pair
from innersr.run import Run
from innersr.specs import parse_degradation, parse_jpeg_quality, parse_method

KEY = ("folder", "image", "method", "settings", "degradation", "scale", "seed", "device", "precision")
ADDED_KEY = {"time_limit": None, "told": TRUE}  # what the rows of older files lack, with what held for them
MEANS = ("psnr_y", "ssim_y", "consistency_psnr", "cpu_seconds", "wall_seconds")
ROW_START = '{"'
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to compute: every method on every image under every degradation at every scale, told what it is."""

    folders: tuple[Path, ...]
    methods: tuple[str, ...]
    degradations: tuple[str, ...]
    scales: tuple[Scale, ...]
    told: tuple[str, ...] = (TRUE,)
    """What the methods are told of the image, see `told_of`."""
    limit: int | None = None
    """At most so many images of each folder."""
    pictures: Path | None = None
    """Folder for the results as PNG files."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row to compute."""

    entry: Entry
    scale: Scale
    degradation: str
    method: str
    settings: Method
    told: str = TRUE

    def key(self, run: Run) -> Row:
        """Return the columns that identify the row."""
        scales = as_pair(self.scale)
        return {
            "folder": self.entry.folder,
            "image": self.entry.path.name,
            "method": self.method,
            "degradation": self.degradation,
            "told": self.told,
            "scale": scales[0] if scales[0] == scales[1] else list(scales),
            "seed": run.seed,
            "settings": settings_of(self.settings),
            "device": str(run.torch_device),
            "precision": run.precision,
            "time_limit": run.time_limit,
        }


def cases_of(plan: Plan) -> list[Case]:
    """Return the rows of a plan in order.

    Raises:
        InputError: an unknown name, or a folder without images. Nothing was computed yet.
    """
    counts: defaultdict[str, int] = defaultdict(int)
    entries = []
    for entry in find_images(plan.folders):
        counts[entry.folder] += 1
        if plan.limit is None or counts[entry.folder] <= plan.limit:
            entries.append(entry)
    methods = {name: parse_method(name) for name in plan.methods}
    scales, degradations = dict.fromkeys(plan.scales), dict.fromkeys(plan.degradations)
    told = dict.fromkeys(plan.told)
    for scale in scales:
        for name in degradations:
            parse_degradation(name, scale)
            parse_jpeg_quality(name)
        for text in told:
            check_told(text, scale)
    return [
        Case(entry=entry, scale=scale, degradation=degradation, method=name, settings=settings, told=text)
        for scale in scales
        for degradation in degradations
        for text in told
        for name, settings in methods.items()
        for entry in entries
    ]


def run_plan(plan: Plan, run: Run, rows_file: Path | None = None) -> Iterator[Row]:
    """Yield every row of a plan; those that the file holds already are read, the others computed and appended.

    Raises:
        InputError: the plan or the file is wrong. Nothing was computed yet.
        ImageFileError: an image cannot be read, measured or written.
    """
    cases = cases_of(plan)
    if rows_file:
        _check_appendable(rows_file)
    known = {_identity(row): row for row in (read_rows(rows_file) if rows_file else [])}
    for case in cases:
        key = case.key(run)
        row = known.get(_identity(key))
        if row is None:
            try:
                row = compute_row(case, replace(run, started=time.monotonic()), plan.pictures)
            except InputError as error:  # says what, not where
                raise ImageFileError(f"{case.entry.path}: {case.method} {scale_name(case.scale)}: {error}") from error
            if rows_file:
                _append(rows_file, row)
        yield row


def compute_row(case: Case, run: Run, pictures: Path | None = None) -> Row:
    """Shrink one image, quantize it to 8 bit, upscale it again, and measure. Estimating takes part of the time.

    An infinite PSNR, of two equal images, is None in the row: JSON has no infinity.
    """
    hr = load_sharp(case.entry.path, case.scale)
    lr, degradation = small_image(hr, case.degradation, case.scale, case.entry.path.name, run.generator())
    is_own_peak = _reset_peak_memory(run.torch_device)
    wall, cpu = time.perf_counter(), time.process_time()
    device_lr = lr.to(run.torch_device)
    with run.exact():
        told, estimate = told_of(case.told, device_lr, degradation, run)
        sr = case.settings.adapt(device_lr, told, run)(device_lr).cpu()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak_memory = _peak_memory(run.torch_device) if is_own_peak else None
    sr = sr[..., : hr.shape[-2], : hr.shape[-1]]
    shave = (round(degradation.scales[0]), round(degradation.scales[1]))
    if pictures is not None:
        _save_picture(sr, case, pictures)
    agreement = consistency_psnr(sr, lr, partial(degradation.forward, size=(lr.shape[-2], lr.shape[-1])))
    return {
        **case.key(run),
        **{name: _finite(round(metric(sr, hr, shave), 4)) for name, metric in METRICS.items()},
        "consistency_psnr": _finite(round(agreement, 2)),
        "cpu_seconds": round(cpu, 2),
        "wall_seconds": round(wall, 2),
        "peak_memory_bytes": peak_memory,
        "lr_size": [lr.shape[-2], lr.shape[-1]],
        **({} if estimate is None else {"estimate": measures_of(estimate, degradation)}),
        "threads": torch.get_num_threads(),
        "versions": {
            "innersr": version("innersr"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file, none if there is no file; what a crash left of a last line does not count.

    Raises:
        InputError: a line that is not a row.
    """
    if not path.exists():
        return []
    rows: list[Row] = []
    try:
        *lines, rest = path.read_text(encoding="utf-8").split("\n")
        for line in lines:
            row = json.loads(line)
            _identity(row)
            rows.append(row)
        if not rest.startswith(ROW_START[: len(rest)]):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path}: line {len(rows) + 1} is not a benchmark row; name another file") from None
    return rows


def table_of(rows: Iterable[Row]) -> str:
    """Return a Markdown table of the means over the images of each folder."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["folder"], scale_name(row["scale"]), row["degradation"], told_in(row), row["method"]].append(row)
    columns = ["images", "scale", "degradation", "told", "method"]
    is_named = [name != "told" or len({group[3] for group in groups}) > 1 for name in columns]
    headings = [*compress(columns, is_named), "n", "PSNR-Y", "SSIM-Y", "consistency", "CPU s", "wall s"]
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    for group, members in groups.items():
        names = compress(group, is_named)
        mean = {key: sum(decibels(row[key]) for row in members) / len(members) for key in MEANS}
        figures = [
            f"{mean['psnr_y']:.2f}",
            f"{mean['ssim_y']:.4f}",
            f"{mean['consistency_psnr']:.1f}",
            f"{mean['cpu_seconds']:.1f}",
            f"{mean['wall_seconds']:.1f}",
        ]
        lines.append(f"| {' | '.join([*names, str(len(members)), *figures])} |")
    return "\n".join(lines)


def told_in(row: Mapping[str, Any]) -> str:
    """Return what the method of a row was told."""
    return row.get("told", ADDED_KEY["told"])


def scale_name(scale: Scale | list[float]) -> str:
    """Return a scale, of a case or of a row, as x2, x1.5 or x2x3."""
    scales = scale if isinstance(scale, tuple | list) else (scale,)
    return "".join(f"x{s:g}" for s in dict.fromkeys(scales))


def decibels(figure: float | None) -> float:
    """Return a figure of a row, infinity where the row holds None."""
    return math.inf if figure is None else figure


def _finite(figure: float) -> float | None:
    return figure if math.isfinite(figure) else None


def _check_appendable(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file for the rows")
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; create it first")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"{path}: no permission to write it; name another file")


def _identity(row: Mapping[str, Any]) -> str:
    added = (row.get(key, value) for key, value in ADDED_KEY.items())
    return json.dumps([*(row[key] for key in KEY), *added], sort_keys=True)


def _append(path: Path, row: Row) -> None:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    complete = text[: text.rfind("\n") + 1]
    if complete != text:
        path.write_text(complete, encoding="utf-8")  # a crash cut the last line short
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, sort_keys=True, allow_nan=False) + "\n")


def _save_picture(sr: Tensor, case: Case, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    words = [case.entry.folder, case.entry.path.stem, scale_name(case.scale), case.degradation, case.method]
    words += [] if case.told == TRUE else [f"told {case.told}"]
    name = "-".join(word.replace("/", "_").replace(":", "_").replace(";", "_") for word in words)
    save(Image(colour=sr.contiguous()), folder / f"{name}.png", overwrite=True)


def _reset_peak_memory(device: torch.device) -> bool:
    """Let the peak begin anew; return whether this system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return True
    with contextlib.suppress(OSError):  # not Linux, or a container that hides it
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return True
    return False


def _peak_memory(device: torch.device) -> int | None:
    """Return the peak of device memory, else of this process's resident memory (which begins with Python and torch)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    return None
