"""The tab "Enlarge": one picture, what happened to it, and the same picture larger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from innersr.errors import Cancelled
from innersr.images.io import read
from innersr.pipeline.files import open_file
from innersr.pipeline.films import FilmTask
from innersr.pipeline.result import Result
from innersr.pipeline.tasks import FileTask
from innersr.run import Run
from innersr.web.findings import Findings, findings_of, save_comparison, save_pixels, save_preview
from innersr.web.html import asset, bullets, duration, status, zoom_view
from innersr.web.one_picture.manipulate import painted_on
from innersr.web.orders import METHODS, Order, order_of
from innersr.web.pace import amount, planned_time
from innersr.web.place import Place, drawing, example_buttons, go_and_stop, picture_input, skipped, status_line
from innersr.web.visitors import Visitor


@dataclass(frozen=True, kw_only=True, eq=False)
class Controls:
    """What the visitor chooses, in the order in which handlers take it."""

    picture: gr.File
    scale: gr.Slider
    size: gr.Textbox
    preset: gr.Radio
    method: gr.Dropdown
    kernel: gr.Radio
    long: gr.Slider
    short: gr.Slider
    angle: gr.Slider
    kernel_file: gr.File
    noise: gr.Textbox
    deblur: gr.Slider
    keep_grain: gr.Checkbox
    mask: gr.Radio
    canvas: gr.ImageEditor
    mask_file: gr.File
    seed: gr.Number


def build_enlarge(place: Place) -> None:
    """Lay out the tab and connect its controls."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            controls = _controls()
            go, stop = go_and_stop("enlarge", "Enlarge")
        with gr.Column(scale=3, min_width=300):
            progress = status_line("enlarge", "Drop a picture, or try an example.")
            with gr.Accordion("What happened to this picture", open=True, elem_classes="isr-found"):
                found = gr.HTML(elem_id="enlarge-found")
                with gr.Row(elem_classes="isr-drawings"):
                    preview = drawing("Your picture")
                    kernel = drawing("Its blur, in pixels of the result")
                    heat = drawing("Where it recurs at a larger size")
            with gr.Column(elem_classes="isr-result"):
                slider = gr.ImageSlider(
                    label="Bicubic | innersr", format="png", interactive=False, buttons=["fullscreen"]
                )
                facts = gr.HTML(elem_id="enlarge-facts")
                download = gr.DownloadButton("Download the result", variant="primary", elem_id="enlarge-download")
                mask = gr.DownloadButton("Download the mask", visible=False, elem_id="enlarge-mask")
                with gr.Accordion("Side by side, zoom in step", open=True):
                    view = gr.HTML(js_on_load=asset("zoom.js"), elem_id="enlarge-view")
                with gr.Accordion("The same without the page", open=False):
                    plain: dict[str, Any] = {"lines": 1, "max_lines": 8, "wrap_lines": True}
                    command = gr.Code(label="Command line", language="shell", interactive=False, **plain)
                    python = gr.Code(label="Python", language="python", interactive=False, **plain)
    inputs = list(vars(controls).values())
    tab = _Enlarge(place)
    controls.picture.change(  # nothing of an earlier picture stays
        place.handler(tab.clear, {"picture": controls.picture}),
        controls.picture,
        [found, preview, kernel, heat, slider, view, facts, download, mask, command, python],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
    gr.on(
        [controls.picture.change, controls.kernel.change, controls.kernel_file.change],
        place.handler(tab.examine, vars(controls), lambda line: (line, *skipped(4))),
        inputs,
        [progress, found, preview, kernel, heat],
        api_name="examine",
        trigger_mode="always_last",
        **place.queued,
    )
    gr.on(
        [each.change for each in (controls.scale, controls.size, controls.preset, controls.method)],
        place.handler(tab.forecast, vars(controls), lambda _: gr.skip()),
        inputs,
        found,
        api_visibility="private",
        trigger_mode="always_last",
        show_progress="hidden",
    )
    outputs = [download, progress, slider, view, facts, mask, command, python]
    place.connect(go, tab.enlarge, vars(controls), outputs, progress, "enlarge")
    place.connect_stop(stop, progress, is_in_api=True)
    gr.on(
        [controls.picture.change, controls.mask.change],
        place.handler(tab.show_canvas, {"picture": controls.picture, "mask": controls.mask}),
        [controls.picture, controls.mask],
        [controls.canvas, controls.mask_file],
        api_visibility="private",
        trigger_mode="always_last",
        show_progress="hidden",
    )


def _controls() -> Controls:
    picture = picture_input(takes_films=True)
    example_buttons(picture)
    scale = gr.Slider(1.1, 8, value=2, step=0.1, label="Scale")
    size = gr.Textbox(value="", label="Or a size", placeholder="1920x, x1080, 1920x1080, 150%", max_lines=1)
    names = [("draft, a second", "draft"), ("balanced", "balanced"), ("best, ten times slower", "best")]
    preset = gr.Radio(names, value="balanced", label="Quality")
    with gr.Accordion("Blur, noise and method", open=False):
        kernels = [
            ("estimate, on the safe side", "auto"),
            ("estimate, and trust it", "estimate"),
            ("shrunk by software (bicubic)", "bicubic"),
            ("Gaussian", "gaussian"),
            ("a file", "file"),
        ]
        kernel = gr.Radio(kernels, value="auto", label="Blur of the picture")
        with gr.Group(visible=False) as sliders:
            long = gr.Slider(0.3, 6, value=1.2, step=0.1, label="Width along, in pixels of the result")
            short = gr.Slider(0.3, 6, value=1.2, step=0.1, label="Width across, in pixels of the result")
            angle = gr.Slider(-90, 90, value=0, step=1, label="Direction, in degrees")
        kernel_file = gr.File(label="Kernel file (.mat, .npy, .png, .txt)", height=90, visible=False)
        noise = gr.Textbox("", label="Noise, in grey levels of 255", placeholder="estimated", max_lines=1)
        deblur = gr.Slider(0, 1, value=0.5, step=0.05, label="Share of the estimated blur to remove")
        keep_grain = gr.Checkbox(label="Put the grain back")
        method = gr.Dropdown(list(METHODS), value="tailor", label="Method")
        seed = gr.Number(0, label="Seed", precision=0, minimum=0)
    kernel.change(
        lambda kind: (gr.update(visible=kind == "gaussian"), gr.update(visible=kind == "file")),
        kernel,
        [sliders, kernel_file],
        queue=False,
        api_visibility="private",
    )
    mask, canvas, mask_file = _mask_controls()
    return Controls(
        picture=picture,
        scale=scale,
        size=size,
        preset=preset,
        method=method,
        kernel=kernel,
        long=long,
        short=short,
        angle=angle,
        kernel_file=kernel_file,
        noise=noise,
        deblur=deblur,
        keep_grain=keep_grain,
        mask=mask,
        canvas=canvas,
        mask_file=mask_file,
        seed=seed,
    )


def _mask_controls() -> tuple[gr.Radio, gr.ImageEditor, gr.File]:
    with gr.Accordion("Protect a part", open=False):
        kinds = [
            ("the whole picture gets detail", "none"),
            ("protect what I paint over", "protect"),
            ("detail only where I paint", "restrict"),
            ("a mask file", "file"),
        ]
        mask = gr.Radio(kinds, value="none", label="Mask", info="What is protected is enlarged without added detail.")
        canvas = gr.ImageEditor(
            label="Paint here",
            type="numpy",
            format="png",
            image_mode="RGBA",
            sources=(),
            transforms=(),
            layers=False,
            brush=gr.Brush(colors=["#ff2d2db0"], color_mode="fixed"),
            buttons=["fullscreen"],
            visible=False,
            elem_id="enlarge-canvas",
        )
        mask_file = gr.File(label="Mask file, white where detail is added", height=90, visible=False)
    return mask, canvas, mask_file


class _Enlarge:
    """The handlers of the tab; `asked` has the fields of `Controls`."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def clear(self, asked: Any, visitor: Visitor) -> Iterator[list[None]]:  # noqa: ANN401 (a namespace)
        """Remember which picture lies here, and yield nothing for all that is shown of another."""
        visitor.dropped = Path(asked.picture or "").resolve()
        yield [None] * 11

    def examine(self, asked: Any, visitor: Visitor) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a namespace)
        """Yield progress, findings and drawings of a picture."""
        if asked.picture is None:
            yield status("Drop a picture, or try an example."), "", None, None, None
            return
        folder, order = visitor.new_folder(), self._order(asked, visitor)
        source = self._place.visitors.upload(visitor, asked.picture)

        def find(run: Run) -> Findings:
            options = order.upscaling(self._place.limits.pixels)
            whole = open_file(source, None, options)
            if isinstance(whole, FilmTask):  # its first frame
                one = FileTask(image=whole.image, options=options, source=source, target=folder / "none.png")
            else:
                one = whole if amount(whole) == (1, 1) else open_file(source, folder / "none.png", options)
            return findings_of(one, whole, run)

        job = self._place.job(visitor, find)
        for bar in job.bars("Looking at the picture"):
            yield bar, *skipped(4)
        findings: Findings = job.result
        visitor.examined[source] = findings.recurrence, findings.blurs
        visitor.found[source] = [*findings.sentences, f"advice: {findings.advice}"]
        found = self._told(visitor, source, findings.whole)
        preview = str(save_preview(findings.task.image, folder / "picture.png", least=320))
        yield status("Drawing what was found …"), found, preview, gr.skip(), gr.skip()
        drawings = findings.draw_kernel(folder / "kernel.png"), findings.draw_recurrence(folder / "recurrence.png")
        yield status("Ready to enlarge."), found, preview, *map(str, drawings)

    def forecast(self, asked: Any, visitor: Visitor) -> Iterator[Any]:  # noqa: ANN401 (a namespace)
        """Yield the findings of a picture with the forecast for other wishes, where it has been examined."""
        source = visitor.dropped
        if source is None or source not in visitor.found:
            yield gr.skip()
            return
        whole = open_file(source, None, self._order(asked, visitor).upscaling(self._place.limits.pixels))
        yield self._told(visitor, source, whole)

    def _told(self, visitor: Visitor, source: Path, whole: FileTask) -> str:
        """What was found in a picture, and how long it takes to enlarge it, as HTML."""
        (rows, columns), plan = whole.hr_size, planned_time(whole, *visitor.examined[source])
        forecast = f"enlarging it to {columns} × {rows} pixels takes {self._place.forecast(plan)}"
        return bullets([*visitor.found[source], forecast])

    def enlarge(self, asked: Any, visitor: Visitor) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a namespace)
        """Yield progress, then the result and all about it."""
        folder, source = visitor.new_folder(), self._place.visitors.upload(visitor, asked.picture)
        mask = self._mask(asked, visitor)
        order = self._order(asked, visitor, mask)
        options = order.upscaling(self._place.limits.pixels)
        lying = visitor.dropped

        def is_replaced() -> bool:  # the result would stand below what is found in another picture
            return visitor.dropped not in (lying, source)

        def upscale(run: Run) -> tuple[FileTask, Result, tuple[Path, Path]]:
            task = open_file(source, None, options)
            task = replace(task, target=folder / task.target.name)
            task.check()
            plan = planned_time(task, *visitor.examined.get(source, ()))
            job.expect(plan)
            result = task.write(self._place.in_time(run, plan))
            return task, result, save_comparison(task.image, result.image, folder)

        job = self._place.job(visitor, upscale, order.seed)
        for bar in job.bars("Enlarging"):
            if is_replaced():
                visitor.stop.set()
            yield gr.skip(), bar, *skipped(6)
        if is_replaced():
            raise Cancelled("stopped; nothing was made")
        task, result, (before, after) = job.result
        height, width = task.hr_size
        facts = [
            result.fidelity,
            f"{width} × {height} pixels, consistency {result.consistency}",
            *result.notes,
        ]
        view = zoom_view([("bicubic", before), ("innersr", after)], task.hr_size)
        yield (
            str(result.path),
            status(f"Done in {duration(result.seconds)}: {result.path.name} is ready."),
            (str(before), str(after)),
            view,
            bullets(facts),
            gr.update(value=None if mask is None else str(mask), visible=asked.mask in ("protect", "restrict")),
            order.command(source.name),
            order.python(source.name),
        )

    def show_canvas(self, asked: Any, visitor: Visitor) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a namespace)
        """Yield the canvas with the picture, where one is to be painted on, and the place for a mask file."""
        is_painted, is_file = asked.mask in ("protect", "restrict"), asked.mask == "file"
        background = None
        if is_painted and asked.picture is not None:
            source = self._place.visitors.upload(visitor, asked.picture)
            image = read(source, pixel_limit=self._place.limits.pixels)
            background = str(save_preview(image, visitor.new_folder() / "canvas.png", least=600))
        canvas = None if background is None else {"background": background, "layers": [], "composite": background}
        yield gr.update(value=canvas, visible=canvas is not None), gr.update(visible=is_file)

    def _mask(self, asked: Any, visitor: Visitor) -> Path | None:  # noqa: ANN401 (a namespace)
        """The mask file that was sent, or one of what was painted."""
        if asked.mask == "none":
            return None
        if asked.mask == "file":
            return self._place.visitors.upload(visitor, asked.mask_file, "mask file")
        painted = painted_on(asked.canvas)
        pixels = 255 - painted if asked.mask == "protect" else painted
        return save_pixels(pixels, visitor.new_folder() / "mask.png")

    def _order(self, asked: Any, visitor: Visitor, mask: Path | None = None) -> Order:  # noqa: ANN401 (a namespace)
        file = asked.kernel_file if asked.kernel == "file" else None
        return order_of(
            scale=asked.scale,
            size=asked.size,
            method=asked.method,
            preset=asked.preset,
            kernel=asked.kernel,
            gaussian=(asked.long, asked.short, asked.angle),
            kernel_file=None if file is None else self._place.visitors.upload(visitor, file, "kernel file"),
            noise=asked.noise,
            deblur=asked.deblur,
            keep_grain=asked.keep_grain,
            mask=mask,
            seed=asked.seed or 0,
        )
