"""Work of `innersr singan score`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from innersr.commands.console import Reporter
from innersr.commands.singan.shared import blaming, load_complete, read_image, working
from innersr.errors import InputError
from innersr.images.folders import find_images
from innersr.metrics.feature_distance import load_feature_network
from innersr.metrics.sifid import load_stem
from innersr.physics.resize import image_size
from innersr.run import Run
from innersr.singan.model import PictureModel
from innersr.singan.pictures import PictureSource, source_of, to_picture
from innersr.singan.scores import Scores, scores_of


def score_samples(  # noqa: PLR0913 (the options of the command)
    reporter: Reporter,
    run: Run,
    *,
    names: Sequence[Path],
    of: Path | None,
    count: int,
    start: int,
    judge: bool,
    inception: Path | None,
    layer: str,
) -> None:
    """Measure samples, drawn from a model or read from files.

    `names` are a model folder and samples of it, or samples alone if there is a picture that they are `of`. Samples
    are image files, or folders of them.
    """
    network = load_feature_network() if judge else None
    weights = None if inception is None else load_stem(inception)
    goal = _goal(names, of, run, reporter)
    reconstruction = None
    with working(reporter, goal.path, run, "score smaller or fewer pictures") as working_run:
        if goal.model is None or goal.files:
            samples, origin = _read_samples(goal.files, goal.source, reporter), "read"
            (height, width), (own_height, own_width) = image_size(samples), image_size(goal.picture)
            if goal.model is None and (height, width) != (own_height, own_width):
                reporter.note(
                    f"{goal.path}: has {own_width}x{own_height} pixels, its samples {width}x{height}, and scores "
                    "compare pixels as they are; the picture must have the size that it was learned at"
                )
        else:
            samples = goal.model.sample(count, start=start, run=working_run)
            reconstruction, origin = _from_zero(goal.model.reconstruct()), f"drawn from scale {start}"
        scores = scores_of(
            _from_zero(samples),
            _from_zero(goal.picture),
            reconstruction=reconstruction,
            judge=network,
            weights=weights,
            layer=layer,
            run=working_run,
        )
    record = scores.record() | {"size": list(scores.size[::-1]), "real_size": list(scores.real_size[::-1])}
    record |= {"real": str(goal.path), "files": [str(file) for file in goal.files]}
    if not goal.files:
        record |= {"start_scale": start, "seed": run.seed}
    reporter.result([*_score_lines(goal.path, scores, origin)], record)


class _Goal(NamedTuple):
    """The picture that samples are compared with, and their files unless they are drawn from a model."""

    path: Path
    picture: Tensor
    source: PictureSource
    model: PictureModel | None
    files: tuple[Path, ...]


def _goal(names: Sequence[Path], of: Path | None, run: Run, reporter: Reporter) -> _Goal:
    if of is not None:
        image = read_image(of, reporter)
        with blaming(of):
            source = source_of([image])
            return _Goal(of, to_picture(image, source), source, None, _files(names))
    folder, *samples = names
    if folder.is_file():
        raise InputError(f"{folder}: is a file, not a model folder; name the picture that samples are of with --of")
    saved = load_complete(folder, run)
    if len(saved.pictures) > 1:
        reporter.note(f"{folder}: of {len(saved.pictures)} pictures, the first is what samples are compared with")
    return _Goal(folder, saved.pictures[0], saved.record.source, saved.model, _files(samples))


def _files(names: Sequence[Path]) -> tuple[Path, ...]:
    """The files that are named, and the image files of the folders."""
    found = [[image.path for image in find_images([name])] if name.is_dir() else [name] for name in names]
    return tuple(file for files in found for file in files)


def _read_samples(files: Sequence[Path], source: PictureSource, reporter: Reporter) -> Tensor:
    pictures: list[Tensor] = []
    for file in files:
        image = read_image(file, reporter)
        with blaming(file):
            pictures.append(to_picture(image, source))
        if pictures[-1].shape != pictures[0].shape:
            raise InputError(f"{file}: is not of the size of {files[0]}; score samples of different sizes apart")
    return torch.cat(pictures)


def _from_zero(pictures: Tensor) -> Tensor:
    """Pictures in [-1, 1] as images in [0, 1]."""
    return ((pictures.cpu() + 1) / 2).clamp(0, 1)


def _score_lines(path: Path, scores: Scores, origin: str) -> Iterator[str]:
    (height, width), (real_height, real_width) = scores.size, scores.real_size
    pixels = f"{width}x{height} ({origin}), the picture has {real_width}x{real_height}"
    yield f"{path}: {scores.samples} sample{'s' * (scores.samples > 1)} of {pixels}"
    if scores.feature_distances is not None:
        blocks = ", ".join(f"{block} {distance:.2f}" for block, distance in scores.feature_distances.items())
        yield f"feature distance  {scores.feature_distance:.2f} (after {scores.feature_network}; {blocks})"
    if scores.diversity is not None:
        yield f"diversity         {scores.diversity:.3f}"
    for name in ("border", "interior", "oblique"):
        energy = getattr(scores, f"{name}_energy")
        if energy is not None:
            yield f"{f'{name} energy':16}  {energy:.2f} of the picture's"
    if scores.reconstruction_rmse is not None:
        yield f"reconstruction    {scores.reconstruction_rmse:.3f} levels RMS"
    if scores.sifid is not None:
        details = f"{scores.sifid_layer}, {scores.sifid_weights}, {scores.sifid_pairing}"
        yield f"SIFID             {scores.sifid:.4f} ({details})"
    details = f"optimised by patch matching: not a judge; {scores.patch_settings}"
    yield f"patch distance    {scores.patch_distance:.3f} levels ({details})"
