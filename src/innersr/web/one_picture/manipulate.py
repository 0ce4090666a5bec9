"""The parts "Paint", "Edit" and "Animate" of the tab "One picture", for trained pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from innersr.errors import InputError
from innersr.images.films.movie import save_movie
from innersr.physics.resize import resize
from innersr.plots.sheets import shown, to_pixels
from innersr.run import Run
from innersr.singan.animation import animate
from innersr.singan.folder.reading import SavedModel
from innersr.singan.learn import make_settings
from innersr.singan.manipulation import contact_sheet_scales, edit, harmonize, paint
from innersr.singan.masks import copy_marked
from innersr.singan.palette import palette_of
from innersr.singan.patches.inpainting import inpaint
from innersr.singan.pictures import visible
from innersr.web.findings import save_pixels
from innersr.web.html import film, status
from innersr.web.one_picture.library import library_of
from innersr.web.place import Place, Work, gallery_of, go_and_stop, skipped, status_line
from innersr.web.visitors import Visitor

Editor = dict[str, Any]
"""What the editor of Gradio gives: "background", "layers" and "composite" as (H, W, 4) uint8."""
Entering = Callable[[Run], tuple[Tensor, Callable[[int, Run], Tensor]]]
"""Makes the picture that enters, and a function that makes the result of a scale."""


def build_paint(place: Place, model: gr.Dropdown) -> None:
    """Lay out "Paint" and connect its controls."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            canvas = gr.ImageEditor(label="Canvas", type="numpy", **_editing())
            blank = gr.Button("A blank canvas of the picture's size", size="sm")
            go, stop = go_and_stop("paint", "Turn it into a picture")
        with gr.Column(scale=3, min_width=300):
            line = status_line("paint", "Get a canvas, and paint blots in the colours of the trained picture.")
            gallery = gallery_of("The result of every scale", "paint-results")
    tab = _Manipulate(place)
    controls = {"model": model, "canvas": canvas}
    place.connect(go, tab.paint, controls, [gallery, line], line, "paint")
    place.connect_stop(stop, line)
    _fill_by(place, blank, tab.blank_canvas, model, [canvas, line])


def build_edit(place: Place, model: gr.Dropdown) -> None:
    """Lay out "Edit" and connect its controls."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            canvas = gr.ImageEditor(label="Canvas", type="numpy", **_editing())
            load = gr.Button("Show the trained picture", size="sm")
            kinds = [
                ("copy what is marked to another place", "copy"),
                ("move it there, and fill where it was", "move"),
                ("blend in what is painted", "edit"),
                ("give what is painted the picture's texture", "harmonize"),
            ]
            kind = gr.Radio(kinds, value="copy", label="What to do")
            loaded = gr.Checkbox(
                label="Take it from the picture that I loaded",
                info="The canvas takes a picture of your own; what you mark in it is pasted.",
            )
            with gr.Group() as moving:
                right = gr.Slider(-100, 100, value=25, step=1, label="To the right, % of the width")
                down = gr.Slider(-100, 100, value=0, step=1, label="Down, % of the height")
            go, stop = go_and_stop("edit", "Edit")
        with gr.Column(scale=3, min_width=300):
            line = status_line("edit", "Show the trained picture, and mark a part with the brush, or paint over it.")
            gallery = gallery_of("The result of every scale", "edit-results")
    tab = _Manipulate(place)
    shown_for = ("copy", "move")
    kind.change(
        lambda chosen: gr.update(visible=chosen in shown_for), kind, moving, queue=False, api_visibility="private"
    )
    controls = {"model": model, "canvas": canvas, "kind": kind, "loaded": loaded, "right": right, "down": down}
    place.connect(go, tab.edit, controls, [gallery, line], line, "edit")
    place.connect_stop(stop, line)
    _fill_by(place, load, tab.own_canvas, model, [canvas, line])


def _fill_by(place: Place, button: gr.Button, fill: Work, model: gr.Dropdown, outputs: list[Any]) -> None:
    """Make a button fill a canvas from the chosen model."""
    handler = place.handler(fill, {"model": model})
    button.click(handler, [model], outputs, show_progress="hidden", api_visibility="private")


def build_animate(place: Place, model: gr.Dropdown) -> None:
    """Lay out "Animate" and connect its controls."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            frames = gr.Slider(2, 200, value=40, step=1, label="Frames")
            fps = gr.Slider(1, 30, value=10, step=1, label="Frames per second")
            start = gr.Slider(
                0, 8, value=1, step=1, label="Start scale", info="0 moves everything; later ones only details."
            )
            strength = gr.Slider(0, 4, value=1, step=0.1, label="Strength of the motion")
            suffix = gr.Radio(["gif", "webp", "mp4"], value="gif", label="Format")
            go, stop = go_and_stop("animate", "Animate")
        with gr.Column(scale=3, min_width=300):
            line = status_line("animate", "The film is made of the trained picture.")
            view = gr.HTML(elem_id="animate-film")
            download = gr.DownloadButton("Download the film", variant="primary", elem_id="animate-download")
    controls = {"model": model, "frames": frames, "fps": fps, "start": start, "strength": strength, "suffix": suffix}
    place.connect(go, _Manipulate(place).animate, controls, [download, view, line], line, "animate")
    place.connect_stop(stop, line)


class _Manipulate:
    """The handlers of the three parts."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def paint(self, asked: Any, visitor: Visitor) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a namespace)
        """Yield progress, then what the painting becomes at every scale."""
        saved = self._saved(asked, visitor)
        painting = _entered(asked.canvas, "composite", saved)

        def make(scale: int, run: Run) -> Tensor:
            return paint(saved.model, painting, scale, run)

        yield from self._at_all_scales(visitor, saved, lambda _run: (painting, make))

    def edit(self, asked: Any, visitor: Visitor) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a namespace)
        """Yield progress, then the edited picture, entering at every scale."""
        saved = self._saved(asked, visitor)
        blend = harmonize if asked.kind == "harmonize" else edit
        own, marked = saved.pictures[0], _marked(asked.canvas, saved)
        is_copied, is_moved = asked.kind in ("copy", "move"), asked.kind == "move"
        if is_moved and asked.loaded:
            raise InputError("what lies in a picture that you loaded cannot be moved; copy it")
        pasted = own if is_copied else _entered(asked.canvas, "composite", saved)
        if asked.loaded:
            pasted = _entered(asked.canvas, "background", saved)
        placed = marked
        if is_copied:
            rows, columns = saved.model.size
            down, right = round(asked.down * rows / 100), round(asked.right * columns / 100)
            pasted, placed = copy_marked(pasted, marked, down, right)

        def enter(run: Run) -> tuple[Tensor, Callable[[int, Run], Tensor]]:
            settings = make_settings(settings={"max_size": str(max(saved.model.size))})
            ground = inpaint(own, marked, settings, run=run) if is_moved else own
            changed = torch.where(placed > 0, pasted, ground)  # all else is as it was
            where = torch.maximum(placed, marked) if is_moved else placed
            return changed, lambda scale, quiet: blend(saved.model, changed, where, scale, quiet, own).blended

        yield from self._at_all_scales(visitor, saved, enter)

    def animate(self, asked: Any, visitor: Visitor) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a namespace)
        """Yield progress, then a film."""
        saved = self._saved(asked, visitor)
        if asked.suffix not in ("gif", "webp", "mp4") or not 1 <= int(asked.frames) <= 200:  # noqa: PLR2004
            raise InputError("a film has 1 to 200 frames and is a gif, a webp or an mp4")
        file = visitor.new_folder() / f"{asked.model}.{asked.suffix}"

        def work(run: Run) -> Path:
            start = min(int(asked.start), len(saved.model.scales) - 1)
            frames = animate(
                saved.model, frames=int(asked.frames), start=start, strength=float(asked.strength), run=run
            )
            source = saved.record.source
            save_movie(
                (shown(visible(frame, source), least=1, most=(1080, 1920)) for frame in frames),
                file,
                fps=float(asked.fps),
            )
            return file

        job = self._place.job(visitor, work)
        for bar in job.bars("Animating"):
            yield *skipped(2), bar  # the last film stays, and so does its download
        yield str(file), film(file, f"animation of {asked.model}"), status(f"{file.name} is made.")

    def blank_canvas(self, asked: Any, visitor: Visitor) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a namespace)
        """A canvas of the mean colour of the picture, and brushes of its main colours."""
        saved = self._saved(asked, visitor)
        mean = saved.pictures[0].mean((-1, -2), keepdim=True).expand_as(saved.pictures[0])
        canvas = gr.update(value=self._canvas(mean, saved, visitor), brush=gr.Brush(colors=[*_main_colours(saved)]))
        yield canvas, status("Paint, then turn it into a picture.")

    def own_canvas(self, asked: Any, visitor: Visitor) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a namespace)
        """A canvas with the trained picture."""
        saved = self._saved(asked, visitor)
        yield self._canvas(saved.pictures[0], saved, visitor), status("Mark a part with the brush.")

    def _saved(self, asked: Any, visitor: Visitor) -> SavedModel:  # noqa: ANN401 (a namespace)
        return library_of(visitor, self._place.library).load(asked.model)

    def _canvas(self, picture: Tensor, saved: SavedModel, visitor: Visitor) -> Editor:
        pixels = shown(visible(picture, saved.record.source), least=600, most=(4096, 4096))  # or the brush is too large
        file = save_pixels(pixels, visitor.new_folder() / "canvas.png")
        return {"background": str(file), "layers": [], "composite": str(file)}

    def _at_all_scales(self, visitor: Visitor, saved: SavedModel, enter: Entering) -> Iterator[tuple[Any, ...]]:
        folder = visitor.new_folder()

        def work(run: Run) -> list[tuple[str, str]]:
            quiet = Run(device=run.device, seed=run.seed, cancelled=run.cancelled)
            entered, make = enter(quiet)
            tried = contact_sheet_scales(saved.model, lambda scale: make(scale, quiet), run)
            named = [("input", entered), *((f"scale {scale}", result) for scale, result in tried)]
            return [(str(_save(picture, saved, folder / f"{name}.png")), name) for name, picture in named]

        job = self._place.job(visitor, work)
        for bar in job.bars("Trying every scale"):
            yield gr.skip(), bar
        yield job.result, status("Choose the one that you like: coarse scales change most.")


def _save(picture: Tensor, saved: SavedModel, file: Path) -> Path:
    return save_pixels(shown(visible(picture, saved.record.source), least=1, most=(4096, 4096)), file)


def _main_colours(saved: SavedModel) -> list[str]:
    """The main colours of a picture, as browsers name them."""
    palette = palette_of(saved.pictures[0], 6, Run().generator()).mT[None, :, None]
    return [f"#{bytes(colour).hex()}" for colour in to_pixels(visible(palette, saved.record.source))[0]]


def _editing() -> dict[str, Any]:
    return {"format": "png", "sources": ("upload", "clipboard"), "image_mode": "RGBA", "buttons": ["fullscreen"]}


def _entered(canvas: Editor | None, part: str, saved: SavedModel) -> Tensor:
    """A part of an editor as a picture of the model's size and channels, (1, C, H, W) in [-1, 1]."""
    if canvas is None or canvas.get(part) is None:
        raise InputError("the canvas is empty; get one of the picture's size, and paint on it")
    channels = saved.model.channels
    values = torch.from_numpy(np.ascontiguousarray(canvas[part])).permute(2, 0, 1)[None].float() / 255
    colour = values[:, :3] * values[:, 3:] + 1 - values[:, 3:] if values.shape[1] == 4 else values[:, :3]  # noqa: PLR2004
    if channels == 1:
        colour = colour.mean(1, keepdim=True)
    elif channels != colour.shape[1]:
        raise InputError(f"a picture of {channels} channels cannot be painted here; use innersr singan on a file")
    return resize(colour * 2 - 1, size=saved.model.size).clamp(-1, 1)


def painted_on(canvas: Editor | None) -> NDArray[np.uint8]:
    """Where the layers of an editor are painted on: (H, W), 255 there and 0 elsewhere.

    Raises:
        InputError: nothing is painted.
    """
    layers = [] if canvas is None else [layer for layer in canvas.get("layers") or [] if layer is not None]
    if not any(layer[..., 3].any() for layer in layers):
        raise InputError("nothing is painted; show the picture, and paint over a part of it with the brush")
    marked = np.max([layer[..., 3] for layer in layers], axis=0) >= 128  # noqa: PLR2004 (half)
    return np.where(marked, np.uint8(255), np.uint8(0))


def _marked(canvas: Editor | None, saved: SavedModel) -> Tensor:
    """Where the layers of an editor are painted on: (1, 1, H, W), 1 there and 0 elsewhere."""
    mask = torch.from_numpy(painted_on(canvas))[None, None].float() / 255
    return (resize(mask, size=saved.model.size) > 0.5).float()  # noqa: PLR2004 (half)
