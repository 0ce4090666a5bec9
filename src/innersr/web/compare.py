"""The tab "Compare": one picture by several methods, with their figures in one table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from innersr.errors import InputError
from innersr.images.image import Image
from innersr.images.io import read, with_suffix
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
from innersr.web.place import Place, example_buttons, go_and_stop, picture_input, status_line
from innersr.web.visitors import Visitor

HEADERS = ["method", "seconds", "consistency", "PSNR-Y", "SSIM-Y"]


class Row(NamedTuple):
    """What a method made, as the table and the viewer show it."""

    method: str
    seconds: float
    consistency: str
    psnr: float | None
    ssim: float | None
    preview: Path
    bicubic: Path
    size: tuple[int, int]

    @property
    def cells(self) -> list[str]:
        """The row of the table, without what needs a true picture where there is none."""
        seconds = f"{self.seconds:.1f}" if self.seconds >= 0.1 else "< 0.1"  # noqa: PLR2004 (one decimal)
        figures = [self.method, seconds, self.consistency]
        if self.psnr is not None:
            figures += ["same" if self.psnr == math.inf else f"{self.psnr:.2f} dB"]
            figures += ["" if self.ssim is None else f"{self.ssim:.4f}"]
        return figures


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
            go, stop = go_and_stop("compare", "Compare")
        with gr.Column(scale=3, min_width=300):
            progress = status_line("compare", "Drop a picture and choose the methods.")
            table = gr.Dataframe(
                headers=HEADERS,
                interactive=False,
                label="Figures",
                elem_id="compare-table",
                elem_classes="isr-table",
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
            yield _table(rows), status(f"{method} is done."), gr.skip()
        pictures = [(row.method, row.preview) for row in rows]
        if "bicubic" not in asked.methods:
            pictures.insert(0, ("bicubic", rows[0].bicubic))
        words = status(f"{len(rows)} of {len(rows)} methods are done.")
        yield _table(rows), words, zoom_view(pictures, rows[0].size)

    def _row(  # noqa: PLR0913 (one method, its options and where it writes)
        self, method: str, source: Path, folder: Path, options: UpscaleOptions, truth: Image | None, run: Run
    ) -> Row:
        task = open_file(source, with_suffix(folder / f"{method}{source.suffix}", source), options)
        if truth is not None and image_size(truth.colour) != task.hr_size:
            (height, width), (rows, columns) = image_size(truth.colour), task.hr_size
            raise InputError(
                f"the true picture has {width} x {height} pixels, the results {columns} x {rows}; give one of that size"
            )
        task.check()
        result = task.write(self._place.in_time(run, planned_time(task)))
        before, after = save_comparison(task.image, result.image, folder)
        psnr, ssim = _quality(result, truth, max(task.scales))
        return Row(method, result.seconds, result.consistency, psnr, ssim, after, before, task.hr_size)


def _table(rows: list[Row]) -> dict[str, list[Any]]:
    cells = [row.cells for row in rows]
    return {"headers": HEADERS[: len(cells[0])], "data": cells}


def _quality(result: Result, truth: Image | None, scale: float) -> tuple[float | None, float | None]:
    """PSNR and SSIM of the luma, without as many pixels of the border as the scale; None without a truth."""
    if truth is None:
        return None, None
    sr, hr, shave = result.image.colour.clamp(0, 1), truth.colour.clamp(0, 1), round(scale)
    if sr.shape != hr.shape:
        raise InputError(f"the true picture has {hr.shape[1]} channels, the results {sr.shape[1]}; give one like them")
    ssim = ssim_y(sr, hr, shave) if min(image_size(sr)) >= 11 + 2 * shave else None
    return psnr_y(sr, hr, shave), ssim
