"""The tab "Batch": several pictures one after the other, and all results in one ZIP file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from innersr.errors import Cancelled, InnersrError, InputError
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.files import open_file
from innersr.pipeline.result import Result
from innersr.run import Run
from innersr.web.findings import found_in_words
from innersr.web.html import status
from innersr.web.orders import preset_for
from innersr.web.pace import planned_time
from innersr.web.place import Place, go_and_stop, picture_input, status_line
from innersr.web.visitors import Visitor


def build_batch(place: Place) -> None:
    """Lay out the tab and connect its controls."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            pictures = picture_input("Pictures", takes_films=True, file_count="multiple")
            scale = gr.Slider(1.1, 8, value=2, step=0.1, label="Scale")
            size = gr.Textbox("", label="Or a size", placeholder="1920x, x1080, 1920x1080, 150%", max_lines=1)
            preset = gr.Radio(["draft", "balanced", "best"], value="balanced", label="Quality")
            go, stop = go_and_stop("batch", "Enlarge all")
        with gr.Column(scale=3, min_width=300):
            progress = status_line("batch", "Drop several pictures.")
            table = gr.Dataframe(
                headers=["picture", "result", "pixels", "seconds", "what was found"],
                interactive=False,
                wrap=True,
                max_height=5000,  # no table that scrolls within a page that does
                column_widths=["115px", "125px", "100px", "90px", "285px"],
                label="Pictures",
                elem_id="batch-table",
                elem_classes="isr-table",
            )
            download = gr.DownloadButton("Download all as ZIP", variant="primary", elem_id="batch-download")
    controls = {"pictures": pictures, "scale": scale, "size": size, "preset": preset}
    place.connect(go, _Batch(place).enlarge_all, controls, [download, progress, table], progress, "batch")
    place.connect_stop(stop, progress)


class _Batch:
    """The handlers of the tab."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def enlarge_all(self, asked: Any, visitor: Visitor) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a namespace)
        """Yield the growing table, then the ZIP file; a picture that fails has a row with the reason."""
        limits, visitors = self._place.limits, self._place.visitors
        if len(asked.pictures or []) > limits.files:
            raise InputError(f"{len(asked.pictures)} pictures are more than {limits.files}; send fewer at a time")
        sources = [visitors.upload(visitor, path) for path in asked.pictures or [None]]
        chosen: dict[str, Any] = {"size": asked.size.strip()} if (asked.size or "").strip() else {"scale": asked.scale}
        options = UpscaleOptions(
            **chosen, preset=preset_for("tailor", asked.preset), pixel_limit=limits.pixels, overwrite=True
        )
        folder, made = visitor.new_folder(), []
        rows: list[list[str]] = []
        for number, source in enumerate(sources):

            def work(run: Run, source: Path = source, number: int = number) -> Result:
                return self._enlarged(source, folder / str(number), options, run)

            job = self._place.job(visitor, work, following=len(sources) - number - 1)
            try:
                for bar in job.bars(f"{source.name} ({number + 1} of {len(sources)})"):
                    yield None, bar, list(rows)
            except Cancelled:
                raise
            except (InnersrError, OSError) as error:
                rows.append([source.name, "failed", "", "", visitors.in_words(error).removeprefix(f"{source.name}: ")])
                continue
            result: Result = job.result
            assert result.path is not None  # it was written
            made.append(result.path)
            height, width = result.image.colour.shape[-2:]
            found = result.fidelity if result.estimate is None else ", ".join(found_in_words(result.estimate))
            rows.append([source.name, result.path.name, f"{width} × {height}", f"{result.seconds:.1f}", found])
        packed = str(_packed(made, folder / "innersr.zip")) if made else None
        yield packed, status(f"{len(made)} of {len(sources)} pictures are done.", is_done=packed is not None), rows

    def _enlarged(self, source: Path, folder: Path, options: UpscaleOptions, run: Run) -> Result:
        folder.mkdir()
        task = open_file(source, None, options)
        task = replace(task, target=folder / task.target.name)
        task.check()
        return task.write(self._place.in_time(run, planned_time(task)))


def _packed(paths: Sequence[Path], target: Path) -> Path:
    """Put files into a ZIP file, those of one name with a number, uncompressed as image files are already."""
    taken: set[str] = set()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in paths:
            name, number = path.name, 1
            while name.casefold() in taken:
                number += 1
                name = f"{path.stem}-{number}{path.suffix}"
            taken.add(name.casefold())
            archive.write(path, name)
    return target
