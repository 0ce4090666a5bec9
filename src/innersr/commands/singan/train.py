"""What `innersr singan train` does, once its arguments are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from innersr.commands.console import Reporter
from innersr.commands.interrupts import EXIT_CODE, deferred_interrupts
from innersr.commands.singan.shared import blaming, check_sheet, read_image, size_note, working
from innersr.errors import InputError
from innersr.images.conversions import image_from
from innersr.images.io import save
from innersr.plots.sheets import to_pixels
from innersr.plots.singan import report_sheet
from innersr.run import Run
from innersr.singan.fit import Callbacks, fit, untrained_model
from innersr.singan.folder.log import read_lines
from innersr.singan.folder.reading import LOG, load_folder
from innersr.singan.folder.writing import ModelFolder
from innersr.singan.learn import make_settings
from innersr.singan.model import PictureModel, reconstruction_at
from innersr.singan.pictures import PictureSource, source_of, to_picture, visible
from innersr.singan.scores import rmse
from innersr.singan.settings import described
from innersr.singan.training.scale import Losses, ScaleLearner


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """Everything that `innersr singan train` was told."""

    inputs: tuple[Path, ...]
    output: Path
    preset: str
    settings: Mapping[str, str]
    """As text."""
    preview: Path | None
    report: Path | None
    resume: bool
    overwrite: bool
    threads: int | None
    run: Run


def train_picture(request: TrainRequest, reporter: Reporter) -> int:
    """Learn pictures of one subject; return the exit code, that of an interrupt if there is more to learn.

    Raises:
        InputError: the request is wrong, and nothing was started.
        InnersrError: a file cannot be read or written, memory has run out, or the losses are no longer numbers.
    """
    if request.resume and request.overwrite:
        raise InputError("give --resume or --overwrite, not both")
    settings = make_settings(request.preset, request.settings)
    images = [read_image(path, reporter) for path in request.inputs]
    with blaming(*request.inputs):
        source = source_of(images)
        pictures = [to_picture(image, source) for image in images]
        planned = untrained_model(pictures, settings, request.run.seed)
    _check_outputs(request, len(planned.sizes[0]))
    for path, picture, sizes in zip(request.inputs, pictures, planned.sizes, strict=True):
        if sizes[-1] != tuple(picture.shape[-2:]):
            reporter.note(size_note(path, (picture.shape[-2], picture.shape[-1]), sizes[-1]))
    reporter.verbose(f"{described(settings)}: {settings} on {request.run.torch_device}, {request.run.dtype}")
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    place = _Place()
    advice = "use a smaller --max-size, smaller crops (--set crop=64), or a machine with more"
    with working(reporter, request.output, request.run, advice) as run, deferred_interrupts() as should_stop:
        model = fit(
            pictures,
            settings,
            run,
            folder=ModelFolder(path=request.output, source=source, overwrite=request.overwrite),
            resume=request.resume,
            callbacks=Callbacks(iteration=place.note, scale=_on_scale(request, source, reporter), note=reporter.note),
            should_stop=should_stop,
        )
    if not model.is_complete:
        reporter.note(
            f"stopped after iteration {place.iteration} of scale {place.scale} of 0 to {len(model.sizes[0]) - 1}; "
            "the same command with --resume goes on from there"
        )
        return EXIT_CODE
    _say_result(request, reporter)
    return 0


class _Place:
    """Where the learning is."""

    def __init__(self) -> None:
        self.scale, self.iteration = 0, 0

    def note(self, learner: ScaleLearner, losses: Losses) -> None:  # noqa: ARG002 (the signature of a watcher)
        self.scale, self.iteration = learner.index, learner.iteration


def _check_outputs(request: TrainRequest, scales: int) -> None:
    if request.report is not None:
        check_sheet(request.report, request.inputs, overwrite=request.overwrite or request.resume)
    if request.preview is None:
        return
    if request.preview.resolve() == request.output.resolve():
        raise InputError(f"{request.preview}: is the model's folder; give previews another one")
    try:
        request.preview.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{request.preview}: cannot be a folder ({error.strerror}); check the path") from error
    for scale in range(scales):
        for file in _previews(request.preview, scale, scales):
            check_sheet(file, request.inputs, overwrite=request.overwrite or request.resume)


def _previews(folder: Path, scale: int, scales: int) -> Sequence[Path]:
    name = f"scale-{scale:0{len(str(scales - 1))}}"
    return [folder / f"{name}-sample.png", folder / f"{name}-reconstruction.png"]


def _on_scale(request: TrainRequest, source: PictureSource, reporter: Reporter) -> Callable[[PictureModel], None]:
    """Return what is done with a model each time that it has learnt another scale."""

    def show(model: PictureModel) -> None:
        scale, sizes = len(model.scales) - 1, model.sizes[0]
        height, width = sizes[scale]
        reporter.verbose(f"scale {scale} of 0 to {len(sizes) - 1} is learnt, {width}x{height}")
        if request.preview is not None:
            with torch.no_grad():
                sample = model.generate(model.random_noise(request.run.seed, 0), sizes)
            pictures = sample, reconstruction_at(model, 0, scale)
            for picture, file in zip(pictures, _previews(request.preview, scale, len(sizes)), strict=True):
                save(image_from(to_pixels(visible(picture, source)))[0], file, overwrite=True)

    return show


def _say_result(request: TrainRequest, reporter: Reporter) -> None:
    saved, log = load_folder(request.output, request.run.torch_device), read_lines(request.output / LOG)
    if request.report is not None:
        with working(reporter, request.output, request.run, "report on a machine with more") as run:
            sheet = report_sheet(request.output.resolve().name, saved, log, run)
        save(image_from(sheet)[0], request.report, overwrite=request.overwrite or request.resume)
    error = rmse((saved.model.reconstruct().cpu() + 1) / 2, (saved.pictures[0] + 1) / 2)
    seconds = log[-1]["seconds"] if log else 0.0
    height, width = saved.model.size
    scales = len(saved.model.scales)
    record = {
        "output": str(request.output),
        "inputs": [str(path) for path in request.inputs],
        "size": [width, height],
        "scales": scales,
        "settings": asdict(saved.record.settings),
        "seed": saved.record.seed,
        "device": saved.record.device,
        "seconds": seconds,
        "reconstruction_rmse": round(error, 4),
        "report": None if request.report is None else str(request.report),
    }
    reporter.result(
        f"{request.output}  {scales} scales to {width}x{height}  {seconds:.1f} s  "
        f"reconstruction {error:.2f} levels RMS",
        record,
    )
