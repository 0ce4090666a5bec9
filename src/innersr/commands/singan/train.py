"""Work of `innersr singan train`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from innersr.commands.console import Reporter
from innersr.commands.drawings import check_drawing, save_drawing
from innersr.commands.interrupts import deferred_interrupts
from innersr.commands.singan.shared import blaming, read_image, size_note, working
from innersr.errors import InputError
from innersr.paths import make_folder
from innersr.physics.resize import image_size
from innersr.plots.sheets import to_pixels
from innersr.plots.singan import report_sheet
from innersr.run import Run
from innersr.settings import parse_settings
from innersr.singan.fit import Callbacks, fit, untrained_model
from innersr.singan.folder.log import read_lines
from innersr.singan.folder.reading import LOG, load_folder
from innersr.singan.folder.writing import ModelFolder
from innersr.singan.learn import make_settings
from innersr.singan.model import PictureModel, previews_of
from innersr.singan.pictures import PictureSource, source_of, to_picture, visible
from innersr.singan.scores import rmse
from innersr.singan.settings import current_preset, described
from innersr.singan.training.scale import Losses, ScaleLearner


def train_picture(  # noqa: PLR0913 (the options of the command)
    reporter: Reporter,
    run: Run,
    *,
    inputs: Sequence[Path],
    output: Path,
    preset: str,
    max_size: int | None,
    settings: Sequence[str] | None,
    preview: Path | None,
    report: Path | None,
    resume: bool,
    overwrite: bool,
    threads: int | None,
) -> int:
    """Learn pictures of one subject; return the exit code, that of an interrupt if iterations are left."""
    if resume and overwrite:
        raise InputError("give --resume or --overwrite, not both")
    if preset != current_preset(preset):
        reporter.note(f"preset {preset} is called {current_preset(preset)} now")
        preset = current_preset(preset)
    own = {} if max_size is None else {"max_size": str(max_size)}
    singan = make_settings(preset, own | parse_settings(settings or ()))
    images = [read_image(path, reporter) for path in inputs]
    with blaming(*inputs):
        source = source_of(images)
        pictures = [to_picture(image, source) for image in images]
        planned = untrained_model(pictures, singan, run.seed)
    may_replace = overwrite or resume
    if report is not None:
        check_drawing(report, inputs, overwrite=may_replace)
    if preview is not None:
        others = [*inputs, *([report] if report is not None else [])]
        _check_previews(preview, output, others, len(planned.sizes[0]), may_replace)
    for path, picture, sizes in zip(inputs, pictures, planned.sizes, strict=True):
        if sizes[-1] != image_size(picture):
            reporter.note(size_note(path, image_size(picture), sizes[-1]))
    reporter.verbose(f"{described(singan)}: {singan} on {run.torch_device}, {run.dtype}")
    if threads is not None:
        torch.set_num_threads(threads)
    place = _Place()
    advice = "use a smaller --max-size, smaller crops (--set crop=64), or a machine with more"
    with working(reporter, output, run, advice) as working_run, deferred_interrupts() as should_stop:
        model = fit(
            pictures,
            singan,
            working_run,
            folder=ModelFolder(path=output, source=source, overwrite=overwrite),
            resume=resume,
            callbacks=Callbacks(
                iteration=place.note, scale=_on_scale(preview, source, run.seed, reporter), note=reporter.note
            ),
            should_stop=should_stop,
        )
    if not model.is_complete:
        reporter.note(
            f"stopped after iteration {place.iteration} of scale {place.scale} of 0 to {len(model.sizes[0]) - 1}; "
            "the same command with --resume continues it"
        )
        return should_stop.exit_code
    _report_result(output, inputs, report, may_replace, run, reporter)
    return 0


class _Place:
    """Progress of the training."""

    def __init__(self) -> None:
        self.scale, self.iteration = 0, 0

    def note(self, learner: ScaleLearner, losses: Losses) -> None:  # noqa: ARG002 (the signature of a watcher)
        self.scale, self.iteration = learner.index, learner.iteration


def _check_previews(folder: Path, model: Path, others: Sequence[Path], scales: int, may_replace: bool) -> None:
    if folder.resolve() == model.resolve():
        raise InputError(f"{folder}: is the model's folder; give previews another one")
    make_folder(folder)
    for scale in range(scales):
        for file in _previews(folder, scale, scales):
            check_drawing(file, others, overwrite=may_replace)


def _previews(folder: Path, scale: int, scales: int) -> Sequence[Path]:
    name = f"scale-{scale:0{len(str(scales - 1))}}"
    return [folder / f"{name}-sample.png", folder / f"{name}-reconstruction.png"]


def _on_scale(
    preview: Path | None, source: PictureSource, seed: int, reporter: Reporter
) -> Callable[[PictureModel], None]:
    """Callback that writes the previews of a scale once it is trained."""

    def show(model: PictureModel) -> None:
        scale, sizes = len(model.scales) - 1, model.sizes[0]
        height, width = sizes[scale]
        reporter.verbose(f"scale {scale} of 0 to {len(sizes) - 1} is trained, {width}x{height}")
        if preview is not None:
            for picture, file in zip(previews_of(model, seed), _previews(preview, scale, len(sizes)), strict=True):
                save_drawing(to_pixels(visible(picture, source)), file, overwrite=True)

    return show


def _report_result(  # noqa: PLR0913 (the options that it depends on)
    output: Path, inputs: Sequence[Path], report: Path | None, may_replace: bool, run: Run, reporter: Reporter
) -> None:
    saved, log = load_folder(output, run.torch_device), read_lines(output / LOG)
    if report is not None:
        with working(reporter, output, run, "report on a machine with more") as working_run:
            sheet = report_sheet(output.resolve().name, saved, log, working_run)
        save_drawing(sheet, report, overwrite=may_replace)
    error = rmse((saved.model.reconstruct().cpu() + 1) / 2, (saved.pictures[0] + 1) / 2)
    seconds = log[-1]["seconds"] if log else 0.0
    height, width = saved.model.size
    scales = len(saved.model.scales)
    record = {
        "output": str(output),
        "inputs": [str(path) for path in inputs],
        "size": [width, height],
        "scales": scales,
        "settings": asdict(saved.record.settings),
        "seed": saved.record.seed,
        "device": saved.record.device,
        "seconds": seconds,
        "reconstruction_rmse": round(error, 4),
        "report": None if report is None else str(report),
    }
    reporter.result(
        f"{output}  {scales} scales to {width}x{height}  {seconds:.1f} s  reconstruction {error:.2f} levels RMS",
        record,
    )
