"""The part "Train" of the tab "One picture": SinGAN learns a picture, with a preview of each scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from torch import Tensor

from innersr.errors import InputError
from innersr.images.io import read
from innersr.plots.sheets import shown
from innersr.run import Run
from innersr.singan.fit import Callbacks, fit, untrained_model
from innersr.singan.folder.writing import ModelFolder
from innersr.singan.learn import make_settings
from innersr.singan.model import PictureModel, previews_of
from innersr.singan.pictures import PictureSource, source_of, to_picture, visible
from innersr.singan.settings import SinGAN
from innersr.web.findings import save_pixels
from innersr.web.html import status
from innersr.web.one_picture.library import Library, library_of
from innersr.web.pace import Stages
from innersr.web.place import Place, gallery_of, go_and_stop, status_line
from innersr.web.visitors import Visitor


def build_train(place: Place, picture: gr.File, model: gr.Dropdown) -> None:
    """Lay out the part and connect its controls."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            preset = gr.Radio(["draft", "balanced", "best"], value="draft", label="Quality")
            longest = gr.Slider(
                32,
                500,
                value=160,
                step=4,
                label="Long side, in pixels",
                info="The picture is shrunk to it; larger takes longer.",
            )
            iterations = gr.Number(
                0, label="Iterations of each scale", info="0 takes as many as the quality says.", precision=0, minimum=0
            )
            seed = gr.Number(0, label="Seed", precision=0, minimum=0)
            go, stop = go_and_stop("train", "Train")
            again = gr.Button("Continue the chosen one", elem_id="train-again")
            remove = gr.Button("Remove the chosen one", variant="stop", size="sm")
        with gr.Column(scale=3, min_width=300):
            line = status_line("train", "Training learns the picture above, from coarse to fine scales.")
            gallery = gallery_of("Sample and reconstruction of each scale", "train-previews", columns=2)
    tab = _Train(place)
    begun = {"picture": picture, "preset": preset, "longest": longest, "iterations": iterations, "seed": seed}
    outputs = [model, line, gallery]
    place.connect(go, tab.begin, begun, outputs, line, "train")
    place.connect_stop(stop, line)
    place.connect(again, tab.resume, {"model": model}, outputs, line, "resume")
    removing = place.handler(tab.remove, {"model": model})
    remove.click(removing, [model], [model, line], queue=False, show_progress="hidden", api_visibility="private")
    choosing: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
    model.focus(place.handler(tab.choices), None, model, **choosing)


class _Train:
    """The handlers of the part."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._trained_now: set[Path] = set()  # folders of models, by whichever visitor

    def begin(self, asked: Any, visitor: Visitor) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a namespace)
        """Learn the picture; yield progress and previews."""
        path = self._place.visitors.upload(visitor, asked.picture)
        own = {"max_size": str(int(asked.longest))}
        if asked.iterations:
            own["iterations"] = str(int(asked.iterations))
        image = read(path, pixel_limit=self._place.limits.pixels)
        source = source_of([image])
        library = library_of(visitor, self._place.library)
        target = ModelFolder(path=library.new(path), source=source)
        work = [to_picture(image, source)], make_settings(asked.preset, own), target, None
        yield from self._train(visitor, library, *work, int(asked.seed or 0))

    def resume(self, asked: Any, visitor: Visitor) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a namespace)
        """Go on with an interrupted training; yield progress and previews."""
        library = library_of(visitor, self._place.library)
        saved = library.load(asked.model, is_complete=False)
        target = ModelFolder(path=library.path(asked.model), source=saved.record.source)
        image = read(library.picture(asked.model), pixel_limit=self._place.limits.pixels)
        work = [to_picture(image, saved.record.source)], saved.record.settings, target, saved.model
        yield from self._train(visitor, library, *work, saved.record.seed)

    def remove(self, asked: Any, visitor: Visitor) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a namespace)
        """Remove the chosen model."""
        library = library_of(visitor, self._place.library)
        self._check_free(library.path(asked.model))
        library.remove(asked.model)
        yield gr.Dropdown(choices=library.names, value=None), status(f"{asked.model} is removed.")

    def choices(self, _asked: object, visitor: Visitor) -> Iterator[Any]:
        """Show what the library holds."""
        yield gr.update(choices=library_of(visitor, self._place.library).names)

    def _train(  # noqa: PLR0913 (what is learned, how, and where it goes)
        self,
        visitor: Visitor,
        library: Library,
        pictures: list[Tensor],
        settings: SinGAN,
        target: ModelFolder,
        begun: PictureModel | None,
        seed: int,
    ) -> Iterator[tuple[Any, ...]]:
        self._check_free(target.path)
        previews: list[tuple[str, str]] = []
        folder = visitor.new_folder()
        assert target.source is not None
        show = _previewer(target.source, folder, previews, seed)
        callbacks = Callbacks(scale=show, note=lambda _: None)

        def work(run: Run) -> PictureModel:
            model = begun or untrained_model(pictures, settings, seed)
            job.expect_stages(_stages(model))
            for count in range(len(model.scales)):  # their previews are gone
                show(replace(model, scales=model.scales[: count + 1]))
            # Stopping saves the state, to go on with later, where cancelling would lose it.
            uncancelled = replace(run, cancelled=None)
            return fit(
                pictures,
                settings,
                uncancelled,
                folder=target,
                resume=begun is not None,
                callbacks=callbacks,
                should_stop=run.cancelled,
            )

        job = self._place.job(visitor, work, seed)
        self._trained_now.add(target.path)
        try:
            for bar in job.bars("Learning the picture"):
                yield gr.skip(), bar, list(previews)
        finally:
            self._trained_now.remove(target.path)
        name = target.path.name
        done = f"{name} is learned." if job.result.is_complete else f"{name} is stopped; it can be continued."
        yield gr.Dropdown(choices=library.names, value=name), status(done), list(previews)

    def _check_free(self, path: Path) -> None:
        if path in self._trained_now:
            raise InputError(f"{path.name} is being trained; wait for it, or press Stop where it was begun")


def _stages(model: PictureModel) -> Stages:
    """What the steps of all scales cost: as many pixels as they learn from, and some time whatever they are."""
    settings, sizes = model.settings, model.sizes[0]
    pixels = [min(height * width, settings.crop**2 or height * width) for height, width in sizes]
    widths = [settings.widths_at(scale)[0] / settings.widths_at(0)[0] for scale in range(len(sizes))]
    costs = [(count + 3000) * width**2 for count, width in zip(pixels, widths, strict=True)]
    return Stages(steps=settings.iterations, costs=costs)


def _previewer(source: PictureSource, folder: Path, previews: list[tuple[str, str]], seed: int) -> Any:  # noqa: ANN401
    """Callback that adds a sample and the reconstruction of a scale to the previews."""

    def show(model: PictureModel) -> None:
        scale = len(model.scales) - 1
        for name, picture in zip(("sample", "reconstruction"), previews_of(model, seed), strict=True):
            pixels = shown(visible(picture, source), least=160, most=(480, 480))
            file = save_pixels(pixels, folder / f"scale-{scale}-{name}.png")
            previews.append((str(file), f"{name} {scale}"))

    return show
