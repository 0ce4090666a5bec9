"""Files that a later run goes on from, small and whole, and the runs that read them: for `scripts/fuzz.py`."""

import os
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from PIL import Image as PillowImage

from helpers.damage import SAMPLES
from helpers.films import scenes
from helpers.methods import image, made
from innersr.errors import Cancelled
from innersr.images.image import Image
from innersr.images.io import save
from innersr.methods.options import UpscaleOptions
from innersr.physics.degradation import Degradation
from innersr.pipeline.adaptation import adapt_image
from innersr.pipeline.adapted_files import save_adaptation
from innersr.pipeline.files import open_file, upscale_file
from innersr.pipeline.films import FilmSettings
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32")
BICUBIC = UpscaleOptions(method="bicubic", kernel="bicubic")
SOURCE = b"SOURCE"  # stands for the path of a picture that lies in another folder each time


def adapted_files():
    """Folders with a file of what each method learnt."""
    from innersr.inference.normalisation import normalise

    seen, files = normalise(Image(colour=image(3)), RUN, "auto"), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "camera.safetensors"
        for name in ("tailor", "zssr", "mzsr", "bicubic"):
            save_adaptation(adapt_image(seen, Degradation(scale=2, noise=0.02), made(name), RUN), path)
            files.append({path.name: path.read_bytes()})
    return files


def read_adapted_file(folder):
    """Upscale a picture by what was learnt from another one."""
    save(Image(colour=image(3)), folder / "in.png")
    options = UpscaleOptions(adapted=folder / "camera.safetensors")
    return upscale_file(folder / "in.png", folder / "out.png", options, RUN)


def batch_logs():
    """Folders with the manifests that a batch has left, of a folder, of a shard, and of one at an address."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run_batch(folder, shard="2/2")
        _run_batch(folder)
        logs = {path.name: path.read_bytes() for path in (folder / "out" / ".innersr").glob("*.jsonl")}
        records = logs["manifest.jsonl"].splitlines(keepends=True)
    return [logs, {"object.json": records[-1]}]


def read_batch_log(folder):
    """Run a batch in a folder whose manifest is there; run it again."""
    if (folder / "object.json").exists():
        return _read_object((folder / "object.json").read_bytes())
    (folder / "out" / ".innersr").mkdir(parents=True)
    for path in folder.glob("*.jsonl"):
        path.rename(folder / "out" / ".innersr" / path.name)
    return [_run_batch(folder, shard=shard) for shard in (None, "2/2", None)]


def _run_batch(folder, **options):
    from innersr.commands.console import Reporter
    from innersr.commands.upscale import upscale_files

    (folder / "in").mkdir(exist_ok=True)
    for name in ("a.png", "b.png"):
        PillowImage.fromarray(SAMPLES).save(folder / "in" / name)
    given = {"compare": None, "scale": None, "size": None, "settings": None, "in_place": False, **options}
    given |= {"inputs": [folder / "in"], "output": f"{folder / 'out'}/", "method": "bicubic", "kernel": "bicubic"}
    return upscale_files(Reporter(quiet=True, verbose=False, as_json=False), RUN, **given)


def _read_object(data):
    from innersr.batch.remote import place_of
    from innersr.batch.remote_manifest import RemoteManifest

    folder = place_of("memory://results")
    manifest = RemoteManifest(folder)
    path = manifest._object("a.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return manifest.entry(folder / "a.png"), manifest.may_replace(folder / "a.png")


def strip_states():
    """Folders with what a run in strips leaves that ends after two of its four parts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = folder / ".out.tif.strips"
        run = replace(RUN, cancelled=lambda: _lines_of(state / "done.jsonl") == 2)
        _until_cancelled(lambda: _upscale_in_strips(folder, run))
        files = {path.name: path.read_bytes() for path in state.iterdir()}
        path = str((folder / "picture.png").resolve()).encode()
    return [files | {"source.json": files["source.json"].replace(path, SOURCE)}]


def read_strip_state(folder):
    """Go on with a run in strips."""
    state = folder / ".out.tif.strips"
    _move_all(folder, state)
    record, path = state / "source.json", (folder / "picture.png").resolve()
    record.write_bytes(record.read_bytes().replace(SOURCE, str(path).encode()))
    return _upscale_in_strips(folder, RUN)


def _upscale_in_strips(folder, run):
    from innersr.pipeline import strip_choice
    from innersr.pipeline.strips import StripSettings

    strip_choice.StripSettings = partial(StripSettings, side=50, sample=30)
    source = folder / "picture.png"
    save(Image(colour=image(3, (70, 100))), source)
    os.utime(source, ns=(10**18, 10**18))
    method = replace(made("tailor"), steps=0, views=1)
    options = UpscaleOptions(method=method, kernel="bicubic", strips="always")
    return upscale_file(source, folder / "out.tif", options, run)


def film_states():
    """Folders with what a run leaves that ends after two parts of a film."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = folder / ".out.gif.innersr-parts"
        run = replace(RUN, cancelled=lambda: len([*state.glob("*.json")]) == 2)
        _until_cancelled(lambda: _upscale_film(folder, run))
        return [{path.name: path.read_bytes() for path in state.iterdir()}]


def read_film_state(folder):
    """Go on with a film."""
    _move_all(folder, folder / ".out.gif.innersr-parts")
    return _upscale_film(folder, RUN)


def _upscale_film(folder, run):
    source = folder / "film.gif"
    first, *others = [PillowImage.fromarray(frame) for frame in scenes(6, size=(12, 16))]
    first.save(source, save_all=True, append_images=others)
    task = open_file(source, folder / "out.gif", BICUBIC)
    return replace(task, settings=FilmSettings(part=2)).write(run)


def _until_cancelled(work):
    try:
        work()
    except Cancelled:
        return
    raise RuntimeError("the work was done before it was cancelled")


def _lines_of(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _move_all(folder, state):
    state.mkdir()
    for path in [*folder.iterdir()]:
        if path != state:
            path.rename(state / path.name)
