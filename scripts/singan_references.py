"""Draw sheets for counting by eye: samples of a picture beside those of other programs, twice as large, unnamed.

for N in 0 1 2; do innersr singan sample PLACES50/Real/$N.jpg -o SAMPLES/$N -n 3; done
python scripts/singan_references.py PLACES50 SAMPLES SHEETS

PLACES50 has one folder of N.jpg for each program, and Real; SAMPLES has a folder N of PNG files for each picture. Each
sheet shows the picture and, in random order, all samples of it; SHEETS/key.json says whose they are.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase

from innersr.images.conversions import image_from
from innersr.images.io import read, save
from innersr.plots.sheets import Cell, Pixels, draw_sheet, enlarged, grid, picture_cell, text_cell, to_pixels


def shown(path: Path) -> Pixels:
    """A picture, twice as large."""
    return enlarged(to_pixels(read(path).colour), 2)


def sheet(real: Path, samples: Sequence[Path]) -> Pixels:
    """Draw a picture and samples of it in rows of three."""
    names = ["the picture", *ascii_uppercase]
    cells: list[Cell | None] = [
        grid([[picture_cell(shown(path))], [text_cell(name)]], gap=4)
        for path, name in zip([real, *samples], names, strict=False)
    ]
    return draw_sheet([], grid([cells[start : start + 3] for start in range(0, len(cells), 3)]))


def main() -> None:
    """Draw a sheet for every folder of samples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places50", type=Path)
    parser.add_argument("samples", type=Path)
    parser.add_argument("sheets", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of the order")
    options = parser.parse_args()
    options.sheets.mkdir(parents=True, exist_ok=True)
    key = {}
    for folder in sorted(path for path in options.samples.iterdir() if path.is_dir()):
        real = options.places50 / "Real" / f"{folder.name}.jpg"
        others = [path for path in options.places50.glob(f"*/{folder.name}.jpg") if path != real]
        paths = sorted(folder.glob("*.png")) + sorted(others)
        random.Random(f"{options.seed} {folder.name}").shuffle(paths)
        key[folder.name] = {letter: str(path) for letter, path in zip(ascii_uppercase, paths, strict=False)}
        target = options.sheets / f"{folder.name}.png"
        save(image_from(sheet(real, paths))[0], target, overwrite=True)
        print(target)
    (options.sheets / "key.json").write_text(json.dumps(key, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
