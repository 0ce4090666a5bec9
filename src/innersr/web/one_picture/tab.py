"""The tab "One picture": samples of it at once; trained, it can be painted, edited and animated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.images.io import read
from innersr.plots.sheets import shown
from innersr.run import Run
from innersr.singan.learn import make_settings
from innersr.singan.model import PictureModel
from innersr.singan.patches.model import PatchModel, patch_model
from innersr.singan.pictures import PictureSource, source_of, to_picture, visible
from innersr.web.findings import save_pixels
from innersr.web.html import status
from innersr.web.one_picture.library import library_of
from innersr.web.one_picture.manipulate import build_animate, build_edit, build_paint
from innersr.web.one_picture.train import build_train
from innersr.web.place import Place, example_buttons, gallery_of, go_and_stop, picture_input, status_line
from innersr.web.visitors import Visitor


def build_one_picture(place: Place) -> None:
    """Lay out the tab and connect its controls."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            picture = picture_input()
            example_buttons(picture)
        with gr.Column(scale=3, min_width=300):
            model = gr.Dropdown(
                [],
                label="Trained pictures",
                info="Samples need none; Paint, Edit and Animate do.",
                interactive=True,
                allow_custom_value=True,
                elem_id="one-model",
            )
    with gr.Tab("Samples"):
        _build_samples(place, picture, model)
    with gr.Tab("Train"):
        build_train(place, picture, model)
    with gr.Tab("Paint"):
        build_paint(place, model)
    with gr.Tab("Edit"):
        build_edit(place, model)
    with gr.Tab("Animate"):
        build_animate(place, model)


def _build_samples(place: Place, picture: gr.File, model: gr.Dropdown) -> None:
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            engines = [("patches of the picture above", "patches"), ("the trained picture", "network")]
            engine = gr.Radio(engines, value="patches", label="Made of")
            count = gr.Slider(1, 12, value=4, step=1, label="How many")
            start = gr.Slider(
                0, 8, value=0, step=1, label="Start scale", info="0 varies most; later ones keep the layout."
            )
            every = gr.Checkbox(label="One of every start scale instead")
            width = gr.Slider(0.5, 3, value=1, step=0.1, label="Width, relative to the picture")
            height = gr.Slider(0.5, 3, value=1, step=0.1, label="Height, relative to the picture")
            longest = gr.Slider(
                32, 500, value=160, step=4, label="Long side, in pixels", info="The picture is shrunk to it."
            )
            seed = gr.Number(0, label="Seed", precision=0, minimum=0)
            go, stop = go_and_stop("samples", "Make samples")
        with gr.Column(scale=3, min_width=300):
            line = status_line("samples", "Drop a picture, or try an example.")
            gallery = gallery_of("Samples", "samples")
    controls = {
        "picture": picture,
        "model": model,
        "engine": engine,
        "count": count,
        "start": start,
        "every": every,
        "width": width,
        "height": height,
        "longest": longest,
        "seed": seed,
    }
    place.connect(go, _Samples(place).sample, controls, [gallery, line], line, "sample")
    place.connect_stop(stop, line)


class _Samples:
    """The handlers of the samples."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def sample(self, asked: Any, visitor: Visitor) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a namespace)
        """Yield progress, then a gallery."""
        if not 1 <= int(asked.count) <= 12:  # noqa: PLR2004 (as the slider)
            raise InputError(f"1 to 12 samples can be made at a time, got {asked.count}")
        load = self._loader(asked, visitor)
        folder = visitor.new_folder()

        def work(run: Run) -> list[tuple[str, str]]:
            model, source = load(run)
            size = round(asked.height * model.size[0]), round(asked.width * model.size[1])
            if size[0] * size[1] > self._place.limits.pixels:
                raise InputError(f"samples of {size[1]} x {size[0]} pixels are too large; choose a smaller size")
            last = len(model.sizes[0]) - 1
            if asked.every:
                pictures = [model.sample(1, size=size, start=k, run=run) for k in range(last + 1)]
                names = [f"from scale {k}" for k in range(last + 1)]
            else:
                pictures = [model.sample(int(asked.count), size=size, start=min(int(asked.start), last), run=run)]
                names = [f"sample {k + 1}" for k in range(int(asked.count))]
            return saved_gallery(torch.cat(pictures), source, names, folder)

        job = self._place.job(visitor, work, int(asked.seed or 0))
        for bar in job.bars("Making samples"):
            yield gr.skip(), bar
        yield job.result, status(f"{len(job.result)} samples are made.")

    def _loader(self, asked: Any, visitor: Visitor) -> Any:  # noqa: ANN401 (a namespace)
        if asked.engine == "network":
            library = library_of(visitor, self._place.library)

            def load_network(_run: Run) -> tuple[PictureModel, PictureSource]:
                saved = library.load(asked.model)
                return saved.model, saved.record.source

            return load_network
        path = self._place.visitors.upload(visitor, asked.picture)

        def load_patches(run: Run) -> tuple[PatchModel, PictureSource]:
            image = read(path, pixel_limit=self._place.limits.pixels)
            source = source_of([image])
            settings = make_settings(settings={"max_size": str(int(asked.longest))})
            return patch_model(to_picture(image, source), settings, run=run), source

        return load_patches


def saved_gallery(pictures: Tensor, source: PictureSource, names: list[str], folder: Path) -> list[tuple[str, str]]:
    """Save pictures, (N, C, H, W) in [-1, 1], as browsers show them; return (file, caption) of each."""
    files = []
    for name, picture in zip(names, visible(pictures, source), strict=True):
        pixels = shown(picture[None], least=1, most=(4096, 4096))
        files.append((str(save_pixels(pixels, folder / f"{name.replace(' ', '-')}.png")), name))
    return files
