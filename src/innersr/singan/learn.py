"""The model of a picture: learned from whatever holds the picture, or loaded from its folder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from innersr.errors import InputError
from innersr.images.conversions import image_from
from innersr.images.image import Image
from innersr.images.io import read
from innersr.isolation import isolated
from innersr.run import Run
from innersr.settings import values_of
from innersr.singan.fit import fit
from innersr.singan.folder.reading import load_model
from innersr.singan.folder.writing import ModelFolder
from innersr.singan.model import PictureModel
from innersr.singan.pictures import source_of, to_picture
from innersr.singan.settings import SINGAN_PRESETS, SinGAN, current_preset

DEFAULT_PRESET = "balanced"


def make_settings(preset: str = DEFAULT_PRESET, settings: Mapping[str, str] | None = None) -> SinGAN:
    """The settings of a preset, some of them changed.

    Args:
        preset: "draft", "balanced", "best" or "paper". "fast", the name of "balanced" up to version 0.1, is accepted
            with a DeprecationWarning.
        settings: names and values as text, e.g. {"iterations": "500", "block_widths": "32,64,128,256,512"}.

    Raises:
        InputError: an unknown preset or setting, or a value that does not fit it.
    """
    if preset != current_preset(preset):
        message = f"preset {preset!r} of singan is called {current_preset(preset)!r} now"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        preset = current_preset(preset)
    if preset not in SINGAN_PRESETS:
        raise InputError(f"unknown preset {preset!r} of singan; there are {', '.join(SINGAN_PRESETS)}")
    (values,) = values_of("singan", settings or {}, SinGAN)
    return SinGAN(**{**SINGAN_PRESETS[preset], **values})


@isolated
def learn_picture(
    x: Any,  # noqa: ANN401 (whatever holds a picture)
    settings: SinGAN | str = DEFAULT_PRESET,
    *,
    run: Run | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> PictureModel:
    """Learn a picture, by SinGAN (Shaham 2019); return the model of it.

    Pictures whose long side exceeds `settings.max_size`, 250 pixels by default, are shrunk to it.

    Args:
        x: an `Image`, or a path, PIL image, array or tensor as `upscale` takes it; or several in a list or tuple,
            pictures of one subject.
        settings: how, or the name of a preset, see `make_settings`.
        run: device, precision, seed, progress; `Run()` when None. It must have no time limit.
        folder: that the model is kept in, see `load_picture_model`; nothing is written if None.
        resume: continue the interrupted training in the folder.
        overwrite: whether a model in the folder may be replaced.

    Raises:
        InputError: an argument is wrong, pictures do not fit each other, one is too small, or the folder holds
            something else.
        ImageFileError: a file cannot be read.
        CheckpointError: the folder is damaged, or cannot be written.
    """
    images = [_image_of(one) for one in (x if isinstance(x, list | tuple) else [x])]
    source = source_of(images)
    target = None if folder is None else ModelFolder(path=Path(folder), source=source, overwrite=overwrite)
    settings = make_settings(settings) if isinstance(settings, str) else settings
    pictures = [to_picture(image, source) for image in images]
    return fit(pictures, settings, run or Run(), folder=target, resume=resume)


def load_picture_model(folder: str | Path, run: Run | None = None) -> PictureModel:
    """The model in a folder that `learn_picture` or `innersr singan train` wrote, on the run's device.

    Raises:
        InputError: its training is not finished.
        CheckpointError: there is none, or it is damaged.
    """
    return load_model(folder, (run or Run()).torch_device)


def _image_of(x: object) -> Image:
    if isinstance(x, Image):
        return x
    return read(x) if isinstance(x, str | Path) else image_from(x)[0]
