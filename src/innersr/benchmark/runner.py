"""Methods x images x degradations -> rows of figures."""

from __future__ import annotations

import math
import platform
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from innersr.benchmark.chains import Shrunk, parse_chain
from innersr.benchmark.inputs import AUTO, DEFAULT, TRUE, check_given, estimation_errors, given_degradation
from innersr.benchmark.peers import CommandPeer, SpandrelPeer, parse_peers
from innersr.benchmark.rows import Row, check_appendable, finite, identity, read_rows, scale_name
from innersr.benchmark.sources import Source, cropped, find_pairs, find_sources
from innersr.blind.estimate import Estimate
from innersr.errors import ImageFileError, InputError
from innersr.images.image import Image
from innersr.images.io import save
from innersr.isolation import isolation
from innersr.json_lines import append_record
from innersr.memory import peak_memory, reset_peak_memory
from innersr.methods.baselines import Bicubic
from innersr.methods.mixture import adapt_to
from innersr.methods.protocols import Method
from innersr.methods.registry import parse_method, resolve, settings_of
from innersr.metrics.fidelity import METRICS, consistency_psnr, psnr_y
from innersr.metrics.niqe import niqe
from innersr.physics.degradation import Degradation
from innersr.physics.geometry import scale_text
from innersr.physics.resize import Scale, as_pair, image_size
from innersr.pipeline.adaptation import upscale_image
from innersr.run import Run
from innersr.version import __version__


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A benchmark: every method on every image under every degradation at every scale, and on every pair."""

    folders: tuple[Path, ...]
    """Folders of sharp images, and "made:KIND", see `find_sources`."""
    methods: tuple[str, ...]
    degradations: tuple[str, ...]
    scales: tuple[Scale, ...]
    given: tuple[str, ...] = (TRUE,)
    """The degradations that methods are given, see `given_degradation`. For pairs, "true" is "auto". "default" is all
    that `innersr upscale` does without options."""
    pairs: tuple[Path, ...] = ()
    """Folders of pairs, see `find_pairs`, which have their own scale and degradation."""
    peers: tuple[str, ...] = ()
    """Further methods, see `parse_peer`."""
    limit: int | None = None
    """Most images of each folder and kind."""
    spread: bool = False
    """Whether a limit takes images from the whole of a folder rather than its first."""
    crop: int | None = None
    """Pixels of the sides of the middle part of the sharp images that is used; and of made pictures."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row to compute."""

    source: Source
    scale: Scale
    degradation: str
    method_name: str
    """As it was given, see `parse_method`."""
    method: Method
    given: str = TRUE
    crop: int | None = None

    def key(self, run: Run) -> Row:
        """The columns that identify the row."""
        vertical, horizontal = as_pair(self.scale)
        return {
            "folder": self.source.folder,
            "image": self.source.name,
            "method": self.method_name,
            "degradation": self.degradation,
            "given": self.given,
            "scale": vertical if vertical == horizontal else scale_text(self.scale),
            "seed": run.seed,
            "settings": settings_of(self.method),
            "device": str(run.torch_device),
            "precision": run.precision,
            "time_limit": run.time_limit,
            "crop": self.crop,
        }

    def shrunk(self, run: Run) -> Shrunk:
        """The small image, of a degradation or of a pair, and the sharp one."""
        sharp = self.source.sharp(self.scale)
        if self.source.small is None:
            hr, chain = cropped(sharp, self.crop, self.scale), parse_chain(self.degradation, self.scale)
            return chain.apply(hr, self.scale, self.source.name, run.generator())
        scale = round(as_pair(self.scale)[0])
        lr = cropped(self.source.small(), self.crop and self.crop // scale, 1)
        # The middle of both, which are edge to edge.
        rows, columns = ((n - scale * m) // 2 for n, m in zip(image_size(sharp), image_size(lr), strict=True))
        rows, columns = rows - rows % scale, columns - columns % scale
        hr = sharp[..., rows : rows + scale * lr.shape[-2], columns : columns + scale * lr.shape[-1]]
        return Shrunk(hr, lr, Degradation(scale=scale))


def cases_of(plan: Plan) -> list[Case]:
    """The cases of a plan in order.

    Raises:
        InputError: an unknown name, or a folder without images. Nothing was computed yet.
    """
    sources = find_sources(plan.folders, plan.limit, side=plan.crop, spread=plan.spread)
    pairs = [pair for folder in plan.pairs for pair in find_pairs(folder)[: plan.limit]]
    methods = {name: parse_method(name) for name in plan.methods}
    methods |= parse_peers(plan.peers, methods)
    scales, degradations = dict.fromkeys(plan.scales), dict.fromkeys(plan.degradations)
    given = dict.fromkeys(plan.given)
    for scale in scales:
        for name in degradations:
            parse_chain(name, scale)
        for text in given:
            check_given(text, scale)
    cases = [
        Case(source=source, scale=scale, degradation=degradation, method_name=name, method=method, given=text)
        for scale in scales
        for degradation in degradations
        for text in given
        for name, method in methods.items()
        for source in sources
    ]
    cases += [
        Case(source=pair, scale=pair.scale or 1, degradation="pair", method_name=name, method=method, given=text)
        for text in dict.fromkeys(AUTO if text == TRUE else text for text in given)
        for name, method in methods.items()
        for pair in pairs
    ]
    return [replace(case, crop=plan.crop, method=_resolved(case)) for case in cases]


def run_cases(
    cases: Sequence[Case],
    run: Run,
    rows_file: Path | None = None,
    pictures: Path | None = None,
    *,
    failed: Callable[[ImageFileError], None] | None = None,
) -> Iterator[Row]:
    """Yield the row of every case; rows that the file already holds are read, others are computed and appended.

    Args:
        cases: see `cases_of`.
        run: under which they are computed.
        rows_file: JSON lines; None to write none.
        pictures: folder for the results as PNG files.
        failed: called with the error of a case, after which the others go on; None to raise it.

    Raises:
        InputError: the file is wrong. Nothing was computed yet.
        ImageFileError: an image cannot be read, measured or written, or a peer fails.
    """
    if rows_file:
        check_appendable(rows_file)
    known = {identity(row): row for row in (read_rows(rows_file) if rows_file else [])}
    for case in cases:
        row = known.get(identity(case.key(run)))
        if row is None:
            try:
                row = _computed(case, run.start(), pictures)
            except ImageFileError as error:
                if failed is None:
                    raise
                failed(error)
                continue
            if rows_file:
                append_record(rows_file, dict(sorted(row.items())))
        yield row


def compute_row(case: Case, run: Run, pictures: Path | None = None) -> Row:
    """Shrink one image to 8 bits, upscale it again, and measure. The time includes the estimate."""
    hr, lr, degradation = case.shrunk(run)
    is_own_peak = reset_peak_memory(run.torch_device)
    wall, cpu = time.perf_counter(), time.process_time()
    device_lr = lr.to(run.torch_device)
    sr, estimate = _upscaled(case, device_lr, degradation, run)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = peak_memory(run.torch_device) if is_own_peak else None
    sr = sr[..., : hr.shape[-2], : hr.shape[-1]]
    shave = (round(degradation.scales[0]), round(degradation.scales[1]))
    if pictures is not None:
        _save_picture(sr, case, pictures)
    interpolated = _interpolated(lr, case, run)[..., : hr.shape[-2], : hr.shape[-1]]
    agreement = consistency_psnr(sr, lr, partial(degradation.forward, size=image_size(lr)))
    return {
        **case.key(run),
        **{name: finite(round(metric(sr, hr, shave), 4)) for name, metric in METRICS.items()},
        "interpolation_psnr_y": finite(round(psnr_y(interpolated, hr, shave), 4)),
        "niqe": _niqe(sr),
        "consistency_psnr": finite(round(agreement, 2)),
        "cpu_seconds": round(cpu, 2),
        "wall_seconds": round(wall, 2),
        "peak_memory_bytes": peak,
        "lr_size": [*image_size(lr)],
        **({} if estimate is None else {"estimate": estimation_errors(estimate, degradation)}),
        "threads": torch.get_num_threads(),
        "versions": {"innersr": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }


class CasePictures(NamedTuple):
    """The pictures of a case, (1, C, H, W) in [0, 1]."""

    interpolation: Tensor
    result: Tensor
    truth: Tensor


def case_pictures(case: Case, run: Run) -> CasePictures:
    """Compute the pictures of a case again, to be looked at."""
    hr, lr, degradation = case.shrunk(run)
    result, _ = _upscaled(case, lr.to(run.torch_device), degradation, run.start())
    rows, columns = image_size(hr)
    return CasePictures(_interpolated(lr, case, run)[..., :rows, :columns], result[..., :rows, :columns], hr)


def _interpolated(lr: Tensor, case: Case, run: Run) -> Tensor:
    return Bicubic().adapt(lr, Degradation(scale=case.scale), run)(lr)


def _computed(case: Case, run: Run, pictures: Path | None) -> Row:
    try:
        return compute_row(case, run, pictures)
    except InputError as error:  # its message names no file
        where = f"{case.source.folder}/{case.source.name}"
        raise ImageFileError(f"{where}: {case.method_name} {scale_name(case.scale)}: {error}") from error


def _resolved(case: Case) -> Method:
    # All the steps, also for estimated degradations: their rows show the cost of the estimate, and nothing else.
    return resolve(case.method, is_estimated=case.given == DEFAULT)


def _upscaled(case: Case, lr: Tensor, truth: Degradation, run: Run) -> tuple[Tensor, Estimate | None]:
    """The result on the CPU, and the estimate that it was made with."""
    if case.given == DEFAULT and not isinstance(case.method, CommandPeer | SpandrelPeer):
        result = upscale_image(Image(colour=lr.cpu()), None, case.method, run, scale=case.scale)
        return result.image.colour.clamp(0, 1), result.estimate
    with isolation():
        given, estimate = given_degradation(case.given, lr, truth, run)
        if isinstance(case.method, CommandPeer | SpandrelPeer):
            given = truth  # for the size of the result alone
        return adapt_to(case.method, lr, given, run)(lr).cpu(), estimate


def _niqe(sr: Tensor) -> float | None:
    """NIQE of a result; None for an image that is too small or flat, or has other channels."""
    try:
        score = niqe(sr)
    except InputError:
        return None
    return round(score, 3) if math.isfinite(score) else None


def _save_picture(sr: Tensor, case: Case, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    words = [
        case.source.folder,
        Path(case.source.name).stem,
        scale_name(case.scale),
        case.degradation,
        case.method_name,
    ]
    words += [] if case.given == TRUE else [f"given {case.given}"]
    name = re.sub("[/:;]", "_", "-".join(words))
    save(Image(colour=sr.contiguous()), folder / f"{name}.png", overwrite=True)
