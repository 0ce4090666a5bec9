"""The tab "Compare": one picture by several methods, with their figures in one table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from innersr.errors import InputError
from innersr.images.image import Image
from innersr.images.io import read
from innersr.methods.options import UpscaleOptions
from innersr.metrics.fidelity import psnr_y, ssim_y
from innersr.physics.resize import image_size
from innersr.pipeline.files import open_file
from innersr.pipeline.result import Result
from innersr.run import Run
from innersr.web.findings import save_comparison
from innersr.web.html import asset, status, zoom_view
from innersr.web.orders import METHODS, preset_for
from innersr.web.pace import planned_time
from innersr.web.place import Place, example_buttons, picture_input
from innersr.web.visitors import Visitor


class Row(NamedTuple):
    """What a method made, as the table and the viewer show it."""

    method: str
    seconds: float
    consistency: float
    psnr: float | None
    ssim: float | None
    preview: Path
    bicubic: Path
    size: tuple[int, int]

    @property
    def cells(self) -> list[str]:
        """The row of the table."""
        quality = ("" if value is None else f"{value:.{digits}f}" for value, digits in ((self.psnr, 2), (self.ssim, 4)))
        return [self.method, f"{self.seconds:.1f}", f"{self.consistency:.1f}", *quality]


def build_compare(place: Place) -> None:
    """Lay out the tab and connect its controls."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            picture = picture_input()
            example_buttons(picture)
            truth = picture_input("True large picture, if you have it")
            methods = gr.CheckboxGroup(list(METHODS), value=["bicubic", "tailor"], label="Methods")
            scale = gr.Slider(1.1, 8, value=2, step=0.1, label="Scale")
            preset = gr.Radio(["draft", "balanced", "best"], value="draft", label="Quality")
            with gr.Row():
                go = gr.Button("Compare", variant="primary", elem_id="compare-go")
                stop = gr.Button("Stop", variant="stop", elem_id="compare-stop")
        with gr.Column(scale=3, min_width=300):
            progress = gr.HTML(status("Drop a picture and choose the methods."), elem_id="compare-status")
            table = gr.Dataframe(
                headers=["method", "seconds", "consistency, dB", "PSNR-Y, dB", "SSIM-Y"],
                interactive=False,
                label="Figures",
                elem_id="compare-table",
            )
            view = gr.HTML(js_on_load=asset("zoom.js"), elem_id="compare-view")
    tab = _Compare(place)
    controls = {"picture": picture, "truth": truth, "methods": methods, "scale": scale, "preset": preset}
    place.connect(go, tab.compare, controls, [table, progress, view], progress, "compare")
    place.connect_stop(stop, progress)


class _Compare:
    """The handlers of the tab."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def compare(self, asked: Any, visitor: Visitor) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a namespace)
        """Yield the growing table, then the pictures side by side."""
        if not asked.methods:
            raise InputError("no method is chosen; tick one at least")
        limit = self._place.limits.pixels
        source = self._place.visitors.upload(visitor, asked.picture)
        truth = None
        if asked.truth is not None:
            truth = read(self._place.visitors.upload(visitor, asked.truth, "true picture"), pixel_limit=limit)
        rows: list[Row] = []
        for method in asked.methods:
            options = UpscaleOptions(
                scale=asked.scale,
                method=method,
                preset=preset_for(method, asked.preset),
                pixel_limit=limit,
                overwrite=True,
            )
            folder = visitor.new_folder()

            def work(run: Run, options: UpscaleOptions = options, folder: Path = folder, method: str = method) -> Row:
                return self._row(method, source, folder, options, truth, run)

            job = self._place.job(visitor, work)
            for bar in job.bars(method):
                yield (gr.skip(), bar, gr.skip()) if rows else (None, bar, None)
            rows.append(job.result)
            yield [row.cells for row in rows], status(f"{method} is done."), gr.skip()
        pictures = [(row.method, row.preview) for row in rows]
        if "bicubic" not in asked.methods:
            pictures.insert(0, ("bicubic", rows[0].bicubic))
        words = status(f"{len(rows)} of {len(rows)} methods are done.")
        yield [row.cells for row in rows], words, zoom_view(pictures, rows[0].size)

    def _row(  # noqa: PLR0913 (one method, its options and where it writes)
        self, method: str, source: Path, folder: Path, options: UpscaleOptions, truth: Image | None, run: Run
    ) -> Row:
        task = open_file(source, folder / f"{method}{source.suffix}", options)
        if truth is not None and image_size(truth.colour) != task.hr_size:
            (height, width), (rows, columns) = image_size(truth.colour), task.hr_size
            raise InputError(
                f"the true picture has {width} x {height} pixels, the results {columns} x {rows}; give one of that size"
            )
        task = replace(task, target=folder / task.target.name)
        task.check()
        result = task.write(self._place.in_time(run, planned_time(task)))
        before, after = save_comparison(task.image, result.image, folder)
        psnr, ssim = _quality(result, truth, max(task.scales))
        return Row(method, result.seconds, result.consistency_psnr, psnr, ssim, after, before, task.hr_size)


def _quality(result: Result, truth: Image | None, scale: float) -> tuple[float | None, float | None]:
    """PSNR and SSIM of the luma, without as many pixels of the border as the scale; None without a truth."""
    if truth is None:
        return None, None
    sr, hr, shave = result.image.colour.clamp(0, 1), truth.colour.clamp(0, 1), round(scale)
    if sr.shape != hr.shape:
        raise InputError(f"the true picture has {hr.shape[1]} channels, the results {sr.shape[1]}; give one like them")
    ssim = ssim_y(sr, hr, shave) if min(image_size(sr)) >= 11 + 2 * shave else None
    return psnr_y(sr, hr, shave), ssim
