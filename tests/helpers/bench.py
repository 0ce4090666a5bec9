"""Small folders, plans and cases for tests of the benchmark."""

import json
from dataclasses import dataclass
from functools import partial

import torch
from PIL import Image as PillowImage

from innersr.benchmark.runner import Case, Plan, cases_of, run_cases
from innersr.benchmark.sources import Source
from innersr.images.folders import load_sharp
from innersr.methods.baselines import Bicubic
from innersr.physics.resize import resize
from innersr.run import Run

RUN = Run(device="cpu")


def draw(path, height=48, width=60, bands=3, seed=0):
    """Write blurred noise, which has some of everything, as a PNG file."""
    noise = torch.rand(1, bands, height // 3, width // 3, generator=torch.Generator().manual_seed(seed))
    levels = (resize(noise, size=(height, width)).clamp(0, 1)[0] * 255).round().byte().permute(1, 2, 0).numpy()
    PillowImage.fromarray(levels.squeeze()).save(path)
    return path


def plan(*folders, methods=("bicubic",), degradations=("bicubic",), scales=(2.0,), **others):
    return Plan(folders=folders, methods=methods, degradations=degradations, scales=scales, **others)


def case(path, scale=2.0, degradation="bicubic", settings=None, **others):
    source = Source(folder="set2", name=path.name, sharp=partial(load_sharp, path))
    settings = settings or Bicubic()
    return Case(source=source, scale=scale, degradation=degradation, method_name="bicubic", method=settings, **others)


@dataclass(frozen=True, kw_only=True)
class Spy:
    """A method that remembers what it was given: [lr, degradation]."""

    seen: list

    def adapt(self, lr, degradation, _run):
        self.seen.extend([lr, degradation])
        return degradation.upsample


def strictly(line):
    def refuse(constant):
        raise ValueError(f"{constant} is not JSON")

    return json.loads(line, parse_constant=refuse)


def rows_of(plan, run, rows_file=None, pictures=None):
    """Yield the rows of a plan as they are computed."""
    yield from run_cases(cases_of(plan), run, rows_file, pictures)
